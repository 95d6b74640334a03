"""Jobs of an earlier launch that still run in a sweep's directory: they are named, and never forgotten."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hydra_apps import LOCAL

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

WAITING = ("x=1,2", "do=wait", "hydra.launcher.wait=false")


@pytest.fixture
def running(cloud: Cloud) -> Cloud:
    """Two jobs run, and nobody waits for them."""
    cloud.sweep(*WAITING)
    return cloud


def listed(cloud: Cloud, command: str = "hydra_sagemaker") -> str:
    words = [sys.executable, "-m", command, "list", str(cloud.app.sweep_dir)]
    environment = {**cloud.env, "COLUMNS": "200"}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


def refusal(cloud: Cloud, *words: str) -> str:
    """Return the message of a launch that submits nothing; the running jobs are still listed."""
    output = cloud.sweep(*words, code=1)
    assert cloud.count("CreateTrainingJob") == 0 and cloud.count("PutObject") == 0
    assert len(running := cloud.names("InProgress")) == 2
    text = listed(cloud)
    assert all(name in text for name in [*running]) and "hydra.sweep.dir" in output
    assert all(name in output for name in running), output
    return " ".join(output.split())


@pytest.mark.slow
def test_changed_code_does_not_replace_running_jobs(running: Cloud) -> None:
    running.app.write("app.py", (running.app.root / "app.py").read_text(encoding="utf-8") + "# a comment\n")
    output = refusal(running, *WAITING)
    place = running.app.sweep_dir
    assert "2 jobs of an earlier launch in this directory" in output and "(x=1)" in output
    assert f"`hydra-sagemaker collect --wait {place}` waits for them, `hydra-sagemaker stop {place}` stops them" in output
    assert "2 jobs: 2 new" in running.sweep(*WAITING, "hydra.sweep.dir=another")
    assert len(running.names("InProgress")) == 4


@pytest.mark.slow
def test_other_directories_of_the_same_numbers_would_be_forgotten_too(running: Cloud) -> None:
    assert "still run, and" in refusal(running, "x=5,6", "hydra.sweep.subdir=${hydra.job.override_dirname}")


@pytest.mark.slow
def test_another_kind_of_place_does_not_forget_them(running: Cloud) -> None:
    words = [*LOCAL[1:], "x=5,6"]
    assert "still run, and" in refusal(running, *words)


@pytest.mark.slow
def test_jobs_that_keep_their_place_are_named_once_and_stay_listed(running: Cloud) -> None:
    output = running.sweep("x=1", "do=wait", "hydra.launcher.wait=false")
    assert output.count("still runs beside this one") == 1 and "1 job: 1 attached" in output
    assert "1 job of an earlier launch in this directory" in output
    for command in ("hydra_sagemaker", "hydra_plugins.hydra_sagemaker_launcher"):
        assert all(name in listed(running, command) for name in running.names("InProgress"))


@pytest.mark.slow
def test_ended_jobs_give_their_place_away(running: Cloud) -> None:
    running.app.let_go()
    running.app.await_(lambda: not running.names("InProgress"))
    assert "2 jobs: 2 new" in running.sweep("x=5,6")


@pytest.mark.slow
def test_the_jobs_of_a_local_sagemaker_that_is_gone_are_gone_too(running: Cloud) -> None:
    manifest = running.app.sweep_dir / ".launcher/manifest.json"
    text = manifest.read_text(encoding="utf-8").replace('"endpoint_url": null', '"endpoint_url": "http://127.0.0.1:9"')
    manifest.write_text(text, encoding="utf-8")
    assert "2 jobs: 2 new" in running.sweep("x=5,6")
