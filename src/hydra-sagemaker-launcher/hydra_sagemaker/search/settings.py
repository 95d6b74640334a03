"""The fields of `hydra.sweeper` for async_optuna. Imported at every start of Hydra: nothing heavy here."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Optional

from omegaconf import MISSING


class OnChange(StrEnum):  # texts: Hydra may execute this module twice, and then there are two classes
    refuse = "refuse"
    new_study = "new_study"
    keep = "keep"


@dataclass
class RepeatConf:
    """Trains the best trials again with other seeds: the best value of a search is one run's, picked for being the best."""

    key: Optional[str] = None
    """Key of the seed, such as `seed`; null: nothing is repeated."""
    leaders: int = 4
    """The trials that begin, each with one seed; the better half of them gets two, and so on until one is left."""
    seeds: int = 5
    """Further ones, for the last comparison: of the winner with the configuration without the search's values."""
    first_seed: int = 1000
    """The seeds are this number and those above it, none of which the search may use."""
    overrides: list[str] = field(default_factory=list)
    """Words that the jobs of the last comparison have besides, as evaluate_test=true."""


@dataclass
class AsyncOptunaConf:
    _target_: str = "hydra_plugins.hydra_async_optuna_sweeper.async_optuna_sweeper.AsyncOptunaSweeper"
    _recursive_: bool = False
    """The sampler and the pruner are made by the sweeper, which knows how many trials there were before."""
    defaults: list[Any] = field(default_factory=lambda: [{"sampler": "tpe"}, {"pruner": "none"}])
    sampler: Any = MISSING
    """Proposes the trials: `hydra/sweeper/sampler=tpe`, gp, cmaes, qmc, nsgaii, random; or `_target_`, another of Optuna's."""
    pruner: Any = MISSING
    """Ends trials early by the values that they report: `hydra/sweeper/pruner=none`, median, asha, hyperband or wilcoxon."""
    direction: Any = "minimize"
    """minimize or maximize; a list for a job that returns several values."""
    n_trials: int = 20
    """All trials of the study, those of earlier launches among them."""
    n_jobs: Optional[int] = None
    """Trials at the same time; null: as many as the launcher runs, hydra.launcher.max_parallel."""
    max_failure_rate: float = 0.5
    """The search ends once a larger share of its trials has failed."""
    max_hours: Optional[float] = None
    """No trial begins after this time, earlier launches included; a budget in dollars is hydra.launcher.max_cost_usd."""
    study_name: Optional[str] = None
    """null: `hydra.job.name`."""
    storage: Optional[str] = None
    """null: search.journal in hydra.sweep.dir; s3://BUCKET/KEY: the same with a copy there, for another machine; or
    another journal, or the address of a database as sqlite:///FILE."""
    on_change: OnChange = OnChange.refuse
    """Where the space or the code is another one than that of the study's trials: refuse, begin a new_study beside it, or keep
    its trials."""
    params: Any = None  # typed as a mapping, it could not be typed as a whole on the command line
    """The space, by keys of the configuration: values as on the command line, such as "tag(log, interval(1e-5, 1e-2))"."""
    custom_search_space: Optional[str] = None
    """Dotted name of a function that gets the configuration and the trial, and suggests further keys: a conditional space."""
    enqueue: list[Any] = field(default_factory=list)
    """Values of the first trials, by keys; what is not said is proposed."""
    repeat: RepeatConf = field(default_factory=RepeatConf)
    """Trains the best trials again with other seeds, once the search is over."""


@dataclass
class TPEConf:
    """optuna.samplers.TPESampler; `constant_liar` lets it count trials that still run."""

    _target_: str = "optuna.samplers.TPESampler"
    seed: Optional[int] = None
    n_startup_trials: int = 10
    n_ei_candidates: int = 24
    multivariate: bool = False
    group: bool = False
    constant_liar: bool = True


@dataclass
class RandomConf:
    _target_: str = "optuna.samplers.RandomSampler"
    seed: Optional[int] = None


@dataclass
class GPConf:
    """optuna.samplers.GPSampler, a Gaussian process; needs torch and scipy."""

    _target_: str = "optuna.samplers.GPSampler"
    seed: Optional[int] = None
    n_startup_trials: int = 10
    deterministic_objective: bool = False


@dataclass
class CmaEsConf:
    """optuna.samplers.CmaEsSampler; needs `pip install cmaes`."""

    _target_: str = "optuna.samplers.CmaEsSampler"
    seed: Optional[int] = None
    n_startup_trials: int = 1
    sigma0: Optional[float] = None


@dataclass
class QMCConf:
    """optuna.samplers.QMCSampler: random numbers that fill the space evenly; needs scipy."""

    _target_: str = "optuna.samplers.QMCSampler"
    seed: Optional[int] = None
    qmc_type: str = "sobol"
    scramble: bool = True


@dataclass
class NSGAIIConf:
    """optuna.samplers.NSGAIISampler, for several objectives."""

    _target_: str = "optuna.samplers.NSGAIISampler"
    seed: Optional[int] = None
    population_size: int = 50
    mutation_prob: Optional[float] = None
    crossover_prob: float = 0.9


@dataclass
class NoPrunerConf:
    _target_: str = "optuna.pruners.NopPruner"


@dataclass
class MedianConf:
    """optuna.pruners.MedianPruner: ends a trial whose best value so far is worse than the median of the others at that step."""

    _target_: str = "optuna.pruners.MedianPruner"
    n_startup_trials: int = 5
    n_warmup_steps: int = 0
    interval_steps: int = 1
    n_min_trials: int = 1


@dataclass
class AshaConf:
    """optuna.pruners.SuccessiveHalvingPruner (Li et al. 2018, arXiv 1810.05934): one in `reduction_factor` gets past a rung."""

    _target_: str = "optuna.pruners.SuccessiveHalvingPruner"
    min_resource: Any = "auto"
    reduction_factor: int = 4
    min_early_stopping_rate: int = 0
    bootstrap_count: int = 0


@dataclass
class HyperbandConf:
    """optuna.pruners.HyperbandPruner (Li et al. 2016, arXiv 1603.06560)."""

    _target_: str = "optuna.pruners.HyperbandPruner"
    min_resource: int = 1
    max_resource: Any = "auto"
    reduction_factor: int = 3
    bootstrap_count: int = 0


@dataclass
class WilcoxonConf:
    """optuna.pruners.WilcoxonPruner: steps are seeds or folds; a trial ends that is significantly worse; needs scipy."""

    _target_: str = "optuna.pruners.WilcoxonPruner"
    p_threshold: float = 0.1
    n_startup_steps: int = 2


SAMPLERS = {"tpe": TPEConf, "random": RandomConf, "gp": GPConf, "cmaes": CmaEsConf, "qmc": QMCConf, "nsgaii": NSGAIIConf}
PRUNERS = {"none": NoPrunerConf, "median": MedianConf, "asha": AshaConf, "hyperband": HyperbandConf, "wilcoxon": WilcoxonConf}
