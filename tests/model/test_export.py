from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertForSequenceClassification, pipeline
from transformers.utils import logging

from encoders import FAMILIES, SENTENCES, config_of, save_checkpoint, tokenizer_of
from paraphrase_lab.errors import RunError
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.model.encoder import Pretrained, Tiny
from paraphrase_lab.model.export import MODEL_DIR, READERS, TrainedModel, load_model, save_model
from paraphrase_lab.model.head import takes_bias

logging.disable_progress_bar()
logging.set_verbosity_error()

CALIBRATION = Calibration(temperature=1.7342211, threshold=0.5, pairs=8_000, bias=-0.31234567891234567)
MAX_LENGTH = 40
PAIRS = [("Ann saw Bob", "Bob was seen by Ann"), ("x", "a longer sentence than that"), (" ".join(SENTENCES[:6]), "too long")]


def no_own(tokenizer: Any, max_length: int) -> Any:
    pytest.fail("an architecture of transformers needs no code of the run")


def trained(family: str, directory: Path) -> TrainedModel:
    recipe = Tiny(2, 32, 2, 400) if family == "tiny" else Pretrained(str(save_checkpoint(directory, family)))
    tokenizer = recipe.tokenizer(SENTENCES)
    return TrainedModel(recipe.encoder(tokenizer, MAX_LENGTH).eval(), tokenizer, CALIBRATION, MAX_LENGTH)


def probabilities_by_hand(model: TrainedModel) -> np.ndarray:
    """P(paraphrase) of PAIRS, encoded one by one as in training, calibrated outside of the model."""
    margins = model.margins(np.array([difference(model.encoder, model.tokenizer, pair) for pair in PAIRS]))
    return model.calibration.probabilities(margins)


def difference(encoder: Any, tokenizer: Any, pair: tuple[str, str]) -> float:
    row = tokenizer(*pair, truncation="longest_first", max_length=MAX_LENGTH, return_tensors="pt")
    with torch.no_grad():
        logits = encoder.eval()(**row).logits[0].double()
    return float(logits[1] - logits[0])


@pytest.mark.parametrize("family", [*FAMILIES, "tiny"])
def test_the_saved_model_answers_as_predict_does(tmp_path: Path, family: str) -> None:
    model = trained(family, tmp_path / "checkpoint")
    expected = probabilities_by_hand(model)
    assert np.ptp(expected) > 1e-3
    save_model(model, tmp_path / MODEL_DIR)
    encoder: Any = AutoModelForSequenceClassification.from_pretrained(tmp_path / MODEL_DIR)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / MODEL_DIR)
    inputs = tokenizer(*map(list, zip(*PAIRS, strict=True)), padding=True, truncation=True, return_tensors="pt")
    assert inputs["input_ids"].shape[1] == MAX_LENGTH, "the tokenizer knows the length to which pairs are cut"
    with torch.no_grad():
        probabilities = encoder.eval()(**inputs).logits.softmax(dim=-1)[:, 1].numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert encoder.config.id2label == {0: "different", 1: "paraphrase"} and encoder.dtype == torch.float32
    assert encoder.config.problem_type == "single_label_classification"
    loaded = load_model(tmp_path, no_own)
    assert (loaded.calibration, loaded.max_length, loaded.encoder.training) == (CALIBRATION, MAX_LENGTH, False)
    np.testing.assert_allclose(probabilities_by_hand(loaded), expected, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta", "tiny"])
def test_pipelines_and_sentence_transformers_give_the_same_probabilities(tmp_path: Path, family: str) -> None:
    from sentence_transformers import CrossEncoder

    model = trained(family, tmp_path / "checkpoint")
    expected = probabilities_by_hand(model)
    save_model(model, tmp_path / MODEL_DIR)
    scores = CrossEncoder(str(tmp_path / MODEL_DIR), device="cpu").predict(PAIRS, show_progress_bar=False)
    np.testing.assert_allclose(scores, np.stack([1 - expected, expected], axis=1), atol=1e-5)
    classify = pipeline("text-classification", str(tmp_path / MODEL_DIR), device="cpu", truncation=True)
    answers: Any = classify([{"text": first, "text_pair": second} for first, second in PAIRS])
    assert [answer["label"] for answer in answers] == ["paraphrase" if p >= 0.5 else "different" for p in expected]
    np.testing.assert_allclose([answer["score"] for answer in answers], np.maximum(expected, 1 - expected), atol=1e-5)


def test_a_head_without_a_bias_takes_the_temperature_only() -> None:
    head = torch.nn.Linear(3, 2, bias=False)
    assert not takes_bias(head) and takes_bias(torch.nn.Linear(3, 2)) and takes_bias(torch.nn.Linear(3, 4))


def test_nothing_of_the_starting_model_is_left_and_everybody_can_read_it(tmp_path: Path) -> None:
    stale = {
        "problem_type": "regression", "sbert_ce_default_activation_function": "torch.nn.Sigmoid", "finetuning_task": "sts-b",
        "sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "5.0.0"},
    }  # fmt: skip
    model = trained("bert", tmp_path / "checkpoint")
    for key, value in stale.items():
        setattr(model.encoder.config, key, value)
    save_model(model, tmp_path / MODEL_DIR)
    saved = json.loads((tmp_path / MODEL_DIR / "config.json").read_text())
    assert {key: saved.get(key) for key in stale} == {
        **READERS,
        "sbert_ce_default_activation_function": None,
        "finetuning_task": None,
    }
    modes = {file.name: file.stat().st_mode for file in (tmp_path / MODEL_DIR).iterdir()}
    assert len(set(modes.values())) == 1 and "model.safetensors" in modes, modes


def test_tied_weights_are_saved_once_and_stay_tied(tmp_path: Path) -> None:
    model = trained("deberta-v2", tmp_path / "checkpoint")
    encoder: Any = model.encoder
    attention = encoder.deberta.encoder.layer[0].attention.self
    attention.key_proj.weight = attention.query_proj.weight
    encoder._tied_weights_keys = {
        "deberta.encoder.layer.0.attention.self.key_proj.weight": "deberta.encoder.layer.0.attention.self.query_proj.weight"
    }
    expected = probabilities_by_hand(model)
    save_model(model, tmp_path / MODEL_DIR)

    def build(tokenizer: Any, max_length: int) -> Any:
        encoder: Any = trained("deberta-v2", tmp_path / "another").encoder
        own = encoder.deberta.encoder.layer[0].attention.self
        own.key_proj.weight = own.query_proj.weight
        return encoder

    as_own_class(tmp_path)
    np.testing.assert_allclose(probabilities_by_hand(load_model(tmp_path, build)), expected, atol=1e-5)


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
    model = TrainedModel(WithGate(config_of("bert", tokenizer)).eval(), tokenizer, CALIBRATION, MAX_LENGTH)
    expected = probabilities_by_hand(model)
    save_model(model, tmp_path / MODEL_DIR)
    loaded = load_model(tmp_path, build)
    assert not loaded.head_is_calibrated, "the gate stands behind the linear layer"
    assert asked == [(len(tokenizer), MAX_LENGTH)] and isinstance(loaded.encoder, WithGate) and not loaded.encoder.training
    np.testing.assert_allclose(probabilities_by_hand(loaded), expected, atol=1e-6)
    assert loaded.calibration == CALIBRATION


def test_weights_that_do_not_fit_the_code_are_refused_instead_of_left_random(tmp_path: Path) -> None:
    model = trained("bert", tmp_path / "checkpoint")
    save_model(model, tmp_path / MODEL_DIR)
    as_own_class(tmp_path)
    with pytest.raises(RunError, match=r"(?s)its weights do not fit the encoder .*gate.*code holds the code as it was"):
        load_model(tmp_path, lambda tokenizer, max_length: WithGate(config_of("bert", tokenizer)))


def test_a_run_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no trained model\nit did not finish, or was run in a search: keep_model=always"):
        load_model(tmp_path, no_own)
    save_checkpoint(tmp_path / MODEL_DIR, "bert")
    with pytest.raises(RunError, match=r"was not saved by paraphrase-lab: its config\.json has no paraphrase_lab\.max_length"):
        load_model(tmp_path, no_own)
