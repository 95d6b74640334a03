"""Faults of the service hit one job: a sentence says why and what is next, and the other jobs are intact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
pytestmark = pytest.mark.slow


def failure_and_value(cloud: Cloud) -> tuple[str, object]:
    """Return the output of a sweep whose first job fails and whose second does not."""
    failed, completed = cloud.returns()
    assert (failed["status"], completed["status"]) == ("FAILED", "COMPLETED") and failed["error"][0] == "RemoteJobError"
    return failed["error"][1], completed["value"]


def test_a_job_that_takes_too_long(cloud: Cloud) -> None:
    cloud.fault(time_scale=10.0)
    output = cloud.sweep("x=1", "do=wait,nothing", "hydra.launcher.max_run_hours=0.01", code=1)
    error, value = failure_and_value(cloud)
    assert "it was stopped after hydra.launcher.max_run_hours=0.01, its limit" in error and value == 10
    assert "Next: raise hydra.launcher.max_run_hours; the same command submits it again" in output
    assert cloud.app.result(0)["status"] == "interrupted" and cloud.record(0)["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert "1 of 2 jobs failed, 1 completed" in output


def test_a_job_stopped_from_outside(cloud: Cloud) -> None:
    process = cloud.start("x=1", "do=wait,nothing")
    cloud.app.await_(lambda: len(cloud.names("Completed")) == 1 and len(cloud.app.marks()) == 2)
    (name,) = cloud.names("InProgress")
    cloud.account.sagemaker.stop_training_job(TrainingJobName=name)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    error, value = failure_and_value(cloud)
    assert f"{name}: it was stopped, by a person or another program" in error and value == 10
    assert "Next: the same command submits it again" in error
    cloud.app.let_go()
    assert "2 jobs: 1 new, 1 reused in" in cloud.sweep("x=1", "do=wait,nothing")


def test_a_job_that_vanishes(cloud: Cloud) -> None:
    process = cloud.start("x=1", "do=wait,nothing")
    cloud.app.await_(lambda: len(cloud.names("Completed")) == 1 and len(cloud.app.marks()) == 2)
    (name,) = cloud.names("InProgress")
    cloud.fault(vanish_jobs=name)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    error, value = failure_and_value(cloud)
    assert f"{name}: SageMaker does not know this job any more" in error and value == 10
    assert cloud.record(0)["state"] == "lost"


def test_no_capacity_for_one_is_waited_out(cloud: Cloud) -> None:
    cloud.fault(capacity_error_jobs=cloud.name, capacity_error_times=2)
    output = cloud.sweep("x=1,2", "hydra.launcher.max_parallel=1", "hydra.launcher.retry_seconds=0.5")
    assert [one["value"] for one in cloud.returns()] == [10, 20]
    assert "CapacityError: Unable to provision requested ML compute capacity" in output and "waiting (again in" in output
    earlier = [one for number in (0, 1) for one in cloud.record(number).get("earlier_attempts", [])]
    assert [one["cause"] for one in earlier] == ["capacity", "capacity"]


def test_no_capacity_when_nothing_is_tried_again(cloud: Cloud) -> None:
    cloud.fault(capacity_error_jobs=cloud.name, capacity_error_times=1)
    cloud.sweep("x=1,2", "hydra.launcher.max_parallel=1", "hydra.launcher.retries.infra=0", code=1)
    error, value = failure_and_value(cloud)
    assert "CapacityError: Unable to provision requested ML compute capacity" in error and value == 20
    assert cloud.record(0)["failure"]["cause"] == "capacity" and "\nNext: " in error
    assert "2 jobs: 1 new, 1 reused in" in cloud.sweep("x=1,2")
    assert [one["value"] for one in cloud.returns()] == [10, 20]


def test_a_container_that_cannot_start_our_code(cloud: Cloud) -> None:
    cloud.sweep("x=1", "hydra.launcher.python=python9", code=1)
    (failed,) = cloud.returns()
    assert "exit code: 127" in failed["error"][1]
    stream = f"--log-stream-name-prefix {cloud.names()[0]}/ --region us-east-1"
    assert f"Next: aws logs tail /aws/sagemaker/TrainingJobs {stream}" in failed["error"][1]


def test_a_killed_attempt_leaves_nothing_of_the_one_before(cloud: Cloud) -> None:
    cloud.sweep("x=1", "do=raise", code=1)
    assert cloud.app.result(0)["status"] == "failed"
    cloud.fault(kill_jobs=cloud.name, kill_after_seconds=0.0)
    cloud.sweep("x=1", "do=raise", code=1)
    assert cloud.record(0)["name"].endswith("-1")
    assert not (cloud.output(0) / ".job/result.json").exists()


def test_a_quota_of_one_instance_takes_longer(cloud: Cloud) -> None:
    cloud.fault(instance_quota={"ml.m5.large": 1})
    output = cloud.sweep("x=1,2,3")
    assert [one["value"] for one in cloud.returns()] == [10, 20, 30]
    assert "waiting (The account-level service limit 'ml.m5.large for training job usage' is 1 Instances" in output
    assert cloud.count("CreateTrainingJob") > 3 and len(cloud.names()) == 3


def test_no_quota_at_all_is_reported_at_once(cloud: Cloud) -> None:
    cloud.fault(instance_quota={"ml.m5.large": 0})
    cloud.sweep("x=1,2", code=1)
    returns = cloud.returns()
    for one in returns:
        assert "The account-level service limit 'ml.m5.large for training job usage' is 0" in one["error"][1]
        assert "\nNext: request a higher quota (Service Quotas, Amazon SageMaker" in one["error"][1]
    assert cloud.record(0)["failure"]["cause"] == "quota"
    assert len(returns) == 2 and cloud.names() == []


def test_throttling_is_ridden_through(cloud: Cloud) -> None:
    cloud.fault(throttled_calls=2, throttle_period=4)
    cloud.sweep("x=1,2")
    assert [one["value"] for one in cloud.returns()] == [10, 20] and len(cloud.names()) == 2
    answers = [one.status for one in cloud.server.requests if one.service == "sagemaker" and one.caller == "client"]
    assert answers.count(400) >= 2


def test_credentials_that_expire_in_the_middle_lose_nothing(cloud: Cloud) -> None:
    process = cloud.start("x=1,2", "do=wait")
    cloud.app.await_marks(2)
    cloud.fault(expired_credentials=True)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "Traceback" not in output
    assert "the credentials have expired: sign in again (`aws sso login`), then the same command" in output
    cloud.fault()
    assert len(cloud.names("InProgress")) == 2
    cloud.app.let_go()
    assert "2 jobs: 2 " in cloud.sweep("x=1,2", "do=wait") and cloud.count("CreateTrainingJob") == 0
