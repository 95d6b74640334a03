"""Who may call the local SageMaker, and what it refuses rather than seem to do."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from hydra_sagemaker.aws.clients import Clients
from hydra_sagemaker.aws.local_credentials import keys_of, place_of, published
from hydra_sagemaker.settings import SageMakerLauncherConf
from local_account import BUCKET, Account, session_for, signed, wait_for
from sagemaker_local import LocalSageMaker
from sagemaker_local.account import CLIENT_KEY
from sagemaker_local.application import MAX_BODY_BYTES

SERVICES = {"sagemaker": "list_models", "s3": "list_buckets", "iam": "list_roles", "sts": "get_caller_identity"}
UNKNOWN = {"sagemaker": "UnrecognizedClientException", "s3": "InvalidAccessKeyId", "iam": "InvalidClientTokenId"}
WRONG = {"sagemaker": "InvalidSignatureException", "s3": "SignatureDoesNotMatch", "iam": "SignatureDoesNotMatch"}


def code_of(session: boto3.Session, url: str, service: str) -> str:
    client: Any = session.client(service, endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))  # type: ignore[call-overload]
    with pytest.raises(ClientError) as caught:
        getattr(client, SERVICES[service])()
    client.close()
    assert "Export the variables that the local SageMaker printed" in caught.value.response["Error"]["Message"]
    return caught.value.response["Error"]["Code"]


@pytest.mark.parametrize("service", UNKNOWN)
def test_another_user_of_this_machine_gets_nowhere(server: LocalSageMaker, service: str) -> None:
    stranger = boto3.Session("LOCALCLIENT", "local", region_name="us-east-1")
    assert code_of(stranger, server.url, service) == UNKNOWN[service]
    guessed = boto3.Session(keys_of(server.url)["aws_access_key_id"], "local", region_name="us-east-1")
    assert code_of(guessed, server.url, service) == WRONG[service]


def test_its_own_user_sees_the_state_of_jobs_with_other_keys(account: Account) -> None:
    name = account.create("")
    mine = boto3.Session("AKIAMINE", "mine", region_name="us-east-1").client("sagemaker", endpoint_url=account.url)
    assert name in [one["TrainingJobName"] for one in mine.list_training_jobs(NameContains=name)["TrainingJobSummaries"]]
    assert mine.describe_training_job(TrainingJobName=name)["TrainingJobName"] == name
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        mine.stop_training_job(TrainingJobName=name)
    mine.close()
    account.finished(name)


OF_A_STRANGER = """
import os, socket, sys
port, file = int(sys.argv[1]), sys.argv[2]
os.setuid(65534)
with socket.socket() as connection:
    connection.connect(("127.0.0.1", port))
    connection.sendall(sys.stdin.buffer.read())
    print(connection.recv(65536).split()[1].decode())
try:
    print(open(file).read())
except PermissionError:
    print("closed")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_another_user_does_not_even_see_the_jobs(account: Account) -> None:
    port = urlsplit(account.url).port or 0
    scope = f"Credential=K/20260101/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature={'0' * 64}"
    head = (
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Amz-Target: SageMaker.ListTrainingJobs\r\n"
        f"Authorization: AWS4-HMAC-SHA256 {scope}\r\nContent-Length: 2\r\n\r\n{{}}"
    )
    for number, code in ((0, "200"), (65534, "403")):
        program = OF_A_STRANGER.replace("65534", str(number))
        command = [sys.executable, "-c", program, str(port), str(place_of(port))]
        shown = subprocess.run(command, input=head.encode(), capture_output=True, check=True).stdout.decode().splitlines()
        assert shown[0] == code and (shown[1] == "closed") is (number != 0)


def test_every_server_has_keys_of_its_own(server: LocalSageMaker, tmp_path: Path) -> None:
    with LocalSageMaker(tmp_path) as other:
        assert len({other.keys.secret, server.keys.secret, *other.keys.ids.values(), *server.keys.ids.values()}) == 8
        assert code_of(session_for(server.url), other.url, "s3") == "InvalidAccessKeyId"
        file = place_of(urlsplit(other.url).port or 0)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not file.exists() and keys_of(other.url) == {}


