"""Errors before anything starts."""

from __future__ import annotations

import hydra
import pytest

from hydra_apps import App

CHECKS = """
def returns(config):
    if config.x > 1:
        yield f"x={config.x} is above 1"
        yield "x is not to be above 1"
"""


def refused(app: App, *words: str) -> str:
    said = app.sweep(*words, code=1)
    assert app.marks() == [], "a job has started"
    assert not list(app.root.glob(".hydra_jobs/*"))
    assert "Traceback" not in said
    return said


def test_fields_that_do_not_exist(app: App) -> None:
    said = refused(app, "x=1", "+hydra.launcher.max_paralel=3")
    assert "hydra.launcher has no field 'max_paralel'. Did you mean 'max_parallel'?" in said
    assert "Valid: mode, sweep_name, on_existing" in refused(app, "x=1", "+hydra.launcher.qqq=3")


def test_fields_of_earlier_versions(app: App) -> None:
    for word in ("network_isolation=true", "subnets=[subnet-1]", "hyperparameters={lr: 1}", "hyperparameters.lr=1"):
        said = refused(app, "x=1", f"hydra.launcher.{word}")
        assert "was removed: type +hydra.launcher.extra." in said
    assert "+hydra.launcher.extra.HyperParameters=… instead, or write it so in a file" in said


@pytest.mark.skipif(not hydra.__version__.startswith("1.3."), reason="Hydra 1.4 refuses it itself")
def test_fields_of_earlier_versions_in_the_files_of_jobs(app: App) -> None:
    for name in ("a", "b"):
        app.write(f"conf/experiment/{name}.yaml", "# @package _global_\nhydra:\n  launcher:\n    network_isolation: true\n")
    said = refused(app, "+experiment=a,b")
    assert "job 0 (+experiment=a): hydra.launcher.network_isolation was removed: type +hydra.launcher.extra." in said


@pytest.mark.skipif(not hydra.__version__.startswith("1.3."), reason="Hydra 1.4 refuses it itself")
def test_jobs_that_change_the_launcher(app: App) -> None:
    for name, parallel in (("a", 2), ("b", 3)):
        app.write(f"conf/experiment/{name}.yaml", f"# @package _global_\nhydra:\n  launcher:\n    max_parallel: {parallel}\n")
    said = refused(app, "+experiment=a,b")
    assert "nothing was submitted: 2 problems" in said
    assert "job 0 (+experiment=a) changes the launcher itself: max_parallel. Start one sweep for each." in said
    assert "job 1 (+experiment=b) changes the launcher itself: max_parallel." in said


def test_jobs_that_would_overwrite_each_other(app: App) -> None:
    said = refused(app, "x=1,2,1", "hydra.sweep.subdir=same")
    assert "nothing was submitted: 1 problem" in said
    where = app.sweep_dir / "same"
    assert f"job 1 (x=2) writes to {where} as job 0 (x=1) does: hydra.sweep.subdir must differ" in said


@pytest.mark.slow
def test_each_job_may_have_an_instance_of_its_own(app: App) -> None:
    app.write("conf/config.yaml", "defaults:\n  - model: small\n  - _self_\nx: 0\ndo: nothing\n")
    app.write("conf/model/small.yaml", "instance: ml.small\n")
    app.write("conf/model/large.yaml", "instance: ml.large\n")
    field = "hydra.launcher.instance_type=${model.instance}"
    app.sweep("model=small,large", field)
    assert app.marks() == ["0", "0"]
    app.write("conf/model/large.yaml", "other: ml.large\n")
    said = app.sweep("model=small,large", field, code=1)
    assert "nothing was submitted: 1 problem" in said
    assert "hydra.launcher.instance_type of job 1 (model=large): Interpolation key 'model.instance' not found" in said


def test_the_sweep_as_a_whole_may_have_no_model(app: App) -> None:
    """Hydra itself resolves the launcher's fields once without a job."""
    app.write("conf/config.yaml", "defaults:\n  - model: ???\n  - _self_\nx: 0\ndo: nothing\n")
    app.write("conf/model/small.yaml", "instance: ml.small\n")
    app.sweep("model=small", "hydra.launcher.instance_type=${oc.select:model.instance,null}")
    assert app.marks() == ["0"]


def test_problems_of_all_jobs_in_one_message(app: App) -> None:
    app.write("checks.py", CHECKS)
    said = refused(app, "x=1,2,3", "hydra.launcher.check=checks.returns")
    assert "nothing was submitted: 3 problems" in said
    assert "- job 1 (x=2): x=2 is above 1" in said
    assert "- job 2 (x=3): x=3 is above 1" in said
    assert "- job 1 (x=2), job 2 (x=3): x is not to be above 1" in said


@pytest.mark.slow
def test_a_later_batch_does_not_deny_the_earlier_ones(app: App) -> None:
    app.write("checks.py", CHECKS)
    said = app.sweep("x=0,1,2", "hydra.launcher.check=checks.returns", "hydra.sweeper.max_batch_size=2", code=1)
    assert sorted(app.marks()) == ["0", "1"]
    assert "nothing more was submitted, after 2 jobs: 2 problems" in said and "x=2 is above 1" in said


def test_without_multirun_the_launcher_has_no_say(app: App) -> None:
    finished = app.run("hydra/launcher=sagemaker", "x=1", f"hydra.run.dir={app.sweep_dir}")
    assert finished.code == 0, finished.output
    assert not (app.sweep_dir / ".job").exists()
