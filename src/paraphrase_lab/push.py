"""An exported model on the Hugging Face Hub: what would be sent, what of it is private, and the sending itself."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from paraphrase_lab.configuration.without_effect import LOCAL_FILES, is_place_of_data
from paraphrase_lab.data.known_input import FILE_NAME as TRAINING_INPUT
from paraphrase_lab.data.known_input import KnownInput
from paraphrase_lab.errors import RunError, UserError
from paraphrase_lab.model.card import HERE, PAIR
from paraphrase_lab.model.directory import MODEL_DIR
from paraphrase_lab.paths import is_path, user_path
from paraphrase_lab.runs.predictions import FILE_NAME as PREDICTIONS
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.tracking.private_texts import json_without_private, without_private
from paraphrase_lab.tracking.redaction import redacted_text

CARD = "README.md"
TEXTS = (".md", ".json", ".py", ".txt", ".jinja")
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", TRAINING_INPUT)
"""Files that are sent as they are: pieces of words, and hashes of them."""
SOURCES = (".py", ".jinja")
SHORTEST_SENTENCE = 15
"""Characters of a sentence that is looked for: shorter ones stand in any text."""
LOCAL_CODE = f"{HERE.format(directory=MODEL_DIR)}, or its name on the Hub:"


class Upload(NamedTuple):
    """A file as it is sent."""

    name: str
    content: Path | bytes
    size: int


class Prepared(NamedTuple):
    uploads: list[Upload]
    card: str
    replaced: list[str]
    """What was private in which file, and is replaced."""
    notes: list[str]
    """What a reader of the files can learn of the training."""


def prepare(run_dir: Path, repo: str) -> Prepared:
    """Return the files of a run's model as they would be sent: without paths of this machine and without secrets.

    Raises:
        RunError: the run has no model.
        UserError: a sentence of the run's validation or test pairs stands in one of the files.
    """
    directory, own_record = run_dir / MODEL_DIR, RunRecord.read(run_dir)
    if not (directory / "config.json").is_file() or not any(directory.glob("*.safetensors")):
        raise RunError(
            f"{run_dir} has no model to push: it is {own_record.status}", hint="keep_model=always keeps that of a search"
        )
    uploads, replaced, card, sentences, known = [], [], "", _sentences(run_dir), _known_paths(own_record)
    for file in sorted(one for one in directory.rglob("*") if one.is_file()):
        name = file.relative_to(directory).as_posix()
        if file.suffix not in TEXTS or file.name in VOCABULARIES:
            uploads.append(Upload(name, file, file.stat().st_size))
            continue
        try:
            before = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            uploads.append(Upload(name, file, file.stat().st_size))
            continue
        for sentence in sentences:
            if any(written in before for written in _as_written(sentence)):
                raise UserError(
                    f"{file} holds a sentence of the run's pairs: {sentence!r}", hint="take it out, then push again"
                )
        text, found = _cleaned(file, before, known)
        replaced += [f"{name}: {one}" for one in found]
        if name == CARD:
            text = card = _for_the_hub(text, run_dir, repo)
        uploads.append(Upload(name, text.encode(), len(text.encode())))
    return Prepared(uploads, card, replaced, _notes(run_dir, directory))


def _cleaned(file: Path, text: str, known: Sequence[str]) -> tuple[str, list[str]]:
    """Return what is sent of a text file; source code and templates stay as they are, since a change might break them."""
    if file.suffix in SOURCES:
        lines = [number for number, line in enumerate(text.splitlines(), start=1) if redacted_text(line) != line]
        return text, [f"nothing, but line {number} looks like a secret, and is sent as it is" for number in lines]
    if file.suffix == ".json":
        try:
            return json_without_private(text, known)
        except ValueError:
            pass
    return without_private(text, known)


def _known_paths(record: RunRecord) -> list[str]:
    """Return the values of the run's keys that name files, also relative ones, but no names on the Hub."""
    values = record.values.get("config") or {}
    named = [value for key, value in values.items() if (key in LOCAL_FILES or is_place_of_data(key)) and isinstance(value, str)]
    return [value for value in named if "/" in value and (is_path(value) or user_path(value).exists())]


def _for_the_hub(card: str, run_dir: Path, repo: str) -> str:
    """Name the model as the Hub does, in its title and in the lines of code."""
    card = card.replace(LOCAL_CODE, "These lines load it from the Hub:").replace(f'"{MODEL_DIR}"', f'"{repo}"')
    return card.replace(f"\n# {run_dir.absolute().name}\n", f"\n# {repo.rpartition('/')[2]}\n", 1)


