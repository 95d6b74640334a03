"""Trials that are ended early: what jobs report on the way, and what the search makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hydra_apps import LOCAL, App

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from hydra_sagemaker import Pruned, report  # noqa: E402
from hydra_sagemaker.reports import VARIABLE, listening, read_reports  # noqa: E402
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
    monkeypatch.setenv(VARIABLE, str(file))
    for step, value in ((0, 0.5), (3, float("inf")), (0, 9.0)):
        report(step, value)
    content = file.read_bytes()
    assert read_reports(content) == {0: 0.5, 3: float("inf")}, "the first value of a step counts"
    assert read_reports(content + b'{"step": 4, "va') == read_reports(content + b"no json\n") == read_reports(content)
    for step in (-1, 0.5, True):
        with pytest.raises(ValueError, match="it must be a whole number, 0 or more"):
            report(step, 1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        report(1, "high")  # type: ignore[arg-type]


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

    def wait(self) -> list[Any]:
        soon = min(self.running.values())
        if soon > self.clock + 1:
            self.clock += 1
            return []
        if min(self.running, key=lambda one: self.running[one]) in self.ended_early:
            self.value = lambda number: 1 / 0
        [ended] = super().wait()
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


def test_one_that_ends_by_itself_meanwhile_keeps_its_value() -> None:
    jobs = Reporting(1)
    jobs.prune = lambda number: True  # type: ignore[method-assign]  # too late
    study = study_in()
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
    search(jobs, 4, study).run()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4


def trials(directory: Path) -> list[Any]:
    from hydra_sagemaker.search.study import open_storage

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
