"""What a job's turn on a shared machine says about the job, and how jobs and machines are found again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from unittest.mock import MagicMock, patch

import pytest
from test_sharing import waiting

from hydra_sagemaker.aws.shared_machines import SharedMachines, machine_name, written
from hydra_sagemaker.aws.turns import Turn, description, end_of, read_turn
from hydra_sagemaker.backends.base import State
from hydra_sagemaker.backends.sagemaker import SageMakerBackend
from hydra_sagemaker.backends.sagemaker_lookup import JobLookup
from hydra_sagemaker.container import turns as container_turns
from hydra_sagemaker.errors import Unreachable
from hydra_sagemaker.pricing.cost import billed
from hydra_sagemaker.pricing.prices import Prices
from hydra_sagemaker.settings import SageMakerLauncherConf

NAMES = tuple(f"sweep-{number:016x}-0" for number in range(4))
MACHINE = machine_name(NAMES)
BEGAN = 1_000_000.0


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
        b'{"status": "Completed", "began": 1e12}',
    ],
)
def test_a_turn_that_no_machine_wrote_is_none(content: bytes) -> None:
    assert read_turn(content) is None
    assert read_turn(b'{"status": "Completed", "seconds": 1}') == Turn("Completed", exit_code=0, seconds=1.0)


class Bucket:
    """The objects of a machine in memory; strict: what is not there is an error."""

    prefix = "s3://bucket/prefix"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.lists = self.reads = 0

    def read(self, uri: str) -> bytes:
        self.reads += 1
        return self.objects.get(uri, b"")

    def names_below(self, uri: str) -> list[str]:
        assert uri.endswith("/")
        self.lists += 1
        return [name.removeprefix(uri) for name in self.objects if name.startswith(uri)]

    def turn(self, number: int, status: str, *, files: Sequence[str] = (), arrived: Sequence[str] = ()) -> None:
        folder = f"s3://bucket/kept/turns/{NAMES[number]}/"
        self.objects[f"{folder}turn.json"] = json.dumps({"status": status, "files": list(files)}).encode()
        self.objects |= {f"{folder}output/{file}": b"" for file in arrived}


class Service:
    def __init__(self, jobs: dict[str, dict[str, Any]]) -> None:
        self.jobs, self.lists, self.descriptions = jobs, 0, 0

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        assert query.keys() == {"NameContains"}
        self.lists += 1
        return [job for name, job in self.jobs.items() if query["NameContains"] in name]

    def described(self, name: str) -> dict[str, Any] | None:
        self.descriptions += 1
        return self.jobs.get(name)


@pytest.fixture
def bucket() -> Bucket:
    made = Bucket()
    made.objects[f"s3://bucket/prefix/jobs/{MACHINE}/machine.json"] = written(NAMES, "s3://bucket/kept/", 60).encode()
    return made


def shared(bucket: Bucket, service: Service) -> SharedMachines:
    return SharedMachines(cast(Any, service), cast(Any, bucket))


def status(machines: SharedMachines, number: int, whole: dict[str, Any]) -> str:
    return machines.status(NAMES[number], whole)["TrainingJobStatus"]


def test_a_job_has_ended_when_its_results_have_arrived_and_the_last_one_with_its_machine(bucket: Bucket) -> None:
    running = whole("InProgress", "Training")
    machines = shared(bucket, Service({MACHINE: running}))
    assert machines.machine_of(NAMES[0]) == MACHINE
    bucket.turn(0, "Completed", files=["output.tar.gz", "model.tar.gz"], arrived=["output.tar.gz"])
    assert status(machines, 0, running) == "InProgress"
    bucket.turn(0, "Completed", files=["output.tar.gz", "model.tar.gz"], arrived=["model.tar.gz"])
    assert status(machines, 0, running) == "Completed"
    bucket.turn(3, "Failed", files=["output.tar.gz"], arrived=["output.tar.gz"])
    assert status(machines, 3, running) == "InProgress" and status(machines, 3, whole("Failed")) == "Failed"
    assert machines.running_with([NAMES[1]], MACHINE) == [NAMES[2]]


def test_a_poll_reads_a_machine_once_for_all_of_its_jobs(bucket: Bucket) -> None:
    service = Service({MACHINE: whole("Completed")})
    machines = shared(bucket, service)
    for number in range(4):
        bucket.turn(number, "Completed")
    machines.learn("sweep")
    bucket.lists = bucket.reads = 0
    found = JobLookup(cast(Any, Anything(service)), machines).poll(NAMES)
    assert {one.state for one in found.values()} == {State.COMPLETED} and len(found) == 4
    assert (bucket.lists, bucket.reads) == (1, 4)


class Anything(Service):
    """Lists by any query."""

    def __init__(self, service: Service) -> None:
        super().__init__(service.jobs)

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        return [job for job in self.jobs.values() if job["TrainingJobStatus"] == query.get("StatusEquals", "InProgress")]


def test_a_machine_that_may_have_been_created_is_remembered(bucket: Bucket) -> None:
    service = Service({MACHINE: whole("InProgress")})
    backend = SageMakerBackend(replace(SageMakerLauncherConf(), instance_type="ml.m5.large"), None, None)
    backend.training_jobs, backend.machines = cast(Any, service), shared(bucket, service)
    assert backend.machines_of(NAMES[:2]) == dict.fromkeys(NAMES[:2], MACHINE)
    alone = "sweep-0123456789abcdef-0"
    service.jobs[alone] = whole("InProgress", TrainingJobName=alone)
    assert backend.machines_of([alone]) == {alone: ""}
    backend.uploads, backend.storage = cast(Any, MagicMock()), cast(Any, MagicMock(prefix="s3://bucket/prefix"))
    jobs = [(waiting(number, image_uri="image:1").job, NAMES[number], MagicMock()) for number in (2, 3)]
    made = machine_name(NAMES[2:])
    del service.jobs[MACHINE]
    assert backend.machines_of(NAMES) == {}
    with patch.object(backend, "_create", side_effect=Unreachable("no answer")), pytest.raises(Unreachable):
        backend.submit_together(jobs)
    assert backend.machines_of(NAMES[2:]) == {}, "it was not created"
    with patch.object(backend, "_create", side_effect=Unreachable("no answer")), pytest.raises(Unreachable):
        backend.submit_together(jobs)
    service.jobs[made] = whole("InProgress", TrainingJobName=made)
    with patch.object(service, "listed", return_value=[]):
        assert backend.machines_of(NAMES[1:3]) == {NAMES[2]: made}, "the list is late"
    del service.jobs[made]
    assert backend.machines_of(NAMES) == {} and backend.machines.machine_of(NAMES[3]) is None


def test_machines_are_looked_for_once(bucket: Bucket) -> None:
    service = Service({MACHINE: whole("InProgress"), "sweep-0123456789abcdef-0": whole()})
    machines = shared(bucket, service)
    assert [machines.machine_of(name) for name in (*NAMES, "sweep-0123456789abcdef-0")] == [MACHINE] * 4 + [None]
    assert service.lists == 1 and machines.described("sweep-0123456789abcdef-1") is None
    ended = service.jobs[MACHINE] = whole("Stopped")
    assert [machines.whole(MACHINE) for _ in range(3)] == [ended] * 3 and service.descriptions == 2


def test_a_list_that_is_gone_or_under_another_prefix(bucket: Bucket) -> None:
    moved = f"s3://other/jobs/{MACHINE}/"
    channel = {"ChannelName": "job", "DataSource": {"S3DataSource": {"S3Uri": moved}}}
    service = Service({MACHINE: whole("Completed", InputDataConfig=[channel])})
    (content,) = bucket.objects.values()
    bucket.objects = {f"{moved}machine.json": content}
    assert shared(bucket, service).machine_of(NAMES[2]) == MACHINE
    for broken in (b"{", b"[]", b'{"jobs": 3}'):
        bucket.objects = {f"s3://bucket/prefix/jobs/{MACHINE}/machine.json": broken}
        assert shared(bucket, service).machine_of(NAMES[2]) is None


def test_a_machine_that_was_not_created_leaves_its_jobs_alone(bucket: Bucket) -> None:
    machines = shared(bucket, Service({}))
    machines.add(MACHINE, NAMES, "s3://bucket/kept/")
    assert machines.described(NAMES[0]) is None
    machines.forget(MACHINE)
    assert machines.machine_of(NAMES[0]) is None


def test_a_job_that_failed_stays_failed_when_sigterm_comes_while_its_results_are_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = container_turns.Machine({"jobs": ["a"], "seconds": 60}, tmp_path, print, 0.0)
    turn = container_turns.Turn(machine, "a", 0)
    turn.noted = {"seconds": 0.0, "began": 0.0}

    def pack(job: Any) -> list[str]:
        machine.stopped = True
        return []

    monkeypatch.setattr(turn, "_pack", pack)
    job: Any = type("Job", (), {"has_completed": False, "stopped": False})()
    turn._end(job, 3, "ValueError")
    assert (turn.noted["status"], turn.noted["exit_code"]) == ("Failed", 3)
