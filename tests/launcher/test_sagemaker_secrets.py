"""Secrets stay where they are: in Secrets Manager, in the environment of a person or of a job, and nowhere else."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

from hydra_sagemaker.settings import SageMakerLauncherConf  # noqa: E402
from hydra_sagemaker.sweep.checks import config_secrets, setting_problems  # noqa: E402

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

PLANTED = "planted-7f3a9c51e2"
APP = """\
import hashlib
import os

import hydra
from omegaconf import OmegaConf


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    assert os.environ["TRACKER_KEY"] and "TRACKER_KEY" in str(OmegaConf.to_container(config))
    return digest(config.tracker.api_key)


if __name__ == "__main__":
    main()
"""
CONFIG = "x: 1\ntracker:\n  api_key: ${oc.env:TRACKER_KEY}\n"


def texts(cloud: Cloud) -> Iterator[tuple[str, bytes]]:
    """Everything that was uploaded or downloaded, archives opened."""
    for request in cloud.account.requests:
        if request.caller == "client":
            yield f"{request.operation} {request.path}", request.body + str(request.headers).encode()
    yield from cloud.objects().items()
    for file in cloud.app.sweep_dir.rglob("*"):
        if file.is_file():
            yield str(file), file.read_bytes()
    for name in cloud.names():
        described = cloud.account.sagemaker.describe_training_job(TrainingJobName=name)
        yield name, (str(described) + cloud.account.log(name)).encode()


def holding(cloud: Cloud, word: str) -> list[str]:
    return [place for place, content in texts(cloud) if word.encode() in _opened(content)]


def _opened(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (gzip.BadGzipFile, zlib.error, EOFError):
        return content


@pytest.mark.slow
def test_a_secret_reaches_the_task_and_nothing_else(cloud: Cloud) -> None:
    cloud.app.write("app.py", APP)
    cloud.app.write("conf/config.yaml", CONFIG)
    cloud.account.secrets.create_secret(Name="tracker/key", SecretString=PLANTED)
    words = ("x=1,2", "+hydra.launcher.secrets.TRACKER_KEY=tracker/key", "hydra.launcher.max_parallel=2")
    output = cloud.sweep(*words, env={"TRACKER_KEY": f"{PLANTED}-of-mine"})
    there = hashlib.sha256(PLANTED.encode()).hexdigest()
    assert [one["value"] for one in cloud.returns()] == [there, there]
    reads = [one for one in cloud.account.requests if one.operation == "GetSecretValue"]
    assert [one.caller for one in reads] == ["job", "job"] and PLANTED not in output
    assert "secrets read: TRACKER_KEY" in cloud.account.log(cloud.names()[0])
    assert holding(cloud, PLANTED) == []
    assert len(holding(cloud, "oc.env:TRACKER_KEY")) > 4  # the search does find what is there


@pytest.mark.slow
def test_a_secret_that_is_not_there_ends_the_job_with_its_reason(cloud: Cloud) -> None:
    cloud.sweep("x=1", "+hydra.launcher.secrets.TRACKER_KEY=not/there", code=1)
    (failed,) = cloud.returns()
    assert "hydra.launcher.secrets.TRACKER_KEY=not/there: ResourceNotFound" in failed["error"][1]
    assert "Secrets Manager can't find the specified secret" in failed["error"][1] and cloud.app.marks() == []


def problems(**settings: Any) -> list[str]:
    return list(setting_problems(SageMakerLauncherConf(s3_uri="s3://b", role_arn="r", instance_type="i", **settings)))


@pytest.mark.parametrize("field", ["env", "tags"])
@pytest.mark.parametrize(
    "name, value, why",
    [
        ("WANDB_API_KEY", PLANTED, "its name looks like a secret"),
        ("db_password", "", "its name looks like a secret"),
        ("SETTING", "ghp_" + "a" * 36, "its value looks like GitHub token"),
    ],
)
def test_what_anyone_who_may_describe_a_job_would_read(field: str, name: str, value: str, why: str) -> None:
    (problem,) = problems(**{field: {name: value}})
    assert problem.startswith(f"hydra.launcher.{field}.{name}: {why}, and everyone who may describe the job reads it. ")
    assert f"Store it in Secrets Manager and write hydra.launcher.secrets.{name}=NAME_THERE" in problem
    assert not value or value not in problem


@pytest.mark.parametrize("field", ["Environment", "HyperParameters"])
def test_the_same_by_way_of_the_extra_fields(field: str) -> None:
    (problem,) = problems(extra={field: {"WANDB_API_KEY": PLANTED}})
    assert problem.startswith(f"hydra.launcher.extra.{field}.WANDB_API_KEY: its name looks like a secret")
    (problem,) = problems(extra={"Tags": [{"Key": "api_key", "Value": PLANTED}]})
    assert problem.startswith("hydra.launcher.extra.Tags.api_key: its name looks like a secret") and PLANTED not in problem
    assert problems(extra={field: {"EPOCHS": 3}, "Tags": [{"Key": "team", "Value": "nlp"}]}) == []


def test_a_name_in_secrets_manager_is_no_secret() -> None:
    assert problems(secrets={"WANDB_API_KEY": "team/wandb"}, env={"LOGLEVEL": "info"}, tags={"team": "nlp"}) == []


def test_an_isolated_job_cannot_read_secrets() -> None:
    (problem,) = problems(extra={"EnableNetworkIsolation": True}, secrets={"WANDB_API_KEY": "team/wandb"})
    assert (
        "hydra.launcher.extra.EnableNetworkIsolation: an isolated job cannot read hydra.launcher.secrets: remove one" == problem
    )


def test_literal_secrets_in_the_configuration() -> None:
    config = {"a": {"api_key": PLANTED, "lr": 0.1}, "b": ["x", "hf_" + "a" * 34], "hydra": {"api_key": "x"}}
    found = list(config_secrets(config))
    assert [text.split(" looks like")[0] for text in found] == ["the configuration's a.api_key", "the configuration's b[1]"]
    assert all("write ${oc.env:NAME} there, and NAME under hydra.launcher.secrets" in text for text in found)
    assert not [text for text in found if PLANTED in text]


def test_references_to_secrets_in_the_configuration_are_allowed() -> None:
    config = {"api_key": "${oc.env:API_KEY}", "password": "???", "token": None, "secret": "", "tokenizer": "bert", "hydra": {}}
    assert list(config_secrets(config)) == []


@pytest.mark.slow
def test_a_secret_on_the_command_line_is_refused_before_anything_is_sent(cloud: Cloud) -> None:
    output = cloud.sweep("x=1,2", f"+tracker.api_key={PLANTED}", "+hydra.launcher.env.HF_TOKEN=abc", code=1)
    assert "nothing was submitted: 2 problems" in output and "Traceback" not in output
    assert "the configuration's tracker.api_key looks like a secret" in output and PLANTED not in output
    assert cloud.account.requests == []
