"""Machines that are kept warm: what is refused, which job waits for which machine, when one is given back, what it costs."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

pytest.importorskip("boto3")

from botocore.exceptions import ClientError  # noqa: E402

from hydra_apps import AWS, App  # noqa: E402
from hydra_sagemaker.aws.request import findings_of, training_job_request  # noqa: E402
from hydra_sagemaker.aws.warm_pools import WarmPool, shape_of, shape_of_settings, warm_pool_of  # noqa: E402
from hydra_sagemaker.backends.pools import Pools  # noqa: E402
from hydra_sagemaker.backends.sagemaker_pools import SageMakerPools  # noqa: E402
from hydra_sagemaker.container.caches import use_kept_directory  # noqa: E402
from hydra_sagemaker.errors import CallFailed, NotPermitted, Throttled  # noqa: E402
from hydra_sagemaker.job.job import Job  # noqa: E402
from hydra_sagemaker.pricing.cost import billed, with_kept  # noqa: E402
from hydra_sagemaker.pricing.prices import Prices, bound_of_settings  # noqa: E402
from hydra_sagemaker.scheduling.actions import Poll, Sleep, Submit, Tend  # noqa: E402
from hydra_sagemaker.scheduling.ledger import Ledger, failed_attempts, kept_warm_usd  # noqa: E402
from hydra_sagemaker.scheduling.pool_ending import Unended  # noqa: E402
from hydra_sagemaker.scheduling.pool_keeper import PATIENCE_SECONDS, PoolKeeper  # noqa: E402
from hydra_sagemaker.scheduling.scheduler import START_SECONDS, Scheduler  # noqa: E402
from hydra_sagemaker.scheduling.warm_pools import (  # noqa: E402
    CLAIMED_SECONDS,
    COMING_SECONDS,
    SILENT_LOOKS,
    Pool,
    PoolState,
)
from hydra_sagemaker.settings import SageMakerLauncherConf, keep_warm_seconds  # noqa: E402
from hydra_sagemaker.sweep.checks import setting_problems  # noqa: E402

SET: dict[str, Any] = {
    "s3_uri": "s3://bucket/prefix", "role_arn": "arn:aws:iam::123456789012:role/jobs", "image_uri": "image:1",
    "instance_type": "ml.g5.xlarge",
}  # fmt: skip
AVAILABLE, IN_USE = WarmPool("Available"), WarmPool("InUse")


def settings(**values: Any) -> SageMakerLauncherConf:
    return dataclasses.replace(SageMakerLauncherConf(), **{**SET, **values})


def job(**values: Any) -> Job:
    return Job(3, ("x=1",), OmegaConf.create({}), settings(**values), Path("sweep/3"), key="0123456789abcdef", slug="sweep")


def resources(**values: Any) -> dict[str, Any]:
    return {"extra": {"ResourceConfig": values}}


GROUPS = [{"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "InstanceGroupName": "a"}]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"keep_warm_minutes": 61}, "hydra.launcher.keep_warm_minutes=61: from 0 to 60; null or 0 keeps nothing"),
        ({"keep_warm_minutes": -1}, "hydra.launcher.keep_warm_minutes=-1: from 0 to 60"),
        ({"keep_warm_minutes": float("nan")}, "hydra.launcher.keep_warm_minutes=nan: from 0 to 60"),
        ({"keep_warm_minutes": 5, "spot": True}, "is 300 with spot: SageMaker keeps no spot machines warm: "),
        ({"keep_warm_minutes": 5, "spot": True}, "hydra.launcher.keep_warm_minutes=null, or hydra.launcher.spot=false"),
        (resources(KeepAlivePeriodInSeconds=600) | {"spot": True}, "KeepAlivePeriodInSeconds is 600 with spot"),
        (resources(KeepAlivePeriodInSeconds=3601), "KeepAlivePeriodInSeconds is 3601: at most 3600 (60 minutes)"),
        (resources(KeepAlivePeriodInSeconds=30000), "KeepAlivePeriodInSeconds is 30000: at most 21600"),
        (
            resources(InstanceGroups=GROUPS) | {"keep_warm_minutes": 5},
            "is 300 with InstanceGroups: SageMaker keeps machines of one",
        ),
        (
            resources(InstancePreferences=[{"InstanceType": "ml.g5.xlarge"}]) | {"keep_warm_minutes": 5},
            "is 300 with InstancePreferences: SageMaker keeps machines of one",
        ),
    ],
)
def test_what_is_refused(values: dict[str, Any], said: str) -> None:
    problems = [*setting_problems(settings(**values)), *findings_of(job(**values)).problems]
    assert sum(said in problem for problem in problems) == 1, problems


@pytest.mark.parametrize("minutes", [None, 0, 0.05, 60])
def test_what_is_valid(minutes: float | None) -> None:
    given = job(keep_warm_minutes=minutes)
    assert [*setting_problems(given.settings), *findings_of(given).problems] == []
    request = training_job_request(given, "a", bundle="b", image="c")
    assert request["ResourceConfig"].get("KeepAlivePeriodInSeconds", 0) == round(60 * (minutes or 0))


def test_the_request_has_the_last_word() -> None:
    given = settings(keep_warm_minutes=10, **resources(KeepAlivePeriodInSeconds=60))
    assert keep_warm_seconds(given) == 60
    assert keep_warm_seconds(settings(**resources(KeepAlivePeriodInSeconds="soon"))) == 0


OTHERS: list[dict[str, Any]] = [
    {"role_arn": "arn:aws:iam::123456789012:role/other"},
    {"instance_type": "ml.g5.2xlarge"},
    {"instance_count": 2},
    {"volume_gb": 10},
    resources(VolumeKmsKeyId="key"),
    {"extra": {"VpcConfig": {"Subnets": ["a"], "SecurityGroupIds": ["b"]}}},
    {"extra": {"EnableNetworkIsolation": True}},
    {"extra": {"EnableInterContainerTrafficEncryption": True}},
]
SAME: list[dict[str, Any]] = [
    {"image_uri": "other:2"}, {"env": {"A": "b"}}, {"channels": {"data": "s3://bucket/data"}}, {"keep_warm_minutes": 3},
    {"max_run_hours": 2},
]  # fmt: skip


@pytest.mark.parametrize("values", [*OTHERS, *SAME], ids=str)
def test_which_machines_are_the_same(values: dict[str, Any]) -> None:
    plain, other = shape_of_settings(settings()), shape_of_settings(settings(**values))
    assert (plain == other) == (values in SAME)
    request = training_job_request(job(**values), "a", bundle="b", image="c")
    assert shape_of(request) == other
    described = {**request, "TrainingJobStatus": "Completed", "TrainingStartTime": 1.0}
    assert warm_pool_of(described).shape == other, "as a pool of an earlier launch is found"


def test_the_order_of_subnets_does_not_matter() -> None:
    one, other = (settings(extra={"VpcConfig": {"Subnets": names, "SecurityGroupIds": ["c"]}}) for names in ("ab", "ba"))
    assert shape_of_settings(one) == shape_of_settings(other)


def scheduler(shapes: str, slots: int, running: int = 0) -> Scheduler:
    """Jobs of machines A, B, …, of which the first are submitted at time 0."""
    found = Scheduler(slots, 10.0)
    for shape in shapes:
        found.add("ml.g5.xlarge", shape)
    for index in range(running):
        found.submitted(index, 0)
    return found


def ends(found: Scheduler, index: int, now: float, *, state: PoolState = PoolState.COMING) -> str:
    """A job ends; return the name of the pool that it leaves."""
    name = f"job-{index}"
    found.pools.add(pool := Pool(name, found.shapes[index], "ml.g5.xlarge", 600, now), now)
    if state == PoolState.AVAILABLE:
        found.pools.set(pool, state, now)
    found.polled([index], now)
    return name


def test_the_next_job_waits_until_its_machine_is_available() -> None:
    found = scheduler("AA", slots=1, running=1)
    name = ends(found, 0, now=10)
    assert found.next(10) == Tend()
    found.pools.seen(name, IN_USE, 10)
    found.collected(0)
    assert found.next(10) == Sleep(found.pools.look_seconds)
    found.pools.seen(name, AVAILABLE, 12)
    assert found.next(12) == Submit(1)


def test_a_slot_without_a_machine_is_not_kept_waiting() -> None:
    found = scheduler("AAA", slots=3, running=1)
    ends(found, 0, now=10)
    assert found.next(10) == Submit(1), "the second slot has no machine"
    found.submitted(1, 10)
    assert found.next(10) == Submit(2), "nor has the third"
    found = scheduler("AAAA", slots=2, running=2)
    ends(found, 0, now=10)
    assert not isinstance(found.next(10), Submit), "the other slot is busy"


def test_a_machine_that_does_not_come_is_not_waited_for() -> None:
    found = scheduler("AA", slots=1, running=1)
    name = ends(found, 0, now=10)
    found.collected(0)
    found.pools.seen(name, IN_USE, 10 + COMING_SECONDS)
    assert isinstance(found.next(10 + COMING_SECONDS), Sleep)
    assert found.next(11 + COMING_SECONDS) == Submit(1)


def test_who_needs_other_machines_lets_those_go_first_whose_machine_is_there() -> None:
    found = scheduler("ABA", slots=1, running=1)
    ends(found, 0, now=10, state=PoolState.AVAILABLE)
    assert found.next(10) == Submit(2)
    found.submitted(2, 10)
    assert found.pools.pools["job-0"].state == PoolState.CLAIMED
    found.pools.seen("job-0", WarmPool("Reused", reused_by="job-2"), 11)
    ends(found, 2, now=20, state=PoolState.AVAILABLE)
    assert found.next(20) == Tend(), "no job needs it any more"
    found.pools.seen("job-2", WarmPool("Terminated"), 21)
    assert found.next(21) == Submit(1)


def test_machines_that_no_job_needs_are_given_back() -> None:
    found = scheduler("AAA", slots=2, running=2)
    for index in (0, 1):
        ends(found, index, now=10, state=PoolState.AVAILABLE)
    assert [pool.name for pool in found.pools.unneeded(found.waiting(10), 2, 10)] == ["job-0"], "one job is left"
    found.pools.expects_more = True
    assert found.pools.unneeded(found.waiting(10), 2, 10) == []
    assert found.pools.unneeded({}, 0, 10) != [], "there is no slot for a further job"


def test_a_job_that_may_be_tried_again_is_a_job_in_the_queue() -> None:
    found = scheduler("A", slots=1, running=1)
    found.failed.add(0)
    ends(found, 0, now=10, state=PoolState.AVAILABLE)
    assert found.pools.unneeded(found.waiting(10), 1, 10) == []
    found.requeue(0, 100)
    found.collected(0)
    assert found.pools.unneeded(found.waiting(10), 1, 10) == [] and not found.failed
    assert found.pools.waited_for(found.waiting(10, later=False), 10) == 0, "another job need not wait for it"
    found.requeue(found.add("ml.g5.xlarge", "B"), 15 + START_SECONDS)
    assert found.waiting(10) == {"A": 1, "B": 1}, "the second waits in the queue"
    found.submitted(1, 10)
    assert found.waiting(10) == {"A": 1, "B": 0} and found.waiting(16)["B"] == 1, "no machine is kept for a job that comes late"


def test_the_service_may_give_a_job_another_machine_than_the_one_meant() -> None:
    found = scheduler("AAAA", slots=2, running=2)
    for index in (0, 1):
        ends(found, index, now=10, state=PoolState.AVAILABLE)
    found.submitted(2, 10)
    meant, other = found.pools.pools["job-0"], found.pools.pools["job-1"]
    assert (meant.state, other.state) == (PoolState.CLAIMED, PoolState.AVAILABLE)
    found.pools.seen("job-0", AVAILABLE, 12)
    assert other.look_at == 12
    assert found.pools.seen("job-1", WarmPool("Reused", reused_by="job-2"), 12)
    assert meant.state == PoolState.AVAILABLE and found.next(12) == Submit(3)


def test_a_machine_that_nobody_took_is_free_again() -> None:
    found = scheduler("AA", slots=1, running=1)
    ends(found, 0, now=10, state=PoolState.AVAILABLE)
    found.submitted(1, 10)
    found.pools.seen("job-0", AVAILABLE, 11 + CLAIMED_SECONDS)
    assert found.pools.pools["job-0"].state == PoolState.AVAILABLE
    assert found.next(11 + CLAIMED_SECONDS) == Tend(), "to give it back"


def test_idle_machines_count_against_the_quota() -> None:
    found = scheduler("AAB", slots=3, running=2)
    found.refused(2, 0)
    found.quotas["ml.g5.xlarge"].probe_at = 1000
    ends(found, 0, now=10, state=PoolState.AVAILABLE)
    found.collected(0)
    assert found.next(10) == Tend(), "no job needs it"
    found.pools.set(found.pools.pools["job-0"], PoolState.ENDING, 10)
    assert not isinstance(found.next(10.5), Submit), "it is still there"
    found.pools.seen("job-0", WarmPool("Terminated"), 11)
    assert found.next(11) == Submit(2)


def test_without_warm_machines_nothing_waits() -> None:
    found = scheduler("  ", slots=1, running=1)
    found.polled([0], 10)
    assert found.next(10) == Submit(1)
    found.submitted(1, 10)
    found.collected(0)
    assert found.next(20) == Poll()


class Cloud(Pools):
    """What a service says of pools, in turn; of no pool twice the same."""

    def __init__(self, answers: Mapping[str, list[WarmPool]], error: CallFailed | None = None) -> None:
        self.answers, self.error = {name: list(found) for name, found in answers.items()}, error
        self.ended: list[str] = []
        self.types_without: list[str] = []

    def shape(self, job: Job, name: str = "") -> str:
        return shape_of_settings(job.settings)

    def look(self, name: str) -> WarmPool | None:
        return self.answers[name].pop(0) if self.answers.get(name) else None

    def end(self, name: str) -> None:
        if self.error is not None:
            raise self.error
        self.ended.append(name)

    def missing(self, instance_type: str) -> None:
        self.types_without.append(instance_type)


class Clock:
    """Time that passes while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


