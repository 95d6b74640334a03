"""The card of an exported model: where it comes from, how good it is, and lines of code that use it."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml
from huggingface_hub import ModelCard, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from paraphrase_lab.data.known_input import FILE_NAME
from paraphrase_lab.markdown import markdown_table
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.metrics.groups import GroupResult, accuracy_of
from paraphrase_lab.metrics.names import FITTED
from paraphrase_lab.metrics.symmetry import absurd_probes
from paraphrase_lab.paths import user_path

MEANINGS = {
    "accuracy": "share of pairs that are answered right",
    "f1": "harmonic mean of precision and recall of the paraphrases",
    "precision": "share of the predicted paraphrases that are some",
    "recall": "share of the paraphrases that are found",
    "roc_auc": "how often a paraphrase gets a higher probability than another pair; 0.5 is chance",
    "average_precision": "area under the precision-recall curve of the paraphrases",
    "nll": "mean negative log-likelihood in nats; lower is better, 0.69 is an even guess",
    "brier": "mean squared error of the probability; lower is better",
    "ece": "mean distance between probability and share of paraphrases over 15 bins; lower is better",
    "ece_if_calibrated": "the ece that these probabilities would have, by chance alone, if they were true",
    "flip_rate": "share of pairs whose answer changes when the sentences change places",
    "order_gap": "mean change of the probability when the sentences change places",
    "symmetrised_accuracy": "accuracy of the mean probability of both orders, which this model alone does not compute",
    "identical_positive_rate": "share of sentences paired with themselves that are called paraphrases; should be 1",
    "random_positive_rate": "share of unrelated pairs that are called paraphrases; should be 0",
}
PAIR = ("I took a flight from New York to Paris", "I took a flight from Paris to New York")
HERE = "These lines run in the directory that holds `{directory}`; elsewhere, put the path of this model in its place"
PIPELINE = """\
from transformers import pipeline

classify = pipeline("text-classification", "{directory}", truncation=True{trust})
pair = {{"text": "{first}", "text_pair": "{second}"}}
print(classify([pair]))  # the answer and its probability
"""
UNCALIBRATED = """\
from transformers import AutoModelForSequenceClassification as Model, AutoTokenizer

tokenizer, model = (kind.from_pretrained("{directory}"{trust}) for kind in (AutoTokenizer, Model))
pair = tokenizer("{first}", "{second}", truncation=True, return_tensors="pt")
different, paraphrase = model.eval()(**pair).logits[0]
print(((paraphrase - different) / {temperature!r} + {bias!r}).sigmoid())  # the probability of a paraphrase
"""
OWN_CLASS = """\
from pathlib import Path

from paraphrase_lab.lifecycle.trained import load_run
from paraphrase_lab.predict import RunScorer

