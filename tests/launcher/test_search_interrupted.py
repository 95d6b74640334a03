"""A search that is interrupted and told to continue: at every line of it, and between everything that it stores."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from hydra_sagemaker.search import jobs as jobs_module  # noqa: E402
from hydra_sagemaker.search.jobs import LauncherJobs  # noqa: E402
from hydra_sagemaker.search.repeats import Repeats  # noqa: E402
from hydra_sagemaker.search.settings import RepeatConf  # noqa: E402
from hydra_sagemaker.search.space import Space  # noqa: E402
from simulated_trials import SimulatedJobs, search, study_in  # noqa: E402

SEARCH = jobs_module.__file__.rpartition("/")[0]


@contextmanager
def interrupt_at(line: int) -> Iterator[None]:
    """Raise KeyboardInterrupt at a line of the search's modules, the first one counted as 0."""
    left = line

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(SEARCH):
            return None
        if event == "line":
            left -= 1
            if left == -1:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def run_with_interruption(found: Any, line: int) -> bool:
    """Run to the end, with one interruption; return whether it came."""
    try:
        with interrupt_at(line):
            found.run()
    except KeyboardInterrupt:
        found.run()
        return True
    return False


class Judged(SimulatedJobs):
    """Trials that report twice, fail, are pruned or complete."""

    def __init__(self) -> None:
        super().__init__(2, lambda number: 2.0, lambda number: 1 / (number - 1) if number < 4 else -float(number))

    def reports(self, number: int) -> dict[int, float]:
        return {0: float(number)}

    def prune(self, number: int) -> bool:
        return True

    def wait(self) -> list[Any]:
        assert self.open, "a search that waits for nothing never ends"
        return super().wait()


def test_an_interruption_at_any_line_loses_no_trial() -> None:
    line = 0
    while True:
        study = study_in(optuna.storages.InMemoryStorage())
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
        jobs = Judged()
        found = search(jobs, 7, study)
        if not run_with_interruption(found, line):
            break
        states = [trial.state.name for trial in study.trials]
        assert jobs.submitted == list(range(7)) and not jobs.open and not found.running, line
        progress = found.progress
        assert (progress.ended, progress.failed, progress.usd) == (7, 1, 3.5) and "RUNNING" not in states, line
        line += 3
    assert line > 500


def test_an_interruption_at_any_line_loses_no_repeat() -> None:
    distribution = optuna.distributions.FloatDistribution(0, 100)
    space = Space({"x": distribution}, {}, {"x": "interval(0,100)"})
    line = 0
    while True:
        study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
        for number in range(2):
            params = {"x": float(number)}
            study.add_trial(optuna.create_trial(params=params, distributions={"x": distribution}, value=number))
        jobs = Judged()
        jobs.value = float
        again = Repeats(study, jobs, space, RepeatConf(key="seed", seeds=2))
        if not run_with_interruption(again, line):
            break
        assert jobs.submitted == list(range(again.total)) and not jobs.open and not again.running and not again.failed, line
        assert len(again.known) == again.total and all("value" in one for one in again.known.values()), line
        line += 1
    assert line > 200


def test_jobs_are_given_again_until_the_search_has_taken_note() -> None:
    class Done:
        number, name, done = 3, "job-3", True

        class _submission:
            returned, outcome, is_pruned, is_skipped = object(), None, False, False

        def reports(self) -> dict[int, float]:
            return {}

    class Stub:
        free_slots, jobs = 4, [Done()]
        _sweep = SimpleNamespace(spending=SimpleNamespace(late_bills={}))

        def step(self) -> None:
            return None

        def forget(self, job: Done) -> None:
            self.jobs.remove(job)

    jobs = LauncherJobs(Stub(), 4)  # type: ignore[arg-type]
    assert [one.number for one in jobs.wait()] == [one.number for one in jobs.wait()] == [3] and jobs.free == 3
    jobs.taken(3)
    jobs.taken(3)
    assert not jobs.open and jobs.free == 4
