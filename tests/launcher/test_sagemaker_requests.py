"""Each launcher field has its place in CreateTrainingJob, and the service accepts the request."""

from __future__ import annotations

import dataclasses
import json
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from omegaconf import OmegaConf

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

from botocore.validate import validate_parameters  # noqa: E402

from hydra_sagemaker.aws.request import findings_of, training_job_request  # noqa: E402
from hydra_sagemaker.aws.request_limits import request_shape  # noqa: E402
from hydra_sagemaker.aws.request_problems import request_problems  # noqa: E402
from hydra_sagemaker.job.job import Job  # noqa: E402
from hydra_sagemaker.settings import FIELDS, PER_JOB, SageMakerLauncherConf  # noqa: E402

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

NAME, BUNDLE = "sweep-0123456789abcdef-0", "b" * 64
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image:1"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"
SET = {
    "s3_uri": "s3://bucket/prefix/", "role_arn": "arn:aws:iam::123456789012:role/jobs", "image_uri": IMAGE,
    "instance_type": "ml.g5.xlarge",
}  # fmt: skip


def channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


CODE = channel("code", f"s3://bucket/prefix/code/{BUNDLE}/")
SPEC = channel("job", f"s3://bucket/prefix/jobs/{NAME}/")
KEPT = {"S3Uri": "s3://bucket/prefix/checkpoints/0123456789abcdef/0/", "LocalPath": "/opt/ml/checkpoints"}
OWN_TAGS = [{"Key": "hydra-launcher:sweep", "Value": "sweep"}, {"Key": "hydra-launcher:job", "Value": "3"}]
IN_REQUEST: dict[str, list[tuple[Any, str, Any]]] = {
    "s3_uri": [
        ("s3://other/place", "OutputDataConfig.S3OutputPath", "s3://other/place/output"),
        ("s3://other", "InputDataConfig.0", channel("code", f"s3://other/code/{BUNDLE}/")),
        ("s3://other/", "InputDataConfig.1", channel("job", f"s3://other/jobs/{NAME}/")),
    ],
    "role_arn": [("arn:aws:iam::123456789012:role/x", "RoleArn", "arn:aws:iam::123456789012:role/x")],
    "image_uri": [(IMAGE, "AlgorithmSpecification.TrainingImage", IMAGE)],
    "python": [("/opt/conda/bin/python", "AlgorithmSpecification.ContainerEntrypoint", "exec /opt/conda/bin/python code/")],
    "instance_type": [("ml.p4d.24xlarge", "ResourceConfig.InstanceType", "ml.p4d.24xlarge")],
    "instance_count": [(2, "ResourceConfig.InstanceCount", 2)],
    "volume_gb": [(200, "ResourceConfig.VolumeSizeInGB", 200)],
    "max_run_hours": [(1.5, "StoppingCondition.MaxRuntimeInSeconds", 5400)],
    "keep_warm_minutes": [
        (10, "ResourceConfig.KeepAlivePeriodInSeconds", 600),
        (0.01, "ResourceConfig.KeepAlivePeriodInSeconds", 1),
    ],
    "spot": [(True, "EnableManagedSpotTraining", True), (True, "StoppingCondition.MaxWaitTimeInSeconds", 172_800)],
    "checkpoints": [(True, "CheckpointConfig", KEPT)],
    "channels": [({"data": "s3://data/train"}, "InputDataConfig", [CODE, SPEC, channel("data", "s3://data/train")])],
    "env": [({"LOGLEVEL": "info"}, "Environment", {"LOGLEVEL": "info"})],
    "tags": [({"team": "nlp"}, "Tags", [*OWN_TAGS, {"Key": "team", "Value": "nlp"}])],
    "output_kms_key": [(KEY, "OutputDataConfig.KmsKeyId", KEY)],
    "extra": [
        ({"ResourceConfig": {"KeepAlivePeriodInSeconds": 600}}, "ResourceConfig.KeepAlivePeriodInSeconds", 600),
        ({"ResourceConfig": {"KeepAlivePeriodInSeconds": 600}}, "ResourceConfig.InstanceType", "ml.g5.xlarge"),
        ({"EnableManagedSpotTraining": True}, "EnableManagedSpotTraining", True),
        ({"StoppingCondition": {"MaxWaitTimeInSeconds": 90000}}, "StoppingCondition.MaxRuntimeInSeconds", 86400),
        ({"RetryStrategy": {"MaximumRetryAttempts": 3}}, "RetryStrategy.MaximumRetryAttempts", 3),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "Tags", [{"Key": "a", "Value": "b"}]),
        ({"HyperParameters": {"lr": "1e-5"}}, "HyperParameters", {"lr": "1e-5"}),
        ({"EnableNetworkIsolation": True}, "EnableNetworkIsolation", True),
        ({"EnableInterContainerTrafficEncryption": True}, "EnableInterContainerTrafficEncryption", True),
        ({"ResourceConfig": {"VolumeKmsKeyId": KEY}}, "ResourceConfig.VolumeKmsKeyId", KEY),
        ({"VpcConfig": {"Subnets": ["subnet-1"]}}, "VpcConfig.Subnets", ["subnet-1"]),
    ],
}
NOT_IN_REQUEST = {
    *(
        "mode",
        "sweep_name",
        "on_existing",
        "max_parallel",
        "jobs_per_machine",
        "max_failures",
        "poll_seconds",
        "state_dir",
        "check",
        "wait",
        "on_interrupt",
        "retries",
        "retry_seconds",
        "submits_per_second",
    ),  # how the launcher goes about it
    *("key_exclude", "key_files"),  # in the job's name, as part of its key
    *("code", "requirements", "versions"),  # in the archive of the code
    *("inputs", "inputs_max_mb"),  # its channels are those of a job's local data
    *("secrets", "model_files", "processes_per_instance"),  # in the job's specification
    *("download_models", "collected"),  # afterwards
    *("price_per_hour", "max_cost_usd"),  # printed before and after
    "max_wait_hours",  # with spot only
    *("region", "profile", "endpoint_url", "bucket_owner"),  # of the clients
    "image",  # by way of image_uri
}
CASES = [(field, *case) for field, cases in IN_REQUEST.items() for case in cases]


