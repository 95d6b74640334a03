from __future__ import annotations

import random
import time

import pytest

from hydra_plugins.hydra_sagemaker_launcher._scheduler import Collect, Poll, Scheduler, Sleep, Submit


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
            self.scheduler.refused(index)
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
    world = World(Scheduler(count, parallel, poll_seconds=dice.choice([0.1, 5, 30])), seed, room=room)
    adopted = dice.sample(range(count), dice.randint(0, min(count, room)))
    reused = dice.sample(sorted(set(range(count)) - set(adopted)), dice.randint(0, count - len(adopted)))
    for index in adopted:
        world.begin(index)
    world.scheduler.already(running=adopted, ended=reused)
    world.run()
    assert sorted(world.collected) == list(range(count))
    assert world.most_running <= max(min(parallel, room), len(adopted))
    assert world.scheduler.next(world.now) is None


def test_jobs_start_in_their_order() -> None:
    scheduler = Scheduler(3, 3, 10)
    started = []
    while isinstance(action := scheduler.next(0), Submit):
        started.append(action.index)
        scheduler.submitted(action.index, 0)
    assert started == [0, 1, 2]
    assert scheduler.next(0) == Sleep(10)


def test_results_come_home_before_room_is_filled_and_room_is_filled_before_the_next_look() -> None:
    scheduler = Scheduler(4, 2, 10)
    for index in (0, 1):
        scheduler.submitted(index, 0)
    assert scheduler.next(10) == Poll()
    scheduler.polled([1], 10)
    assert scheduler.next(30) == Collect(1)
    scheduler.collected(1)
    assert scheduler.next(30) == Submit(2)
    scheduler.submitted(2, 30)
    assert scheduler.next(30) == Poll(), "of the job that has been running since before"


def test_a_refused_job_waits_for_the_next_look() -> None:
    scheduler = Scheduler(3, 3, 10)
    scheduler.submitted(0, 0)
    scheduler.refused(1)
    assert scheduler.next(1) == Sleep(9)
    assert scheduler.next(10) == Poll()
    scheduler.polled([], 10)
    assert scheduler.next(10) == Submit(1), "it keeps its place"


def test_a_job_that_cannot_be_submitted_is_collected_and_takes_no_room() -> None:
    scheduler = Scheduler(2, 1, 10)
    scheduler.failed_to_submit(0)
    assert scheduler.next(0) == Collect(0)
    scheduler.collected(0)
    assert scheduler.next(0) == Submit(1)


def test_adopted_jobs_take_room_and_are_looked_at_at_once() -> None:
    scheduler = Scheduler(3, 1, 10)
    scheduler.already(running=[2], ended=[0])
    assert scheduler.next(-5) == Collect(0)
    scheduler.collected(0)
    assert scheduler.next(-5) == Poll(), "whatever the clock's origin is"
    scheduler.polled([2], -5)
    assert scheduler.next(-5) == Collect(2)
    scheduler.collected(2)
    assert scheduler.next(-5) == Submit(1)


def test_nothing_to_do() -> None:
    assert Scheduler(0, 1, 10).next(0) is None


def test_thousands_of_jobs_cost_no_time_of_their_own() -> None:
    started = time.perf_counter()
    world = World(Scheduler(5000, 100, poll_seconds=20), longest_seconds=3600).run()
    assert len(world.collected) == 5000
    assert world.actions.count("Poll") < 2 * (world.now - 1000) / 20
    assert time.perf_counter() - started < 3
