"""Real boto3 clients of a local SageMaker, and the few things every test asks of them."""

from __future__ import annotations

import functools
import io
import itertools
import json
import tarfile
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from hydra_sagemaker.aws.local_credentials import keys_of

BUCKET = "sagemaker-local"
ROLE = f"arn:aws:iam::123456789012:role/{BUCKET}"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
ENDED = ("Completed", "Failed", "Stopped")
SERVICES = ("sagemaker", "sagemaker-runtime", "s3", "logs", "iam", "sts", "secretsmanager")

_numbers = itertools.count(1)


def wait_for(condition: Callable[[], Any], *, seconds: float = 20) -> Any:
    """The condition's value, once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
    return value


@functools.cache
def session_for(url: str) -> boto3.Session:
    """With the keys of the server there, which it has left in a file for its own user."""
    return boto3.Session(**keys_of(url), region_name="us-east-1")


def signed(
    url: str,
    body: bytes,
    headers: dict[str, str],
    *,
    service: str = "sagemaker",
    region: str = "us-east-1",
    method: str = "POST",
    path: str = "/",
) -> dict[str, str]:
    """The headers of a request as AWS's clients would sign it, whatever it says."""
    request = AWSRequest(method, f"{url}{path}", headers, body)
    found = session_for(url).get_credentials()
    assert found is not None
    SigV4Auth(found.get_frozen_credentials(), service, region).add_auth(request)
    return dict(request.headers.items())


class Account:
    def __init__(self, url: str) -> None:
        self.url = url
        config = Config(retries={"mode": "standard", "total_max_attempts": 1})
        self.clients = {name: session_for(url).client(name, endpoint_url=url, config=config) for name in SERVICES}
        self.sagemaker, self.runtime, self.s3, self.logs = (self.clients[name] for name in SERVICES[:4])

    def __enter__(self) -> Account:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients.values():
            client.close()

    def create(self, code: str = "", name: str | None = None, **fields: Any) -> str:
        """A job of Python code, or one that does nothing; gives its name. Fields of structures are merged into the defaults."""
        name = name or f"job-{next(_numbers)}"
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {
                "TrainingImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1",
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python", "-c", ""],
            },
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
        if code:
            self.s3.put_object(Bucket=BUCKET, Key=f"code/{name}/main.py", Body=code.encode())
            request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["python", "/opt/ml/input/data/code/main.py"]
            request["InputDataConfig"] = [self.channel("code", f"code/{name}")]
        for field, value in fields.items():
            if field == "InputDataConfig":
                value = request.get(field, []) + value
            request[field] = request[field] | value if isinstance(request.get(field), dict) else value
        self.sagemaker.create_training_job(**request)
        return name

    def channel(self, name: str, key: str, **source: str) -> dict[str, Any]:
        s3_source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{key}", **source}
        return {"ChannelName": name, "DataSource": {"S3DataSource": s3_source}}

    def describe(self, name: str) -> dict[str, Any]:
        return self.sagemaker.describe_training_job(TrainingJobName=name)

    def finished(self, name: str, *, seconds: float = 20) -> dict[str, Any]:
        wait_for(lambda: self.describe(name)["TrainingJobStatus"] in ENDED, seconds=seconds)
        return self.describe(name)

    def run(self, code: str, name: str | None = None, **fields: Any) -> dict[str, Any]:
        return self.finished(self.create(code, name, **fields))

    def steps(self, described: dict[str, Any]) -> list[str]:
        return [transition["Status"] for transition in described["SecondaryStatusTransitions"]]

    def log(self, name: str) -> list[str]:
        streams = self.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
        return [
            event["message"]
            for stream in sorted(stream["logStreamName"] for stream in streams)
            for event in self.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream)["events"]
        ]

    def until_logged(self, name: str, line: str) -> None:
        wait_for(lambda: line in self.log(name))

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def keys(self, prefix: str) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in listed]

    def local(self, path: str, content: Any = None) -> Any:
        """GET, or PUT of JSON, under /_local/. Raises urllib.error.HTTPError."""
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}/_local/{path}", body, method="GET" if body is None else "PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def requests(self) -> list[dict[str, Any]]:
        return self.local("requests")

    def archive(self, name: str, file: str = "model.tar.gz") -> dict[str, bytes]:
        """The files in a finished job's model.tar.gz or output.tar.gz."""
        with tarfile.open(fileobj=io.BytesIO(self.read(f"out/{name}/output/{file}"))) as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
            return {member.name: archive.extractfile(member).read() for member in members}  # pyright: ignore[reportOptionalMemberAccess]
