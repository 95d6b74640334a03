"""Scores, classes that are left out, stand-ins for sentences, and splits under other names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checking import problems
from commands import paraphrase
from paraphrase_lab.data.sources import Pairs
from paraphrase_lab.data.tables import load_split, load_tables
from paraphrase_lab.errors import BadRowsError, UserError


def pairs_file(path: Path, labels: list[Any], **cells: str) -> Path:
    lines = [
        {"sentence1": f"a {i} {path.stem}", "sentence2": f"b {i} {path.stem}", "label": label} | cells
        for i, label in enumerate(labels)
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


GRADED: dict[str, Any] = {"positive_from": 3.5, "score_range": [0, 5]}


def test_scores_become_labels_from_a_threshold_on(tmp_path: Path) -> None:
    path = pairs_file(tmp_path / "a.jsonl", [0, 3.5, "3.49", "5.000", 5, 3])
    table = load_tables(Pairs(test=str(path), **GRADED)).splits["test"]
    assert table.labels.tolist() == [0, 1, 0, 1, 1, 0]
    assert load_tables(Pairs(test=str(path), positive_from=0.1, score_range=[-1, 5])).splits["test"].labels.sum() == 5


def test_scores_of_another_scale_are_never_left_out_as_bad_rows(tmp_path: Path) -> None:
    path = pairs_file(tmp_path / "a.jsonl", [0, 0.9, 4.5, 2] * 10)
    hint = r"They look like scores: 'data\.score_range=\[0,5\]' data\.positive_from=NUMBER"
    with pytest.raises(BadRowsError, match=hint):
        load_tables(Pairs(str(path), positive_from=0.8, score_range=[0, 1]), on_bad_rows="skip")


@pytest.mark.parametrize("score", [5.1, -0.5, "high", True, "inf", [1]], ids=repr)
def test_what_is_no_score_is_a_bad_row(tmp_path: Path, score: Any) -> None:
    path = pairs_file(tmp_path / "a.jsonl", [score, *[5, 0] * 60])
    with pytest.raises(BadRowsError, match=r"a\.jsonl:1: the label is none of 0, 1: "):
        load_tables(Pairs(test=str(path), **GRADED))
    assert len(load_tables(Pairs(test=str(path), **GRADED), on_bad_rows="skip").splits["test"]) == 120


def test_a_one_below_the_scale_is_no_paraphrase(tmp_path: Path) -> None:
    path = pairs_file(tmp_path / "a.jsonl", [1, 2, 5])
    with pytest.raises(BadRowsError, match=r"a\.jsonl:1: the label is none of 0, 1: '1, no score'"):
        load_tables(Pairs(test=str(path), positive_from=4, score_range=[2, 5]))


@pytest.mark.parametrize("hidden", [-1, -1.0, "-1.0", "", None])
def test_hidden_scores_are_not_those_of_other_meanings(tmp_path: Path, hidden: Any) -> None:
    pairs_file(tmp_path / "train.jsonl", [0, 5] * 20)
    pairs_file(tmp_path / "test.jsonl", [hidden] * 8)
    tables = load_tables(Pairs(str(tmp_path), **GRADED))
    assert list(tables.splits) == ["train", "validation"] and tables.notes[0].startswith("all 8 labels of test are ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"positive_from": 4}, r"positive_from=4 does not say of which scale\n'data\.score_range=\[0,5\]' names its ends"),
        (
            {"score_range": [0, 5]},
            r"score_range=\[0,5\], but nothing says which score makes a paraphrase\ndata\.positive_from=",
        ),
        ({**GRADED, "labels": {"no": 0, "yes": 1}}, r"positive_from=3\.5 is for scores, and data\.labels for classes"),
        (
            {**GRADED, "score_range": [5, 0]},
            r"score_range=\[5,0\] is no scale\nthe lowest and the highest score, as in \[0,5\]",
        ),
        ({**GRADED, "score_range": [5]}, r"score_range=\[5\] is no scale"),
        (
            {**GRADED, "score_range": [0, 1]},
            r"positive_from=3\.5 makes all pairs of data\.score_range=\[0,1\] alike\nabove 0, at most 1",
        ),
        ({**GRADED, "positive_from": 0}, r"positive_from=0 makes all pairs of data\.score_range=\[0,5\] alike"),
        (
            {"splits": {"dev": "x"}},
            r"splits=\{dev:x\} does not name a split\ntrain, validation and test, .*\nas in 'data\.splits=",
        ),
        ({"splits": {"test": [1]}}, r"splits=\{test:\[1\]\} does not name a split"),
    ],
)
def test_keys_that_contradict_each_other(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=rf"^data\.{message}"):
        Pairs("a.csv", **arguments)


def test_the_check_says_so_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pairs_file(tmp_path / "a.jsonl", [0, 5] * 60)
    assert paraphrase("check", "data=pairs", f"data.path={path}", "data.positive_from=4") == 2
    assert "data.positive_from=4 does not say of which scale" in " ".join(capsys.readouterr().err.split())
    assert paraphrase("check", "data=pairs", f"data.path={path}", "data.positive_from=4", "data.score_range=[0,5]") == 0
    (problem,) = problems("data=pairs", f"data.path={path}", "data.labels={a:1,b:null}")
    assert problem.startswith("data.labels={a:1,b:null} must lead to 0") and problem.endswith(
        "null leaves the pairs of a label out."
    )


def test_a_class_is_left_out_and_counted(tmp_path: Path) -> None:
    path = pairs_file(tmp_path / "a.jsonl", ["yes", "no", "Unsure", "-"] * 10)
    source = Pairs(str(path), labels={"yes": 1, "no": 0, "unsure": None, "-": None})
    tables = load_tables(source)
    assert sum(map(len, tables.splits.values())) == 20
    assert tables.notes[:2] == [
        "10 pairs of train left out: their label is 'Unsure'",
        "10 pairs of train left out: their label is '-'",
    ]
    settings: dict[str, Any] = {"own": False, "on_bad_rows": "error", "limit": None}
    assert load_split(source, None, **settings)[1].notes == [note.replace("of train", "of test") for note in tables.notes[:2]]


def test_placeholders_and_printed_bytes(tmp_path: Path) -> None:
    path = tmp_path / "test.tsv"
    cells = [("b'na\\xc3\\xafve'", 'b"it\'s"'), ("NS", "b"), ("a", "b'NS'"), ("b'", "b'\\xff'"), ("plain", "b'open")]
    path.write_text("sentence1\tsentence2\tlabel\n" + "".join(f"{a}\t{b}\t1\n" for a, b in cells), encoding="utf-8")
    tables = load_tables(Pairs(test=str(path), placeholders=["NS"], python_bytes=True))
    table = tables.splits["test"]
    assert list(zip(table.sentence1, table.sentence2, strict=True)) == [
        ("naïve", "it's"),
        ("b'", r"b'\xff'"),
        ("plain", "b'open"),
    ]
    assert tables.notes == ["2 pairs of test left out: a sentence is 'NS'"]
    assert len(load_tables(Pairs(test=str(path))).splits["test"]) == 5


def test_splits_under_other_names(tmp_path: Path) -> None:
    for name in ("a.tsv", "dev.tsv", "dev_b.tsv", "test.tsv", "c.de.tsv", "notes.txt"):
        (tmp_path / name).touch()
    source = Pairs(str(tmp_path), splits={"train": ["gone", "a"], "validation": "dev_b"})
    found = {split: [file.name for file in files] for split, files in source.files().items()}
    assert found == {"train": ["a.tsv"], "validation": ["dev_b.tsv"], "test": ["test.tsv"]}
    assert list(Pairs(str(tmp_path), splits={"train": "a", "test": None}).files()) == ["train", "validation"]
    assert Pairs(str(tmp_path), splits={"train": "c.de"}).files()["train"] == [tmp_path / "c.de.tsv"]
    given = Pairs(str(tmp_path), train=str(tmp_path / "a.tsv"), splits={"train": "gone"})
    assert given.files()["train"] == [tmp_path / "a.tsv"], "a file that is named goes before a name"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a_train.txt").touch()
    with pytest.raises(
        UserError, match=r"no file of pairs\n.*\nits files: a_train\.txt; 'data\.splits=\{train:NAME\}' says which"
    ):
        Pairs(str(tmp_path / "other")).files()
    with pytest.raises(
        UserError,
        match=r"has no split named dev_x or devx\nits splits and files: a\.tsv, c\.de\.tsv, dev\.tsv, dev_b\.tsv, notes"
        r"\.txt, other, test\.tsv\ndata\.splits\.validation=NAME names another, data\.splits\.validation=null does without",
    ):
        Pairs(str(tmp_path), splits={"validation": ["dev_x", "devx"]}).files()
