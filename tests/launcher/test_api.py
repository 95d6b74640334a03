"""`Executor`, `Job` and `attach`: jobs submitted one by one from Python, and found again by another process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hydra_apps import App

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

FIRST = """\
import json, sys, time
import app
from hydra_sagemaker import Executor

with Executor.for_app(app.main, "conf", ["hydra.sweep.dir=sweep", "hydra.launcher.max_parallel=3", *sys.argv[1:]]) as executor:
    assert executor.free_slots == 3
    done = executor.submit("x=1")
    failing = executor.submit("x=2", "do=raise")
    waiting = executor.submit("x=3", "do=wait")
    shared = executor.submit("x=1")
    found, first = {}, []
    while not first:
        first = executor.poll()
        time.sleep(0.05)
    assert all(job.done for job in first) and not set(first) & set(executor.poll())
    found["value"] = done.result()
    found["shared"] = shared.result()
    try:
        failing.result()
    except app.Broken as error:
        found["error"] = [str(error), "app.py" in str(error.__cause__)]
    while "x is 3" not in waiting.logs():
        executor.poll()
        time.sleep(0.05)
    try:
        waiting.result(timeout=0.01)
    except TimeoutError as error:
        found["timeout"] = str(error)
    others = [executor.submit(f"x={x}", "do=wait") for x in (4, 5, 6)]
    found |= {"free": executor.free_slots, "queued": others[-1].state}
    for job in (*others[::-1], waiting):
        job.cancel()
    try:
        waiting.result()
    except Exception as error:
        found["cancelled"] = f"{type(error).__name__}: {error}".splitlines()[0]
    found["states"] = [job.state for job in executor.collect()]
    found["logs"] = done.logs()
print("FOUND", json.dumps(found))
"""
LEAVING = """\
import sys
import app
from hydra_sagemaker import Executor

with Executor.for_app(app.main, "conf", ["hydra.sweep.dir=later", *sys.argv[1:]]) as executor:
    executor.submit("x=7").result()
    try:
        executor.submit("x=8", "do=raise").result()
    except app.Broken:
        pass
    executor.submit("x=9", "do=wait")
"""
ATTACHING = """\
import json, os, sys
from pathlib import Path
from hydra_sagemaker import attach

sys.path.append(".")
jobs = attach("later")
found = {"before": [job.state for job in jobs], "overrides": [job.overrides for job in jobs]}
found["value"], found["logs"] = jobs[0].result(), jobs[0].logs(lines=1)
try:
    jobs[1].result()
except Exception as error:
    found["error"] = [type(error).__name__, str(error)]
Path(os.environ["MARKS"] + ".go").touch()
found["last"] = jobs[2].result(timeout=60)
found["after"] = [job.state for job in jobs]
print("FOUND", json.dumps(found))
"""


def found(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    [line] = [line for line in output.splitlines() if line.startswith("FOUND ")]
    return json.loads(line.removeprefix("FOUND "))


def check_first(said: dict[str, Any]) -> None:
    assert (said["value"], said["shared"], said["error"]) == (10, 10, ["x=2 is broken", True])
    assert said["free"] == 0 and said["queued"] == "waiting"
    assert said["timeout"].startswith("job 2 (x=3 do=wait) is still running")
    assert "x is 1" in said["logs"].splitlines()
    assert said["cancelled"].startswith("RemoteJobError: job 2 (x=3 do=wait), ") and "stopped" in said["cancelled"]
    assert said["states"] == ["completed", "failed", "stopped", "completed", "stopped", "stopped", "stopped"]


def check_attached(said: dict[str, Any]) -> None:
    assert said["before"] == ["completed", "failed", "running"]
    assert said["overrides"] == [["x=7"], ["x=8", "do=raise"], ["x=9", "do=wait"]]
    assert (said["value"], said["last"]) == (70, 90) and said["logs"]
    assert said["error"] == ["Broken", "x=8 is broken"]
    assert said["after"] == ["completed", "failed", "completed"]


def test_importing_the_package_stays_light() -> None:
    script = "import hydra_sagemaker, sys; sys.exit('hydra' in sys.modules or hydra_sagemaker.Executor.__name__ != 'Executor')"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
    with pytest.raises(AttributeError, match="has no attribute 'Exekutor'"):
        _ = __import__("hydra_sagemaker").Exekutor


def test_every_public_name_has_an_example() -> None:
    from hydra_sagemaker import Executor, Job, attach

    public = [attach, Executor, Job]
    public += [value for kind in (Executor, Job) for name, value in vars(kind).items() if callable(value) and name[0] != "_"]
    for one in [*public, Executor.for_app, Executor.free_slots, Job.state, Job.done]:
        assert ">>> " in (one.__doc__ or ""), one


@pytest.mark.slow
def test_jobs_as_processes(app: App) -> None:
    app.write("driver.py", FIRST)
    check_first(found(app.start("hydra.launcher.mode=local", "hydra.launcher.poll_seconds=0.05", script="driver.py")))


@pytest.mark.slow
def test_jobs_of_an_earlier_process(app: App) -> None:
    app.write("leaving.py", LEAVING)
    app.write("attaching.py", ATTACHING)
    output, _ = app.start("hydra.launcher.mode=local", "hydra.launcher.poll_seconds=0.05", script="leaving.py").communicate()
    assert "Traceback" not in output, output
    check_attached(found(app.start(script="attaching.py")))


@pytest.mark.slow
def test_training_jobs(cloud: Cloud) -> None:
    cloud.app.write("driver.py", FIRST)
    cloud.app.write("leaving.py", LEAVING)
    cloud.app.write("attaching.py", ATTACHING)
    words = [word for word in cloud.words if word.lstrip("+").startswith("hydra.launcher.")]
    check_first(found(cloud.app.start(*words, script="driver.py", env=cloud.env)))
    output, _ = cloud.app.start(*words, script="leaving.py", env=cloud.env).communicate(timeout=120)
    assert "Traceback" not in output, output
    check_attached(found(cloud.app.start(script="attaching.py", env=cloud.env)))


def test_an_executor_does_no_dry_run(app: App) -> None:
    app.write("first.py", FIRST)
    finished = app.run("hydra.launcher.mode=dry_run", script="first.py")
    assert finished.code == 1 and "LauncherError: hydra.launcher.mode=dry_run: an Executor submits jobs" in finished.output
