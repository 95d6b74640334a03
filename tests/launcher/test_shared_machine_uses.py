"""Shared machines from Python, from a search and from the command line: what one job of several can and cannot be told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')
pytest_plugins = ["sagemaker_fixtures"]
pytestmark = pytest.mark.slow

DRIVER = """\
import json, sys, time
import app
from hydra_sagemaker import Executor

with Executor.for_app(app.main, "conf", ["hydra.sweep.dir=sweep", *sys.argv[1:]]) as executor:
    found = {"free": executor.free_slots}
    jobs = [executor.queue(f"x={x}", "do=wait") for x in (1, 2)]
    alone = executor.submit("x=3", "do=nothing")
    found["alone"] = alone.state
    while jobs[0].state == "waiting" or "x is 1" not in jobs[0].logs():
        time.sleep(0.05)
    found["names"] = [job.name for job in jobs]
    jobs[1].cancel()
    executor.step()
    found["after one"] = [job.state for job in jobs]
    try:
        jobs[0].prune()
    except Exception as error:
        found["prune"] = f"{type(error).__name__}: {error}"
    jobs[0].cancel()
    found["states"] = [job.state for job in executor.collect()]
print("FOUND", json.dumps(found))
"""
ORPHANS = """\
import subprocess
import sys
from pathlib import Path

import hydra


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    words = [file.read_bytes().decode() for file in Path("/proc").glob("[0-9]*/cmdline")]
    left = sum("sleep(71)" in word for word in words)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(71)"])
    return left


if __name__ == "__main__":
    main()
"""
SEARCH = ("hydra/sweeper=async_optuna", "x=int(interval(0,1000000))", "hydra.sweeper.sampler.seed=0")


def test_one_job_of_a_machine_ends_only_with_the_others(cloud: Cloud) -> None:
    cloud.app.write("driver.py", DRIVER)
    words = [word for word in cloud.words if word.lstrip("+").startswith("hydra.launcher.")]
    more = ("hydra.launcher.jobs_per_machine=2", "hydra.launcher.max_parallel=2")
    output, _ = cloud.app.start(*words, *more, script="driver.py", env=cloud.env).communicate(timeout=90)
    found: dict[str, Any] = json.loads(output.partition("FOUND ")[2])
    machine = next(name for name in cloud.names() if "-m-" in name)
    assert found["free"] == 4 and found["alone"] == "running" and len(cloud.names()) == 2
    assert found["after one"] == ["running", "running"]
    assert (
        f"job 1 (x=2 do=wait) shares the machine {machine} with job 0 (x=1 do=wait), and SageMaker cannot end one job" in output
    )
    assert found["prune"].startswith(
        f"LauncherError: {found['names'][0]} shares the machine {machine} with {found['names'][1]}"
    )
    assert found["states"] == ["stopped", "stopped", "completed"] and sorted(cloud.app.marks()) == ["1", "3"]


def test_the_command_stops_all_of_a_machine_or_none(cloud: Cloud) -> None:
    def stop(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hydra_sagemaker", "stop", "sweep", "--yes", *words]
        return subprocess.run(command, cwd=cloud.app.root, env={**os.environ, **cloud.env}, capture_output=True, text=True)

    cloud.sweep("x=1,2", "do=wait", "hydra.launcher.jobs_per_machine=2", "hydra.launcher.wait=false")
    refused = stop("--job", "1")
    assert (
        refused.returncode == 2
        and "and SageMaker cannot end one job of a machine alone: stop all of them together" in refused.stderr
    )
    assert "1 not stopped: " in refused.stderr and len(cloud.names("InProgress")) == 1
    stopped = stop()
    assert stopped.returncode == 0, stopped.stderr
    cloud.app.await_(lambda: len(cloud.names("Stopped")) == 1)


def test_a_search_asks_for_as_many_trials_as_share_a_machine(cloud: Cloud) -> None:
    words = (
        *cloud.words,
        *SEARCH,
        "hydra.launcher.jobs_per_machine=3",
        "hydra.launcher.max_parallel=1",
        "hydra.sweeper.n_trials=5",
    )
    finished = cloud.app.run(*words, env=cloud.env)
    assert finished.code == 0 and "5 of 5 trials, best" in finished.output, finished.output
    from hydra_sagemaker.search.study import open_storage

    storage = open_storage(None, cloud.app.sweep_dir)
    trials = optuna.load_study(study_name=optuna.get_all_study_names(storage)[0], storage=storage).trials
    assert [trial.value for trial in trials] == [10.0 * trial.params["x"] for trial in trials] and len(cloud.names()) == 2
    begun, ended = [trial.datetime_start for trial in trials], [trial.datetime_complete for trial in trials]
    assert max(begun[:3]) < min(ended) and min(begun[3:]) > max(ended[:3]), "three are asked for at once, then the other two"
    described = [cloud.account.sagemaker.describe_training_job(TrainingJobName=name) for name in cloud.names()]
    billed = sum(one["BillableTimeInSeconds"] for one in described) / 3600 * cloud.record(0)["cost"]["price_per_hour_usd"]
    assert sum(trial.user_attrs["usd"] for trial in trials) == pytest.approx(billed)


def test_a_search_that_prunes_has_a_machine_for_each_trial(cloud: Cloud) -> None:
    words = (*cloud.words, *SEARCH, "hydra/sweeper/pruner=median", "hydra.launcher.checkpoints=true")
    refused = cloud.app.run(*words, "hydra.launcher.jobs_per_machine=2", env=cloud.env)
    assert refused.code == 1 and "Traceback" not in refused.output and cloud.names() == []
    assert (
        "hydra.sweeper.pruner with hydra.launcher.jobs_per_machine=2: SageMaker cannot end one job of a machine alone"
        in refused.output
    )


def test_nothing_of_a_job_runs_beside_the_next_one(cloud: Cloud) -> None:
    cloud.app.write("app.py", ORPHANS)
    cloud.sweep("x=1,2", "hydra.launcher.jobs_per_machine=2")
    assert [one["value"] for one in cloud.returns()] == [0, 0]
