"""Parts of a data set by what makes its pairs hard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from commands import paraphrase
from generated_pairs import generate
from paraphrase_lab.comparison.slices import ALL, LENGTH_BANDS, SAME_BAG, slices
from paraphrase_lab.data.overlap import PAWS_BANDS, bands_for
from paraphrase_lab.data.pair_table import PairTable
from written_runs import margins, pair_table, write_run


def names(first: str, second: str) -> set[str]:
    return set(slices([first], [second])) - {ALL}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("the cat saw the dog", "the dog saw the cat", {"overlap =1", SAME_BAG, "<6 words"}),
        ("The Cat", "cat the", {"overlap =1", SAME_BAG, "<6 words"}),
        ("the the cat", "the cat", {"overlap =1", "<6 words"}),  # the same words, but not as often
        ("a b c d e f g h i j", "a b c d e f g h i k", {"overlap 0.8-0.9", "10-14 words"}),  # 9 of 11
        ("a b c d", "a b c d e", {"overlap 0.8-0.9", "<6 words"}),  # bands are closed on the left
        ("a b c", "a b d", {"overlap <0.7", "<6 words"}),
        ("", "", {"overlap =1", SAME_BAG, "<6 words"}),
        ("a " * 5, "a", {"overlap =1", "<6 words"}),
        ("a " * 6, "a", {"overlap =1", "6-9 words"}),
        ("a", "a " * 9, {"overlap =1", "6-9 words"}),  # the longer one counts, whichever it is
        ("a " * 10, "a", {"overlap =1", "10-14 words"}),
        ("a " * 15, "a", {"overlap =1", "15-19 words"}),
        ("a " * 24, "a", {"overlap =1", "20-24 words"}),
        ("a " * 25, "a", {"overlap =1", ">=25 words"}),
    ],
)
def test_where_a_pair_belongs(first: str, second: str, expected: set[str]) -> None:
    assert names(first, second) == expected


def test_bands_share_no_pair_and_leave_none_out() -> None:
    pairs = generate(train_pairs=500)["train"]
    found = slices([pair.sentence1 for pair in pairs], [pair.sentence2 for pair in pairs])
    assert found[ALL].all() and found[SAME_BAG].any()
    for bands in ([f"overlap {name}" for name in PAWS_BANDS.names], [f"{name} words" for name in LENGTH_BANDS]):
        assert (np.sum([found[name] for name in bands if name in found], axis=0) == 1).all()
    assert not (found[SAME_BAG] & ~found["overlap =1"]).any()
    assert all(mask.any() and mask.dtype == bool for mask in found.values())


def test_bands_follow_the_data_where_those_of_paws_do_not_fit() -> None:
    ordinary = np.concatenate([np.linspace(0.05, 0.65, 90), [1.0] * 10])  # as pairs of questions overlap
    bands = bands_for(ordinary)
    assert bands.edges == (0.18, 0.32, 0.45, 0.58, 1.0)
    assert bands.names == ("<0.18", "0.18-0.32", "0.32-0.45", "0.45-0.58", "0.58-1", "=1")
    shares = np.bincount(bands.of(ordinary)) / 100
    assert shares.max() < 0.25 and shares[-1] == 0.1
    assert bands_for(ordinary[:90]).names[-1].startswith(">=0.5")


@pytest.mark.parametrize(
    "overlap",
    [
        np.array([]),
        np.repeat([0.6, 0.75, 0.85, 0.92, 0.97, 1.0], 10),
        np.ones(50),  # swapped words: no other bands would tell them apart
        np.zeros(50),
        np.full(50, 0.8),
        np.repeat([0.2, 0.75, 0.97, 1.0], [50, 20, 20, 10]),  # half of the pairs, not more
    ],
)
def test_the_bands_of_paws_stay_where_others_are_no_better(overlap: np.ndarray) -> None:
    assert bands_for(overlap) == PAWS_BANDS


def test_groups_too_small_for_a_verdict_are_shown_without_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = pair_table()
    named = {"plain": 540, "short [a]": 30, "number": 30}  # three pairs share a sentence: 10 clusters in each small group
    groups: list[str | None] = [name for name, count in named.items() for _ in range(count)]
    table = PairTable(whole.ids, whole.sentence1, whole.sentence2, whole.labels, groups)
    for name, share in (("a", 0.6), ("b", 0.8)):
        write_run(tmp_path / name, share, table=table, config={"name": name})
    assert paraphrase("compare", str(tmp_path / "a"), str(tmp_path / "b"), "--resamples", "200") == 0
    text = " ".join(capsys.readouterr().out.split())
    sliced, _, small = text.partition("accuracy of small groups, points group pairs A B")
    assert "group plain 540" in sliced and "2 groups have fewer than 20 clusters: no verdict" in small
    for start, name in ((540, "short [a]"), (570, "number")):
        pairs = slice(start, start + 30)
        of_runs = [((margins(table, share, 0) > 0) == table.labels)[pairs].mean() for share in (0.6, 0.8)]
        assert f"{name} 30 {100 * of_runs[0]:.2f} {100 * of_runs[1]:.2f}" in small
