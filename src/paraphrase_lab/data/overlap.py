"""The share of words that two sentences have in common: the hard pairs of PAWS share nearly all of them, in another order."""

from collections.abc import Sequence

import numpy as np

OVERLAP_EDGES = (0.7, 0.8, 0.9, 0.95, 1.0)
OVERLAP_BANDS = ("<0.7", "0.7-0.8", "0.8-0.9", "0.9-0.95", "0.95-1", "=1")
"""Bands of Jaccard overlap, closed on the left: 0.8 belongs to 0.8-0.9."""


def words_of(sentence: str) -> list[str]:
    """Return the lower-cased sentence split at white space."""
    return sentence.lower().split()


def word_overlap(sentence1: Sequence[str], sentence2: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the Jaccard overlap [pairs] in 0-1 (1 for two sentences without words) and whether the bags are equal [pairs]."""
    words = {sentence: words_of(sentence) for sentence in {*sentence1, *sentence2}}
    vocabulary = {sentence: set(tokens) for sentence, tokens in words.items()}
    overlap, same_bag = np.ones(len(sentence1)), np.zeros(len(sentence1), dtype=bool)
    for row, (first, second) in enumerate(zip(sentence1, sentence2, strict=True)):
        common = len(vocabulary[first] & vocabulary[second])
        distinct = len(vocabulary[first]) + len(vocabulary[second]) - common
        if common < distinct:
            overlap[row] = common / distinct
        else:
            same_bag[row] = sorted(words[first]) == sorted(words[second])
    return overlap, same_bag


def overlap_band(overlap: np.ndarray) -> np.ndarray:
    """Return the number in OVERLAP_BANDS of each pair [pairs]."""
    return np.searchsorted(OVERLAP_EDGES, overlap, side="right")