def job(**settings: Any) -> Job:
    config = dataclasses.replace(SageMakerLauncherConf(), **{**SET, **settings})
    return Job(3, ("x=1",), OmegaConf.create({}), config, Path("sweep/3"), key="0123456789abcdef", slug="sweep")


def request(**settings: Any) -> dict[str, Any]:
    made = job(**settings)
    return training_job_request(made, NAME, bundle=BUNDLE, image=made.settings.image_uri or "")


def at(request: dict[str, Any], path: str) -> Any:
    return reduce(lambda node, part: node[int(part) if part.isdigit() else part], path.split("."), request)  # type: ignore[index]


def test_every_field_is_in_the_request_or_known_not_to_be() -> None:
    assert IN_REQUEST.keys() | NOT_IN_REQUEST == set(FIELDS) and not IN_REQUEST.keys() & NOT_IN_REQUEST
    assert PER_JOB <= set(FIELDS)


@pytest.mark.parametrize("field, value, path, expected", CASES, ids=[f"{case[0]}-{case[2]}" for case in CASES])
def test_each_field_lands_where_it_belongs(field: str, value: Any, path: str, expected: Any) -> None:
    made = request(**{field: value})
    found = at(made, path)
    assert (expected in found[2]) if field == "python" else found == expected


def test_what_is_not_set_is_not_sent() -> None:
    made = request()
    assert not {"Environment", "HyperParameters", "VpcConfig"} & made.keys() and made["TrainingJobName"] == NAME
    assert "KmsKeyId" not in made["OutputDataConfig"] and "VolumeKmsKeyId" not in made["ResourceConfig"]
    assert made["InputDataConfig"] == [CODE, SPEC] and made["Tags"] == OWN_TAGS


def test_spot_waits_as_long_as_it_may_and_keeps_checkpoints_unless_told_not_to() -> None:
    made = request(spot=True, max_run_hours=2, max_wait_hours=3)
    assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 10_800}
    assert made["CheckpointConfig"] == KEPT
    assert "CheckpointConfig" not in request(spot=True, checkpoints=False)
    (problem,) = findings_of(job(spot=True, max_wait_hours=1)).problems
    assert problem == "StoppingCondition.MaxWaitTimeInSeconds is 3600: at least MaxRuntimeInSeconds (86400), which it includes"


def test_a_request_of_all_fields_is_valid() -> None:
    settings = {field: cases[0][0] for field, cases in IN_REQUEST.items()}
    made = request(**settings | {"spot": False})  # spot machines cannot be kept warm
    assert request_problems(made).problems == []
    validate_parameters(made, request_shape())


