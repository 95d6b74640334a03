import csv
import hashlib
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from paraphrase_lab.data.description import SplitPairs, describe, describe_split, describe_tables
from paraphrase_lab.data.overlap import PAWS_BANDS, word_overlap, words_of

MEASURED = {
    "train": {
        "sha256": "96b17a263080fc77a1ea04e5aaec008b67820e03608323444e0c1d5790df70a2",
        "counts": (6397, 2858, 5160),
        "clusters": (1293, 12, 877),
        "overlap": [40, 513, 3118, 1557, 312, 857],
        "same_bag": (404, 118),
        "noise": (6, 10, 0, 6, 0),
    },
    "validation": {
        "sha256": "00e81cf4211a94ee70a610ebeb4f6b4d699fc075ce8ba49f275db08169389949",
        "counts": (1603, 681, 1316),
        "clusters": (334, 12, 222),
        "overlap": [18, 105, 799, 375, 91, 215],
        "same_bag": (121, 26),
        "noise": (0, 0, 0, 1, 0),
    },
    "test": {
        "sha256": "115a2729cd25ee0a22b75c6c58c52669b7eec4089ba2dca8c2c9179d0bcf158c",
        "counts": (4003, 1765, 3234),
        "clusters": (814, 12, 551),
        "overlap": [11, 298, 2032, 946, 193, 523],
        "same_bag": (264, 64),
        "noise": (13, 6, 1, 10, 1),
    },
}


def rows_to_split(rows: list[tuple[str, str, int]], lengths: list[int] | None = None) -> SplitPairs:
    first, second, labels = zip(*rows, strict=True) if rows else ((), (), ())
    return SplitPairs(first, second, np.array(labels, dtype=np.int64), None if lengths is None else np.array(lengths))


def described(rows: list[tuple[str, str, int]], lengths: list[int] | None = None, max_length: int | None = None):
    return describe_split(*rows_to_split(rows, lengths), max_length)


def printed(report) -> list[list[str]]:
    """The cells of every printed line."""
    console = Console(file=io.StringIO(), width=120, record=True)
    console.print(*describe_tables(report))
    return [[cell.strip() for cell in line.strip("│ ").split("│")] for line in console.export_text().splitlines()]


@pytest.mark.parametrize(
    ("first", "second", "band", "same_bag"),
    [
        ("a", "b", "<0.7", False),
        ("a b c d e f g", "a b c d e f g h i j", "0.7-0.8", False),  # exactly 0.7
        ("a b c d", "a b c d e", "0.8-0.9", False),
        ("a b c d e f g h i", "a b c d e f g h i j", "0.9-0.95", False),
        (" ".join(map(str, range(19))), " ".join(map(str, range(20))), "0.95-1", False),
        ("a b b", "a a b", "=1", False),  # the same words, not equally often
        ("from A to  B", "From b to a", "=1", True),  # case and spacing are ignored
        ("a b", "a b", "=1", True),
    ],
)
def test_overlap_bands_and_bags(first, second, band, same_bag):
    report = described([(first, second, 1), ("x", "y", 0)])
    expected = {name: int(name == band) + int(name == "<0.7") for name in PAWS_BANDS.names}
    assert {one["band"]: one["pairs"] for one in report["overlap"]} == expected
    assert report["same_bag"]["pairs"] == int(same_bag)


def test_shares_of_a_slice():
    report = described([("a b", "b a", 1), ("c d", "d c", 0), ("e f", "f e", 0), ("g", "h", 1)])
    assert report["same_bag"] == {"pairs": 3, "share": 0.75, "yes": 1, "positive_rate": pytest.approx(1 / 3)}
    assert report["overlap"][1] == {"band": "0.7-0.8", "pairs": 0, "share": 0.0, "yes": 0, "positive_rate": None}
    assert (report["pairs"], report["yes"], report["positive_rate"]) == (4, 2, 0.5)


def test_noise():
    report = described(
        [
            ("a", "b", 1),
            ("a", "b", 1),  # repeats the first row
            ("b", "a", 0),  # reverses it, and contradicts it: three rows have a reversed pair
            ("c", "d", 0),
            ("c", "d", 1),  # contradicts; not a duplicate
            ("e", "f", 1),
            ("f", "e", 1),  # reverses; two more rows
            ("g", "g", 1),
            ("h", "h", 0),
        ]
    )
    assert report["noise"] == {
        "duplicate_rows": 1,
        "reversed_rows": 5,
        "contradictory_pairs": 2,
        "identical_pairs": 2,
        "identical_no": 1,
    }


def test_clusters_and_sentences():
    report = described([("a", "b", 1), ("b", "c", 0), ("c", "d", 0), ("x", "y", 1)])
    assert report["distinct_sentences"] == 6
    assert report["clusters"] == {
        "number": 2,
        "mean_pairs": 2.0,
        "max_pairs": 3,
        "max_share": 0.75,
        "effective_pairs": 4**2 / (3**2 + 1**2),
    }


def test_lengths():
    rows = [("a", f"b{row}", 1) for row in range(101)]
    lengths = described(rows, lengths=list(range(101)), max_length=90)["lengths"]
    assert lengths == {
        "mean": 50,
        "p50": 50,
        "p90": 90,
        "p95": 95,
        "p99": 99,
        "max": 100,
        "truncated": 10,
        "truncated_share": pytest.approx(10 / 101),
    }
    assert described(rows, lengths=[5] * 101)["lengths"]["truncated"] == 0
    assert described(rows)["lengths"] is None


