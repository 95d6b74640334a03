"""The loop of a search, in a simulated clock: slots, limits, failures, and the way back after an interruption."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from optuna.storages import JournalStorage  # noqa: E402
from optuna.storages.journal import JournalFileBackend  # noqa: E402
from optuna.trial import TrialState  # noqa: E402

from hydra_sagemaker.errors import JobsRefused, LauncherError, TooExpensive  # noqa: E402
from hydra_sagemaker.search.search import Limits, Search  # noqa: E402
from simulated_trials import SimulatedJobs, draw, search, study_in  # noqa: E402


def states(found: Search) -> list[str]:
    return [trial.state.name for trial in found.study.trials]


def test_a_free_slot_gets_the_next_trial_at_once() -> None:
    """One of 4 slots has a trial of 100 seconds; the others do all the rest meanwhile."""
    jobs = SimulatedJobs(4, lambda number: 100.0 if number == 0 else 10.0)
    found = search(jobs, 31)
    found.run()
    assert jobs.clock == 100.0 and len(jobs.submitted) == 31 and set(states(found)) == {"COMPLETE"}
    assert found.progress.busy_share == pytest.approx(1.0)
    assert found.study.best_value == 0.0 and found.progress.best == (0, 0.0)
    assert found.study.trials[3].user_attrs["job"] == "job-3" and found.progress.usd == 15.5


@pytest.mark.parametrize(("sigma", "bound"), [(0.25, 0.93), (0.5, 0.89), (1.0, 0.67)])
def test_busy_slots_are_near_what_a_queue_can_reach(sigma: float, bound: float) -> None:
    """200 trials in 20 slots, log-normal durations; the bound is a queue's that submits at once, of 20 simulations."""
    shares, bounds = [], []
    for seed in range(20):
        random = Random(seed)
        durations = [random.lognormvariate(0.0, sigma) for _ in range(200)]
        found = search(SimulatedJobs(20, durations.__getitem__), 200)
        found.run()
        shares.append(found.progress.busy_share)
        bounds.append(queue(durations, 20))
    assert sum(shares) / 20 == pytest.approx(sum(bounds) / 20, abs=0.001)
    assert sum(shares) / 20 == pytest.approx(bound, abs=0.03)


def queue(durations: list[float], slots: int) -> float:
    ends = [0.0] * slots
    for seconds in durations:
        slot = ends.index(min(ends))
        ends[slot] += seconds
    return sum(durations) / (max(ends) * slots)


def test_a_failed_trial_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def value(number: int) -> object:
        if number % 3 == 0:
            raise ValueError(f"{number} is bad")
        return {1: "three", 2: float("nan")}.get(number, 1.0)

    jobs = SimulatedJobs(2, lambda number: 1.0, value)
    found = search(jobs, 12, failures=1.0)
    with caplog.at_level(logging.WARNING):
        found.run()
    assert states(found).count("FAIL") == 6 and found.progress.failed == 6
    reasons = [trial.user_attrs.get("failure") for trial in found.study.trials[:5]]
    assert reasons == [
        "ValueError: 0 is bad", "the job returned 'three', which is no number: return the objective, as in `return loss`",
        "the job returned nan", "ValueError: 3 is bad", None,
    ]  # fmt: skip
    assert "trial 3 (x=" in caplog.text and "failed: ValueError: 3 is bad" in caplog.text


def test_too_many_failures_end_the_search_with_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    def value(number: int) -> object:
        raise KeyError(f"no {number}")

    jobs = SimulatedJobs(2, lambda number: 1.0, value)
    found = search(jobs, 50)
    with pytest.raises(KeyError, match="no 4"), caplog.at_level(logging.WARNING):
        found.run()
    assert states(found) == ["FAIL"] * 5, "the running ones are waited for"
    assert "4 of 4 trials have failed, more than hydra.sweeper.max_failure_rate=0.5" in caplog.text
    few = search(SimulatedJobs(2, lambda number: 1.0, value), 2)
    with pytest.raises(KeyError):
        few.run()


def test_values_that_make_no_job_fail_their_trial_alone() -> None:
    jobs = SimulatedJobs(2, lambda number: 1.0)

    def refuse(number: int) -> None:
        if number in (1, 4):
            raise JobsRefused(["x is too large"])

    jobs.refuse = refuse
    found = search(jobs, 10)
    found.run()
    assert states(found).count("FAIL") == 2 and len(jobs.submitted) == 8
    assert "x is too large" in found.study.trials[4].user_attrs["failure"]


def test_hours_are_those_of_all_launches() -> None:
    study = study_in()
    jobs = SimulatedJobs(1, lambda number: 1800.0)
    first = search(jobs, 2, study)
    first.run()
    assert first.hours == 1.0
    second = search(SimulatedJobs(1, lambda number: 1800.0), 20, study, hours=2.2)
    second.run()
    assert len(study.trials) == 5 and second.hours == 2.5
    assert second.stopped_because == "hydra.sweeper.max_hours=2.2 is over: no further trial is begun"


