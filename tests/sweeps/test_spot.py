"""Training on machines that are taken away and on several at once: the same weights as here, byte for byte."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from paraphrase_lab.errors import RunError
from paraphrase_lab.remote import train as remote
from paraphrase_lab.runs.record import RunRecord, _identity
from paraphrase_lab.tracking.metrics_csv import read_rows
from paraphrase_lab.training.checkpoints import resumable_step
from small_lab import Lab

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
from sagemaker_local import LocalSageMaker  # noqa: E402


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("lab")
    with LocalSageMaker(directory / "sagemaker", stop_grace_seconds=30) as server:
        yield Lab(directory, server)


def weights(run: Path) -> bytes:
    return (run / "model/model.safetensors").read_bytes()


def validations(run: Path) -> list[tuple[str, str]]:
    return [(row["step"], row["val/nll"]) for row in read_rows(run / "metrics.csv") if row["val/nll"]]


@pytest.mark.slow
def test_a_training_that_is_interrupted_twice_ends_as_one_that_is_not(lab: Lab) -> None:
    faults = lab.server.faults
    lab.run("hydra.run.dir=whole")
    process = lab.sweep("spot", "hydra.launcher.spot=true", "+hydra.launcher.env.STEP_SECONDS='0.15'")
    lab.await_(lambda log: "step 10\n" in log, process)  # a copy of step 3 or 6 has reached S3 a second later
    faults.update(
        {"interrupt_times": 1, "interrupt_unannounced_times": 1, "interrupt_after_seconds": 0.0, "interrupt_jobs": ""}
    )
    lab.await_(lambda log: re.search(r"continuing after optimiser step (3|6|9|12) of [\s\S]*step 2\d\n", log), process)
    faults.update({"interrupt_times": 2})
    lab.end(process)
    log = lab.log()
    assert "SIGTERM: saving at the next optimiser step" in log
    assert len(re.findall(r"continuing after optimiser step \d+ of ", log)) == 2 and "step 48\n" in log
    home = lab.root / "spot/0"
    record = json.loads((home / "run.json").read_text(encoding="utf-8"))
    assert (record["status"], record["resumed"]) == ("finished", 2)
    assert weights(home) == weights(lab.root / "whole") and validations(home) == validations(lab.root / "whole")
    assert not (home / "checkpoints/last.ckpt").exists()


@pytest.mark.slow
def test_two_machines_train_as_one_with_two_batches_a_step(lab: Lab) -> None:
    lab.run("hydra.run.dir=one", "trainer.accumulate_grad_batches=2", "data.batch_size=20", "model.dropout=0")
    two = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=1", "trainer.num_nodes=2", "model.dropout=0")
    lab.end(lab.sweep("nodes", *two, "data.batch_size=20", "hydra.launcher.instance_count=2"))
    home = lab.root / "nodes/0"
    record = json.loads((home / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "finished" and record["device"]["count"] == 2
    assert "[rank 0]" in (home / ".job/output.log").read_text(encoding="utf-8") and "[rank 1]" in lab.log(host=2)
    one = validations(lab.root / "one")
    assert [step for step, _ in validations(home)] == [step for step, _ in one]
    for (_, here), (_, there) in zip(one, validations(home), strict=True):
        assert float(here) == pytest.approx(float(there), rel=1e-4)


def record_of(directory: Path, **values: object) -> RunRecord:
    record = RunRecord(directory)
    record.start(seed=0)
    record.update(**values)
    return RunRecord.read(directory)


def test_a_process_of_another_boot_or_container_is_dead_though_its_number_lives(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    parent = os.getppid()
    record.values["process"] |= {"pid": parent, "identity": _identity(parent)}
    assert record.status == "running"
    record.values["process"]["identity"] = "another-boot/1"
    assert record.status == "interrupted"
    del record.values["process"]["identity"]  # where there is no /proc
    assert record.status == "running"


def test_what_a_job_has_kept_belongs_to_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_of(tmp_path / "kept/output/7", process={"pid": 7, "host": "a-machine-that-is-gone"})
    assert record.status == "running"
    monkeypatch.setenv("HYDRA_JOB_CHECKPOINTS", str(tmp_path / "kept"))
    assert record.status == "interrupted"
    assert record_of(tmp_path / "elsewhere", process=record.values["process"]).status == "running"


def test_a_record_that_cannot_be_read_is_none_in_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "run.json").write_text('{"status": "runn')
    with pytest.raises(RunError, match="run.json cannot be read"):
        remote._was_interrupted(tmp_path)
    monkeypatch.setenv("HYDRA_JOB_CHECKPOINTS", str(tmp_path))
    assert not remote._was_interrupted(tmp_path)
    assert "the run starts anew" in caplog.text and list(tmp_path.iterdir()) == []


def test_a_finished_run_without_its_weights_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_of(tmp_path, status="finished", model="model")
    assert not remote._was_interrupted(tmp_path)
    monkeypatch.setenv("HYDRA_JOB_CHECKPOINTS", str(tmp_path))
    assert remote._was_interrupted(tmp_path) and RunRecord.read(tmp_path).status == "interrupted"
    record_of(tmp_path, status="finished", model="model")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.safetensors").touch()
    assert remote._was_interrupted(tmp_path) and RunRecord.read(tmp_path).status == "finished"


def checkpoint(directory: Path) -> Path:
    best = {"BestCheckpoint": {"value": 0.5, "step": 20, "validated_step": 20}}
    torch.save({"global_step": 30, "callbacks": best}, directory / "last.ckpt")
    save_file({"weight": torch.zeros(8)}, directory / "best-20.safetensors")
    return directory / "last.ckpt"


@pytest.mark.parametrize("broken", ["last.ckpt", "best-20.safetensors", "no best-20.safetensors"])
def test_a_checkpoint_that_is_not_whole_is_said_and_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    path = checkpoint(tmp_path)
    assert resumable_step(path) == 30 and resumable_step(tmp_path / "absent.ckpt") is None and not caplog.text
    file = tmp_path / broken.removeprefix("no ")
    if broken.startswith("no "):
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-20])
    assert resumable_step(path) is None
    assert f"{path} cannot be resumed from, and training starts again" in caplog.text


def test_half_a_line_of_metrics_is_none(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,val/nll\n10,0.5\n12")
    assert read_rows(tmp_path / "metrics.csv") == [{"step": "10", "val/nll": "0.5"}]
