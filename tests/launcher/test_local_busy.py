"""Directories in which another launcher or a job of another sweep is at work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hydra_apps import LOCAL, App
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.sweep.lock import locked

HOLDER = """
import sys, time
from pathlib import Path
from hydra_sagemaker.sweep.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_one_launcher_at_a_time_works_in_a_sweep_directory(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        said = rf"another launcher \(process {holder.pid}\) works in {tmp_path}: wait for it, .*hydra\.sweep\.dir"
        with pytest.raises(LauncherError, match=said), locked(tmp_path):
            pass
    finally:
        kill(holder)
    for _ in range(2):  # a killed launcher holds nothing, and this one's next batch comes in again
        with locked(tmp_path):
            assert (tmp_path / ".launcher/lock").read_text() == f"{os.getpid()}\n"


@pytest.mark.slow
def test_a_second_launcher_in_the_same_directory_is_refused(app: App) -> None:
    first = app.start(*LOCAL, "x=1,2", "do=wait")
    app.await_marks(2)
    said = app.sweep("x=2,1", "do=wait", code=1)
    assert f"another launcher (process {first.pid}) works in {app.sweep_dir}" in said
    assert "Traceback" not in said
    app.let_go()
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 0, output
    assert sorted(app.marks()) == ["1", "2"]


@pytest.mark.slow
def test_a_directory_where_another_job_still_runs_is_refused_and_the_jobs_can_be_stopped(app: App) -> None:
    first = app.start(*LOCAL, "x=21,22", "do=wait")
    app.await_marks(2)
    kill(first)
    said = app.sweep("x=23,21", "do=wait", code=1)
    assert "nothing was submitted: 2 problems" in said
    assert f"job 0 (x=23): app-{key(app, 0)}-0 still runs in {app.sweep_dir / '0'}: wait for it, stop it with" in said
    assert f"job 1 (x=21): app-{key(app, 1)}-0 still runs in {app.sweep_dir / '1'}" in said
    assert sorted(app.marks()) == ["21", "22"]
    assert "2 jobs: 2 attached" in release_and_sweep(app, "x=21,22", "do=wait")
    assert [app.result(number)["return_value"] for number in range(2)] == [210, 220]


@pytest.mark.slow
def test_jobs_that_are_never_recognised_are_not_started_beside_the_ones_that_run(app: App) -> None:
    """Too much code to read at each start: every start is new jobs."""
    words = ("x=1", "do=wait", "hydra.launcher.code.max_mb=0.000001")
    first = app.start(*LOCAL, *words)
    app.await_marks(1)
    kill(first)
    said = app.sweep(*words, code=1)
    assert "no job of this sweep will be recognised as one that ran before" in said
    assert f"still runs in {app.sweep_dir / '0'}: wait for it, stop it with" in said
    assert app.marks() == ["1"]


@pytest.mark.slow
def test_a_job_has_ended_when_its_result_is_there_though_its_children_run(app: App) -> None:
    """A forked process inherits the job's lock, whether it is passed on or not."""
    app.write("app.py", LEAVING)
    first = app.start(*LOCAL, "x=1")
    app.await_marks(1, "left")
    kill(first)
    app.await_(lambda: (app.sweep_dir / "0/.job/result.json").exists())
    assert "1 job: 1 reused" in app.sweep("x=1")
    end_what_is_left(app)


@pytest.mark.slow
def test_what_a_task_starts_does_not_hold_the_jobs_lock(app: App) -> None:
    app.write("app.py", STARTING)
    first = app.start(*LOCAL, "x=1", "do=kill")
    app.await_marks(1, "left")
    output, _ = first.communicate(timeout=60)
    assert "killed by SIGKILL" in output
    assert "1 job: 1 new" in app.sweep("x=1", "do=nothing"), "another job may have the directory"
    end_what_is_left(app)


TASK = """
    import os
    import signal
    import time

    import hydra


    @hydra.main(version_base=None, config_path="conf", config_name="config")
    def main(config):
        {leave}
        with open(os.environ["MARKS"], "a") as marks:
            marks.write(f"left {{config.x}} 0 {{pid}}\\n")
        if config.do == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.5)


    if __name__ == "__main__":
        main()
"""
LEAVING = TASK.format(leave="pid = os.fork() or (time.sleep(30), os._exit(0))")
STARTING = TASK.format(
    leave="""os.system("sleep 30 >/dev/null 2>&1 & echo $! >$MARKS.left")
        pid = open(os.environ["MARKS"] + ".left").read().strip()"""
)


def end_what_is_left(app: App) -> None:
    """It was there all the time: ending it would fail otherwise."""
    for word, *_, pid in app.all_marks():
        if word == "left":
            os.kill(int(pid), signal.SIGKILL)


def key(app: App, number: int) -> str:
    return json.loads((app.sweep_dir / f"{number}/.job/spec.json").read_text())["key"]


def release_and_sweep(app: App, *words: str) -> str:
    again = app.start(*LOCAL, *words)
    app.await_event("attached")
    app.let_go()
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    return said
