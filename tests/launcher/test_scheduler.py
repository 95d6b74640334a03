from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from hydra_sagemaker.scheduling.actions import Collect, Poll, Sleep, Submit
from hydra_sagemaker.scheduling.scheduler import Scheduler
from work import lines_executed


def of(count: int, max_parallel: int, poll_seconds: float, *, kinds: Sequence[str] = (), **options: Any) -> Scheduler:
    """A scheduler with jobs in its queue."""
    scheduler = Scheduler(max_parallel, poll_seconds, **options)
    for kind in kinds or [""] * count:
        scheduler.add(kind)
    return scheduler


class World:
    """Simulated jobs and a simulated clock; carries out what the scheduler says and keeps account."""

    def __init__(self, scheduler: Scheduler, seed: int = 0, *, room: int = 10**9, longest_seconds: float = 50.0) -> None:
        self.scheduler = scheduler
        self.random = random.Random(seed)
        self.room = room
        self.longest_seconds = longest_seconds
        self.now = 1000.0
        self.ends_at: dict[int, float] = {}
        self.ended: set[int] = set()
        self.collected: list[int] = []
        self.most_running = 0
        self.actions: list[str] = []

    def begin(self, index: int) -> None:
        self.ends_at[index] = self.now + self.random.uniform(0, self.longest_seconds)

    def run(self) -> World:
        while (action := self.scheduler.next(self.now)) is not None:
            self.actions.append(type(action).__name__)
            match action:
                case Submit(index):
                    self.submit(index)
                case Poll():
                    self.poll()
                case Collect(index):
                    self.collected.append(index)
                    self.scheduler.collected(index)
                case Sleep(seconds):
                    assert seconds > 0
                    self.now += seconds
        return self

    def submit(self, index: int) -> None:
        if len(self.ends_at) >= self.room:
            self.scheduler.refused(index, self.now)
            return
        if self.random.random() < 0.05:
            self.scheduler.failed_to_submit(index)
            return
        self.begin(index)
        self.scheduler.submitted(index, self.now)
        self.most_running = max(self.most_running, len(self.ends_at))

    def poll(self) -> None:
        ended = [index for index, end in self.ends_at.items() if end <= self.now]
        for index in ended:
            del self.ends_at[index]
        self.scheduler.polled(ended, self.now)


@pytest.mark.parametrize("seed", range(25))
def test_every_job_is_collected_once_whatever_happens(seed: int) -> None:
    dice = random.Random(seed)
    count, parallel, room = dice.randint(1, 40), dice.randint(1, 8), dice.randint(1, 10)
    world = World(of(count, parallel, poll_seconds=dice.choice([0.1, 5, 30])), seed, room=room)
    attached = dice.sample(range(count), dice.randint(0, min(count, room)))
    reused = dice.sample(sorted(set(range(count)) - set(attached)), dice.randint(0, count - len(attached)))
    for index in attached:
        world.begin(index)
    for index in [*attached, *reused]:
        world.scheduler.restore(index, has_ended=index in reused)
    world.run()
    assert sorted(world.collected) == list(range(count))
    assert world.most_running <= max(min(parallel, room), len(attached))
    assert world.scheduler.next(world.now) is None


def test_jobs_start_in_their_order() -> None:
    scheduler = of(3, 3, 10)
    started = []
    while isinstance(action := scheduler.next(0), Submit):
        started.append(action.index)
        scheduler.submitted(action.index, 0)
    assert started == [0, 1, 2]
    assert scheduler.next(0) == Sleep(10)


def test_no_machine_stands_idle_while_results_are_collected() -> None:
    scheduler = of(4, 2, 10)
    for index in (0, 1):
        scheduler.submitted(index, 0)
    assert scheduler.next(10) == Poll()
    scheduler.polled([0, 1], 10)
    assert scheduler.next(10) == Submit(2)
    scheduler.submitted(2, 10)
    assert scheduler.next(11) == Submit(3)
    scheduler.submitted(3, 11)
    assert scheduler.next(11) == Collect(0)
    scheduler.collected(0)
    assert scheduler.next(30) == Poll(), "a slow download does not delay the next poll"
    scheduler.polled([], 30)
    assert scheduler.next(30) == Collect(1)


def quota(limit: int, count: int = 20, max_parallel: int = 8, kinds: tuple[str, ...] = ()) -> Scheduler:
    """Refused beyond the limit, at time 0."""
    scheduler = of(count, max_parallel, 10, kinds=kinds)
    for index in range(limit):
        scheduler.submitted(index, index)
    scheduler.refused(limit, limit)
    return scheduler


def test_a_quota_lowers_what_runs_at_once_and_a_free_place_is_taken_without_asking_again() -> None:
    scheduler = quota(2)
    assert isinstance(scheduler.next(2), Poll | Sleep), "two run, and a third was refused"
    scheduler.polled([0], 2)
    assert scheduler.next(2) == Submit(2), "it keeps its place"
    scheduler.submitted(2, 2)
    assert scheduler.next(2) == Collect(0), "no fourth is tried: two is what the account has"


def test_room_that_returns_is_found_and_then_filled() -> None:
    scheduler = quota(1, max_parallel=4)
    waited = 0.0
    while not isinstance(action := scheduler.next(waited), Submit):
        if isinstance(action, Poll):
            scheduler.polled([], waited)
        waited += 1
    assert waited <= 15, "after the first refusal the next try is soon"
    now = waited
    for index in (1, 2, 3):
        assert scheduler.next(now) == Submit(index), "what one try has found is used at once"
        scheduler.submitted(index, now)
        now += 1
    assert not isinstance(scheduler.next(now), Submit), "max_parallel"


