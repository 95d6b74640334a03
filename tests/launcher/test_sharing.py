"""Which jobs share a machine, what its request says, and what each job's turn on it says about the job."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from hydra_apps import AWS, App
from hydra_sagemaker.aws.request import training_job_request
from hydra_sagemaker.aws.shared_machines import machine_name
from hydra_sagemaker.aws.turns import Turn, description, end_of, read_turn
from hydra_sagemaker.backends.base import State, Status
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.inputs import Input
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.pricing.cost import billed
from hydra_sagemaker.pricing.prices import Prices
from hydra_sagemaker.scheduling.scheduler import Poll, Scheduler, Submit
from hydra_sagemaker.scheduling.sharing import companions, groups
from hydra_sagemaker.scheduling.submission import NEW, Submission
from hydra_sagemaker.settings import SageMakerLauncherConf

NAMES = tuple(f"sweep-{number:016x}-0" for number in range(4))
MACHINE = machine_name(NAMES)
BEGAN = 1_000_000.0


def waiting(number: int, *, attempt: int = 0, fresh: bool = False, **settings: Any) -> Submission:
    config = replace(SageMakerLauncherConf(s3_uri="s3://bucket/prefix/", instance_type="ml.g5.xlarge"), **settings)
    job = Job(
        number, (f"x={number}",), OmegaConf.create({}), config, Path(f"sweep/{number}"), key=f"{number:016x}", slug="sweep"
    )
    return Submission(job, job.name(attempt), NEW, Status(State.WAITING), fresh=fresh)


def numbers(made: list[list[Submission]]) -> list[list[int]]:
    return [[one.job.number for one in group] for group in made]


def test_groups_keep_the_order_and_are_filled() -> None:
    jobs = [waiting(number) for number in range(5)]
    assert numbers(groups(jobs, 2)) == [[0, 1], [2, 3], [4]] and numbers(groups(jobs, 1)) == [[0], [1], [2], [3], [4]]
    assert numbers([[jobs[0], *companions(jobs[0], jobs[1:], 2)]]) == [[0, 1, 2]]


@pytest.mark.parametrize(
    "differing",
    [
        {"instance_type": "ml.m5.large"}, {"volume_gb": 60}, {"spot": True}, {"env": {"A": "1"}}, {"secrets": {"A": "name"}},
        {"channels": {"data": "s3://data"}}, {"tags": {"team": "nlp"}}, {"extra": {"EnableNetworkIsolation": True}},
        {"image_uri": "other"}, {"python": "python"}, {"max_run_hours": 1.0}, {"checkpoints": True}, {"max_wait_hours": 50.0},
        {"processes_per_instance": 1},
    ],
    ids=lambda differing: next(iter(differing)),
)  # fmt: skip
def test_another_machine_is_not_shared(differing: dict[str, Any]) -> None:
    jobs = [waiting(0), waiting(1, **differing), waiting(2), waiting(3, **differing)]
    assert numbers(groups(jobs, 4)) == [[0, 2], [1, 3]]


def test_what_concerns_a_job_alone_does_not_part_it_from_the_others() -> None:
    jobs = [waiting(0), waiting(1, model_files=["*.bin"]), waiting(2, key_files=["a"]), waiting(3, download_models=True)]
    assert numbers(groups(jobs, 4)) == [[0, 1, 2, 3]]
    jobs[1].job.inputs = (Input("data.train", "/data/train.csv", "input-0", "0" * 64),)
    assert numbers(groups(jobs, 4)) == [[0, 2, 3], [1]]


def test_a_retry_with_checkpoints_is_alone() -> None:
    jobs = [waiting(0, spot=True), waiting(1, attempt=1, spot=True), waiting(2, attempt=1, fresh=True, spot=True)]
    assert numbers(groups(jobs, 3)) == [[0, 2], [1]]
    assert companions(jobs[1], jobs, 2) == []
    assert numbers(groups([waiting(0), waiting(1, attempt=1)], 2)) == [[0, 1]]


def test_a_machine_takes_one_slot_until_its_last_job_has_ended() -> None:
    scheduler = Scheduler(max_parallel=1, poll_seconds=10, jobs_per_machine=2)
    assert scheduler.free_slots == 2
    for kind in ("a", "a", "b", "a"):
        scheduler.add(kind)
    assert scheduler.next(0) == Submit(0) and scheduler.waiting_with(0) == [1, 3]
    scheduler.submitted(0, 0, [1], "m")
    assert scheduler.machines == 1 and scheduler.running == {0, 1} and scheduler.quotas["a"].running == 1
    assert scheduler.next(10) == Poll()
    scheduler.polled([0], 10)
    assert scheduler.machines == 1 and scheduler.quotas["a"].running == 1
    scheduler.collected(0)
    scheduler.requeue(0, 10)
    assert scheduler.next(20) == Poll()
    scheduler.polled([1], 20)
    assert scheduler.machines == 0 and scheduler.quotas["a"].running == 0
    assert scheduler.next(20) == Submit(2) and scheduler.waiting_with(3) == [0]


def test_an_earlier_launchs_machine_takes_one_slot_too() -> None:
    scheduler = Scheduler(max_parallel=2, poll_seconds=10, jobs_per_machine=3)
    indexes = [scheduler.add("a") for _ in range(4)]
    for index in indexes[:3]:
        scheduler.restore(index, has_ended=False, machine="m")
    assert scheduler.machines == 1 and scheduler.quotas["a"].running == 1 and scheduler.free_slots == 2
    assert scheduler.next(0) == Submit(3)
    scheduler.submitted(3, 0, machine="m")  # another launcher has put it there
    assert scheduler.machines == 1 and scheduler.quotas["a"].running == 1


def test_the_request_of_a_machine() -> None:
    job = waiting(0, max_run_hours=2, max_wait_hours=3, spot=True, checkpoints=False).job
    place = f"s3://bucket/prefix/checkpoints/{MACHINE}/0/"
    alone = training_job_request(job, job.name(0), bundle="b", image="image")
    made = training_job_request(job, MACHINE, bundle="b", image="image", checkpoints=place, numbers=range(4))
    assert MACHINE == "sweep-m-c6153fd3403c458b" and len(machine_name([f"{'s' * 42}-{'0' * 16}-999"])) <= 63
    assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 4 * 7200, "MaxWaitTimeInSeconds": 4 * 10_800}
    assert made["CheckpointConfig"]["S3Uri"] == place and "CheckpointConfig" not in alone
    assert {"Key": "hydra-launcher:job", "Value": "0 1 2 3"} in made["Tags"]
    assert made["InputDataConfig"][1]["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://bucket/prefix/jobs/{MACHINE}/"
    changed = {"TrainingJobName", "StoppingCondition", "CheckpointConfig", "Tags", "InputDataConfig"}
    assert {key for key in made if made[key] != alone.get(key)} == changed
    many = training_job_request(job, MACHINE, bundle="b", image="image", numbers=range(200))
    assert all(len(tag["Value"]) <= 256 for tag in many["Tags"])


def whole(status: str = "Completed", detail: str = "", **values: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": MACHINE, "TrainingJobStatus": status, "SecondaryStatus": detail or status,
        "CheckpointConfig": {"S3Uri": "s3://bucket/kept/"}, "OutputDataConfig": {"S3OutputPath": "s3://bucket/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        "TrainingStartTime": datetime.fromtimestamp(BEGAN, UTC), **values,
    }  # fmt: skip


def turn(status: str, began: float = 0.0, seconds: float = 10.0, **values: Any) -> Turn:
    at = BEGAN + began
    return Turn(status, first_began=at, began=at, ended=at + seconds, seconds=seconds, **values)


LATE = turn("Stopped", secondary_status="MaxRuntimeExceeded")


@pytest.mark.parametrize(
    "status, detail, turns, expected",
    [
        ("InProgress", "Downloading", {}, ("InProgress", "Downloading")),
        ("InProgress", "Training", {0: turn("InProgress")}, ("InProgress", "waits for its turn")),
        ("Failed", "Failed", {}, ("Failed", "Failed")),
        ("Failed", "Failed", {0: turn("InProgress")}, ("Failed", "Failed")),
        ("Stopped", "Stopped", {0: turn("Stopped")}, ("Stopped", "Stopped")),
        ("Stopped", "MaxWaitTimeExceeded", {0: turn("Stopped")}, ("Stopped", "MaxWaitTimeExceeded")),
        ("Stopped", "MaxRuntimeExceeded", {0: turn("Stopped")}, ("Failed", "Failed")),
        ("Stopped", "MaxRuntimeExceeded", {1: turn("Stopped")}, ("Stopped", "MaxRuntimeExceeded")),
        ("InProgress", "Training", {1: turn("Stopped")}, ("InProgress", "Training")),
        ("InProgress", "Training", {1: LATE}, ("Stopped", "MaxRuntimeExceeded")),
        ("Failed", "Failed", {1: turn("Completed")}, ("Completed", "Completed")),
        ("Completed", "Completed", {1: turn("InProgress")}, ("Failed", "Completed")),
    ],
)  # fmt: skip
def test_how_the_second_job_of_a_machine_stands(status: str, detail: str, turns: dict[int, Turn], expected: Any) -> None:
    by_name = {NAMES[number]: one for number, one in turns.items()}
    assert end_of(NAMES[1], by_name, whole(status, detail))[:2] == expected


def test_reasons() -> None:
    failed = turn("Failed", exit_code=137, reason="killed by signal 9")
    assert end_of(NAMES[1], {NAMES[1]: failed}, whole())[2] == "AlgorithmError: killed by signal 9, exit code: 137"
    died = whole("Failed", FailureReason="AlgorithmError: , exit code: 137")
    assert end_of(NAMES[0], {NAMES[0]: turn("InProgress")}, died)[2] == died["FailureReason"]
    assert MACHINE in end_of(NAMES[1], {NAMES[0]: turn("InProgress")}, died)[2]


def test_shares_of_the_bill() -> None:
    turns = {NAMES[0]: turn("Completed", 40, 10), NAMES[1]: turn("Failed", 50, 30), NAMES[2]: turn("Completed", 80, 0)}
    ended = whole(TrainingTimeInSeconds=120, BillableTimeInSeconds=30, EnableManagedSpotTraining=True)
    costs = [billed(description(name, NAMES, turns, ended), Prices({"ml.m5.large": 3600.0})) for name in NAMES]
    assert [one["billable_seconds"] for one in costs] == [7.5, 12.5, 5.0, 5.0], "a quarter of 80 idle seconds is everybody's"
    assert sum(one["cost_usd"] for one in costs) == 30 and sum(one["saved_by_spot_usd"] for one in costs) == 90
    early = description(NAMES[1], NAMES, turns, whole("InProgress"))
    assert early["BillIsOpen"] and early["BillableTimeInSeconds"] == 30 + 40 / 4
    never = description(NAMES[0], NAMES, {}, {**whole("Failed", FailureReason="CapacityError: no")})
    assert billed(never | {"TrainingStartTime": None}, Prices())["billable_seconds"] is None
    del (absent := whole("Failed"))["TrainingStartTime"]
    assert billed(description(NAMES[0], NAMES, {}, absent), Prices())["cost_usd"] == 0


def test_a_job_is_described_as_a_job_alone() -> None:
    transitions = [{"Status": "Interrupted", "StartTime": datetime.fromtimestamp(BEGAN + at, UTC)} for at in (5, 15, 25)]
    turns = {
        NAMES[0]: turn("Completed", 0, 10, files=("output.tar.gz", "model.tar.gz"), checkpoints=True),
        NAMES[1]: turn("Completed", 10, 10, files=("output.tar.gz",)),
    }
    ended = whole(SecondaryStatusTransitions=transitions, TrainingTimeInSeconds=30, BillableTimeInSeconds=30)
    first, second = (description(name, NAMES, turns, ended) for name in NAMES[:2])
    assert first["OutputDataConfig"] == {"S3OutputPath": "s3://bucket/kept/turns"} and first["Machine"] == MACHINE
    assert first["CheckpointConfig"] == {"S3Uri": f"s3://bucket/kept/{NAMES[0]}/"} and "CheckpointConfig" not in second
    model = f"s3://bucket/kept/turns/{NAMES[0]}/output/model.tar.gz"
    assert first["ModelArtifacts"] == {"S3ModelArtifacts": model} and "ModelArtifacts" not in second
    assert first["SecondaryStatusTransitions"] == transitions[:1] and second["SecondaryStatusTransitions"] == transitions[1:2]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"status": "Done"}',
        b'{"status": "Completed", "began": "x"}',
        b'{"status": "Completed", "seconds": NaN}',
    ],
)
def test_a_turn_that_no_machine_wrote_is_none(content: bytes) -> None:
    assert read_turn(content) is None
    assert read_turn(b'{"status": "Completed", "seconds": 1}') == Turn("Completed", exit_code=0, seconds=1.0)


@pytest.mark.parametrize(
    "words, message",
    [
        (["jobs_per_machine=0"], "hydra.launcher.jobs_per_machine=0: at least 1, which gives every job its own machine"),
        (["jobs_per_machine=2", "instance_count=2"], "with instance_count=2: jobs share one machine: instance_count=1, or"),
        (
            ["jobs_per_machine=30"],
            "times max_run_hours=24 is 720 hours, and a machine runs for 672 (28 days) at most: lower one",
        ),
        (["jobs_per_machine=2", "+extra.StoppingCondition.MaxRuntimeInSeconds=9"], "the launcher sets it for a shared machine"),
        (["jobs_per_machine=2", "max_parallel=1", "wait=false"], "2 machines, max_parallel=1 submits only some at once"),
    ],
)
def test_what_is_refused(app: App, words: list[str], message: str) -> None:
    typed = [f"+hydra.launcher.{word[1:]}" if word.startswith("+") else f"hydra.launcher.{word}" for word in words]
    finished = app.run(*AWS, "x=1,2,3", *typed)
    assert finished.code == 1 and message in finished.output and "Traceback" not in finished.output, finished.output


def test_a_dry_run_shows_machines(app: App) -> None:
    finished = app.run(*AWS, "x=1,2,3,1", "hydra.launcher.jobs_per_machine=2", "hydra.launcher.max_run_hours=2")
    assert (
        finished.code == 0
        and "2 requests in" in finished.output
        and "4 jobs: 3 new, on 2 machines, 1 the same" in finished.output
    )
    assert "3 jobs, at most $0.69" in finished.output
    requests = {file.name: json.loads(file.read_text()) for file in app.sweep_dir.glob(".launcher/requests/*.request.json")}
    assert requests.keys() == {"0.request.json", "2.request.json"}
    limits = [requests[name]["StoppingCondition"]["MaxRuntimeInSeconds"] for name in sorted(requests)]
    assert limits == [14_400, 7200] and "-m-" in requests["0.request.json"]["TrainingJobName"]
    assert len(list(app.sweep_dir.glob(".launcher/requests/*.spec.json"))) == 4


def test_without_effect_on_this_machine(app: App) -> None:
    app.sweep("x=1,2", "hydra.launcher.jobs_per_machine=2")
    assert [app.result(number)["return_value"] for number in (0, 1)] == [10, 20] and len(
        {one[3] for one in app.all_marks()}
    ) == 2


def test_only_sagemaker_knows_shared_machines() -> None:
    from hydra_sagemaker.backends.local import LocalBackend

    with pytest.raises(LauncherError, match="jobs share machines in mode=sagemaker alone"):
        LocalBackend(SageMakerLauncherConf(), Path(), Path(), Path(), None).submit_together([])
