"""Prepares an AWS account for sweeps: a bucket, and an execution role that lets the jobs do what they need and no more.

Prints every policy as JSON to read first; `--apply` creates or updates bucket and role, and may be repeated.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any, NamedTuple

from hydra_sagemaker.aws.policies import (
    SAGEMAKER,
    TLS_ONLY,
    Plan,
    bucket_policy,
    encryption,
    execution_policy,
    submitting_policy,
    trust_policy,
)

INLINE_POLICY = "training-jobs"
PUBLIC_ACCESS_BLOCK = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
FORMS = {
    "--prefix": (r"[\w.-]+(/[\w.-]+)*", "letters, digits and ._-/, as in sweeps"),
    "--role-name": (r"[\w+=,.@-]{1,64}", "at most 64 letters, digits and +=,.@-_"),
    "--secret": (
        r"arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@?-]+",
        "the ARN of a secret, as `aws secretsmanager describe-secret` shows it",
    ),
    "--kms-key": (r"arn:[\w-]+:kms:[\w-]+:\d{12}:key/[\w-]+", "the ARN of a key; an alias has no meaning in a policy"),
}


ACCOUNT, REGION = "ACCOUNT", "REGION"
"""Stand in the printed documents for what is not known without credentials and configuration."""


class Names(NamedTuple):
    """The names that are proposed, and the lines that say how to use the bucket and the role, with {s3_uri} and {role_arn}."""

    prefix: str = "sweeps"
    role_name: str = "hydra-sagemaker-jobs"
    lines: tuple[str, ...] = ("hydra.launcher.s3_uri={s3_uri}", "hydra.launcher.role_arn={role_arn}")


NAMES = Names()


class Refused(Exception):
    """A sentence for the user."""


def execute(options: argparse.Namespace, program: str) -> int:
    """Print the documents, and with --apply create or update bucket and role; return the exit code."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return _refuse(program, "this needs boto3: pip install boto3")
    try:
        return _run(options)
    except Refused as refusal:
        return _refuse(program, str(refusal))
    except ClientError as error:
        return _refuse(program, f"{error.operation_name}: {error.response['Error'].get('Message') or error}")
    except BotoCoreError as error:
        return _refuse(program, f"{error}; `aws sts get-caller-identity` shows whether AWS knows you")


def _run(options: argparse.Namespace) -> int:
    _check_forms(options)
    session = _session(options)
    plan = _plan(session, options)
    print(json.dumps(_documents(plan), indent=2))
    if not options.apply:
        if unknown := [name for name in (plan.account, plan.region) if name in (ACCOUNT, REGION)]:
            say(f"{' and '.join(unknown)} stand for what is not known without AWS credentials and configuration")
        say("nothing was created: read the documents above, then run the same command with --apply")
        return 0
    apply_bucket(session.client("s3"), plan)
    apply_role(session.client("iam"), plan)
    say("the policy submitting_user is for you to attach, to the users who start sweeps")
    for line in options.names.lines:
        print(line.format(s3_uri=f"s3://{plan.bucket}/{plan.prefix}", role_arn=plan.role_arn))
    return 0


def add_arguments(parser: argparse.ArgumentParser, names: Names) -> None:
    parser.set_defaults(names=names)
    parser.add_argument("bucket", help="S3 bucket, created where it does not exist")
    parser.add_argument("--prefix", default=names.prefix, help="all that jobs read and write in it (default: %(default)s)")
    parser.add_argument("--role-name", default=names.role_name, help="execution role (default: %(default)s)")
    parser.add_argument("--region", help="of bucket and jobs (default: as boto3 finds it)")
    parser.add_argument("--secret", action="append", default=[], metavar="ARN", help="a secret that jobs may read; repeatable")
    parser.add_argument("--kms-key", metavar="ARN", help="key of the bucket, the volumes and the results")
    parser.add_argument("--private-network", action="store_true", help="jobs with extra.VpcConfig: network interfaces")
    parser.add_argument("--apply", action="store_true", help="create or update bucket and role; without it nothing is changed")


def _check_forms(options: argparse.Namespace) -> None:
    values = [("--prefix", options.prefix), ("--role-name", options.role_name), ("--kms-key", options.kms_key)]
    for name, value in [*values, *(("--secret", secret) for secret in options.secret)]:
        form, valid = FORMS[name]
        if value is not None and not re.fullmatch(form, value, re.ASCII):
            raise Refused(f"{name} {value} is not valid: give {valid}")