class Submitted:
    """As much of a submission as a keeper looks at."""

    kind = "ml.g5.xlarge"

    def __init__(self, name: str, job: Job) -> None:
        self.name, self.job = name, job


def submitted(name: str, folder: Path) -> Any:
    number = name.rpartition("-")[2]
    return Submitted(name, dataclasses.replace(job(keep_warm_minutes=1), output_dir=folder / number))


def keeper(cloud: Cloud, folder: Path, count: int = 1) -> PoolKeeper:
    """A keeper with jobs that have ended at time 0."""
    backend: Any = type("Backend", (), {"pools": cloud})()
    clock = Clock()
    found = PoolKeeper(backend, Ledger(folder / "ledger.jsonl"), clock, clock.sleep)
    for number in range(count):
        submission: Any = Submitted(
            f"job-{number}", dataclasses.replace(job(keep_warm_minutes=1), output_dir=folder / str(number))
        )
        found.started(submission)
        found.ended(submission, 0)
    return found


BILL = {"price_per_hour_usd": 3600.0, "instance_count": 2, "billable_seconds": 10, "cost_usd": 20.0}


def test_what_a_machine_has_cost_is_written_down_after_its_job(tmp_path: Path) -> None:
    cloud = Cloud({"job-0": [AVAILABLE, WarmPool("Terminated", 7)]})
    found = keeper(cloud, tmp_path)
    record: dict[str, Any] = {"name": "job-0", "cost": dict(BILL)}
    file = tmp_path / "0/.job/record.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(record))
    found.collected(submitted("job-0", tmp_path), record)
    settled = []
    found.on_settled = lambda submission, name, record: settled.append((name, record["cost"]["kept_warm_seconds"]))
    assert found.is_kept("job-0")
    found.tend(0, {}, 1)
    assert cloud.ended == ["job-0"] and settled == []
    found.tend(3, {}, 1)
    written = json.loads(file.read_text())
    assert written["cost"] == BILL | {"kept_warm_seconds": 7, "cost_usd": 34.0} and settled == [("job-0", 7)]
    assert written["warm_pool"] == {"status": "Terminated"} and not found.is_kept("job-0") and not len(found.pools)
    assert kept_warm_usd(Ledger(tmp_path / "ledger.jsonl").read()) == 14.0


