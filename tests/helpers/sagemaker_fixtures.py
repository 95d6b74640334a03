"""The application of the other tests, swept on a local SageMaker whose every request is kept."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from botocore.config import Config

from sagemaker_local import LocalSageMaker
from sagemaker_local.account import BUCKET, ROLE_ARN, SERVER_KEY
from sagemaker_local.application import Front
from sagemaker_local.recording import identify, read_body

if TYPE_CHECKING:
    from hydra_apps import App

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1"
INSTANCE_TYPE = "ml.m5.large"
_numbers = itertools.count(1)

SWEEPER = """\
import json
import os

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore


class ObservedSweeper(BasicSweeper):
    def sweep(self, arguments):
        launch = self.launcher.launch

        def observed(batch, initial_job_idx):
            returns = launch(batch, initial_job_idx=initial_job_idx)
            with open(os.environ["MARKS"] + ".returns", "a") as file:
                for one in returns:
                    value = one._return_value
                    error = [type(value).__name__, str(value)] if isinstance(value, Exception) else None
                    seen = {"status": one.status.name, "value": None if error else value, "error": error}
                    seen |= {"overrides": list(one.overrides), "dir": one.working_dir}
                    file.write(json.dumps(seen, default=str) + "\\n")
            return returns

        self.launcher.launch = observed
        return super().sweep(arguments)


target = "hydra_plugins.observed_sweeper.ObservedSweeper"
node = {"_target_": target, "max_batch_size": None, "params": None}
ConfigStore.instance().store(group="hydra/sweeper", name="observed", node=node)
"""
"""Hydra's own, writing down what the launcher returned."""


class Request(NamedTuple):
    """One that reached the server, before any answer."""

    service: str
    operation: str
    caller: str
    """`client` or `job`; the server's own are left out."""
    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def recorded() -> Iterator[list[Request]]:
    requests: list[Request] = []
    answer = Front.__call__

    def record(front: Front, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        call = identify(environ)
        headers = {
            name[5:].lower().replace("_", "-"): str(value) for name, value in environ.items() if name.startswith("HTTP_")
        }
        if call.caller != "server" and not call.path.startswith("/_local/"):
            requests.append(Request(call.service, call.operation, call.caller, call.path, headers, read_body(environ)))
        return answer(front, environ, start_response)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Front, "__call__", record)
        yield requests


class Account:
    """The local SageMaker, with clients of one's own whose requests do not count as the launcher's."""

    def __init__(self, server: LocalSageMaker, requests: list[Request]) -> None:
        self.server, self.requests = server, requests
        session = boto3.Session(**server.keys.arguments(SERVER_KEY), region_name="us-east-1")
        config = Config(retries={"mode": "standard", "total_max_attempts": 2}, proxies={})
        self.clients = {
            name: session.client(name, endpoint_url=server.url, config=config) for name in ("sagemaker", "s3", "secretsmanager")
        }
        self.sagemaker, self.s3, self.secrets = self.clients.values()

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def names(self, status: str | None = None) -> list[str]:
        return [name for name, job in self.server.jobs.jobs.items() if status in (None, job.status)]

    def log(self, name: str) -> str:
        """What the job's container printed; its results may hold more, or less."""
        return (self.server.root / "training-jobs" / name / "algo-1.log").read_text(encoding="utf-8")

    def objects(self, prefix: str) -> dict[str, bytes]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {entry["Key"]: self.s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in listed}


class Cloud:
    """An application and its place in the account: a prefix in the bucket and a beginning of the job names of its own."""

    def __init__(self, app: App, account: Account) -> None:
        self.app, self.account, self.server = app, account, account.server
        self.name = f"sweep{next(_numbers)}"
        self.prefix = f"tests/{self.name}"
        self.env = {
            **self.server.client_environment,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        self.words = (
            *("-m", "hydra/launcher=sagemaker", "hydra.launcher.poll_seconds=0.2", "hydra.sweep.dir=sweep"),
            *(f"hydra.launcher.s3_uri=s3://{BUCKET}/{self.prefix}", f"hydra.launcher.role_arn={ROLE_ARN}"),
            *(f"hydra.launcher.image_uri={IMAGE}", f"hydra.launcher.instance_type={INSTANCE_TYPE}"),
            *(f"hydra.launcher.sweep_name={self.name}", f"+hydra.launcher.env.MARKS={app.marks_file}"),
            "hydra/sweeper=observed",
        )
        app.write("hydra_plugins/observed_sweeper.py", SWEEPER)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        options["env"] = self.env | options.get("env", {})
        return self.app.start(*self.words, *words, **options)

    def sweep(self, *words: str, code: int = 0, seconds: float = 120, **options: Any) -> str:
        """Everything the launcher printed. What it and its jobs ask for counts from here."""
        self.account.requests.clear()
        process = self.start(*words, **options)
        output, _ = process.communicate(timeout=seconds)
        assert process.returncode == code, output
        return output

    def returns(self) -> list[dict[str, Any]]:
        """What the sweeper got since the last call, in its order."""
        file = self.app.marks_file.with_name("marks.returns")
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        file.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    def count(self, operation: str, part: str = "") -> int:
        """Requests of the launcher whose path, or body in the case of the API, holds `part`."""
        return len(self.sent(operation, part))

    def sent(self, operation: str, part: str = "") -> list[Request]:
        requests = (one for one in self.account.requests if one.caller == "client" and one.operation == operation)
        return [one for one in requests if part in one.path or part.encode() in one.body]

    def created(self) -> list[dict[str, Any]]:
        """The bodies of CreateTrainingJob, in order."""
        return [json.loads(request.body) for request in self.sent("CreateTrainingJob")]

    def names(self, status: str | None = None) -> list[str]:
        return [name for name in self.account.names(status) if name.startswith(f"{self.name}-")]

    def record(self, number: int, directory: str = "sweep") -> dict[str, Any]:
        return json.loads((self.output(number, directory) / ".job/record.json").read_text(encoding="utf-8"))

    def output(self, number: int | str, directory: str = "sweep") -> Path:
        return self.app.root / directory / str(number)

    def objects(self) -> dict[str, bytes]:
        return self.account.objects(f"{self.prefix}/")

    def fault(self, **values: Any) -> None:
        self.server.faults.replace(values)

    def close(self) -> None:
        """Ends the jobs that are left, so that the next test finds a server with nothing to do."""
        self.app.let_go()
        for name in self.names("InProgress"):
            self.account.sagemaker.stop_training_job(TrainingJobName=name)
        deadline = time.monotonic() + 20
        while (self.names("InProgress") or self.names("Stopping")) and time.monotonic() < deadline:
            time.sleep(0.05)


@contextmanager
def _nobodys_account() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    root = tmp_path_factory.mktemp("sagemaker")
    with (
        _nobodys_account(),
        recorded() as requests,
        LocalSageMaker(root, stop_grace_seconds=3) as server,
    ):
        account = Account(server, requests)
        yield account
        account.close()


@pytest.fixture
def cloud(app: App, account: Account) -> Iterator[Cloud]:
    cloud = Cloud(app, account)
    account.requests.clear()
    yield cloud
    cloud.fault()
    cloud.close()


@pytest.fixture(scope="module")
def shared_cloud(shared_app: App, account: Account) -> Iterator[Cloud]:
    """For the tests of a file that look at what one sweep left."""
    cloud = Cloud(shared_app, account)
    yield cloud
    cloud.close()
