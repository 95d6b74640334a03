"""What is typed for a search, and what an application's function does, in real processes."""

from __future__ import annotations

import shutil

import pytest

from hydra_apps import LOCAL, App

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from optuna.trial import FrozenTrial  # noqa: E402

from hydra_sagemaker.search.study import open_storage  # noqa: E402

SEARCH = ("hydra/sweeper=async_optuna", "x=int(interval(0,1000))")
HERE = ("-m", "hydra.sweep.dir=sweep", *SEARCH)
"""With Hydra's own launcher."""
FOREIGN = """\
from dataclasses import dataclass
from hydra.core.config_store import ConfigStore


@dataclass
class Theirs:
    _target_: str = "optuna.samplers.TPESampler"
    seed: int | None = None
    consider_prior: bool = True
    prior_weight: float = 1.0
    consider_magic_clip: bool = True
    consider_endpoints: bool = False
    n_startup_trials: int = 10
    n_ei_candidates: int = 24
    multivariate: bool = False
    warn_independent_sampling: bool = True


ConfigStore.instance().store(group="hydra/sweeper/sampler", name="tpe", node=Theirs)
"""
SPACE = """\
import optuna


def unknown(config, trial):
    trial.suggest_int("nokey", 1, 4)


def pruned(config, trial):
    if trial.number % 2:
        raise optuna.TrialPruned
    trial.suggest_categorical("z", ["a,b", config.do])
"""


def trials(app: App, name: str = "app") -> list[FrozenTrial]:
    return optuna.load_study(study_name=name, storage=open_storage(None, app.sweep_dir)).trials


@pytest.mark.parametrize("launcher", ["local", "basic"])
def test_a_function_that_fails_ends_its_trials_alone(app: App, launcher: str) -> None:
    app.write("my_space.py", SPACE)
    app.write("conf/config.yaml", "x: 0\ndo: nothing\nz: 0\n")
    words = (*(LOCAL if launcher == "local" else HERE[:2]), *SEARCH, "do=typed")
    done = app.run(*words, "hydra.sweeper.custom_search_space=my_space.unknown", "hydra.sweeper.n_trials=2")
    assert done.code == 1 and "Traceback" not in done.output, done.output
    assert "Could not override 'nokey'" in done.output and {one.state.name for one in trials(app)} == {"FAIL"}
    shutil.rmtree(app.sweep_dir)
    again = app.run(*words, "hydra.sweeper.custom_search_space=my_space.pruned", "hydra.sweeper.n_trials=4")
    assert again.code == 0, again.output
    assert [one.state.name for one in trials(app)] == ["COMPLETE", "PRUNED"] * 2
    assert {one.params["z"] for one in trials(app)[::2]} <= {"a,b", "typed"}


def test_params_and_first_trials_are_added_to_a_search_that_continues(app: App) -> None:
    words = (*HERE[:3], "+hydra.sweeper.params.x='int(interval(0,1000))'", "do=nothing")
    whole = (*HERE[:3], "hydra.sweeper.params={x: 'int(interval(0,1000))'}", "do=nothing")
    assert app.run(*whole, "hydra.sweeper.n_trials=1", "hydra.sweeper.enqueue=[{x: 3}]").code == 0
    more = app.run(*words, "hydra.sweeper.n_trials=3", "hydra.sweeper.enqueue=[{x: 3}, {x: 5}]")
    assert more.code == 0 and "1 trials of before" in more.output, more.output
    assert [one.params["x"] for one in trials(app)][:2] == [3, 5] and len(app.marks()) == 3


def test_another_sweepers_tpe_under_the_same_name(app: App) -> None:
    app.write("app.py", FOREIGN + (app.root / "app.py").read_text())
    done = app.run(*HERE, "hydra.sweeper.sampler.seed=1", "hydra.sweeper.n_trials=2")
    assert done.code == 0 and "consider" not in done.output and "Warning" not in done.output, done.output


def test_numbers_of_jobs_go_behind_those_of_the_manifest(app: App) -> None:
    words = (
        *LOCAL,
        *HERE[2:],
        "x=int(interval(0,1000))",
        "hydra.sweeper.n_trials=1",
        "hydra.sweep.subdir='t_${hydra.job.num}'",
    )
    assert app.run(*words, "hydra.sweeper.sampler.seed=0").code == 0
    new = app.run(*words, "do=other", "hydra.sweeper.on_change=new_study", "hydra.sweeper.sampler.seed=1")
    assert new.code == 0 and (app.sweep_dir / "t_1").is_dir(), new.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("hydra.sweeper.direction=[]",), "hydra.sweeper.direction=[]: minimize or maximize, or a list"),
        (("hydra.sweeper.direction=[minimize,maximize]", "hydra/sweeper/pruner=median"), "hydra/sweeper/pruner=none"),
        (("hydra.sweeper.enqueue=[1,2]",), "hydra.sweeper.enqueue: 1 is no trial; a trial is keys and values"),
        (("hydra.sweeper.storage=app.py",), "is no journal of Optuna's; a database is written sqlite:///app.py"),
        (("+hydra.sweeper.sampler.n_startup=3",), "TPESampler has no argument 'n_startup'. Did you mean 'n_startup_trials'?"),
        ((*LOCAL[1:], "hydra.launcher.on_existing=rerun"), "hydra.launcher.on_existing=retry_failed or reuse"),
    ],
)
def test_what_is_refused_in_a_sentence(app: App, words: tuple[str, ...], message: str) -> None:
    refused = app.run("-m", *words, *SEARCH, "hydra.sweep.dir=sweep")
    assert refused.code == 1 and message in refused.output and "Traceback" not in refused.output, refused.output
    assert app.marks() == []
