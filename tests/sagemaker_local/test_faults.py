from __future__ import annotations

import re
import time
import urllib.error
from typing import Any

import pytest
from botocore.exceptions import ClientError
from test_lifecycle import HANDLES_SIGTERM, ROOT

from local_account import BUCKET, Account
from sagemaker_local import Faults, LocalSageMaker, LocalSageMakerError

COUNTS_ON = (
    ROOT
    + """
import signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
state = root / "checkpoints" / "step"
step = int(state.read_text()) if state.exists() else 0
print("from", step, flush=True)
assert not list((root / "model").iterdir())
(root / "model" / "partial").write_text("")
while step < 40:
    step += 1
    unfinished = state.with_name("unfinished")
    unfinished.write_text(str(step))
    unfinished.replace(state)
    time.sleep(0.02)
"""
)
SPOT = {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxWaitTimeInSeconds": 600}}


def codes(account: Account, calls: int) -> list[str]:
    answered = []
    for _ in range(calls):
        try:
            account.sagemaker.list_training_jobs()
            answered.append("ok")
        except ClientError as error:
            answered.append(error.response["Error"]["Code"])
    return answered


def test_throttling_by_a_fixed_pattern(account: Account, server: LocalSageMaker) -> None:
    account.local("faults", {"throttled_calls": 2, "throttle_period": 3})
    throttled = "ThrottlingException"
    assert codes(account, 6) == [throttled, throttled, "ok", throttled, throttled, "ok"]
    account.s3.list_buckets()  # other services are not throttled
    account.local("faults", {})
    assert codes(account, 3) == ["ok"] * 3
    assert server.faults == Faults()


def test_a_quota_that_is_raised_later(account: Account, server: LocalSageMaker) -> None:
    server.faults.instance_quota = {"ml.g5.xlarge": 1}
    large: dict[str, Any] = {"ResourceConfig": {"InstanceType": "ml.g5.xlarge"}}
    first = account.create("import time; time.sleep(30)", **large)
    with pytest.raises(
        account.sagemaker.exceptions.ResourceLimitExceeded, match=r"usage' is 1 Instances, .* utilization of 1 "
    ):
        account.create("", **large)
    account.run("")  # another type
    server.faults.instance_quota = {"ml.g5.xlarge": 2}
    assert account.run("", **large)["TrainingJobStatus"] == "Completed"
    account.sagemaker.stop_training_job(TrainingJobName=first)
    account.finished(first)


def test_spot_interruptions_and_the_way_on_from_the_checkpoint(account: Account, server: LocalSageMaker) -> None:
    server.faults.update({"interrupt_jobs": "spot", "interrupt_after_seconds": 0.3, "interrupt_times": 2})
    config = {"S3Uri": f"s3://{BUCKET}/checkpoints/spot"}
    name = account.create(COUNTS_ON, "a-spot-job", CheckpointConfig=config, **SPOT)
    on_demand = account.run(COUNTS_ON, "not-a-spot-job")
    described = account.finished(name)
    assert described["TrainingJobStatus"] == "Completed" and "Interrupted" not in account.steps(on_demand)
    attempt = ["Downloading", "Training", "Interrupted", "Starting"]
    assert account.steps(described) == ["Starting", *attempt, *attempt, "Downloading", "Training", "Uploading", "Completed"]
    began_at = [int(line.split()[1]) for line in account.log(name)]
    assert began_at[0] == 0 and began_at == sorted(set(began_at)) and len(began_at) == 3
    assert described["BillableTimeInSeconds"] < described["TrainingTimeInSeconds"]


def test_max_wait_time_counts_what_a_spot_job_has_waited(account: Account, server: LocalSageMaker) -> None:
    server.faults.update({"start_delay_seconds": 0.5, "time_scale": 100.0})
    condition = {"MaxRuntimeInSeconds": 10, "MaxWaitTimeInSeconds": 10}
    waited = account.run("", EnableManagedSpotTraining=True, StoppingCondition=condition)
    assert (waited["TrainingJobStatus"], waited["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    condition["MaxWaitTimeInSeconds"] = 100
    condition["MaxRuntimeInSeconds"] = 100
    ran = account.run(HANDLES_SIGTERM, EnableManagedSpotTraining=True, StoppingCondition=condition)
    assert (ran["TrainingJobStatus"], ran["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")


def test_the_clock_of_max_runtime_runs_faster(account: Account, server: LocalSageMaker) -> None:
    server.faults.time_scale = 1000.0
    described = account.run(HANDLES_SIGTERM, StoppingCondition={"MaxRuntimeInSeconds": 500})
    assert described["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert described["TrainingTimeInSeconds"] >= 500
    assert (described["TrainingEndTime"] - described["TrainingStartTime"]).total_seconds() < 5


def test_a_slow_start_can_be_stopped(account: Account, server: LocalSageMaker) -> None:
    server.faults.start_delay_seconds = 30.0
    name = account.create("")
    time.sleep(0.3)
    assert account.describe(name)["SecondaryStatus"] == "Starting"
    account.sagemaker.stop_training_job(TrainingJobName=name)
    assert "ModelArtifacts" not in account.finished(name, seconds=3)


def test_a_lost_job_is_killed_and_the_others_are_not(account: Account, server: LocalSageMaker) -> None:
    server.faults.update({"kill_jobs": "lost", "kill_after_seconds": 0.2})
    lost = account.create(HANDLES_SIGTERM, "a-lost-job")
    other = account.run("import time; time.sleep(0.5)")
    assert account.finished(lost)["FailureReason"] == "AlgorithmError: , exit code: 137"
    assert other["TrainingJobStatus"] == "Completed" and "saved" not in account.log(lost)


def test_a_job_that_vanishes(account: Account, server: LocalSageMaker) -> None:
    name = account.run("", "vanishing")["TrainingJobName"]
    server.faults.vanish_jobs = "vanish"
    with pytest.raises(ClientError, match="Requested resource not found"):
        account.describe(name)
    assert account.sagemaker.list_training_jobs(NameContains=name)["TrainingJobSummaries"] == []
    server.faults.vanish_jobs = None
    assert account.describe(name)["TrainingJobStatus"] == "Completed"


def test_a_capacity_shortage_ends(account: Account, server: LocalSageMaker) -> None:
    account.local("faults", {"capacity_error_jobs": "", "capacity_error_times": 1})
    assert account.run("")["FailureReason"].startswith("CapacityError: Unable to provision requested ML compute capacity")
    assert account.run("")["TrainingJobStatus"] == "Completed"


def test_an_upload_that_fails(account: Account, server: LocalSageMaker) -> None:
    server.faults.update({"fail_put_prefix": f"{BUCKET}/mine/", "fail_put_number": 2})
    account.s3.put_object(Bucket=BUCKET, Key="mine/1", Body=b"1")
    with pytest.raises(ClientError, match="AccessDenied"):
        account.s3.put_object(Bucket=BUCKET, Key="mine/2", Body=b"2")
    account.s3.put_object(Bucket=BUCKET, Key="mine/3", Body=b"3")
    assert account.keys("mine/") == ["mine/1", "mine/3"]
    server.faults.update({"fail_put_prefix": f"{BUCKET}/out/no-model", "fail_put_number": 2})
    failed = account.run("", "no-model")
    assert failed["TrainingJobStatus"] == "Failed"
    assert (
        failed["FailureReason"].startswith("ClientError: Artifact upload failed:") and "AccessDenied" in failed["FailureReason"]
    )


def test_results_whose_upload_fails(account: Account, server: LocalSageMaker) -> None:
    server.faults.update({"fail_put_prefix": f"{BUCKET}/out/no-results", "fail_put_number": 1})
    failed = account.run("raise ValueError('of the task')", "no-results")
    assert failed["FailureReason"].startswith("ClientError: Artifact upload failed:")
    assert account.keys("out/no-results/") == [] and "ModelArtifacts" not in failed
    assert account.run("", "no-results-again")["TrainingJobStatus"] == "Completed"


def test_an_internal_error(account: Account, server: LocalSageMaker) -> None:
    account.local("faults", {"internal_error_jobs": "unlucky", "internal_error_times": 2})
    for name in ("unlucky-0", "unlucky-1"):
        failed = account.run("raise ValueError('never run')", name)
        assert failed["FailureReason"] == "InternalServerError: We encountered an internal error. Please try again."
        assert account.steps(failed) == ["Starting", "Downloading", "Failed"] and failed["BillableTimeInSeconds"] > 0
    assert account.run("", "unlucky-2")["TrainingJobStatus"] == account.run("", "lucky")["TrainingJobStatus"] == "Completed"


def test_expired_credentials_hit_clients_and_jobs_but_not_the_server(account: Account, server: LocalSageMaker) -> None:
    name = account.create("import time; time.sleep(0.5)")
    server.faults.expired_credentials = True
    for call, code in (
        (account.sagemaker.list_training_jobs, "ExpiredTokenException"),
        (account.s3.list_buckets, "ExpiredToken"),
        (account.clients["sts"].get_caller_identity, "ExpiredToken"),
        (account.logs.describe_log_groups, "ExpiredTokenException"),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == code
    time.sleep(0.8)
    server.faults.expired_credentials = False
    assert account.finished(name)["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trottle": 1}, "there is no fault 'trottle'; faults: throttled_calls, "),
        ({"throttled_calls": "3"}, "the fault throttled_calls wants int, not '3'"),
        ({"throttled_calls": True}, "the fault throttled_calls wants int, not True"),
        ({"throttle_period": 0}, "the fault throttle_period is more than 0, not 0"),
        ({"instance_quota": {"ml.m5.large": "1"}}, "the fault instance_quota wants dict"),
        ({"denied_operations": "GetRole"}, "the fault denied_operations wants list[str], not 'GetRole'"),
        ({"denied_operations": [1]}, "the fault denied_operations wants list[str], not [1]"),
    ],
)
def test_faults_that_are_none(account: Account, server: LocalSageMaker, values: dict, message: str) -> None:
    with pytest.raises(LocalSageMakerError, match=re.escape(message)):
        Faults().update(values)
    with pytest.raises(urllib.error.HTTPError) as caught:
        account.local("faults", {"kill_jobs": "", **values})
    with caught.value as answer:
        assert answer.code == 400 and message in answer.read().decode()
    assert server.faults == Faults()  # nothing of it was taken


def test_faults_on_the_command_line() -> None:
    given = [
        "kill_jobs=seed-1",
        "kill_after_seconds=0.5",
        "instance_quota=ml.g5.xlarge:2,ml.m5.large:0",
        "expired_credentials=true",
        "denied_operations=CreateTrainingJob,HeadBucket",
    ]
    assert Faults.parse(given) == Faults(
        kill_jobs="seed-1",
        kill_after_seconds=0.5,
        instance_quota={"ml.g5.xlarge": 2, "ml.m5.large": 0},
        expired_credentials=True,
        denied_operations=["CreateTrainingJob", "HeadBucket"],
    )
    with pytest.raises(LocalSageMakerError, match="written throttled_calls=int, not throttled_calls=many"):
        Faults.parse(["throttled_calls=many"])
    with pytest.raises(LocalSageMakerError, match="written instance_quota=TYPE:COUNT,TYPE:COUNT, not instance_quota=2"):
        Faults.parse(["instance_quota=2"])


def test_faults_can_be_read(account: Account, server: LocalSageMaker) -> None:
    server.faults.kill_jobs = "x"
    assert account.local("faults")["kill_jobs"] == "x"