def test_a_pool_that_is_settled_first_is_in_the_record_from_the_beginning(tmp_path: Path) -> None:
    found = keeper(Cloud({"job-0": [WarmPool("Reused", 3, "job-9")]}), tmp_path)
    found.tend(0, {}, 0)
    record: dict[str, Any] = {"cost": dict(BILL)}
    found.collected(submitted("job-0", tmp_path), record)
    assert record["cost"]["cost_usd"] == 26.0 and record["warm_pool"] == {"status": "Reused", "reused_by": "job-9"}
    taken: dict[str, Any] = {}
    found.collected(submitted("job-9", tmp_path), taken)
    assert taken == {"warm_start_from": "job-0"}


def test_the_bill_of_an_attempt_before_is_corrected_too(tmp_path: Path) -> None:
    found = keeper(Cloud({"job-0": [WarmPool("Terminated", 7)]}), tmp_path)
    earlier: dict[str, Any] = {"name": "job-0", "cost": dict(BILL)}
    found.collected(submitted("job-0", tmp_path), earlier)
    file = tmp_path / "0/.job/record.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"name": "job-1", "cost": BILL, "earlier_attempts": [earlier]}))
    found.tend(0, {}, 0)
    written = json.loads(file.read_text())
    assert written["cost"] == BILL and written["earlier_attempts"][0]["cost"]["cost_usd"] == 34.0
    events = [
        {"event": "collected", "key": "k", "name": "job-0", "cause": "code", "cost": dict(BILL)},
        {"event": "warm_pool", "name": "job-0", "kept_warm_seconds": 7},
    ]
    assert failed_attempts(events)["k"]["job-0"]["cost"]["cost_usd"] == 34.0


