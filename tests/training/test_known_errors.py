"""Errors that a user causes: printed once, without a traceback, exit code 2, and their problem in run.json; and `resume`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commands import FEW_PAIRS, TINY, paraphrase, record, trained
from hydra_sagemaker.job.result import rebuilt
from hydra_sagemaker.runner.record import exception_record
from paraphrase_lab.errors import BadRowsError, ConfigError, TrainingError, UserError

PROBLEM, TOO_LONG = "1 row cannot be used:", "of 500 pairs"


@pytest.fixture
def bad_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Words of a training that meets a row without a second sentence, in a directory of its own."""
    rows = [f"the cat {number},a dog {number},{number % 2}" for number in range(100)]
    (tmp_path / "bad.csv").write_text("\n".join(["sentence1,sentence2,label", *rows, "c d,,0"]) + "\n")
    monkeypatch.chdir(tmp_path)
    return ("train", *TINY, "data=pairs", "data.path=bad.csv", "logger=none")


def test_of_a_single_run(bad_row: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    assert paraphrase(*bad_row, "hydra.run.dir=run") == 2
    printed = "".join(capfd.readouterr())
    assert printed.count(PROBLEM) == 1 and "Traceback" not in printed
    assert Path("run/train.log").read_text().count(PROBLEM) == 1
    found = record(Path("run"))
    assert (found["status"], found["error"].partition(":")[0]) == ("failed", "BadRowsError")
    assert found["error"].endswith("bad.csv:102: the second sentence is empty or missing: ''")


def test_a_sweep_is_refused_before_its_jobs_meet_a_bad_row(bad_row: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    assert paraphrase(*bad_row, "-m", "seed=0,1", "hydra.sweep.dir=sweep") == 2
    printed = "".join(capfd.readouterr())
    assert printed.count(PROBLEM) == 1 and "bad.csv:102: the second sentence is empty or missing" in printed
    assert not Path("sweep").exists()


@pytest.mark.slow
@pytest.mark.parametrize("compute", ["~compute", "compute=local"])
def test_of_a_sweep_once_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compute: str) -> None:
    """Jobs of the basic launcher, and in processes of their own; only a tokenizer knows that a pair is too long."""
    monkeypatch.chdir(tmp_path)
    too_long = ("train", *TINY, *FEW_PAIRS, "data.max_length=8", "data.on_truncation=error", "logger=none")
    words = [sys.executable, "-m", "paraphrase_lab", *too_long, "-m", "seed=0,1", compute, "hydra.sweep.dir=sweep"]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "300"})
    printed = done.stdout + done.stderr
    assert done.returncode == 2, printed
    before_the_table = printed.partition("┏━━━━━┳")[0]
    assert before_the_table.count(TOO_LONG) == 2 and "Traceback" not in printed
    assert "paraphrase train:" not in printed
    for job in ("0", "1"):
        assert TOO_LONG in record(Path("sweep", job))["error"] and record(Path("sweep", job))["status"] == "failed"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("it is wrong", valid="this", hint="type that"), "it is wrong"),
        (BadRowsError("2 rows cannot be used:\n  a.csv:3: empty\n  a.csv:5: empty", hint="skip"),
         "2 rows cannot be used: a.csv:3: empty …"),
        (ConfigError(["seed=-1: too low", "seed=x: no number"]), "seed=-1: too low …"),
        (TrainingError("the disk is full"), "the disk is full"),
        (UserError(""), ""),
    ],
)  # fmt: skip
def test_the_problem_in_one_line(error: Any, line: str) -> None:
    assert error.problem_line == line


@pytest.mark.parametrize("error", [ConfigError(["a", "b"]), UserError("a", hint="b"), TrainingError("c")])
def test_of_a_job_it_is_the_same_error_and_its_text_alone(error: Exception) -> None:
    try:
        raise error
    except type(error):
        told = json.loads(json.dumps(exception_record(error)))
    assert told["traceback"] == f"paraphrase_lab.errors.{type(error).__name__}: {error}\n"
    again = rebuilt(told, "paraphrase_lab")
    assert type(again) is type(error) and str(again) == str(error)


@pytest.mark.parametrize("chosen", ["resume={run}", "resume=auto hydra.run.dir={run}"])
@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((), 0, "is finished already: nothing to do"),
        (("seed=7", "trainer.max_steps=5"), 2, "in brackets what the run had: seed=7 (0), trainer.max_steps=5 (4)"),
        (("data.num_workers=1",), 0, "is finished already: nothing to do"),
    ],
)
def test_resume_of_a_finished_run(
    tiny_run: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, text: str, chosen: str
) -> None:
    before = (tiny_run / "run.json").read_bytes()
    assert paraphrase("train", *TINY, *FEW_PAIRS, *chosen.format(run=tiny_run).split(), *words) == code
    printed = "".join(capfd.readouterr())
    assert text in printed
    if code:
        assert f"{tiny_run} has finished, with other settings: there is nothing to resume" in printed
        assert f"`paraphrase rerun {tiny_run} KEY=VALUE` repeats the run" in printed
    assert (tiny_run / "run.json").read_bytes() == before


def test_a_finished_run_is_not_written_over(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trained(tiny_run) == 2
    assert f"`paraphrase rerun {tiny_run}` repeats it" in capsys.readouterr().err
