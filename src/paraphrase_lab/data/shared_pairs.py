"""Pairs and sentences that two splits have in common: a score on what was seen before says little about new pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np

from paraphrase_lab.data.pair_table import PairTable, SharedSentences
from paraphrase_lab.errors import UserError


def plain_text(sentences: Iterable[str]) -> list[str]:
    """Return the sentences in small letters, with single spaces: two that are equal then count as one and the same."""
    return [" ".join(sentence.split()).casefold() for sentence in sentences]


def pair_hashes(table: PairTable) -> np.ndarray:
    """Return uint64 [pairs], equal for both orders of a pair and whatever its capitals and spaces."""
    return np.fromiter(map(_pair_hash, table.sentence1, table.sentence2), dtype=np.uint64, count=len(table))


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
            hint=f"leave data.{other} out" + (": it is cut from train" if other == "validation" or one == "train" else ""),
        )


def _pair_hash(first: str, second: str) -> int:
    texts = sorted(plain_text((first, second)))
    return int.from_bytes(hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8).digest())
