"""Pairs that share a sentence are not independent: they are cut, and resampled, together or not at all.

A cluster holds all pairs connected by the same sentences, directly or through others; capitals, spaces and the coding of
accents make no difference.
"""

from collections.abc import Iterable, Sequence
from unicodedata import normalize

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from paraphrase_lab.errors import UserError


def plain_text(sentences: Iterable[str]) -> list[str]:
    """Return the sentences in small letters, with single spaces and composed accents (NFC): two that are equal then are one."""
    return [normalize("NFC", " ".join(sentence.split()).casefold()) for sentence in sentences]


def sentence_clusters(sentence1: Sequence[str], sentence2: Sequence[str]) -> np.ndarray:
    """Return the cluster of every pair [pairs]: 0, 1, ... in order of first appearance."""
    numbers: dict[str, int] = {}
    first = np.array([numbers.setdefault(sentence, len(numbers)) for sentence in plain_text(sentence1)], dtype=np.int64)
    second = np.array([numbers.setdefault(sentence, len(numbers)) for sentence in plain_text(sentence2)], dtype=np.int64)
    links = coo_array((np.ones(len(first)), (first, second)), shape=(len(numbers), len(numbers)))
    # scipy numbers components by their lowest sentence, and the sentences of sentence1 were numbered first, row by row.
    _, component_of_sentence = connected_components(links, directed=False)
    return component_of_sentence[first].astype(np.int64)


def largest_share(clusters: np.ndarray) -> float:
    """Return the share of the pairs, 0-1, that are in the largest cluster; 0 for no pairs."""
    return float(np.bincount(clusters).max(initial=0)) / max(1, len(clusters))


def split_by_clusters(
    sentence1: Sequence[str], sentence2: Sequence[str], labels: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return row numbers (kept, held out), both ascending: whole clusters held out until about `fraction` of the pairs.

    Clusters come in an order drawn from the seed and are taken towards `fraction` of all yes and of all no, so the
    balance of the labels stays about the same. The same rows and seed give the same split on every platform.
    Raises UserError where no split is possible.
    """
    if not 0 < fraction < 1:
        raise UserError(f"cannot hold out the fraction {fraction} of the pairs", valid="Valid: between 0 and 1.")
    clusters = sentence_clusters(sentence1, sentence2)
    sizes = _sizes(clusters, labels)
    if len(sizes) < 2:
        raise UserError(
            f"cannot cut {len(clusters):,} pairs in two: shared sentences connect all of them into one cluster",
            valid="A split needs at least two groups of pairs that share no sentence.",
            hint="Give a validation file of its own.",
        )
    # Sorting plain uniform numbers depends on less of numpy than permutation() does.
    order = np.argsort(np.random.Generator(np.random.PCG64(seed)).random(len(sizes)), kind="stable")
    held_out = _take(sizes, order, fraction * sizes.sum(axis=0))[clusters]
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def folds_by_clusters(
    sentence1: Sequence[str], sentence2: Sequence[str], labels: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """Return the fold of every pair [pairs], 0 to folds - 1: a cluster is in one fold, and each has its share of both labels.

    The largest clusters come first, equal ones in an order drawn from the seed, each into the fold that lacks its labels most.
    The same rows and seed give the same folds on every platform.
    Raises UserError where there are fewer clusters than folds.
    """
    clusters = sentence_clusters(sentence1, sentence2)
    sizes = _sizes(clusters, labels)
    if len(sizes) < folds:
        raise UserError(
            f"data.folds={folds}: shared sentences connect the {len(clusters):,} pairs into {len(sizes):,} clusters, too few",
            valid="at least as many groups of pairs that share no sentence as folds",
            hint="fewer folds, or a validation file of its own",
        )
    drawn = np.argsort(np.random.Generator(np.random.PCG64(seed)).random(len(sizes)), kind="stable")
    order = drawn[np.argsort(-sizes[drawn].sum(axis=1), kind="stable")]
    scale = 1 / np.maximum(sizes.sum(axis=0), 1)
    filled, fold_of = np.zeros((folds, 2)), np.zeros(len(sizes), dtype=np.int64)
    for cluster in order:
        growth = (filled * sizes[cluster]) @ scale  # in squares
        fold = int(np.lexsort((filled.sum(axis=1), growth))[0])  # of several, the one with the fewest pairs
        fold_of[cluster] = fold
        filled[fold] += sizes[cluster]
    return fold_of[clusters]


def _sizes(clusters: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count the yes and the no of each cluster [clusters, 2]."""
    yes = np.bincount(clusters, weights=np.asarray(labels) == 1)
    return np.stack((yes, np.bincount(clusters) - yes), axis=1)


def _take(sizes: np.ndarray, order: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Choose clusters [clusters] so that their sizes [clusters, 2] add up to about the target [2].

    First clusters that fit into what is missing of both labels, then clusters that bring the sum nearer to the target
    although they overshoot it. At least one is taken, and never all.
    """
    taken = np.zeros(len(sizes), dtype=bool)
    missing = target.copy()
    for overshoot in (False, True):
        for cluster in order[~taken[order]]:
            left = missing - sizes[cluster]
            accepted = left @ left < missing @ missing if overshoot else left.min() >= 0
            if accepted and taken.sum() < len(sizes) - 1:
                taken[cluster] = True
                missing = left
    if not taken.any():
        taken[order[np.argmin(((sizes[order] - target) ** 2).sum(axis=1))]] = True
    return taken
