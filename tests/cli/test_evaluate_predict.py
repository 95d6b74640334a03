"""evaluate and predict as a user types them: the run's own configuration, frozen calibration, equal scores everywhere."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from commands import paraphrase
from paraphrase_lab.configuration.schema import DataConfig, PairsConfig


def write_pairs(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("sentence1", "sentence2", "label"), *rows])
    return path


def reported(run: Path, split: str) -> dict:
    (file,) = (run / "evaluations").glob(f"{split}-*/metrics.json")
    return json.loads(file.read_text())


def test_evaluate_repeats_what_the_run_reported(tiny_run: Path) -> None:
    assert paraphrase("evaluate", str(tiny_run)) == 0
    record = json.loads((tiny_run / "run.json").read_text())
    again = reported(tiny_run, "test")
    recorded = {name: value for name, value in record["metrics"].items() if name.startswith("test/")}
    assert again["metrics"] == pytest.approx(recorded, rel=1e-6, abs=1e-8)  # order_gap is a mean of tiny differences
    assert again["calibration"] == record["calibration"]
    assert (again["split"], again["fingerprint"]) == ("test", record["data"]["test"]["fingerprint"])


@pytest.mark.slow
def test_other_data_replace_the_node_and_the_rest_stays(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").mkdir()
    first = write_pairs(tmp_path / "a" / "pairs.csv", [("a b", "b a", "no"), ("c", "c", "yes"), ("d", "e", "no")])
    second = write_pairs(tmp_path / "other.csv", [("x y", "y x", "0"), ("z", "z", "1")])
    labels = "data.labels={no:0,yes:1}"
    words = (
        "evaluate",
        str(tiny_run),
        "data=pairs",
        f"data.path={first}",
        labels,
        "--also",
        "data=pairs",
        f"data.path={second}",
    )
    assert paraphrase(*words) == 0
    output = capsys.readouterr().out
    assert output.count("│ accuracy ") == 2 and "pairs.csv" in output and "other.csv" in output
    found = {json.loads(file.read_text())["pairs"] for file in (tiny_run / "evaluations").glob("*/metrics.json")}
    assert found >= {2, 3}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("model=roberta_base",), "model: an evaluation changes data and metrics, the rest made the weights"),
        (("data.max_lenth=64",), "data.max_lenth: the run's configuration has no such key; did you mean data.max_length?"),
        (("data=pears",), "data has no option 'pears'. Did you mean 'pairs'?"),
        (("data.max_length=2",), "data.max_length"),
        (("--split", "train", "data=pairs", "data.test={file}"), "the data set has no train split"),
    ],
)
def test_what_evaluate_refuses(
    words: tuple[str, ...], text: str, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_pairs(tmp_path / "t.csv", [("a", "b", "0")])
    assert paraphrase("evaluate", str(tiny_run), *(word.format(file=file) for word in words)) == 2
    assert text in capsys.readouterr().err


@pytest.fixture
def headerless_run(tiny_run: Path, tmp_path: Path) -> Path:
    run = shutil.copytree(tiny_run, tmp_path / "headerless")
    config = OmegaConf.load(run / "config.yaml")
    names = {"sentence1": "one", "sentence2": "two", "label": "same", "columns": ["id", "one", "two", "same"]}
    config.data = {
        **{field.name: config.data[field.name] for field in fields(DataConfig)},
        **{field.name: None for field in fields(PairsConfig) if field.name not in config.data},
        "_target_": "paraphrase_lab.data.sources.Pairs", "path": "gone.csv", "quoting": "auto", "encoding": "utf-8",
        "labels": {}, **names,
    }  # fmt: skip
    OmegaConf.save(config, run / "config.yaml")
    return run


@pytest.mark.parametrize("header", ["sentence1,sentence2,label", "id,one,two,same"])
def test_what_was_kept_from_the_run_is_named_where_a_file_does_not_fit(
    headerless_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], header: str
) -> None:
    file = tmp_path / "with header.csv"
    number = "7," if header.startswith("id") else ""
    rows = "".join(f"{number}a {i} b,b a {i},{i % 2}\n" for i in range(6))
    file.write_text(f"{header}\n{rows}", encoding="utf-8")
    words = ("evaluate", str(headerless_run), "data=pairs", f"data.path='{file}'")
    assert paraphrase(*words) == 2
    said = capsys.readouterr().err
    assert "kept from the run: 'data.columns=[id,one,two,same]'; type 'data.columns=[]' where the file" in said
    assert (
        f"with header.csv:1: this line looks like a header, and would be read as a pair: {', '.join(header.split(','))}" in said
    )
    names = () if header.startswith("id") else ("data.sentence1=sentence1", "data.sentence2=sentence2", "data.label=label")
    assert paraphrase(*words, "data.columns=[]", *names) == 0
    capsys.readouterr()
    assert paraphrase(*words, "data.columns=[a,b]") == 2
    assert "kept from the run" not in capsys.readouterr().err


def test_a_public_data_set_is_read_as_its_file_says_and_not_as_the_run_was(
    headerless_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    for split in ("train", "test"):
        lines = "".join(f'{i % 2}\t1\t2\t"{split} {i}" said b\tb said {split} {i}\n' for i in range(6))
        (tmp_path / f"msr_paraphrase_{split}.txt").write_text(header + lines, encoding="utf-8")
    assert paraphrase("evaluate", str(headerless_run), "data=mrpc_tsv", f"data.path='{tmp_path}'") == 0
    said = capsys.readouterr().out
    assert "data.label=Quality (same)" in said and "data.columns=[] ([" in said and "max_length" not in said


def test_directories_that_are_no_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert paraphrase("evaluate", "nowhere") == 2
    assert "nowhere is not a run: it has no run.json" in capsys.readouterr().err
    assert paraphrase("predict", "latest", "a", "b") == 2
    assert "no finished run below runs" in capsys.readouterr().err


def test_scores_are_the_same_on_the_screen_in_files_and_in_the_run(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pq.read_table(tiny_run / "predictions.parquet").to_pylist()
    source = write_pairs(tmp_path / "in.csv", [(row["sentence1"], row["sentence2"], str(row["label"])) for row in rows])
    for ending in (".csv", ".tsv", ".jsonl", ".parquet"):
        output = tmp_path / f"out{ending}"
        assert paraphrase("predict", str(tiny_run), "--input", str(source), "--output", str(output)) == 0
    assert f"{tmp_path / 'out.csv'}: {len(rows)} rows" in capsys.readouterr().out
    with (tmp_path / "out.csv").open(newline="") as file:
        scored = list(csv.DictReader(file))
    assert [float(row["probability"]) for row in scored] == pytest.approx([row["probability"] for row in rows], abs=1e-5)
    assert [int(row["prediction"]) for row in scored] == [row["prediction"] for row in rows]
    assert pq.read_table(tmp_path / "out.parquet").column("probability").to_pylist() == [
        float(r["probability"]) for r in scored
    ]
    first = rows[0]
    assert paraphrase("predict", str(tiny_run), first["sentence1"], first["sentence2"]) == 0
    assert f"{first['probability']:.4f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("a",), "give an even number of sentences: got 1"),
        ((), "nothing to score"),
        (("--input", "x.csv"), "nothing to score"),
        (("--input", "{tmp}/missing.csv", "--output", "o.csv"), "missing.csv"),
        (("--input", "{tmp}/in.csv", "--output", "{tmp}/o.csv", "--columns", "first", "second"), "first"),
        (("--input", "{tmp}/in.csv", "--output", "{tmp}/o.xls"), "parquet"),
    ],
)
def test_what_predict_refuses(
    words: tuple[str, ...], text: str, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pairs(tmp_path / "in.csv", [("a", "b", "0")])
    assert paraphrase("predict", str(tiny_run), *(word.format(tmp=tmp_path) for word in words)) == 2
    assert text in capsys.readouterr().err


def test_bad_rows_of_a_file(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_pairs(tmp_path / "in.csv", [("a", "b", "0"), ("", "b", "0"), ("c", "d", "1")])
    output = tmp_path / "out.csv"
    assert paraphrase("predict", str(tiny_run), "--input", str(source), "--output", str(output)) == 2
    assert "in.csv:3" in capsys.readouterr().err
    assert paraphrase("predict", str(tiny_run), "--input", str(source), "--output", str(output), "--on-bad-rows", "skip") == 0
    with output.open(newline="") as file:
        assert [row["prediction"] != "" for row in csv.DictReader(file)] == [True, False, True]


@pytest.mark.slow
def test_a_million_rows_need_no_more_memory_than_a_few(tiny_run: Path, tmp_path: Path) -> None:
    sentences = [
        f"I took a flight from {a} to {b}" for a, b in (("New York", "Paris"), ("Paris", "New York"), ("Rome", "Oslo"))
    ]
    peaks = []
    for rows in (20_000, 1_000_000):
        source = tmp_path / f"{rows}.tsv"
        with source.open("w") as file:
            file.write("sentence1\tsentence2\n")
            for number in range(rows):
                file.write(f"{sentences[number % 3]} {number % 97}\t{sentences[(number + 1) % 3]} {number % 89}\n")
        code = (
            "import sys; from paraphrase_lab.cli import run; code = run(sys.argv[1:]);"
            "print('PEAK', [line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1]);"
            "sys.exit(code)"
        )
        words = ["predict", str(tiny_run), "--input", str(source), "--output", str(tmp_path / f"{rows}.parquet")]
        environment = {**os.environ, "OMP_NUM_THREADS": "2"}
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=1500, env=environment
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.split("PEAK")[1]) / 1024)
        assert pq.ParquetFile(tmp_path / f"{rows}.parquet").metadata.num_rows == rows
    assert peaks[1] < peaks[0] + 150, f"{peaks} MiB"
