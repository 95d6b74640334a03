"""Samplers and pruners as configurations name them: replaced classes, nested ones, fields of another sweeper."""

from __future__ import annotations

import logging
import warnings
from dataclasses import asdict
from typing import Any

import pytest

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from optuna.distributions import FloatDistribution  # noqa: E402

from hydra_sagemaker.errors import LauncherError  # noqa: E402
from hydra_sagemaker.search.samplers import check_sampler, make_pruner, make_sampler, set_constraints  # noqa: E402
from hydra_sagemaker.search.settings import PRUNERS, SAMPLERS  # noqa: E402

SPACE = {"x": FloatDistribution(0, 1)}
FOREIGN = {
    "_target_": "optuna.samplers.TPESampler", "seed": 1, "consider_prior": True, "prior_weight": 1.0,
    "consider_magic_clip": True, "consider_endpoints": False, "n_startup_trials": 10, "n_ei_candidates": 24,
    "multivariate": False, "warn_independent_sampling": True,
}  # fmt: skip
"""hydra/sweeper/sampler=tpe of hydra-optuna-sweeper."""


def drawn(name: str, trials: int, per_launch: int, seed: int | None = 3) -> list[float]:
    study = optuna.create_study()
    for number in range(trials):
        if number % per_launch == 0:
            study.sampler = make_sampler(asdict(SAMPLERS[name]()) | {"seed": seed}, study)
        trial = study.ask(SPACE)
        study.tell(trial, trial.params["x"])
    return [one.params["x"] for one in study.trials]


def test_the_fields_of_another_sweepers_tpe_do_nothing(recwarn: pytest.WarningsRecorder) -> None:
    sampler = make_sampler(FOREIGN, optuna.create_study())
    assert isinstance(sampler, optuna.samplers.TPESampler) and vars(sampler)["_constant_liar"]
    assert not vars(make_sampler(FOREIGN | {"constant_liar": False}, optuna.create_study()))["_constant_liar"]
    assert [one for one in recwarn if issubclass(one.category, FutureWarning)] == []


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_class_may_be_replaced_alone(name: str) -> None:
    """As `hydra.sweeper.sampler._target_=optuna.samplers.BruteForceSampler`: the fields of tpe stay in the node."""
    study = optuna.create_study()
    node = asdict(SAMPLERS[name]()) | {"_target_": "optuna.samplers.BruteForceSampler"}
    assert isinstance(make_sampler(node, study), optuna.samplers.BruteForceSampler)
    with pytest.raises(LauncherError, match="hydra.sweeper.sampler: BruteForceSampler has no argument 'sigma'. Valid: "):
        make_sampler(node | {"sigma": 3}, study)


def test_nested_nodes() -> None:
    median = {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 2}
    pruner = make_pruner({"_target_": "optuna.pruners.PatientPruner", "wrapped_pruner": median, "patience": 1})
    assert isinstance(pruner._wrapped_pruner, optuna.pruners.MedianPruner)  # type: ignore[attr-defined]
    node = {
        "_target_": "optuna.samplers.PartialFixedSampler",
        "fixed_params": {"x": 0.5},
        "base_sampler": asdict(SAMPLERS["tpe"]()),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampler = make_sampler(node, optuna.create_study())
    assert isinstance(sampler._base_sampler, optuna.samplers.TPESampler)  # type: ignore[attr-defined]
    with pytest.raises(LauncherError, match="hydra.sweeper.pruner.wrapped_pruner._target_=optuna.pruners.Nothing: "):
        make_pruner({"_target_": "optuna.pruners.PatientPruner", "wrapped_pruner": {"_target_": "optuna.pruners.Nothing"}})


def test_several_objectives() -> None:
    both = ["minimize", "maximize"]
    for name in ("tpe", "nsgaii", "random", "qmc"):
        check_sampler(asdict(SAMPLERS[name]()), both, 100)
    pytest.importorskip("cmaes")
    with pytest.raises(LauncherError, match="direction=minimize,maximize: CmaEsSampler takes one objective; hydra/sw"):
        check_sampler(asdict(SAMPLERS["cmaes"]()), both, 100)


@pytest.mark.parametrize("name", [name for name in PRUNERS if name != "none"])
def test_several_objectives_are_not_pruned(name: str) -> None:
    with pytest.raises(
        LauncherError, match="one value to prune by, and hydra.sweeper.direction has 2: hydra/sweeper/pruner=none"
    ):
        make_pruner(asdict(PRUNERS[name]()), ["minimize", "maximize"])
    make_pruner(asdict(PRUNERS["none"]()), ["minimize", "maximize"])


def test_a_first_generation_that_is_the_whole_search(caplog: pytest.LogCaptureFixture) -> None:
    node = asdict(SAMPLERS["nsgaii"]())
    with caplog.at_level(logging.WARNING):
        check_sampler(node, ["minimize"] * 2, 51)
        check_sampler(asdict(SAMPLERS["tpe"]()), ["minimize"], 5)
        assert "population_size" not in caplog.text
        check_sampler(node, ["minimize"] * 2, 20)
    assert "NSGAIISampler draws its first population_size=50 trials at random, and n_trials=20 ends with them" in caplog.text
    assert "hydra.sweeper.sampler.population_size=5, or more trials" in caplog.text


@pytest.mark.parametrize("seed", [3, None])
def test_a_quasi_random_sequence_is_continued(seed: int | None) -> None:
    points = drawn("qmc", 17, 4, seed)
    assert len(set(points)) == 17
    assert sorted(int(16 * x) for x in points[1:]) == list(range(16)), "each of 16 parts of the range has one of the 16 points"


@pytest.mark.parametrize("name", ["tpe", "gp", "nsgaii"])
@pytest.mark.parametrize("constrained", [False, True])
def test_constraints_may_be_there_or_not(name: str, constrained: bool) -> None:
    if name == "gp":
        pytest.importorskip("torch")
        pytest.importorskip("scipy")
    fields: dict[str, Any] = {"population_size": 3} if name == "nsgaii" else {"n_startup_trials": 3}
    study = optuna.create_study()
    for number in range(6):
        if number in (0, 3):  # launches
            study.sampler = make_sampler(asdict(SAMPLERS[name]()) | {"seed": 0} | fields, study)
        trial = study.ask(SPACE)
        if constrained:
            set_constraints(trial, [trial.params["x"] - 0.5])
        study.tell(trial, trial.params["x"])
    assert len(study.trials) == 6