def test_sentences_shared_between_splits():
    report = describe(
        {
            "train": rows_to_split([("a", "b", 1), ("a", "c", 0), ("d", "e", 1)]),
            "validation": rows_to_split([("x", "a", 1), ("y", "z", 1)]),
            "test": rows_to_split([("e", "a", 1), ("q", "r", 0)]),
        }
    )
    assert report["shared"] == [
        {"splits": ["train", "validation"], "sentences": 1, "pairs": {"train": 2, "validation": 1}},
        {"splits": ["train", "test"], "sentences": 2, "pairs": {"train": 3, "test": 1}},
        {"splits": ["validation", "test"], "sentences": 1, "pairs": {"validation": 1, "test": 1}},
    ]


@pytest.mark.parametrize("rows", [[], [("a", "b", 1)], [("", " ", 0)]])
def test_degenerate_splits_can_be_described_written_and_printed(rows):
    for lengths in (None, [7] * len(rows)):
        report = describe({"only": rows_to_split(rows, lengths)}, max_length=5)
        assert json.loads(json.dumps(report, allow_nan=False)) == report
        assert report["splits"]["only"]["pairs"] == len(rows)
        assert ["pairs", str(len(rows))] in printed(report)


def test_tables_say_what_the_report_says():
    train = rows_to_split([("a b", "b a", 1), ("a b", "c d", 0), ("e", "f", 0)], lengths=[8, 9, 200])
    lines = printed(describe({"train": train, "test": rows_to_split([("a b", "z", 1)])}, max_length=128))
    for line in (
        ["labelled yes", "33.3%", "100.0%"],
        ["clusters of shared sentences", "2", "1"],
        ["cut at 128", "33.3%", "-"],
        ["max", "200", "-"],
        ["=1", "1 (100.0% yes)", "0 (- yes)"],
        ["identical sentences, labelled no", "0", "0"],
        ["train and test", "1", "2 of train, 1 of test"],
    ):
        assert line in lines


def test_no_length_table_without_lengths():
    titles = [table.title for table in describe_tables(describe({"train": rows_to_split([("a", "b", 1)])}, 128))]
    assert titles == ["Pairs", "Word overlap (Jaccard)", "Noise"]


def test_commas_make_no_other_word_and_stand_alone_where_the_data_split_them():
    assert words_of("Later, in “Rome”, I'm 3.5 m tall.") == ["later", "in", "rome", "i'm", "3.5", "m", "tall"]
    overlap, same_bag = word_overlap(["We met, she said.", "We met , she said ."], ["She said we met."] * 2)
    assert overlap.tolist() == [1, 4 / 6] and same_bag.tolist() == [True, False]


def test_columns_of_different_length():
    with pytest.raises(ValueError, match="equally long"):
        describe_split(["a", "b"], ["c", "d"], np.array([0, 1]), np.array([5]), 128)


@pytest.fixture(scope="module")
def paws() -> dict[str, SplitPairs]:
    if "PARAPHRASE_PAWS_DIR" not in os.environ:
        pytest.skip("PARAPHRASE_PAWS_DIR is not set")
    splits = {}
    for name in MEASURED:
        with (Path(os.environ["PARAPHRASE_PAWS_DIR"]) / f"{name}.tsv").open(encoding="utf-8", newline="") as handle:
            rows = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
            splits[name] = rows_to_split([(row["sentence1"], row["sentence2"], int(row["label"])) for row in rows])
    return splits


def test_paws_has_the_shares_it_is_known_for(paws):
    """Bands of the official test set: Zhang et al. 2019 scramble words, so overlap is high and says little."""
    report = describe(paws)
    assert [entry["sentences"] for entry in report["shared"]] == [0, 0, 0]
    test = report["splits"]["test"]
    assert test["positive_rate"] == pytest.approx(0.442, abs=0.005)
    assert test["clusters"]["mean_pairs"] == pytest.approx(4.95, abs=0.1)
    assert test["clusters"]["max_pairs"] == 12
    assert test["same_bag"]["share"] == pytest.approx(0.069, abs=0.006)
    assert test["same_bag"]["positive_rate"] == pytest.approx(0.26, abs=0.03)
    official = np.array([25, 552, 3904, 1978, 416, 1125]) / 8000
    assert [band["share"] for band in test["overlap"]] == pytest.approx(official, abs=0.02)
    rates = [band["positive_rate"] for band in test["overlap"][1:]]
    assert rates == pytest.approx([0.31, 0.47, 0.47, 0.44, 0.37], abs=0.05)


@pytest.mark.parametrize("name", list(MEASURED))
def test_paws_files_in_every_count(paws, name):
    expected = MEASURED[name]
    file = Path(os.environ["PARAPHRASE_PAWS_DIR"]) / f"{name}.tsv"
    if hashlib.sha256(file.read_bytes()).hexdigest() != expected["sha256"]:
        pytest.skip(f"another {name}.tsv than the one that was counted")
    report = describe_split(*paws[name], max_length=None)
    clusters = report["clusters"]
    assert (report["pairs"], report["yes"], report["distinct_sentences"]) == expected["counts"]
    assert (clusters["number"], clusters["max_pairs"], round(clusters["effective_pairs"])) == expected["clusters"]
    assert [band["pairs"] for band in report["overlap"]] == expected["overlap"]
    assert (report["same_bag"]["pairs"], report["same_bag"]["yes"]) == expected["same_bag"]
    assert tuple(report["noise"].values()) == expected["noise"]
