"""What the command line and a launcher make of each other: conf/compute/, the task, the check, the records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from checking import composed
from paraphrase_lab import cli
from paraphrase_lab.check import check_request
from paraphrase_lab.configuration.composition import Composer, Request
from paraphrase_lab.configuration.without_effect import LOCAL_FILES, PLACES_OF_SOURCES, SAME_JOB, WITHOUT_EFFECT
from paraphrase_lab.errors import ConfigError, RunError
from paraphrase_lab.model.export import load_model
from paraphrase_lab.paths import CONF_DIR
from paraphrase_lab.remote.check import check_job
from paraphrase_lab.remote.collected import note_job
from paraphrase_lab.runs.record import RunRecord, git_state

MODELS = sorted(file.stem for file in (CONF_DIR / "model").glob("*.yaml"))
SAGEMAKER = ("compute=sagemaker", "hydra.launcher.s3_uri=s3://bucket/x", "hydra.launcher.image_uri=account/image:1")
ROLE = "hydra.launcher.role_arn=arn:aws:iam::123456789012:role/jobs"


def launcher(*overrides: str):
    return check_request(Request(overrides)).hydra.launcher


@pytest.mark.parametrize("compute", ["local", "sagemaker", "sagemaker_spot", "sagemaker_local"])
def test_what_cannot_change_a_result_does_not_make_another_job(compute: str) -> None:
    assert tuple(launcher(f"compute={compute}").key_exclude) == SAME_JOB
    assert set(SAME_JOB) < set(WITHOUT_EFFECT)


def test_a_single_run_stays_in_this_process_or_is_a_sweep_of_one_where_a_launcher_is_needed() -> None:
    assert check_request(Request()).multirun_reason is None
    assert check_request(Request(("compute=sagemaker_local",))).multirun_reason == (
        "-m added: only a sweep uses the launcher sagemaker"
    )


@pytest.mark.parametrize("compute", ["local", "sagemaker", "sagemaker_spot", "sagemaker_local"])
def test_the_content_of_data_files_is_part_of_a_job(compute: str) -> None:
    node = launcher(f"compute={compute}", "data=paws", f"data.path={CONF_DIR}")
    assert list(node.key_files) == [str(CONF_DIR), *[None] * 5]
    assert list(launcher(f"compute={compute}").key_files) == [None] * 6
    starting_point = launcher(f"compute={compute}", "model=pretrained", f"model.name={CONF_DIR}")
    assert starting_point.key_files[-2] == str(CONF_DIR) and list(node.inputs) == [*LOCAL_FILES, *PLACES_OF_SOURCES]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_names_its_instance(model: str) -> None:
    words = (*SAGEMAKER, f"model={model}", *(("model.name=x",) if model == "pretrained" else ()))
    assert launcher(*words).instance_type.startswith("ml.")


def test_spot_is_the_same_sweep_on_other_machines() -> None:
    usual, spot = launcher("compute=sagemaker"), launcher("compute=sagemaker_spot")
    assert spot.spot and [name for name in usual if usual[name] != spot[name]] == ["spot"]


def test_lightning_gets_the_processes_that_it_asks_for() -> None:
    node = launcher("compute=sagemaker")
    assert (node.instance_count, node.processes_per_instance) == (1, 1)
    node = launcher("compute=sagemaker", "trainer=ddp", "trainer.num_nodes=2")
    assert (node.instance_count, node.processes_per_instance) == (2, "auto")


def test_what_was_billed_stands_in_run_json(tmp_path: Path) -> None:
    RunRecord(tmp_path).update(status="finished")
    before = RunRecord.read(tmp_path).values["updated"]
    cost = {"billable_seconds": 90, "cost_usd": 0.03, "saved_by_spot_usd": 0.07}
    attempts = [{"name": "sweep-0-0", "cause": "spot", "cost": {"cost_usd": 0.01}}]
    skew = ["numpy 2.4.1 here, 2.4.6 where the sweep was submitted"]
    record = {"name": "sweep-0-1", "cost": cost, "interruptions": 2, "earlier_attempts": attempts, "version_skew": skew}
    note_job(tmp_path, record | {"detail": "x"})
    values = RunRecord.read(tmp_path).values
    assert values["job"] == {
        "name": "sweep-0-1", "cost": cost, "interruptions": 2, "earlier_attempts": attempts,
        "cost_of_all_attempts_usd": pytest.approx(0.04), "version_skew": skew,
    }  # fmt: skip
    assert values["status"] == "finished" and values["updated"] == before
    note_job(tmp_path / "nothing", {"name": "sweep-0-1"})
    assert not (tmp_path / "nothing").exists()


def test_endpoint_of_the_local_sagemaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert launcher("compute=sagemaker_local").endpoint_url == "http://127.0.0.1:5005"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:7")
    assert launcher("compute=sagemaker_local").endpoint_url == "http://127.0.0.1:7"


def test_the_check_of_a_job_says_everything_that_is_wrong() -> None:
    with Composer() as composer:
        config = composed(composer, ["data.max_length=128", "trainer.accelerator=gpu", "trainer.devices=4"])
    assert check_job(config) == []  # this machine's devices are not the job's
    OmegaConf.update(config, "data.max_length", 5)
    OmegaConf.update(config, "model.dropout", 2.0)
    assert [problem.split()[0] for problem in check_job(config)] == ["data.max_length=5", "model.dropout=2.0"]


def test_a_refused_sweep_is_a_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["paraphrase"])
    assert cli.run(["train", "-m", *SAGEMAKER, "seed=0,1"]) == 2
    error = capsys.readouterr().err
    assert "hydra.launcher.role_arn is not set" in error and "Traceback" not in error


@pytest.mark.slow
def test_a_dry_run_of_a_sweep_writes_requests(tmp_path: Path) -> None:
    root = CONF_DIR.parent
    words = [*SAGEMAKER, ROLE, "hydra.launcher.mode=dry_run", "model=tiny,roberta_large", f"hydra.sweep.dir={tmp_path}"]
    command = [sys.executable, "-m", "paraphrase_lab", "train", "-m", *words, "hydra.launcher.region=eu-west-1"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    requests = [json.loads((tmp_path / f".launcher/requests/{job}.request.json").read_text()) for job in (0, 1)]
    assert [request["ResourceConfig"]["InstanceType"] for request in requests] == ["ml.m5.xlarge", "ml.g5.2xlarge"]
    assert "2 requests in" in done.stdout and "nothing was uploaded or submitted" in done.stdout


def test_data_may_come_by_a_channel() -> None:
    words = (*SAGEMAKER, "data=paws", "data.path=/opt/ml/input/data/paws", "hydra.launcher.channels.paws=s3://bucket/paws")
    (job,) = check_request(Request(words)).jobs
    assert check_job(job.config) == []
    with pytest.raises(ConfigError, match="data.path=/opt/elsewhere does not exist"):
        check_request(Request(("data=paws", "data.path=/opt/elsewhere")))


@pytest.mark.slow
def test_a_finished_run_makes_room_for_another_configuration_and_is_not_lost(tmp_path: Path) -> None:
    few = ("debug=fast", "data.train_pairs=200", "data.validation_pairs=100", "data.test_pairs=100", "model.hidden_size=16")
    command = [sys.executable, "-m", "paraphrase_lab", "train", "-m", *few, "model.num_heads=2", "hydra.sweep.dir=runs/sweep"]
    for learning_rate, origin in (("0.001", "new"), ("0.002", "new"), ("0.001", "reused")):
        done = subprocess.run([*command, f"optimizer.lr={learning_rate}"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 and f"1 job: 1 {origin} in" in done.stdout, done.stdout + done.stderr
        config = OmegaConf.load(tmp_path / "runs/sweep/0/config.yaml")
        assert config.optimizer.lr == float(learning_rate)


def test_weights_that_stayed_in_s3_are_named(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / ".job").mkdir()
    (tmp_path / ".job" / "record.json").write_text(json.dumps({"model": "s3://bucket/model.tar.gz"}))
    with pytest.raises(RunError, match=r"the weights of .* are in s3://bucket/model.tar.gz\naws s3 cp s3://bucket"):
        load_model(tmp_path, lambda tokenizer, length: pytest.fail("there is nothing to load"))


def test_a_container_knows_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path) == {"commit": None, "dirty": None}
    monkeypatch.setenv("HYDRA_JOB_COMMIT", "abc-dirty")
    assert git_state(tmp_path) == {"commit": "abc", "dirty": True}
