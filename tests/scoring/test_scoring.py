from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

from hash_scorer import HashScorer, pairs_csv, probability, read, write
from paraphrase_lab.errors import BadRowsError, RunError, UserError
from paraphrase_lab.runtime import progress
from paraphrase_lab.scoring.stream import score_file

PAIRS = [("1", "a b", "b a"), ("2", 'he said "no"', "no, he said"), ("3", "x", "x"), ("4", "é", "🙂"), ("5", "p", "q")]


def source_file(folder: Path, ending: str) -> Path:
    path = folder / f"pairs{ending}"
    rows = [dict(zip(("id", "sentence1", "sentence2"), pair, strict=True)) for pair in PAIRS]
    if ending == ".csv":
        with path.open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerows([("id", "sentence1", "sentence2"), *PAIRS])
    elif ending == ".tsv":
        write(path, "".join("\t".join(row) + "\n" for row in [("id", "sentence1", "sentence2"), *PAIRS]))
    elif ending == ".jsonl":
        write(path, "".join(json.dumps(row) + "\n" for row in rows))
    elif ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with ipc.new_stream(str(path), pa.Table.from_pylist(rows).schema) as writer:
            writer.write_table(pa.Table.from_pylist(rows))
    return path


@pytest.mark.parametrize("output_ending", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("source_ending", [".csv", ".tsv", ".jsonl", ".parquet", ".arrow"])
def test_every_format_to_every_format(tmp_path: Path, source_ending: str, output_ending: str) -> None:
    output = tmp_path / "new folder" / f"scored{output_ending}"
    summary = score_file(HashScorer(), source_file(tmp_path, source_ending), output, chunk_rows=2)
    expected = [
        (*pair, score := probability(*pair[1:]), int(score >= 0.5), "new words: mat" * ("mat" in pair[1])) for pair in PAIRS
    ]
    rows = read(output)
    assert list(rows[0]) == ["id", "sentence1", "sentence2", "probability", "prediction", "beyond_training"]
    types = (str, str, str, float, int, str)
    assert [tuple(of(value) for of, value in zip(types, row.values(), strict=True)) for row in rows] == expected
    if output_ending in (".jsonl", ".parquet"):
        assert [type(value) for value in rows[0].values()] == list(types)
    share = sum(row[4] for row in expected) / 5
    assert 0 < share < 1
    assert (summary.rows, summary.scored, summary.bad_rows, summary.resumed_from_row) == (5, 5, 0, 0)
    assert summary.paraphrase_share == share and summary.output == output and summary.seconds > 0
    assert [entry.name for entry in output.parent.iterdir()] == [output.name]


def test_other_columns_and_a_probability_at_the_threshold_is_a_paraphrase(tmp_path: Path) -> None:
    class Even(HashScorer):
        def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
            assert list(pairs) == [("u", "v"), ("w", "x")]
            return np.array([0.5, 0.4999999])

    source = write(tmp_path / "a.tsv", "q2\tother\tq1\nv\t\tu\nx\t\tw\n")
    summary = score_file(Even(), source, tmp_path / "b.tsv", columns=("q1", "q2"))
    assert summary.paraphrase_share == 0.5
    assert (tmp_path / "b.tsv").read_text() == (
        "q2\tother\tq1\tprobability\tprediction\tbeyond_training\nv\t\tu\t0.5\t1\t\nx\t\tw\t0.4999999\t0\t\n"
    )


def test_a_file_with_a_header_only(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", "sentence1,sentence2\n")
    summary = score_file(HashScorer(), source, tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == "sentence1,sentence2,probability,prediction,beyond_training\n"
    assert (summary.rows, summary.paraphrase_share) == (0, None)


BAD_CSV = b'id,sentence1,sentence2\n1,a,b\n2,,b\n3,a\n4,\xff,b\n5,a,"  "\n6,"a,b\n7,a,c\n'


BAD_CSV_PROBLEMS = [
    (3, "'sentence1' is empty", ""),
    (4, "ragged line: 2 fields, the header has 3", "3,a"),
    (5, "not UTF-8", r"4,\xff,b"),
    (6, "'sentence2' is empty", "  "),
    (7, "a quote is never closed", '6,"a,b'),
]


def test_bad_rows_are_an_error_that_names_each(tmp_path: Path) -> None:
    source, output = write(tmp_path / "a.csv", BAD_CSV), tmp_path / "b.csv"
    with pytest.raises(BadRowsError) as caught:
        score_file(HashScorer(), source, output, chunk_rows=3)
    listed = [f"  {source}:{line}: {problem}: {value!r}" for line, problem, value in BAD_CSV_PROBLEMS]
    assert caught.value.problem == "\n".join(["5 rows cannot be used:", *listed])
    assert caught.value.hint == (
        f"paraphrase predict RUN --input {source} --output {output} --on-bad-rows skip "
        "leaves them without a score and lists them in b.csv.bad_rows.csv"
    )
    assert not output.exists()


def test_skipped_rows_keep_their_place_where_they_have_fields(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", BAD_CSV)
    summary = score_file(HashScorer(), source, tmp_path / "b.csv", on_bad_rows="skip", chunk_rows=3)
    assert (summary.rows, summary.scored, summary.bad_rows) == (7, 2, 5)
    rows = read(tmp_path / "b.csv")
    assert [row["id"] for row in rows] == ["1", "2", "5", "7"]
    assert [row["prediction"] == "" and row["probability"] == "" for row in rows] == [False, True, True, False]
    listed = read(tmp_path / "b.csv.bad_rows.csv")
    assert [(int(row["line"]), row["problem"], row["value"]) for row in listed] == BAD_CSV_PROBLEMS
    assert {row["file"] for row in listed} == {str(source)}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"sentence1": "a"}, r"a.jsonl:2: 'sentence2' is missing: ''"),
        ({"sentence1": None, "sentence2": "b"}, r"a.jsonl:2: 'sentence1' is missing: ''"),
        ({"sentence1": "a", "sentence2": 12}, r"a.jsonl:2: 'sentence2' is of type int, not text: '12'"),
        ({"sentence1": ["a"], "sentence2": "b"}, r"a.jsonl:2: 'sentence1' is of type list, not text: \"\['a'\]\""),
        ({"sentence1": " \t", "sentence2": "b"}, r"a.jsonl:2: 'sentence1' is empty: ' \\t'"),
    ],
)
def test_rows_without_two_sentences(tmp_path: Path, row: dict[str, Any], problem: str) -> None:
    good = {"sentence1": "a", "sentence2": "b"}
    source = write(tmp_path / "a.jsonl", "".join(json.dumps(each) + "\n" for each in (good, row, good)))
    with pytest.raises(BadRowsError, match=problem):
        score_file(HashScorer(), source, tmp_path / "b.jsonl")
    score_file(HashScorer(), source, tmp_path / "b.jsonl", on_bad_rows="skip")
    assert read(tmp_path / "b.jsonl")[1] == {**row, "probability": None, "prediction": None, "beyond_training": None}
    score_file(HashScorer(), source, tmp_path / "b.parquet", on_bad_rows="skip")
    scores = pq.read_table(tmp_path / "b.parquet", columns=["probability", "prediction", "beyond_training"])
    assert [column.null_count for column in scores] == [1, 1, 1]