def test_a_job_that_had_machines_and_left_none_means_that_there_is_no_quota(tmp_path: Path) -> None:
    nothing = WarmPool("", instance_type="ml.g5.xlarge")
    cloud = Cloud({"job-0": [nothing] * SILENT_LOOKS, "job-1": [nothing._replace(had_machines=False)] * 2})
    found = keeper(cloud, tmp_path, 2)
    waiting = {shape_of_settings(settings()): 2}
    found.tend(0, waiting, 0)
    assert cloud.types_without == [], "the service may be late"
    for look in range(1, SILENT_LOOKS - 1):
        found.tend(10 * look, waiting, 0)
    assert cloud.types_without == [], "the service may be a minute late"
    found.tend(10 * SILENT_LOOKS, waiting, 0)
    assert cloud.types_without == ["ml.g5.xlarge"] and not len(found.pools)


def test_a_failed_job_without_a_machine_says_nothing_of_the_quota(tmp_path: Path) -> None:
    cloud = Cloud({"job-0": [WarmPool("", instance_type="ml.g5.xlarge", has_failed=True)] * SILENT_LOOKS})
    found = keeper(cloud, tmp_path)
    for look in range(SILENT_LOOKS):
        found.tend(10 * look, {}, 0)
    assert cloud.types_without == [] and not len(found.pools)


