"""What single families of pre-trained checkpoints do otherwise than the rest."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMaskedLM, MPNetConfig, MPNetForSequenceClassification

from encoders import config_of, tokenizer_of
from paraphrase_lab.errors import UserError
from paraphrase_lab.model.encoder import Pretrained

LENGTH = 48


def loaded(directory: Path) -> Any:
    recipe = Pretrained(str(directory))
    return recipe.encoder(recipe.tokenizer([]), LENGTH)


def test_mpnet_has_two_positions_less_than_its_configuration_says_and_no_segment_ids(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "paraphrase_lab")
    tokenizer = tokenizer_of("roberta")
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    config = MPNetConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=LENGTH + 2, pad_token_id=1,
    )  # fmt: skip
    MPNetForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    recipe = Pretrained(str(tmp_path))
    tokenizer = recipe.tokenizer([])
    encoder: Any = recipe.encoder(tokenizer, LENGTH)
    encoded = tokenizer(["a " * LENGTH], ["b"], max_length=LENGTH, truncation=True, return_tensors="pt")
    assert encoded.input_ids.shape == (1, LENGTH) and torch.isfinite(encoder(**encoded).logits).all()
    assert "those of its tokenizer are left out" in caplog.text
    with pytest.raises(UserError, match=rf"takes {LENGTH} tokens at most, data\.max_length is {LENGTH + 1}"):
        recipe.encoder(tokenizer, LENGTH + 1)


def test_weights_that_keep_the_word_embeddings_in_the_last_layer_alone_are_refused_and_can_be_mended(tmp_path: Path) -> None:
    """So some conversions to safetensors have them; transformers would begin with random ones, and only log it."""
    tokenizer = tokenizer_of("modernbert")
    AutoModelForMaskedLM.from_config(config_of("modernbert", tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    embeddings = weights.pop("model.embeddings.tok_embeddings.weight")
    save_file({**weights, "decoder.weight": embeddings}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lack the word embeddings, model\.embeddings\.tok_embeddings\.weight\nAutoModelFor"):
        loaded(tmp_path)
    AutoModelForMaskedLM.from_pretrained(tmp_path).save_pretrained(tmp_path / "whole")  # as the hint says
    tokenizer.save_pretrained(tmp_path / "whole")
    assert torch.equal(loaded(tmp_path / "whole").get_input_embeddings().weight, embeddings)
