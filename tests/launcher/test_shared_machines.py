"""Jobs that share a machine one after the other: their results, failures, retries, bills and logs are those of jobs alone."""

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
pytest_plugins = ["sagemaker_fixtures"]

MIXED_APP = """\
import os
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    with open(os.environ["MARKS"], "a") as marks:
        marks.write(f"start {config.x}\\n")
    tries = Path(os.environ["MARKS"]).read_text().count(f"start {config.x}\\n")
    print(f"x is {config.x}, try {tries}, in {os.environ.get('TRAINING_JOB_NAME')}")
    output = Path(HydraConfig.get().runtime.output_dir)
    (output / "model.pt").write_text(f"weights of {config.x}")
    (output / "metrics.json").write_text("{}")
    if config.x == 2 and tries == 1:
        raise ValueError("2 is broken")
    if config.x == 3 and tries == 1:
        os.kill(os.getpid(), 9)
    return config.x * 10


if __name__ == "__main__":
    main()
"""
SHARED = ("hydra.launcher.jobs_per_machine=4", "hydra.launcher.retry_seconds=0.1")


def machines(cloud: Cloud) -> dict[str, list[str]]:
    """Return the numbers of the jobs of each machine, as its tag has them, in the order of CreateTrainingJob."""
    tags = {one["TrainingJobName"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in cloud.created()}
    return {name: pairs["hydra-launcher:job"].split() for name, pairs in tags.items()}


def events(cloud: Cloud, kind: str) -> list[dict[str, Any]]:
    lines = (cloud.app.sweep_dir / ".launcher/ledger.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for line in lines if (event := json.loads(line))["event"] == kind]


@pytest.fixture(scope="module")
def swept(shared_cloud: Cloud) -> str:
    """Four jobs on a machine, of which the second raises and the third is killed."""
    shared_cloud.app.write("app.py", MIXED_APP)
    return shared_cloud.sweep("x=1,2,3,4,5", *SHARED, code=1)


def test_one_machine_runs_four_jobs_and_the_last_job_is_alone(swept: str, shared_cloud: Cloud) -> None:
    (machine, numbers), (alone, number) = machines(shared_cloud).items()
    assert numbers == ["0", "1", "2", "3"] and number == ["4"]
    assert [one for one in shared_cloud.app.marks() if one != "5"] == ["1", "2", "3", "4"]
    assert alone == shared_cloud.record(4)["name"] and "machine" not in shared_cloud.record(4)
    assert {shared_cloud.record(number)["machine"] for number in range(4)} == {machine}
    assert "5 jobs: 5 new, on 2 machines in" in swept
    (request, _) = shared_cloud.created()
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 4 * (24 * 3600 + 180)}


def test_a_job_that_fails_does_not_end_the_others(swept: str, shared_cloud: Cloud) -> None:
    returns = shared_cloud.returns()
    assert [one["status"] for one in returns] == ["COMPLETED", "FAILED", "FAILED", "COMPLETED", "COMPLETED"]
    assert [returns[number]["value"] for number in (0, 3, 4)] == [10, 40, 50]
    assert (
        returns[1]["error"] == ["ValueError", "2 is broken"] and "killed by signal 9: out of memory?" in returns[2]["error"][1]
    )
    causes = [shared_cloud.record(number).get("failure", {}).get("cause") for number in range(5)]
    assert causes == [None, "code", "memory", None, None]
    assert f"job 1 (x=2) failed as {shared_cloud.record(1)['name']} (code)\nTraceback (most recent call last):" in swept
    assert "2 of 5 jobs failed, 3 completed; the same command runs only the failed ones again" in swept
    described = shared_cloud.account.sagemaker.describe_training_job(TrainingJobName=shared_cloud.record(0)["machine"])
    assert described["TrainingJobStatus"] == "Failed" and "2 of 4 jobs of this machine failed" in described["FailureReason"]
    assert f"{shared_cloud.record(1)['name']}: ValueError: 2 is broken" in described["FailureReason"]


def test_each_job_has_its_files_as_a_job_alone_has(swept: str, shared_cloud: Cloud) -> None:
    assert shared_cloud.app.files(0) == shared_cloud.app.files(3) == shared_cloud.app.files(4)
    for number, x in enumerate((1, 2, 3, 4)):
        record, log = shared_cloud.record(number), shared_cloud.output(number) / ".job/output.log"
        assert f"x is {x}, try 1, in {record['name']}\n" in log.read_text(encoding="utf-8")
        assert json.loads((shared_cloud.output(number) / ".job/spec.json").read_text(encoding="utf-8"))["number"] == number
    model = shared_cloud.record(0)["model"]
    assert shared_cloud.record(0)["model_files"] == ["model.pt"] and not (shared_cloud.output(0) / "model.pt").exists()
    assert model.removeprefix("s3://sagemaker-local/") in shared_cloud.objects() and "model" not in shared_cloud.record(1)


def test_the_shares_add_up_to_the_machines_bill(swept: str, shared_cloud: Cloud) -> None:
    records = [shared_cloud.record(number) for number in range(4)]
    described = shared_cloud.account.sagemaker.describe_training_job(TrainingJobName=records[0]["machine"])
    assert sum(one["BillableTimeInSeconds"] for one in records) == pytest.approx(described["BillableTimeInSeconds"])
    assert sum(one["cost"]["billable_seconds"] for one in records) == pytest.approx(described["BillableTimeInSeconds"])
    usd = sum(one["cost"]["cost_usd"] for one in records)
    assert usd == pytest.approx(described["BillableTimeInSeconds"] / 3600 * records[0]["cost"]["price_per_hour_usd"])
    assert not any("is_estimate" in one["cost"] for one in records) and all(one["cost"]["cost_usd"] > 0 for one in records)


def test_the_others_are_found_and_the_failed_ones_share_a_machine_again(swept: str, shared_cloud: Cloud) -> None:
    earlier = [shared_cloud.record(number) for number in range(5)]
    output = shared_cloud.sweep("x=1,2,3,4,5", *SHARED, "hydra.launcher.download_models=true")
    assert "5 jobs: 2 new, 3 reused, on 1 machine in" in output
    assert [one["value"] for one in shared_cloud.returns()][-5:] == [10, 20, 30, 40, 50]
    ((machine, numbers),) = machines(shared_cloud).items()
    assert numbers == ["1", "2"] and shared_cloud.record(1)["machine"] == shared_cloud.record(2)["machine"] == machine
    assert [shared_cloud.record(number)["name"][-2:] for number in range(5)] == ["-0", "-1", "-1", "-0", "-0"]
    assert [one["name"] for one in shared_cloud.record(1)["earlier_attempts"]] == [earlier[1]["name"]]
    for number in range(5):
        assert (shared_cloud.output(number) / "model.pt").read_text(encoding="utf-8") == f"weights of {number + 1}"


@pytest.mark.slow
def test_only_the_failed_job_is_retried(cloud: Cloud) -> None:
    cloud.app.write("app.py", MIXED_APP)
    output = cloud.sweep("x=1,2,4", *SHARED, "hydra.launcher.retries.task=1", "hydra.launcher.max_cost_usd=20")
    assert [one["value"] for one in cloud.returns()] == [10, 20, 40]
    assert sorted(cloud.app.marks()) == ["1", "2", "2", "4"]
    (machine, first), (retry, second) = machines(cloud).items()
    assert (first, second) == (["0", "1", "2"], ["1"]) and retry == cloud.record(1)["name"] and retry.endswith("-1")
    (earlier,) = cloud.record(1)["earlier_attempts"]
    billed = cloud.account.sagemaker.describe_training_job(TrainingJobName=machine)["BillableTimeInSeconds"]
    shares = [one["cost"]["billable_seconds"] for one in (cloud.record(0), earlier, cloud.record(2))]
    assert sum(shares) == pytest.approx(billed) and "1 attempt" not in output and "2 attempts" in output
    assert not any("is_estimate" in event["cost"] for event in events(cloud, "billed"))


@pytest.mark.slow
def test_jobs_share_only_where_they_want_the_same_machine(cloud: Cloud) -> None:
    cloud.app.write("conf/config.yaml", "x: 0\nmachine: ml.m5.large\ndo: nothing\n")
    types = "hydra.launcher.instance_type=${machine}"
    cloud.sweep("x=1,2,3", "machine=ml.m5.large,ml.m5.xlarge", types, "hydra.launcher.jobs_per_machine=2")
    by_type: dict[str, list[list[str]]] = {}
    for request, numbers in zip(cloud.created(), machines(cloud).values(), strict=True):
        by_type.setdefault(request["ResourceConfig"]["InstanceType"], []).append(numbers)
    assert by_type == {"ml.m5.large": [["0", "2"], ["4"]], "ml.m5.xlarge": [["1", "3"], ["5"]]}
    assert [one["value"] for one in cloud.returns()] == [10, 10, 20, 20, 30, 30]


@pytest.mark.slow
def test_on_existing(cloud: Cloud) -> None:
    words = ("x=1,2,3", "hydra.launcher.jobs_per_machine=3")
    cloud.sweep(*words)
    names = [cloud.record(number)["name"] for number in range(3)]
    output = cloud.sweep(*words, "hydra.launcher.on_existing=fail", code=1)
    assert all(f"exists as {name}: hydra.launcher.on_existing=retry_failed continues" in output for name in names)
    assert "3 jobs: 3 reused in" in cloud.sweep("x=1,2,3", "hydra.sweep.dir=second")  # each its own machine, or none
    assert "3 reused" in cloud.sweep(*words, f"hydra.launcher.s3_uri=s3://sagemaker-local/{cloud.prefix}-moved")
    assert cloud.count("CreateTrainingJob") == 0
    cloud.sweep(*words, "hydra.launcher.on_existing=rerun")
    assert list(machines(cloud).values()) == [["0", "1", "2"]]
    assert [cloud.record(number)["name"] for number in range(3)] == [f"{name[:-1]}1" for name in names]


@pytest.mark.slow
def test_the_commands_know_the_jobs_one_by_one(cloud: Cloud) -> None:
    def command(*words: str) -> str:
        typed = [sys.executable, "-m", "hydra_sagemaker", *words]
        env = {**os.environ, **cloud.env}
        return subprocess.run(typed, cwd=cloud.app.root, env=env, capture_output=True, text=True, check=True).stdout

    process = cloud.start("x=1,2,3", "do=wait,nothing", "hydra.launcher.jobs_per_machine=6", "hydra.launcher.wait=false")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    cloud.app.await_marks(1)
    cloud.app.await_(lambda: "x is 1" in command("logs", "sweep", "--job", "0"))
    shown = command("logs", "sweep", "--job", "0")
    assert shown.splitlines()[-1] == "x is 1" and f"its part of the log of {cloud.names()[0]}, which other jobs share" in shown
    rows = json.loads(command("list", "sweep", "--json"))
    assert [row["state"] for row in rows] == ["running"] * 6 and rows[1]["detail"] == "waits for its turn"
    cloud.app.let_go()
    command("collect", "sweep", "--wait")
    assert [cloud.app.result(number)["return_value"] for number in range(6)] == [10, 10, 20, 20, 30, 30]
    assert not any("is_estimate" in cloud.record(number)["cost"] for number in range(6))
