"""A text for each pair that a model cannot judge, and one line about all of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from paraphrase_lab.data.encoding import EncodedPairs
from paraphrase_lab.data.known_input import KnownInput

COLUMN = "beyond_training"
WORDS, SCRIPT, UNKNOWN, LONGER, TRUNCATED = "new words", "new script", "unknown tokens", "longer", "truncated"
MEANINGS = {
    WORDS: "with words that it never had",
    SCRIPT: "with a script that it (almost) never had",
    UNKNOWN: "with signs that the tokenizer does not know",
    LONGER: "longer than each of its pairs",
    TRUNCATED: "longer than the model takes and truncated",
}
"""The words for the pairs of each kind; "it" is the training."""
NAMED_PER_PAIR, NAMED_PER_LINE = 5, 8


def beyond_training(
    pairs: Sequence[tuple[str, str]], encoded: EncodedPairs, known: KnownInput | None, tokenizer: Any
) -> list[str]:
    """Return a text for each pair, as in "new words: quagga, zebra; longer: 93 tokens"; empty where the model knows its like.

    Args:
        known: the input of the training; None: not on record, so that only signs and truncation are looked at.
        tokenizer: that of transformers which encoded the pairs.
    """
    unknown = np.zeros(len(pairs), dtype=np.int64)
    if (token := unknown_token(tokenizer)) is not None:
        unknown = np.add.reduceat(encoded.tokens == token, encoded.offsets[:-1], dtype=np.int64)
    texts = []
    for pair, count, full, kept in zip(pairs, unknown, encoded.full_lengths, encoded.lengths, strict=True):
        parts = []
        if known is not None and (words := known.new_words(pair)):
            parts.append(f"{WORDS}: {_named(words, NAMED_PER_PAIR)}")
        if known is not None and (scripts := known.new_scripts(pair)):
            parts.append(f"{SCRIPT}: {', '.join(scripts)}")
        if count:
            parts.append(f"{UNKNOWN}: {count}")
        if full > kept:
            parts.append(f"{TRUNCATED}: {full} tokens")
        elif known is not None and full > known.longest_pair:
            parts.append(f"{LONGER}: {full} tokens")
        texts.append("; ".join(parts))
    return texts


def any_beyond(texts: Iterable[str]) -> str:
    """Return one text for a pair from those of several trainings: of each kind the one that says most."""
    found: dict[str, str] = {}
    for part in (part for text in texts if text for part in text.split("; ")):
        kind = part.partition(": ")[0]
        found[kind] = max(found.get(kind, ""), part, key=len)
    return "; ".join(found.values())


def unknown_token(tokenizer: Any) -> int | None:
    """Return the token that stands for whatever the tokenizer does not know; None where it has no other meaning alone."""
    number, others = tokenizer.unk_token_id, ("bos", "eos", "cls", "sep", "pad", "mask")
    taken = {getattr(tokenizer, f"{other}_token_id", None) for other in others}
    return number if isinstance(number, int) and number not in taken else None


class FlagCounts:
    """Counts the texts of many pairs by their kinds."""

    def __init__(self) -> None:
        self.pairs = self.flagged = 0
        self.kinds: Counter[str] = Counter()
        self.words: Counter[str] = Counter()

    def add(self, texts: Iterable[str | None]) -> None:
        """Take in the texts of scored pairs; None is a pair without a score."""
        for text in texts:
            self.pairs += text is not None
            self.flagged += bool(text)
            for part in text.split("; ") if text else ():
                kind, _, found = part.partition(": ")
                self.kinds[kind] += 1
                if kind == WORDS:
                    self.words.update(word for word in found.split(", ") if " " not in word)  # no "and 3 more"

    def line(self) -> str:
        """Return a sentence about the pairs beyond the training; empty where there are none."""
        if not self.flagged:
            return ""
        said = []
        for kind, meaning in MEANINGS.items():
            if count := self.kinds[kind]:
                words = _named([word for word, _ in self.words.most_common()], NAMED_PER_LINE) if kind == WORDS else ""
                said.append(f"{count:,} {meaning}{f' ({words})' if words else ''}")
        one = self.flagged == 1
        verb, guess = ("goes", "its answer is a guess") if one else ("go", "their answers are guesses")
        return f"{self.flagged:,} of {self.pairs:,} pairs {verb} beyond the training, and {guess}: {'; '.join(said)}"


def _named(words: Sequence[str], at_most: int) -> str:
    more = len(words) - at_most
    return ", ".join(words[:at_most]) + (f", and {more:,} more" if more > 0 else "")
