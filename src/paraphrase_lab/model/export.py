"""model/: the trained classifier as plain Hugging Face files, with its threshold, its temperature and a card."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import transformers
from safetensors.torch import load_model as load_weights
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from paraphrase_lab.errors import RunError
from paraphrase_lab.metrics.calibration import Calibration

CONFIG_KEY = "paraphrase_lab"
MODEL_DIR = "model"


class TrainedModel(NamedTuple):
    encoder: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    calibration: Calibration
    max_length: int


def save_model(model: TrainedModel, directory: Path, card: str) -> None:
    settings = {**model.calibration.to_dict(), "max_length": model.max_length}
    setattr(model.encoder.config, CONFIG_KEY, settings)
    model.encoder.save_pretrained(directory)
    model.tokenizer.model_max_length = model.max_length
    model.tokenizer.save_pretrained(directory)
    (directory / "README.md").write_text(card, encoding="utf-8")


def _refuse_weights_elsewhere(run_dir: Path) -> None:
    """A launcher may leave large files in S3; its record says where."""
    record = run_dir / ".job" / "record.json"
    if any((run_dir / MODEL_DIR).glob("*.safetensors")) or not record.is_file():
        return
    if place := json.loads(record.read_text(encoding="utf-8")).get("model"):
        raise RunError(
            f"the weights of {run_dir} are in {place}",
            hint=f"aws s3 cp {place} - | tar -xz -C {run_dir}; or the sweep again with hydra.launcher.download_models=true",
        )


def load_model(run_dir: Path, build_own: Callable[[PreTrainedTokenizerBase, int], PreTrainedModel]) -> TrainedModel:
    """Load the model of a run; `build_own` makes the encoder when its class is not one of transformers' own.

    Raises:
        RunError: the run kept no model, or another one than `build_own` makes.
    """
    directory = run_dir / MODEL_DIR
    if not (directory / "config.json").is_file():
        raise RunError(f"{run_dir} has no trained model", hint="it did not finish, or was run in a search: keep_model=always")
    _refuse_weights_elsewhere(run_dir)
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    settings = dict(config.get(CONFIG_KEY, {}))
    if "max_length" not in settings:
        raise RunError(f"{directory} was not saved by paraphrase-lab: its config.json has no {CONFIG_KEY}.max_length")
    max_length = int(settings.pop("max_length"))
    tokenizer = AutoTokenizer.from_pretrained(directory)
    own_class = getattr(transformers, (config.get("architectures") or [""])[0], None)
    if own_class is not None:
        encoder = own_class.from_pretrained(directory, dtype="float32")
    else:
        encoder = build_own(tokenizer, max_length)
        try:
            load_weights(encoder, directory / "model.safetensors")
        except RuntimeError as error:
            raise RunError(
                f"{directory}: its weights do not fit the encoder that the run's code builds now: {error}",
                hint=f"{run_dir / 'code'} holds the code as it was",
            ) from error
    return TrainedModel(encoder.eval(), tokenizer, Calibration.from_dict(settings), max_length)


def model_card(name: str, data: Mapping[str, Any], metrics: Mapping[str, float], calibration: Calibration) -> str:
    """Return a card in the format of the Hub: what it was trained on, how good it is, how to use it."""
    rows = "\n".join(f"| {metric} | {value:.4f} |" for metric, value in metrics.items())
    splits = "\n".join(f"| {split} | {values['pairs']:,} | `{values['fingerprint'][:12]}` |" for split, values in data.items())
    return f"""---
library_name: transformers
pipeline_tag: text-classification
tags: [paraphrase-identification, cross-encoder, paraphrase-lab]
---
# {name}

A cross-encoder that tells whether two sentences mean the same: label 1 is `paraphrase`, label 0 `different`.

| metric | value |
|---|---|
{rows}

The threshold {calibration.threshold:.4f} and the temperature {calibration.temperature:.4f} were fitted on the validation split
({calibration.pairs:,} pairs) and frozen; they stand in `config.json` under `{CONFIG_KEY}`. The probability of a paraphrase is
the sigmoid of (logit 1 - logit 0) / temperature.

| split | pairs | fingerprint |
|---|---|---|
{splits}

```python
from sentence_transformers import CrossEncoder

logits = CrossEncoder("model").predict([("I took a flight from New York to Paris", "I took a flight from Paris to New York")])
```
"""
