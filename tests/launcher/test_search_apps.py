"""Searches of a small application with real processes: the whole way from the command to the results, killed and continued."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hydra_apps import LOCAL, App

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest_plugins = ["sagemaker_fixtures"]
SEARCH = (*LOCAL, "hydra/sweeper=async_optuna", "x=int(interval(0,1000000))", "hydra.sweeper.sampler.seed=0")


def trials(app: App, directory: str = "sweep") -> list[Any]:
    from hydra_sagemaker.search.study import open_storage

    storage = open_storage(None, app.root / directory)
    (name, *_) = sorted(optuna.get_all_study_names(storage), reverse=True)
    return optuna.load_study(study_name=name, storage=storage).trials


def wait(process: subprocess.Popen[str], code: int = 0) -> str:
    output, _ = process.communicate(timeout=90)
    assert process.returncode == code, output
    return output


def test_from_the_command_to_the_results(app: App) -> None:
    said = app.run(*SEARCH, "hydra.sweeper.n_trials=5", "hydra.launcher.max_parallel=2")
    assert said.code == 0, said.output
    found = trials(app)
    assert [trial.value for trial in found] == [10.0 * trial.params["x"] for trial in found]
    results = [app.result(number)["return_value"] for number in range(5)]
    assert results == [trial.value for trial in found]
    best = min(found, key=lambda trial: trial.value)
    written = yaml.safe_load((app.sweep_dir / "optimization_results.yaml").read_text())
    assert written == {"name": "optuna", "study": "app", "best_params": best.params, "best_value": best.value}
    assert f"5 of 5 trials, best {best.value:.6g} (trial {best.number})" in said.output
    assert f"optuna-dashboard {app.sweep_dir / 'search.journal'}" in said.output
    assert (app.sweep_dir / "multirun.yaml").is_file() and "trial  value" in said.output
    more = app.run(*SEARCH, "hydra.sweeper.n_trials=7")
    assert "5 trials of before" in more.output and len(trials(app)) == 7
    assert len({trial.params["x"] for trial in trials(app)}) == 7, "it does not propose the same values again"
    assert Counter(app.marks()).most_common(1)[0][1] == 1


@pytest.mark.slow
def test_killed_twice_it_continues_and_attaches_to_what_runs(app: App) -> None:
    words = (*SEARCH, "hydra.sweeper.n_trials=10", "hydra.launcher.max_parallel=3", "do=wait")
    for count in (3, 3):
        process = app.start(*words)
        app.await_marks(count)
        app.await_event("submit")
        process.send_signal(signal.SIGKILL)
        process.communicate()
    last = app.start(*words)
    app.await_event("attached")
    app.let_go()
    said = wait(last)
    assert "3 trials of before, 3 of them unfinished" in said or "of them unfinished" in said
    found = trials(app)
    assert len(found) == 10 and {trial.state.name for trial in found} == {"COMPLETE"}
    assert sorted(app.marks()) == sorted(str(trial.params["x"]) for trial in found), "each of them ran once"


def test_another_space_or_other_code_is_refused(app: App) -> None:
    app.write("helper.py", "one = 1")
    words = (*SEARCH, "hydra.sweeper.n_trials=2")
    assert app.run(*words).code == 0
    other = app.run(*words, "x=int(interval(0,5))")
    assert other.code == 1 and "x=int(interval(0,1000000)) is now int(interval(0,5))" in other.output
    assert "hydra.sweeper.on_change=new_study begins a new one beside it" in other.output
    app.write("helper.py", "one = 2")
    assert "2 trials of another search: helper.py has changed" in app.run(*words).output
    app.write("notes.txt", "no code")
    told = app.run(*words).output
    assert "notes.txt is new" in told and "What is no code is left out by hydra.launcher.code.exclude=[notes.txt]" in told
    app.root.joinpath("notes.txt").unlink()
    new = app.run(*words, "hydra.sweeper.on_change=new_study")
    assert new.code == 0 and "study app-2" in new.output, new.output
    assert [app.result(number)["return_value"] for number in (2, 3)] == [trial.value for trial in trials(app)]
    assert len(app.marks()) == 4, "the numbers of its jobs begin behind those of the first study"


def test_fixed_first_trials(app: App) -> None:
    first = "hydra.sweeper.enqueue=[{x: 7},{x: 8}]"
    assert app.run(*SEARCH, "hydra.sweeper.n_trials=3", first).code == 0
    assert [trial.params["x"] for trial in trials(app)][:2] == [7, 8]


def test_hydras_own_launcher_runs_one_after_the_other(app: App) -> None:
    words = [word for word in SEARCH if "launcher" not in word]
    done = app.run(*words, "hydra.sweeper.n_trials=3", "do=nothing")
    assert done.code == 0 and "runs one trial after the other, in this process" in done.output, done.output
    assert [trial.value for trial in trials(app)] == [10.0 * int(x) for x in app.marks()]
    failing = app.run(*words, "hydra.sweeper.n_trials=3", "do=raise", "hydra.sweep.dir=failing")
    assert failing.code == 1 and "is broken" in failing.output


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("hydra.sweeper.direction=up", "hydra.sweeper.direction=up: minimize or maximize"),
        ("+hydra.sweeper.n_trial=3", "hydra.sweeper has no field 'n_trial'. Did you mean 'n_trials'?"),
        ("hydra.sweeper.n_trials=0", "hydra.sweeper.n_trials=0: at least 1"),
        ("hydra.sweeper.max_failure_rate=2", "hydra.sweeper.max_failure_rate=2.0: from 0 to 1"),
        ("hydra.launcher.wait=false", "AsyncOptunaSweeper needs the value of each job before it chooses"),
        ("nokey=3", "Could not override 'nokey'"),
        ("x=1", "the search has nothing to search"),
        ("hydra.sweeper.enqueue=[{z: 1}]", "hydra.sweeper.enqueue: z is no key of the space: x"),
        ("hydra.sweeper.enqueue=[{x: -1}]", "hydra.sweeper.enqueue: x=-1 is not in int(interval(0,1000000))"),
    ],
)
def test_what_is_refused_before_anything_runs(app: App, word: str, message: str) -> None:
    refused = app.run(*SEARCH, word)
    assert refused.code == 1 and message in refused.output and "Traceback" not in refused.output, refused.output
    assert app.marks() == []


@pytest.mark.slow
def test_dollars_are_those_of_all_launches(cloud: Cloud) -> None:
    """A job may cost $1 and does cost a thousandth; with $1 there is room for one until another has been paid."""
    prices = ("hydra.launcher.price_per_hour={ml.m5.large: 1.0}", "hydra.launcher.max_run_hours=1")
    words = (*cloud.words, *prices, "hydra/sweeper=async_optuna", "x=int(interval(0,1000000))", "hydra.launcher.max_parallel=1")
    assert cloud.app.run(*words, "hydra.sweeper.n_trials=2", env=cloud.env).code == 0
    spent = [trial.user_attrs["usd"] for trial in trials(cloud.app)]
    assert len(spent) == 2 and all(usd > 0 for usd in spent)
    more = ("hydra.sweeper.n_trials=3", "hydra.launcher.max_cost_usd=1.0")
    stopped = cloud.app.run(*words, *more, env=cloud.env)
    assert stopped.code == 0 and "the budget is spent: hydra.launcher.max_cost_usd=1" in stopped.output, stopped.output
    assert len(cloud.app.marks()) == 2
    assert cloud.app.run(*words, *more[:1], "hydra.launcher.max_cost_usd=1.5", env=cloud.env).code == 0
    assert len(cloud.app.marks()) == 3


def test_a_dry_run_shows_two_jobs(app: App) -> None:
    from hydra_apps import AWS

    done = app.run(*AWS, "hydra/sweeper=async_optuna", "x=int(interval(3,9))")
    assert done.code == 0 and "two jobs stand for all of the search" in done.output, done.output
    requests = sorted((app.sweep_dir / ".launcher" / "requests").glob("*.spec.json"))
    assert len(requests) == 2 and "x=3" in requests[0].read_text() and "x=9" in requests[1].read_text()
    assert json.loads(requests[0].read_text())
