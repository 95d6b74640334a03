"""Makes an encoder and its tokenizer: from scratch or from a checkpoint, always a plain Hugging Face classifier."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from paraphrase_lab.errors import UserError
from paraphrase_lab.model.directory import model_directory
from paraphrase_lab.model.initial_weights import ROTARY_BASE, compare_same_words
from paraphrase_lab.model.lora import Lora, add_adapters
from paraphrase_lab.model.starting_point import (
    fit_tokenizer,
    fit_vocabulary,
    longest_input,
    note_head,
    refuse_other_weights,
    untrained,
)
from paraphrase_lab.model.tokenizer import train_tokenizer

ENCODER_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
LABEL_NAMES = {0: "different", 1: "paraphrase"}
LABELS = {"num_labels": 2, "id2label": LABEL_NAMES, "label2id": {name: label for label, name in LABEL_NAMES.items()}}


class EncoderRecipe(Protocol):
    """The object that `model._target_` builds. Subclass Tiny or Pretrained, or write both methods."""

    def tokenizer(self, sentences: Iterable[str]) -> PreTrainedTokenizerBase:
        """`sentences`: those of the training split, for tokenizers that are trained."""
        ...

    def encoder(self, tokenizer: PreTrainedTokenizerBase, max_length: int) -> PreTrainedModel:
        """A classifier with two labels whose weights may be random or trained; `max_length` in tokens of a pair."""
        ...


class Tiny:
    """A small ModernBERT-shaped encoder from scratch, with a tokenizer trained on the training split.

    One layer sees all tokens, the others only `local_attention` of them: the neighbours make a token's role, and the comparing
    layer sets each word beside the same word in the other sentence. Its initial weights do so before any training.

    Args:
        comparing_layer: the layer that sees all tokens, 1 is the first; None: the second, or the only one.
        compare_from_start: begin with weights that compare the same words; otherwise all weights are random, and training
            stays at chance for long.
        local_attention: tokens in the sliding window of a local layer; 2 means one neighbour on either side.
        initializer_range: standard deviation of the initial weights.
    """

    def __init__(
        self,
        num_layers: int,
        hidden_size: int,
        num_heads: int,
        vocab_size: int,
        dropout: float = 0.0,
        local_attention: int = 2,
        initializer_range: float = 0.12,
        comparing_layer: int | None = None,
        compare_from_start: bool = True,
    ) -> None:
        if hidden_size % (2 * num_heads):  # rotary positions turn pairs of numbers
            near = max(1, hidden_size // (2 * num_heads)) * 2 * num_heads
            raise UserError(
                f"model.hidden_size={hidden_size} does not give each of model.num_heads={num_heads} an even share",
                valid=f"a multiple of {2 * num_heads}, as in model.hidden_size={near}",
            )
        if comparing_layer is not None and comparing_layer > num_layers:
            raise UserError(
                f"model.comparing_layer={comparing_layer}, but model.num_layers={num_layers}",
                valid=f"1 to {num_layers}",
                hint=f"model.num_layers={comparing_layer} has such a layer",
            )
        self.num_layers, self.hidden_size, self.num_heads = num_layers, hidden_size, num_heads
        self.vocab_size, self.dropout = vocab_size, dropout
        self.local_attention, self.initializer_range = local_attention, initializer_range
        self.comparing_layer, self.compare_from_start = comparing_layer or min(2, num_layers), compare_from_start

    def tokenizer(self, sentences: Iterable[str]) -> PreTrainedTokenizerBase:
        return train_tokenizer(sentences, self.vocab_size)

    def encoder(self, tokenizer: PreTrainedTokenizerBase, max_length: int) -> PreTrainedModel:
        encoder = ModernBertForSequenceClassification(self._config(tokenizer, max_length))
        encoder.set_attn_implementation("eager")  # on a CPU in bf16 twice as fast as torch's fused attention at this size
        if self.compare_from_start:
            compare_same_words(encoder, self.comparing_layer - 1)
        return encoder

    def _config(self, tokenizer: PreTrainedTokenizerBase, max_length: int) -> ModernBertConfig:
        special = tokenizer.get_vocab()
        rotary = {"rope_type": "default", "rope_theta": ROTARY_BASE}
        layer_types = ["sliding_attention"] * self.num_layers
        layer_types[self.comparing_layer - 1] = "full_attention"
        return ModernBertConfig(
            vocab_size=len(tokenizer),
            hidden_size=self.hidden_size,
            num_hidden_layers=self.num_layers,
            num_attention_heads=self.num_heads,
            intermediate_size=self.hidden_size * 3 // 2,
            max_position_embeddings=max(512, max_length),
            layer_types=layer_types,
            local_attention=self.local_attention,
            rope_parameters={"full_attention": rotary, "sliding_attention": dict(rotary)},
            initializer_range=self.initializer_range,
            classifier_pooling="mean",
            attention_dropout=self.dropout,
            embedding_dropout=self.dropout,
            mlp_dropout=self.dropout,
            classifier_dropout=self.dropout,
            pad_token_id=special["[PAD]"],
            bos_token_id=special["[CLS]"],
            eos_token_id=special["[SEP]"],
            cls_token_id=special["[CLS]"],
            sep_token_id=special["[SEP]"],
            **LABELS,
        )


class Pretrained:
    """Any checkpoint that AutoModelForSequenceClassification loads; its head is new unless it already has two labels.

    Args:
        name: a Hub name, a directory, or a run, whose exported model is meant.
        trust_remote_code: run the code that comes with a checkpoint whose architecture transformers does not know.
        lora: rank, alpha, dropout and the like of adapters in place of training all weights.
    """

    def __init__(
        self,
        name: str,
        revision: str | None = None,
        dropout: float | None = None,
        random_weights: bool = False,
        trust_remote_code: bool = False,
        lora: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.dropout, self.random_weights = name, dropout, random_weights
        self.lora = Lora(**(lora or {}))
        self.place = str(model_directory(name) or name)
        self.revision = revision
        self._options: dict[str, Any] = {"revision": revision, "trust_remote_code": trust_remote_code}

    def tokenizer(self, sentences: Iterable[str]) -> PreTrainedTokenizerBase:
        with self._refusing():
            config = AutoConfig.from_pretrained(self.place, **self._options)
            tokenizer = AutoTokenizer.from_pretrained(self.place, **self._options)
        # Where its files are missing transformers 5 makes one that knows no words.
        if len(tokenizer) < len(tokenizer.all_special_ids) + 10:
            raise UserError(
                f"model.name={self.name} comes without a tokenizer",
                hint="AutoTokenizer.from_pretrained(CHECKPOINT).save_pretrained(DIRECTORY) puts it there",
            )
        fit_tokenizer(tokenizer, config, self.name)
        return tokenizer

    def encoder(self, tokenizer: PreTrainedTokenizerBase, max_length: int) -> PreTrainedModel:
        with self._refusing():
            labels: Any = AutoConfig.from_pretrained(self.place, **self._options).id2label
            config = AutoConfig.from_pretrained(self.place, **self._options, **LABELS)
            if self.dropout is not None:
                for key in [key for key in vars(config) if "dropout" in key]:
                    setattr(config, key, self.dropout)
            encoder, loading = self._loaded(config)
        if loading is not None:
            refuse_other_weights(encoder, loading, self.name)
            note_head(encoder, labels, loading, self.name)
        has_new_tokens = fit_vocabulary(encoder, tokenizer, self.name)
        longest = longest_input(encoder)
        if longest is not None and max_length > longest:
            raise UserError(f"{self.name} takes {longest} tokens at most, data.max_length is {max_length}")
        if self.lora.rank is not None:
            new = untrained(encoder, loading, with_embeddings=has_new_tokens)
            add_adapters(encoder, self.lora, new)
        return encoder

    def _loaded(self, config: PreTrainedConfig) -> tuple[PreTrainedModel, dict[str, Any] | None]:
        """Return the encoder, and what of it was in the weights; None for random ones."""
        if self.random_weights:
            trust = self._options["trust_remote_code"]
            return AutoModelForSequenceClassification.from_config(config, trust_remote_code=trust), None
        return AutoModelForSequenceClassification.from_pretrained(
            self.place,
            **self._options,
            config=config,
            dtype=torch.float32,  # some checkpoints are stored in half precision, in which AdamW cannot train
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Turn whatever the libraries raise about files that they cannot load into a UserError."""
        try:
            yield
        except Exception as error:  # tokenizers, safetensors, torch, transformers and a model's own code each have theirs
            if "trust_remote_code" in str(error):
                raise UserError(
                    f"model.name={self.name} needs code of its own, which would run on this machine",
                    hint="read it, then type model.trust_remote_code=true",
                ) from error
            raise UserError(
                f"model.name={self.name} could not be loaded: {(str(error) or type(error).__name__).splitlines()[0]}",
                valid="a name on the Hub, or a directory that save_pretrained wrote",
                hint="without a network: model.name=DIRECTORY, or HF_HUB_OFFLINE=1 with what is cached",
            ) from error
