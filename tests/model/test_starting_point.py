"""Pre-trained checkpoints that do not quite fit: what is kept, mended, said and refused."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
)

from encoders import SENTENCES, config_of, save_checkpoint, tokenizer_of
from paraphrase_lab.data.collate import PaddingCollator, PairDataset
from paraphrase_lab.data.encoding import encode
from paraphrase_lab.data.tables import PairTable
from paraphrase_lab.errors import UserError
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.model.encoder import Pretrained
from paraphrase_lab.model.export import MODEL_DIR, TrainedModel, kind_of, load_model, save_model
from paraphrase_lab.model.inference import score
from paraphrase_lab.model.starting_point import is_reversed

LENGTH = 48


@pytest.fixture(autouse=True)
def messages(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "paraphrase_lab")
    return caplog


def margins(recipe: Pretrained) -> tuple[np.ndarray, Any, Any]:
    """Margins of twenty pairs, encoded and collated as in training; the encoder and the tokenizer."""
    tokenizer = recipe.tokenizer([])
    encoder: Any = recipe.encoder(tokenizer, LENGTH)
    return scored(encoder, tokenizer), encoder, tokenizer


def scored(encoder: Any, tokenizer: Any) -> np.ndarray:
    first, second, labels = SENTENCES[:40:2], SENTENCES[1:40:2], np.zeros(20, dtype=np.int64)
    dataset = PairDataset([encode(PairTable([""] * 20, first, second, labels), tokenizer, LENGTH)], labels)
    return score(encoder, [PaddingCollator(tokenizer)([dataset[number] for number in range(20)])], 20)


def rewritten(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({0: "no", 1: "yes"}, "is kept: its label 0 is no, its label 1 yes"),
        ({0: "contradiction", 1: "neutral", 2: "entailment"}, "has 3 labels (contradiction, neutral, entailment): a new one"),
        ({0: "score"}, "has 1 label (score): a new one with two labels replaces it"),
    ],
)
def test_a_head_is_kept_or_replaced_and_said(labels: dict[int, str], message: str, tmp_path: Path, messages: Any) -> None:
    config = config_of("bert", tokenizer_of("bert"))
    config.id2label, config.label2id = labels, {name: number for number, name in labels.items()}
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer_of("bert").save_pretrained(tmp_path)
    margins(Pretrained(str(tmp_path)))
    assert f"the head of {tmp_path} {message}" in messages.text


def test_a_model_without_a_head(tmp_path: Path, messages: Any) -> None:
    AutoModel.from_config(config_of("bert", tokenizer_of("bert"))).save_pretrained(tmp_path)
    tokenizer_of("bert").save_pretrained(tmp_path)
    margins(Pretrained(str(tmp_path)))
    assert f"{tmp_path} has no head for two labels: a new one is trained" in messages.text


def test_reversed_labels_are_swapped(tmp_path: Path, messages: Any) -> None:
    straight, _, _ = margins(Pretrained(str(save_checkpoint(tmp_path, "bert"))))
    rewritten(tmp_path / "config.json", id2label={"0": "equivalent", "1": "not_equivalent"})
    swapped, encoder, _ = margins(Pretrained(str(tmp_path)))
    np.testing.assert_allclose(swapped, -straight, atol=1e-5)
    assert "with its labels (equivalent, not_equivalent) swapped: here label 1 is a paraphrase" in messages.text
    assert encoder.config.id2label == {0: "different", 1: "paraphrase"}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({0: "paraphrase", 1: "different"}, True),
        ({0: "Is_Duplicate", 1: "Not_Duplicate"}, True),
        ({0: "not_equivalent", 1: "equivalent"}, False),
        ({0: "LABEL_0", 1: "LABEL_1"}, False),
        ({0: "entailment", 1: "not_entailment"}, True),
        ({0: "score"}, False),
    ],
)
def test_which_labels_are_reversed(labels: dict[int, str], expected: bool) -> None:
    assert is_reversed(labels) == expected


def test_more_tokens_than_embeddings(tmp_path: Path, messages: Any) -> None:
    save_checkpoint(tmp_path, "bert")
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.add_tokens([SENTENCES[0].split()[0] + "!", "[NEW]"])
    tokenizer.save_pretrained(tmp_path)
    found, encoder, tokenizer = margins(Pretrained(str(tmp_path)))
    assert np.isfinite(found).all() and encoder.config.vocab_size == len(tokenizer) == 402
    assert "has 402 tokens and its embeddings 400 rows: the others are added, and trained from scratch" in messages.text


def test_segment_ids_that_the_model_has_no_embeddings_for(tmp_path: Path, messages: Any) -> None:
    save_checkpoint(tmp_path, "roberta")
    tokenizer = tokenizer_of("bert")
    tokenizer.model_max_length = LENGTH
    tokenizer.save_pretrained(tmp_path)
    found, encoder, tokenizer = margins(Pretrained(str(tmp_path)))
    assert np.ptp(found) > 0 and "has no segment ids: those of its tokenizer are left out" in messages.text
    save_model(TrainedModel(encoder, tokenizer, Calibration(1.0, 0.5, 1), LENGTH), tmp_path / "saved" / MODEL_DIR)
    saved = AutoTokenizer.from_pretrained(tmp_path / "saved" / MODEL_DIR)
    assert "token_type_ids" not in saved("a", "b"), "the exported tokenizer leaves them out, too"


def test_a_model_that_takes_no_segment_ids_at_all(tmp_path: Path, messages: Any) -> None:
    tokenizer = tokenizer_of("bert")
    config = DistilBertConfig(
        vocab_size=len(tokenizer), dim=32, n_layers=1, n_heads=2, hidden_dim=48, max_position_embeddings=64
    )
    DistilBertForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert np.isfinite(margins(Pretrained(str(tmp_path)))[0]).all()
    assert "those of its tokenizer are left out" in messages.text


def save_gpt2(directory: Path, **tokens: str | None) -> Path:
    tokenizer = tokenizer_of("roberta")
    for name in ("pad_token", "cls_token", "sep_token", "mask_token", "unk_token"):
        setattr(tokenizer, name, None)
    for name, token in tokens.items():
        setattr(tokenizer, name, token)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, n_positions=64, bos_token_id=0, eos_token_id=2
    )
    GPT2ForSequenceClassification(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def test_a_decoder_without_a_padding_token_is_trained_and_exported(tmp_path: Path, messages: Any) -> None:
    directory = save_gpt2(tmp_path / "gpt2", eos_token="</s>")
    found, encoder, tokenizer = margins(Pretrained(str(directory)))
    assert "has no padding token: '</s>' fills up batches" in messages.text
    calibration = Calibration(2.0, 0.5, 10)
    save_model(TrainedModel(encoder, tokenizer, calibration, LENGTH), tmp_path / MODEL_DIR)
    loaded = load_model(tmp_path, lambda *_: pytest.fail("transformers has this class"))
    assert loaded.head_is_calibrated and loaded.tokenizer.pad_token == "</s>"
    np.testing.assert_allclose(loaded.margins(scored(loaded.encoder, loaded.tokenizer)), found, atol=1e-4)


def test_a_decoder_without_any_token_to_fill_up_with(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no padding token, and no end token in its place\ntokenizer.add_special_tokens"):
        Pretrained(str(save_gpt2(tmp_path))).tokenizer([])


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "bert")
    rewritten(tmp_path / "config.json", vocab_size=500)
    with pytest.raises(UserError, match="the weights do not have the shapes that its config.json says, first bert.embeddings"):
        margins(Pretrained(str(tmp_path)))
    save_checkpoint(tmp_path, "modernbert")
    shutil.copy(save_checkpoint(tmp_path / "bert", "bert") / "model.safetensors", tmp_path)
    with pytest.raises(UserError, match=r"its weights lack \d+ of the \d+ tensors of ModernBertForSequenceClassification"):
        margins(Pretrained(str(tmp_path)))


def test_a_run_means_its_exported_model(tmp_path: Path) -> None:
    model, _, _ = margins(Pretrained(str(save_checkpoint(tmp_path / "model", "bert"))))
    (tmp_path / "run.json").write_text("{}")
    np.testing.assert_array_equal(margins(Pretrained(str(tmp_path)))[0], model)


CODE = """\
from transformers import BertConfig, BertForSequenceClassification


