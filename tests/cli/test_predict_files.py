"""`paraphrase predict` on the files and pipes that people have: how they are read, and which columns are the sentences."""

from __future__ import annotations

import csv
import io
import json
import shlex
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from commands import paraphrase

PAIRS = [("she said “no”", "ünï"), ("a; b", "c")]


def predicted(run: Path, source: Path, *words: str) -> int:
    return paraphrase("predict", str(run), "--input", str(source), "--output", str(source.with_name("out.csv")), *words)


def sentences(output: Path) -> list[tuple[str, str]]:
    with output.open(encoding="utf-8", newline="") as file:
        return [(row["sentence1"], row["sentence2"]) for row in csv.DictReader(file)]


READ_FLAGS = {
    "--delimiter": ('sentence1;sentence2\nshe said “no”;ünï\n"a; b";c\n', "utf-8", ("--delimiter", "semicolon")),
    "--quoting": ('sentence1\tsentence2\n"she said “no”"\t"ünï"\n"a; b"\t"c"\n', "utf-8", ("--quoting", "standard")),
    "--encoding": ("sentence1,sentence2\nshe said “no”,ünï\na; b,c\n", "cp1252", ("--encoding", "cp1252")),
    "--header": ("the first long sentence,the other long sentence\n", "utf-8", ("--header", "sentence1,sentence2")),
}  # fmt: skip


@pytest.mark.parametrize(("content", "encoding", "flag"), READ_FLAGS.values(), ids=READ_FLAGS)
def test_a_file_is_refused_with_the_flag_that_reads_it(
    tiny_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    encoding: str,
    flag: tuple[str, ...],
) -> None:
    text = content if flag[0] != "--encoding" else content + "“x”,y\n"
    source = tmp_path / ("in.tsv" if "\t" in content else "in.csv")
    source.write_bytes(text.encode(encoding))
    assert predicted(tiny_run, source) == 2
    assert " ".join(flag) in capsys.readouterr().err and not (tmp_path / "out.csv").exists()
    assert predicted(tiny_run, source, *flag) == 0
    expected = PAIRS if flag[0] != "--header" else [("the first long sentence", "the other long sentence")]
    assert sentences(tmp_path / "out.csv")[:2] == expected


def test_the_columns_that_the_message_names(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.csv"
    source.write_text("question1,question2\na,b\n", encoding="utf-8")
    assert predicted(tiny_run, source) == 2
    assert "--columns question1 question2 would fit the header" in capsys.readouterr().err
    assert predicted(tiny_run, source, "--columns", "question1", "question1") == 2
    assert "both sentences would come from the column 'question1'" in capsys.readouterr().err
    assert predicted(tiny_run, source, "--columns", "question1", "question2") == 0
    assert (
        (tmp_path / "out.csv")
        .read_text(encoding="utf-8")
        .startswith("question1,question2,probability,prediction,beyond_training\na,b,")
    )


def test_the_command_of_a_hint_is_the_one_that_was_typed(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "my pairs.csv"
    source.write_text("q 1,q 2\na,b\n,d\n", encoding="utf-8")
    assert predicted(tiny_run, source, "--columns", "q 1", "q 2") == 2
    hint = capsys.readouterr().err.split("cannot be used:")[1].splitlines()[-1]
    words = shlex.split(hint.partition(" leaves them")[0])
    assert words[:3] == ["paraphrase", "predict", str(tiny_run)] and words[-2:] == ["--on-bad-rows", "skip"]
    assert paraphrase(*words[1:]) == 0
    capsys.readouterr()
    assert paraphrase(*words[1:]) == 2
    (hint,) = (line for line in capsys.readouterr().err.splitlines() if line.endswith(" --overwrite replaces it"))
    assert shlex.split(hint)[1:-2] == [*words[1:], "--overwrite"]


def test_the_columns_of_the_run_are_taken_where_the_file_has_them(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    config = OmegaConf.load(run / "config.yaml")
    config.data.update({"sentence1": "premise", "sentence2": "other text"})
    OmegaConf.save(config, run / "config.yaml")
    for header, code in (("premise,other text", 0), ("sentence1,sentence2", 0), ("premise,sentence2", 2)):
        source = tmp_path / "in.csv"
        source.write_text(f"{header}\na,b\n", encoding="utf-8")
        assert predicted(run, source, "--overwrite") == code, header
    assert "in.csv has no column 'sentence1'" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_the_summary_of_a_pipe_goes_to_standard_error(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ending: str, name: str
) -> None:
    content = "sentence1,sentence2\na,b\n" if ending == "csv" else '{"sentence1": "a", "sentence2": "b"}\n'
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content.encode())))
    assert paraphrase("predict", str(tiny_run), "--input", name, "--output", "-") == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    (row,) = map(json.loads, lines) if ending == "jsonl" else csv.DictReader(lines)
    assert list(row) == ["sentence1", "sentence2", "probability", "prediction", "beyond_training"] and row["sentence2"] == "b"
    assert "-: 1 rows" in shown.err and "paraphrases" in shown.err


