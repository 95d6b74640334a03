"""Adapters beside frozen layers: what is trained, what is not, and that the exported model answers as the trained one."""

from __future__ import annotations

import importlib.util
import logging
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer, GPT2Config
from transformers.utils import logging as transformers_logging

from encoders import FAMILIES, SENTENCES, config_of, save_checkpoint, tokenizer_of
from paraphrase_lab.errors import UserError
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.model.encoder import Pretrained
from paraphrase_lab.model.export import MODEL_DIR, TrainedModel, load_model, save_model
from paraphrase_lab.model.lora import count, merge_adapters
from paraphrase_lab.training.checkpoints import load_weights, save_weights
from paraphrase_lab.training.optimisation import build_optimizer

pytest.importorskip("peft", reason='needs pip install "paraphrase-lab[lora]"')
transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()

LENGTH = 40
PAIRS = list(zip(SENTENCES[:32:2], SENTENCES[1:32:2], strict=True))
LABELS = torch.arange(len(PAIRS)) % 2
HEADS = {
    "bert": {"classifier"},
    "roberta": {"classifier.dense", "classifier.out_proj"},
    "xlm-roberta": {"classifier.dense", "classifier.out_proj"},
    "mpnet": {"classifier.dense", "classifier.out_proj"},
    "deberta-v2": {"pooler.dense", "classifier"},
    "modernbert": {"head.dense", "head.norm", "classifier"},
    "gpt2": {"score"},
}
"""The modules that a family has behind its encoder: peft's own list of what to train in full knows the last one alone."""
ADAMW = partial(torch.optim.AdamW, lr=3e-2, weight_decay=0.01)


def save(directory: Path, family: str) -> Path:
    if family != "gpt2":
        return save_checkpoint(directory, family)
    tokenizer = tokenizer_of("bert")
    ids = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), tokenizer.pad_token_id)
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=2, n_head=2, **ids)
    for name in ("attn_pdrop", "resid_pdrop", "embd_pdrop"):
        setattr(config, name, 0.0)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def built(directory: Path, **lora: Any) -> tuple[Any, Any]:
    recipe = Pretrained(str(directory), lora={"rank": 2, **lora})
    tokenizer = recipe.tokenizer([])
    torch.manual_seed(0)
    return recipe.encoder(tokenizer, LENGTH).train(), tokenizer