run = Path("{directory}").parent
print(RunScorer(run, load_run(run)[1]).score([("{first}", "{second}")]))  # the probability of a paraphrase
"""


class Base(NamedTuple):
    """The model that training started from, as far as its own card is on this machine."""

    name: str
    license: str | None = None
    language: Any = None


class CardFacts(NamedTuple):
    name: str
    base: Base | None
    """None: trained from scratch."""
    data_name: str
    language: Any
    """The language of the data, where it is known."""
    data: Mapping[str, Any]
    """For each split {"pairs": …, "fingerprint": …}."""
    settings: Mapping[str, Any]
    command: str
    metrics: Mapping[str, float]
    calibration: Calibration
    max_length: int
    checklist: Mapping[str, GroupResult] = MappingProxyType({})
    """The results of each kind of pairs on the half that was scored last."""


def base_of(name: str, revision: str | None = None) -> Base:
    """Read licence and language off the card of a directory, or of a Hub name that is cached; never asks the Hub."""
    path: Any = user_path(name) / "README.md"
    if not path.is_file():
        try:
            path = try_to_load_from_cache(name, "README.md", revision=revision)
        except HFValidationError:
            path = None
    try:
        known = ModelCard(Path(path).read_text(encoding="utf-8"), ignore_metadata_errors=True).data.to_dict()
    except (OSError, TypeError, ValueError, yaml.YAMLError):  # none there, or one that is no card
        known = {}
    return Base(name, known.get("license"), known.get("language"))


def model_card(facts: CardFacts, *, is_calibrated: bool, kind: str = "", directory: str = "model") -> str:
    """Return a card in the format of the Hub.

    Args:
        is_calibrated: softmax of the logits gives the calibrated probabilities.
        kind: "own" of a class that only this framework loads, "remote" of one whose code lies beside the weights.
        directory: where the lines of code find the model.
    """
    calibration = facts.calibration
    parts = [
        f"---\n{yaml.safe_dump(_metadata(facts), sort_keys=False, allow_unicode=True)}---",
        f"# {facts.name}",
        "A cross-encoder that tells whether two sentences mean the same: label 1 is `paraphrase`, label 0 `different`.",
        HERE.format(directory=directory) + (":" if kind == "own" else ", or its name on the Hub:"),
        f"```python\n{_code(calibration, is_calibrated, kind, directory)}```",
        _answers(facts, is_calibrated),
        _origin(facts),
        "## Data\n\n" + markdown_table(("split", "pairs", "fingerprint"), [
            (split, f"{values['pairs']:,}", f"`{values['fingerprint'][:12]}`") for split, values in facts.data.items()
        ]),
        "## Results\n\n" + markdown_table(("metric", "value", "meaning"), [
            (name, f"{value:.4f}", MEANINGS.get(name.rpartition("/")[2], "a metric of the run's own code"))
            for name, value in facts.metrics.items()
        ]),
        f"`{FITTED}/`: on the pairs that chose the checkpoint and fitted the calibration, which flatters. `test/`: on others.",
        *_checklist(facts),
        "## Limits\n\n" + "\n".join(f"- {sentence}" for sentence in _limits(facts)),
        "## Training\n\n" + f"```bash\n{facts.command}\n```\n\n" + markdown_table(("key", "value"), [
            (f"`{key}`", f"`{value}`") for key, value in facts.settings.items()
        ]),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _checklist(facts: CardFacts) -> list[str]:
    if not facts.checklist:
        return []
    rows = [
        (kind, str(one.pairs), f"{one.accuracy:.2f}", f"{one.low:.2f}-{one.high:.2f}") for kind, one in facts.checklist.items()
    ]
    said = (
        "Short pairs of plain English, kind by kind, that no training has seen; chance is 0.5, but for identical and unrelated:"
    )
    of_all = f"All {sum(one.pairs for one in facts.checklist.values())} pairs: {accuracy_of(facts.checklist):.2f}"
    return [
        f"## What it can do\n\n{said}\n\n{of_all}.\n\n" + markdown_table(("kind", "pairs", "accuracy", "95 % interval"), rows)
    ]


def _metadata(facts: CardFacts) -> dict[str, Any]:
    base = facts.base
    language = facts.language or (base.language if base else None)
    is_on_hub = base is not None and not user_path(base.name).exists()
    return {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": ["paraphrase-identification", "cross-encoder", "paraphrase-lab"],
        "license": (base.license if base else None) or "unknown",
        **({"language": language} if language else {}),
        **({"base_model": base.name} if base and is_on_hub else {}),
    }


def _code(calibration: Calibration, is_calibrated: bool, kind: str, directory: str) -> str:
    template = OWN_CLASS if kind == "own" else PIPELINE if is_calibrated else UNCALIBRATED
    trust = ", trust_remote_code=True" if kind == "remote" else ""
    return template.format(
        directory=directory, first=PAIR[0], second=PAIR[1], trust=trust,
        temperature=calibration.temperature, bias=calibration.bias,
    )  # fmt: skip


def _answers(facts: CardFacts, is_calibrated: bool) -> str:
    temperature, bias, pairs = facts.calibration.temperature, facts.calibration.bias, facts.calibration.pairs
    fitted = f"temperature {temperature:.4f} and bias {bias:.4f}, fitted on the validation split ({pairs:,} pairs)"
    if is_calibrated:
        said = (
            f"Softmax of the logits gives calibrated probabilities: {fitted}, are part of the last layer. {_decision(facts)} "
            "Pipelines, `CrossEncoder.predict` of sentence-transformers and `paraphrase predict` give the same numbers."
        )
    else:
        said = (
            f"The logits are not calibrated, since the model does not end with a plain linear layer: {fitted}, are in "
            "`config.json`, and `paraphrase predict` applies them: sigmoid((logit 1 - logit 0) / temperature + bias). "
            f"{_decision(facts)}"
        )
    return (
        f"{said} Pairs of more than {facts.max_length} tokens are truncated, the longer sentence first. The model reads a pair "
        "in the order given, as `paraphrase predict` does. An answer that does not depend on the order is the mean of both."
    )


def _limits(facts: CardFacts) -> list[str]:
    beyond = (
        f"Pairs beyond the training (new words, another script, longer ones) get a probability like all others: `paraphrase "
        f"predict` marks them, by `{FILE_NAME}`, and other readers do not."
    )
    return [*(f"{sentence}." for sentence in absurd_probes(facts.metrics).values()), beyond]


def _decision(facts: CardFacts) -> str:
    threshold = facts.calibration.threshold
    if threshold == 0.5:
        return "From a probability of 0.5 on a pair is a paraphrase."
    fitted = f"For `paraphrase predict` a pair is a paraphrase from a probability of {threshold:.4f} on, fitted on validation"
    return f"{fitted}; argmax of this model, and pipelines, decide at 0.5."


def _origin(facts: CardFacts) -> str:
    base = facts.base
    language = facts.language or (base.language if base else None)
    start = f"`{base.name}`" if base else "none: trained from scratch"
    license_ = (base.license if base else None) or "unknown: look at that of the base model and of the data"
    rows = [
        ("base model", start),
        ("licence", license_),
        ("language", ", ".join(language) if isinstance(language, list) else language or "unknown"),
        ("data", facts.data_name),
    ]
    return "## Origin\n\n" + markdown_table(("", ""), rows)
