"""Jobs that are told to end: what they report while they run, and who shares their end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hydra_sagemaker.backends.base import State, Status
from hydra_sagemaker.backends.pools import NO_POOLS
from hydra_sagemaker.backends.sagemaker_reports import CheckpointedReports
from hydra_sagemaker.job.result import has_pruned_itself
from hydra_sagemaker.scheduling.loop import EventLoop
from hydra_sagemaker.scheduling.scheduler import Scheduler
from hydra_sagemaker.scheduling.tracker import NEW, Submission
from hydra_sagemaker.scheduling.warm_pools import WarmPools
from hydra_sagemaker.settings import SageMakerLauncherConf


def submission(number: int, key: str) -> Submission:
    job: Any = SimpleNamespace(number=number, key=key, settings=SageMakerLauncherConf())
    return Submission(job, f"train-{key}-0", NEW, Status(State.WAITING))


def test_jobs_that_share_a_run_are_pruned_together() -> None:
    """Else the run of the others would have been stopped by nobody knows whom."""
    told: list[str] = []
    tracker: Any = SimpleNamespace(
        backend=SimpleNamespace(request_stop=told.append, pools=NO_POOLS), keeper=SimpleNamespace(pools=WarmPools())
    )
    leader, shares, other = submission(0, "a"), submission(1, "a"), submission(2, "b")
    loop = EventLoop(tracker, [leader, shares, other], Scheduler(3, 1.0))
    loop.prune(shares)
    assert told == ["train-a-0"] and leader.is_pruned and shares.is_pruned and not other.is_pruned
    loop.forget(leader)
    loop.forget(leader)
    assert loop.submissions == [shares, other], "a second time, after an interruption of the first"


def test_the_exceptions_that_end_a_trial() -> None:
    for kind, is_so in (("Pruned", True), ("TrialPruned", True), ("main.<locals>.Pruned", True), ("KeyError", False)):
        assert has_pruned_itself({"exception": {"module": "optuna.exceptions", "type": kind}}) is is_so
    assert not has_pruned_itself(None) and not has_pruned_itself({"status": "completed"})


def test_reports_of_a_job_that_is_not_known_yet_are_asked_for_again() -> None:
    answers: list[dict[str, Any] | None] = [None, {}, {"CheckpointConfig": {"S3Uri": "s3://bucket/job/"}}]
    storage: Any = SimpleNamespace(read=lambda address: address.encode())
    reports = CheckpointedReports(lambda name: answers.pop(0), storage)
    settings = SageMakerLauncherConf(checkpoints=True)
    job: Any = SimpleNamespace(settings=settings, subdir="3")
    assert reports.read(job, "one") == reports.read(job, "one") == b""
    found = reports.read(job, "one")
    assert found.startswith(b"s3://bucket/job/") and found.endswith(b"/3/reports.jsonl")
    assert reports.read(job, "one") == found and not answers, "what was found is kept"