def batch(tokenizer: Any) -> Any:
    first, second = map(list, zip(*PAIRS, strict=True))
    return tokenizer(first, second, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")


def logits(encoder: Any, tokenizer: Any) -> np.ndarray:
    with torch.no_grad():
        return encoder.eval()(**batch(tokenizer)).logits.numpy()


def train(encoder: nn.Module, tokenizer: Any, steps: int = 3) -> torch.optim.Optimizer:
    optimizer = build_optimizer(ADAMW, encoder, 0.9, fused=False)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(encoder(**batch(tokenizer)).logits, LABELS).backward()
        optimizer.step()
    return optimizer


def parameters(encoder: nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in encoder.named_parameters()}


@pytest.mark.parametrize("family", HEADS)
def test_adapters_and_head_are_trained_and_exported_as_a_plain_model(family: str, tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    encoder, tokenizer = built(save(tmp_path / "checkpoint", family))
    at_first, before = logits(encoder, tokenizer), parameters(encoder)
    np.testing.assert_allclose(
        at_first, logits(Pretrained(str(tmp_path / "checkpoint")).encoder(tokenizer, LENGTH), tokenizer), atol=1e-5
    )
    optimizer = train(encoder.train(), tokenizer)
    changed = {name for name, value in parameters(encoder).items() if not torch.equal(value, before[name])}
    of_head = {name for name in changed if "lora_" not in name}
    assert {name.rpartition(".")[0] for name in of_head} == HEADS[family]
    trained = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert trained == changed, "all that may be trained is, the rest stays bit for bit"
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert held == {id(parameter) for parameter in encoder.parameters() if parameter.requires_grad}
    head = encoder.get_parameter(next(iter(of_head)))
    assert head.grad is not None and head.grad.abs().sum() > 0

    unmerged, head_before = logits(encoder, tokenizer), encoder.state_dict()[next(iter(of_head))].clone()
    merge_adapters(encoder)
    assert not [name for name, _ in encoder.named_modules() if "lora" in name]
    np.testing.assert_allclose(logits(encoder, tokenizer), unmerged, atol=1e-5)
    assert np.abs(unmerged - at_first).max() > 0.05, "training has changed the answers"
    assert torch.equal(encoder.state_dict()[next(iter(of_head))], head_before)

    save_model(TrainedModel(encoder, tokenizer, Calibration(1.0, 0.5, 1), LENGTH), tmp_path / MODEL_DIR)
    plain: Any = AutoModelForSequenceClassification.from_pretrained(tmp_path / MODEL_DIR)
    answers = logits(plain, AutoTokenizer.from_pretrained(tmp_path / MODEL_DIR))
    np.testing.assert_allclose(answers[:, 1] - answers[:, 0], unmerged[:, 1] - unmerged[:, 0], atol=1e-5)
    assert (answers.argmax(axis=1) == unmerged.argmax(axis=1)).all() and "lora" not in str(plain)
    scores = CrossEncoder(str(tmp_path / MODEL_DIR), device="cpu").predict(PAIRS, show_progress_bar=False)
    np.testing.assert_allclose(scores, torch.tensor(unmerged).softmax(dim=1).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "settings", [{"alpha": 7.5}, {"use_rslora": True}, {"use_dora": True}, {"dropout": 0.3}, {"rank": 8, "alpha": 1.0}]
)
def test_each_setting_counts_and_is_merged(settings: dict[str, Any], tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "bert")
    encoder, tokenizer = built(tmp_path, **settings)
    train(encoder, tokenizer)
    plain, _ = built(tmp_path)
    train(plain, tokenizer)
    unmerged = logits(encoder, tokenizer)
    assert np.abs(unmerged - logits(plain, tokenizer)).max() > 1e-4
    merge_adapters(encoder)
    np.testing.assert_allclose(logits(encoder, tokenizer), unmerged, atol=1e-5)


def test_alpha_is_twice_the_rank(tmp_path: Path) -> None:
    encoder, _ = built(save_checkpoint(tmp_path, "bert"))
    assert encoder.get_submodule("bert.encoder.layer.0.attention.self.query").scaling == {"default": 2.0}


def adapted(encoder: nn.Module) -> set[str]:
    names = [name for name, _ in encoder.named_modules() if name.endswith(".lora_A")]
    return {name.removesuffix(".lora_A") for name in names}


def test_layers_are_chosen_by_the_end_of_their_name(tmp_path: Path) -> None:
    encoder, _ = built(save_checkpoint(tmp_path, "bert"), target_modules=["query", "attention.output.dense"])
    ends = ("attention.self.query", "attention.output.dense")
    assert adapted(encoder) == {f"bert.encoder.layer.{layer}.{end}" for layer in (0, 1) for end in ends}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["query", "uery"], r"has no linear layer 'uery'\nits linear layers: dense, key, query, value; null is all of them"),
        (["q_proj", "v_proj"], "has no linear layer 'q_proj' or 'v_proj'"),
        (["classifier"], "has no linear layer 'classifier'"),
        ([], r"target_modules=\[\] names no layer\nits linear layers: dense, key"),
    ],
)
def test_layers_that_are_not_there(wanted: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        built(save_checkpoint(tmp_path, "bert"), target_modules=wanted)


def test_a_pooler_that_no_checkpoint_has_is_trained_in_full(tmp_path: Path) -> None:
    AutoModelForMaskedLM.from_config(config_of("bert", tokenizer_of("bert"))).save_pretrained(tmp_path / "new")
    tokenizer_of("bert").save_pretrained(tmp_path / "new")
    encoder, _ = built(tmp_path / "new")
    assert encoder.bert.pooler.dense.weight.requires_grad and "bert.pooler.dense" not in adapted(encoder)
    encoder, _ = built(save_checkpoint(tmp_path / "trained", "bert"))
    assert "bert.pooler.dense" in adapted(encoder) and not encoder.bert.pooler.dense.base_layer.weight.requires_grad


def test_embeddings_with_new_rows_are_trained_in_full(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "bert")
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.add_tokens(["[NEW]"])
    tokenizer.save_pretrained(tmp_path)
    encoder, _ = built(tmp_path)
    frozen = {name for name, one in encoder.bert.embeddings.named_parameters() if not one.requires_grad}
    assert encoder.bert.embeddings.word_embeddings.weight.requires_grad and "position_embeddings.weight" in frozen


def test_how_much_is_trained_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "paraphrase_lab")
    encoder, _ = built(save_checkpoint(tmp_path, "bert"))
    trained = sum(one.numel() for one in encoder.parameters() if one.requires_grad)
    assert count(encoder, trained=True) == trained < count(encoder) / 5
    assert f"LoRA of rank 2 beside 13 linear layers: {trained:,} of {count(encoder):,} parameters are trained" in caplog.text


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_holds_what_is_trained_and_no_more(family: str, tmp_path: Path) -> None:
    encoder, tokenizer = built(save_checkpoint(tmp_path / "checkpoint", family))
    train(encoder, tokenizer)
    expected = logits(encoder, tokenizer)
    save_weights(encoder, tmp_path / "best.safetensors")
    assert (tmp_path / "best.safetensors").stat().st_size < 4 * count(encoder, trained=True) + 20_000 < 4 * count(encoder)
    train(encoder.train(), tokenizer)
    assert np.abs(logits(encoder, tokenizer) - expected).max() > 1e-2
    load_weights(encoder, tmp_path / "best.safetensors")
    np.testing.assert_array_equal(logits(encoder, tokenizer), expected)


def test_a_class_of_ones_own_gets_its_merged_weights_back(tmp_path: Path) -> None:
    encoder, tokenizer = built(save_checkpoint(tmp_path / "checkpoint", "bert"))
    train(encoder, tokenizer)
    merge_adapters(encoder)
    expected = logits(encoder, tokenizer)
    save_model(TrainedModel(encoder, tokenizer, Calibration(1.0, 0.5, 1), LENGTH), tmp_path / MODEL_DIR)
    config = tmp_path / MODEL_DIR / "config.json"
    config.write_text(config.read_text().replace("BertForSequenceClassification", "ResearchersOwn"))
    found = logits(load_model(tmp_path, lambda *_: built(tmp_path / "checkpoint")[0]).encoder, tokenizer)
    np.testing.assert_allclose(found[:, 1] - found[:, 0], expected[:, 1] - expected[:, 0], atol=1e-5)


def test_without_peft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, "bert")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "peft" else find(name, *rest))
    with pytest.raises(UserError, match=r'needs a package that is not installed\npip install "paraphrase-lab\[lora\]"'):
        built(tmp_path)
