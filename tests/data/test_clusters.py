import csv
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from paraphrase_lab.data.clusters import folds_by_clusters, plain_text, sentence_clusters, split_by_clusters
from paraphrase_lab.errors import UserError


def grouped_pairs(clusters: int, largest: int, seed: int = 0) -> tuple[list[str], list[str], np.ndarray]:
    """Pairs in shuffled order; those of one cluster share their first sentence."""
    random = np.random.default_rng(seed)
    cluster = random.permutation(np.repeat(np.arange(clusters), random.integers(1, largest + 1, size=clusters)))
    labels = (random.random(len(cluster)) < 0.44).astype(np.int64)
    return [f"shared {one}" for one in cluster], [f"own {row}" for row in range(len(cluster))], labels


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], []),
        (["a b"], [0]),
        (["a a"], [0]),
        (["a b", "c d", "e f"], [0, 1, 2]),
        (["c d", "a b", "d e"], [0, 1, 0]),
        (["a b", "c d", "d a"], [0, 0, 0]),  # joined only by the last row
        (["x y", "a b", "b c", "y x", "c d", "q q"], [0, 1, 1, 0, 1, 2]),
        (["a b", "A c"], [0, 0]),  # capitals and spaces make no other sentence
    ],
)
def test_clusters_in_order_of_first_appearance(pairs, expected):
    first, second = [pair.split()[0] for pair in pairs], [pair.split()[1] for pair in pairs]
    clusters = sentence_clusters(first, second)
    assert clusters.tolist() == expected
    assert clusters.dtype == np.int64


@pytest.mark.parametrize("seed", range(10))
def test_clusters_are_numbered_without_gaps_row_by_row(seed):
    first, second = np.random.default_rng(seed).integers(0, 40, size=(2, 25)).astype(str).tolist()
    clusters = sentence_clusters(first, second)
    assert list(dict.fromkeys(clusters.tolist())) == list(range(clusters.max() + 1))
    cluster_of = {}
    for row, sentences in enumerate(zip(first, second, strict=True)):
        for sentence in sentences:
            assert cluster_of.setdefault(sentence, clusters[row]) == clusters[row]


def test_a_long_chain_is_one_cluster():
    words = [str(number) for number in range(20_001)]
    assert set(sentence_clusters(words[:-1], words[1:]).tolist()) == {0}


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.5])
def test_split_shares_no_sentence_and_keeps_size_and_balance(fraction):
    first, second, labels = grouped_pairs(clusters=400, largest=12)
    kept, held_out = split_by_clusters(first, second, labels, fraction, seed=3)
    assert sorted([*kept, *held_out]) == list(range(len(labels)))
    assert (np.diff(kept) > 0).all() and (np.diff(held_out) > 0).all()
    assert not {first[row] for row in kept} & {first[row] for row in held_out}
    assert len(held_out) == pytest.approx(fraction * len(labels), abs=6)
    assert labels[held_out].mean() == pytest.approx(labels.mean(), abs=0.01)


def test_split_depends_on_the_seed_alone():
    pairs = grouped_pairs(clusters=60, largest=5)
    _, once = split_by_clusters(*pairs, fraction=0.2, seed=1)
    _, again = split_by_clusters(*pairs, fraction=0.2, seed=1)
    _, other = split_by_clusters(*pairs, fraction=0.2, seed=2)
    assert once.tolist() == again.tolist() != other.tolist()


def test_split_is_the_same_on_every_platform():
    sentences = [f"sentence {number}" for number in range(20)]
    _, held_out = split_by_clusters(sentences, sentences, np.arange(20) % 2, fraction=0.2, seed=0)
    assert held_out.tolist() == [2, 3, 11, 18]


def test_split_around_one_giant_cluster():
    first = ["shared"] * 90 + [f"own {row}" for row in range(10)]
    second = [f"other {row}" for row in range(100)]
    kept, held_out = split_by_clusters(first, second, np.arange(100) % 2, fraction=0.05, seed=0)
    assert len(held_out) in (4, 5, 6) and min(held_out) >= 90
    assert len(kept) + len(held_out) == 100


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_two_clusters_give_one_each(fraction):
    kept, held_out = split_by_clusters(["a"] * 5 + ["b"] * 3, list("cdefghij"), np.array([0, 1] * 4), fraction=fraction, seed=0)
    assert {len(kept), len(held_out)} == {3, 5}


