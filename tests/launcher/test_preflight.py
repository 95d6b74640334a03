"""The checks before anything is uploaded report every problem at once, with its cause and a next step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

from hydra_sagemaker.aws.clients import Clients  # noqa: E402
from hydra_sagemaker.aws.preflight import preflight, trusts_sagemaker  # noqa: E402
from hydra_sagemaker.errors import SubmissionRefused  # noqa: E402
from hydra_sagemaker.settings import SageMakerLauncherConf  # noqa: E402
from sagemaker_local.account import BUCKET, ROLE_ARN  # noqa: E402

if TYPE_CHECKING:
    from sagemaker_fixtures import Account, Cloud

ROLES = "arn:aws:iam::123456789012:role"
HERE, ELSEWHERE = f"s3://{BUCKET}/sweeps", "s3://bucket-elsewhere/pairs"
OF_EC2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


def conf(account: Account, **changes: Any) -> SageMakerLauncherConf:
    fields: dict[str, Any] = {"s3_uri": HERE, "role_arn": ROLE_ARN, "region": "us-east-1"}
    return SageMakerLauncherConf(**{**fields, "endpoint_url": account.server.url, **changes})


@pytest.fixture
def clients(account: Account) -> Iterator[Clients]:
    clients = Clients(conf(account))
    account.requests.clear()
    yield clients
    for client in (clients.sagemaker, clients.s3, clients.sts, clients.iam):
        client.close()
    account.server.faults.replace({})


@pytest.fixture(scope="module")
def others(account: Account) -> None:
    """A bucket in another region, and roles that are not SageMaker's."""
    account.s3.create_bucket(Bucket="bucket-elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    iam = Clients(conf(account)).iam
    for name, path in (("of-ec2", "/"), ("below", "/service-role/")):
        policy = {"Version": "2012-10-17", "Statement": [OF_EC2]}
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(policy))
    iam.close()


def problems(clients: Clients, *settings: SageMakerLauncherConf) -> list[str]:
    with pytest.raises(SubmissionRefused, match="^nothing was submitted: ") as raised:
        preflight(clients, settings)
    assert all("\n    Next: " in problem for problem in raised.value.problems)
    return raised.value.problems


def operations(account: Account) -> list[str]:
    return sorted(request.operation for request in account.requests)


def test_a_few_calls_whatever_the_number_of_jobs(clients: Clients, account: Account) -> None:
    for number in range(10):
        account.s3.put_object(Bucket=BUCKET, Key=f"sweeps/many/{number:03}/pairs.csv", Body=b"x")
    account.requests.clear()
    preflight(clients, [conf(account, channels={"pairs": f"{HERE}/many/{number:03}"}) for number in range(1000)])
    assert operations(account) == ["GetCallerIdentity", "GetRole", "HeadBucket", *["ListObjectsV2"] * 10]


def test_a_channel_under_which_there_is_nothing(clients: Clients, account: Account) -> None:
    account.s3.put_object(Bucket=BUCKET, Key="sweeps/pairs-of-may/pairs.csv", Body=b"x")
    preflight(clients, [conf(account, channels={"pairs": f"{HERE}/pairs-of"})])  # S3 takes the beginnings of keys
    (channel,) = problems(clients, conf(account, channels={"pairs": f"{HERE}/pairs-of/"}))
    assert channel.startswith(f"code: hydra.launcher.channels.pairs={HERE}/pairs-of/: there is no object whose key begins so\n")
    assert f"`aws s3 ls {HERE}/pairs-of/` shows what is there" in channel
    account.server.faults.denied_operations = ["ListObjectsV2"]
    preflight(clients, [conf(account, channels={"pairs": f"{HERE}/pairs-of/"})])


def test_everything_at_once(clients: Clients, account: Account, others: None) -> None:
    wrong = {"s3_uri": "s3://no-such-bucket/x", "role_arn": f"{ROLES}/nobody"}
    jobs = [conf(account, **wrong, channels={"pairs": f"{ELSEWHERE}/{number}"}) for number in range(50)]
    role, bucket, channel = problems(clients, *jobs, conf(account, **wrong, channels={"pairs": ELSEWHERE}))
    assert role.startswith(
        f"role: hydra.launcher.role_arn={ROLES}/nobody: there is no such role\n    Next: `aws iam list-roles"
    )
    assert bucket.startswith(
        "region: hydra.launcher.s3_uri=s3://no-such-bucket/x: there is no bucket no-such-bucket\n    Next: "
    )
    assert "`aws s3 mb s3://no-such-bucket --region us-east-1`, or correct hydra.launcher.s3_uri" in bucket
    said = f"hydra.launcher.channels.pairs={ELSEWHERE}/0: the bucket bucket-elsewhere is in eu-west-1, the jobs in us-east-1"
    assert channel.startswith(f"region: {said}\n    Next: hydra.launcher.region=eu-west-1, or a bucket in us-east-1")
    assert operations(account) == ["GetCallerIdentity", "GetRole", "HeadBucket", "HeadBucket"]


def test_the_results_bucket_in_another_region(clients: Clients, account: Account, others: None) -> None:
    (bucket,) = problems(clients, conf(account, s3_uri=ELSEWHERE))
    assert "the bucket bucket-elsewhere is in eu-west-1, the jobs in us-east-1" in bucket