def test_the_pool_of_an_earlier_launch_is_in_the_record_of_its_job(tmp_path: Path) -> None:
    found = keeper(Cloud({"job-5": [AVAILABLE, WarmPool("Terminated", 7)]}), tmp_path, 0)
    found.found("job-5", AVAILABLE._replace(keep_seconds=60, instance_type="ml.g5.xlarge"), 0, submitted("job-5", tmp_path).job)
    record: dict[str, Any] = {"name": "job-5", "cost": dict(BILL)}
    found.collected(submitted("job-5", tmp_path), record)
    for now in (0, 3):
        found.tend(now, {}, 0)
    assert record["cost"]["kept_warm_seconds"] == 7


REFUSED = NotPermitted("UpdateTrainingJob job-0: AccessDenied")


@pytest.mark.parametrize(
    ("error", "seconds", "is_given_up"),
    [(REFUSED, 0, True), (CallFailed("in use"), 0, False), (CallFailed("in use"), 121, True), (Throttled("slow"), 30, False)],
)
def test_what_cannot_be_ended(tmp_path: Path, error: CallFailed, seconds: float, is_given_up: bool) -> None:
    found = keeper(Cloud({"job-0": [AVAILABLE] * 9}, error), tmp_path)
    pool = found.pools.pools["job-0"]
    pool.keep_seconds = 600
    found.tend(seconds, {}, 0)
    assert ("job-0" in found.unended) == is_given_up
    if not is_given_up:
        assert found.pools.unneeded({}, 0, seconds) == [] and found.pools.unneeded({}, 0, pool.end_after), "later again"
        found.pools.pools.clear()
        return
    (left,) = found.end_all(silent)
    assert left.until is not None and left.reason == str(error).splitlines()[0] and found.end_all(silent) == []
    assert [event["status"] for event in found.ledger.read()] == ["not ended"]


def silent(line: str) -> None:
    pass


RUNS = WarmPool("InUse", has_ended=False)
KEPT = WarmPool("Terminated", 7)


def test_at_the_end_pools_are_waited_for_until_it_is_known_what_they_cost(tmp_path: Path) -> None:
    cloud = Cloud({"job-0": [IN_USE, AVAILABLE, AVAILABLE, KEPT], "job-1": [WarmPool("Reused", 3, "job-9")]})
    found, lines = keeper(cloud, tmp_path, 2), list[str]()
    records = [{"name": f"job-{number}", "cost": dict(BILL)} for number in (0, 1)]
    for record in records:
        found.collected(submitted(record["name"], tmp_path), record)
    assert found.end_all(lines.append) == [] and cloud.ended == ["job-0"], "told once, when it was Available"
    assert lines == ["waiting for up to 2 minutes until the machines of 1 job are given back; Ctrl-C leaves them"]
    assert [record["cost"]["kept_warm_seconds"] for record in records] == [7, 3]
    assert kept_warm_usd(found.ledger.read()) == 20.0 and not len(found.pools)


