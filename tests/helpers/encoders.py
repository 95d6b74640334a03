"""Small tokenizers and checkpoints of the families people fine-tune, built in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
)

from generated_pairs import generate

FAMILIES = ("bert", "roberta", "modernbert", "deberta-v2")
LIKE_ROBERTA: dict[str, Any] = {"roberta": RobertaConfig, "xlm-roberta": XLMRobertaConfig, "mpnet": MPNetConfig}
"""Families that count positions from the pad id on, and have no segments."""
SENTENCES = [sentence for pair in generate(200, 1, 1)["train"] for sentence in (pair.sentence1, pair.sentence2)]


def tokenizer_of(family: str) -> Any:
    """With the special tokens, pad id, pair template and inputs of the family."""
    roberta = family in LIKE_ROBERTA
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if roberta else ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    cls, pad, sep, unk, mask = special if roberta else (special[1], special[0], *special[2:])
    backend = Tokenizer(models.BPE(unk_token=unk))
    backend.normalizer = normalizers.Lowercase()  # type: ignore[assignment]
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)  # type: ignore[assignment]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=sorted(alphabet), show_progress=False
    )
    backend.train_from_iterator(SENTENCES, trainer)
    backend.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} {sep} $B {sep}" if roberta else f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(token, backend.token_to_id(token)) for token in (cls, sep)],
    )
    segments = ["token_type_ids"] if family in ("bert", "deberta-v2") else []
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_input_names=["input_ids", *segments, "attention_mask"],
        cls_token=cls,
        pad_token=pad,
        sep_token=sep,
        unk_token=unk,
        mask_token=mask,
    )


def config_of(family: str, tokenizer: Any, dropout: float = 0.0, max_tokens: int = 64) -> Any:
    common: dict[str, Any] = dict(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    dropouts: dict[str, Any] = dict(hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    if family == "bert":
        return BertConfig(**common, **dropouts, max_position_embeddings=max_tokens)
    if family in LIKE_ROBERTA:
        # Positions are counted from pad id + 1 = 2.
        return LIKE_ROBERTA[family](**common, **dropouts, max_position_embeddings=max_tokens + 2, type_vocab_size=1)
    if family == "modernbert":
        own: dict[str, Any] = dict(
            mlp_dropout=dropout, attention_dropout=dropout, embedding_dropout=dropout, classifier_dropout=dropout,
            bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2, global_attn_every_n_layers=2,
        )  # fmt: skip
        return ModernBertConfig(**common, **own, max_position_embeddings=max_tokens)
    relative: dict[str, Any] = dict(
        relative_attention=True, pos_att_type=["p2c", "c2p"], share_att_key=True, position_buckets=16,
        norm_rel_ebd="layer_norm", position_biased_input=False, type_vocab_size=0, pooler_hidden_size=32,
        pooler_dropout=dropout,
    )  # fmt: skip
    return DebertaV2Config(**common, **dropouts, **relative, max_position_embeddings=max_tokens)


def save_checkpoint(directory: Path, family: str, *, dropout: float = 0.0, **labels: int) -> Path:
    """Random weights, large enough that answers differ; `num_labels=3` and the like as keywords."""
    tokenizer = tokenizer_of(family)
    config = config_of(family, tokenizer, dropout)
    for name, value in labels.items():
        setattr(config, name, value)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.normal_(0, 0.2)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory
