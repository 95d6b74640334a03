from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertForSequenceClassification
from transformers.utils import logging

from encoders import FAMILIES, SENTENCES, config_of, save_checkpoint, tokenizer_of
from paraphrase_lab.errors import RunError
from paraphrase_lab.metrics.calibration import NEUTRAL, Calibration
from paraphrase_lab.model.encoder import Pretrained, Tiny
from paraphrase_lab.model.export import MODEL_DIR, TrainedModel, load_model, model_card, save_model

logging.disable_progress_bar()
logging.set_verbosity_error()

CALIBRATION = Calibration(temperature=1.7342211, threshold=0.41234567891234567, pairs=8_000)
MAX_LENGTH = 40
PAIRS = [("Ann saw Bob", "Bob was seen by Ann"), ("x", "a longer sentence than that"), (" ".join(SENTENCES[:6]), "too long")]


def no_own(tokenizer: Any, max_length: int) -> Any:
    pytest.fail("an architecture of transformers needs no code of the run")


def trained(family: str, directory: Path) -> TrainedModel:
    recipe = Tiny(2, 32, 2, 400) if family == "tiny" else Pretrained(str(save_checkpoint(directory, family)))
    tokenizer = recipe.tokenizer(SENTENCES)
    return TrainedModel(recipe.encoder(tokenizer, MAX_LENGTH).eval(), tokenizer, CALIBRATION, MAX_LENGTH)


def logits_of(encoder: Any, tokenizer: Any) -> np.ndarray:
    inputs = tokenizer(*map(list, zip(*PAIRS, strict=True)), padding=True, truncation=True, return_tensors="pt")
    assert inputs["input_ids"].shape[1] == MAX_LENGTH, "the tokenizer knows the length to which pairs are cut"
    with torch.no_grad():
        return encoder.eval()(**inputs).logits.numpy()


def logits_in_training(model: TrainedModel) -> np.ndarray:
    rows = [model.tokenizer(*pair, truncation="longest_first", max_length=MAX_LENGTH, return_tensors="pt") for pair in PAIRS]
    with torch.no_grad():
        return torch.cat([model.encoder(**row).logits for row in rows]).numpy()


@pytest.mark.parametrize("family", [*FAMILIES, "tiny"])
def test_the_model_is_plain_hugging_face(tmp_path: Path, family: str) -> None:
    model = trained(family, tmp_path / "checkpoint")
    expected = logits_in_training(model)
    save_model(model, tmp_path / MODEL_DIR, "card")
    encoder = AutoModelForSequenceClassification.from_pretrained(tmp_path / MODEL_DIR)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / MODEL_DIR)
    np.testing.assert_allclose(logits_of(encoder, tokenizer), expected, atol=1e-5)
    assert encoder.config.id2label == {0: "different", 1: "paraphrase"} and np.ptp(expected) > 1e-3
    assert encoder.dtype == torch.float32
    loaded = load_model(tmp_path, no_own)
    assert (loaded.calibration, loaded.max_length, loaded.encoder.training) == (CALIBRATION, MAX_LENGTH, False)
    np.testing.assert_allclose(logits_of(loaded.encoder, loaded.tokenizer), expected, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta", "tiny"])
def test_sentence_transformers_reads_it(tmp_path: Path, family: str) -> None:
    from sentence_transformers import CrossEncoder

    model = trained(family, tmp_path / "checkpoint")
    save_model(model, tmp_path / MODEL_DIR, "card")
    cross_encoder = CrossEncoder(str(tmp_path / MODEL_DIR), device="cpu")
    logits = cross_encoder.predict(PAIRS, show_progress_bar=False)
    np.testing.assert_allclose(logits, logits_in_training(model), atol=1e-5)


def test_tied_weights_are_saved_once_and_stay_tied(tmp_path: Path) -> None:
    model = trained("deberta-v2", tmp_path / "checkpoint")
    encoder: Any = model.encoder
    attention = encoder.deberta.encoder.layer[0].attention.self
    attention.key_proj.weight = attention.query_proj.weight
    encoder._tied_weights_keys = {
        "deberta.encoder.layer.0.attention.self.key_proj.weight": "deberta.encoder.layer.0.attention.self.query_proj.weight"
    }
    expected = logits_in_training(model)
    save_model(model, tmp_path / MODEL_DIR, "card")

    def build(tokenizer: Any, max_length: int) -> Any:
        encoder: Any = trained("deberta-v2", tmp_path / "another").encoder
        own = encoder.deberta.encoder.layer[0].attention.self
        own.key_proj.weight = own.query_proj.weight
        return encoder

    as_own_class(tmp_path)
    np.testing.assert_allclose(logits_in_training(load_model(tmp_path, build)), expected, atol=1e-5)


def as_own_class(run_dir: Path) -> None:
    file = run_dir / MODEL_DIR / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "architectures": ["ResearchersOwn"]}))