@pytest.mark.parametrize("pairs", [["a b", "b c", "c d"], ["a b"]])
def test_one_cluster_cannot_be_split(pairs):
    first, second = zip(*(pair.split() for pair in pairs), strict=True)
    with pytest.raises(UserError, match=rf"cut {len(pairs)} pairs in two: .*\n.*at least two.*\nGive a validation"):
        split_by_clusters(first, second, np.zeros(len(pairs)), 0.1, seed=0)


def test_no_pairs_cannot_be_split():
    with pytest.raises(UserError, match="cannot cut 0 pairs in two"):
        split_by_clusters([], [], np.array([]), 0.1, seed=0)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_fraction_out_of_range(fraction):
    with pytest.raises(UserError, match=r"fraction .* of the pairs\nValid: between 0 and 1"):
        split_by_clusters(["a", "b"], ["c", "d"], np.array([0, 1]), fraction, seed=0)


@pytest.mark.skipif("PARAPHRASE_PAWS_DIR" not in os.environ, reason="PARAPHRASE_PAWS_DIR is not set")
def test_split_of_paws():
    with (Path(os.environ["PARAPHRASE_PAWS_DIR"]) / "train.tsv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    first, second = [row["sentence1"] for row in rows], [row["sentence2"] for row in rows]
    labels = np.array([int(row["label"]) for row in rows])
    kept, held_out = split_by_clusters(first, second, labels, fraction=0.1, seed=0)
    kept_sentences = {first[row] for row in kept} | {second[row] for row in kept}
    assert not kept_sentences & ({first[row] for row in held_out} | {second[row] for row in held_out})
    assert len(held_out) / len(rows) == pytest.approx(0.1, abs=0.005)
    assert labels[held_out].mean() == pytest.approx(labels.mean(), abs=0.01)


def test_accents_that_are_coded_in_two_ways_are_one() -> None:
    composed, apart = (unicodedata.normalize(form, "Ça va à Zürich") for form in ("NFC", "NFD"))
    assert composed != apart and len(set(plain_text([composed, apart, apart.upper()]))) == 1


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds_share_no_sentence_and_have_the_same_size_and_balance(folds: int) -> None:
    first, second, labels = grouped_pairs(clusters=400, largest=12)
    fold_of = folds_by_clusters(first, second, labels, folds, seed=3)
    groups = [
        {text for texts in (first, second) for text, one in zip(texts, fold_of, strict=True) if one == fold}
        for fold in range(folds)
    ]
    assert sum(map(len, groups)) == len(set.union(*groups))
    for label in (0, 1):
        of_label = np.bincount(fold_of[labels == label], minlength=folds)
        assert of_label.max() - of_label.min() <= 0.06 * of_label.mean() + 2
    assert np.array_equal(fold_of, folds_by_clusters(first, second, labels, folds, seed=3))
    assert not np.array_equal(fold_of, folds_by_clusters(first, second, labels, folds, seed=4))


def test_a_large_cluster_fills_a_fold_of_its_own_and_the_others_stay_alike() -> None:
    first = ["the same"] * 40 + [f"own {row}" for row in range(60)]
    fold_of = folds_by_clusters(first, [f"other {row}" for row in range(100)], np.arange(100) % 2, 3, seed=0)
    assert sorted(np.bincount(fold_of).tolist()) == [30, 30, 40]


def test_no_fold_is_empty() -> None:
    rows = [str(row) for row in range(8)]
    fold_of = folds_by_clusters(rows, [f"other {row}" for row in rows], np.arange(8) % 2, 5, seed=0)
    assert np.bincount(fold_of, minlength=5).min() >= 1


def test_more_folds_than_clusters() -> None:
    with pytest.raises(UserError, match=r"data\.folds=3: shared sentences connect the 4 pairs into 2 clusters, too few"):
        folds_by_clusters(["a", "b", "c", "x"], ["b", "c", "d", "y"], np.array([0, 1, 0, 1]), 3, seed=0)
