"""Values that jobs return: what is no value, constraints, and which trials may be the best."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest
from omegaconf import OmegaConf

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from hydra_sagemaker.errors import LauncherError  # noqa: E402
from hydra_sagemaker.search.outcome import best_trials, nothing_best, write_results  # noqa: E402
from hydra_sagemaker.search.samplers import make_sampler  # noqa: E402
from hydra_sagemaker.search.search import Search  # noqa: E402
from hydra_sagemaker.search.study import open_storage  # noqa: E402
from simulated_trials import SimulatedJobs, search, study_in  # noqa: E402


def states(found: Search) -> list[str]:
    return [trial.state.name for trial in found.study.trials]


def failures(value: object, trials: int = 2) -> list[str]:
    found = search(SimulatedJobs(1, lambda number: 1.0, lambda number: value), trials, failures=1.0)
    found.run()
    return [trial.user_attrs["failure"] for trial in found.study.trials]


@pytest.mark.parametrize("constraints", [3, None, "low", [math.nan], ["low"], [None], [[1]], {"memory": 1}])
def test_constraints_that_are_no_numbers_fail_their_trial(constraints: object) -> None:
    first, second = failures({"values": [1.0], "constraints": constraints})
    assert first == second and first.startswith(
        f"the job returned constraints={constraints!r}: they are a list of numbers, each"
    )
    assert 'as in `return {"values": [loss], "constraints": [memory - limit]}`' in first


def test_a_search_continues_after_constraints_that_are_none(tmp_path: Path) -> None:
    """Optuna 5 takes no nan, and the trial would be left as one that still runs."""
    storage = open_storage(None, tmp_path)
    for trials in (3, 5):
        jobs = SimulatedJobs(1, lambda number: 1.0, lambda n: {"values": [n], "constraints": [math.nan if n == 1 else -1.0]})
        found = search(jobs, trials, study_in(storage))
        found.run()
    assert states(found) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]


@pytest.mark.parametrize("counts", [(1, 2), (2, 0), (0, 1)])
def test_each_trial_has_as_many_constraints(counts: tuple[int, int]) -> None:
    """Samplers raise when they compare others, and would do so at every further trial."""
    study = study_in(
        sampler=make_sampler({"_target_": "optuna.samplers.NSGAIISampler", "population_size": 2}, optuna.create_study())
    )

    def value(number: int) -> object:
        return {"values": [number], "constraints": [1.0] * counts[number % 2]}

    found = search(SimulatedJobs(1, lambda number: 1.0, value), 8, study, failures=1.0)
    found.run()
    assert states(found) == ["COMPLETE", "FAIL"] * 4
    assert (
        f"the job returned {counts[1]} constraints, and an earlier trial {counts[0]}" in study.trials[1].user_attrs["failure"]
    )


def test_a_job_without_a_value_is_told_what_to_write() -> None:
    found = search(SimulatedJobs(1, lambda number: 1.0, lambda number: None), 4)
    with pytest.raises(LauncherError, match="the job returned None: return the value of the objective, as in `return loss`"):
        found.run()
    assert failures(["low"])[0] == "the job returned ['low'], which is no number: return the objective, as in `return loss`"
    assert len(failures("x" * 1000)[0]) < 200


def constrained(directions: tuple[str, ...] = ("minimize",)) -> Search:
    """Trial 0 is the best and breaks its constraint, as trial 1 does."""
    jobs = SimulatedJobs(1, lambda n: 1.0, lambda n: {"values": [float(n)] * len(directions), "constraints": [2 - n]})
    found = search(jobs, 4, study_in(directions=directions))
    found.run()
    return found


def test_the_best_trial_keeps_its_constraints(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        found = constrained()
    assert found.progress.best == (2, 2.0) and [one.number for one in best_trials(found.study)] == [2, 3]
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("trial ")]
    assert [line.partition("): ")[2] for line in lines] == [
        "0, which breaks its constraints", "1, which breaks its constraints", "2, the best so far", "3",
    ]  # fmt: skip
    write_results(found.study, tmp_path)
    assert OmegaConf.load(tmp_path / "optimization_results.yaml").best_value == 2.0
    assert search(SimulatedJobs(1, lambda n: 1.0), 4, found.study).progress.best == (2, 2.0), "of an earlier launch, too"


def test_the_front_keeps_its_constraints() -> None:
    assert [one.number for one in best_trials(constrained(("minimize", "minimize")).study)] == [2]
    assert [one.number for one in best_trials(constrained(("minimize", "maximize")).study)] == [2, 3]


def test_no_trial_keeps_its_constraints(tmp_path: Path) -> None:
    jobs = SimulatedJobs(1, lambda n: 1.0, lambda n: {"values": [float(n)], "constraints": [1.0 + n, -1.0]})
    found = search(jobs, 3)
    found.run()
    assert not best_trials(found.study) and found.progress.best is None
    told = nothing_best(found.study, found.line())
    assert told.startswith("no trial of the search keeps its constraints, each of which is 0 or less: 3 of 3 trials")
    assert "nearest is trial 0, 1 above" in told
    write_results(found.study, tmp_path)
    assert "best_value" not in (tmp_path / "optimization_results.yaml").read_text()


@pytest.mark.parametrize("sampler", ["GridSampler", "BruteForceSampler"])
@pytest.mark.parametrize("pruner", ["NopPruner", "HyperbandPruner"])
def test_a_sampler_that_has_proposed_everything_ends_the_search(
    sampler: str, pruner: str, caplog: pytest.LogCaptureFixture
) -> None:
    values = {"search_space": {"x": [1, 2, 3]}} if sampler == "GridSampler" else {}
    study = study_in(sampler=make_sampler({"_target_": f"optuna.samplers.{sampler}", **values}, optuna.create_study()))
    study.pruner = getattr(optuna.pruners, pruner)()
    found = search(SimulatedJobs(1, lambda number: 1.0), 20, study)
    found.overrides_of = lambda trial: [f"x={trial.suggest_categorical('x', [1, 2, 3])}"]
    with caplog.at_level(logging.INFO):
        found.run()
    assert sorted(trial.params["x"] for trial in study.trials) == [1, 2, 3] and states(found) == ["COMPLETE"] * 3
    assert "the sampler has proposed all of its space" in caplog.text