def _sentences(run_dir: Path) -> list[str]:
    """Return the sentences of the scored pairs, those of the card's example left out."""
    if not (run_dir / PREDICTIONS).is_file():
        return []
    table = pq.read_table(run_dir / PREDICTIONS, columns=["sentence1", "sentence2"])
    texts = {text for column in table.columns for text in column.to_pylist()}
    return sorted(text for text in texts - set(PAIR) if len(text) >= SHORTEST_SENTENCE)


def _as_written(sentence: str) -> set[str]:
    """Return the ways in which a file may have the sentence: as it is, and with the escapes of JSON."""
    return {sentence, *(json.dumps(sentence, ensure_ascii=every_sign)[1:-1] for every_sign in (True, False))}


def _notes(run_dir: Path, directory: Path) -> list[str]:
    notes = []
    known = KnownInput.read(directory)
    if known is not None and known.word_hashes is not None:
        notes.append(
            f"{TRAINING_INPUT} holds hashes of {len(known.word_hashes):,} words of the training: "
            "a reader who guesses a word can look whether it was there"
        )
        notes.append(
            "the vocabulary of the tokenizer may have been learnt from the training sentences: it shows pieces of words"
        )
    if not (run_dir / PREDICTIONS).is_file():
        notes.append(f"{run_dir} has no {PREDICTIONS}: the files were not searched for sentences of its pairs")
    return notes


def send(prepared: Prepared, repo: str, *, private: bool) -> str:
    """Create the repository where it is not there, write all files in one commit, and return the address of the commit.

    The token is that of `hf auth login` or of HF_TOKEN.

    Raises:
        UserError: not logged in, no right to write there, a name that the Hub does not take, no network.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token

    if constants.HF_HUB_OFFLINE:
        raise UserError("HF_HUB_OFFLINE is set, and pushing needs the Hub", hint="unset it, or add --dry-run")
    if (token := get_token()) is None:
        raise UserError(
            "not logged in to the Hub", hint="`hf auth login`, or HF_TOKEN in the environment; --dry-run needs neither"
        )
    api = HfApi(endpoint=constants.ENDPOINT, token=token)
    with _refusals(repo):
        api.create_repo(repo, private=private or None, exist_ok=True)
        if private and not api.model_info(repo).private:
            raise UserError(f"{repo} is there already and public", hint="another name, or without --private; nothing was sent")
        operations = [CommitOperationAdd(one.name, str(one.content) if isinstance(one.content, Path) else one.content)
                      for one in prepared.uploads]  # fmt: skip
        return str(api.create_commit(repo, operations, commit_message="Upload a model of paraphrase-lab").commit_url)


@contextmanager
def _refusals(repo: str) -> Iterator[None]:
    """Turn what the Hub or the network refuses into a sentence that holds neither token nor headers."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # connection errors come from whichever HTTP library is in use
        wrapped = error.__cause__ if isinstance(error, RuntimeError) else error  # a large file's, by its own thread
        if (refused := _refusal(wrapped, repo)) is None:
            raise
        raise refused from None


def _refusal(error: BaseException | None, repo: str) -> UserError | None:
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    again = "the same command tries again"
    if isinstance(error, ValueError) and not isinstance(error, HfHubHTTPError | HFValidationError):
        return UserError(
            f"the Hub refuses a file: {redacted_text(str(error)).strip()}", hint="mend it in RUN/model, then push again"
        )
    if isinstance(error, HFValidationError):
        return UserError(f"{repo} is no name of the Hub", valid="OWNER/NAME of letters, digits, '-', '_' and '.'")
    if isinstance(error, HfHubHTTPError):
        said = {
            401: ("the Hub does not accept the token", "`hf auth login`, or another HF_TOKEN"),
            403: (f"this token may not write to {repo}", "a token with write access, or a repository of your own: OWNER/NAME"),
            404: (f"{repo} is not there, or its owner is not", "is OWNER right?"),
        }
        status = getattr(error.response, "status_code", 0)
        told = redacted_text(getattr(error, "server_message", None) or "").strip()
        answered = f"the Hub answered {status or 'nothing'}{f': {told}' if told else ''}"
        problem, hint = said.get(status, (answered, again if status in (0, 429) or status >= 500 else ""))
        return UserError(problem, hint=hint)
    if isinstance(error, ConnectionError) or type(error).__module__.startswith(("httpx", "requests")):
        return UserError(f"the network does not reach {constants.ENDPOINT} ({type(error).__name__})", hint=again)
    return None
