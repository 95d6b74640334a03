"""AWS's own clients, unmodified and in virtual environments of their own: training jobs, and endpoints that answer."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_conformance import environment_with
from test_endpoints import MODEL_SERVER

from local_account import BUCKET, ROLE, Account
from sagemaker_local import LocalSageMaker

pytestmark = pytest.mark.slow


def command_line(python: str, server: LocalSageMaker) -> Callable[..., Any]:
    """A function that runs `aws …` with the variables that the server prints, and returns what it shows."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_PAGER": ""}

    def run(*words: str, code: int = 0) -> Any:
        command = [python, str(Path(python).with_name("aws")), *words, "--output", "json"]
        done = subprocess.run(
            command, env={**own, **server.client_environment, **nowhere}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == code, done.stdout + done.stderr
        return (json.loads(done.stdout) if done.stdout.strip().startswith("{") else done.stdout) if not code else done.stderr

    return run


def test_the_aws_command_line(tmp_path: Path) -> None:
    python = environment_with(tmp_path / "venv", "awscli>=1.40,<2")
    serve = tmp_path / "serve.py"
    serve.write_text(MODEL_SERVER)
    with LocalSageMaker(tmp_path / "root", serve_command=["python", str(serve)]) as server:
        aws = command_line(python, server)
        train(aws, tmp_path)
        invoke(aws, tmp_path)
        refused = aws("sagemaker", "create-transform-job", "--cli-input-json", TRANSFORM, code=255)
        assert "ValidationException" in refused and "does not serve CreateTransformJob: nothing would run" in refused


def train(aws: Callable[..., Any], directory: Path) -> None:
    (directory / "rows.csv").write_text("1,2\n")
    aws("s3", "cp", str(directory / "rows.csv"), f"s3://{BUCKET}/data/rows.csv")
    code = "import os, shutil; shutil.copy('/opt/ml/input/data/train/rows.csv', '/opt/ml/model/rows.csv')"
    request = {
        "TrainingJobName": "by-hand",
        "RoleArn": ROLE,
        "AlgorithmSpecification": {
            "TrainingImage": "any",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python", "-c", code],
        },
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }
    created = aws("sagemaker", "create-training-job", "--cli-input-json", json.dumps(request))
    assert created["TrainingJobArn"].endswith("training-job/by-hand")
    aws("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", "by-hand")
    described = aws("sagemaker", "describe-training-job", "--training-job-name", "by-hand")
    assert described["TrainingJobStatus"] == "Completed", described
    aws("s3", "cp", described["ModelArtifacts"]["S3ModelArtifacts"], str(directory / "model.tar.gz"))
    with tarfile.open(directory / "model.tar.gz") as archive:
        assert archive.getnames() == ["rows.csv"]


TRANSFORM = json.dumps(
    {
        "TransformJobName": "t",
        "ModelName": "m",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data"}}},
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
)


def invoke(aws: Callable[..., Any], directory: Path) -> None:
    content, file = json.dumps({"bias": 1}).encode(), directory / "weights.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        info = tarfile.TarInfo("model.json")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    aws("s3", "cp", str(file), f"s3://{BUCKET}/models/weights.tar.gz")
    container = f"Image=any,ModelDataUrl=s3://{BUCKET}/models/weights.tar.gz"
    aws("sagemaker", "create-model", "--model-name", "m", "--execution-role-arn", ROLE, "--primary-container", container)
    variant = "VariantName=all,ModelName=m,InstanceType=ml.m5.large,InitialInstanceCount=1"
    aws("sagemaker", "create-endpoint-config", "--endpoint-config-name", "m", "--production-variants", variant)
    aws("sagemaker", "create-endpoint", "--endpoint-name", "m", "--endpoint-config-name", "m")
    aws("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", "m")
    (directory / "asked.json").write_text('{"x": [3, 4]}')
    words = ("--endpoint-name", "m", "--content-type", "application/json", "--body", f"fileb://{directory / 'asked.json'}")
    aws("sagemaker-runtime", "invoke-endpoint", *words, str(directory / "answer.json"))
    assert json.loads((directory / "answer.json").read_text())["sum"] == 8
    aws("sagemaker", "delete-endpoint", "--endpoint-name", "m")


HUGGING_FACE = f"""
import sys
from sagemaker.deserializers import JSONDeserializer
from sagemaker.huggingface import HuggingFace
from sagemaker.serializers import JSONSerializer
from sagemaker.serverless import ServerlessInferenceConfig
from sagemaker.session import Session
estimator = HuggingFace(
    entry_point="train.py",
    source_dir=sys.argv[1],
    role="{ROLE}",
    instance_type="ml.m5.large",
    instance_count=1,
    image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1",
    py_version="py310",
    hyperparameters={{"lr": 0.1}},
    sagemaker_session=Session(default_bucket="{BUCKET}"),
    output_path="s3://{BUCKET}/out",
    base_job_name="hugging-face",
)
estimator.fit({{"train": "s3://{BUCKET}/data/"}}, wait=True, logs="All")
machine = {{"initial_instance_count": 1, "instance_type": "ml.m5.large"}}
serverless = {{"serverless_inference_config": ServerlessInferenceConfig(memory_size_in_mb=2048, max_concurrency=1)}}
for name, where in {{"real-time": machine, "serverless": serverless}}.items():
    words = {{"serializer": JSONSerializer(), "deserializer": JSONDeserializer(), "endpoint_name": name}}
    predictor = estimator.deploy(**words, **where)
    print(name, predictor.predict({{"x": [3, 4]}})["sum"])
    predictor.delete_endpoint()
"""
TRAIN = """#!/usr/bin/env python3
import json, os, pathlib
pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "model", "model.json").write_text(json.dumps({"bias": 1}))
"""
"""Stands for the `train` of an AWS image, which another test runs as it is."""


def test_the_estimator_of_the_sagemaker_sdk_2(tmp_path: Path) -> None:
    python = environment_with(tmp_path / "venv", "sagemaker>=2.245,<3")
    jobs = tmp_path / "jobs"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(jobs)], check=True)
    for file, text in ((jobs / "bin/train", TRAIN), (tmp_path / "serve.py", MODEL_SERVER), (tmp_path / "src/train.py", "")):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    serve = ["python", str(tmp_path / "serve.py")]
    with (
        LocalSageMaker(tmp_path / "root", python=str(jobs / "bin/python"), serve_command=serve) as server,
        Account(server.url) as account,
    ):
        account.s3.put_object(Bucket=BUCKET, Key="data/a.csv", Body=b"1,2")
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        ran = subprocess.run(
            [python, "-c", HUGGING_FACE, str(tmp_path / "src")],
            env={**own, **server.client_environment, **nowhere},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "real-time 8" in ran.stdout and "serverless 8" in ran.stdout
        assert not [request for request in server.requests if request.status >= 400]