def test_a_budget_that_has_no_room_waits_for_bills_and_leaves_the_rest() -> None:
    """Each trial may cost 3 and does cost 0.5; 5 are there."""
    jobs = SimulatedJobs(4, lambda number: 1.0)

    def refuse(number: int) -> None:
        if 0.5 * (len(jobs.submitted) - len(jobs.running)) + 3 * (len(jobs.running) + 1) > 5:
            raise TooExpensive(["hydra.launcher.max_cost_usd=5: 1 job may cost $3.00"])

    jobs.refuse = refuse
    found = search(jobs, 20)
    found.run()
    assert len(jobs.submitted) == 5 and found.stopped_because.startswith("the budget is spent: hydra.launcher.max_cost_usd=5")
    assert states(found) == ["COMPLETE"] * 5 + ["RUNNING"], "the last one is left to a launch with more money"
    jobs.refuse = lambda number: None
    more = search(jobs, 8, found.study)
    more.run()
    assert jobs.submitted == list(range(8)) and states(more) == ["COMPLETE"] * 8


class Killed(BaseException):
    pass


@pytest.mark.parametrize("seed", range(5))
def test_a_search_that_is_killed_anywhere_continues(seed: int, tmp_path: Path) -> None:
    """No trial is lost and none has two numbers: the jobs of unfinished trials are submitted with the same words again."""
    random, words = Random(seed), {}
    durations = [random.lognormvariate(0.0, 1.0) for _ in range(40)]

    def storage() -> JournalStorage:
        return JournalStorage(JournalFileBackend(str(tmp_path / "journal")))

    for _ in range(200):
        jobs = SimulatedJobs(4, durations.__getitem__)
        found = search(jobs, 30, study_in(storage(), optuna.samplers.RandomSampler()))
        killing(found, random, 0.02)
        try:
            found.run()
            break
        except Killed:
            pass
        finally:
            for number, overrides in jobs.overrides.items():
                assert words.setdefault(number, overrides) == overrides
    assert len(found.study.trials) == 30 == len(words) and set(states(found)) == {"COMPLETE"}


def killing(found: Search, random: Random, rate: float) -> None:
    """Raise Killed now and then, before or after what the search does to its study or to its jobs."""

    def wrapped(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if random.random() < rate:
                raise Killed
            result = function(*arguments, **named)
            if random.random() < rate:
                raise Killed
            return result

        return call

    storage = found.study._storage
    for name in ("create_new_trial", "set_trial_param", "set_trial_state_values", "set_trial_user_attr", "set_study_user_attr"):
        setattr(storage, name, wrapped(getattr(storage, name)))
    found.jobs.submit, found.jobs.wait = wrapped(found.jobs.submit), wrapped(found.jobs.wait)  # type: ignore[method-assign]


def test_an_interruption_loses_nothing_of_the_search_that_continues() -> None:
    jobs = SimulatedJobs(2, lambda number: 1.0)
    submit, calls = jobs.submit, []

    def interrupted(number: int, overrides: list[str]) -> None:
        calls.append(number)
        if len(calls) in (2, 5):
            raise KeyboardInterrupt
        submit(number, overrides)

    jobs.submit = interrupted  # type: ignore[method-assign]
    found = search(jobs, 6)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            found.run()
    found.run()
    assert states(found) == ["COMPLETE"] * 6 and jobs.submitted == list(range(6))


def test_several_objectives_and_constraints() -> None:
    jobs = SimulatedJobs(2, lambda number: 1.0, lambda number: {"values": [number, -number], "constraints": [number - 3]})
    found = search(jobs, 6, study_in(directions=("minimize", "maximize")))
    found.run()
    assert [trial.values for trial in found.study.trials[:2]] == [[0.0, 0.0], [1.0, -1.0]]
    assert found.study.trials[5].user_attrs["constraints"] == [2.0] and found.progress.best is None
    one = search(SimulatedJobs(2, lambda number: 1.0), 4, study_in(directions=("minimize", "maximize")))
    with pytest.raises(LauncherError, match="the job returned 1 number, and hydra.sweeper.direction wants 2"):
        one.run()


def test_trials_of_another_sweep_in_the_same_database_are_left_to_it() -> None:
    study = study_in()
    other = study.ask()
    other.set_user_attr("sweep", "theirs")
    jobs = SimulatedJobs(2, lambda number: 1.0)
    found = Search(study, jobs, draw, Limits(4, 0.5), "ours", is_shared=True, now=jobs.now)
    assert found.continued == 0
    found.run()
    assert jobs.submitted == [1, 2, 3] and study.trials[0].state == TrialState.RUNNING
    assert {trial.user_attrs["sweep"] for trial in study.trials[1:]} == {"ours"}
