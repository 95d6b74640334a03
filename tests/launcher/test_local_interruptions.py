"""Launchers that are killed, stopped and started twice: what the jobs do meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hydra_apps import LOCAL, App


def wait(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=60)
    return output


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_after_a_killed_launcher_each_job_continues(app: App) -> None:
    """Leave three jobs: one is completed, one has died, one runs."""
    first = app.start(*LOCAL, "x=1,2,3", env={"DO_2": "kill", "DO_3": "wait"})
    app.await_marks(3)
    app.await_(lambda: (app.sweep_dir / "0/.job/result.json").exists())
    kill(first)
    second = app.start(*LOCAL, "x=1,2,3")
    app.await_event("attached")
    app.await_marks(4)
    app.let_go()
    said = wait(second)
    assert second.returncode == 0, said
    assert "3 jobs: 1 new, 1 attached, 1 reused" in said
    assert sorted(app.marks()) == ["1", "2", "2", "3"]
    assert [app.result(number)["return_value"] for number in range(3)] == [10, 20, 30]
    assert all((app.sweep_dir / f"{number}/.job/record.json").exists() for number in range(3))


@pytest.mark.slow
def test_two_launchers_at_once_run_each_job_once(app: App) -> None:
    launchers = [app.start(*LOCAL, "x=1,2", "do=nap", f"hydra.sweep.dir={name}") for name in ("one", "two")]
    for launcher in launchers:
        said = wait(launcher)
        assert launcher.returncode == 0, said
    assert sorted(app.marks()) == ["1", "2"]
    for name in ("one", "two"):
        assert [app.result(number, name)["return_value"] for number in range(2)] == [10, 20]
        assert app.files(0, name) == app.files(1, name)


@pytest.mark.parametrize("number, codes", [(signal.SIGTERM, {143}), (signal.SIGINT, {130, -signal.SIGINT})])
def test_a_stopped_launcher_lets_its_jobs_save(app: App, number: int, codes: set[int]) -> None:
    launcher = app.start(*LOCAL, "x=1,2,3", "do=save", "hydra.launcher.max_parallel=2")
    app.await_marks(2)
    launcher.send_signal(number)
    said = wait(launcher)
    assert launcher.returncode in codes
    assert "stopping 2 jobs; run the same command to continue" in said
    assert sorted(app.marks("saved")) == sorted(app.marks()) == ["1", "2"], "the third was never started"
    assert (app.result(0)["status"], app.result(0)["exit_code"]) == ("interrupted", 143)


@pytest.mark.slow
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_again_kills_jobs_that_still_save(app: App, first: int) -> None:
    launcher = app.start(*LOCAL, "x=1", "do=ignore")
    app.await_marks(1, "ignores")
    launcher.send_signal(first)
    app.await_event("stop")
    time.sleep(0.5)
    launcher.send_signal(signal.SIGINT)
    said = wait(launcher)
    assert launcher.returncode in (130, 143)
    assert "killing at once, unsaved work is lost: app-" in said
    assert "Traceback" not in said
    [(*_, pid)] = [mark for mark in app.all_marks() if mark[0] == "start"]
    app.await_(lambda: not Path(f"/proc/{pid}").exists())


@pytest.mark.slow
def test_what_was_stopped_runs_again(app: App) -> None:
    launcher = app.start(*LOCAL, "x=1", "do=save")
    app.await_marks(1)
    launcher.terminate()
    wait(launcher)
    again = app.start(*LOCAL, "x=1", "do=save")
    app.await_marks(2)
    again.terminate()
    assert "1 job: 1 new" in wait(again)


@pytest.mark.slow
def test_attached_jobs_are_looked_after_like_own_ones(app: App) -> None:
    first = app.start(*LOCAL, "x=1,2", "do=save")
    app.await_marks(2)
    kill(first)
    second = app.start(*LOCAL, "x=1,2", "do=save")
    app.await_event("attached")
    [pid] = [int(process) for word, x, _, process in app.all_marks() if (word, x) == ("start", "2")]
    os.kill(pid, signal.SIGKILL)
    app.await_event("collected")
    record = json.loads((app.sweep_dir / "1/.job/record.json").read_text())
    assert record["failure"]["message"].startswith("its process ended without a result: its process is gone")
    second.terminate()
    assert "stopping 1 job;" in wait(second)
    assert app.marks("saved") == ["1"]
    assert sorted(app.marks()) == ["1", "2"]
