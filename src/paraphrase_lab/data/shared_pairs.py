"""Pairs and sentences that two splits have in common: a score on what was seen before says little about new pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import combinations

import numpy as np

from paraphrase_lab.data.clusters import plain_text
from paraphrase_lab.data.pair_table import PairTable, SharedSentences
from paraphrase_lab.errors import UserError


def pair_hashes(table: PairTable) -> np.ndarray:
    """Return uint64 [pairs], equal for both orders of a pair and whatever its capitals and spaces."""
    texts = zip(plain_text(table.sentence1), plain_text(table.sentence2), strict=True)
    return np.fromiter((_hash("\0".join(sorted(pair))) for pair in texts), dtype=np.uint64, count=len(table))


def sentence_hashes(table: PairTable) -> np.ndarray:
    """Return uint64 [pairs, 2], equal for sentences that differ in capitals and spaces only."""
    columns = [plain_text(table.sentence1), plain_text(table.sentence2)]
    return np.stack([np.fromiter(map(_hash, texts), dtype=np.uint64, count=len(table)) for texts in columns], axis=1)


def shared_sentences(splits: Mapping[str, PairTable]) -> list[SharedSentences]:
    """Compare every two splits; those of train come first in `splits`. Splits that share no sentence are left out."""
    texts = {name: (plain_text(table.sentence1), plain_text(table.sentence2)) for name, table in splits.items()}
    sentences = {name: {*first, *second} for name, (first, second) in texts.items()}
    hashes = {name: pair_hashes(table) for name, table in splits.items()}
    found = []
    for earlier, later in combinations(splits, 2):
        known = sentences[earlier]
        repeated = np.isin(hashes[later], hashes[earlier])
        touched = np.fromiter((a in known or b in known for a, b in zip(*texts[later], strict=True)), bool)
        if pairs := int((touched | repeated).sum()):
            found.append(SharedSentences(earlier, later, pairs, int(repeated.sum())))
    return found


def refuse_same_pairs(splits: Mapping[str, PairTable]) -> None:
    """Raise UserError where all pairs of one split are pairs of another: it would measure what was trained or chosen on."""
    hashes = {name: pair_hashes(table) for name, table in splits.items()} if len(splits) > 1 else {}
    for one, other in combinations(hashes, 2):
        smaller, larger = sorted((one, other), key=lambda name: len(splits[name]))
        if not np.isin(hashes[smaller], hashes[larger]).all():
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


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
