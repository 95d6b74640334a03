"""A sweep's jobs there and back, on a backend in memory and a clock that nobody waits for."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobStatus
from omegaconf import OmegaConf

from hydra_plugins.hydra_sagemaker_launcher._backend import Existing, NoRoom, Outcome, State, Status
from hydra_plugins.hydra_sagemaker_launcher._drive import drive
from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError, RemoteJobError, SubmissionRefused
from hydra_plugins.hydra_sagemaker_launcher._jobs import Job
from hydra_plugins.hydra_sagemaker_launcher._ledger import Ledger
from hydra_plugins.hydra_sagemaker_launcher._result import failure_record
from hydra_plugins.hydra_sagemaker_launcher._scheduler import Scheduler
from hydra_plugins.hydra_sagemaker_launcher._spec import Spec
from hydra_plugins.hydra_sagemaker_launcher._tracker import Submission, Tracker
from hydra_plugins.hydra_sagemaker_launcher.config import OnExisting, SageMakerLauncherConf

COMPLETED = {"status": "completed", "exit_code": 0}
FAILED = failure_record(KeyError("x"))
STOPPED = failure_record(SystemExit(143))


class Memory:
    """Each job takes two looks, and ends as `ends` says."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.known: dict[str, Existing] = {}
        self.ends: dict[int, Any] = {}
        self.looks: dict[str, int] = {}
        self.submitted: list[str] = []
        self.stopped: list[str] = []
        self.room = 100
        self.there: set[str] = set()

    def existing(self, jobs: Sequence[Job]) -> dict[str, Existing]:
        return self.known

    def submit(self, job: Job, name: str, spec: Spec) -> bool:
        assert self.ledger.read()[-1]["event"] == "submit", "it is written down before it is done"
        if sum(count < 2 for count in self.looks.values()) >= self.room:
            raise NoRoom("the quota is 1")
        if isinstance(self.ends.get(job.number), LauncherError):
            raise self.ends[job.number]
        self.looks[name] = 0
        self.submitted.append(name)
        return name not in self.there

    def poll(self, names: Collection[str]) -> dict[str, Status]:
        self.looks.update({name: self.looks.get(name, 0) + 1 for name in names})
        return {name: Status(State.COMPLETED if self.looks[name] >= 2 else State.RUNNING) for name in names}

    def collect(self, job: Job, name: str, status: Status) -> Outcome:
        end = self.ends.get(job.number, COMPLETED)
        if isinstance(end, Exception):
            raise end
        return Outcome(status, end, value=job.number)

    def stop(self, names: Collection[str]) -> None:
        self.stopped.extend(names)


class Clock:
    seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Watcher:
    def __init__(self) -> None:
        self.seen: list[tuple[int, str]] = []

    def changed(self, submission: Submission) -> None:
        self.seen.append((submission.job.number, submission.status.state.value))

    def tick(self) -> None:
        return None


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    return Tracker(Memory(ledger), ledger, spec_of=lambda job, name: None, task_package=None)  # type: ignore[arg-type,return-value]


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    hydra = {"job": {"name": "train", "id": "?"}, "runtime": {"output_dir": "?"}, "overrides": {"task": ["x=${now:%H}"]}}
    configs = [OmegaConf.create({"x": number, "hydra": hydra}) for number in range(4)]
    found = [Job(number, (), config, SageMakerLauncherConf(), tmp_path / str(number)) for number, config in enumerate(configs)]
    for job in found:
        job.own_words, job.key, job.slug = (f"x={job.number}",), f"{job.number:016x}", "train"
    return found


def memory(tracker: Tracker) -> Memory:
    assert isinstance(tracker.backend, Memory)
    return tracker.backend


def run(tracker: Tracker, jobs: list[Job], *, max_parallel: int = 10) -> list[Any]:
    submissions = tracker.plan(jobs, OnExisting.retry_failed)
    return drive(tracker, submissions, Scheduler(len(jobs), max_parallel, 10), Clock(), Watcher())


def ended(tracker: Tracker, jobs: list[Job], *states: State) -> None:
    for job, state in zip(jobs, states, strict=False):
        memory(tracker).known[job.key] = Existing(job.name(3), 3, Status(state))


@pytest.mark.parametrize(
    "on_existing, plan",
    [
        (OnExisting.retry_failed, ["new 4", "new 4", "new 4", "adopted 3", "reused 3"]),
        (OnExisting.reuse, ["reused 3", "reused 3", "reused 3", "adopted 3", "reused 3"]),
    ],
)
def test_what_a_job_that_ran_before_becomes(
    tracker: Tracker, jobs: list[Job], on_existing: OnExisting, plan: list[str]
) -> None:
    states = (State.FAILED, State.STOPPED, State.LOST, State.RUNNING, State.COMPLETED)
    found = []
    for state in states:
        ended(tracker, jobs[:1], state)
        [submission] = tracker.plan(jobs[:1], on_existing)
        found.append(f"{submission.origin} {submission.name.rpartition('-')[2]}")
    assert found == plan


