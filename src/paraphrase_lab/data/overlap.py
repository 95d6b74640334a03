"""The share of words that two sentences have in common: the hard pairs of PAWS share nearly all of them, in another order."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np


class OverlapBands(NamedTuple):
    """Bands of Jaccard overlap between edges, closed on the left: with an edge at 0.8 that value belongs to the band above."""

    edges: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names like `<0.7`, `0.7-0.8`, …, `=1`; without pairs of equal words the last one is `>=0.9`."""
        edges = [f"{edge:g}" for edge in self.edges]
        last = "=1" if self.edges[-1] == 1 else f">={edges[-1]}"
        return (f"<{edges[0]}", *(f"{low}-{high}" for low, high in pairwise(edges)), last)

    def of(self, overlap: np.ndarray) -> np.ndarray:
        """Return the number of each pair's band [pairs]."""
        return np.searchsorted(self.edges, overlap, side="right")


PAWS_BANDS = OverlapBands((0.7, 0.8, 0.9, 0.95, 1.0))
"""They fit pairs that were made by swapping words."""
MOST = 0.5
QUANTILES = (0.2, 0.4, 0.6, 0.8)
FEWEST_BANDS = 3
PUNCTUATION = ".,;:!?\"'`()[]“”‘’"
"""A comma that follows a word makes it no other word."""


def bands_for(overlap: np.ndarray) -> OverlapBands:
    """Return the bands of PAWS; where one of them, other than equal words, holds most pairs, fifths of the data instead."""
    if not len(overlap):
        return PAWS_BANDS
    shares = np.bincount(PAWS_BANDS.of(overlap), minlength=len(PAWS_BANDS.names)) / len(overlap)
    quantiles = {round(float(edge), 2) for edge in np.quantile(overlap, QUANTILES)}
    edges = {edge for edge in quantiles if (overlap < edge).any()}
    if bool((overlap == 1).any()):
        edges.add(1.0)
    if shares[:-1].max() <= MOST or len(edges) + 1 < FEWEST_BANDS:
        return PAWS_BANDS
    return OverlapBands(tuple(sorted(edges)))


def words_of(sentence: str) -> list[str]:
    """Return the lower-cased words between white space, without the punctuation around them.

    Punctuation that stands alone is a word, as in PAWS, whose sentences are split at it.
    """
    return [token.strip(PUNCTUATION) or token for token in sentence.lower().split()]


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
