"""Bucket, role and policies of an account: the script and the installed commands against the local SageMaker, as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')

from hydra_sagemaker.aws.local_credentials import keys_of  # noqa: E402
from sagemaker_local import LocalSageMaker  # noqa: E402

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bootstrap_aws.py"
ACCOUNT, REGION = "123456789012", "eu-west-1"
ROLE = "paraphrase-lab-sagemaker"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:paraphrase/wandb-AbCdEf"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
WITHOUT_RESOURCES = {
    "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken", "sagemaker:ListTrainingJobs", "ec2:DescribeDhcpOptions",
    "pricing:GetProducts",
    "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
}  # fmt: skip
"""Actions that AWS grants on everything or not at all."""


class Answer(NamedTuple):
    code: int
    documents: dict[str, Any]
    last_lines: list[str]
    message: str


class Aws(NamedTuple):
    environment: dict[str, str]
    s3: Any
    iam: Any

    def bootstrap(self, bucket: str, *words: str, without: tuple[str, ...] = ()) -> Answer:
        environment = {name: value for name, value in self.environment.items() if name not in without}
        command = [sys.executable, str(SCRIPT), bucket, *words]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        documents, end = json.JSONDecoder().raw_decode(done.stdout) if done.stdout else ({}, 0)
        return Answer(done.returncode, documents, done.stdout[end:].split("\n")[1:-1], done.stderr)

    def role(self, name: str = ROLE) -> dict[str, Any]:
        return self.iam.get_role(RoleName=name)["Role"]

    def inline(self) -> dict[str, Any]:
        (name,) = self.iam.list_role_policies(RoleName=ROLE)["PolicyNames"]
        return self.iam.get_role_policy(RoleName=ROLE, PolicyName=name)["PolicyDocument"]

    def bucket_policy(self, bucket: str) -> list[dict[str, Any]]:
        return json.loads(self.s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    import boto3

    with LocalSageMaker(tmp_path_factory.mktemp("sagemaker")) as server:
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        credentials = server.client_environment | {"AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}
        session = boto3.Session(**keys_of(server.url), region_name=REGION)
        s3, iam = (session.client(name, endpoint_url=server.url) for name in ("s3", "iam"))
        yield Aws(own | credentials | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}, s3, iam)
        s3.close()
        iam.close()


def statements(documents: dict[str, Any]) -> list[dict[str, Any]]:
    role = documents["execution_role"]
    policies = [role["trust_policy"], role["policy"], documents["bucket"]["policy"], documents["submitting_user"]["policy"]]
    return [statement for policy in policies for statement in policy["Statement"]]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def named(policy: dict[str, Any], sid: str) -> dict[str, Any]:
    (statement,) = [statement for statement in policy["Statement"] if statement["Sid"] == sid]
    return statement


@pytest.fixture(scope="module")
def printed(aws: Aws) -> dict[str, Any]:
    """Return what the script prints with every option that allows something."""
    return aws.bootstrap("printed", "--secret", SECRET, "--kms-key", KEY, "--private-network").documents


def test_nothing_is_created_without_apply(aws: Aws) -> None:
    answer = aws.bootstrap("only-printed", "--role-name", "only-printed")
    assert answer.code == 0 and answer.last_lines == []
    assert "nothing was created" in answer.message and "--apply" in answer.message
    assert "only-printed" not in [bucket["Name"] for bucket in aws.s3.list_buckets()["Buckets"]]
    assert "only-printed" not in [role["RoleName"] for role in aws.iam.list_roles()["Roles"]]


def test_no_more_than_needed(printed: dict[str, Any]) -> None:
    for statement in statements(printed):
        if statement["Effect"] == "Allow":
            actions = set(listed(statement["Action"]))
            assert not [action for action in actions if "*" in action]
            if "*" in listed(statement.get("Resource", [])):
                assert actions <= WITHOUT_RESOURCES
            else:
                assert not actions & WITHOUT_RESOURCES
    denied = [statement for statement in statements(printed) if statement["Effect"] == "Deny"]
    assert [statement["Condition"] for statement in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_what_the_role_may_touch(printed: dict[str, Any]) -> None:
    role = printed["execution_role"]
    assert role["trust_policy"]["Statement"][0]["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert role["trust_policy"]["Statement"][0]["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert named(role["policy"], "Objects")["Resource"] == "arn:aws:s3:::printed/paraphrase/*"
    assert named(role["policy"], "Checkpoints") == {
        "Sid": "Checkpoints", "Effect": "Allow", "Action": ["s3:DeleteObject"],
        "Resource": "arn:aws:s3:::printed/paraphrase/checkpoints/*",
    }  # fmt: skip
    assert named(role["policy"], "ListObjects")["Condition"]["StringLike"]["s3:prefix"] == ["paraphrase", "paraphrase/*"]
    assert all(":log-group:/aws/sagemaker/TrainingJobs" in resource for resource in named(role["policy"], "Logs")["Resource"])
    assert named(role["policy"], "Secrets")["Resource"] == [SECRET]
    assert named(role["policy"], "Key")["Resource"] == KEY


def test_what_the_submitting_user_may_do(printed: dict[str, Any]) -> None:
    policy = printed["submitting_user"]["policy"]
    jobs = named(policy, "Jobs")
    assert jobs["Action"] == [
        f"sagemaker:{name}"
        for name in ("AddTags", "CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob", "UpdateTrainingJob")
    ]
    assert jobs["Resource"] == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/*"
    assert named(policy, "PassRole")["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
    assert named(policy, "PassRole")["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    assert named(policy, "SeeRole")["Action"] == ["iam:GetRole"]
    assert named(policy, "SeeRole")["Resource"] == named(policy, "PassRole")["Resource"]
    assert named(policy, "Objects")["Action"] == ["s3:GetObject", "s3:PutObject"], "nothing is deleted from here"
    logs = named(policy, "ReadLogs")
    assert logs["Action"] == ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"]
    assert all(":log-group:/aws/sagemaker/TrainingJobs" in resource for resource in logs["Resource"])
    assert "secretsmanager" not in json.dumps(policy)


def test_what_the_launcher_keeps_is_where_the_role_may_delete(printed: dict[str, Any]) -> None:
    from hydra_sagemaker.aws.request import checkpoints_uri

    uri = checkpoints_uri("s3://printed/paraphrase", "0123456789abcdef", 0)
    allowed = named(printed["execution_role"]["policy"], "Checkpoints")["Resource"]
    assert uri.replace("s3://", "arn:aws:s3:::").startswith(allowed.rstrip("*"))


def test_secrets_keys_and_networks_are_allowed_when_they_are_named(aws: Aws) -> None:
    text = json.dumps(aws.bootstrap("plain").documents)
    assert not [word for word in ("secretsmanager", "kms:", "ec2:") if word in text]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_apply_creates_and_may_be_repeated(aws: Aws, region: str) -> None:
    bucket = f"sweeps-{region}"
    first, second = (aws.bootstrap(bucket, "--region", region, "--apply") for _ in range(2))
    assert (first.code, second.code) == (0, 0), first.message + second.message
    assert (
        f"bucket {bucket} in {region}: created" in first.message and f"bucket {bucket} in {region}: updated" in second.message
    )
    assert first.last_lines == second.last_lines == [
        f"export PARAPHRASE_S3_URI=s3://{bucket}/paraphrase",
        f"export PARAPHRASE_ROLE_ARN=arn:aws:iam::{ACCOUNT}:role/{ROLE}",
    ]  # fmt: skip
    assert (aws.s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] or "us-east-1") == region
    assert set(aws.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = aws.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert aws.bucket_policy(bucket) == second.documents["bucket"]["policy"]["Statement"]
    assert aws.role()["AssumeRolePolicyDocument"] == second.documents["execution_role"]["trust_policy"]
    assert aws.inline() == second.documents["execution_role"]["policy"]


def test_a_later_run_changes_role_and_bucket(aws: Aws) -> None:
    aws.bootstrap("changed", "--apply")
    assert "Secrets" not in [statement["Sid"] for statement in aws.inline()["Statement"]]
    aws.bootstrap("changed", "--apply", "--secret", SECRET, "--kms-key", KEY)
    assert named(aws.inline(), "Secrets")["Resource"] == [SECRET]
    (rule,) = aws.s3.get_bucket_encryption(Bucket="changed")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == KEY


def test_what_others_wrote_into_the_bucket_policy_stays(aws: Aws) -> None:
    aws.bootstrap("shared", "--apply")
    own = {"Sid": "Own", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": "arn:aws:s3:::shared"}
    aws.s3.put_bucket_policy(Bucket="shared", Policy=json.dumps({"Version": "2012-10-17", "Statement": [own]}))
    assert aws.bootstrap("shared", "--apply").code == 0
    assert [statement["Sid"] for statement in aws.bucket_policy("shared")] == ["Own", "TlsOnly"]


def test_a_role_of_another_service_is_left_alone(aws: Aws) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    aws.iam.create_role(RoleName="lambdas", AssumeRolePolicyDocument=json.dumps(document))
    answer = aws.bootstrap("for-lambdas", "--role-name", "lambdas", "--apply")
    assert answer.code == 2 and "lambdas exists and is not one of SageMaker: choose another --role-name" in answer.message
    assert aws.role("lambdas")["AssumeRolePolicyDocument"] == document


REFUSALS = [
    (("--prefix", "/a//b"), "--prefix /a//b is not valid: give letters, digits and ._-/"),
    (("--prefix", "*"), "--prefix * is not valid: give letters, digits"),
    (("--role-name", "a role"), "--role-name a role is not valid: give at most 64 letters"),
    (("--secret", "wandb"), "--secret wandb is not valid: give the ARN of a secret"),
    (("--secret", f"{SECRET[:-6]}*"), "the ARN of a secret"),
    (("--kms-key", "alias/mine"), "an alias has no meaning in a policy"),
]


@pytest.mark.parametrize(("words", "sentence"), REFUSALS, ids=[" ".join(words) for words, _ in REFUSALS])
def test_refusals(aws: Aws, words: tuple[str, ...], sentence: str) -> None:
    answer = aws.bootstrap("refused", *words, "--apply")
    assert answer.code == 2 and sentence in answer.message
    assert answer.message.startswith("bootstrap_aws.py: ") and "Traceback" not in answer.message


def test_a_bucket_of_another_region(aws: Aws) -> None:
    assert aws.bootstrap("elsewhere", "--region", "eu-central-1", "--apply").code == 0
    answer = aws.bootstrap("elsewhere", "--apply")
    assert (
        answer.code == 2
        and "bucket elsewhere is in eu-central-1" in answer.message
        and "--region eu-central-1" in answer.message
    )


def test_a_name_that_no_bucket_has(aws: Aws) -> None:
    answer = aws.bootstrap("no such name", "--apply")
    assert answer.code == 2 and "no such name" in answer.message and "Traceback" not in answer.message


KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def test_without_credentials_or_region_the_documents_are_printed(aws: Aws) -> None:
    nobody = aws.bootstrap("nobody", without=KEYS)
    assert nobody.code == 0 and "ACCOUNT stand for what is not known without AWS credentials" in nobody.message
    assert nobody.documents["execution_role"]["arn"] == f"arn:aws:iam::ACCOUNT:role/{ROLE}"
    nowhere = aws.bootstrap("nowhere", without=("AWS_DEFAULT_REGION", *KEYS))
    assert nowhere.code == 0 and "ACCOUNT and REGION stand for" in nowhere.message
    jobs = named(nowhere.documents["submitting_user"]["policy"], "Jobs")
    assert jobs["Resource"] == "arn:aws:sagemaker:REGION:ACCOUNT:training-job/*"
    profile = Aws(aws.environment | {"AWS_PROFILE": "nosuch"}, aws.s3, aws.iam).bootstrap("profile")
    assert profile.code == 0 and profile.documents["bucket"]["name"] == "profile"


def test_apply_needs_credentials_and_a_region(aws: Aws) -> None:
    nobody = aws.bootstrap("nobody", "--apply", without=KEYS)
    assert nobody.code == 2 and "credentials; `aws sts get-caller-identity` shows" in nobody.message
    nowhere = aws.bootstrap("nowhere", "--apply", without=("AWS_DEFAULT_REGION",))
    assert nowhere.code == 2 and "no AWS region is set: add --region eu-west-1, or set AWS_DEFAULT_REGION" in nowhere.message
    profile = Aws(aws.environment | {"AWS_PROFILE": "nosuch"}, aws.s3, aws.iam).bootstrap("profile", "--apply")
    assert profile.code == 2 and "The config profile (nosuch) could not be found" in profile.message


@pytest.mark.parametrize(
    "command, line",
    [
        (("paraphrase_lab", "jobs"), "export PARAPHRASE_S3_URI=s3://by-{}/paraphrase"),
        (("hydra_sagemaker",), "hydra.launcher.s3_uri=s3://by-{}/sweeps"),
    ],
)
def test_it_comes_with_the_installed_commands(aws: Aws, command: tuple[str, ...], line: str) -> None:
    bucket = f"by-{len(command)}"
    words = [sys.executable, "-m", *command, "bootstrap", bucket, "--apply"]
    done = subprocess.run(words, capture_output=True, text=True, env=aws.environment)
    assert done.returncode == 0, done.stderr
    assert line.format(len(command)) in done.stdout.splitlines()
    assert "arn:aws:iam" in done.stdout.splitlines()[-1]
