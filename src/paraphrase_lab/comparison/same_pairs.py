"""Tells whether predictions are for the same pairs, by the pairs themselves: their sentences and labels, in any order."""

import hashlib
from collections.abc import Sequence

import numpy as np

from paraphrase_lab.runs.predictions import Predictions

DIGEST_BYTES = 16


def content_of(given: Predictions) -> str:
    """Return a digest of all pairs with their labels, whatever their order."""
    return hashlib.sha256(np.sort(_digests(given, with_labels=True)).tobytes()).hexdigest()


def differing_labels(one: Predictions, other: Predictions) -> int | None:
    """Count the pairs whose labels differ; None where the sentences differ already."""
    first, second = (_digests(given, with_labels=False) for given in (one, other))
    order, other_order = (np.argsort(digests, kind="stable") for digests in (first, second))
    if not np.array_equal(first[order], second[other_order]):
        return None
    return int((one.labels[order] != other.labels[other_order]).sum())


def in_order_of(first: Predictions, given: Predictions) -> Predictions:
    """Return the predictions in the order of the pairs of `first`, which has the same pairs."""
    digests = _digests(first, with_labels=True), _digests(given, with_labels=True)
    if np.array_equal(*digests):
        return given
    places = np.empty(len(given.labels), dtype=np.int64)
    places[np.argsort(digests[0], kind="stable")] = np.argsort(digests[1], kind="stable")
    ids, sentence1, sentence2 = (
        [column[place] for place in places] for column in (given.ids, given.sentence1, given.sentence2)
    )
    return given._replace(
        ids=ids, sentence1=sentence1, sentence2=sentence2, labels=given.labels[places], margins=given.margins[places],
        probabilities=given.probabilities[places], groups=given.groups and [given.groups[place] for place in places],
    )  # fmt: skip


def _digests(given: Predictions, *, with_labels: bool) -> np.ndarray:
    """Return a digest of every pair [pairs], bytes."""
    labels: Sequence[int] = given.labels.tolist() if with_labels else [0] * len(given.labels)
    found = [
        hashlib.blake2b(
            f"{len(first)} {label} {first}{second}".encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES
        ).digest()
        for first, second, label in zip(given.sentence1, given.sentence2, labels, strict=True)
    ]
    return np.frombuffer(b"".join(found), dtype=f"V{DIGEST_BYTES}").view([("high", ">u8"), ("low", ">u8")])
