"""Trains the tokenizer of an encoder from scratch."""

import re
from collections.abc import Iterable, Iterator

from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
LONGEST_WORD = 256
TOO_LONG = re.compile(rf"\S{{{LONGEST_WORD + 1}}}|\s{{{LONGEST_WORD + 1}}}")


def without_long_words(sentences: Iterable[str]) -> Iterator[str]:
    """Cut texts in which a word, or a run of blanks, is longer than LONGEST_WORD: training takes the square of its length."""
    for sentence in sentences:
        if TOO_LONG.search(sentence):
            yield from (sentence[start : start + LONGEST_WORD] for start in range(0, len(sentence), LONGEST_WORD))
        else:
            yield sentence


def train_tokenizer(sentences: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train lower-case byte-level BPE of at most `vocab_size` pieces, but with all 256 bytes; pairs as [CLS] a [SEP] b [SEP].

    Not WordPiece: its trainer takes the first pieces in the order of a hash map, another one in every process.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])  # type: ignore[assignment]
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(without_long_words(sentences), trainer)
    cls, sep = (SPECIAL_TOKENS[name] for name in ("cls_token", "sep_token"))
    tokenizer.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (cls, sep)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_input_names=["input_ids", "attention_mask"], **SPECIAL_TOKENS
    )