@pytest.mark.parametrize("stopped", [False, True])
def test_at_the_end_the_pool_of_a_running_job_is_left_to_it_unless_it_was_stopped(tmp_path: Path, stopped: bool) -> None:
    cloud = Cloud({"job-7": [RUNS, RUNS, IN_USE, AVAILABLE, KEPT]})
    found = keeper(cloud, tmp_path, 0)
    found.started(submitted("job-7", tmp_path))
    left = found.end_all(silent, waits_for_jobs=stopped)
    assert cloud.ended == (["job-7"] if stopped else [])
    assert left == ([] if stopped else [Unended("job-7", None, 60, "its job runs", is_left=True)])
    assert found.end_all(silent) == []


def test_the_pool_of_a_job_that_is_stopping_is_waited_for_beside_one_that_runs(tmp_path: Path) -> None:
    stopping = RUNS._replace(is_stopping=True)
    cloud = Cloud({"job-7": [RUNS], "job-8": [stopping, stopping, AVAILABLE, KEPT]})
    found = keeper(cloud, tmp_path, 0)
    for name in ("job-7", "job-8"):
        found.started(submitted(name, tmp_path))
    (left,) = found.end_all(silent)
    assert (left.name, left.is_left) == ("job-7", True) and cloud.ended == ["job-8"]


@pytest.mark.parametrize(
    ("answers", "error", "reason"),
    [
        ([IN_USE] * 999, None, "it is not Available yet"),
        ([AVAILABLE] * 999, None, "it has not ended since it was told to"),
        ([AVAILABLE] * 999, Throttled("slow"), "slow"),
        ([AVAILABLE] * 999, REFUSED, str(REFUSED)),
        ([RUNS] * 999, None, "its job runs"),
    ],
)
def test_the_wait_at_the_end_has_a_bound(
    tmp_path: Path, answers: list[WarmPool], error: CallFailed | None, reason: str
) -> None:
    found = keeper(Cloud({"job-0": answers}, error), tmp_path)
    (left,) = found.end_all(silent, waits_for_jobs=True)
    assert (left.name, left.keep_seconds, left.reason, left.is_left) == ("job-0", 60, reason, False)
    clock: Any = found.clock
    assert clock.slept == (0 if error is REFUSED else PATIENCE_SECONDS)


def test_a_pool_that_was_not_ended_counts_with_all_of_its_time(tmp_path: Path) -> None:
    found = keeper(Cloud({"job-0": [AVAILABLE] * 999}, REFUSED), tmp_path)
    found.collected(submitted("job-0", tmp_path), {"name": "job-0", "cost": dict(BILL)})
    found.tend(0, {}, 0)
    assert "job-0" in found.unended and kept_warm_usd(found.ledger.read()) == 120.0


def test_ctrl_c_while_pools_are_waited_for_names_them(tmp_path: Path) -> None:
    found = keeper(Cloud({"job-0": [IN_USE] * 9}), tmp_path)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    found.sleep = interrupt
    (left,) = found.end_all(silent)
    assert (left.name, left.reason) == ("job-0", "interrupted") and found.end_all(silent) == []


def test_an_interrupted_note_of_an_end_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, one = keeper(Cloud({}), tmp_path, 0), submitted("job-0", tmp_path)
    found.started(one)
    add = found.pools.add

    def interrupt(pool: Pool, now: float) -> None:
        monkeypatch.setattr(found.pools, "add", add)
        raise KeyboardInterrupt

    monkeypatch.setattr(found.pools, "add", interrupt)
    with pytest.raises(KeyboardInterrupt):
        found.ended(one, 0)
    found.ended(one, 1)
    assert list(found.pools.pools) == ["job-0"]


def test_a_late_status_is_no_missing_quota_and_loses_no_pool(tmp_path: Path) -> None:
    cloud = Cloud({"job-0": [WarmPool("", instance_type="ml.g5.xlarge")] * 9 + [AVAILABLE] * 2 + [KEPT]})
    found = keeper(cloud, tmp_path)
    shape = shape_of_settings(settings())
    for look in range(4):
        found.tend(2 * look, {shape: 1}, 0)
    assert found.pools.waited_for({shape: 1}, 8) == 0, "the job in the queue starts cold"
    for look in range(4, 12):
        found.tend(2 * look, {}, 0)
    assert cloud.types_without == [] and found.ledger.read()[-1]["kept_warm_seconds"] == 7


