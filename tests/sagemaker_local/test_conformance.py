"""The server is not judged by our own clients alone: AWS's unmodified packages run jobs on it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from local_account import BUCKET, Account
from sagemaker_local import LocalSageMaker, LocalSageMakerError
from sagemaker_local.isolation import check_namespaces

pytestmark = pytest.mark.slow
INSTALL_SECONDS = 1200

TRAIN = """
import argparse, importlib.metadata, json, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--model.lr", type=float)
parser.add_argument("--fail", default="no")
options = parser.parse_args()
assert options.fail == "no", "asked to fail"
data = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "a.csv").read_text()
shown = [getattr(options, "model.lr"), os.environ["SM_CURRENT_HOST"], data]
pathlib.Path(os.environ["SM_MODEL_DIR"], "shown.json").write_text(json.dumps(shown))
"""


def environment_with(directory: Path, requirement: str) -> str:
    """The interpreter of a new virtual environment."""
    subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
    python = str(directory / "bin" / "python")
    command = [python, "-m", "pip", "install", "--quiet", requirement]
    installed = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    if installed.returncode:
        pytest.skip(f"{requirement} cannot be installed here: {installed.stderr.strip().splitlines()[-1]}")
    return python


def put_source(account: Account, files: dict[str, str]) -> str:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    account.s3.put_object(Bucket=BUCKET, Key="code/sourcedir.tar.gz", Body=file.getvalue())
    return f"s3://{BUCKET}/code/sourcedir.tar.gz"


def test_the_sagemaker_training_toolkit(tmp_path: Path) -> None:
    """`train` of sagemaker-training, the entry point of AWS's framework images, downloads, installs and runs a script."""
    python = environment_with(tmp_path / "venv", "sagemaker-training==5.1.4")
    with LocalSageMaker(tmp_path / "root", python=python) as server, Account(server.url) as account:
        account.s3.put_object(Bucket=BUCKET, Key="data/a.csv", Body=b"1,2")
        source = put_source(account, {"train.py": TRAIN, "requirements.txt": "boto3\n"})
        toolkit = {"sagemaker_program": "train.py", "sagemaker_submit_directory": source, "sagemaker_region": "us-east-1"}
        hyperparameters = {**toolkit, "model.lr": 0.1}

        def run(**more: str) -> dict:
            return account.finished(
                account.create(
                    AlgorithmSpecification={"ContainerEntrypoint": ["train"]},
                    HyperParameters={name: json.dumps(value) for name, value in {**hyperparameters, **more}.items()},
                    InputDataConfig=[account.channel("train", "data/")],
                ),
                seconds=120,
            )

        described = run()
        name = described["TrainingJobName"]
        log = "\n".join(account.log(name))
        assert described["TrainingJobStatus"] == "Completed", log
        learning_rate, _, data = json.loads(account.archive(name)["shown.json"])
        assert (learning_rate, data) == (0.1, "1,2")
        assert "Invoking user script" in log and "Requirement already satisfied: boto3" in log
        failed = run(fail="yes")
        assert failed["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError:")
        assert "AssertionError: asked to fail" in "\n".join(account.log(failed["TrainingJobName"]))


MODEL_TRAINER = """
import sys
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig, SourceCode, StoppingCondition
from sagemaker.train import ModelTrainer
quiet = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
session = Session(default_bucket="sagemaker-local", sagemaker_config=quiet)  # else it asks STS at AWS's own address
trainer = ModelTrainer(
    training_image="123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1",
    role="arn:aws:iam::123456789012:role/sagemaker-local",
    base_job_name="model-trainer",
    sagemaker_session=session,
    source_code=SourceCode(source_dir=sys.argv[1], entry_script="train.py"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=1),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
    output_data_config=OutputDataConfig(s3_output_path="s3://sagemaker-local/out"),
    hyperparameters={"lr": 0.1, "fail": sys.argv[2]},
)
data = InputData(channel_name="train", data_source="s3://sagemaker-local/data/")
trainer.train(input_data_config=[data], wait=True, logs=True)
"""


def test_model_trainer_of_the_sagemaker_sdk(tmp_path: Path) -> None:
    """Its driver scripts hard-code /opt/ml, so the job needs a namespace."""
    try:
        check_namespaces(tmp_path / "check")
    except LocalSageMakerError as error:
        pytest.skip(str(error))
    python = environment_with(tmp_path / "venv", "sagemaker>=3.27,<4")
    source = tmp_path / "source"
    source.mkdir()
    (source / "train.py").write_text(TRAIN.replace("model.lr", "lr"))
    with LocalSageMaker(tmp_path / "root", isolation="namespace") as server, Account(server.url) as account:
        account.s3.put_object(Bucket=BUCKET, Key="data/a.csv", Body=b"1,2")
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **server.client_environment,
            "SAGEMAKER_VALIDATE_ROLE": "false",  # moto has no SimulatePrincipalPolicy
        }

        def train(fail: str) -> subprocess.CompletedProcess[str]:
            command = [python, "-c", MODEL_TRAINER, str(source), fail]
            return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)

        ran = train("no")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        (name,) = [summary["TrainingJobName"] for summary in account.sagemaker.list_training_jobs()["TrainingJobSummaries"]]
        assert account.describe(name)["TrainingJobStatus"] == "Completed"
        assert json.loads(account.archive(name)["shown.json"]) == [0.1, "algo-1", "1,2"]
        failed = train("yes")
        assert failed.returncode != 0 and "FailedStatusError" in failed.stdout + failed.stderr
