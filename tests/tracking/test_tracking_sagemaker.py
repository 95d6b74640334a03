"""Runs on (the local) SageMaker in W&B: our names, one curve across interruptions, the key from Secrets Manager."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytestmark = pytest.mark.slow
pytest_plugins = ("wandb_server.fixture",)

import boto3  # noqa: E402

from hydra_sagemaker.aws.local_credentials import keys_of  # noqa: E402
from sagemaker_local import LocalSageMaker  # noqa: E402
from small_lab import Lab  # noqa: E402
from tracked_runs import inspected, logged_steps, record, steps, synced  # noqa: E402
from wandb_server import WandbServer  # noqa: E402

SECRET = "team/wandb"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("tracked")
    with LocalSageMaker(directory / "sagemaker", stop_grace_seconds=30) as server:
        yield Lab(directory, server)


def test_a_sweep_online_with_the_key_from_secrets_manager(lab: Lab, wandb_server: WandbServer) -> None:
    session = boto3.Session(**keys_of(lab.server.url), region_name="us-east-1")
    manager = session.client("secretsmanager", endpoint_url=lab.server.url)
    manager.create_secret(Name=SECRET, SecretString=wandb_server.key + "\n")
    server = (f"+hydra.launcher.secrets.WANDB_API_KEY={SECRET}", f"+hydra.launcher.env.WANDB_BASE_URL={wandb_server.url}")
    lab.end(lab.sweep("online", *server, "model.hidden_size=16,32", "keep_model=never"))
    assert len(wandb_server.runs) == 2
    for number in (0, 1):
        home = lab.root / "online" / str(number)
        known, job = record(home)["tracking"]["wandb"], record(home)["job"]["name"]
        seen = wandb_server.runs["paraphrase-lab", known["id"]]
        assert (seen.group, seen.job_type, seen.state) == ("online", "train", "finished") and known["mode"] == "online"
        assert f"hidden_size={(16, 32)[number]}" in seen.display_name and job not in (seen.id, seen.display_name, seen.group)
        assert seen.summary["sagemaker/name"] == job and seen.summary["sagemaker/instance_type"].startswith("ml.")
        assert steps(seen.history) == logged_steps(home) and "SM_TRAINING_ENV" not in str(seen.config)
        assert not [file for file in home.rglob("*") if file.is_file() and wandb_server.key.encode() in file.read_bytes()]
        assert seen.summary["sagemaker/cost_usd"] == record(home)["job"]["cost_of_all_attempts_usd"] > 0


def test_an_offline_run_that_was_interrupted_comes_back_as_one_curve(lab: Lab, wandb_server: WandbServer) -> None:
    process = lab.sweep("spot", "hydra.launcher.spot=true", "+hydra.launcher.env.STEP_SECONDS='0.15'")
    logs = lambda: [file.read_text() for file in lab.server.root.glob("training-jobs/spot-*/algo-1.log")]  # noqa: E731
    lab.await_(lambda _: any("step 10\n" in log for log in logs()), process)
    lab.server.faults.update({"interrupt_times": 1, "interrupt_after_seconds": 0.0, "interrupt_jobs": ""})
    lab.end(process)
    home, sweep = lab.root / "spot" / "0", lab.root / "spot"
    assert record(home)["resumed"] == 1
    (link,) = (sweep / "wandb").glob("offline-run-*")
    assert link.is_symlink() and link.resolve().parent == (home / "wandb").resolve()
    rows = [one["history"]["item"] for one in inspected(link) if one["type"] == "history"]
    assert steps(rows) == logged_steps(home) and steps(rows)[-1] == 48
    synced(link)
    ((_, run_id),) = wandb_server.runs
    seen = wandb_server.runs["paraphrase-lab", run_id]
    assert (seen.group, seen.state) == ("spot", "finished") and record(home)["job"]["name"] not in run_id
    assert steps(seen.history) == logged_steps(home)
