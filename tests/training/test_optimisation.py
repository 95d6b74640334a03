from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from encoders import FAMILIES, SENTENCES, config_of, tokenizer_of
from paraphrase_lab.model.encoder import Tiny
from paraphrase_lab.training.optimisation import build_optimizer, constant, cosine, layer_depths, linear

ADAMW = partial(torch.optim.AdamW, lr=1e-2, weight_decay=0.1)


def encoder_of(family: str) -> nn.Module:
    if family == "tiny":
        recipe = Tiny(num_layers=2, hidden_size=32, num_heads=2, vocab_size=400)
        return recipe.encoder(recipe.tokenizer(SENTENCES), 64)
    return AutoModelForSequenceClassification.from_config(config_of(family, tokenizer_of(family)))


def settings_of(optimizer: torch.optim.Optimizer, encoder: nn.Module) -> dict[str, dict[str, Any]]:
    """The group of every parameter by its name; each parameter is in one group."""
    groups = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
    assert len(groups) == sum(len(group["params"]) for group in optimizer.param_groups)
    return {name: groups[parameter] for name, parameter in encoder.named_parameters() if parameter in groups}


DEPTHS = {
    "bert": {"bert.embeddings.LayerNorm.weight": 0, "bert.encoder.layer.1.output.dense.weight": 2, "bert.pooler.dense.bias": 3},
    "roberta": {"roberta.embeddings.position_embeddings.weight": 0, "roberta.encoder.layer.0.attention.self.key.bias": 1,
                "classifier.dense.weight": 3},
    "modernbert": {"model.embeddings.tok_embeddings.weight": 0, "model.layers.0.attn.Wqkv.weight": 1,
                   "model.final_norm.weight": 3, "head.dense.weight": 3},
    "deberta-v2": {"deberta.embeddings.word_embeddings.weight": 0, "deberta.encoder.rel_embeddings.weight": 0,
                   "deberta.encoder.layer.1.intermediate.dense.weight": 2, "pooler.dense.weight": 3},
    "tiny": {"model.embeddings.norm.weight": 0, "model.layers.1.mlp.Wi.weight": 2},
}  # fmt: skip


@pytest.mark.parametrize("family", [*FAMILIES, "tiny"])
def test_each_layer_learns_at_a_factor_of_the_one_above(family: str) -> None:
    encoder = encoder_of(family)
    optimizer = build_optimizer(ADAMW, encoder, 0.5, fused=True)
    settings, depths = settings_of(optimizer, encoder), layer_depths(encoder)
    assert settings.keys() == dict(encoder.named_parameters()).keys()
    last = "classifier.out_proj.weight" if family == "roberta" else "classifier.weight"
    for name, depth in {**DEPTHS[family], last: 3}.items():
        assert depths[name] == depth
        assert settings[name]["lr"] == pytest.approx(1e-2 * 0.5 ** (3 - depth))
    assert set(depths.values()) == {0, 1, 2, 3}
    flat = build_optimizer(ADAMW, encoder, 1.0, fused=True)
    assert {group["lr"] for group in flat.param_groups} == {1e-2}


@pytest.mark.parametrize("family", [*FAMILIES, "tiny"])
def test_neither_biases_nor_norms_decay(family: str) -> None:
    encoder = encoder_of(family)
    settings = settings_of(build_optimizer(ADAMW, encoder, 0.9, fused=True), encoder)
    norms = {f"{name}.weight" for name, module in encoder.named_modules() if isinstance(module, nn.LayerNorm)}
    expected = {name for name in settings if name in norms or name.endswith(".bias")}
    assert {name for name, group in settings.items() if group["weight_decay"] == 0} == expected and norms < settings.keys()
    assert {group["weight_decay"] for name, group in settings.items() if name not in expected} == {0.1}


def test_frozen_parameters_are_left_out() -> None:
    encoder = encoder_of("tiny")
    encoder.get_parameter("classifier.weight").requires_grad_(False)
    optimizer = build_optimizer(ADAMW, encoder, 0.9, fused=True)
    assert set(dict(encoder.named_parameters())) - settings_of(optimizer, encoder).keys() == {"classifier.weight"}


class OwnAdamW(torch.optim.AdamW):
    pass


@pytest.mark.parametrize(
    ("factory", "asked", "chosen"),
    [
        (ADAMW, True, True),
        (torch.optim.AdamW, True, True),
        (partial(torch.optim.SGD, lr=0.1, momentum=0.9), True, True),
        (ADAMW, False, None),
        (partial(ADAMW, foreach=True), True, None),
        (partial(ADAMW, fused=False), True, False),
        (partial(torch.optim.RMSprop, lr=0.1), True, None),
        (partial(OwnAdamW, lr=0.1), True, None),
    ],
)
def test_the_fused_kernel_also_on_the_cpu(factory: Any, asked: bool, chosen: bool | None) -> None:
    encoder = encoder_of("tiny")
    optimizer = build_optimizer(factory, encoder, 1.0, fused=asked)
    assert {group.get("fused") for group in optimizer.param_groups} == {chosen}
    before = encoder.get_parameter("classifier.weight").clone()
    encoder(input_ids=torch.full((2, 6), 9), labels=torch.tensor([0, 1])).loss.backward()
    optimizer.step()
    assert not encoder.get_parameter("classifier.weight").equal(before)


def rates(schedule: Any, steps: list[int], **warmup: Any) -> list[float]:
    """Learning rate in force at each of the steps, of 100."""
    optimizer = torch.optim.SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": 1.0}])
    scheduler = schedule(optimizer, total_steps=100, **warmup)
    rate = {}
    for step in range(101):
        rate[step] = optimizer.param_groups[0]["lr"]
        optimizer.step()
        scheduler.step()
    return [rate[step] for step in steps]


@pytest.mark.parametrize(
    "warmup", [{"warmup_steps": 10}, {"warmup_fraction": 0.1}, {"warmup_steps": 10, "warmup_fraction": 0.5}], ids=str
)
@pytest.mark.parametrize(
    ("schedule", "values"),
    [(linear, [0, 0.5, 1, 0.5, 0]), (cosine, [0, 0.5, 1, 0.5, 0]), (constant, [0, 0.5, 1, 1, 1])],
    ids=["linear", "cosine", "constant"],
)
def test_schedules(schedule: Any, values: list[float], warmup: dict[str, Any]) -> None:
    assert rates(schedule, [0, 5, 10, 55, 100], **warmup) == pytest.approx(values, abs=1e-9)


def test_schedules_differ_between_their_ends_and_need_no_warmup() -> None:
    assert rates(linear, [0, 25, 50]) == pytest.approx([1, 0.75, 0.5])
    assert rates(cosine, [0, 25, 50]) == pytest.approx([1, (1 + 0.5**0.5) / 2, 0.5])
    assert rates(constant, [0, 25, 50]) == [1, 1, 1]
    assert rates(linear, [50, 99], warmup_fraction=1.0) == pytest.approx([0.5, 0.99])


def test_schedules_keep_the_proportions_of_the_layers() -> None:
    encoder = encoder_of("tiny")
    optimizer = build_optimizer(ADAMW, encoder, 0.5, fused=True)
    scheduler = linear(optimizer, total_steps=10, warmup_steps=4)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    assert sorted({group["lr"] for group in optimizer.param_groups}) == pytest.approx([0.5e-2 * 0.5**i for i in (3, 2, 1, 0)])
