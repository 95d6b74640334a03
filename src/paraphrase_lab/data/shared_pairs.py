"""Pairs and sentences that two splits have in common: a score on what was seen before says little about new pairs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from paraphrase_lab.data.pair_table import PairTable, SharedSentences
from paraphrase_lab.errors import UserError


def shared_sentences(splits: Mapping[str, PairTable]) -> list[SharedSentences]:
    """Compare every two splits; those of train come first in `splits`. Splits that share no sentence are left out."""
    found = []
    for earlier, later in combinations(splits, 2):
        a, b = splits[earlier], splits[later]
        touched = np.isin(b.sentence_hashes, a.sentence_hashes).any(axis=1)
        if pairs := int(touched.sum()):
            found.append(SharedSentences(earlier, later, pairs, int(np.isin(b.pair_hashes, a.pair_hashes).sum())))
    return found


def refuse_same_pairs(splits: Mapping[str, PairTable]) -> None:
    """Raise UserError where all pairs of one split are pairs of another: it would measure what was trained or chosen on."""
    for one, other in combinations(splits, 2):
        smaller, larger = sorted((one, other), key=lambda name: len(splits[name]))
        if not np.isin(splits[smaller].pair_hashes, splits[larger].pair_hashes).all():
            continue
        is_equal = splits[one].fingerprint == splits[other].fingerprint
        same = f"{one} and {other} are the same {len(splits[one]):,} pairs (fingerprint {splits[one].fingerprint[:8]})"
        inside = f"all {len(splits[smaller]):,} {smaller} pairs are {larger} pairs, too"
        raise UserError(
            f"{same if is_equal else inside}: a score on them would not be one on new pairs",
            valid="splits without common pairs",
            hint=f"give {other} a file of its own"
            + (", or none: where train is the only file, all three splits are cut from it" if one == "train" else ""),
        )
