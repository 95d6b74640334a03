"""model/: the trained classifier as plain Hugging Face files, that answer as `predict` does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import transformers
from safetensors.torch import load_model as load_weights
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from paraphrase_lab.errors import RunError
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.model.directory import MODEL_DIR
from paraphrase_lab.model.encoder import ENCODER_INPUTS, LABELS
from paraphrase_lab.model.head import calibrate_head
from paraphrase_lab.model.lora import merge_adapters

CONFIG_KEY = "paraphrase_lab"
HEAD_KEY = "head_is_calibrated"
READERS = {
    "problem_type": "single_label_classification",  # what pipelines read
    # What CrossEncoder.predict applies; nn.Softmax() without a dimension warns, and constructor arguments cannot be given.
    "sentence_transformers": {"activation_fn": "torch.distributions.transforms.SoftmaxTransform"},
}
STALE_KEYS = ("sbert_ce_default_activation_function", "finetuning_task", "task_specific_params")
"""Keys of the starting model's configuration that are not true of the trained one."""


class TrainedModel(NamedTuple):
    encoder: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    calibration: Calibration
    max_length: int
    head_is_calibrated: bool = False
    """Whether the encoder's own logits give calibrated probabilities, as those of a saved model do where its head is linear."""

    def margins(self, differences: np.ndarray) -> np.ndarray:
        """Return the margins [pairs] before calibration, from logit 1 - logit 0 [pairs] of the encoder."""
        return self.calibration.margins(differences) if self.head_is_calibrated else differences


def save_model(model: TrainedModel, directory: Path) -> TrainedModel:
    """Write plain Hugging Face files; the head is calibrated first, where it is linear.

    Returns:
        The model as it was saved, with the same encoder.
    """
    encoder, tokenizer, calibration, max_length, _ = model
    tokenizer.model_max_length = max_length
    tokenizer.padding_side = "right"  # as in training
    is_calibrated = calibrate_head(encoder, calibration, _inputs(tokenizer))
    config: Any = encoder.config
    settings = {**calibration.to_dict(), "max_length": max_length, HEAD_KEY: is_calibrated}
    for key in STALE_KEYS:
        vars(config).pop(key, None)
    for key, value in {**LABELS, **READERS, CONFIG_KEY: settings}.items():
        setattr(config, key, value)
    encoder.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    mode = (directory / "config.json").stat().st_mode
    for file in directory.glob("*.safetensors"):
        file.chmod(mode)  # safetensors writes files that nobody else can read
    return model._replace(head_is_calibrated=is_calibrated)


def kind_of(directory: Path) -> str:
    """Return "remote" for a saved model with code beside its weights, "own" for a class of the run's own code, else ""."""
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    if "auto_map" in config:
        return "remote"
    return "" if hasattr(transformers, (config.get("architectures") or [""])[0]) else "own"


def _inputs(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    encoded = tokenizer("Who sent it?", "Who was it sent by?", return_tensors="pt")
    return {name: encoded[name] for name in ENCODER_INPUTS if name in encoded}


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
    max_length, is_calibrated = int(settings.pop("max_length")), bool(settings.pop(HEAD_KEY, False))
    has_code = "auto_map" in config  # of the starting model, which the run was told to trust
    tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=has_code)
    own_class = getattr(transformers, (config.get("architectures") or [""])[0], None)
    if has_code:
        encoder = AutoModelForSequenceClassification.from_pretrained(directory, dtype="float32", trust_remote_code=True)
    elif own_class is not None:
        encoder = own_class.from_pretrained(directory, dtype="float32")
    else:
        encoder = build_own(tokenizer, max_length)
        merge_adapters(encoder)  # as they were before the weights were saved
        try:
            load_weights(encoder, directory / "model.safetensors")
        except RuntimeError as error:
            raise RunError(
                f"{directory}: its weights do not fit the encoder that the run's code builds now: {error}",
                hint=f"{run_dir / 'code'} holds the code as it was",
            ) from error
    return TrainedModel(encoder.eval(), tokenizer, Calibration.from_dict(settings), max_length, is_calibrated)
