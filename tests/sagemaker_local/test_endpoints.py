from __future__ import annotations

import io
import json
import os
import re
import tarfile
import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, WaiterError

from local_account import BUCKET, ROLE, Account, wait_for
from sagemaker_local import LocalSageMaker, model_server

MODEL_SERVER = """
import json, os, pathlib, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
model = json.loads(pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").read_text())
class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404, b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print("asked", len(body), flush=True)
        if body == b"die":
            os._exit(1)
        if body == b"slow":
            import time; time.sleep(1)
        if not body.startswith(b"{"):
            return self.answer(422, b"not JSON")
        answer = {"sum": sum(json.loads(body)["x"]) + model["bias"], "type": self.headers["Content-Type"],
                  "accept": self.headers["Accept"], "attributes": self.headers["X-Amzn-SageMaker-Custom-Attributes"],
                  "environment": os.environ.get("COLOUR")}
        self.answer(200, json.dumps(answer).encode())
HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSageMaker]:
    script = tmp_path_factory.mktemp("serve") / "serve.py"
    script.write_text(MODEL_SERVER)
    root = tmp_path_factory.mktemp("sagemaker")
    with LocalSageMaker(root, serve_command=["python", str(script)]) as started:
        yield started


@pytest.fixture(scope="module")
def account(server: LocalSageMaker) -> Iterator[Account]:
    with Account(server.url) as opened:
        yield opened


def put_model(account: Account, name: str, *, bias: int = 0, member: str = "model.json") -> None:
    content = json.dumps({"bias": bias}).encode()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    account.s3.put_object(Bucket=BUCKET, Key=f"models/{name}/model.tar.gz", Body=file.getvalue())
    container = {
        "Image": "image",
        "ModelDataUrl": f"s3://{BUCKET}/models/{name}/model.tar.gz",
        "Environment": {"COLOUR": "red"},
    }
    account.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    account.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])


def create_endpoint(account: Account, name: str) -> None:
    account.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=[{"Key": "a", "Value": "b"}])


def in_service(account: Account, name: str) -> None:
    waiter = account.sagemaker.get_waiter("endpoint_in_service")
    waiter.wait(EndpointName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})


def ask(account: Account, name: str, body: bytes) -> dict:
    answer = account.runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType="application/json")
    with answer["Body"] as stream:
        return json.loads(stream.read())


def test_an_endpoint_answers_is_updated_and_goes(account: Account, server: LocalSageMaker) -> None:
    put_model(account, "first", bias=1)
    put_model(account, "second", bias=2)
    create_endpoint(account, "first")
    assert account.sagemaker.describe_endpoint(EndpointName="first")["EndpointStatus"] == "Creating"
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        account.sagemaker.delete_endpoint(EndpointName="first")
    with pytest.raises(ClientError, match="Endpoint first of account 123456789012 not found"):
        ask(account, "first", b"{}")
    in_service(account, "first")
    answer = account.runtime.invoke_endpoint(
        EndpointName="first", Body=b'{"x": [3, 4]}', ContentType="application/json", Accept="a/b", CustomAttributes="c=1"
    )
    with answer["Body"] as stream:
        assert json.loads(stream.read()) == {
            "sum": 8, "type": "application/json", "accept": "a/b", "attributes": "c=1", "environment": "red"
        }  # fmt: skip
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("application/json", "AllTraffic")

    with pytest.raises(ClientError, match="already has the endpoint configuration first"):
        account.sagemaker.update_endpoint(EndpointName="first", EndpointConfigName="first")
    account.sagemaker.update_endpoint(EndpointName="first", EndpointConfigName="second")
    assert ask(account, "first", b'{"x": [3]}')["sum"] in (4, 5)  # one of the two answers at any time
    in_service(account, "first")
    assert ask(account, "first", b'{"x": [3]}')["sum"] == 5
    described = account.sagemaker.describe_endpoint(EndpointName="first")
    assert described["EndpointConfigName"] == "second"
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    assert account.sagemaker.list_tags(ResourceArn=described["EndpointArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    listed = account.sagemaker.list_endpoints(NameContains="fir")["Endpoints"]
    assert [(endpoint["EndpointName"], endpoint["EndpointStatus"]) for endpoint in listed] == [("first", "InService")]

    streams = account.logs.describe_log_streams(logGroupName="/aws/sagemaker/Endpoints")["logStreams"]
    assert len(streams) == 2
    account.sagemaker.delete_endpoint(EndpointName="first")
    with pytest.raises(ClientError, match='Could not find endpoint "arn:aws:sagemaker:us-east-1:123456789012:endpoint/first"'):
        account.sagemaker.describe_endpoint(EndpointName="first")
    wait_for(lambda: not list((server.root / "endpoints").iterdir()))


def test_errors_of_the_model_and_of_the_request(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    put_model(account, "errors")
    create_endpoint(account, "errors")
    in_service(account, "errors")
    with pytest.raises(account.runtime.exceptions.ModelError) as caught:
        ask(account, "errors", b"[")
    assert (caught.value.response["OriginalStatusCode"], caught.value.response["OriginalMessage"]) == (422, "not JSON")
    with pytest.raises(ClientError, match="length less than or equal to 6291456"):
        ask(account, "errors", b"x" * 6_291_457)
    assert ask(account, "errors", b'{"x": [1], "y": "' + b"x" * 6_000_000 + b'"}')["sum"] == 1
    monkeypatch.setattr(model_server, "INVOCATION_SECONDS", 0.3)
    with pytest.raises(account.runtime.exceptions.ModelError, match="Your invocation timed out"):
        ask(account, "errors", b"slow")
    time.sleep(0.1)
    monkeypatch.undo()
    with pytest.raises(account.runtime.exceptions.ModelError, match="closed the connection"):
        ask(account, "errors", b"die")
    account.sagemaker.delete_endpoint(EndpointName="errors")


@pytest.mark.parametrize(
    ("name", "member", "reason"),
    [
        ("no-model", "other.json", "did not pass the ping health check"),
        ("moved", "", "Failed to download model data: Could not find model data at s3://"),
        ("evil", "../../outside.json", "Failed to download model data: .*outside"),
    ],
)
def test_an_endpoint_that_fails(account: Account, server: LocalSageMaker, name: str, member: str, reason: str) -> None:
    put_model(account, name, member=member or "model.json")
    if not member:
        account.s3.delete_object(Bucket=BUCKET, Key=f"models/{name}/model.tar.gz")
    create_endpoint(account, name)
    with pytest.raises(WaiterError, match="Failed"):
        in_service(account, name)
    described = account.sagemaker.describe_endpoint(EndpointName=name)
    assert re.search(reason, described["FailureReason"])
    # os.walk passes over what the server removes meanwhile
    assert "outside.json" not in {file for _, _, files in os.walk(server.root) for file in files}
    account.sagemaker.delete_endpoint(EndpointName=name)


def test_a_failed_update_leaves_the_old_model(account: Account) -> None:
    put_model(account, "good", bias=5)
    put_model(account, "broken", member="other.json")
    create_endpoint(account, "good")
    in_service(account, "good")
    account.sagemaker.update_endpoint(EndpointName="good", EndpointConfigName="broken")
    in_service(account, "good")
    assert "ping health check" in account.sagemaker.describe_endpoint(EndpointName="good")["FailureReason"]
    assert ask(account, "good", b'{"x": []}')["sum"] == 5  # and is left to the end of the server


def test_a_config_that_does_not_exist(account: Account) -> None:
    with pytest.raises(ClientError, match="Could not find endpoint configuration .*endpoint-config/nothing"):
        account.sagemaker.create_endpoint(EndpointName="x", EndpointConfigName="nothing")
