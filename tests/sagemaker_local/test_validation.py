from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account import BUCKET, Account, signed
from sagemaker_local import LocalSageMaker

DEFAULTS = {"TrainingImage": "image", "TrainingInputMode": "File"}


def refused(account: Account, code: str = "", name: str | None = None, **fields: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        account.create(code, name, **fields)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize(
    ("name", "fields", "messages"),
    [
        ("bad_name", {}, ["Value 'bad_name' at 'trainingJobName' failed to satisfy constraint: Member must satisfy regular "]),
        ("x" * 64, {}, ["Member must have length less than or equal to 63"]),
        (None, {"HyperParameters": {"lr": "1" * 2501}}, ["at 'hyperParameters.lr.member'", "less than or equal to 2500"]),
        (None, {"HyperParameters": {f"k{n}": "" for n in range(101)}}, ["'101 entries' at 'hyperParameters'"]),
        (
            None,
            {"Environment": {"1x": "v" * 513}},
            ["2 validation errors detected: ", "Value '1x' at 'environment.key'", "less than or equal to 512"],
        ),
        (None, {"Tags": [{"Key": "overrides", "Value": "a=[1,2]"}]}, ["Value 'a=[1,2]' at 'tags.1.member.value'"]),
        (None, {"StoppingCondition": {"MaxPendingTimeInSeconds": 9**9}}, ["at 'stoppingCondition.maxPendingTimeInSeconds'"]),
        (None, {"OutputDataConfig": {"CompressionType": "ZIP"}}, ["Member must satisfy enum value set: [GZIP, NONE]"]),
        (None, {"EnableManagedSpotTraining": True}, ["Invalid MaxWaitTimeInSeconds. It must be present"]),
        (None, {"OutputDataConfig": {"S3OutputPath": "s3://nowhere-at-all/x"}}, ["The S3 bucket nowhere-at-all"]),
        (None, {"ResourceConfig": {"InstanceCount": 0}}, ["Value '0' at 'resourceConfig.instanceCount'"]),
        (
            None,
            {"CheckpointConfig": {"S3Uri": "s3://b/k", "LocalPath": "/opt/ml/../x"}},
            ["does not serve checkpoints outside"],
        ),
        (None, {"AlgorithmSpecification": {"AlgorithmName": "own"}}, ["does not serve AlgorithmSpecification.AlgorithmName"]),
        (
            None,
            {"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "x", "Regex": "("}]}},
            ["Invalid regex of metric x"],
        ),
    ],
)
def test_requests_that_aws_refuses(account: Account, name: str | None, fields: dict[str, Any], messages: list[str]) -> None:
    code, text = refused(account, name=name, **fields)
    assert code == "ValidationException"
    assert [message for message in messages if message not in text] == []


def test_channels(account: Account) -> None:
    channel = account.channel("a", "x")
    assert "Channel names must be unique: a, a" in refused(account, InputDataConfig=[channel, channel])[1]
    manifest = account.channel("a", "x", S3DataType="ManifestFile")
    assert "does not serve data sources other than S3Prefix (channel a)" in refused(account, InputDataConfig=[manifest])[1]
    assert "does not serve the input mode Pipe" in refused(account, InputDataConfig=[channel | {"InputMode": "Pipe"}])[1]


def test_a_name_is_used_once(account: Account) -> None:
    account.run("", "once")
    with pytest.raises(account.sagemaker.exceptions.ResourceInUse, match="must be unique .*training-job/once"):
        account.create("", "once")
    account.sagemaker.delete_training_job(TrainingJobName="once")
    assert account.run("", "once")["TrainingJobStatus"] == "Completed"


def test_an_instance_type_newer_than_botocore_is_taken_with_a_warning(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "sagemaker_local"):
        account.run("", ResourceConfig={"InstanceType": "ml.p99.48xlarge"})
    assert "botocore does not know the instance type ml.p99.48xlarge; accepted" in caplog.text


def test_missing_structures_are_named_together(account: Account) -> None:
    with pytest.raises(ClientError) as caught:
        account.sagemaker.create_training_job(
            TrainingJobName="x",
            RoleArn="arn:aws:iam::123456789012:role/r",
            OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}"},
            AlgorithmSpecification=DEFAULTS,
        )
    message = caught.value.response["Error"]["Message"]
    assert "2 validation errors detected: Value null at 'stoppingCondition'" in message and "at 'resourceConfig'" in message


def raw(url: str, operation: str, body: bytes, region: str = "us-east-1", **headers: str) -> tuple[int, dict[str, str]]:
    sent = signed(url, body, {"X-Amz-Target": f"SageMaker.{operation}"}, region=region) | headers
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, sent), timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"TrainingJobName": "x", "Colour": "red"}', "Colour is no field of DescribeTrainingJobRequest"),
        (b'{"TrainingJobName": 3}', "trainingJobName must be a string, not int"),
        (b"[]", "The request must be a structure, not list"),
        (b"{", "The body is not JSON"),
    ],
)
def test_what_boto3_would_not_send(server: LocalSageMaker, body: bytes, message: str) -> None:
    status, answer = raw(server.url, "DescribeTrainingJob", body)
    assert (status, answer["__type"]) == (400, "SerializationException") and message in answer["message"]


def test_required_members(server: LocalSageMaker) -> None:
    _, answer = raw(server.url, "CreateTrainingJob", b"{}")
    assert answer["message"].startswith("3 validation errors detected: Value null at 'trainingJobName' failed")


@pytest.mark.parametrize("headers", [{"Origin": "https://example.com"}, {"Host": "example.com"}])
def test_web_pages_and_other_hosts_are_refused(server: LocalSageMaker, headers: dict[str, str]) -> None:
    status, answer = raw(server.url, "ListTrainingJobs", b"{}", **headers)
    assert status == 403 and "are refused" in answer["message"]


def test_another_region_is_refused(server: LocalSageMaker) -> None:
    _, answer = raw(server.url, "ListTrainingJobs", b"{}", region="eu-west-1")
    assert "The local SageMaker is in us-east-1, not eu-west-1: set AWS_DEFAULT_REGION" in answer["message"]