def test_a_job_that_asked_before_the_quota_was_known_leaves_a_pool_that_is_ended(tmp_path: Path) -> None:
    pools = SageMakerPools(lambda: pytest.fail("no call"))
    kept = job(keep_warm_minutes=1)
    before = pools.shape(kept, "job-0")
    pools.missing("ml.g5.xlarge")
    assert before and pools.shape(kept, "job-0") == before and not pools.shape(kept)
    api = Api(0)
    pools.submit(training_job_request(kept, "job-1", bundle="b", image="c"), api.create)
    assert not pools.shape(kept, "job-1"), "it did not ask"


def test_the_pool_of_a_collected_job_of_an_earlier_launch_is_paid_and_in_its_record(tmp_path: Path) -> None:
    found = keeper(Cloud({"job-5": [KEPT]}), tmp_path, 0)
    given, paid = submitted("job-5", tmp_path).job, list[float]()
    found.on_settled_earlier = paid.append
    given.job_dir.mkdir(parents=True)
    (given.job_dir / "record.json").write_text(json.dumps({"name": "job-5", "cost": BILL}))
    found.found("job-5", AVAILABLE._replace(keep_seconds=60), 0, given)
    found.tend(0, {}, 0)
    written = json.loads((given.job_dir / "record.json").read_text())
    assert written["cost"]["kept_warm_seconds"] == 7 and written["cost"]["cost_usd"] == 34.0
    assert kept_warm_usd(found.ledger.read()) == 14.0 and paid == [14.0]


def test_a_pool_that_is_another_jobs_by_now_does_not_flood_the_service(tmp_path: Path) -> None:
    found = scheduler("AA", slots=1, running=1)
    name = ends(found, 0, now=10, state=PoolState.AVAILABLE)
    found.pools.pools[name].keep_seconds = 3600
    found.collected(0)
    calls, now = 0, 10.0
    while now < 610:
        match found.next(now):
            case Submit(index):
                calls += 1
                found.refused(index, now)
            case Tend():
                found.pools.seen(name, AVAILABLE, now)
            case Sleep(seconds):
                now += seconds
            case other:
                pytest.fail(f"{other}")
        now += 0.001
    assert calls <= 20
    found.pools.seen(name, WarmPool("Reused", 5, "of-another-sweep"), now)
    assert not len(found.pools)


def test_the_time_of_a_pool_counts_from_the_end_of_its_job(tmp_path: Path) -> None:
    found = keeper(Cloud({}), tmp_path, 0)
    pool = AVAILABLE._replace(keep_seconds=60, ended_at=time.time() - 50)
    found.found("job-5", pool, 1000.0, job())
    assert found.pools.pools["job-5"].until == pytest.approx(1010, abs=1)


class Api:
    """CreateTrainingJob of an account with a quota of warm pools."""

    def __init__(self, quota: int) -> None:
        self.quota, self.requests = quota, list[dict[str, Any]]()

    def create(self, **request: Any) -> None:
        self.requests.append(request)
        if "KeepAlivePeriodInSeconds" in request["ResourceConfig"]:
            said = f"The account-level service limit 'ml.g5.xlarge for training warm pool usage' is {self.quota} Instances"
            raise ClientError({"Error": {"Code": "ResourceLimitExceeded", "Message": said}}, "CreateTrainingJob")


@pytest.mark.parametrize("quota", [0, 2])
def test_a_refused_pool_is_no_refused_job(quota: int, caplog: pytest.LogCaptureFixture) -> None:
    api, pools = Api(quota), SageMakerPools(lambda: pytest.fail("no call"))
    with caplog.at_level(logging.WARNING):
        for name in ("one", "two"):
            pools.submit(training_job_request(job(keep_warm_minutes=5), name, bundle="b", image="c"), api.create)
    asked = ["KeepAlivePeriodInSeconds" in request["ResourceConfig"] for request in api.requests]
    assert asked == ([True, False, False] if quota == 0 else [True, False, True, False])
    assert caplog.text.count("'ml.g5.xlarge for training warm pool usage'") == 1
    assert ("has no quota" in caplog.text) == (quota == 0) and ("fewer machines" in caplog.text) == (quota > 0)
    assert bool(pools.shape(job(keep_warm_minutes=5))) == (quota > 0) and not pools.shape(job(keep_warm_minutes=5), "one")