class OursConfig(BertConfig):
    model_type = "ours"


class Ours(BertForSequenceClassification):
    config_class = OursConfig
"""


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint whose architecture stands in a file beside it."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    directory = save_checkpoint(tmp_path / "remote", "bert")
    (directory / "ours.py").write_text(CODE)
    auto = {"AutoConfig": "ours.OursConfig", "AutoModelForSequenceClassification": "ours.Ours"}
    rewritten(directory / "config.json", model_type="ours", architectures=["Ours"], auto_map=auto)
    return directory


def test_remote_code_is_not_run_unless_trusted(remote: Path) -> None:
    with pytest.raises(UserError, match=r"needs code of its own, .*\nread it, then type model\.trust_remote_code=true"):
        Pretrained(str(remote)).tokenizer([])


def test_remote_code_that_is_trusted_is_exported_with_the_model(remote: Path, tmp_path: Path) -> None:
    found, encoder, tokenizer = margins(Pretrained(str(remote), trust_remote_code=True))
    assert type(encoder).__name__ == "Ours"
    save_model(TrainedModel(encoder, tokenizer, Calibration(2.0, 0.5, 10, 0.3), LENGTH), tmp_path / MODEL_DIR)
    shutil.rmtree(remote)
    assert (tmp_path / MODEL_DIR / "ours.py").read_text() == CODE and kind_of(tmp_path / MODEL_DIR) == "remote"
    loaded = load_model(tmp_path, lambda *_: pytest.fail("the code lies beside the weights"))
    np.testing.assert_allclose(loaded.margins(scored(loaded.encoder, loaded.tokenizer)), found, atol=1e-4)
    model: Any = AutoModelForSequenceClassification.from_pretrained(tmp_path / MODEL_DIR, trust_remote_code=True)
    np.testing.assert_allclose(scored(model, loaded.tokenizer), found / 2.0 + 0.3, atol=1e-4)