def test_a_channel_of_no_bucket(clients: Clients, account: Account) -> None:
    (channel,) = problems(clients, conf(account, channels={"pairs": "s3://no-such-bucket/x"}))
    assert "channels.pairs=s3://no-such-bucket/x: there is no bucket no-such-bucket" in channel


def test_expired_credentials_are_the_only_problem_then(clients: Clients, account: Account) -> None:
    account.server.faults.expired_credentials = True
    (credentials,) = problems(clients, conf(account, s3_uri="s3://no-such-bucket/x"))
    assert credentials.startswith("credentials: who you are (GetCallerIdentity): ExpiredToken: ")
    assert "sign in again (`aws sso login`), then the same command" in credentials
    assert operations(account) == ["GetCallerIdentity"]


def test_no_credentials(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    clients = Clients(conf(account, endpoint_url=None))
    (credentials,) = problems(clients, conf(account))
    assert credentials.startswith("credentials: ") and "`aws configure` or `aws sso login` stores some" in credentials
    for client in (clients.sagemaker, clients.s3, clients.sts):
        client.close()


@pytest.mark.parametrize(
    "arn, said, step",
    [
        ("arn:aws:iam::210987654321:role/x", "is of account 210987654321, not of yours, 123456789012", "`aws iam list-roles"),
        (
            f"{ROLES}/of-ec2",
            "SageMaker may not assume this role",
            "add sagemaker.amazonaws.com to the trust policy that `aws iam",
        ),
    ],
)
def test_roles_that_do_not_fit(clients: Clients, account: Account, others: None, arn: str, said: str, step: str) -> None:
    (problem,) = problems(clients, conf(account, role_arn=arn))
    assert problem.startswith(f"role: hydra.launcher.role_arn={arn}") and said in problem and f"\n    Next: {step}" in problem


def test_a_role_without_its_path(clients: Clients, account: Account, others: None) -> None:
    path, trust = problems(clients, conf(account, role_arn=f"{ROLES}/below"))
    assert f"\n    Next: hydra.launcher.role_arn={ROLES}/service-role/below" in path and "may not assume" in trust


@pytest.mark.parametrize("operation", ["GetRole", "GetCallerIdentity"])
def test_who_may_not_ask_gets_no_complaint(clients: Clients, account: Account, operation: str) -> None:
    account.server.faults.denied_operations = [operation]
    preflight(clients, [conf(account)])
    assert operation in operations(account)


def test_who_may_see_one_prefix_only_gets_no_complaint(clients: Clients, account: Account) -> None:
    account.server.faults.denied_operations = ["HeadBucket"]
    asked: list[str] = []
    clients.s3.meta.events.register(
        "provide-client-params.s3.ListObjectsV2", lambda params, **_: asked.append(params["Prefix"])
    )
    preflight(clients, [conf(account, channels={"pairs": "s3://someone-elses/x"})])
    assert asked == ["sweeps/", "x"]


@pytest.mark.parametrize("owner, whose", [(None, "is another account's"), ("210987654321", "is not of account 210987654321")])
def test_a_bucket_of_another_account(clients: Clients, account: Account, owner: str | None, whose: str) -> None:
    account.server.faults.denied_operations = ["HeadBucket", "ListObjectsV2"]
    (problem,) = problems(clients, conf(account, bucket_owner=owner))
    assert f"the bucket {BUCKET} {whose}" in problem and "you may not list it (s3:ListBucket)" in problem
    heads = [
        request.headers.get("x-amz-expected-bucket-owner") for request in account.requests if request.operation == "HeadBucket"
    ]
    assert heads == [owner]


@pytest.mark.parametrize(
    "changes, trusted",
    [
        ({}, True),
        ({"Principal": {"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]}}, True),
        ({"Action": ["sts:TagSession", "sts:AssumeRole"]}, True),
        ({"Action": "sts:*", "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}, True),
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, False),
        ({"Effect": "Deny"}, False),
        ({"Action": "sts:TagSession"}, False),
    ],
)
def test_whom_a_role_trusts(changes: dict[str, Any], trusted: bool) -> None:
    statement = {**OF_EC2, "Principal": {"Service": "sagemaker.amazonaws.com"}, **changes}
    assert trusts_sagemaker({"Statement": statement}) is trusted
    assert trusts_sagemaker({"Statement": [OF_EC2, statement]}) is trusted


@pytest.mark.slow
def test_nothing_of_a_sweep_is_sent_then(cloud: Cloud, others: None) -> None:
    fields = (
        f"hydra.launcher.role_arn={ROLES}/nobody",
        f"hydra.launcher.s3_uri={ELSEWHERE}",
        "hydra.launcher.region=us-east-1",
    )
    output = cloud.sweep("x=1,2,3", *fields, code=1)
    assert "nothing was submitted: 2 problems\n  - role: " in output and "Traceback" not in output
    cloud.fault(expired_credentials=True)
    assert "  - credentials: " in cloud.sweep("x=1,2,3", code=1)
    assert not {"PutObject", "CreateTrainingJob"} & set(operations(cloud.account))
    assert cloud.names() == [] and cloud.objects() == {}