def _session(options: argparse.Namespace) -> Any:
    import boto3
    from botocore.exceptions import ProfileNotFound

    try:
        return boto3.Session(region_name=options.region)
    except ProfileNotFound:
        if options.apply:
            raise
        import botocore.session

        profile_less = botocore.session.Session({"profile": (None, None, None, None)})  # nor that of AWS_PROFILE
        return boto3.Session(region_name=options.region, botocore_session=profile_less)


def _plan(session: Any, options: argparse.Namespace) -> Plan:
    region = session.region_name or REGION
    if region == REGION and options.apply:
        raise Refused("no AWS region is set: add --region eu-west-1, or set AWS_DEFAULT_REGION")
    return Plan(
        bucket=options.bucket,
        prefix=options.prefix,
        role_name=options.role_name,
        secrets=tuple(options.secret),
        kms_key=options.kms_key,
        private_network=options.private_network,
        partition="aws" if region == REGION else session.get_partition_for_region(region),
        region=region,
        account=_account(session, options) if region != REGION else ACCOUNT,
    )


def _account(session: Any, options: argparse.Namespace) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError):
        if options.apply:
            raise
        return ACCOUNT


def _documents(plan: Plan) -> dict[str, Any]:
    return {
        "execution_role": {"arn": plan.role_arn, "trust_policy": trust_policy(plan), "policy": execution_policy(plan)},
        "bucket": {
            "name": plan.bucket,
            "region": plan.region,
            "policy": bucket_policy(plan),
            "public_access_block": PUBLIC_ACCESS_BLOCK,
            "encryption": encryption(plan),
        },
        "submitting_user": {"policy": submitting_policy(plan)},
    }


def apply_bucket(s3: Any, plan: Plan) -> None:
    """Create or update the bucket; other statements in the policy of an existing one are kept."""
    is_new = not _exists(s3, plan)
    if is_new:
        location = {} if plan.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": plan.region}}
        s3.create_bucket(Bucket=plan.bucket, **location)
    s3.put_public_access_block(Bucket=plan.bucket, PublicAccessBlockConfiguration=PUBLIC_ACCESS_BLOCK)
    if is_new or plan.kms_key:
        s3.put_bucket_encryption(Bucket=plan.bucket, ServerSideEncryptionConfiguration=encryption(plan))
    others = [statement for statement in _statements(s3, plan.bucket) if statement.get("Sid") != TLS_ONLY]
    policy = bucket_policy(plan)
    s3.put_bucket_policy(Bucket=plan.bucket, Policy=json.dumps(policy | {"Statement": [*others, *policy["Statement"]]}))
    say(f"bucket {plan.bucket} in {plan.region}: {'created' if is_new else 'updated'}")


def apply_role(iam: Any, plan: Plan) -> None:
    trust = json.dumps(trust_policy(plan))
    try:
        role = iam.get_role(RoleName=plan.role_name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        role = None
        iam.create_role(RoleName=plan.role_name, AssumeRolePolicyDocument=trust, Description="SageMaker jobs of Hydra sweeps")
    else:
        if SAGEMAKER not in json.dumps(role["AssumeRolePolicyDocument"]):
            raise Refused(f"the role {plan.role_name} exists and is not one of SageMaker: choose another --role-name")
        iam.update_assume_role_policy(RoleName=plan.role_name, PolicyDocument=trust)
    iam.put_role_policy(RoleName=plan.role_name, PolicyName=INLINE_POLICY, PolicyDocument=json.dumps(execution_policy(plan)))
    say(f"role {plan.role_arn}: {'updated' if role else 'created'}")


def _exists(s3: Any, plan: Plan) -> bool:
    from botocore.exceptions import ClientError

    try:
        found = s3.get_bucket_location(Bucket=plan.bucket, ExpectedBucketOwner=plan.account)["LocationConstraint"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return False
        raise Refused(
            f"bucket {plan.bucket} is not yours, or you may not read its location: choose another name ({error})"
        ) from error
    region = found or "us-east-1"
    if region != plan.region:
        raise Refused(
            f"bucket {plan.bucket} is in {region}, and jobs read in their own region: --region {region}, or another bucket"
        )
    return True


def _statements(s3: Any, bucket: str) -> list[dict[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        return json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
            raise
        return []


def say(text: str) -> None:
    print(text, file=sys.stderr)


def _refuse(program: str, text: str) -> int:
    say(f"{program}: {text}")
    return 2