@pytest.mark.parametrize(("words", "number"), [(("", "x"), 1), (("x", "  "), 2)])
def test_an_empty_sentence(tiny_run: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], number: int) -> None:
    assert paraphrase("predict", str(tiny_run), *words) == 2
    error = capsys.readouterr().err
    assert f"sentence {number} is empty" in error and "every sentence has at least one word" in error


@pytest.fixture
def semicolons(tiny_run: Path, tmp_path: Path) -> Path:
    """A run whose data had no header, and came from a program that writes semicolons and cp1252."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    config = OmegaConf.load(run / "config.yaml")
    with_files = {"delimiter": "semicolon", "quoting": "none", "encoding": "cp1252", "columns": ["one", "two", "label"]}
    names = {"_target_": "paraphrase_lab.data.sources.Pairs", "sentence1": "one", "sentence2": "two", "format": None}
    config.data.update({**names, **with_files})
    OmegaConf.save(config, run / "config.yaml")
    return run


def test_a_file_of_the_runs_form_is_read(semicolons: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes('she said "no";für;1\nb;c;0\n'.encode("cp1252"))
    assert predicted(semicolons, source) == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [(row["one"], row["two"]) for row in csv.DictReader(file)] == [('she said "no"', "für"), ("b", "c")]


def test_a_header_with_the_runs_columns_is_one(semicolons: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("two;one\na;b\n", encoding="utf-8")
    assert predicted(semicolons, source) == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith("two,one,probability,prediction,beyond_training\na,b,")


def test_flags_override_what_the_run_kept_and_the_message_names_them(
    semicolons: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.csv"
    source.write_text("q1,q2\na,b\nc,d\n", encoding="utf-8")
    assert predicted(semicolons, source) == 2
    said = capsys.readouterr().err
    kept = "kept from the run: --delimiter semicolon --encoding cp1252 --header one,two,label; type "
    flags = shlex.split(said.partition(kept)[2].partition(" where the file")[0])
    assert flags == ["--delimiter", "comma", "--encoding", "utf-8", "--header", ""]
    assert predicted(semicolons, source, *flags, "--columns", "q1", "q2") == 0
    capsys.readouterr()
    assert predicted(semicolons, source, *flags, "--overwrite") == 2
    assert "kept from the run" not in capsys.readouterr().err


def test_quoting_none_of_a_run_is_not_kept_for_a_quoted_file(semicolons: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would take the quotes for a part of the sentences, and nobody would see it."""
    source = semicolons.parent / "quoted.tsv"
    source.write_text('one\ttwo\n"he said ""a"""\t"b c"\n"d"\t"e"\n', encoding="utf-8")
    usual = ("--delimiter", "tab", "--encoding", "utf-8", "--header", "")
    assert predicted(semicolons, source, *usual) == 2
    assert "--quoting standard reads such a file" in capsys.readouterr().err
    assert predicted(semicolons, source, *usual, "--quoting", "none") == 0, "where it was typed, the quotes are wanted"
