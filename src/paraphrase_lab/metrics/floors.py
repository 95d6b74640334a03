"""Floors: classifiers without a neural network, trained on the training pairs, that a model should be better than.

Three kinds of shallow cue, each on its own: the words in common, pairs of neighbouring words, and counts that know no word.
"""

from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.metrics.binary import binary_metrics
from paraphrase_lab.metrics.names import FLOOR_NAMES

TRAINED_ON = 10_000
SCORED_ON = 10_000
"""Most pairs that a floor is trained on and scored on: drawn once for a data set, so that a large one costs seconds as well."""
COUNTED_WORDS = 100
"""Most words of a sentence that are counted: the time for inversions grows with their square."""
WORD = r"(?u)\w+(?:'\w+)?|[^\w\s]"


class Floors(NamedTuple):
    """The metrics of each of FLOOR_NAMES; empty where all training pairs have one label."""

    whole: dict[str, dict[str, float]]
    of_groups: dict[str, dict[str, dict[str, float]]]
    """On the test pairs of each group, a source of a mixture say; empty without groups."""


class FloorCache:
    """Keeps the floors of the last data sets of this process: the jobs of a sweep share them."""

    def __init__(self, kept: int = 4) -> None:
        self.kept = kept
        self._found: dict[tuple[str, str, tuple[str | None, ...]], Floors] = {}

    def of(self, train: PairTable, test: PairTable) -> Floors:
        key = (train.fingerprint, test.fingerprint, tuple(test.groups or ()))
        if key not in self._found:
            self._found[key] = floors(train, test)
            self._found = dict(list(self._found.items())[-self.kept :])
        return self._found[key]


FLOORS = FloorCache()


def floors(train: PairTable, test: PairTable) -> Floors:
    """Return the metrics on `test` of each of FLOOR_NAMES, trained on `train`.

    - bag_of_words: logistic regression on the words in both sentences and the words in one.
    - bigrams: the same with pairs of neighbouring words besides.
    - counts: gradient boosting on 15 counts such as lengths, words in common and words in the same place.
    """
    train, test = _sample(train, TRAINED_ON), _sample(test, SCORED_ON)
    if len(np.unique(train.labels)) < 2:
        return Floors({}, {})
    found = {}
    for name, reach in (("bag_of_words", 1), ("bigrams", 2)):
        vectorizer = CountVectorizer(token_pattern=WORD, ngram_range=(1, reach))
        vectorizer.fit([*train.sentence1, *train.sentence2])
        linear = LogisticRegression(solver="liblinear", max_iter=200)
        linear.fit(_shared_and_own(vectorizer, train), train.labels)
        found[name] = linear.predict_proba(_shared_and_own(vectorizer, test))[:, 1]
    found["counts"] = counts_classifier(train).predict_proba(pair_counts(test))[:, 1]
    groups = np.array([group or "" for group in test.groups or []])

    def reached(rows: np.ndarray) -> dict[str, dict[str, float]]:
        return {name: binary_metrics(test.labels[rows], found[name][rows], threshold=0.5) for name in FLOOR_NAMES}

    of_groups = {group: reached(np.flatnonzero(groups == group)) for group in dict.fromkeys(groups.tolist()) if group}
    return Floors(reached(np.arange(len(test))), of_groups)


def counts_classifier(train: PairTable) -> HistGradientBoostingClassifier:
    """Return the floor "counts", trained; it takes what `pair_counts` returns."""
    return HistGradientBoostingClassifier(random_state=0).fit(pair_counts(train), train.labels)


def _sample(table: PairTable, most: int) -> PairTable:
    if len(table) <= most:
        return table
    return table.select(np.sort(np.random.default_rng(0).permutation(len(table))[:most]))


def _shared_and_own(vectorizer: CountVectorizer, table: PairTable) -> csr_matrix:
    """Return counts [pairs, 2 x terms + 2]: of the terms in both sentences, in one only, and the sums of both."""
    one, two = vectorizer.transform(table.sentence1), vectorizer.transform(table.sentence2)
    shared, own = one.minimum(two), abs(one - two)
    return csr_matrix(hstack([shared, own, csr_matrix(shared.sum(axis=1)), csr_matrix(own.sum(axis=1))]))


def pair_counts(table: PairTable) -> np.ndarray:
    """Return 15 counts of each pair that know no word, float64 [pairs, 15]; of the first COUNTED_WORDS of each sentence."""
    tokens = CountVectorizer(token_pattern=WORD).build_tokenizer()
    split = [[tokens(text.lower())[:COUNTED_WORDS] for text in texts] for texts in (table.sentence1, table.sentence2)]
    return np.array([_counts(one, two) for one, two in zip(*split, strict=True)], dtype=np.float64).reshape(-1, 15)


def _counts(one: Sequence[str], two: Sequence[str]) -> list[float]:
    shared, pairs_one, pairs_two = set(one) & set(two), set(pairwise(one)), set(pairwise(two))
    order = [two.index(word) for word in dict.fromkeys(one) if word in shared]
    inversions = sum(earlier > later for number, later in enumerate(order) for earlier in order[:number])
    moved = [
        abs(place - one.index(word)) for word, place in zip((w for w in dict.fromkeys(one) if w in shared), order, strict=True)
    ]
    return [
        len(one), len(two), abs(len(one) - len(two)),
        len(shared), len(shared) / max(1, len(set(one) | set(two))), len(set(one) ^ set(two)),
        len(pairs_one & pairs_two), len(pairs_one & pairs_two) / max(1, len(pairs_one | pairs_two)),
        len(pairs_one & {(b, a) for a, b in pairs_two}),
        sum(a == b for a, b in zip(one, two, strict=False)),
        _in_common(one, two), _in_common(one[::-1], two[::-1]),
        inversions, sum(moved), max(moved, default=0),
    ]  # fmt: skip


def _in_common(one: Sequence[str], two: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(one, two, strict=False)))