def test_unsigned_requests_are_refused(account: Account) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{account.url}/{BUCKET}", timeout=10)
    with caught.value as answer:
        assert answer.code == 403 and b"<Code>AccessDenied</Code>" in answer.read()


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_signed_addresses(account: Account, version: str) -> None:
    account.s3.put_object(Bucket=BUCKET, Key="a key/é+.txt", Body=b"for all who have it")
    client = session_for(account.url).client("s3", endpoint_url=account.url, config=Config(signature_version=version))
    address = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a key/é+.txt"}, ExpiresIn=60)
    expired = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a key/é+.txt"}, ExpiresIn=-1)
    client.close()
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.read() == b"for all who have it"
    for refused in (address.replace("a%20key", "b%20key"), expired):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(refused, timeout=10)
        caught.value.close()
        assert caught.value.code == 403


def test_the_keys_are_there_before_the_port_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = []

    def publish(url: str, keys: Mapping[str, str], *, keep: bool = False) -> AbstractContextManager[Path | None]:
        with socket.socket() as client:
            answered.append(client.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0)
        return published(url, keys, keep=keep)

    monkeypatch.setattr("sagemaker_local.server.published", publish)
    with LocalSageMaker(tmp_path) as other:
        assert answered == [False] and keys_of(other.url) == other.keys.arguments(CLIENT_KEY)


