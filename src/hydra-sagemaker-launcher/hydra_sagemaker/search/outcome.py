"""The end of a search: its best trials in a table, what mattered, pictures, and the files that Hydra's own sweepers leave."""

from __future__ import annotations

import logging
import shlex
import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from hydra_sagemaker.display.tables import drawn, duration
from hydra_sagemaker.pricing.cost import money
from hydra_sagemaker.search.samplers import CONSTRAINTS
from hydra_sagemaker.search.values import counts_as_complete, is_feasible

log = logging.getLogger(__name__)
RESULTS_FILE = "optimization_results.yaml"
SHOWN = 5
FEW_TRIALS = 4
"""Pictures and importances of fewer trials say nothing."""


def best_trials(study: Study, count: int = SHOWN) -> list[FrozenTrial]:
    """Return the best trials that keep their constraints, the best first; with several objectives those of the Pareto front."""
    complete = [one for one in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if counts_as_complete(one)]
    feasible = [one for one in complete if is_feasible(one)]
    if len(study.directions) > 1:
        return study.best_trials if len(feasible) == len(complete) else _front(study, feasible)
    maximize = study.directions[0] == StudyDirection.MAXIMIZE
    return sorted(feasible, key=lambda one: -(one.value or 0.0) if maximize else (one.value or 0.0))[:count]


def nothing_best(study: Study, line: str) -> str:
    """Return the reason why there is no best trial; `line` describes all of them."""
    complete = [one for one in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if counts_as_complete(one)]
    if not complete:
        return f"no trial of the search has finished: {line}"
    excess = {one.number: max(0.0, *one.user_attrs.get(CONSTRAINTS, (0.0,))) for one in complete}
    nearest = min(excess, key=lambda number: excess[number])
    return (
        f"no trial of the search keeps its constraints, each of which is 0 or less: {line}; nearest is trial {nearest}, "
        f"{excess[nearest]:.4g} above. A larger hydra.sweeper.n_trials continues"
    )


def _front(study: Study, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the Pareto front of some of the trials: with some samplers Optuna itself does not know of constraints."""
    alone = optuna.create_study(directions=study.directions)
    alone.add_trials([optuna.create_trial(values=one.values) for one in trials])
    return [trials[one.number] for one in alone.best_trials]


def write_results(study: Study, directory: Path) -> None:
    """Write optimization_results.yaml as hydra-optuna-sweeper does, with the name of the study."""
    best = best_trials(study)
    results: dict[str, Any] = {"name": "optuna", "study": study.study_name}
    if len(study.directions) > 1:
        results["solutions"] = [{"params": one.params, "values": list(one.values or ())} for one in best]
    elif best:
        results |= {"best_params": best[0].params, "best_value": best[0].value}
    OmegaConf.save(OmegaConf.create(results), directory / RESULTS_FILE)


def best_table(study: Study) -> str:
    """Draw the best trials with their values, durations and costs."""
    rows = []
    for trial in best_trials(study):
        seconds, usd = trial.user_attrs.get("seconds"), trial.user_attrs.get("usd")
        rows.append(
            {
                "trial": str(trial.number),
                "value": ", ".join(f"{value:.6g}" for value in trial.values or ()),
                "parameters": " ".join(f"{name}={_shown(value)}" for name, value in trial.params.items()),
                "runtime": "" if seconds is None else duration(seconds),
                "cost": "" if usd is None else money(usd),
            }
        )
    return drawn(rows)


def importances(study: Study) -> dict[str, float]:
    """Return how much of the best trials' distinction each parameter explains, 0-1, the largest first; empty for few trials.

    PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255), which looks at what the better trials have in common.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    shared = set.intersection(*(set(one.params) for one in complete)) if complete else set()
    varied = [name for name in shared if len({one.params[name] for one in complete}) > 1]
    if len(study.directions) > 1 or len(complete) < FEW_TRIALS or len(varied) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental in Optuna
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=sorted(varied))
    return {name: share for name, share in found.items() if share == share}


def draw(study: Study, directory: Path) -> list[Path]:
    """Draw history, slices, importances and parallel coordinates: as pages where plotly is installed, else as pictures."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(study.directions) > 1 or len(complete) < FEW_TRIALS:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return list(_drawn(study, directory))
        except Exception as error:  # pictures are no reason to end a search without its results
            log.warning("no pictures were drawn: %s: %s", type(error).__name__, str(error).splitlines()[0])
            return []


def _drawn(study: Study, directory: Path) -> Iterator[Path]:
    names = ["optimization_history", "slice", *(["param_importances"] if importances(study) else []), "parallel_coordinate"]
    if find_spec("plotly") is not None:
        for name in names:
            figure = getattr(optuna.visualization, f"plot_{name}")(study, **_evaluator(name))
            figure.write_html(file := directory / f"search_{name}.html", include_plotlyjs="cdn")
            yield file
    elif find_spec("matplotlib") is not None:
        from matplotlib import pyplot
        from optuna.visualization import matplotlib as plots

        pyplot.switch_backend("agg")
        logging.getLogger("matplotlib.category").setLevel(logging.WARNING)  # it advises, on choices that are numbers
        for name in names:
            getattr(plots, f"plot_{name}")(study, **_evaluator(name))
            pyplot.savefig(file := directory / f"search_{name}.png", bbox_inches="tight", dpi=120)
            pyplot.close("all")
            yield file


def _evaluator(name: str) -> dict[str, Any]:
    return {"evaluator": optuna.importance.PedAnovaImportanceEvaluator()} if name == "param_importances" else {}


def dashboard(storage: str | None, file: Path) -> str:
    return f"optuna-dashboard {shlex.quote(storage or str(file))}"


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def pareto_note(trials: Sequence[FrozenTrial]) -> str:
    return f"{len(trials)} trials that no other one beats in every objective (the Pareto front)"
