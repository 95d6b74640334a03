"""The optional logger for a browser without an account."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path

import pytest

from tracked_runs import LONGER, ended, logged_steps, started

pytest.importorskip("trackio", reason='needs pip install "paraphrase-lab[trackio]"')


@pytest.mark.slow
def test_an_interrupted_run_is_one_curve(tmp_path: Path) -> None:
    words = (*(word for word in LONGER if not word.startswith("logger=")), "logger=trackio")
    places = {"TRACKIO_DIR": str(tmp_path / "trackio"), "HF_HUB_OFFLINE": "1"}
    code, output = ended(started(tmp_path, *words, "hydra.run.dir=runs/r", kill="batch 18 SIGKILL", **places))
    assert code == -signal.SIGKILL, output
    code, output = ended(started(tmp_path, *words, "resume=auto", **places))
    assert code == 0, output
    with sqlite3.connect(tmp_path / "trackio" / "paraphrase-lab.db") as database:
        rows = database.execute("select step, metrics from metrics order by step").fetchall()
    database.close()
    assert sorted({step for step, metrics in rows if "train/loss" in str(metrics)}) == logged_steps(tmp_path / "runs" / "r")
    assert len([step for step, metrics in rows if "train/loss" in str(metrics)]) == len(logged_steps(tmp_path / "runs" / "r"))
