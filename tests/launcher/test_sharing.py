"""Which jobs share a machine, what its request says, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from hydra_apps import AWS, App
from hydra_sagemaker.aws.request import training_job_request
from hydra_sagemaker.aws.shared_machines import machine_name
from hydra_sagemaker.backends.base import State, Status
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.inputs import Input
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.actions import Poll, Submit
from hydra_sagemaker.scheduling.scheduler import Scheduler
from hydra_sagemaker.scheduling.sharing import companions, groups
from hydra_sagemaker.scheduling.submission import NEW, Submission
from hydra_sagemaker.settings import SageMakerLauncherConf

NAMES = tuple(f"sweep-{number:016x}-0" for number in range(4))
MACHINE = machine_name(NAMES)


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
    for one, path in zip(jobs, ("/data/train.csv", "/data/train.csv", "/other/train.csv", "/data/other.csv"), strict=True):
        one.job.inputs = (Input("data.train", path, "input-0", "0" * 64),)
    assert numbers(groups(jobs, 4)) == [[0, 1, 2], [3]], "the same content, under another name"


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
    limits = {"MaxRuntimeInSeconds": 4 * (7200 + 180), "MaxWaitTimeInSeconds": 4 * (10_800 + 180)}
    assert made["StoppingCondition"] == limits, "three minutes more for each job, to save and to pack its results"
    assert made["CheckpointConfig"]["S3Uri"] == place and "CheckpointConfig" not in alone
    assert {"Key": "hydra-launcher:job", "Value": "0 1 2 3"} in made["Tags"]
    assert made["InputDataConfig"][1]["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://bucket/prefix/jobs/{MACHINE}/"
    changed = {"TrainingJobName", "StoppingCondition", "CheckpointConfig", "Tags", "InputDataConfig"}
    assert {key for key in made if made[key] != alone.get(key)} == changed
    many = training_job_request(job, MACHINE, bundle="b", image="image", numbers=range(200))
    assert all(len(tag["Value"]) <= 256 for tag in many["Tags"])


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
    assert limits == [2 * (7200 + 180), 7200] and "-m-" in requests["0.request.json"]["TrainingJobName"]
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
