"""Pipes in the place of the input or the output of a scoring: the bytes are the ones of files."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hash_scorer import HashScorer, pairs_csv, read, write
from paraphrase_lab.data.opening import is_pipe
from paraphrase_lab.data.options import ReadOptions
from paraphrase_lab.errors import UserError
from paraphrase_lab.scoring.pipes import files_for
from paraphrase_lab.scoring.stream import score_file

OPTIONS = ReadOptions(flags=True)
CONTENTS = {
    "csv": "sentence1,sentence2\na,b\nc,d\n",
    "tsv": "sentence1\tsentence2\na\tb\nc\td\n",
    "jsonl": '{"sentence1": "a", "sentence2": "b"}\n{"sentence1": "c", "sentence2": "d"}\n',
}


def piped_in(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content.encode())))


def scored(source: Path, output: Path, **options: Any) -> None:
    with files_for(source, output, OPTIONS) as (given, written):
        score_file(HashScorer(), given, written, **options)


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/stdout", "/dev/null"])
def test_names_of_pipes(name: str, tmp_path: Path) -> None:
    assert is_pipe(Path(name))
    assert not is_pipe(pairs_csv(tmp_path / "a.csv", 1)) and not is_pipe(tmp_path) and not is_pipe(tmp_path / "new.csv")


@pytest.mark.parametrize("ending", CONTENTS)
@pytest.mark.parametrize(("source", "output"), [("-", "-"), ("/dev/stdin", "/dev/stdout")])
def test_a_pipe_gets_what_a_file_would_hold(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    ending: str,
    source: str,
    output: str,
) -> None:
    score_file(HashScorer(), write(tmp_path / f"a.{ending}", CONTENTS[ending]), tmp_path / f"b.{ending}")
    piped_in(monkeypatch, CONTENTS[ending])
    scored(Path(source), Path(output))
    assert capsysbinary.readouterr().out == (tmp_path / f"b.{ending}").read_bytes()


def test_a_format_that_is_not_written_comes_as_csv(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    scored(write(tmp_path / "a.json", '[{"sentence1": "a", "sentence2": "b"}]'), Path("-"))
    assert capsysbinary.readouterr().out.startswith(b"sentence1,sentence2,probability,prediction,beyond_training\na,b,")


def test_named_pipes(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    os.mkfifo(source)
    feeder = threading.Thread(target=source.write_bytes, args=(CONTENTS["csv"].encode(),))
    feeder.start()
    scored(source, tmp_path / "out.csv")
    feeder.join()
    assert [row["sentence1"] for row in read(tmp_path / "out.csv")] == ["a", "c"]


def test_messages_name_the_pipe_and_nothing_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    piped_in(monkeypatch, "sentence1,other\na,b\n")
    with pytest.raises(UserError, match=r"^- has no column 'sentence2'"):
        scored(Path("-"), Path("-"))
    assert capsysbinary.readouterr().out == b""


def test_bad_rows_name_the_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its copy is deleted in the end."""
    content = "sentence1,sentence2\na,b\n,d\ne\n"
    piped_in(monkeypatch, content)
    with pytest.raises(UserError, match=r"\n  -:3: 'sentence1' is empty") as caught:
        scored(Path("-"), tmp_path / "out.csv", named=Path("-"), typed="paraphrase predict mine")
    assert "\n  -:4: ragged line" in str(caught.value) and "paraphrase predict mine --on-bad-rows skip" in caught.value.hint
    piped_in(monkeypatch, content)
    scored(Path("-"), tmp_path / "b.csv", named=Path("-"), on_bad_rows="skip")
    assert [(row["file"], row["line"]) for row in read(tmp_path / "b.csv.bad_rows.csv")] == [("-", "3"), ("-", "4")]
