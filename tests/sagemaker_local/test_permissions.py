"""Roles, buckets and calls that a job or a client may not use."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account import BUCKET, Account
from sagemaker_local import LocalSageMaker


def test_a_permission_that_is_lacking(account: Account, server: LocalSageMaker) -> None:
    server.faults.denied_operations = ["ListTrainingJobs", "GetRole", "PutObject", "HeadBucket"]
    for call, code in (
        (account.sagemaker.list_training_jobs, "AccessDeniedException"),
        (lambda: account.clients["iam"].get_role(RoleName="sagemaker-local"), "AccessDenied"),
        (lambda: account.s3.put_object(Bucket=BUCKET, Key="mine", Body=b""), "AccessDenied"),
        (lambda: account.s3.head_bucket(Bucket=BUCKET), "403"),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == code
    account.clients["sts"].get_caller_identity()
    assert account.run("")["TrainingJobStatus"] == "Completed"  # the server itself may still look at role and bucket


NO_ROLE = "Could not assume role {}. Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com'"


def test_roles_that_cannot_be_assumed(account: Account) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    name = f"of-ec2-{uuid.uuid4().hex[:8]}"  # moto has one account for all servers of a process
    of_ec2 = account.clients["iam"].create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    for role in (of_ec2, "arn:aws:iam::123456789012:role/nobody", "arn:aws:iam::210987654321:role/sagemaker-local"):
        with pytest.raises(ClientError, match=NO_ROLE.format(role)) as caught:
            account.create("", RoleArn=role)
        assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_buckets_in_another_region(account: Account) -> None:
    account.s3.create_bucket(Bucket="in-ireland", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    channel = account.channel("data", "")
    channel["DataSource"]["S3DataSource"]["S3Uri"] = "s3://in-ireland/pairs"
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"OutputDataConfig": {"S3OutputPath": "s3://in-ireland/out"}}, "OutputDataConfig.S3OutputPath"),
        ({"CheckpointConfig": {"S3Uri": "s3://in-ireland/kept"}}, "CheckpointConfig.S3Uri"),
        ({"InputDataConfig": [channel]}, "channel data"),
    )
    for fields, named in refused:
        with pytest.raises(ClientError, match=rf"in-ireland of {named} \(.*the bucket is in this region: eu-west-1"):
            account.create("", **fields)
    with pytest.raises(ClientError, match="The S3 bucket no-such-bucket of CheckpointConfig.S3Uri does not exist"):
        account.create("", CheckpointConfig={"S3Uri": "s3://no-such-bucket/kept"})
