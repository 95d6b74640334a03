"""Policies of an AWS account that runs sweeps, as plain documents, made without a call to AWS.

Permissions: https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
SAGEMAKER = "sagemaker.amazonaws.com"
TLS_ONLY = "TlsOnly"
AWS_IMAGES = ("pytorch-training", "huggingface-pytorch-training")
"""Repositories of AWS's own training images; their account differs from region to region."""


class Plan(NamedTuple):
    bucket: str
    prefix: str
    role_name: str
    secrets: tuple[str, ...]
    kms_key: str | None
    private_network: bool
    partition: str
    region: str
    account: str

    def arn(self, service: str, resource: str, account: str | None = None) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{account or self.account}:{resource}"

    @property
    def role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role_name}"

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"


def trust_policy(plan: Plan) -> dict[str, Any]:
    """Let SageMaker take the role, for this account's jobs only."""
    principal = {"Principal": {"Service": SAGEMAKER}, "Condition": {"StringEquals": {"aws:SourceAccount": plan.account}}}
    return _policy([{"Sid": "SageMaker", "Effect": "Allow", "Action": "sts:AssumeRole", **principal}])


def execution_policy(plan: Plan) -> dict[str, Any]:
    """Return what the jobs may do. PutMetricData, GetAuthorizationToken and ec2:Describe… know no resources: theirs is "*".

    SageMaker deletes in S3 what a job deletes among its checkpoints:
    https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html
    """
    own_images, aws_images = (
        plan.arn("ecr", f"repository/{plan.prefix}*"),
        [plan.arn("ecr", f"repository/{name}", "*") for name in AWS_IMAGES],
    )
    namespace = {"StringEquals": {"cloudwatch:namespace": LOG_GROUP}}
    statements = [
        *_objects(plan, "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"),
        _allow("Checkpoints", ["s3:DeleteObject"], f"{plan.bucket_arn}/{plan.prefix}/checkpoints/*"),
        _allow(
            "Logs", ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], _logs(plan)
        ),
        _allow("Metrics", ["cloudwatch:PutMetricData"], "*", namespace),
        _allow("RegistryLogin", ["ecr:GetAuthorizationToken"], "*"),
        _allow(
            "Images",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            [own_images, *aws_images],
        ),
    ]
    if plan.secrets:
        statements.append(_allow("Secrets", ["secretsmanager:GetSecretValue"], list(plan.secrets)))
    if plan.private_network:
        statements += _network(plan)
    return _policy([*statements, *_key(plan, "kms:Encrypt")])


def submitting_policy(plan: Plan) -> dict[str, Any]:
    """For the user or role that starts sweeps; ListTrainingJobs and prices know no resources.

    GetCallerIdentity needs no permission. GetRole is for the look at the role's trust policy before anything is uploaded, which
    is left out without it.
    """
    jobs = ["AddTags", "CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob", "UpdateTrainingJob"]
    to_sagemaker = {"StringEquals": {"iam:PassedToService": SAGEMAKER}}
    return _policy([
        _allow("Jobs", [f"sagemaker:{name}" for name in jobs], plan.arn("sagemaker", "training-job/*")),
        _allow("ListJobs", ["sagemaker:ListTrainingJobs"], "*"),
        _allow("Prices", ["pricing:GetProducts"], "*"),
        _allow("PassRole", ["iam:PassRole"], plan.role_arn, to_sagemaker),
        _allow("SeeRole", ["iam:GetRole"], plan.role_arn),
        *_objects(plan, "s3:GetObject", "s3:PutObject"),
        _allow("ReadLogs", ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"], _logs(plan)),
        *_key(plan),
    ])  # fmt: skip


def bucket_policy(plan: Plan) -> dict[str, Any]:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    resources = [plan.bucket_arn, f"{plan.bucket_arn}/*"]
    return _policy([
        {"Sid": TLS_ONLY, "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resources, "Condition": condition}
    ])  # fmt: skip


def encryption(plan: Plan) -> dict[str, Any]:
    if plan.kms_key is None:
        return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": plan.kms_key}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}


def _policy(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(sid: str, actions: list[str], resources: str | list[str], condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def _objects(plan: Plan, *actions: str) -> list[dict[str, Any]]:
    below = {"StringLike": {"s3:prefix": [plan.prefix, f"{plan.prefix}/*"]}}
    return [
        _allow("Objects", list(actions), f"{plan.bucket_arn}/{plan.prefix}/*"),
        _allow("ListObjects", ["s3:ListBucket"], plan.bucket_arn, below),
    ]


def _logs(plan: Plan) -> list[str]:
    group = plan.arn("logs", f"log-group:{LOG_GROUP}")
    return [group, f"{group}:*"]


def _network(plan: Plan) -> list[dict[str, Any]]:
    described = ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
    changed = [f"ec2:{verb}NetworkInterface{what}" for verb in ("Create", "Delete") for what in ("", "Permission")]
    resources = [plan.arn("ec2", f"{kind}/*") for kind in ("network-interface", "security-group", "subnet")]
    return [
        _allow("Network", changed, resources),
        _allow("DescribeNetwork", [f"ec2:Describe{name}" for name in described], "*"),
    ]


def _key(plan: Plan, *more: str) -> list[dict[str, Any]]:
    if plan.kms_key is None:
        return []
    for_volumes = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return [
        _allow("Key", ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", *more], plan.kms_key),
        _allow("KeyOfVolumes", ["kms:CreateGrant"], plan.kms_key, for_volumes),
    ]
