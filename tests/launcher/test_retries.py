"""How fast to go, how long to wait, and how often to try again."""

from __future__ import annotations

from random import Random

import pytest

from hydra_sagemaker.errors import Cause
from hydra_sagemaker.scheduling.backoff import Backoff, TokenBucket
from hydra_sagemaker.scheduling.retries import LONGEST_RETRY_SECONDS, Retries
from hydra_sagemaker.settings import RetriesConf


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket, now, taken = TokenBucket(2.0, burst=3), 100.0, []
    while len(taken) < 13:
        if (ready := bucket.ready_at(now)) <= now:
            bucket.take(now)
            taken.append(now)
        now = max(now, ready)
    assert taken[:3] == [100.0] * 3 and taken[-1] == pytest.approx(105.0)


def test_a_bucket_that_was_left_alone_is_full_and_no_fuller() -> None:
    bucket = TokenBucket(1.0, burst=2)
    for now in (0.0, 0.0, 1000.0, 1000.0):
        assert bucket.ready_at(now) <= now
        bucket.take(now)
    assert bucket.ready_at(1000.0) == pytest.approx(1001.0)


def test_waits_double_up_to_the_longest_and_no_two_are_the_same() -> None:
    backoff = Backoff(1.0, 30.0, Random(1))
    waits = [backoff.next() for _ in range(10)]
    for number, wait in enumerate(waits):
        whole = min(30.0, 2.0**number)
        assert whole / 2 <= wait <= whole
    assert len(set(waits)) == 10
    backoff.reset()
    assert backoff.next() <= 1.0


def delays(retries: Retries, *causes: Cause, keeps_checkpoints: bool = False) -> list[bool]:
    return [retries.delay("key", cause, keeps_checkpoints=keeps_checkpoints) is not None for cause in causes]


def test_each_cause_has_a_count_of_its_own() -> None:
    retries = Retries(RetriesConf(infra=1, spot=2, task=0), 1.0)
    spot, infra, code = Cause.SPOT, Cause.CAPACITY, Cause.CODE
    assert delays(retries, spot, infra, code, spot, spot, Cause.INFRASTRUCTURE) == [True, True, False, True, False, False]
    assert retries.delay("another", spot, keeps_checkpoints=False) is not None, "and so has each job"


@pytest.mark.parametrize("cause", [Cause.STOPPED, Cause.ROLE, Cause.REGION, Cause.CREDENTIALS, Cause.QUOTA])
def test_what_would_end_the_same_way_is_not_tried_again(cause: Cause) -> None:
    assert delays(Retries(RetriesConf(9, 9, 9), 1.0), cause, keeps_checkpoints=True) == [False]


def test_a_time_limit_is_tried_again_only_from_a_checkpoint() -> None:
    allowed = RetriesConf(task=1)
    assert delays(Retries(allowed, 1.0), Cause.TIMEOUT) == [False]
    assert delays(Retries(allowed, 1.0), Cause.TIMEOUT, Cause.TIMEOUT, keeps_checkpoints=True) == [True, False]


def test_the_waits_between_the_attempts_of_one_job_grow() -> None:
    retries = Retries(RetriesConf(spot=12), 60.0, Random(0))
    waits = [retries.delay("key", Cause.SPOT, keeps_checkpoints=True) or 0.0 for _ in range(12)]
    assert 30 <= waits[0] <= 60 and LONGEST_RETRY_SECONDS / 2 <= waits[-1] <= LONGEST_RETRY_SECONDS
