"""Rare cases of local jobs."""

from __future__ import annotations

import errno
import json
import subprocess
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from hydra_apps import LOCAL, App
from hydra_sagemaker.backends.base import State
from hydra_sagemaker.backends.local import LocalBackend
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.files import write_atomically
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.settings import SageMakerLauncherConf

NAME = "train-0123456789abcdef-0"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(0, (), OmegaConf.create({}), SageMakerLauncherConf(), tmp_path / "out", key="0123456789abcdef", slug="train")


@pytest.fixture
def spec(job: Job) -> Spec:
    texts = dict.fromkeys(("task_name", "config", "sweep_dir", "sweep_subdir", "working_dir"), "")
    lists: dict[str, list[str]] = {name: [] for name in ("hydra_overrides", "task_overrides", "python_path")}
    nothing = {"config_name": None, "version_base": None, "search_path": [], "now": [], "plugins": {}}
    return Spec(NAME, job.key, 0, **texts, **lists, **nothing)  # type: ignore[arg-type]


def backend(directory: Path, working_dir: str = ".") -> LocalBackend:
    return LocalBackend(SageMakerLauncherConf(), directory / "state", directory, directory / working_dir, None)


def ended(directory: Path, result: str) -> None:
    """A job that another launcher has run."""
    write_atomically(directory / f"state/{NAME}/where.json", json.dumps({"output_dir": str(directory / "out")}))
    write_atomically(directory / "out/.job/result.json", result)


def test_a_job_that_another_launcher_ran_meanwhile_is_not_run_again(tmp_path: Path, job: Job, spec: Spec) -> None:
    ended(tmp_path, json.dumps({"name": NAME, "status": "completed", "exit_code": 0}))
    assert not backend(tmp_path).submit(job, NAME, spec)
    assert backend(tmp_path).poll([NAME])[NAME].state == State.COMPLETED
    assert not (job.job_dir / "spec.json").exists()


def test_a_process_that_cannot_be_started_is_one_failed_job(tmp_path: Path, job: Job, spec: Spec) -> None:
    local = backend(tmp_path, "absent")
    with pytest.raises(LauncherError, match="its process could not be started: .*absent"):
        local.submit(job, NAME, spec)
    assert local.existing([job])[job.key].status.state == State.LOST


def test_a_process_that_cannot_be_noted_does_not_run(
    tmp_path: Path, job: Job, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when its number shall be written down: nobody would stop it."""
    local = backend(tmp_path)
    note = local.outputs.note

    def full(name: str, **values: object) -> None:
        if "pid" in values:
            raise OSError(errno.ENOSPC, "No space left on device")
        note(name, **values)

    monkeypatch.setattr(local.outputs, "note", full)
    with pytest.raises(LauncherError, match="its process could not be started: .*No space left"):
        local.submit(job, NAME, spec)
    assert backend(tmp_path).poll([NAME])[NAME].state == State.LOST
    commands = (file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline"))
    assert not [command for command in commands if str(job.job_dir).encode() in command]


@pytest.mark.parametrize("result", ["{", "{}", json.dumps({"name": "another-job", "status": "completed", "exit_code": 0})])
def test_a_result_that_is_not_the_jobs_is_no_result(tmp_path: Path, job: Job, result: str) -> None:
    ended(tmp_path, result)
    assert backend(tmp_path).existing([job])[job.key].status.state == State.LOST


def test_the_newest_attempt_counts(tmp_path: Path, job: Job) -> None:
    for attempt in (0, 2, 10, 9):
        (tmp_path / f"state/{job.name(attempt)}").mkdir(parents=True)
    (tmp_path / "state/not-a-job").mkdir()
    assert backend(tmp_path).existing([job])[job.key].attempt == 10


def test_a_job_that_does_not_stop_is_killed(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher: subprocess.Popen[str] = app.start(*LOCAL, "x=1", "do=ignore")
    app.await_marks(1, "ignores")
    [state] = (app.root / ".hydra_jobs").glob("*-0")
    monkeypatch.setattr("hydra_sagemaker.backends.local.STOP_GRACE_SECONDS", 0.2)
    LocalBackend(SageMakerLauncherConf(), state.parent, app.root, app.root, None).stop([state.name])
    said, _ = launcher.communicate(timeout=30)
    assert launcher.returncode == 1
    assert "killed by SIGKILL" in said
