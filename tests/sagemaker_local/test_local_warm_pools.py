"""Machines that are kept for the next job: who may ask for them, who takes them, when they end and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from test_local_cli import started

from local_account import wait_for
from sagemaker_local import LocalSageMaker, cli
from sagemaker_local.errors import LocalSageMakerError
from sagemaker_local.warm_pools import Machines

if TYPE_CHECKING:
    from local_account import Account

KEPT = {"KeepAlivePeriodInSeconds": 300}
CACHE = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"
NOTE = (
    f"import os, pathlib; file = pathlib.Path(os.environ['{CACHE}'], 'seen'); print('seen', file.exists()); file.write_text('')"
)


def pool(account: Account, name: str) -> dict[str, Any]:
    return account.describe(name).get("WarmPoolStatus", {})


def end(account: Account, name: str) -> None:
    account.sagemaker.update_training_job(TrainingJobName=name, ResourceConfig={"KeepAlivePeriodInSeconds": 0})


def available(account: Account, **fields: Any) -> str:
    """The name of a job that has ended and left a pool."""
    name = account.run("", **{"ResourceConfig": KEPT, **fields})["TrainingJobName"]
    wait_for(lambda: pool(account, name)["Status"] == "Available")
    return name


@pytest.fixture(autouse=True)
def _no_pools_left(account: Account) -> Iterator[None]:
    yield
    wait_for(lambda: not _living(account))


def _living(account: Account) -> bool:
    """Tell whether pools are left, and end the ones that can be."""
    listed = account.sagemaker.list_training_jobs
    for one in listed(WarmPoolStatusEquals="Available", MaxResults=100)["TrainingJobSummaries"]:
        with suppress(ClientError):  # its time is over meanwhile
            end(account, one["TrainingJobName"])
    for one in (states := listed(WarmPoolStatusEquals="InUse", MaxResults=100)["TrainingJobSummaries"]):
        if one["TrainingJobStatus"] == "InProgress":
            with suppress(ClientError):  # it has ended meanwhile
                account.sagemaker.stop_training_job(TrainingJobName=one["TrainingJobName"])
    return bool(states or listed(WarmPoolStatusEquals="Available")["TrainingJobSummaries"])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ResourceConfig": {"KeepAlivePeriodInSeconds": 3601}}, "less than or equal to 3600"),
        ({"ResourceConfig": {"KeepAlivePeriodInSeconds": 21601}}, "less than or equal to 21600"),
        (
            {
                "ResourceConfig": KEPT,
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
            },
            "not supported with EnableManagedSpotTraining",
        ),
    ],
)
def test_what_is_refused(account: Account, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said) as refused:
        account.create(**fields)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_a_pool_from_its_job_to_the_next_and_to_its_end(account: Account) -> None:
    first = account.create("import time; time.sleep(1)", ResourceConfig=KEPT)
    assert pool(account, first) == {"Status": "InUse"}
    account.finished(first)
    wait_for(lambda: pool(account, first)["Status"] == "Available")
    second = account.create("", ResourceConfig=KEPT)
    used = pool(account, first)
    assert used["Status"] == "Reused" and used["ReusedByJob"] == second
    account.finished(second)
    wait_for(lambda: pool(account, second)["Status"] == "Available")
    assert pool(account, second) == {"Status": "Available"}, "what is billed is known at the end"
    end(account, second)
    assert pool(account, second) == {"Status": "Available"}, "it takes a moment"
    third = account.create("", ResourceConfig=KEPT)
    wait_for(lambda: pool(account, second)["Status"] == "Terminated")
    assert pool(account, second)["ResourceRetainedBillableTimeInSeconds"] >= 1
    assert "ReusedByJob" not in pool(account, second), f"{third} takes no pool that ends"
    assert pool(account, first) == used, "nothing is billed twice"
    with pytest.raises(ClientError, match="has no warm pool"):
        end(account, second)


def test_a_job_that_comes_too_early_misses_the_pool(account: Account) -> None:
    first = account.run("", ResourceConfig=KEPT)["TrainingJobName"]
    assert pool(account, first)["Status"] == "InUse", "it becomes available a moment later"
    account.create("", ResourceConfig=KEPT)
    wait_for(lambda: pool(account, first)["Status"] == "Available")


def test_a_pool_ends_when_its_time_is_over(account: Account) -> None:
    first = account.run("", ResourceConfig={"KeepAlivePeriodInSeconds": 1})["TrainingJobName"]
    wait_for(lambda: pool(account, first) == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 1})


def test_a_pool_cannot_be_ended_before_it_is_available(account: Account) -> None:
    name = account.create("import time; time.sleep(30)", ResourceConfig=KEPT)
    with pytest.raises(ClientError, match="when the training job is complete and its warm pool is Available: the job is InPr"):
        end(account, name)
    account.sagemaker.stop_training_job(TrainingJobName=name)
    account.finished(name)
    with pytest.raises(ClientError, match="the job is Stopped, the pool InUse"):
        end(account, name)
    wait_for(lambda: pool(account, name)["Status"] == "Available")
    end(account, name)
    wait_for(lambda: pool(account, name)["Status"] == "Terminated")


@pytest.mark.parametrize("way", ["stopped", "failed"])
def test_stopped_and_failed_jobs_leave_pools_too(account: Account, way: str) -> None:
    name = account.create("import time; time.sleep(30)" if way == "stopped" else "raise SystemExit(3)", ResourceConfig=KEPT)
    wait_for(lambda: account.describe(name)["SecondaryStatus"] != "Starting")
    if way == "stopped":
        account.sagemaker.stop_training_job(TrainingJobName=name)
    account.finished(name)
    wait_for(lambda: pool(account, name)["Status"] == "Available")


SAME = [
    {"AlgorithmSpecification": {"TrainingImage": "another:2"}},
    {"Environment": {"A": "B"}},
    {"HyperParameters": {"a": "b"}},
    {"ResourceConfig": {"KeepAlivePeriodInSeconds": 60}},
]
OTHERS = [
    {"ResourceConfig": KEPT | {"VolumeSizeInGB": 2}},
    {"ResourceConfig": KEPT | {"VolumeKmsKeyId": "abc"}},
    {"ResourceConfig": KEPT | {"InstanceCount": 2}},
    {"ResourceConfig": KEPT | {"InstanceType": "ml.m5.xlarge"}},
    {"VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}},
    {"EnableInterContainerTrafficEncryption": True},
    {"EnableNetworkIsolation": True},
]


@pytest.mark.parametrize("fields", [*SAME, *OTHERS], ids=str)
def test_which_jobs_take_a_pool(account: Account, fields: dict[str, Any]) -> None:
    first = available(account)
    account.finished(account.create("", **{"ResourceConfig": KEPT, **fields}))
    assert pool(account, first)["Status"] == ("Reused" if fields in SAME else "Available")


def test_the_list_is_filtered_by_the_status_of_the_pool(account: Account) -> None:
    first = available(account)
    second = account.run("", ResourceConfig=KEPT)["TrainingJobName"]
    for status, name in (("Reused", first), ("InUse", second)):
        listed = account.sagemaker.list_training_jobs(WarmPoolStatusEquals=status, MaxResults=100)["TrainingJobSummaries"]
        found = {one["TrainingJobName"]: one["WarmPoolStatus"]["Status"] for one in listed}
        assert found[name] == status and set(found.values()) == {status}


def test_the_cache_survives_in_the_pool_alone(account: Account, server: LocalSageMaker) -> None:
    first = account.run(NOTE, ResourceConfig=KEPT)["TrainingJobName"]
    wait_for(lambda: pool(account, first)["Status"] == "Available")
    second = account.run(NOTE, ResourceConfig=KEPT)["TrainingJobName"]
    assert (account.log(first), account.log(second)) == (["seen False"], ["seen True"])
    cache = server.jobs.jobs[second].pool
    assert cache is not None and cache.directory.is_dir()
    wait_for(lambda: pool(account, second)["Status"] == "Available")
    end(account, second)
    wait_for(lambda: pool(account, second)["Status"] == "Terminated")
    assert not cache.directory.exists()
    without = account.run(f"import os; print(os.environ.get('{CACHE}'))")
    assert account.log(without["TrainingJobName"]) == ["None"]


def test_beyond_the_quota_there_is_silently_no_pool(account: Account, server: LocalSageMaker) -> None:
    kept = available(account, ResourceConfig=KEPT | {"InstanceType": "ml.g5.xlarge"})
    server.machines.warm_pools = 1
    try:
        without = account.run("", ResourceConfig=KEPT | {"InstanceType": "ml.g5.xlarge", "VolumeSizeInGB": 9})
        assert "WarmPoolStatus" not in without and without["TrainingJobStatus"] == "Completed"
        server.faults.warm_pools_refused = True
        said = "'ml.g5.xlarge for training warm pool usage' is 1 Instances"
        with pytest.raises(ClientError, match=said):
            account.create("", ResourceConfig=KEPT | {"InstanceType": "ml.g5.xlarge", "VolumeSizeInGB": 9})
        assert pool(account, kept)["Status"] == "Available"
    finally:
        server.machines.warm_pools = 8


def test_an_idle_pool_counts_against_the_quota_of_instances(account: Account, server: LocalSageMaker) -> None:
    server.faults.instance_quota = {"ml.g5.2xlarge": 1}
    kind = {"InstanceType": "ml.g5.2xlarge"}
    available(account, ResourceConfig=KEPT | kind)
    with pytest.raises(ClientError, match="for training job usage"):
        account.create("", ResourceConfig=kind | {"VolumeSizeInGB": 9})
    account.finished(account.create("", ResourceConfig=KEPT | kind))


def test_a_machine_starts_once_and_its_start_is_not_billed(tmp_path: Path) -> None:
    from local_account import Account

    machines = Machines(start_seconds=2, image_seconds=2, warm_pools=1, pool_delay_seconds=0)
    with LocalSageMaker(tmp_path, machines=machines) as server, Account(server.url) as account:
        cold, warm = account.run("", ResourceConfig=KEPT), account.run("", ResourceConfig=KEPT)
        other = account.run("", ResourceConfig=KEPT, AlgorithmSpecification={"TrainingImage": "another:2"})

    def starting(one: dict[str, Any]) -> float:
        return (one["TrainingStartTime"] - one["CreationTime"]).total_seconds()

    assert starting(cold) >= 2 > starting(warm)
    assert cold["BillableTimeInSeconds"] >= warm["BillableTimeInSeconds"] + 1, "AWS bills the download of the image"
    assert other["BillableTimeInSeconds"] >= warm["BillableTimeInSeconds"] + 1 and starting(other) < 2


@pytest.mark.slow
def test_the_command_keeps_machines(tmp_path: Path) -> None:
    from local_account import Account

    options = ("--warm-pools", "1", "--start-seconds", "1.5", "--warm-start-seconds", "0.1", "--image-seconds", "0.1")
    with started("--root", str(tmp_path), *options) as (_, exports), Account(exports["AWS_ENDPOINT_URL"]) as account:
        first = account.run("", ResourceConfig=KEPT)
        assert (first["TrainingStartTime"] - first["CreationTime"]).total_seconds() >= 1.5
        wait_for(lambda: pool(account, first["TrainingJobName"])["Status"] == "Available")


def test_a_negative_time_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--port", "0", "--warm-pools", "-1"]) == 2
    assert "warm_pools is at least 0, not -1" in capsys.readouterr().err
    with pytest.raises(LocalSageMakerError, match="start_seconds is at least 0, not -1"):
        Machines(start_seconds=-1)
