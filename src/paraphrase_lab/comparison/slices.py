"""Parts of a data set by what makes its pairs hard: on which of them is one model better than another?"""

from collections.abc import Sequence

import numpy as np

from paraphrase_lab.data.overlap import bands_for, word_overlap, words_of
from paraphrase_lab.statistics.comparison import ALL

GROUP = "group "
"""Begins the names of slices that are groups of the data."""
SAME_BAG = "same bag of words"
LENGTH_EDGES = (6, 10, 15, 20, 25)
LENGTH_BANDS = ("<6", "6-9", "10-14", "15-19", "20-24", ">=25")
"""Names of the bands between the edges, in words of a pair's longer sentence."""


def slices(
    sentence1: Sequence[str], sentence2: Sequence[str], groups: Sequence[str | None] | None = None
) -> dict[str, np.ndarray]:
    """Return a mask bool [pairs] of each slice that holds a pair: "all", the groups of the data, overlap bands, the same bag
    of words, length bands.

    The bands of overlap share no pair, nor do those of length. The same bag of words is the word-swap core of PAWS
    (Zhang, Baldridge, He 2019): only the order of the words can tell its pairs apart.
    """
    overlap, same_bag = word_overlap(sentence1, sentence2)
    bands = bands_for(overlap)
    band = bands.of(overlap)
    found = {ALL: np.ones(len(sentence1), dtype=bool)}
    if groups is not None:
        names = np.array([name or "" for name in groups])
        found |= {f"{GROUP}{name}": names == name for name in dict.fromkeys(names.tolist()) if name}
    found |= {f"overlap {name}": band == number for number, name in enumerate(bands.names)}
    found[SAME_BAG] = same_bag
    longer = [max(len(words_of(first)), len(words_of(second))) for first, second in zip(sentence1, sentence2, strict=True)]
    lengths = np.searchsorted(LENGTH_EDGES, longer, side="right")
    found |= {f"{name} words": lengths == number for number, name in enumerate(LENGTH_BANDS)}
    return {name: mask for name, mask in found.items() if mask.any()}
