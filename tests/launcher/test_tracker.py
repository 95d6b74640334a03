"""A sweep's jobs there and back, on a backend in memory and a clock that nobody waits for."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobStatus
from omegaconf import OmegaConf

from hydra_sagemaker.aws.logs import Log
from hydra_sagemaker.backends.base import Backend, Existing, Outcome, QuotaExceeded, State, Status
from hydra_sagemaker.errors import (
    Cause,
    Failure,
    LauncherError,
    NotPermitted,
    RemoteJobError,
    SubmissionRefused,
    Throttled,
    Unreachable,
)
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.runner.record import failure_record
from hydra_sagemaker.scheduling.ledger import Ledger
from hydra_sagemaker.scheduling.loop import EventLoop
from hydra_sagemaker.scheduling.retries import Retries
from hydra_sagemaker.scheduling.scheduler import Scheduler
from hydra_sagemaker.scheduling.tracker import Submission, Tracker
from hydra_sagemaker.settings import OnExisting, RetriesConf, SageMakerLauncherConf

COMPLETED = {"status": "completed", "exit_code": 0}
FAILED = failure_record(KeyError("x"))
STOPPED = failure_record(SystemExit(143))


class Memory(Backend):
    """Each job takes two looks, and ends as `ends` says."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.known: dict[str, Existing] = {}
        self.ends: dict[int, Any] = {}
        self.looks: dict[str, int] = {}
        self.submitted: list[str] = []
        self.stopped: list[str] = []
        self.room, self.permanent = 100, False
        self.there: set[str] = set()
        self.fresh: list[str] = []
        self.silences: list[BaseException] = []

    def image(self, settings: SageMakerLauncherConf) -> str:
        return "memory"

    def log(self, job: Job, name: str, *, lines: int, is_collected: bool) -> Log:
        raise AssertionError("the tracker reads no log here")

    def existing(self, jobs: Sequence[Job]) -> dict[str, Existing]:
        return self.known

    def prepare(self, job: Job, name: str, spec: Spec) -> None:
        return None

    def submit(self, job: Job, name: str, spec: Spec, *, fresh: bool = False) -> bool:
        assert self.ledger.read()[-1]["event"] == "submit", "it is written down before it is done"
        if self.silences:
            raise self.silences.pop()
        if sum(count < 2 for count in self.looks.values()) >= self.room:
            raise QuotaExceeded(f"the quota is {self.room}", permanent=self.permanent, next_step="request a higher quota")
        if isinstance(self.ends.get(job.number), LauncherError):
            raise self.ends[job.number]
        self.looks[name] = 0
        self.submitted.append(name)
        self.fresh += [name] if fresh else []
        return name not in self.there

    def poll(self, names: Collection[str]) -> dict[str, Status]:
        if self.silences:
            raise self.silences.pop()
        self.looks.update({name: self.looks.get(name, 0) + 1 for name in names})
        return {name: Status(State.COMPLETED if self.looks[name] >= 2 else State.RUNNING) for name in names}

    def collect(self, job: Job, name: str, status: Status) -> Outcome:
        end = self.ends.get(job.number, COMPLETED)
        if isinstance(end, list):
            end = end.pop(0)
        if isinstance(end, Failure):
            return Outcome(Status(State.FAILED), None, end)
        if isinstance(end, Exception):
            raise end
        stopped = Failure(Cause.STOPPED, "it was stopped", "run the same command again") if end is STOPPED else None
        return Outcome(status, end, stopped, value=job.number)

    def stop(self, names: Collection[str]) -> list[str]:
        self.stopped.extend(names)
        return []


class Clock:
    seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def event_loop(tracker: Tracker, submissions: list[Submission], scheduler: Scheduler, clock: Clock) -> EventLoop:
    return EventLoop(tracker, submissions, scheduler, clock.now, clock.sleep)


def unwatched(submission: Submission) -> None:
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
        job.distinguishing_overrides, job.key, job.slug = (f"x={job.number}",), f"{job.number:016x}", "train"
    return found