class WithGate(BertForSequenceClassification):
    """A researcher's own class, with a weight that transformers' does not have."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.gate = nn.Parameter(torch.full((2,), 3.0))

    def forward(self, *arguments: Any, **inputs: Any) -> Any:
        answer: Any = super().forward(*arguments, **inputs)
        answer.logits = answer.logits * self.gate
        return answer


def test_an_encoder_of_ones_own_is_built_by_its_recipe(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("bert")
    asked: list[tuple[int, int]] = []

    def build(tokenizer: Any, max_length: int) -> WithGate:
        asked.append((len(tokenizer), max_length))
        torch.manual_seed(7)
        encoder = WithGate(config_of("bert", tokenizer))
        with torch.no_grad():
            encoder.gate.fill_(9.0)
        return encoder

    torch.manual_seed(1)
    model = TrainedModel(WithGate(config_of("bert", tokenizer)).eval(), tokenizer, NEUTRAL, MAX_LENGTH)
    save_model(model, tmp_path / MODEL_DIR, "card")
    loaded = load_model(tmp_path, build)
    assert asked == [(len(tokenizer), MAX_LENGTH)] and isinstance(loaded.encoder, WithGate) and not loaded.encoder.training
    np.testing.assert_allclose(logits_in_training(loaded), logits_in_training(model), atol=1e-6)
    assert loaded.calibration == NEUTRAL


def test_weights_that_do_not_fit_the_code_are_refused_instead_of_left_random(tmp_path: Path) -> None:
    model = trained("bert", tmp_path / "checkpoint")
    save_model(model, tmp_path / MODEL_DIR, "card")
    as_own_class(tmp_path)
    with pytest.raises(RunError, match=r"(?s)its weights do not fit the encoder .*gate.*code holds the code as it was"):
        load_model(tmp_path, lambda tokenizer, max_length: WithGate(config_of("bert", tokenizer)))


def test_a_run_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no trained model\nit did not finish, or was run in a search: keep_model=always"):
        load_model(tmp_path, no_own)
    save_checkpoint(tmp_path / MODEL_DIR, "bert")
    with pytest.raises(RunError, match=r"was not saved by paraphrase-lab: its config\.json has no paraphrase_lab\.max_length"):
        load_model(tmp_path, no_own)


def test_the_card(tmp_path: Path) -> None:
    data = {"train": {"pairs": 49_401, "fingerprint": "0123456789abcdef"}, "test": {"pairs": 8_000, "fingerprint": "f" * 64}}
    card = model_card("seed 7", data, {"test/accuracy": 0.91256, "val/f1": 0.5}, CALIBRATION)
    for line in (
        "# seed 7",
        "| test/accuracy | 0.9126 |",
        "| val/f1 | 0.5000 |",
        "| train | 49,401 | `0123456789ab` |",
        "| test | 8,000 | `ffffffffffff` |",
    ):
        assert line in card.splitlines()
    assert "threshold 0.4123" in card and "temperature 1.7342" in card and "(8,000 pairs)" in card
    save_model(trained("bert", tmp_path / "checkpoint"), tmp_path / MODEL_DIR, card)
    from huggingface_hub import ModelCard

    read = ModelCard.load(tmp_path / MODEL_DIR / "README.md")
    assert read.data.to_dict()["library_name"] == "transformers" and "paraphrase-identification" in read.data.to_dict()["tags"]
