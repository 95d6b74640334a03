"""Parameter groups and learning-rate schedules."""

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

OptimizerFactory = Callable[..., torch.optim.Optimizer]
_LAYER = re.compile(r"\.(?:layer|layers|h|block|blocks)\.(\d+)\.")


def build_optimizer(factory: OptimizerFactory, encoder: nn.Module, layer_decay: float, *, fused: bool) -> torch.optim.Optimizer:
    """Build the optimizer: no weight decay on biases and norms; each layer at `layer_decay` of the rate of the one above.

    `fused`: ask for torch's fused kernel, where the optimizer has one and its own settings choose none.
    """
    depths = layer_depths(encoder)
    head = max(depths.values(), default=0)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((depths[name], parameter.ndim >= 2), []).append(parameter)
    chosen = {"fused", "foreach", "differentiable"} & getattr(factory, "keywords", {}).keys()
    has_fused = getattr(factory, "func", factory) in (torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD)
    options: dict[str, Any] = {"fused": True} if fused and has_fused and not chosen else {}
    first = next(iter(groups.values()))
    rate = factory([{"params": first}], **options).param_groups[0]["lr"]
    parameters = [
        {"params": members, "lr": rate * layer_decay ** (head - depth), **({} if decayed else {"weight_decay": 0.0})}
        for (depth, decayed), members in groups.items()
    ]
    return factory(parameters, **options)


def layer_depths(encoder: nn.Module) -> dict[str, int]:
    """Return 0 for embeddings, 1… for the layers, one more for everything behind them, by parameter name."""
    numbers = {name: match for name, _ in encoder.named_parameters() if (match := _LAYER.search(f".{name}"))}
    layers = 1 + max((int(match.group(1)) for match in numbers.values()), default=-1)
    outside = {name: 0 if "embed" in name else layers + 1 for name, _ in encoder.named_parameters()}
    return outside | {name: int(match.group(1)) + 1 for name, match in numbers.items()}


def linear(
    optimizer: torch.optim.Optimizer, total_steps: int, warmup_steps: int | None = None, warmup_fraction: float | None = None
) -> LRScheduler:
    return get_linear_schedule_with_warmup(optimizer, warmup(total_steps, warmup_steps, warmup_fraction), total_steps)


def cosine(
    optimizer: torch.optim.Optimizer, total_steps: int, warmup_steps: int | None = None, warmup_fraction: float | None = None
) -> LRScheduler:
    return get_cosine_schedule_with_warmup(optimizer, warmup(total_steps, warmup_steps, warmup_fraction), total_steps)


def constant(
    optimizer: torch.optim.Optimizer, total_steps: int, warmup_steps: int | None = None, warmup_fraction: float | None = None
) -> LRScheduler:
    return get_constant_schedule_with_warmup(optimizer, warmup(total_steps, warmup_steps, warmup_fraction))


def warmup(total_steps: int, warmup_steps: int | None, warmup_fraction: float | None) -> int:
    return warmup_steps if warmup_steps is not None else round((warmup_fraction or 0.0) * total_steps)
