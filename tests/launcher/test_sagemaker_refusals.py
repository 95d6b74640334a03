"""Errors of sweeps that cannot be submitted to SageMaker: sentences, before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

from gate import Gate  # noqa: E402
from hydra_apps import CLOSURE  # noqa: E402
from hydra_sagemaker.aws.clients import Clients, api_call  # noqa: E402
from hydra_sagemaker.errors import LauncherError  # noqa: E402
from hydra_sagemaker.settings import SageMakerLauncherConf  # noqa: E402
from sagemaker_local.account import CLIENT_KEY  # noqa: E402

if TYPE_CHECKING:
    from sagemaker_fixtures import Account, Cloud

HEAVY = ("boto3", "botocore", "moto", "sagemaker", "torch", "flask", "rich", "cloudpickle", "tarfile")
HELP = """\
import json, runpy, sys
sys.argv = ["app.py", *sys.argv[1:]]
try:
    runpy.run_path("app.py", run_name="__main__")
except SystemExit as end:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
    raise
"""


def refused(cloud: Cloud, *words: str, **options: Any) -> str:
    """Return what is printed; nothing was sent."""
    output = cloud.sweep(*words, code=1, **options)
    assert "Traceback" not in output, output
    assert cloud.account.requests == [] and cloud.names() == []
    return output


def without(directory: Path, *packages: str) -> dict[str, str]:
    """An environment in which they are not installed."""
    for package in packages:
        (directory / package).mkdir(parents=True)
        text = f"raise ModuleNotFoundError(\"No module named '{package}'\", name='{package}')\n"
        (directory / package / "__init__.py").write_text(text, encoding="utf-8")
    return {"PYTHONPATH": str(directory)}


def test_all_problems_of_all_jobs_at_once(cloud: Cloud) -> None:
    cloud.app.write(".env", "PASSWORD=1\n")
    cloud.app.write("data.bin", "0" * 30_000)
    output = refused(
        cloud,
        *("x=1,2", "hydra.launcher.s3_uri=null", "hydra.launcher.role_arn=null", "hydra.launcher.instance_type=null"),
        *("hydra.launcher.code.max_mb=0.02", "hydra.launcher.max_run_hours=1000", "+hydra.launcher.tags.password=x"),
        *("hydra.launcher.env={API_KEY: abc}", "+hydra.launcher.extra.EnableManagedSpotTrainin=true"),
        "+hydra.launcher.extra.EnableNetworkIsolation=true",
        "+hydra.launcher.secrets.TOKEN=name",
    )
    assert "nothing was submitted: 10 problems" in output
    for problem in (
        *("s3_uri is not set: s3://bucket/prefix", "role_arn is not set: the ARN of an execution role"),
        *("instance_type is not set: such as ml.g5.xlarge", "more than hydra.launcher.code.max_mb=0.02. Largest:"),
        *("data.bin", "what would be sent may hold secrets: .env (by its name). Take a secret out"),
        "list the path under hydra.launcher.code.allow_secret_names to send it knowingly",
        *("MaxRuntimeInSeconds is 3600000: at most 2419200 (28 days)", "hydra.launcher.tags.password: its name looks like"),
        *("hydra.launcher.env.API_KEY: its name looks like a secret", "did you mean EnableManagedSpotTraining?"),
        "an isolated job cannot read hydra.launcher.secrets",
    ):
        assert problem in output, problem


@pytest.mark.slow
def test_a_problem_of_one_job_names_it(cloud: Cloud) -> None:
    cloud.app.write("conf/config.yaml", "x: 0\ndo: nothing\ninstance: ml.m5.large\n")
    output = refused(cloud, "instance=ml.m5.large,m5.large", "hydra.launcher.instance_type=${instance}")
    assert "nothing was submitted: 1 problem\n  - job 1 (instance=m5.large): ResourceConfig.InstanceType 'm5.large'" in output


@pytest.mark.slow
def test_a_closure_cannot_be_imported_in_a_container(cloud: Cloud) -> None:
    cloud.app.write("app.py", CLOSURE)
    output = refused(cloud, "x=1,2")
    assert "the task is a closure or an object, which another machine cannot import" in output
    assert "make it a function at the top of a module, or use hydra.launcher.mode=local" in output


@pytest.mark.slow
def test_without_boto3(cloud: Cloud, tmp_path: Path) -> None:
    env = without(tmp_path / "without", "boto3", "botocore")
    assert "hydra.launcher.mode=sagemaker needs boto3: pip install boto3" in refused(cloud, "x=1,2", env=env)


@pytest.mark.slow
def test_without_an_image_and_without_sagemaker_core(cloud: Cloud, tmp_path: Path) -> None:
    env = without(tmp_path / "without", "sagemaker")
    output = refused(cloud, "x=1,2", "hydra.launcher.image_uri=null", env=env)
    assert "hydra.launcher.image_uri is not set, and sagemaker-core, which knows AWS's images, is not installed" in output
    assert "set image_uri, or install the extra 'images' (pip install 'sagemaker-core>=2')" in output


@pytest.mark.slow
def test_without_credentials(cloud: Cloud) -> None:
    with Gate(cloud.server.url) as gate:  # at whose port no keys of a local server are found
        env = {"AWS_ENDPOINT_URL": gate.url, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
        output = refused(cloud, "x=1,2", env=env)
    assert "credentials: who you are (GetCallerIdentity): there are no AWS credentials\n    Next: `aws configure` or" in output


@pytest.mark.slow
def test_without_a_region(cloud: Cloud) -> None:
    del cloud.env["AWS_DEFAULT_REGION"]
    assert "no AWS region\nNext: set hydra.launcher.region or AWS_DEFAULT_REGION" in refused(cloud, "x=1,2")


@pytest.mark.slow
def test_a_bucket_that_is_not_there(cloud: Cloud) -> None:
    output = cloud.sweep("x=1,2", "hydra.launcher.s3_uri=s3://no-such-bucket/prefix", code=1)
    assert "hydra.launcher.s3_uri=s3://no-such-bucket/prefix: there is no bucket no-such-bucket" in output
    assert "Next: `aws s3 mb s3://no-such-bucket --region us-east-1`, or correct hydra.launcher.s3_uri" in output
    assert "Traceback" not in output and cloud.names() == [] and cloud.count("CreateTrainingJob") == 0


def test_a_profile_that_is_not_there(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(LauncherError, match=r"the AWS configuration: The config profile \(nobody\) could not be found"):
        Clients(SageMakerLauncherConf(profile="nobody", region="eu-west-1"))


def test_an_endpoint_on_this_machine_gets_no_credentials_of_its_user(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    clients = Clients(SageMakerLauncherConf(endpoint_url=account.server.url, region="us-east-1"))
    account.requests.clear()
    clients.sagemaker.list_training_jobs()
    clients.s3.list_buckets()
    for client in (clients.sagemaker, clients.s3):
        client.close()
    signed = [request.headers["authorization"] for request in account.requests]
    assert len(signed) == 2 and all(f"Credential={CLIENT_KEY}" in text for text in signed)
    elsewhere = Clients(SageMakerLauncherConf(region="us-east-1")).sagemaker
    assert elsewhere._request_signer._credentials.access_key == "AKIAMINE"


@pytest.mark.parametrize(
    "code, step",
    [
        ("ExpiredTokenException", "sign in again (`aws sso login`), then the same command"),
        ("UnrecognizedClientException", "`aws sts get-caller-identity` shows who you are"),
        ("AccessDeniedException", "your identity lacks this permission"),
        ("PermanentRedirect", "the bucket is in another region than hydra.launcher.region"),
    ],
)
def test_what_aws_refuses_has_a_next_step(code: str, step: str) -> None:
    from botocore.exceptions import ClientError

    with pytest.raises(LauncherError, match=f"^ListTrainingJobs: {code}: why\nNext: ") as raised:
        with api_call("ListTrainingJobs"):
            raise ClientError({"Error": {"Code": code, "Message": "why"}}, "ListTrainingJobs")
    assert step in str(raised.value)


def test_help_pays_for_nothing_it_does_not_need(cloud: Cloud) -> None:
    cloud.app.write("help.py", HELP)
    finished = cloud.app.run("--help", "hydra/launcher=sagemaker", script="help.py")
    assert finished.code == 0 and "== Configuration groups ==" in finished.output, finished.output
    loaded = json.loads(finished.output.splitlines()[-1])
    assert "hydra_plugins" in loaded and not set(HEAVY) & set(loaded)


def test_a_server_on_this_machine_that_was_not_started() -> None:
    settings = SageMakerLauncherConf(endpoint_url="http://127.0.0.1:9", region="us-east-1")
    said = "nothing answers at hydra.launcher.endpoint_url=http://127.0.0.1:9 .*start the local"
    with pytest.raises(LauncherError, match=said):
        Clients(settings)