def test_all_again(tracker: Tracker, jobs: list[Job]) -> None:
    ended(tracker, jobs, State.COMPLETED, State.FAILED)
    plan = tracker.plan(jobs[:3], OnExisting.rerun)
    assert [(one.origin, one.name) for one in plan] == [
        ("new", jobs[0].name(4)),
        ("new", jobs[1].name(4)),
        ("new", jobs[2].name(0)),
    ]


def test_what_runs_does_not_run_again_beside_itself(tracker: Tracker, jobs: list[Job]) -> None:
    ended(tracker, jobs, State.COMPLETED, State.RUNNING)
    with pytest.raises(
        SubmissionRefused, match=r": 1 problem\n.*job 1 \(x=1\) still runs as train-0+1-3: .*retry_failed adopts it"
    ):
        tracker.plan(jobs, OnExisting.rerun)


def test_none_again(tracker: Tracker, jobs: list[Job]) -> None:
    assert len(tracker.plan(jobs, OnExisting.fail)) == 4
    ended(tracker, jobs, State.COMPLETED)
    with pytest.raises(
        SubmissionRefused, match=r": 1 problem\n.*job 0 \(x=0\) exists as train-0+-3: .*retry_failed goes on with them"
    ):
        tracker.plan(jobs, OnExisting.fail)


def test_returns_have_the_order_of_the_jobs_whatever_ends_first(tracker: Tracker, jobs: list[Job]) -> None:
    ended(tracker, jobs[2:], State.COMPLETED, State.RUNNING)
    returns = run(tracker, jobs, max_parallel=1)
    assert [(one.status, one.return_value) for one in returns] == [(JobStatus.COMPLETED, number) for number in range(4)]
    assert memory(tracker).submitted == [jobs[0].name(0), jobs[1].name(0)]
    assert [one.cfg for one in returns] == [{"x": number} for number in range(4)]
    assert returns[2].hydra_cfg.hydra.job.id == jobs[2].name(3)
    assert returns[2].overrides == ["x=${now:%H}"]


def test_one_lost_job_does_not_lose_the_others(tracker: Tracker, jobs: list[Job]) -> None:
    memory(tracker).ends = {0: OSError("disk full"), 1: FAILED, 2: LauncherError("the image is not there")}
    returns = run(tracker, jobs)
    assert [one.status.name for one in returns] == ["FAILED", "FAILED", "FAILED", "COMPLETED"]
    with pytest.raises(
        RemoteJobError, match="could not be brought home: OSError: disk full\nNext: the same command again collects"
    ):
        _ = returns[0].return_value
    with pytest.raises(KeyError, match="x"):
        _ = returns[1].return_value
    with pytest.raises(RemoteJobError, match=r"job 2 \(x=2\), train-0+2-0: the image is not there"):
        _ = returns[2].return_value
    record = json.loads((jobs[2].job_dir / "record.json").read_text())
    assert (record["state"], record["detail"], record["reason"]) == ("failed", "not submitted", "the image is not there")


def test_a_stopped_job_and_a_job_whose_service_says_otherwise(tracker: Tracker, jobs: list[Job]) -> None:
    memory(tracker).ends = {0: STOPPED, 1: None}
    returns = run(tracker, jobs[:2])
    with pytest.raises(RemoteJobError, match=r"it was stopped \(exit code 143\); the same command goes on"):
        _ = returns[0].return_value
    with pytest.raises(RemoteJobError, match=r"it ended as completed"):
        _ = returns[1].return_value


def test_jobs_that_find_no_room_wait(tracker: Tracker, jobs: list[Job]) -> None:
    memory(tracker).room = 1
    returns = run(tracker, jobs)
    assert [one.return_value for one in returns] == [0, 1, 2, 3]
    assert memory(tracker).submitted == [job.name(0) for job in jobs]


def test_no_room_for_a_single_job_is_the_end_of_it(tracker: Tracker, jobs: list[Job]) -> None:
    memory(tracker).room = 0
    with pytest.raises(RemoteJobError, match="there is no room for a single job: the quota is 1"):
        _ = run(tracker, jobs[:1])[0].return_value


def test_a_job_that_is_there_already_is_adopted(tracker: Tracker, jobs: list[Job]) -> None:
    memory(tracker).there = {jobs[0].name(0)}
    [submission] = tracker.plan(jobs[:1], OnExisting.retry_failed)
    tracker.submit(submission)
    assert submission.origin == "adopted"


def test_what_runs_can_be_stopped(tracker: Tracker, jobs: list[Job]) -> None:
    for submission in tracker.plan(jobs[:2], OnExisting.retry_failed):
        tracker.submit(submission)
    tracker.poll()
    tracker.stop()
    assert memory(tracker).stopped == [jobs[0].name(0), jobs[1].name(0)]
    assert tracker.ledger.read()[-1]["event"] == "stop"