def test_spot_training_by_the_extra_fields() -> None:
    spot = {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxWaitTimeInSeconds": 90_000}}
    checkpoints = {"CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"}}
    assert findings_of(job(extra=spot | checkpoints)).problems == []
    assert request(extra=spot)["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400, "MaxWaitTimeInSeconds": 90_000}
    (problem,) = findings_of(job(extra={"EnableManagedSpotTraining": True})).problems
    assert problem == "StoppingCondition.MaxWaitTimeInSeconds is missing: spot needs at least MaxRuntimeInSeconds (86400)"


@pytest.mark.parametrize(
    "settings, problem",
    [
        (
            {"extra": {"EnableManagedSpotTrainin": True}},
            "EnableManagedSpotTrainin is no field of CreateTrainingJob: did you mean EnableManagedSpotTraining?",
        ),
        (
            {"extra": {"ResourceConfig": {"VolumeSizeInGb": 1}}},
            "ResourceConfig.VolumeSizeInGb is no field of CreateTrainingJob: did you mean",
        ),
        ({"extra": {"OutputDataConfig": {"CompressionType": "NONE"}}}, "results are downloaded as one output.tar.gz"),
        ({"channels": {"code": "s3://a-bucket/x"}}, "hydra.launcher.channels.code: the launcher itself uses this name"),
        ({"channels": {"job": "s3://a-bucket/x"}}, "hydra.launcher.channels.job: the launcher itself uses this name"),
        ({"python": "p" * 200}, "ContainerEntrypoint[2] is "),
        ({"instance_type": "g5.xlarge"}, "ResourceConfig.InstanceType 'g5.xlarge' is not known: did you mean ml.g5.xlarge?"),
        ({"env": {"A B": "x"}}, "the name 'A B' in Environment"),
        ({"extra": {"VpcConfig": {"Subnets": ["subnet-1"]}}}, "VpcConfig.SecurityGroupIds is missing"),
    ],
)
def test_what_the_service_would_refuse_is_known_before(settings: dict[str, Any], problem: str) -> None:
    assert [found for found in findings_of(job(**settings)).problems if problem in found]


def test_a_dry_run_writes_what_would_be_sent(cloud: Cloud) -> None:
    env = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    output = cloud.sweep("x=1,2", "hydra.launcher.mode=dry_run", "hydra.launcher.max_run_hours=2", env=env)
    directory = cloud.app.sweep_dir / ".launcher/requests"
    assert f"2 requests in {directory}; nothing was uploaded or submitted" in output
    assert cloud.account.requests == [] and cloud.names() == [] and cloud.app.marks() == []
    for number in range(2):
        sent = json.loads((directory / f"{number}.request.json").read_text(encoding="utf-8"))
        spec = json.loads((directory / f"{number}.spec.json").read_text(encoding="utf-8"))
        validate_parameters(sent, request_shape())
        assert sent["TrainingJobName"] == spec["name"] and sent["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200}
        assert spec["task_overrides"] == [f"x={number + 1}"] and spec["number"] == number


@pytest.mark.slow
def test_what_a_dry_run_writes_is_what_is_sent(cloud: Cloud) -> None:
    cloud.sweep("x=1,2", "hydra.launcher.mode=dry_run")
    directory = cloud.app.sweep_dir / ".launcher/requests"
    written = [json.loads((directory / f"{number}.request.json").read_text(encoding="utf-8")) for number in range(2)]
    cloud.sweep("x=1,2")
    assert cloud.created() == written


@pytest.mark.slow
def test_every_s3_call_names_the_bucket_owner_and_every_object_is_encrypted(cloud: Cloud) -> None:
    cloud.app.write(
        "app.py", cloud.app.root.joinpath("app.py").read_text(encoding="utf-8").replace("    return", SAVE + "    return")
    )
    key = "arn:aws:kms:us-east-1:123456789012:key/1234"
    owned = ("hydra.launcher.bucket_owner='123456789012'", "hydra.launcher.download_models=true")
    cloud.sweep("x=1", *owned, f"hydra.launcher.output_kms_key={key}")
    calls = [one for one in cloud.account.requests if (one.service, one.caller) == ("s3", "client")]
    assert {one.operation for one in calls} == {"HeadBucket", "HeadObject", "PutObject", "GetObject"}
    assert [one for one in calls if one.headers.get("x-amz-expected-bucket-owner") != "123456789012"] == []
    puts = cloud.sent("PutObject")
    assert len(puts) == 2 and {one.headers["x-amz-server-side-encryption-aws-kms-key-id"] for one in puts} == {key}
    assert {one.headers["x-amz-server-side-encryption"] for one in puts} == {"aws:kms"}
    assert (cloud.output(0) / "model.pt").is_file()


SAVE = (
    "    from hydra.core.hydra_config import HydraConfig\n    Path(HydraConfig.get().runtime.output_dir, 'model.pt').touch()\n"
)
