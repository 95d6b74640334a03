"""The second stage on a model that lies in a local directory: everything in it is there, whole, and fits together."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paraphrase_lab.check.findings import Warned
from paraphrase_lab.check.suggestions import listed
from paraphrase_lab.check.weight_files import is_pointer, shapes, weight_problems
from paraphrase_lab.errors import RunError
from paraphrase_lab.model.directory import MODEL_DIR, model_directory
from paraphrase_lab.paths import user_path
from paraphrase_lab.runs.record import LATEST, run_directory

VOCABULARIES = ("tokenizer.json", "vocab*", "*.model", "*.spm", "*.tiktoken", "tekken.json")
WITHOUT_VOCABULARY = ("CanineTokenizer", "ByT5Tokenizer", "PerceiverTokenizer")
"""Tokenizer classes that read characters or bytes."""
WORD_EMBEDDINGS = (
    "word_embeddings.weight", "embed_tokens.weight", "tok_embeddings.weight", "wte.weight", "word_embedding.weight",
    "shared.weight",
)  # fmt: skip
POSITIONS_FROM_PAD = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "mpnet", "longformer")
"""Model types whose first position is the one after the padding token's id."""
WITHOUT_PAD = ("PreTrainedTokenizerFast", "TokenizersBackend", "GPT2Tokenizer", "GPT2TokenizerFast", "LlamaTokenizerFast")
"""Tokenizer classes that have no padding token unless one is named."""
Findings = Iterator[str]


def local_model_findings(model: Mapping[str, Any], max_length: int) -> Findings | None:
    """Return what is wrong with the directory that `model.name` means; None where it can only be a name of the Hub."""
    name = str(model["name"])
    path = user_path(name)
    if name == LATEST and not path.exists():
        return _latest()
    if path.is_file():
        return iter([f"model.name={name} is a file: name its directory, model.name={path.parent}."])
    directory = model_directory(name)
    if directory is not None:
        return _named(name, _directory_findings(directory, model, max_length))
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        return iter([f"model.name={name} does not exist; a relative path starts at the working directory, {Path.cwd()}."])
    return None


def _latest() -> Findings:
    try:
        run = run_directory(LATEST)
    except RunError:
        yield f"model.name={LATEST} means the newest finished run, and there is none below runs."
        return
    yield f"model.name={LATEST} would be another model after the next run: type model.name={run / MODEL_DIR}."


def _named(name: str, found: Findings) -> Findings:
    for text in found:
        sentence = f"model.name={name} {text}."
        yield Warned(sentence) if isinstance(text, Warned) else sentence


def _directory_findings(directory: Path, model: Mapping[str, Any], max_length: int) -> Findings:
    if not (directory / "config.json").is_file():
        yield _without_configuration(directory)
        return
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except ValueError:
        broken = "a Git LFS pointer: type 'git lfs pull'" if is_pointer(directory / "config.json") else "no JSON: copy it again"
        yield f"has a config.json that is {broken}"
        return
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        yield "has a config.json without model_type, so that its architecture is not known: save_pretrained writes it"
        return
    if needed := needs_own_code(config):
        if not model.get("trust_remote_code"):
            yield needed
        return
    vocabulary = list(_vocabulary_problems(directory))
    yield from vocabulary
    weights = [] if model.get("random_weights") else list(weight_problems(directory))
    yield from weights
    if not vocabulary and not weights:
        yield from _fits(directory, config, max_length)


def _without_configuration(directory: Path) -> str:
    if (directory / "run.json").is_file():
        return "is a run without a model: it did not finish, or was one of a search (keep_model=always keeps it)"
    if (directory / "adapter_config.json").is_file():
        return "is an adapter without its base: load both with peft, then merge_and_unload().save_pretrained(DIRECTORY)"
    models = sorted(file.parent.name for file in directory.glob("*/config.json"))
    if models:
        return f"is a folder of models: name one of them, as in model.name={directory / models[0]} (there are {listed(models)})"
    if not any(directory.iterdir()):
        return "is an empty directory: name one that save_pretrained wrote"
    return "is a directory without config.json: name one that save_pretrained wrote"


