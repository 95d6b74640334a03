"""The same command again, after whatever has happened: every job is submitted once, and again only after it has failed."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
pytestmark = pytest.mark.slow

WAITS_ABOVE_2 = """\
import os, time
from pathlib import Path
import hydra


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    with open(os.environ["MARKS"], "a") as marks:
        marks.write(f"start {config.x}\\n")
    while config.x > 2 and not Path(os.environ["MARKS"] + ".go").exists():
        time.sleep(0.02)
    if config.do == "raise":
        raise ValueError(f"x={config.x} is too much")
    return config.x


if __name__ == "__main__":
    main()
"""


def created_names(cloud: Cloud) -> list[str]:
    return [one["TrainingJobName"] for one in cloud.created()]


def test_a_launcher_killed_in_the_middle_continues(cloud: Cloud) -> None:
    cloud.app.write("app.py", WAITS_ABOVE_2)
    words = ("x=1,2,3,4,5", "hydra.launcher.max_parallel=2")
    killed = cloud.start(*words)
    cloud.app.await_(lambda: len(cloud.names("Completed")) == 2 and set(cloud.app.marks()) == {"1", "2", "3", "4"})
    killed.kill()
    killed.communicate(timeout=10)
    assert killed.returncode == -signal.SIGKILL and len(created_names(cloud)) == 4

    second = cloud.start(*words)
    listings = cloud.count("ListTrainingJobs")
    cloud.app.await_(lambda: cloud.count("ListTrainingJobs") > listings + 2)  # it waits for the running jobs
    cloud.app.let_go()
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 0, output
    assert "5 jobs: 1 new, 2 attached, 2 reused in" in output
    assert len(created_names(cloud)) == len(set(created_names(cloud))) == 5
    assert sorted(cloud.app.marks()) == ["1", "2", "3", "4", "5"]
    assert [one["value"] for one in cloud.returns()] == [1, 2, 3, 4, 5]


def test_an_interrupted_launcher_leaves_the_jobs_alone(cloud: Cloud) -> None:
    process = cloud.start("x=1,2", "do=wait")
    cloud.app.await_marks(2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode not in (0, -signal.SIGKILL)
    assert "2 jobs continue in SageMaker; the same command attaches to them" in output
    assert len(cloud.names("InProgress")) == 2 and cloud.count("StopTrainingJob") == 0
    cloud.app.let_go()
    assert "2 jobs: 2 " in cloud.sweep("x=1,2", "do=wait") and cloud.count("CreateTrainingJob") == 0


def test_two_launchers_at_once_submit_each_job_once(cloud: Cloud) -> None:
    first = cloud.start("x=1,2", "do=wait")
    second = cloud.start("x=1,2", "do=wait", "hydra.sweep.dir=second")
    cloud.app.await_marks(2)
    cloud.app.let_go()
    for process in (first, second):
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    assert sorted(cloud.app.marks()) == ["1", "2"] and len(cloud.names()) == 2
    assert sorted(one["value"] for one in cloud.returns()) == [10, 10, 20, 20]


def test_on_existing(cloud: Cloud) -> None:
    cloud.app.write("app.py", WAITS_ABOVE_2)
    words = ("x=1", "do=nothing,raise")
    cloud.sweep(*words, code=1)
    (good, bad), _ = created_names(cloud), cloud.returns()

    output = cloud.sweep(*words, "hydra.launcher.on_existing=reuse", code=1)
    assert "2 jobs: 2 reused in" in output and created_names(cloud) == []
    assert cloud.returns()[1]["error"] == ["ValueError", "x=1 is too much"]

    output = cloud.sweep(*words, "hydra.launcher.on_existing=fail", code=1)
    assert f"job 0 (do=nothing) exists as {good}" in output and f"job 1 (do=raise) exists as {bad}" in output
    assert "hydra.launcher.on_existing=retry_failed continues with them" in output and "Traceback" not in output
    assert created_names(cloud) == [] and cloud.returns() == []

    cloud.sweep(*words, "hydra.launcher.on_existing=rerun", code=1)
    assert created_names(cloud) == [f"{good[:-1]}1", f"{bad[:-1]}1"]
    cloud.sweep(*words, code=1)
    assert created_names(cloud) == [f"{bad[:-1]}2"]


def test_other_code_makes_other_jobs_and_the_same_code_is_uploaded_once(cloud: Cloud) -> None:
    cloud.sweep("x=1")
    old = cloud.names()
    cloud.sweep("x=1,2")
    assert cloud.count("PutObject", "bundle.tar.gz") == 0 and cloud.count("CreateTrainingJob") == 1

    cloud.app.write("helper.py", "# more code\n")
    output = cloud.sweep("x=1,2")
    assert "2 jobs: 2 new in" in output and not set(created_names(cloud)) & set(old)
    assert cloud.count("PutObject", "bundle.tar.gz") == 1 and len(created_names(cloud)) == 2
    assert all(name.endswith("-0") for name in created_names(cloud))

    (cloud.app.root / "helper.py").unlink()
    assert "2 jobs: 2 reused in" in cloud.sweep("x=1,2")


def test_another_prefix_finds_what_lies_under_the_first(cloud: Cloud) -> None:
    cloud.sweep("x=1")
    cloud.returns()
    cloud.sweep("x=1", f"hydra.launcher.s3_uri=s3://sagemaker-local/{cloud.prefix}-moved", "hydra.sweep.dir=second")
    assert cloud.count("CreateTrainingJob") == 0 and cloud.returns()[0]["value"] == 10
    assert cloud.record(0, "second")["output"] == cloud.record(0)["output"]


def test_what_was_not_uploaded_is_tried_again(cloud: Cloud) -> None:
    cloud.fault(fail_put_prefix=f"sagemaker-local/{cloud.prefix}/jobs", fail_put_number=1)
    output = cloud.sweep("x=1,2", code=1)
    assert "AccessDenied" in output and "your identity lacks this permission" in output
    assert cloud.count("CreateTrainingJob") == 0, "what one job may not do, no job may"
    assert "2 jobs: 2 new in" in cloud.sweep("x=1,2")
    assert [one["value"] for one in cloud.returns()] == [10, 20]