def test_a_bad_rows_file_of_before_goes_when_no_row_is_bad(tmp_path: Path) -> None:
    source, output = write(tmp_path / "a.csv", BAD_CSV), tmp_path / "b.csv"
    score_file(HashScorer(), source, output, on_bad_rows="skip")
    pairs_csv(source, 3)
    score_file(HashScorer(), source, output, overwrite=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("output", "options", "match"),
    [
        (
            "b.txt",
            {},
            r"ending '.txt'.*\nendings that can be: .csv, .tsv, .jsonl, .parquet\nfor example --output .*b.csv",
        ),
        ("b.arrow", {}, "ending '.arrow', which names no format that can be written"),
        ("a.csv", {}, "input and output are the same file"),
        ("a.csv", {"overwrite": True}, "input and output are the same file"),
        ("link.csv", {"overwrite": True}, "input and output are the same file"),
        ("folder.csv", {}, "folder.csv is a folder"),
        (
            "there.csv",
            {},
            r"there.csv exists already\nparaphrase predict RUN --input .* --output .*there.csv --overwrite",
        ),
        ("b.csv", {"columns": ("sentence1", "sentense2")}, r"no column 'sentense2'\n.*\n--columns sentence1 sentence2"),
        ("b.csv", {"columns": ("id", "id")}, "both sentences would come from the column 'id'"),
        ("b.csv", {"chunk_rows": 0}, "chunk_rows is at least 1"),
    ],
)
def test_requests_that_cannot_be_met(tmp_path: Path, output: str, options: dict[str, Any], match: str) -> None:
    source = pairs_csv(tmp_path / "a.csv", 2)
    content = source.read_bytes()
    (tmp_path / "link.csv").hardlink_to(source)
    (tmp_path / "folder.csv").mkdir()
    write(tmp_path / "there.csv", "of before")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=match):
        score_file(HashScorer(), source, tmp_path / output, **options)
    assert sorted(tmp_path.iterdir()) == before and source.read_bytes() == content
    assert (tmp_path / "there.csv").read_text() == "of before"


def test_overwrite_replaces_the_output(tmp_path: Path) -> None:
    source, output = pairs_csv(tmp_path / "a.csv", 2), write(tmp_path / "b.csv", "of before")
    score_file(HashScorer(), source, output, overwrite=True)
    assert len(read(output)) == 2


def test_a_missing_input(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file .*a.csv"):
        score_file(HashScorer(), tmp_path / "a.csv", tmp_path / "b.csv")


@pytest.mark.parametrize("wrong", [float("nan"), 1.5, -0.1])
def test_scores_that_are_no_probabilities(tmp_path: Path, wrong: float) -> None:
    class Wrong(HashScorer):
        def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
            return np.array([0.5, wrong])

    source = write(tmp_path / "a.csv", "sentence1,sentence2\na,b\nc,d\n")
    with pytest.raises(RunError, match=rf"gives {re.escape(str(wrong))} as the probability of .*a.csv:3\n"):
        score_file(Wrong(), source, tmp_path / "b.csv")
    with pytest.raises(RunError, match=r"scores of shape \(2,\) for 3 pairs"):
        score_file(Wrong(), pairs_csv(source, 3), tmp_path / "b.csv")


def test_progress_is_a_line_on_standard_error_that_reaches_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in `paraphrase predict`, which keeps no log
    score_file(HashScorer(), pairs_csv(tmp_path / "a.csv", 5000), tmp_path / "b.csv", chunk_rows=1000)
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == "" and len(lines) == 5
    assert re.fullmatch(r"scoring a.csv \d+ %, ETA [\d:]+  1,000 rows, [\d,]+ rows/s", lines[0])
    assert re.fullmatch(r"scoring a.csv \d+ %, ETA [\d:]+  5,000 rows, [\d,]+ rows/s", lines[-1])
    shares = [int(line.split()[2]) for line in lines]
    assert shares == sorted(shares) and shares[0] < 40 < shares[2] + 1 and shares[-1] > 80
