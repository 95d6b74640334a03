"""`paraphrase runs` on records written as a run writes them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from commands import paraphrase
from paraphrase_lab.errors import RunError
from paraphrase_lab.runs.configuration import configuration_of
from paraphrase_lab.runs.differences import differing_keys, distinguishing_keys, recipe_names
from paraphrase_lab.runs.fields import Fields
from paraphrase_lab.runs.listing import read_runs
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.short import brief_names, cut_in_the_middle, short_names
from paraphrase_lab.runs.table import age, runs_table
from recorded_runs import recorded, swept


@pytest.fixture(autouse=True)
def _width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def listed(capsys: pytest.CaptureFixture[str], *words: Any) -> list[list[str]]:
    """The cells that are not empty, the heading first, and each note below as one cell."""
    assert paraphrase("runs", *map(str, words)) == 0
    lines = capsys.readouterr().out.splitlines()
    return [re.split(r"\s{2,}", line.strip()) for line in lines if not line.startswith("─")]


def rows_of(*configs: dict[str, Any], **values: Any) -> list[RunRow]:
    return [
        RunRow(Path(f"runs/{number}"), str(number), "finished", config, {}, values) for number, config in enumerate(configs)
    ]


def test_only_what_differs_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heading, *rows, count = listed(capsys, swept(tmp_path))
    assert heading == ["run", "status", "age", "seed", "num_layers", "test/accuracy", "test/f1", "best"]
    assert [[row[0], row[1], *row[3:]] for row in rows][1:3] == [
        ["1", "finished", "0", "2", "0.7100", "0.6100", "0.7500"],
        ["2", "finished", "1", "1", "0.7200", "0.6200", "0.7500"],
    ]
    assert count == [f"4 runs below {tmp_path}"]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_terminal_of_any_width(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for job in range(3):
        place = tmp_path / "2026-11-24" / "10-00-00-123456_sweep" / str(job)
        choices = {"experiment": "word_order_tiny_from_scratch", "data": ("word_order", "paws")[job % 2]}
        config = {"model.num_layers": job, "model.learning_rate": 10.0**-job, "data.train_pairs": 1000 * job}
        metrics = {"test/accuracy": 0.5, "test/f1": 0.5, "val_fitted/accuracy": 0.5}
        recorded(place, choices=choices, config=config, metrics=metrics)
    assert paraphrase("runs", str(tmp_path)) == 0
    lines = capsys.readouterr().out.partition(f"3 runs below {tmp_path}")[0].splitlines()
    assert max(map(len, lines)) <= width
    assert any("accuracy" in line for line in lines[:2]) and all("finished" in line for line in lines[-3:])
    if width == 200:
        assert "2026-11-24/10-00-00-123456_sweep/2" in lines[-1]
    if width == 80:
        assert "11-24/10-00_sweep/2" in lines[-1]


def test_what_found_no_room_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    *_, room = listed(capsys, swept(tmp_path))
    assert room == ["no room for age, test/f1, best: --csv has all"]


def test_sorted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swept(tmp_path)
    recorded(tmp_path / "4", metrics={}, status="failed", config={"model.num_layers": "many"})
    recorded(tmp_path / "5", metrics={"test/f1": float("nan")})
    names = lambda *words: [row[0] for row in listed(capsys, tmp_path, *words)[1:7]]  # noqa: E731
    assert names("--sort", "-test/f1") == ["3", "2", "1", "0", "4", "5"]
    assert names("--sort", "test/f1") == ["0", "1", "2", "3", "4", "5"]
    assert names("--sort", "num_layers") == ["0", "2", "1", "3", "5", "4"]  # numbers, then texts
    assert names("--sort=-num_layers") == ["1", "3", "5", "0", "2", "4"]
    _, first, second, count = listed(capsys, tmp_path, "--sort", "-test/f1", "--limit", "2")
    assert (first[0], second[0], count) == ("3", "2", [f"2 of 6 runs below {tmp_path}"])


def test_the_key_that_was_sorted_by_is_shown_and_its_best_value_bold(tmp_path: Path) -> None:
    metrics = [{"test/accuracy": 0.8, "test/nll": loss} for loss in (0.4, 0.3, 0.5)]
    for job, values in enumerate(metrics):
        recorded(tmp_path / str(job), metrics=values, config={"seed": job})
    rows = read_runs([str(tmp_path)])
    table, hidden = runs_table(rows, Fields(rows), 100, sort="test/nll")
    cells = {str(column.header): [cell for cell in column.cells if isinstance(cell, Text)] for column in table.columns}
    assert [cell.plain for of in cells.values() for cell in of if cell.style == "bold"] == ["0.3000"]
    assert "0.3000" in map(str, cells["test/nll"])
    assert hidden == []


def test_states_of_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = {"host": socket.gethostname(), "identity": None}
    recorded(tmp_path / "0", status="running", process={**here, "pid": os.getppid()}, metrics={}, best=None)
    recorded(tmp_path / "1", status="running", process={**here, "pid": 2**22 + 1}, metrics={}, best=None)
    for job in range(2, 7):
        recorded(tmp_path / str(job), status="failed", error=f"RuntimeError: number {job}", metrics={}, best=None)
    _, *rows, first, second, third, more = listed(capsys, tmp_path)
    assert [row[1] for row in rows[:3]] == ["running", "interrupted", "failed"]
    assert [note[0] for note in (first, second, third)] == [f"{job} failed: RuntimeError: number {job}" for job in (2, 3, 4)]
    assert more[0].startswith("2 more with errors")
    assert len(listed(capsys, tmp_path, "--where", "error!=null")[1:6]) == 5


def test_the_newest_sweep_first_and_its_jobs_in_order(tmp_path: Path) -> None:
    for job in (2, 10, 9):
        recorded(tmp_path / "old" / str(job), started=f"2026-11-23T10:{job:02d}:00+00:00")
        recorded(tmp_path / "new" / str(job), started=f"2026-11-24T10:{job:02d}:00+00:00")
    recorded(tmp_path / "single", started="2026-11-23T23:00:00+00:00")
    names = [row.name for row in read_runs([str(tmp_path)])]
    assert names == ["new/2", "new/9", "new/10", "single", "old/2", "old/9", "old/10"]


def test_several_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    swept(Path("runs/one"))
    swept(Path("runs/two"))
    recorded(Path("elsewhere/run"))
    assert [row.name for row in read_runs(["runs/one", str(tmp_path / "runs")])].count("runs/one/0") == 1
    assert len(read_runs(["runs/one", str(tmp_path / "runs"), "elsewhere"])) == 9
    assert [row.name for row in read_runs(["elsewhere/run"])] == ["run"]
    assert [row.name for row in read_runs(["runs/one/"])] == ["0", "1", "2", "3"]
    assert [row.name for row in read_runs(["latest"])] != []


def test_what_is_below_a_run_or_hidden_is_no_run(tmp_path: Path) -> None:
    run = recorded(tmp_path / "runs" / "a")
    recorded(run / "code" / "copy")
    recorded(tmp_path / "runs" / ".jobs" / "b")
    assert [row.path for row in read_runs([str(tmp_path / "runs")])] == [run]


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "null", '{"status": "fin', '{"status": "running"}', '{"status": "finished", "metrics": {"test/f1": "x"}}',
        '{"status": "finished", "config": null}', '{"status": "running", "process": null}', '{"status": "finished", "best": 1}',
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_read_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str) -> None:
    swept(tmp_path)
    (tmp_path / "0" / "run.json").write_text(text, encoding="utf-8")
    (tmp_path / "1" / "run.json").write_bytes(b"\xff\xfe")
    assert [row.name for row in read_runs([str(tmp_path)])] == ["2", "3"]
    for job in (0, 1):
        assert f"{tmp_path / str(job)}/run.json cannot be read, and is left out" in caplog.text


def test_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert paraphrase("runs") == 2
    assert "runs does not exist\n`paraphrase train` makes a run below runs/" in capsys.readouterr().err
    assert listed(capsys, tmp_path, "--where", "f1>0", "--sort", "x") == [
        [f"no runs below {tmp_path}: `paraphrase train` makes one"]
    ]
    assert paraphrase("runs", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out) == []
    file = recorded(tmp_path / "run") / "run.json"
    with pytest.raises(RunError, match="run.json is a file, not a directory"):
        read_runs([str(file)])
    assert listed(capsys, tmp_path, "--where", "seed=7") == [[f"none of the 1 runs below {tmp_path} fits"]]


def test_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swept(tmp_path)
    recorded(
        tmp_path / "4", metrics={"test/roc_auc": float("nan"), "test/f1": None}, config={"seed": 9, "model.num_layers": [1, 2]}
    )
    assert paraphrase("runs", str(tmp_path), "--json") == 0
    found = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert [one["name"] for one in found] == ["0", "1", "2", "3", "4"]
    assert found[1]["config"]["model.num_layers"] == 2 and found[1]["metrics"]["test/f1"] == 0.61
    assert found[4]["metrics"] == {"best": 0.75}
    assert paraphrase("runs", str(tmp_path), "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0])[:8] == ["path", "name", "status", "started", "seconds", "cost", "seed", "model.num_layers"]
    assert (rows[3]["test/accuracy"], rows[3]["seconds"], rows[4]["model.num_layers"], rows[4]["test/f1"]) == (
        "0.73",
        "21.5",
        "[1,2]",
        "",
    )


def test_wrong_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swept(tmp_path)
    said = {
        ("--sort", "layres"): "no run has a key layres",
        ("--sort", "xx"): "no run has a key xx\nkeys: name, path, status, ",
        ("--sort",): "expected one argument",
        ("--limit", "0"): "'0' is not a number of runs",
        ("--csv", "--json"): "not allowed with argument",
    }
    for words, expected in said.items():
        assert paraphrase("runs", str(tmp_path), *words) == 2
        text = capsys.readouterr().err
        assert all(part in text for part in expected.split(".*")), text
    assert paraphrase("runs", "--help") == 0
    assert "--where 'model=tiny and test/f1>0.9'" in capsys.readouterr().out


def test_every_record_is_opened_once_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand runs are listed in a second since beside their records lie thousands of files that nobody looks at."""
    for sweep in range(3):
        for run in swept(tmp_path / f"sweep{sweep}", seeds=10).iterdir():
            (run / "plots").mkdir()
            for name in ("config.yaml", "predictions.parquet", "plots/training.png", "plots/run.json"):
                (run / name).write_text("", encoding="utf-8")
    opened: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event in ("open", "os.scandir", "os.listdir") and str(arguments[0]).startswith(str(tmp_path)):
            opened.append(f"{event} {arguments[0]}")

    sys.addaudithook(watch)  # stays for the rest of the process
    try:
        assert paraphrase("runs", str(tmp_path), "--where", "num_layers=2", "--sort", "-test/f1") == 0
    finally:
        watching = False
    records = [f"open {tmp_path}/sweep{sweep}/{job}/run.json" for sweep in range(3) for job in range(20)]
    assert sorted(one for one in opened if one.startswith("open ")) == sorted(records)
    assert len(opened) - len(records) == 4  # the place and its three sweeps are looked into, no run is
    assert f"30 of 60 runs below {tmp_path}" in capsys.readouterr().out