def memory(tracker: Tracker) -> Memory:
    assert isinstance(tracker.backend, Memory)
    return tracker.backend


def run(tracker: Tracker, jobs: list[Job], *, max_parallel: int = 10) -> list[Any]:
    submissions = tracker.plan(jobs, OnExisting.retry_failed)
    return event_loop(tracker, submissions, Scheduler(max_parallel, 10), Clock()).run(unwatched)


def ended(tracker: Tracker, jobs: list[Job], *states: State) -> None:
    for job, state in zip(jobs, states, strict=False):
        memory(tracker).known[job.key] = Existing(job.name(3), 3, Status(state))


@pytest.mark.parametrize(
    "on_existing, plan",
    [
        (OnExisting.retry_failed, ["new 4", "new 4", "new 4", "attached 3", "reused 3"]),
        (OnExisting.reuse, ["reused 3", "reused 3", "reused 3", "attached 3", "reused 3"]),
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
        SubmissionRefused, match=r": 1 problem\n.*job 1 \(x=1\) still runs as train-0+1-3: .*retry_failed attaches to it"
    ):
        tracker.plan(jobs, OnExisting.rerun)


def test_none_again(tracker: Tracker, jobs: list[Job]) -> None:
    assert len(tracker.plan(jobs, OnExisting.fail)) == 4
    ended(tracker, jobs, State.COMPLETED)
    with pytest.raises(
        SubmissionRefused, match=r": 1 problem\n.*job 0 \(x=0\) exists as train-0+-3: .*retry_failed continues with them"
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
        RemoteJobError, match="could not be downloaded: OSError: disk full\nNext: the same command again collects"
    ):
        _ = returns[0].return_value
    with pytest.raises(KeyError, match="x"):
        _ = returns[1].return_value
    with pytest.raises(RemoteJobError, match=r"job 2 \(x=2\), train-0+2-0: the image is not there"):
        _ = returns[2].return_value
    record = json.loads((jobs[2].job_dir / "record.json").read_text())
    assert (record["state"], record["detail"]) == ("failed", "not submitted")
    assert record["failure"] == {
        "cause": "infrastructure",
        "message": "the image is not there",
        "next_step": "the same command again",
    }


def test_a_stopped_job_and_a_job_whose_service_says_otherwise(tracker: Tracker, jobs: list[Job]) -> None:
    memory(tracker).ends = {0: STOPPED, 1: None}
    returns = run(tracker, jobs[:2])
    with pytest.raises(RemoteJobError, match=r"it was stopped\nNext: run the same command again"):
        _ = returns[0].return_value
    with pytest.raises(RemoteJobError, match=r"it ended as completed"):
        _ = returns[1].return_value


def test_jobs_that_find_no_room_wait(tracker: Tracker, jobs: list[Job]) -> None:
    memory(tracker).room = 1
    returns = run(tracker, jobs)
    assert [one.return_value for one in returns] == [0, 1, 2, 3]
    assert memory(tracker).submitted == [job.name(0) for job in jobs]


def test_a_quota_of_nothing_is_the_end_of_it(tracker: Tracker, jobs: list[Job]) -> None:
    memory(tracker).room, memory(tracker).permanent = 0, True
    returned = run(tracker, jobs[:1])[0]
    with pytest.raises(RemoteJobError, match="the quota is 0\nNext: request a higher quota"):
        _ = returned.return_value
    assert json.loads((jobs[0].job_dir / "record.json").read_text())["failure"]["cause"] == "quota"


def test_a_job_that_exists_already_is_attached(tracker: Tracker, jobs: list[Job]) -> None:
    memory(tracker).there = {jobs[0].name(0)}
    [submission] = tracker.plan(jobs[:1], OnExisting.retry_failed)
    tracker.submit(submission)
    assert submission.origin == "attached"


def test_what_runs_can_be_stopped(tracker: Tracker, jobs: list[Job]) -> None:
    for submission in tracker.plan(jobs[:2], OnExisting.retry_failed):
        tracker.submit(submission)
    tracker.poll()
    tracker.stop()
    assert memory(tracker).stopped == [jobs[0].name(0), jobs[1].name(0)]
    assert tracker.ledger.read()[-1]["event"] == "stop"


def persistent(tracker: Tracker, jobs: list[Job], *ends: Any, spot: int = 0) -> tuple[list[Any], Clock]:
    """The first job ends so, attempt after attempt."""
    tracker.retries = Retries(RetriesConf(infra=2, spot=spot), 60.0)
    memory(tracker).ends = {0: list(ends)}
    clock = Clock()
    submissions = tracker.plan(jobs[:1], OnExisting.retry_failed)
    return event_loop(tracker, submissions, Scheduler(1, 10), clock).run(unwatched), clock


LACKS_CAPACITY = Failure(Cause.CAPACITY, "CapacityError: no machines", "the same command again")


def test_a_job_without_capacity_is_submitted_again_under_its_next_name(tracker: Tracker, jobs: list[Job]) -> None:
    [returned], clock = persistent(tracker, jobs, LACKS_CAPACITY, LACKS_CAPACITY, COMPLETED)
    assert returned.return_value == 0 and clock.seconds > 90
    assert memory(tracker).submitted == [jobs[0].name(0), jobs[0].name(1), jobs[0].name(2)]
    record = json.loads((jobs[0].job_dir / "record.json").read_text())
    assert record["name"] == jobs[0].name(2) and "failure" not in record
    assert record["earlier_attempts"] == [{"name": jobs[0].name(attempt), "cause": "capacity"} for attempt in (0, 1)]


def test_when_the_retries_are_used_up_the_last_failure_stands(tracker: Tracker, jobs: list[Job]) -> None:
    [returned], _ = persistent(tracker, jobs, *[LACKS_CAPACITY] * 3)
    with pytest.raises(RemoteJobError, match="CapacityError: no machines\nNext: the same command again"):
        _ = returned.return_value
    assert len(memory(tracker).submitted) == 3


def test_the_task_s_own_error_is_not_tried_again(tracker: Tracker, jobs: list[Job]) -> None:
    [returned], _ = persistent(tracker, jobs, Failure(Cause.CODE, "KeyError: 'x'", "look at it"), COMPLETED)
    assert returned.status == JobStatus.FAILED and len(memory(tracker).submitted) == 1


def test_a_retry_that_would_cost_too_much_is_not_made(
    tracker: Tracker, jobs: list[Job], caplog: pytest.LogCaptureFixture
) -> None:
    tracker.may_cost = lambda submission: "max_cost_usd=1: 1 job may cost $2"
    [returned], _ = persistent(tracker, jobs, LACKS_CAPACITY, COMPLETED)
    assert returned.status == JobStatus.FAILED and len(memory(tracker).submitted) == 1
    assert "job 0 (x=0) is not tried again: max_cost_usd=1: 1 job may cost $2" in caplog.text


def test_the_next_launch_knows_of_the_attempts_before(tracker: Tracker, jobs: list[Job]) -> None:
    persistent(tracker, jobs, *[LACKS_CAPACITY] * 3)
    memory(tracker).known[jobs[0].key] = Existing(jobs[0].name(2), 2, Status(State.FAILED))
    [submission] = tracker.plan(jobs[:1], OnExisting.retry_failed)
    assert [one["name"] for one in submission.attempts] == [jobs[0].name(attempt) for attempt in range(3)]
    assert submission.name == jobs[0].name(3) and not submission.fresh


def test_what_is_run_all_again_takes_nothing_from_before(tracker: Tracker, jobs: list[Job]) -> None:
    ended(tracker, jobs, State.FAILED)
    assert [one.fresh for one in tracker.plan(jobs[:2], OnExisting.rerun)] == [True, False]
    tracker.submit(tracker.plan(jobs[:1], OnExisting.rerun)[0])
    assert memory(tracker).fresh == [jobs[0].name(4)]


def test_detached_jobs_return_handles_that_are_no_numbers(tracker: Tracker, jobs: list[Job]) -> None:
    ended(tracker, jobs, State.COMPLETED)
    submissions = tracker.plan(jobs[:3], OnExisting.retry_failed)
    returns = event_loop(tracker, submissions, Scheduler(3, 10, detach=True), Clock()).run(unwatched)
    assert returns[0].return_value == 0, "ended jobs are collected"
    assert [str(one.return_value) for one in returns[1:]] == [f"SubmittedJob('{job.name(0)}')" for job in jobs[1:3]]
    with pytest.raises(TypeError, match="has no value yet: it was submitted with hydra.launcher.wait=false"):
        float(returns[1].return_value)


@pytest.mark.parametrize("error", [Throttled("Rate exceeded"), Unreachable("no connection")])
def test_a_service_that_does_not_answer_is_asked_again(
    tracker: Tracker, jobs: list[Job], error: LauncherError, caplog: pytest.LogCaptureFixture
) -> None:
    memory(tracker).silences = [error] * 30
    clock = Clock()
    submissions = tracker.plan(jobs[:2], OnExisting.retry_failed)
    with caplog.at_level("INFO"):
        returns = event_loop(tracker, submissions, Scheduler(2, 10), clock).run(unwatched)
    assert [one.return_value for one in returns] == [0, 1] and clock.seconds > 100
    assert f"{error}; trying again, jobs run meanwhile" in caplog.text and "the service answers again, after" in caplog.text
    assert caplog.text.count("trying again") < 30, "not a line for each try"


def test_what_no_job_may_do_ends_the_launch(tracker: Tracker, jobs: list[Job]) -> None:
    memory(tracker).ends = {1: NotPermitted("you may not")}
    with pytest.raises(NotPermitted, match="you may not"):
        run(tracker, jobs)
    assert list(tracker.active) == [jobs[0].name(0)], "which may continue"


def test_an_interrupted_loop_continues_where_it_was(tracker: Tracker, jobs: list[Job]) -> None:
    memory(tracker).silences = [KeyboardInterrupt()]
    submissions = tracker.plan(jobs[:2], OnExisting.retry_failed)
    loop = event_loop(tracker, submissions, Scheduler(2, 10), Clock())
    with pytest.raises(KeyboardInterrupt):
        loop.run(unwatched)
    assert list(tracker.active) == [jobs[0].name(0)], "the call may have arrived"
    assert [one.return_value for one in loop.run(unwatched)] == [0, 1]


def test_an_interruption_between_a_look_and_what_it_says_loses_no_job(tracker: Tracker, jobs: list[Job]) -> None:
    submissions = tracker.plan(jobs[:2], OnExisting.retry_failed)
    loop = event_loop(tracker, submissions, Scheduler(2, 10), Clock())
    polled, cut = loop.scheduler.polled, [KeyboardInterrupt(), KeyboardInterrupt()]

    def interrupted(*words: Any) -> None:
        if cut and tracker.backend.looks[jobs[0].name(0)] >= 2:  # type: ignore[attr-defined]
            if len(cut) == 1:
                polled(*words)  # the second one comes after it
            raise cut.pop()
        polled(*words)

    loop.scheduler.polled = interrupted  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            loop.run(unwatched)
    assert [one.return_value for one in loop.run(unwatched)] == [0, 1]
    assert loop.scheduler.running == set() and tracker.active == {}


def test_only_one_of_two_jobs_that_share_a_run_has_the_bill(tracker: Tracker, jobs: list[Job]) -> None:
    [submission] = tracker.plan(jobs[:1], OnExisting.retry_failed)
    submission.duplicate_of = 7
    tracker.collect(submission)
    record = json.loads((jobs[0].job_dir / "record.json").read_text())
    assert record["same_as"] == 7 and "cost" not in record
