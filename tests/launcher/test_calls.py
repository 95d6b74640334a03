"""Errors of AWS calls become a type, a cause and a next step; over real HTTP where possible."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

from botocore.exceptions import ClientError  # noqa: E402

from hydra_sagemaker.aws.clients import Clients, api_call, persistently  # noqa: E402
from hydra_sagemaker.aws.local_credentials import published  # noqa: E402
from hydra_sagemaker.errors import CallFailed, LauncherError, NotPermitted, Throttled, Unreachable  # noqa: E402
from hydra_sagemaker.settings import SageMakerLauncherConf  # noqa: E402
from sagemaker_local import LocalSageMaker  # noqa: E402
from sagemaker_local.account import CLIENT_KEY  # noqa: E402

if TYPE_CHECKING:
    from sagemaker_fixtures import Account


def connected(url: str) -> Clients:
    return Clients(SageMakerLauncherConf(endpoint_url=url, region="us-east-1"))


def close(clients: Clients) -> None:
    for client in vars(clients).values():
        getattr(client, "close", lambda: None)()


@pytest.fixture
def clients(account: Account) -> Iterator[Clients]:
    clients = connected(account.server.url)
    yield clients
    close(clients)
    account.server.faults.replace({})


def failed(kind: type[CallFailed], call: Callable[[], object]) -> CallFailed:
    """Return the error, of exactly this type."""
    with pytest.raises(kind, match="(?s)^the call: .*\nNext: ") as raised:
        with api_call("the call"):
            call()
    assert type(raised.value) is kind and raised.value.failure is not None
    assert str(raised.value) == str(raised.value.failure)
    return raised.value


def cause(error: CallFailed) -> str:
    assert error.failure is not None
    return error.failure.cause.value


def answering(code: str, message: str = "why", status: int = 400) -> Callable[[], object]:
    def call() -> object:
        answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, "Operation")

    return call


@pytest.mark.parametrize(
    "code, message, status, kind, expected, step",
    [
        ("Throttling", "Rate exceeded", 400, Throttled, "infrastructure", "AWS limits the calls"),
        ("SlowDown", "Please reduce your request rate.", 503, Throttled, "infrastructure", "AWS limits the calls"),
        ("RequestLimitExceeded", "", 503, Throttled, "infrastructure", "AWS limits the calls"),
        ("InternalFailure", "", 500, Unreachable, "infrastructure", "the service is in trouble"),
        ("504", "Gateway Timeout", 504, Unreachable, "infrastructure", "the service is in trouble"),
        ("ExpiredToken", "", 400, NotPermitted, "credentials", "sign in again (`aws sso login`)"),
        ("SignatureDoesNotMatch", "", 403, NotPermitted, "credentials", "`aws sts get-caller-identity` shows who you are"),
        (
            "InvalidSignatureException",
            "Signature expired: 1 is now earlier",
            400,
            NotPermitted,
            "credentials",
            "this machine's clock",
        ),
        ("403", "Forbidden", 403, NotPermitted, "role", "your identity lacks this permission"),
        (
            "AccessDeniedException",
            "is not authorized to perform: iam:PassRole on",
            400,
            NotPermitted,
            "role",
            "correct hydra.lau",
        ),
        (
            "ValidationException",
            "RoleArn: Cross-account pass role is not allowed.",
            400,
            NotPermitted,
            "role",
            "correct hydra.lau",
        ),
        ("PermanentRedirect", "", 301, NotPermitted, "region", "the bucket is in another region than hydra.launcher.region"),
        ("ResourceLimitExceeded", "limit is 0 Instances", 400, CallFailed, "quota", "request a higher quota"),
        (
            "ValidationException",
            "Insufficient capacity: CapacityError",
            400,
            CallFailed,
            "capacity",
            "another hydra.launcher.inst",
        ),
        (
            "ValidationException",
            "the bucket is in this region: x",
            400,
            CallFailed,
            "region",
            "use a bucket in the jobs' region",
        ),
        ("ValidationException", 'under S3 URL "s3://data/x" given', 400, CallFailed, "code", "`aws s3 ls s3://data/x` shows"),
        (
            "ValidationException",
            "1 validation error detected",
            400,
            CallFailed,
            "code",
            "hydra.launcher.mode=dry_run writes the",
        ),
    ],
)
def test_what_aws_answers(code: str, message: str, status: int, kind: type[CallFailed], expected: str, step: str) -> None:
    error = failed(kind, answering(code, message, status))
    assert error.failure is not None and (cause(error), error.failure.message) == (expected, f"the call: {code}: {message}")
    assert error.failure.next_step.startswith(step) or step in error.failure.next_step
    assert error.concerns_all == (kind is NotPermitted)


def test_expired_credentials(clients: Clients, account: Account) -> None:
    account.server.faults.expired_credentials = True
    for call in (clients.sagemaker.list_training_jobs, clients.s3.list_buckets, clients.sts.get_caller_identity):
        assert cause(failed(NotPermitted, call)) == "credentials"


def test_a_bucket_that_is_not_there(clients: Clients) -> None:
    error = failed(NotPermitted, lambda: clients.s3.put_object(Bucket="no-such-bucket", Key="x", Body=b""))
    assert cause(error) == "region" and "Next: create the bucket, or correct hydra.launcher.s3_uri" in str(error)


def test_a_permission_that_is_lacking(clients: Clients, account: Account) -> None:
    account.server.faults.denied_operations = ["ListTrainingJobs", "GetRole", "PutObject", "HeadBucket"]
    for call in (
        clients.sagemaker.list_training_jobs,
        lambda: clients.iam.get_role(RoleName="sagemaker-local"),
        lambda: clients.s3.put_object(Bucket="sagemaker-local", Key="x", Body=b""),
        lambda: clients.s3.head_bucket(Bucket="sagemaker-local"),
    ):
        assert cause(failed(NotPermitted, call)) == "role"


def test_what_is_wrong_with_a_question_is_found_here(clients: Clients) -> None:
    assert cause(failed(CallFailed, lambda: clients.sagemaker.describe_training_job(Name="x"))) == "code"


def test_no_credentials_and_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NotPermitted, match="no AWS region\nNext: set hydra.launcher.region or AWS_DEFAULT_REGION"):
        Clients(SageMakerLauncherConf())
    with pytest.raises(NotPermitted, match=r"The config profile \(nobody\) .*\nNext: `aws configure list-profiles`"):
        Clients(SageMakerLauncherConf(profile="nobody", region="eu-west-1"))
    elsewhere = Clients(SageMakerLauncherConf(region="eu-west-1"))
    error = failed(NotPermitted, elsewhere.sts.get_caller_identity)
    assert cause(error) == "credentials" and "there are no AWS credentials" in str(error)
    close(elsewhere)


def test_few_attempts_within_a_call(clients: Clients, account: Account) -> None:
    account.server.faults.update({"throttled_calls": 4, "throttle_period": 4})
    account.requests.clear()
    assert cause(failed(Throttled, clients.sagemaker.list_training_jobs)) == "infrastructure"
    assert len(account.requests) == 3


def listen() -> tuple[socket.socket, int]:
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, listener.getsockname()[1]


def test_a_server_that_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address answers nobody at first."""
    listener, port = listen()
    server = LocalSageMaker(tmp_path, port=port)
    with published(f"http://127.0.0.1:{port}", server.keys.arguments(CLIENT_KEY)):
        clients = connected(f"http://127.0.0.1:{port}")
    listener.close()
    pauses: list[float] = []

    def jobs() -> object:
        with api_call("ListTrainingJobs"):
            return clients.sagemaker.list_training_jobs()["TrainingJobSummaries"]

    with contextlib.ExitStack() as stack:

        def started(seconds: float) -> None:
            pauses.append(seconds)
            stack.enter_context(server)

        monkeypatch.setattr("hydra_sagemaker.aws.clients.time", SimpleNamespace(sleep=started, monotonic=time.monotonic))
        assert persistently(jobs) == [] and len(pauses) == 1
        close(clients)


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now, pauses = [0.0], []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    def call() -> None:
        now[0] += 1
        raise Unreachable("nobody there")

    monkeypatch.setattr("hydra_sagemaker.aws.clients.time", SimpleNamespace(sleep=sleep, monotonic=lambda: now[0]))
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    with pytest.raises(Unreachable, match="nobody there"):
        persistently(call, patience_seconds=100)
    assert pauses == [1, 2, 4, 8, 16, 20, 20, 20] and now[0] == 100
    calls: list[int] = []

    def refused() -> None:
        calls.append(1)
        raise NotPermitted("never")

    with pytest.raises(LauncherError, match="never"):
        persistently(refused)
    assert len(calls) == 1


def test_the_pauses_are_random(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []
    left = [3]

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return 0.0

    def call() -> str:
        left[0] -= 1
        if left[0]:
            raise Throttled("slower")
        return "done"

    monkeypatch.setattr("random.uniform", uniform)
    assert persistently(call) == "done" and asked == [(0, 1.0), (0, 2.0)]
