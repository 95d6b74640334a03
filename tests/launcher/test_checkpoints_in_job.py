"""SageMaker keeps a job's output directory: the next attempt continues in it, and nothing is kept of a completed job."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hydra_sagemaker.container import output_files
from submitted_jobs import SPOT, SubmittedJob

if TYPE_CHECKING:
    from sagemaker_fixtures import Account

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

COUNTS_ON = """\
import os
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    output = Path(HydraConfig.get().runtime.output_dir)
    assert output.is_relative_to(os.environ["HYDRA_JOB_CHECKPOINTS"])
    state = output / "step"
    step = int(state.read_text()) if state.exists() else 0
    (output / "model.pt").write_text(f"weights {step}")
    print("from", step, "of", config.x, flush=True)
    while step < abs(config.x):
        step += 1
        (output / "step.new").write_text(str(step))
        (output / "step.new").replace(state)
        time.sleep(0.1)
    if config.x < 0:
        raise RuntimeError("it is broken")
    return step
"""


@pytest.fixture
def faults(account: Account) -> Iterator[Any]:
    yield account.server.faults
    account.server.faults.replace({})


def starts(job: SubmittedJob) -> list[int]:
    """The steps that the attempts began with."""
    return [int(line.split()[1]) for line in job.log().splitlines() if line.startswith("from ")]


@pytest.mark.slow
@pytest.mark.parametrize("unannounced", [0, 2])
def test_an_interrupted_job_continues(account: Account, faults: Any, tmp_path: Path, unannounced: int) -> None:
    faults.update({"interrupt_jobs": "by-hand", "interrupt_times": 2, "interrupt_after_seconds": 6.0})
    faults.update({"interrupt_unannounced_times": unannounced})
    job = SubmittedJob(account, tmp_path, COUNTS_ON, x=130).submit({"checkpoints": True}, **SPOT)
    described = job.finished()
    assert described["TrainingJobStatus"] == "Completed", job.log()
    first, second, third = starts(job)
    assert 0 == first < second < third < 130
    assert (job.result()["return_value"], job.result()["model_files"]) == (130, ["model.pt"])
    files = job.archive()
    assert files["7/step"] == b"130" and "7/.hydra/config.yaml" in files and "7/app.log" in files
    assert "7/model.pt" not in files
    assert job.archive("model.tar.gz") == {"model.pt": f"weights {third}".encode()}
    assert job.kept() == {}


@pytest.mark.slow
def test_a_failed_job_keeps_what_it_has_for_the_next(account: Account, tmp_path: Path) -> None:
    job = SubmittedJob(account, tmp_path, COUNTS_ON, x=-3).submit({"checkpoints": True})
    described = job.finished()
    assert described["FailureReason"].startswith("AlgorithmError: RuntimeError: it is broken")
    files = job.archive()
    assert files["7/step"] == b"3" and "7/model.pt" not in files and job.result()["status"] == "failed"
    assert job.kept()["output/7/step"] == b"3" and job.kept()["output/7/model.pt"] == b"weights 0"


@pytest.mark.slow
def test_a_stopped_job_keeps_what_it_has_and_shows_it(account: Account, tmp_path: Path) -> None:
    job = SubmittedJob(account, tmp_path, COUNTS_ON, x=1000).submit({"checkpoints": True})
    job.await_log("from 0")
    job.stop()
    assert job.finished()["TrainingJobStatus"] == "Stopped"
    assert job.result()["status"] == "interrupted" and "7/step" in job.archive()
    assert {"output/7/step", "output/7/model.pt", "output/7/.hydra/config.yaml"} <= set(job.kept())


def test_results_are_placed_beside_what_is_kept(tmp_path: Path) -> None:
    root, data, model = tmp_path / "output", tmp_path / "data", tmp_path / "model"
    for name in ("7/deep/model.pt", "7/deep/note.txt", "7/.hydra/config.yaml", "beside.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "7/newest").symlink_to("deep/note.txt")
    output_files.place_results(root, "7", data, model, ["deep/*.pt"])
    assert (model / "deep/model.pt").samefile(root / "7/deep/model.pt")
    placed = {file.relative_to(data).as_posix() for file in data.rglob("*") if not file.is_dir()}
    assert placed == {"7/deep/note.txt", "7/.hydra/config.yaml", "7/newest", "beside.txt"}
    assert os.readlink(data / "7/newest") == "deep/note.txt"
    output_files.empty(root)
    assert list(root.iterdir()) == [] and (data / "7/newest").read_text() == "7/deep/note.txt"


def test_models_of_an_unfinished_job_stay_behind(tmp_path: Path) -> None:
    (tmp_path / "output/7").mkdir(parents=True)
    for name in ("model.pt", "log"):
        (tmp_path / "output/7" / name).write_text(name)
    for _ in range(2):  # of a second attempt there may be files already
        output_files.place_results(tmp_path / "output", "7", tmp_path / "data", None, ["*.pt"])
    assert [file.name for file in (tmp_path / "data/7").iterdir()] == ["log"]


def test_copies_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> None:
        raise OSError("another file system")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "output/7").mkdir(parents=True)
    (tmp_path / "output/7/log").write_text("line")
    output_files.place_results(tmp_path / "output", "7", tmp_path / "data", None, [])
    assert (tmp_path / "data/7/log").read_text() == "line"
    assert not (tmp_path / "data/7/log").samefile(tmp_path / "output/7/log")