def test_a_throttled_description_does_not_end_the_search_for_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hydra_sagemaker.aws.clients.time.sleep", lambda seconds: None)
    answers: list[Any] = [Throttled("slow"), {"WarmPoolStatus": {"Status": "Available"}}]

    class Jobs:
        def listed(self, **query: Any) -> list[dict[str, Any]]:
            return [{"TrainingJobName": "sweep-a-0"}] if query["WarmPoolStatusEquals"] == "Available" else []

        def described(self, name: str) -> dict[str, Any]:
            if isinstance(answer := answers.pop(0), Exception):
                raise answer
            request = training_job_request(job(keep_warm_minutes=5), name, bundle="b", image="c")
            return request | answer | {"TrainingJobStatus": "Completed"}

    jobs: Any = Jobs()
    assert list(SageMakerPools(lambda: jobs).live(["sweep"])) == ["sweep-a-0"] and not answers


def test_another_quota_is_still_a_refusal() -> None:
    def refuse(**request: Any) -> None:
        message = "'ml.g5.xlarge for training job usage' is 0 Instances"
        raise ClientError({"Error": {"Code": "ResourceLimitExceeded", "Message": message}}, "CreateTrainingJob")

    with pytest.raises(ClientError, match="for training job usage"):
        SageMakerPools(lambda: pytest.fail("no call")).submit(
            training_job_request(job(keep_warm_minutes=5), "a", bundle="b", image="c"), refuse
        )


def test_the_bound_and_the_bill() -> None:
    prices = Prices({"ml.g5.xlarge": 2.0})
    bound = bound_of_settings(settings(keep_warm_minutes=30, max_run_hours=1, instance_count=2), prices)
    assert (bound.usd, bound.kept_usd, bound.usd_per_hour) == (6.0, 2.0, 4.0)
    described = {
        "TrainingJobStatus": "Completed", "BillableTimeInSeconds": 1800, "TrainingTimeInSeconds": 1800,
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 2},
        "WarmPoolStatus": {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 900},
    }  # fmt: skip
    bill = billed(described, prices)
    assert (bill["cost_usd"], bill["kept_warm_seconds"]) == (3.0, 900)
    assert with_kept(bill, 0)["cost_usd"] == 2.0 and with_kept(bill, None) == bill


def test_caches_go_where_sagemaker_keeps_them_unless_the_user_set_them() -> None:
    environment = {"SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY": "/cache", "PIP_CACHE_DIR": "/own"}
    assert use_kept_directory(environment) == ["HF_HOME"]
    assert (environment["HF_HOME"], environment["PIP_CACHE_DIR"]) == ("/cache/huggingface", "/own")
    assert use_kept_directory(cold := {}) == [] and not cold


def test_the_plan_says_what_warm_machines_can_cost(app: App) -> None:
    words = ("x=1,2", "hydra.launcher.keep_warm_minutes=30", "hydra.launcher.max_run_hours=1")
    done = app.run(*AWS, *words, "hydra.launcher.price_per_hour={ml.m5.large: 2}")
    assert (
        done.code == 0 and "2 jobs, at most $6.00, at most $2.00 of it for machines kept warm after their jobs (" in done.output
    )
    done = app.run(*AWS, *words, "hydra.launcher.price_per_hour={ml.m5.large: 2}", "hydra.launcher.max_cost_usd=5")
    assert "(at most ml.m5.large for 1 h and 30 minutes kept warm) may cost $6.00" in done.output
    assert (
        "It fits with hydra.launcher.max_run_hours=0.75 or 1 of the 2 jobs or hydra.launcher.max_cost_usd=6.00" in done.output
    )


def test_nobody_detaches_from_machines_that_somebody_has_to_give_back(app: App) -> None:
    done = app.run(*AWS, "x=1", "hydra.launcher.keep_warm_minutes=30", "hydra.launcher.wait=false")
    assert done.code == 1 and "hydra.launcher.wait=false: nobody stays to give back the machines" in done.output
    assert "hydra.launcher.keep_warm_minutes=null, or hydra.launcher.wait=true" in done.output


def test_repeats_and_trials_share_what_kept_machines_have_cost(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')
    from hydra_sagemaker.search import repeats
    from hydra_sagemaker.search.sweep import kept_warm_of_all

    for folder, usd in ((tmp_path, 2.0), (tmp_path / repeats.DIRECTORY, 3.0)):
        Ledger(folder / ".launcher/ledger.jsonl").append("warm_pool", name="job-0", kept_warm_usd=usd)
    assert kept_warm_of_all(tmp_path) == 5.0