def test_listing_imports_next_to_nothing(tmp_path: Path) -> None:
    swept(tmp_path)
    heavy = ("numpy", "torch", "omegaconf", "hydra", "yaml", "pandas", "pyarrow", "boto3", "wandb", "importlib.metadata")
    code = f"import sys; from paraphrase_lab.cli import run; run(sys.argv[1:]); print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, "runs", str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    swept(tmp_path, seeds=600)
    command = f"{sys.executable} -m paraphrase_lab runs {tmp_path} | head -2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 2 and done.stderr == ""


def test_a_record_of_an_older_release(tmp_path: Path) -> None:
    """It does not hold its configuration, but config.yaml and what Hydra wrote do."""
    run = recorded(tmp_path / "old")
    values = json.loads((run / "run.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in values.items() if key not in ("config", "choices", "follows", "overrides")}
    (run / "run.json").write_text(json.dumps(kept), encoding="utf-8")
    (run / "config.yaml").write_text("seed: 3\nmodel: {learning_rate: 0.01}\noptimizer: {lr: '${model.learning_rate}'}\n")
    (run / ".hydra").mkdir()
    (run / ".hydra" / "hydra.yaml").write_text("hydra: {runtime: {choices: {model: tiny, data: paws, hydra/launcher: basic}}}")
    (run / ".hydra" / "overrides.yaml").write_text("- seed=3\n")
    (row,) = read_runs([str(tmp_path)])
    assert row.config == {"data": "paws", "model": "tiny", "seed": 3, "model.learning_rate": 0.01, "optimizer.lr": 0.01}
    assert (row.record["overrides"], row.record["follows"]) == (["seed=3"], FOLLOWING)


FOLLOWING = {"optimizer.lr": "model.learning_rate"}


def test_the_names_of_an_older_record_are_those_of_today(tmp_path: Path) -> None:
    older = {
        "status": "finished", "metrics": {"test/accuracy": 0.9, "test/identical_yes_share": 0.99, "test/random_yes_share": 0.1},
        "floors": {"test": {"majority": {"accuracy": 0.5}, "always_yes": {"accuracy": 0.4}}},
        "data": {"test": {"pairs": 2, "yes_share": 0.4, "fingerprint": "f"}}, "config": {"seed": 0}, "choices": {},
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(older), encoding="utf-8")
    record, row = RunRecord.read(tmp_path), read_runs([str(tmp_path)])[0]
    assert row.metrics == {"test/accuracy": 0.9, "test/identical_positive_rate": 0.99, "test/random_positive_rate": 0.1}
    for values in (record.values, row.record):
        assert values["baselines"] == {"test": {"majority": {"accuracy": 0.5}, "always_positive": {"accuracy": 0.4}}}
        assert values["data"]["test"]["positive_rate"] == 0.4
        assert "yes" not in json.dumps(values) and "floors" not in values


def test_keys_that_only_repeat_another_one() -> None:
    configs = [{"model.learning_rate": rate, "optimizer.lr": rate, "seed": 0} for rate in (0.1, 0.2)]
    assert differing_keys(rows_of(*configs, follows=FOLLOWING)) == ["model.learning_rate"]
    assert differing_keys(rows_of(*configs)) == ["model.learning_rate", "optimizer.lr"]


def test_keys_that_cannot_change_a_result() -> None:
    one = {
        "data.path": "a.csv",
        "trainer.progress": True,
        "logger": "csv",
        "logger.wandb.mode": "auto",
        "trainer": "cpu",
        "seed": 0,
    }
    other = {
        "data.path": "b.csv",
        "trainer.progress": False,
        "logger": "wandb",
        "logger.wandb.mode": "offline",
        "trainer": "gpu",
        "seed": 0,
    }
    assert differing_keys(rows_of(one, other)) == []
    rows = [RunRow(row.path, row.name, row.status, row.config, {}, {"fingerprint_parts": {"data": {"test": str(number)}}})
            for number, row in enumerate(rows_of(one, other))]  # fmt: skip
    assert differing_keys(rows) == ["data.path"]  # other pairs: where they lie does tell something


def test_groups_and_the_keys_that_follow_from_them() -> None:
    tiny = {"model": "tiny", "model.hidden_size": 128, "model.num_layers": 2, "experiment": "a"}
    base = {"model": "base", "model.hidden_size": 768, "model.num_layers": 12, "experiment": "b"}
    assert differing_keys(rows_of(tiny, base)) == ["experiment", "model", "model.hidden_size", "model.num_layers"]
    assert distinguishing_keys(rows_of(tiny, base)) == ["experiment"]
    assert distinguishing_keys(rows_of(tiny, base, overrides=["model.num_layers=2"])) == ["experiment", "model.num_layers"]
    same = {"model": "tiny", "experiment": "default_anyway", "seed": 0}
    assert differing_keys(rows_of(same, {**same, "experiment": None, "seed": 0})) == []


def test_values_that_look_alike() -> None:
    assert differing_keys(rows_of({"a": 1}, {"a": True})) == ["a"]
    assert differing_keys(rows_of({"a": None}, {})) == ["a"]
    assert differing_keys(rows_of({"a": [1, 2]}, {"a": [1, 2]})) == []
    nan = float("nan")
    assert differing_keys(rows_of({"a": nan}, {"a": float("nan")})) == []


def test_recipes() -> None:
    rows = rows_of(*({"seed": seed, "model.num_layers": layers, "data": "pairs"} for layers in (1, 2) for seed in (0, 1)))
    assert recipe_names(rows) == ["num_layers=1", "num_layers=1", "num_layers=2", "num_layers=2"]
    assert recipe_names(rows[:2]) == ["pairs", "pairs"]
    assert recipe_names([]) == []


def test_short_forms() -> None:
    known = ["model.num_layers", "model.dropout", "data.seed", "seed", "a.b.c", "d.b.c"]
    assert short_names(known, known) == {
        "model.num_layers": "num_layers", "model.dropout": "dropout", "data.seed": "data.seed", "seed": "seed",
        "a.b.c": "a.b.c", "d.b.c": "d.b.c",
    }  # fmt: skip
    assert cut_in_the_middle("abcdefghij", 5) == "ab…ij"
    assert brief_names(["2026-11-24/01-07-33-022599_sweep/0", "2026-11-24/01-08-33-022599_sweep/0"]) == [
        "11-24/01-07_sweep/0", "11-24/01-08_sweep/0",
    ]  # fmt: skip
    assert brief_names(["2026-11-24/01-07-33-022599", "2026-11-24/01-07-34-022599"]) == ["11-24/01-07-33", "11-24/01-07-34"]
    assert (age(""), age("2000-01-01T00:00:00Z")[-1]) == ("", "d")


def test_a_copied_run_without_the_file_of_typed_overrides(tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra/hydra.yaml").write_text("hydra: {runtime: {choices: {model: tiny}}}")
    config, record = configuration_of({"status": "finished"}, tmp_path)
    assert config == {"model": "tiny"} and record["overrides"] == []