def needs_own_code(config: Mapping[str, Any]) -> str | None:
    """Return which files of code come with a model of this config.json that only they can build; None where none do."""
    auto_map = config.get("auto_map")
    if not isinstance(auto_map, dict):
        return None
    from transformers import CONFIG_MAPPING

    if config.get("model_type") in CONFIG_MAPPING:
        return None  # transformers' own code is used unless remote code is trusted
    code = sorted({f"{str(target).rpartition('--')[2].rpartition('.')[0]}.py" for target in auto_map.values()})
    needed = f"needs code of its own ({listed(code)}), which would run on this machine"
    return f"{needed}: read it, then type model.trust_remote_code=true"


def _vocabulary_problems(directory: Path) -> Findings:
    files = sorted({file for pattern in VOCABULARIES for file in directory.glob(pattern) if file.is_file()})
    settings = _json(directory / "tokenizer_config.json") or {}
    if not files and settings.get("tokenizer_class") not in WITHOUT_VOCABULARY:
        yield (
            f"comes without a tokenizer ({VOCABULARIES[0]}): "
            f"AutoTokenizer.from_pretrained(CHECKPOINT).save_pretrained('{directory}') puts it there"
        )
    for file in files:
        if is_pointer(file):
            yield f"has a Git LFS pointer in place of {file.name}: type 'git lfs pull' where it was cloned"
        elif file.suffix == ".json" and _json(file) is None:
            yield f"has a {file.name} that is no JSON, or only its beginning: copy it again"


def _fits(directory: Path, config: Mapping[str, Any], max_length: int) -> Findings:
    """Compare tokenizer, weights and data.max_length."""
    found = shapes(directory)
    rows = next((shape[0] for name, shape in found.items() if name.endswith(WORD_EMBEDDINGS)), config.get("vocab_size"))
    if isinstance(rows, int) and config.get("vocab_size", rows) != rows:
        said = f"vocab_size={config['vocab_size']:,} in config.json and {rows:,} word embeddings in its weights"
        yield f"has {said}: copy both of the same model"
    tokens = _tokens(directory)
    if isinstance(rows, int) and tokens > rows:
        yield Warned(f"has {tokens:,} tokens and {rows:,} word embeddings: the others are added, and trained from scratch")
    settings = {**(_json(directory / "special_tokens_map.json") or {}), **(_json(directory / "tokenizer_config.json") or {})}
    if not settings.get("pad_token") and settings.get("tokenizer_class") in WITHOUT_PAD:
        filler = settings.get("eos_token") or settings.get("unk_token")
        filler = filler.get("content") if isinstance(filler, dict) else filler
        if filler is None:
            yield "has a tokenizer without a padding token: tokenizer.add_special_tokens({'pad_token': '[PAD]'}) makes one"
        else:
            yield Warned(f"has a tokenizer without a padding token: '{filler}' fills up batches")
    if config.get("type_vocab_size") == 1 and "token_type_ids" in settings.get("model_input_names", []):
        yield Warned("has a tokenizer with segment ids, but no embeddings for them: they are left out")
    longest = _longest(config)
    if longest is not None and max_length > longest:
        yield f"takes {longest} tokens at most, data.max_length is {max_length}: data.max_length={longest}"


def _tokens(directory: Path) -> int:
    """Count the ids that the tokenizer may give; 0 where that is not known."""
    tokenizer = _json(directory / "tokenizer.json") or {}
    words = (tokenizer.get("model") or {}).get("vocab") or []
    added = [token["id"] + 1 for token in tokenizer.get("added_tokens") or []]
    return max([len(words), *(words.values() if isinstance(words, dict) else ()), *added]) if words else 0


def _longest(config: Mapping[str, Any]) -> int | None:
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions <= 0:
        return None
    if config["model_type"] in POSITIONS_FROM_PAD:
        pad = config.get("pad_token_id")
        return positions - (1 if pad is None else int(pad)) - 1
    return positions


def _json(file: Path) -> dict[str, Any] | None:
    """Return the object in a file; None where there is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
