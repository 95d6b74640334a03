"""The checklist's file: its kinds, its halves, and pairs of which a model cannot be right by counting words."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict

import numpy as np
import pytest

from paraphrase_lab.data.checklist import FILE, HALVES, SPLIT_NAMES, Checklist, checklist_table
from paraphrase_lab.data.clusters import plain_text
from paraphrase_lab.data.overlap import word_overlap
from paraphrase_lab.data.tables import load_split

ONE_LABEL = {"unrelated": "0", "identical": "1"}


@pytest.fixture(scope="module")
def pairs() -> list[dict[str, str]]:
    with FILE.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_kinds_and_halves(pairs: list[dict[str, str]]) -> None:
    kinds = Counter((pair["kind"], pair["half"]) for pair in pairs)
    assert len(pairs) == 504 and len({kind for kind, _ in kinds}) == 21
    assert set(kinds.values()) == {12}
    for (kind, half), labels in _labels(pairs).items():
        assert labels == ({ONE_LABEL[kind]: 12} if kind in ONE_LABEL else {"0": 6, "1": 6}), (kind, half)


def _labels(pairs: list[dict[str, str]]) -> dict[tuple[str, str], dict[str, int]]:
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for pair in pairs:
        found[pair["kind"], pair["half"]][pair["label"]] += 1
    return {key: dict(labels) for key, labels in found.items()}


def test_no_sentence_stands_in_both_halves_and_no_pair_twice(pairs: list[dict[str, str]]) -> None:
    halves = {half: {text for pair in pairs if pair["half"] == half for text in _sentences(pair)} for half in ("dev", "test")}
    assert not halves["dev"] & halves["test"]
    assert len({frozenset(_sentences(pair)) for pair in pairs}) == len(pairs) == len({pair["id"] for pair in pairs})


def _sentences(pair: dict[str, str]) -> list[str]:
    return plain_text([pair["sentence1"], pair["sentence2"]])


def test_sentences_are_short_and_whole(pairs: list[dict[str, str]]) -> None:
    for pair in pairs:
        for text in (pair["sentence1"], pair["sentence2"]):
            assert text == text.strip() and text[0].isupper() and text[-1] in ".?!" and 3 <= len(text.split()) <= 16, pair
        assert (pair["sentence1"] == pair["sentence2"]) == (pair["kind"] == "identical")


def test_more_words_in_common_do_not_tell_a_paraphrase(pairs: list[dict[str, str]]) -> None:
    """A model that takes the nearer one of an item's two pairs for the paraphrase is right by chance, or less often."""
    items: dict[str, dict[str, float]] = defaultdict(dict)
    for pair in pairs:
        if pair["kind"] not in ONE_LABEL:
            overlap = word_overlap([pair["sentence1"]], [pair["sentence2"]])[0]
            items[pair["id"][:-1]][pair["label"]] = float(overlap[0])
    nearer = np.array([np.sign(item["1"] - item["0"]) for item in items.values()])
    assert 0.25 < float((nearer > 0).mean() + 0.5 * (nearer == 0).mean()) < 0.55


def test_it_is_a_data_set_for_evaluation_alone() -> None:
    assert list(Checklist().splits()) == ["validation", "test"] and Checklist().count("train") is None
    name, tables = load_split(Checklist(), None, own=False, on_bad_rows="error", limit=None)
    assert name == "test" and len(tables.splits["test"]) == 252 == Checklist().count("test")
    assert set(tables.splits["test"].groups or []) == set(checklist_table("validation").groups or [])
    assert SPLIT_NAMES == {split: f"checklist_{half}" for split, half in HALVES.items()}