def test_the_launcher_finds_the_keys_and_sends_no_others(
    server: LocalSageMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    settings = SageMakerLauncherConf(endpoint_url=server.url, region="us-east-1")
    assert Clients(settings).sts.get_caller_identity()["Account"] == "123456789012"
    keys = keys_of(server.url)
    place_of(server_port := urlsplit(server.url).port or 0).unlink()
    try:
        assert Clients(settings)._session.get_credentials().access_key == "local"
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["aws_access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["aws_secret_access_key"])
        assert Clients(settings).sts.get_caller_identity()["Account"] == "123456789012"  # exported by hand
    finally:
        place_of(server_port).touch(mode=0o600)
        place_of(server_port).write_text(json.dumps(keys), encoding="utf-8")


def test_a_file_that_others_could_have_written_is_not_read() -> None:
    url = "http://127.0.0.1:1"
    with published(url, {"aws_access_key_id": "a", "aws_secret_access_key": "b"}) as file:
        assert file is not None and keys_of(url) == {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        assert keys_of("http://host.example:1") == {} and keys_of(None) == {} and keys_of("http://127.0.0.1:2") == {}
        file.chmod(0o644)
        assert keys_of(url) == {}
        file.chmod(0o600)
    assert not file.exists()


def answer_to(account: Account, target: str, body: bytes, service: str = "sagemaker") -> tuple[int, dict[str, Any]]:
    sent = signed(account.url, body, {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}, service=service)
    connection = http.client.HTTPConnection(urlsplit(account.url).netloc, timeout=20)
    connection.request("POST", "/", body, sent)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content)


RUN_NOTHING = """
    CreateHyperParameterTuningJob CreateTransformJob CreateProcessingJob CreateAutoMLJob CreatePipeline StartPipelineExecution
    CreateNotebookInstance CreateLabelingJob CreateCompilationJob CreateModelPackage CreateCluster CreateFeatureGroup Search
""".split()


@pytest.mark.parametrize("operation", RUN_NOTHING)
def test_what_nobody_runs_is_refused(account: Account, operation: str) -> None:
    status, answer = answer_to(account, f"SageMaker.{operation}", b"{}")
    assert (status, answer["__type"]) == (400, "ValidationException")
    assert answer["message"].startswith(f"The local SageMaker does not serve {operation}: nothing would run. Served are Create")


@pytest.mark.parametrize(
    "target, service",
    [
        *(("SageMaker.Nonsense", "sagemaker"), ("", "sagemaker"), ("Logs_20140328.Nonsense", "logs")),
        *(("secretsmanager.Nonsense", "secretsmanager"), ("AWSLambda.Invoke", "lambda"), ("AmazonEC2.RunInstances", "ec2")),
    ],
)
def test_operations_that_nobody_knows(account: Account, target: str, service: str) -> None:
    status, answer = answer_to(account, target, b"{}", service)
    assert (status, answer["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize(
    "target, service",
    [
        *(("SageMaker.CreateTrainingJob", "sagemaker"), ("SageMaker.CreateModel", "sagemaker")),
        *(("Logs_20140328.PutLogEvents", "logs"), ("secretsmanager.CreateSecret", "secretsmanager")),
    ],
)
def test_json_in_many_levels(account: Account, target: str, service: str) -> None:
    for body in (b'{"Name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"{"):
        status, answer = answer_to(account, target, body, service)
        assert (status, answer["__type"]) == (400, "SerializationException"), answer
    assert account.sagemaker.list_training_jobs(MaxResults=1)["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("length, status", [(str(MAX_BODY_BYTES + 1), 413), ("-1", 400), ("many", 400), ("1e9", 400)])
def test_bodies_have_a_limit(account: Account, length: str, status: int) -> None:
    """It is answered before a byte of the body comes, and the connection ends."""
    parts = urlsplit(account.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        head = f"POST / HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()) and b"is not taken: at most" in answer


def test_a_connection_that_says_nothing_is_closed(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    from sagemaker_local.application import IDLE_SECONDS, QuietHandler

    assert QuietHandler.timeout == IDLE_SECONDS
    monkeypatch.setattr(QuietHandler, "timeout", 0.2)
    parts = urlsplit(account.url)
    for said in (b"", f"POST / HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 10\r\n\r\nabc".encode()):
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall(said)
            assert connection.recv(65536) == b""


BY_NO_NAME = {
    "CreateModel": ({}, "'modelName'"),
    "DeleteModel": ({}, "'modelName'"),
    "CreateEndpointConfig": ({"EndpointConfigName": "c", "ProductionVariants": []}, "'productionVariants'"),
    "ListTags": ({"ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:model/nobody"}, "Could not find the resource"),
}


@pytest.mark.parametrize("operation", BY_NO_NAME)
def test_what_moto_would_let_succeed_or_break_on(account: Account, operation: str) -> None:
    request, said = BY_NO_NAME[operation]
    status, answer = answer_to(account, f"SageMaker.{operation}", json.dumps(request).encode())
    assert (status, answer["__type"]) == (400, "ValidationException") and said in answer["message"]


@pytest.mark.parametrize("path", ["/invocations", "/endpoints/a/b/invocations", "/endpoints/a/async-invocations"])
def test_addresses_of_no_endpoint(account: Account, path: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(account.url).netloc, timeout=20)
    connection.request("POST", path, b"{}", signed(account.url, b"{}", {}, path=path))
    answer = connection.getresponse()
    assert answer.status == 400 and json.loads(answer.read())["__type"] == "UnknownOperationException"
    connection.close()


def test_a_job_is_updated_as_aws_lets_it(account: Account) -> None:
    plain = account.create("import time; time.sleep(30)")
    warm = account.create("import time; time.sleep(30)", ResourceConfig={"KeepAlivePeriodInSeconds": 60})
    before = account.describe(warm)["LastModifiedTime"]
    arn = account.sagemaker.update_training_job(
        TrainingJobName=warm,
        RemoteDebugConfig={"EnableRemoteDebug": True},
        ProfilerConfig={"DisableProfiler": True},
    )["TrainingJobArn"]
    described = account.describe(warm)
    assert described["TrainingJobArn"] == arn and described["LastModifiedTime"] > before
    assert described["RemoteDebugConfig"] == {"EnableRemoteDebug": True} and described["ProfilerConfig"]["DisableProfiler"]
    keep = {"KeepAlivePeriodInSeconds": 600}
    with pytest.raises(ClientError, match="the job is InProgress, the pool InUse"):
        account.sagemaker.update_training_job(TrainingJobName=warm, ResourceConfig=keep)
    with pytest.raises(ClientError, match="has no warm pool"):
        account.sagemaker.update_training_job(TrainingJobName=plain, ResourceConfig=keep)
    with pytest.raises(ClientError, match="Requested resource not found"):
        account.sagemaker.update_training_job(TrainingJobName="nobody")
    for name in (plain, warm):
        account.sagemaker.stop_training_job(TrainingJobName=name)
        account.finished(name)
    with pytest.raises(ClientError, match="because the training job is in status Stopped"):
        account.sagemaker.update_training_job(TrainingJobName=warm, ProfilerConfig={"DisableProfiler": True})
    wait_for(lambda: account.describe(warm)["WarmPoolStatus"]["Status"] == "Available")
    account.sagemaker.update_training_job(TrainingJobName=warm, ResourceConfig=keep)
    assert account.describe(warm)["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 600
    account.sagemaker.update_training_job(TrainingJobName=warm, ResourceConfig={"KeepAlivePeriodInSeconds": 0})


def test_the_address_of_the_keys_depends_on_the_user_alone(server: LocalSageMaker, tmp_path: Path) -> None:
    code = f"from hydra_sagemaker.aws.local_credentials import keys_of; print(keys_of({server.url!r})['aws_access_key_id'])"
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    shown = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == keys_of(server.url)["aws_access_key_id"]
