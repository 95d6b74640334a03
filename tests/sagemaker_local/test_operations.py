from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from local_account import BUCKET, ROLE, Account

NAMES = [f"listed-{number}" for number in range(7)]


@pytest.fixture(scope="module")
def listed(account: Account) -> Iterator[datetime]:
    """A moment between the third and the fourth of seven jobs; the last fails."""
    middle = datetime.now(UTC)
    for number, name in enumerate(NAMES):
        if number == 3:
            time.sleep(1.1)  # botocore sends whole seconds
            middle = datetime.now(UTC)
            time.sleep(1.1)
        account.create("raise SystemExit(1)" if name == NAMES[-1] else "", name)
    for name in NAMES:
        account.finished(name)
    yield middle


def names(account: Account, **filters: object) -> list[str]:
    pages = account.sagemaker.get_paginator("list_training_jobs").paginate(NameContains="listed-", **filters)
    return [summary["TrainingJobName"] for page in pages for summary in page["TrainingJobSummaries"]]


def test_order_and_pages(account: Account, listed: datetime) -> None:
    assert names(account) == NAMES
    assert names(account, SortOrder="Descending", PaginationConfig={"PageSize": 3}) == NAMES[::-1]
    assert names(account, SortBy="Name", PaginationConfig={"PageSize": 2}) == NAMES
    assert names(account, SortBy="Status", SortOrder="Descending")[0] == NAMES[-1]
    assert len(account.sagemaker.list_training_jobs(NameContains="listed-", MaxResults=2)["TrainingJobSummaries"]) == 2
    with pytest.raises(ClientError, match="Invalid NextToken"):
        account.sagemaker.list_training_jobs(NextToken="made up")


def test_filters(account: Account, listed: datetime) -> None:
    assert names(account, StatusEquals="Failed") == NAMES[-1:]
    assert names(account, CreationTimeBefore=listed) == NAMES[:3]
    assert names(account, CreationTimeAfter=listed) == NAMES[3:]
    assert names(account, LastModifiedTimeAfter=listed) == NAMES[3:]
    assert names(account, LastModifiedTimeBefore=listed) == NAMES[:3]
    summary = account.sagemaker.list_training_jobs(NameContains=NAMES[0])["TrainingJobSummaries"][0]
    assert (summary["TrainingJobStatus"], summary["SecondaryStatus"]) == ("Completed", "Completed")
    assert summary["TrainingEndTime"] <= listed


def test_stop_and_delete_want_the_right_status(account: Account) -> None:
    name = account.create("import time; time.sleep(30)")
    with pytest.raises(account.sagemaker.exceptions.ResourceInUse):
        account.sagemaker.delete_training_job(TrainingJobName=name)
    account.sagemaker.stop_training_job(TrainingJobName=name)
    account.finished(name)
    with pytest.raises(ClientError, match="because the training job is in status Stopped"):
        account.sagemaker.stop_training_job(TrainingJobName=name)
    account.sagemaker.delete_training_job(TrainingJobName=name)
    with pytest.raises(account.sagemaker.exceptions.ResourceNotFound):
        account.sagemaker.delete_training_job(TrainingJobName=name)
    with pytest.raises(ClientError, match="Requested resource not found"):
        account.describe(name)


def test_tags_of_jobs_here_and_of_models_in_moto(account: Account) -> None:
    sagemaker = account.sagemaker
    job = account.run("", Tags=[{"Key": "sweep", "Value": "1"}, {"Key": "team", "Value": "Zoë"}])["TrainingJobArn"]
    sagemaker.add_tags(ResourceArn=job, Tags=[{"Key": "sweep", "Value": "2"}])
    sagemaker.delete_tags(ResourceArn=job, TagKeys=["team"])
    assert sagemaker.list_tags(ResourceArn=job)["Tags"] == [{"Key": "sweep", "Value": "2"}]
    with pytest.raises(ClientError, match="Could not find the resource"):
        sagemaker.list_tags(ResourceArn=f"{job}-other")
    model = sagemaker.create_model(ModelName="tagged", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "x"})["ModelArn"]
    sagemaker.add_tags(ResourceArn=model, Tags=[{"Key": "a", "Value": "b"}])
    assert sagemaker.list_tags(ResourceArn=model)["Tags"] == [{"Key": "a", "Value": "b"}]


def test_requests_are_recorded_with_their_bytes_and_callers(account: Account) -> None:
    before = len(account.requests())
    code = "import boto3; boto3.client('s3').put_object(Bucket='sagemaker-local', Key='from-job', Body=b'12345')"
    account.s3.put_object(Bucket=BUCKET, Key="recorded", Body=b"0123456789")
    account.read("recorded")
    account.finished(account.create(code))
    account.clients["sts"].get_caller_identity()
    records = account.requests()[before:]
    found = {(record["service"], record["operation"], record["caller"]): record for record in records}
    assert found["s3", "PutObject", "job"]["path"] == f"/{BUCKET}/from-job"
    assert found["s3", "GetObject", "client"]["bytes_out"] == 10
    put = next(record for record in records if record["path"].endswith("/recorded") and record["operation"] == "PutObject")
    assert put["bytes_in"] >= 10 and put["status"] == 200
    assert found["sagemaker", "CreateTrainingJob", "client"]["bytes_in"] > 200
    assert found["sts", "GetCallerIdentity", "client"]["seconds"] >= 0
    assert {record["caller"] for record in records} == {"client", "job"}


def test_the_rest_is_moto(account: Account) -> None:
    secrets = account.clients["secretsmanager"]
    secrets.create_secret(Name="wandb", SecretString="key")
    assert secrets.get_secret_value(SecretId="wandb")["SecretString"] == "key"
    assert account.clients["iam"].get_role(RoleName="sagemaker-local")["Role"]["Arn"] == ROLE
    account.s3.put_object(Bucket=BUCKET, Key="conditional", Body=b"", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        account.s3.put_object(Bucket=BUCKET, Key="conditional", Body=b"", IfNoneMatch="*")


def test_large_objects_go_in_parts(account: Account) -> None:
    code = "import boto3, io; boto3.client('s3').upload_fileobj(io.BytesIO(bytes(12_800_000)), 'sagemaker-local', 'large')"
    account.run(code)
    operations = [record["operation"] for record in account.requests() if record["path"].endswith("/large")]
    assert sorted(set(operations)) == ["CompleteMultipartUpload", "CreateMultipartUpload", "UploadPart"]
    assert account.s3.head_object(Bucket=BUCKET, Key="large")["ContentLength"] == 12_800_000
