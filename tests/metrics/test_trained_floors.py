"""Floors: each finds the cue that it is made for, and no other."""

from __future__ import annotations

import numpy as np
import pytest

from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.metrics.floors import COUNTED_WORDS, FloorCache, floors, pair_counts
from paraphrase_lab.metrics.names import FLOOR_NAMES

NAMES = ("Ann", "Bob", "Cat", "Dan", "Eve", "Fay", "Gus", "Hal")


def table(rows: list[tuple[str, str, int]]) -> PairTable:
    first, second, labels = (list(column) for column in zip(*rows, strict=True))
    return PairTable([str(number) for number in range(len(rows))], first, second, np.array(labels, dtype=np.int64))


def accuracies(make, seed: int = 0) -> dict[str, float]:  # noqa: ANN001
    generator = np.random.default_rng(seed)
    train, test = (table([make(generator, number % 2) for number in range(size)]) for size in (600, 300))
    return {name: values["accuracy"] for name, values in floors(train, test).whole.items()}


def two_names(generator: np.random.Generator) -> list[str]:
    return [NAMES[number] for number in generator.permutation(len(NAMES))[:2]]


def one_word_replaced(generator: np.random.Generator, label: int) -> tuple[str, str, int]:
    name, other = two_names(generator)
    return f"{name} sleeps", f"{name if label else other} sleeps", label


def words_exchanged(generator: np.random.Generator, label: int) -> tuple[str, str, int]:
    """The words never differ; their places do."""
    name, other = two_names(generator)
    return f"{name} sees {other}", f"{name} sees {other}" if label else f"{other} sees {name}", label


def a_pair_of_neighbours(generator: np.random.Generator, label: int) -> tuple[str, str, int]:
    """The same words in each sentence: whether "not" stands before one verb or the other decides."""
    name, _ = two_names(generator)
    second = f"{name} does not sing but does dance" if label else f"{name} does sing but does not dance"
    return f"{name} does not sing but does dance", second, label


def nothing(generator: np.random.Generator, label: int) -> tuple[str, str, int]:
    name, other = two_names(generator)
    return f"{name} sees {other}", f"{other} is seen by {name}", int(generator.random() < 0.5)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (one_word_replaced, {"bag_of_words", "bigrams", "counts"}),
        (words_exchanged, {"bigrams", "counts"}),
        (a_pair_of_neighbours, {"bigrams", "counts"}),
        (nothing, set()),
    ],
)
def test_a_floor_finds_its_cue(make, found: set[str]) -> None:  # noqa: ANN001
    reached = accuracies(make)
    assert set(reached) == set(FLOOR_NAMES)
    assert {name for name, accuracy in reached.items() if accuracy > 0.95} == found
    assert all(reached[name] < 0.65 for name in set(FLOOR_NAMES) - found)


def test_counts_know_no_word() -> None:
    one = pair_counts(table([("Ann sees Bob .", "Bob sees Ann .", 0)]))
    other = pair_counts(table([("Eve hears Gus .", "Gus hears Eve .", 1)]))
    assert one.shape == (1, 15) and (one == other).all()
    assert (pair_counts(table([("Ann sees Bob .", "Ann sees Bob .", 0)])) != one).any()


def test_counts_are_of_the_first_words_of_a_long_sentence() -> None:
    start = " ".join(f"word{number}" for number in range(COUNTED_WORDS))
    assert (pair_counts(table([(f"{start} a b", f"{start} c", 1)])) == pair_counts(table([(start, start, 1)]))).all()


def test_one_label_or_no_words_are_no_obstacle() -> None:
    one_label = table([("Ann sleeps", "Bob sleeps", 1)] * 10)
    assert floors(one_label, one_label) == ({}, {})
    empty = table([("…", "…", 1), ("a", "b", 0)] * 20)
    assert set(floors(empty, empty).whole) == set(FLOOR_NAMES)


def test_the_same_pairs_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("paraphrase_lab.metrics.floors.floors", lambda train, test: calls.append(1) or {"counts": {}})
    cache, pairs, others = FloorCache(kept=2), table([("a", "b", 0), ("a", "a", 1)]), table([("c", "b", 0), ("a", "a", 1)])
    for _ in range(3):
        cache.of(pairs, pairs)
    assert len(calls) == 1
    for test in (others, table([("d", "b", 0)]), pairs):
        cache.of(pairs, test)
    assert len(calls) == 4  # only the last two are kept


def test_a_large_data_set_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    pairs = table([words_exchanged(generator, number % 2) for number in range(400)])
    monkeypatch.setattr("paraphrase_lab.metrics.floors.TRAINED_ON", 100)
    monkeypatch.setattr("paraphrase_lab.metrics.floors.SCORED_ON", 50)
    reached = floors(pairs, pairs).whole
    assert reached == floors(pairs, pairs).whole
    assert reached["counts"]["accuracy"] * 50 == pytest.approx(round(reached["counts"]["accuracy"] * 50))
