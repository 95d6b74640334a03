"""Trials that are ended early: what jobs report on the way, and what the search makes of it."""

from __future__ import annotations

import json
import math
import multiprocessing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from hydra_apps import LOCAL, App

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from hydra_sagemaker import Pruned, report  # noqa: E402
from hydra_sagemaker.reports import VARIABLE, listening, read_reports, variable_of  # noqa: E402
from hydra_sagemaker.search.outcome import best_trials  # noqa: E402
from hydra_sagemaker.search.samplers import make_pruner  # noqa: E402
from hydra_sagemaker.search.study import open_storage  # noqa: E402
from simulated_trials import SimulatedJobs, search, study_in  # noqa: E402

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest_plugins = ["sagemaker_fixtures"]

STEPS = """\
import os
import time
from pathlib import Path

import hydra
from hydra_sagemaker import report


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    for step in range(40):
        report(step, config.x + 1 / (step + 1))
        if config.x < 10:  # a good one is quick
            continue
        time.sleep(0.25)
    return config.x


if __name__ == "__main__":
    main()
"""
SEARCH = ("hydra/sweeper=async_optuna", "hydra/sweeper/pruner=median", "hydra.sweeper.pruner.n_startup_trials=2")
FIRST = "hydra.sweeper.enqueue=[{x: 1},{x: 2},{x: 50},{x: 0}]"


def test_a_report_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report(0, 1.0)  # nobody listens
    file = tmp_path / "reports.jsonl"
    monkeypatch.setenv(VARIABLE, variable_of(file)[VARIABLE])
    for step, value in ((0, 0.5), (3, float("inf")), (0, 9.0), (4, float("nan"))):
        report(step, value)
    content = file.read_bytes()
    assert b"NaN" not in content and b"Infinity" not in content, "these are no JSON"
    found = read_reports(content)
    assert math.isnan(found.pop(4)) and found == {0: 0.5, 3: float("inf")}, "the first value of a step counts"
    for more in (b'{"step": 5, "va', b"no json\n"):
        assert read_reports(content + more).keys() == {0, 3, 4}


@pytest.mark.parametrize(
    ("step", "value"), [(-1, 1.0), (0.5, 1.0), (True, 1.0), (None, 1), ("a", 1), (math.nan, 1), (1, None), (1, "x"), (1, [1])]
)
def test_what_cannot_be_reported_is_said(step: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"the step must be a whole number, 0 or more, and the value a number, as in report\("):
        report(step, value)


