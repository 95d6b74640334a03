"""What happens to jobs that share a machine when the machine, the launcher or a person ends something in the middle."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
pytestmark = pytest.mark.slow

WAITS_AT_2 = """\
import os
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    output = Path(HydraConfig.get().runtime.output_dir)
    kept = output / "steps"
    done = int(kept.read_text()) if kept.exists() else 0
    with open(os.environ["MARKS"], "a") as marks:
        marks.write(f"start {config.x} {done}\\n")
    kept.write_text(str(done + 1))
    while config.x == 2 and config.do == "wait" and not Path(os.environ["MARKS"] + ".go").exists():
        time.sleep(0.02)
    if config.x == 2 and config.do == "until interrupted" and not done:
        time.sleep(60)
    return config.x * 10


if __name__ == "__main__":
    main()
"""
THREE = ("x=1,2,3", "hydra.launcher.jobs_per_machine=3", "hydra.launcher.retry_seconds=0.1")


@pytest.fixture
def waiting(cloud: Cloud) -> Cloud:
    cloud.app.write("app.py", WAITS_AT_2)
    return cloud


@pytest.mark.parametrize("unannounced", [0, 1])
def test_a_spot_machine_continues_with_the_job_that_ran(waiting: Cloud, unannounced: int) -> None:
    waiting.fault(interrupt_jobs="", interrupt_after_seconds=4.0, interrupt_unannounced_times=unannounced)
    waiting.sweep(*THREE, "do='until interrupted'", "hydra.launcher.spot=true")
    assert [one["value"] for one in waiting.returns()] == [10, 20, 30]
    began = [(x, int(done)) for _, x, done in waiting.app.all_marks()]
    assert began == [("1", 0), ("2", 0), ("2", 1), ("3", 0)], "the first one is not repeated, the second has its files"
    assert len(waiting.names()) == 1
    assert [waiting.record(number)["interruptions"] for number in range(3)] == [0, 1, 0]
    described = waiting.account.sagemaker.describe_training_job(TrainingJobName=waiting.names()[0])
    billed = sum(waiting.record(number)["cost"]["billable_seconds"] for number in range(3))
    assert billed == pytest.approx(described["BillableTimeInSeconds"])
    saved = sum(waiting.record(number)["cost"]["saved_by_spot_usd"] for number in range(3))
    seconds = described["TrainingTimeInSeconds"] - described["BillableTimeInSeconds"]
    assert saved == pytest.approx(seconds / 3600 * waiting.record(0)["cost"]["price_per_hour_usd"])
    left = [name for name in waiting.objects() if "/checkpoints/" in name and "/turns/" not in name]
    assert left == [], "checkpoints of completed jobs are deleted"


def test_a_launcher_killed_while_the_machine_runs(waiting: Cloud) -> None:
    words = (*THREE, "do=wait")
    killed = waiting.start(*words)
    record = waiting.output(0) / ".job/record.json"
    waiting.app.await_(lambda: waiting.app.marks() == ["1", "2"] and record.is_file())
    assert waiting.record(0)["cost"]["is_estimate"] is True, "its result is there before the machine has ended"
    killed.kill()
    killed.communicate(timeout=10)
    second = waiting.start(*words)
    log: list[str] = []
    assert second.stdout is not None
    for line in second.stdout:
        log.append(line)
        if "3 jobs: " in line:
            break
    assert "3 jobs: 2 attached, 1 reused, on 1 machine in" in log[-1]
    waiting.app.let_go()
    rest, _ = second.communicate(timeout=60)
    assert second.returncode == 0, rest
    assert [one["value"] for one in waiting.returns()] == [10, 20, 30]
    assert waiting.app.marks() == ["1", "2", "3"] and len(waiting.names()) == 1
    described = waiting.account.sagemaker.describe_training_job(TrainingJobName=waiting.names()[0])
    costs = [waiting.record(number)["cost"] for number in range(3)]
    assert sum(one["billable_seconds"] for one in costs) == pytest.approx(described["BillableTimeInSeconds"])


def test_another_grouping_attaches_to_the_machine_that_runs(waiting: Cloud) -> None:
    first = waiting.start("x=1,2,3", "do=wait", "hydra.launcher.jobs_per_machine=3")
    waiting.app.await_marks(2)
    second = waiting.start("x=0,2,3,4", "do=wait", "hydra.launcher.jobs_per_machine=2", "hydra.sweep.dir=second")
    waiting.app.await_(lambda: "4" in waiting.app.marks())
    waiting.app.let_go()
    for process in (first, second):
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    assert sorted(waiting.app.marks()) == ["0", "1", "2", "3", "4"] and len(waiting.names()) == 2
    assert "2 new, 2 attached, on 2 machines" in output


def test_a_machine_that_was_prepared_and_not_submitted_is_nothing(waiting: Cloud) -> None:
    waiting.fault(denied_operations=["CreateTrainingJob"])  # as a kill right before it
    waiting.sweep(*THREE, "do=nothing", code=1)
    assert any(name.endswith("/machine.json") for name in waiting.objects()) and waiting.names() == []
    waiting.fault()
    output = waiting.sweep("x=0,1,2,3", "do=nothing", "hydra.launcher.jobs_per_machine=2")
    assert "4 jobs: 4 new, on 2 machines" in output and sorted(waiting.app.marks()) == ["0", "1", "2", "3"]
    assert len(waiting.names()) == 2 and [one["value"] for one in waiting.returns()][-4:] == [0, 10, 20, 30]


def test_a_job_that_another_launcher_runs_alone_is_attached_to(waiting: Cloud) -> None:
    first = waiting.start("x=2", "do=wait", "hydra.sweep.dir=first")
    waiting.app.await_marks(1)
    (alone,) = waiting.names()
    words = ("x=1,2,3", "do=wait", "hydra.launcher.jobs_per_machine=3")
    second = waiting.start(*words)
    waiting.app.await_(lambda: "3" in waiting.app.marks())
    waiting.app.let_go()
    for process in (first, second):
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    assert sorted(waiting.app.marks()) == ["1", "2", "3"] and len(waiting.names()) == 2
    assert alone in waiting.names()


def test_two_launchers_at_once_submit_each_job_once(waiting: Cloud) -> None:
    words = ("x=range(1,7)", "do=nothing", "hydra.launcher.jobs_per_machine=2", "hydra.launcher.max_parallel=1")
    processes = [waiting.start(*words), waiting.start(*words, "hydra.sweep.dir=second")]
    for process in processes:
        output, _ = process.communicate(timeout=90)
        assert process.returncode == 0, output
    assert sorted(waiting.app.marks()) == ["1", "2", "3", "4", "5", "6"] and len(waiting.names()) == 3
    assert sorted(one["value"] for one in waiting.returns()) == sorted(2 * [10, 20, 30, 40, 50, 60])


def test_ctrl_c_stops_the_machine(waiting: Cloud) -> None:
    process = waiting.start(*THREE, "do=wait", "hydra.launcher.on_interrupt=stop")
    waiting.app.await_marks(2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130 and "may still run" not in output, output
    waiting.app.await_(lambda: waiting.names("Stopped") == waiting.names())
    waiting.app.let_go()
    assert "3 jobs: 2 new, 1 reused, on 1 machine" in waiting.sweep(*THREE, "do=wait")
    assert waiting.app.marks() == ["1", "2", "2", "3"] and [one["value"] for one in waiting.returns()][-3:] == [10, 20, 30]


def test_what_runs_costs_a_machine_an_hour(waiting: Cloud) -> None:
    process = waiting.start(*THREE, "do=wait", "hydra.launcher.price_per_hour={ml.m5.large: 3.0}")
    waiting.app.await_(lambda: waiting.app.marks() == ["1", "2"] and (waiting.output(0) / ".job/record.json").is_file())
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert "nothing more is submitted; 2 jobs, $3.00 an hour" in output and "-0, on the same machine" in output
    assert "2 jobs continue in SageMaker; the same command attaches to them" in output and waiting.names("InProgress")


def test_each_job_has_its_own_time_limit(waiting: Cloud) -> None:
    output = waiting.sweep(*THREE, "do='until interrupted'", "hydra.launcher.max_run_hours=0.0012", code=1)
    completed, late, last = waiting.returns()
    assert (completed["value"], last["value"]) == (10, 30) and late["status"] == "FAILED"
    assert "it was stopped after hydra.launcher.max_run_hours=0.0012, its limit" in late["error"][1]
    assert waiting.record(1)["failure"]["cause"] == "timeout" and waiting.app.result(1)["status"] == "interrupted"
    assert waiting.created()[0]["StoppingCondition"] == {"MaxRuntimeInSeconds": 12 + 3 * 180} and "1 of 3 jobs failed" in output


def test_a_machine_that_dies_takes_the_job_that_ran(waiting: Cloud) -> None:
    waiting.fault(kill_jobs=f"{waiting.name}-m-", kill_after_seconds=4.0)
    output = waiting.sweep(*THREE, "do='until interrupted'", code=1)
    completed, killed, last = waiting.returns()
    assert (completed["value"], last["value"]) == (10, 30) and killed["status"] == "FAILED"
    assert waiting.record(1)["failure"]["cause"] == "memory"
    (earlier,) = waiting.record(2)["earlier_attempts"]
    assert earlier["cause"] == "infrastructure" and waiting.record(2)["name"].endswith("-1"), "it had not begun"
    assert "ended before the turn of this job came" in output and waiting.app.marks() == ["1", "2", "3"]


def test_a_machine_stopped_from_outside_stops_its_jobs(waiting: Cloud) -> None:
    process = waiting.start(*THREE, "do=wait")
    waiting.app.await_(lambda: waiting.app.marks() == ["1", "2"] and (waiting.output(0) / ".job/record.json").is_file())
    waiting.account.sagemaker.stop_training_job(TrainingJobName=waiting.names()[0])
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert [one["status"] for one in waiting.returns()] == ["COMPLETED", "FAILED", "FAILED"]
    assert [waiting.record(number)["failure"]["cause"] for number in (1, 2)] == ["stopped", "stopped"]


def test_requirements_that_cannot_be_installed_fail_every_job(waiting: Cloud) -> None:
    waiting.app.write("requirements.txt", "no-such-distribution-anywhere==1.0\n")
    waiting.sweep(*THREE, "do=nothing", "hydra.launcher.versions=any", code=1)
    returns = waiting.returns()
    assert [one["status"] for one in returns] == ["FAILED"] * 3 and waiting.app.marks() == []
    assert all("pip could not install the requirements" in one["error"][1] for one in returns)
    assert {waiting.record(number)["failure"]["cause"] for number in range(3)} == {"import"}


def test_a_machine_without_capacity_is_tried_again(waiting: Cloud) -> None:
    waiting.fault(capacity_error_jobs=waiting.name, capacity_error_times=1)
    waiting.sweep(*THREE, "do=nothing", "hydra.launcher.retry_seconds=3")
    assert [one["value"] for one in waiting.returns()] == [10, 20, 30]
    assert waiting.app.marks() == ["1", "2", "3"] and len(waiting.names()) == 2, "they share the next machine, too"
    assert [waiting.record(number)["earlier_attempts"][0]["cause"] for number in range(3)] == ["capacity"] * 3


def test_a_quota_counts_machines(waiting: Cloud) -> None:
    waiting.fault(instance_quota={"ml.m5.large": 1})
    waiting.sweep("x=1,3,4,5", "do=nothing", "hydra.launcher.jobs_per_machine=2")
    assert [one["value"] for one in waiting.returns()] == [10, 30, 40, 50] and len(waiting.names()) == 2


def test_a_retry_continues_from_the_jobs_own_checkpoints(waiting: Cloud) -> None:
    words = (*THREE, "do='until interrupted'", "hydra.launcher.checkpoints=true", "hydra.launcher.max_run_hours=0.0012")
    waiting.sweep(*words, "hydra.launcher.retries.task=1")
    assert [one["value"] for one in waiting.returns()] == [10, 20, 30]
    began = [(x, int(done)) for _, x, done in waiting.app.all_marks()]
    assert sorted(began) == [("1", 0), ("2", 0), ("2", 1), ("3", 0)]
    assert waiting.created()[1]["CheckpointConfig"]["S3Uri"].endswith(f"/0/{waiting.record(1)['name'][:-1]}0/")