def test_the_longer_a_quota_holds_the_rarer_it_is_tried() -> None:
    scheduler = quota(1)
    tries = []
    for now in range(2, 4000):
        action = scheduler.next(now)
        if isinstance(action, Poll):
            scheduler.polled([], now)
        elif isinstance(action, Submit):
            tries.append(now)
            scheduler.refused(action.index, now)
    assert len(tries) < 40 and max(b - a for a, b in zip(tries, tries[1:], strict=False)) <= 300


def test_a_quota_is_of_one_machine() -> None:
    """A full type of machine does not hold up jobs behind it that want another."""
    scheduler = of(4, 4, 10, kinds=["gpu", "gpu", "cpu", "cpu"])
    scheduler.submitted(0, 0)
    scheduler.refused(1, 1)
    assert scheduler.next(2) == Submit(2)
    scheduler.submitted(2, 2)
    assert scheduler.next(3) == Submit(3)


def test_throttling_holds_up_every_submission_and_longer_each_time() -> None:
    scheduler = of(3, 3, 10, random=random.Random(0))
    waits, now = [], 0.0
    for _ in range(10):
        assert isinstance(scheduler.next(now), Submit)
        scheduler.throttled(now)
        action = scheduler.next(now)
        assert isinstance(action, Sleep)
        waits.append(action.seconds)
        now += action.seconds + 0.001
    assert waits[0] <= 5 and max(waits) <= 60 and sum(waits[5:]) > 4 * sum(waits[:3])
    assert len({round(wait, 3) for wait in waits}) == 10, "with a random part"
    scheduler.submitted(0, now)
    scheduler.throttled(now + 1)
    action = scheduler.next(now + 1)
    assert isinstance(action, Sleep) and action.seconds <= 5, "a success begins anew"


def test_submissions_keep_their_rate() -> None:
    scheduler = of(50, 50, 100, submits_per_second=2)
    now, times = 0.0, []
    while len(times) < 50:
        match scheduler.next(now):
            case Submit(index):
                times.append(now)
                scheduler.submitted(index, now)
            case Poll():
                scheduler.polled([], now)
            case Sleep(seconds):
                now += seconds
    assert 23.9 <= times[-1] - times[0] <= 24.1, "after those of the first second"


def test_a_look_that_fails_is_tried_again_later_and_nothing_is_given_up() -> None:
    scheduler = of(1, 1, 1, random=random.Random(0))
    scheduler.submitted(0, 0)
    now, looks = 0.0, 0
    while now < 600:
        match scheduler.next(now):
            case Poll():
                looks += 1
                scheduler.not_polled(now)
            case Sleep(seconds):
                now += seconds
    assert 10 < looks < 60
    assert isinstance(scheduler.next(now + 60), Poll)
    scheduler.polled([0], now + 60)
    assert scheduler.next(now + 60) == Collect(0)


def test_a_retry_waits_for_its_time() -> None:
    scheduler = of(1, 1, 10)
    scheduler.submitted(0, 0)
    scheduler.polled([0], 10)
    scheduler.collected(0)
    scheduler.requeue(0, 70)
    assert scheduler.next(10) == Sleep(60) and scheduler.next(70) == Submit(0)


def test_detaching_ends_when_all_is_submitted() -> None:
    scheduler = of(2, 2, 10, detach=True)
    scheduler.restore(0, has_ended=True)
    assert scheduler.next(0) == Submit(1)
    scheduler.submitted(1, 0)
    assert scheduler.next(0) == Collect(0), "results of ended jobs are still collected"
    scheduler.collected(0)
    assert scheduler.next(0) is None and scheduler.running == {1}


def test_a_job_that_cannot_be_submitted_is_collected_and_takes_no_room() -> None:
    scheduler = of(2, 1, 10)
    scheduler.failed_to_submit(0)
    assert scheduler.next(0) == Submit(1)
    scheduler.submitted(1, 0)
    assert scheduler.next(0) == Collect(0)


def test_attached_jobs_take_slots_and_are_polled_at_once() -> None:
    scheduler = of(3, 1, 10)
    scheduler.restore(2, has_ended=False)
    scheduler.restore(0, has_ended=True)
    assert scheduler.next(-5) == Poll(), "whatever the clock's origin is"
    scheduler.polled([2], -5)
    assert scheduler.next(-5) == Submit(1)
    scheduler.submitted(1, -5)
    assert scheduler.next(-5) == Collect(0)
    scheduler.collected(0)
    assert scheduler.next(-5) == Collect(2)


def test_nothing_to_do() -> None:
    assert of(0, 1, 10).next(0) is None


def test_thousands_of_jobs_cost_no_time_of_their_own() -> None:
    world = World(of(5000, 100, poll_seconds=20), longest_seconds=3600).run()
    assert len(world.collected) == 5000
    assert world.actions.count("Poll") < 2 * (world.now - 1000) / 20
    small, large = (
        lines_executed(lambda: World(of(jobs, 100, poll_seconds=20), longest_seconds=3600).run())  # noqa: B023
        for jobs in (500, 2000)
    )
    assert large < 6 * small
