from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from test_lifecycle import ROOT

from local_account import BUCKET, Account
from sagemaker_local import LocalSageMaker, LocalSageMakerError
from sagemaker_local.environment import Environments

INSTALLS = (
    ROOT
    + """
import subprocess
wheels = sorted(str(wheel) for wheel in (root / "input" / "data" / "wheels").glob("*.whl"))
subprocess.run(["pip", "install", "--no-index", *wheels], check=True)
import importlib.metadata, tinything, boto3, sagemaker_local, xmltodict
print(json.dumps([tinything.__file__, xmltodict.__file__, sys.prefix, boto3.__file__, sagemaker_local.__file__]))
"""
)
PRINTS_ENVIRONMENT = """
import boto3, json, os
print(json.dumps(dict(os.environ)))
print(boto3.client("sts").get_caller_identity()["Arn"])
"""


def tiny_wheel(directory: Path, name: str, *, requires: str) -> Path:
    wheel = directory / f"{name}-99.0-py3-none-any.whl"
    info = f"{name}-99.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.0\nRequires-Dist: {requires}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return wheel


@pytest.mark.slow
def test_pip_in_a_job_sees_the_base_and_writes_to_the_job_only(
    account: Account, server: LocalSageMaker, tmp_path: Path
) -> None:
    """One package is new, the other there in an older version: moto requires it."""
    for name in ("tinything", "xmltodict"):
        wheel = tiny_wheel(tmp_path, name, requires="boto3")
        account.s3.upload_file(str(wheel), BUCKET, f"wheels/{wheel.name}")
    described = account.run(INSTALLS, InputDataConfig=[account.channel("wheels", "wheels/")])
    log = account.log(described["TrainingJobName"])
    assert described["TrainingJobStatus"] == "Completed", log
    assert any(line.startswith("Requirement already satisfied: boto3") for line in log)
    *new, boto3_file, editable = json.loads(log[-1])
    assert all(path.startswith(f"{server.root}/training-jobs/") for path in new)
    code = "import boto3, sagemaker_local, xmltodict; print(boto3.__file__, sagemaker_local.__file__, xmltodict.parse)"
    base = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert base.startswith(f"{boto3_file} {editable} <function parse")
    assert importlib.util.find_spec("tinything") is None


def test_the_hosts_secrets_do_not_reach_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "WANDB_API_KEY", "PYTHONPATH", "PIP_TARGET"):
        monkeypatch.setenv(name, "the host's")
    monkeypatch.setenv("PIP_NO_COLOR", "1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:1")
    with LocalSageMaker(tmp_path) as server, Account(server.url) as account:
        printed, identity = account.log(account.run(PRINTS_ENVIRONMENT)["TrainingJobName"])
    variables = json.loads(printed)
    assert "the host's" not in variables.values()
    assert variables["PIP_NO_COLOR"] == "1" and variables["NO_PROXY"].endswith("127.0.0.1,localhost")
    assert variables["GOMP_SPINCOUNT"] == "1000"  # else jobs that share the cores keep each other from computing
    assert variables["AWS_ENDPOINT_URL"] == server.url and ":123456789012:" in identity


def test_scripts_of_the_base_run_under_the_jobs_python(tmp_path: Path) -> None:
    base = tmp_path / "base"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(base)], check=True)
    long_path = f"{base}/bin/python3"
    (base / "bin" / "short").write_text(f"#!{base}/bin/python3\nimport sys; print(sys.prefix)\n")
    (base / "bin" / "long").write_text(
        f"#!/bin/sh\n'''exec' \"{long_path}\" \"$0\" \"$@\"\n' '''\nimport sys; print(sys.prefix)\n"
    )
    (base / "bin" / "binary").write_bytes(b"\x7fELF")
    next(base.glob("lib/python*/site-packages")).joinpath("pip.py").touch()  # what has none gets one, which takes seconds
    environments = Environments(str(base / "bin" / "python3"), tmp_path / "root")
    job = tmp_path / "job"
    path = environments.create(job)
    for name in ("short", "long"):
        ran = subprocess.run([str(job / "bin" / name)], env={"PATH": path}, capture_output=True, text=True, check=False)
        assert ran.stdout.strip() == str(job), ran.stderr
    assert not (job / "bin" / "binary").exists()


@pytest.mark.slow
def test_a_base_without_pip_gives_environments_with_pip(tmp_path: Path) -> None:
    base = tmp_path / "base"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(base)], check=True)
    path = Environments(str(base / "bin" / "python3"), tmp_path / "root").create(tmp_path / "job")
    shown = subprocess.run(["python", "-m", "pip", "--version"], env={"PATH": path}, capture_output=True, text=True, check=True)
    assert str(tmp_path / "job") in shown.stdout


def test_what_is_no_python_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalSageMakerError, match="/nowhere/python is not a Python that can run jobs"):
        Environments("/nowhere/python", tmp_path)
