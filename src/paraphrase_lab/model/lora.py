"""Low-rank adapters: the encoder's linear layers are frozen and get one each, the head is trained in full."""

import importlib.util
import logging
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from paraphrase_lab.errors import UserError
from paraphrase_lab.model.head import linear_head

log = logging.getLogger(__name__)
LINEAR = (nn.Linear, Conv1D)


class Lora(NamedTuple):
    """The keys of model.lora."""

    rank: int | None = None
    alpha: float | None = None
    dropout: float = 0.0
    target_modules: list[str] | None = None
    use_rslora: bool = False
    use_dora: bool = False


def require_peft() -> None:
    """Raise UserError where peft is not installed."""
    if importlib.util.find_spec("peft") is None:
        raise UserError("model.lora needs a package that is not installed", hint='pip install "paraphrase-lab[lora]"')


def linear_layers(encoder: PreTrainedModel, new: Collection[str] = ()) -> list[str]:
    """Return the names of the linear layers that an adapter can stand beside: those of the encoder, not of its head.

    Args:
        new: names of parameters that no checkpoint has trained.
    """
    in_full = {name.rpartition(".")[0] for name in trained_in_full(encoder, new)}
    return [name for name, module in encoder.named_modules() if isinstance(module, LINEAR) and name not in in_full]


def trained_in_full(encoder: PreTrainedModel, new: Collection[str] = ()) -> list[str]:
    """Return the names of the parameters that no adapter can train: those of the head, and new ones."""
    head, base = linear_head(encoder), encoder.base_model
    inside = set() if base is encoder else {id(parameter) for parameter in base.parameters()}
    of_head = {id(parameter) for parameter in (head.parameters() if head is not None else ())}

    def is_in_full(name: str, parameter: nn.Parameter) -> bool:
        outside = bool(inside) and id(parameter) not in inside
        return outside or name in new or id(parameter) in of_head

    return [name for name, parameter in encoder.named_parameters() if is_in_full(name, parameter)]


def targeted(layers: Iterable[str], wanted: Collection[str] | None) -> list[str]:
    """Return the layers whose names end in one of the wanted ones; None: all of them.

    Raises:
        UserError: no layer has such a name.
    """
    layers = list(layers)
    if wanted is None:
        return layers
    ends = ", ".join(sorted({layer.rpartition(".")[2] for layer in layers}))
    valid = f"its linear layers: {ends}; null is all of them"
    if not wanted:
        raise UserError("model.lora.target_modules=[] names no layer", valid=valid)
    unknown = [name for name in wanted if not any(f".{layer}".endswith(f".{name}") for layer in layers)]
    if unknown:
        named = " or ".join(f"'{name}'" for name in unknown)
        raise UserError(f"model.lora.target_modules: the encoder has no linear layer {named}", valid=valid)
    return [layer for layer in layers if any(f".{layer}".endswith(f".{name}") for name in wanted)]


def add_adapters(encoder: PreTrainedModel, lora: Lora, new: Collection[str] = ()) -> None:
    """Freeze the encoder and give its linear layers adapters, in place; the head, and what is new, is trained in full.

    Args:
        new: names of parameters that no checkpoint has trained.

    Raises:
        UserError: peft is not installed, or no layer has the name of a target.
    """
    require_peft()
    from peft import LoraConfig, LoraModel

    assert lora.rank is not None
    layers = targeted(linear_layers(encoder, new), lora.target_modules)
    in_full = [encoder.get_parameter(name) for name in trained_in_full(encoder, new)]
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha if lora.alpha is not None else 2 * lora.rank,  # type: ignore[arg-type]  # any number will do
        lora_dropout=lora.dropout,
        target_modules=layers,
        use_rslora=lora.use_rslora,
        use_dora=lora.use_dora,
        fan_in_fan_out=any(isinstance(encoder.get_submodule(layer), Conv1D) for layer in layers),
    )
    LoraModel(encoder, config, "default")
    for parameter in in_full:
        parameter.requires_grad_(True)
    log.info(
        "LoRA of rank %s beside %s linear layers: %s of %s parameters are trained, those of the head among them",
        lora.rank, f"{len(layers):,}", f"{count(encoder, trained=True):,}", f"{count(encoder):,}",
    )  # fmt: skip


def merge_adapters(encoder: nn.Module) -> None:
    """Add the adapters to the weights of their layers, in place, so that a plain encoder is left; does nothing without any."""
    modules: list[tuple[str, Any]] = list(encoder.named_modules())
    for name, module in modules:
        if hasattr(module, "get_base_layer"):  # peft, which a run without adapters never imports, calls it so
            module.merge()
            encoder.set_submodule(name, module.get_base_layer())


def count(encoder: nn.Module, *, trained: bool = False) -> int:
    """Count the parameters; `trained`: without the frozen ones."""
    return sum(parameter.numel() for parameter in encoder.parameters() if parameter.requires_grad or not trained)
