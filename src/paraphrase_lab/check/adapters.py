"""The second stage on model.lora: its package is there, its layers are in the model, and its rate is one for adapters."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from paraphrase_lab.check.findings import Warned
from paraphrase_lab.check.suggestions import listed, shown
from paraphrase_lab.check.training import one_line
from paraphrase_lab.errors import UserError
from paraphrase_lab.model.directory import model_directory

LOW_RATE = 5e-5
"""Adapters want about 10 times the rate of all weights, which is 1e-5 to 5e-5: Hu et al. 2021 (LoRA) train RoBERTa and DeBERTa
at 6e-5 to 5e-4."""


def adapter_findings(plain: Mapping[str, Any], *, remote: bool = False) -> Iterator[str]:
    """Judge the adapters of a resolved configuration; `remote`: it is another machine that needs peft."""
    model = plain["model"]
    lora = model.get("lora")
    if not isinstance(lora, dict):
        return
    if lora.get("rank") is None:
        given = [f"model.lora.{key}={shown(value)}" for key, value in lora.items() if value]
        if given:
            yield Warned(f"without model.lora.rank these have no effect, and all weights are trained: {listed(given)}.")
        return
    from paraphrase_lab.model.lora import require_peft  # needs torch, as the model does

    try:
        if not remote:
            require_peft()
        if lora.get("target_modules") is not None and isinstance(model.get("name"), str):
            _look_for_targets(model, lora["target_modules"])
    except UserError as error:
        yield one_line(error)
    rate = plain["optimizer"].get("lr")
    if isinstance(rate, float) and rate <= LOW_RATE:
        yield Warned(
            f"optimizer.lr={rate:g} suits the training of all weights: adapters want about 10 times as much, "
            f"as in model.learning_rate={10 * rate:.0e}."
        )


def _look_for_targets(model: Mapping[str, Any], wanted: list[str]) -> None:
    """Raise UserError where the architecture has no layer of a wanted name; one that is not on this machine is not judged."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    from paraphrase_lab.model.lora import linear_layers, targeted

    place = model_directory(model["name"]) or model["name"]
    try:
        config = AutoConfig.from_pretrained(
            place, revision=model.get("revision"), local_files_only=True, num_labels=2, trust_remote_code=False
        )  # a check runs no foreign code
        with torch.device("meta"), warnings.catch_warnings(action="ignore"):
            encoder = AutoModelForSequenceClassification.from_config(config)
    except (OSError, ValueError):  # not here, or with code of its own: training looks again
        return
    targeted(linear_layers(encoder), wanted)