def test_a_child_of_the_job_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither through the file nor, in the search's own process, through a fork's copy of who listens."""
    file = tmp_path / "reports.jsonl"
    monkeypatch.setenv(VARIABLE, variable_of(file)[VARIABLE])
    heard = tmp_path / "heard"
    with listening(lambda step, value: bool(heard.write_text(str(value))) and False):
        child = multiprocessing.get_context("fork").Process(target=report, args=(0, 999.0))
        child.start()
        child.join()
        assert child.exitcode == 0 and not file.exists() and not heard.exists()
        report(0, 1.0)
    assert read_reports(file.read_bytes()) == {0: 1.0} and heard.read_text() == "1.0"


def test_a_job_in_this_process_ends_where_it_reports() -> None:
    heard = []
    with (
        listening(lambda step, value: bool(heard.append((step, value))) or step == 2),
        pytest.raises(Pruned, match="at step 2"),
    ):
        for step in range(9):
            report(step, 1.0)
    assert heard == [(0, 1.0), (1, 1.0), (2, 1.0)]
    report(0, 1.0)
    assert len(heard) == 3


class Reporting(SimulatedJobs):
    """Each trial lasts 10 seconds and reports its number once a second; what is pruned ends a second later."""

    def __init__(self, n_jobs: int) -> None:
        super().__init__(n_jobs, lambda number: 10.0)
        self.ended_early: set[int] = set()
        self.deaf_until: dict[int, float] = {}

    def reports(self, number: int) -> dict[int, float]:
        return {step: float(number) for step in range(int(self.clock - self.running[number] + 10) + 1)}

    def prune(self, number: int) -> bool:
        if self.clock < self.deaf_until.get(number, 0.0):
            return False
        self.ended_early.add(number)
        self.running[number] = min(self.running[number], self.clock + 1)
        return True

    def end_one(self) -> list[Any]:
        soon = min(self.running.values())
        if soon > self.clock + 1:
            self.clock += 1
            return []
        if min(self.running, key=lambda one: self.running[one]) in self.ended_early:
            self.value = lambda number: 1 / 0
        [ended] = super().end_one()
        self.value = float
        return [ended]


def test_what_is_worse_than_the_median_ends_and_makes_room() -> None:
    jobs = Reporting(2)
    study = study_in()
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
    found = search(jobs, 12, study)
    found.run()
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE"] * 2 + ["PRUNED"] * 10 and found.progress.pruned == 10 and found.progress.failed == 0
    assert jobs.clock == 10 + 5 * 2, "each pair of pruned ones costs two seconds"
    assert study.trials[5].intermediate_values == {0: 5.0, 1: 5.0} or study.trials[5].intermediate_values == {0: 5.0}
    assert study.trials[5].value == 5.0 and "failure" not in study.trials[5].user_attrs


def test_a_service_out_of_reach_is_told_later() -> None:
    jobs = Reporting(1)
    jobs.deaf_until = {3: 24.5}
    study = study_in()
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
    search(jobs, 4, study).run()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "PRUNED", "PRUNED"]
    assert max(study.trials[3].intermediate_values) >= 2


def test_one_that_was_told_to_end_is_pruned_whatever_it_returns() -> None:
    """A job that ends gracefully returns its value so far: nobody can tell it from the value of the whole training."""
    jobs = Reporting(1)
    jobs.prune = lambda number: True  # type: ignore[method-assign]
    jobs.value = lambda number: float(number) if number < 2 else -1.0
    study = study_in()
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
    found = search(jobs, 4, study)
    found.run()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "PRUNED", "PRUNED"]
    assert found.progress.best == (0, 0.0) and found.progress.pruned == 2


def test_one_that_was_told_to_end_before_a_kill_is_not_trained_again() -> None:
    study = study_in()
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
    search(Reporting(1), 2, study).run()
    jobs = Reporting(1)

    def prune(number: int) -> bool:
        jobs.wait = killed  # type: ignore[method-assign]
        return True

    def killed() -> list[Any]:
        raise SystemExit

    jobs.prune = prune  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        search(jobs, 4, study).run()
    assert study.trials[2].state.name == "RUNNING" and study.trials[2].user_attrs["told_to_end"] is True
    after = Reporting(1)
    search(after, 4, study).run()
    assert after.submitted == [3] and study.trials[2].state.name == "PRUNED"


@pytest.mark.parametrize("burst", [1, 5, 16])
@pytest.mark.parametrize("keeps_rungs", [True, False])
def test_values_that_arrive_together_are_judged_one_after_the_other(burst: int, keeps_rungs: bool) -> None:
    """A rung of successive halving compares values of the same step, so that bursts must not change what it says."""
    jobs = Bursts(burst)
    study = study_in()
    halving = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    study.pruner = halving if keeps_rungs else optuna.pruners.MedianPruner(n_startup_trials=2)
    search(jobs, 16, study, failures=1.0).run()
    if keeps_rungs:
        rungs = [one.system_attrs.get("completed_rung_0") for one in study.trials]
        assert rungs == [jobs.curve(number, 1) for number in range(16)]
    states = [trial.state.name for trial in study.trials]
    assert states.count("PRUNED") > 5 or burst == 16, "trials that report at their end alone cannot be told before"


class Bursts(SimulatedJobs):
    """Trials of 16 seconds, a value each, of which `burst` arrive together."""

    def __init__(self, burst: int) -> None:
        super().__init__(1, lambda number: 16.0, lambda number: self.curve(number, 15))
        self.burst = burst

    def curve(self, number: int, step: int) -> float:
        return Random(number).random() + 10 / (step + 1)

    def reports(self, number: int) -> dict[int, float]:
        ended = int(self.clock - self.running[number] + 16)
        return {step: self.curve(number, step) for step in range(ended - ended % self.burst)}

    def prune(self, number: int) -> bool:
        self.running[number] = self.clock
        return True

    def end_one(self) -> list[Any]:
        number, end = next(iter(self.running.items()))
        if end > self.clock + 1:
            self.clock += 1
            return []
        self.told[number] = {step: self.curve(number, step) for step in range(16 if end > self.clock else 0)}
        return super().end_one()


@pytest.mark.parametrize("storage", ["memory", "journal", "database"])
def test_a_trial_that_has_diverged_is_pruned(storage: str, tmp_path: Path) -> None:
    text = {"database": f"sqlite:///{tmp_path}/study.db"}.get(storage)
    study = study_in(None if storage == "memory" else open_storage(text, tmp_path))
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
    jobs = Reporting(1)
    jobs.reports = lambda number: {0: math.nan if number == 2 else 1.0}  # type: ignore[method-assign]
    search(jobs, 4, study).run()
    again = study_in(study._storage)
    assert [trial.state.name for trial in again.trials] == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]
    assert math.isnan(again.trials[2].intermediate_values[0]) and again.trials[2].value is None


def test_with_seeds_as_steps_a_pruned_trial_counts_with_their_mean() -> None:
    pytest.importorskip("scipy")
    study = study_in()
    study.pruner = make_pruner({"_target_": "optuna.pruners.WilcoxonPruner"})
    jobs = Reporting(1)
    jobs.reports = lambda number: {step: 10.0 * number + step for step in range(10)}  # type: ignore[method-assign]
    found = search(jobs, 3, study)
    found.run()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3, "as Optuna advises"
    assert study.trials[1].value == 14.5 and study.trials[1].last_step == 9
    assert found.progress.pruned == 2 and found.progress.complete == 1
    assert [trial.number for trial in best_trials(study)] == [0]


def test_a_pruner_that_hears_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    study = study_in()
    study.pruner = optuna.pruners.MedianPruner()
    search(SimulatedJobs(1, lambda number: 1.0), 2, study).run()
    assert "call hydra_sagemaker.report(step, value) in the job" in caplog.text
    caplog.clear()
    search(Reporting(1), 4, study).run()
    assert "hydra_sagemaker.report" not in caplog.text


def trials(directory: Path) -> list[Any]:
    storage = open_storage(None, directory)
    return optuna.load_study(study_name=optuna.get_all_study_names(storage)[0], storage=storage).trials


def check_pruned(app: App, output: str) -> None:
    found = trials(app.sweep_dir)
    assert [trial.state.name for trial in found] == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"], output
    assert "trial 2 (x=50): pruned after step" in output and "1 pruned" in output
    assert 0 in found[2].intermediate_values and len(found[2].intermediate_values) < 40 == len(found[3].intermediate_values)
    record = json.loads((app.sweep_dir / "2/.job/record.json").read_text())
    assert record["pruned"] is True and "pruned" not in json.loads((app.sweep_dir / "3/.job/record.json").read_text())


def test_processes_are_told_to_end(app: App) -> None:
    app.write("app.py", STEPS)
    done = app.run(*LOCAL, *SEARCH, FIRST, "x=int(interval(0,60))", "hydra.sweeper.n_trials=4", "hydra.launcher.max_parallel=1")
    assert done.code == 0, done.output
    check_pruned(app, done.output)


def test_hydras_own_launcher_prunes_in_this_process(app: App) -> None:
    app.write("app.py", STEPS)
    words = ("-m", "hydra.sweep.dir=sweep", *SEARCH, FIRST, "x=int(interval(0,60))", "hydra.sweeper.n_trials=4")
    done = app.run(*words)
    assert done.code == 0, done.output
    found = trials(app.sweep_dir)
    assert [trial.state.name for trial in found] == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]
    assert found[2].intermediate_values == {0: 51.0}


@pytest.mark.slow
def test_training_jobs_are_told_to_end(cloud: Cloud) -> None:
    cloud.app.write("app.py", STEPS)
    words = (*cloud.words, *SEARCH, FIRST, "x=int(interval(0,60))", "hydra.sweeper.n_trials=4", "hydra.launcher.max_parallel=1")
    refused = cloud.app.run(*words, env=cloud.env)
    assert refused.code == 1 and "hydra.launcher.checkpoints=true" in refused.output, refused.output
    done = cloud.app.run(*words, "hydra.launcher.checkpoints=true", env=cloud.env)
    assert done.code == 0, done.output
    check_pruned(cloud.app, done.output)
