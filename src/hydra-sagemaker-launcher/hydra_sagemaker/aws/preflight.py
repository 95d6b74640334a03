"""Checks identity, role and buckets before anything is uploaded.

No call tells whether CreateTrainingJob itself is allowed; the first job shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from hydra_sagemaker.aws.call_errors import WEB_PAGE
from hydra_sagemaker.aws.clients import Clients, api_call, error_code, persistently
from hydra_sagemaker.aws.storage import split
from hydra_sagemaker.errors import CallFailed, Cause, Failure, NotPermitted, SubmissionRefused, Throttled, Unreachable
from hydra_sagemaker.settings import SageMakerLauncherConf

SERVICE = "sagemaker.amazonaws.com"
ASSUMES = {"sts:AssumeRole", "sts:*", "*"}
MISSING = ("404", "NoSuchBucket", "NotFound")
DENIED = ("403", "AccessDenied")
OTHER_REGION = ("301", "PermanentRedirect", "400", "AuthorizationHeaderMalformed")
LISTED_AT_MOST = 10
"""Channels that are looked into: a sweep may have one for every job."""
TRUST = "docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html"


def preflight(clients: Clients, settings_of_jobs: Sequence[SageMakerLauncherConf]) -> None:
    """Refuse jobs whose role or buckets do not fit, in a few calls for any number of jobs.

    Raises:
        SubmissionRefused: with every problem.
        Throttled, Unreachable: S3 does not answer, or a web page answers in place of the services.
    """
    account = None  # where STS is unreachable, as in some private networks, or not served
    try:
        with api_call("who you are (GetCallerIdentity)"):
            account = clients.sts.get_caller_identity()["Account"]
    except CallFailed as error:
        if _failure(error).cause == Cause.CREDENTIALS:  # nothing else could be asked either
            raise _refused([_failure(error)]) from None
        if WEB_PAGE in str(error):
            raise
    roles = dict.fromkeys(str(settings.role_arn) for settings in settings_of_jobs)
    found = [
        *(failure for arn in roles for failure in _role_failures(clients, account, arn)),
        *_own_bucket_failures(clients, settings_of_jobs),
        *_channel_failures(clients, settings_of_jobs),
    ]
    if found:
        raise _refused(found)


def _refused(failures: Sequence[Failure]) -> SubmissionRefused:
    return SubmissionRefused([f"{one.cause}: {one.message}\n    Next: {one.next_step}" for one in failures])


def _failure(error: CallFailed) -> Failure:
    assert error.failure is not None
    return error.failure


def _role_failures(clients: Clients, account: str | None, arn: str) -> Iterator[Failure]:
    """Yield nothing more where the caller may not read roles, which is usual."""
    what, owner, name = f"hydra.launcher.role_arn={arn}", arn.split(":")[4], arn.rpartition("/")[2]
    if account not in (None, owner):
        message = f"{what} is of account {owner}, not of yours, {account}: give a role of your account"
        step = "`aws iam list-roles --query Roles[].Arn` shows the roles there; or another hydra.launcher.profile"
        yield Failure(Cause.ROLE, message, step)
        return
    role = None
    try:
        with api_call(f"GetRole {name}", accepted=("NoSuchEntity",)):
            role = clients.iam.get_role(RoleName=name)["Role"]
    except CallFailed:
        return
    if role is None:
        step = "`aws iam list-roles --query Roles[].Arn` lists the roles of this account"
        yield Failure(Cause.ROLE, f"{what}: there is no such role", step)
        return
    if role["Arn"] != arn:
        yield Failure(Cause.ROLE, f"{what}: the role of this name is {role['Arn']}", f"hydra.launcher.role_arn={role['Arn']}")
    if not trusts_sagemaker(role["AssumeRolePolicyDocument"]):
        step = f"add {SERVICE} to the trust policy that `aws iam get-role --role-name {name}` shows ({TRUST})"
        yield Failure(Cause.ROLE, f"{what}: SageMaker may not assume this role", step)


def trusts_sagemaker(policy: Mapping[str, Any]) -> bool:
    """Return whether a statement lets SageMaker assume the role; conditions are not evaluated."""
    for statement in _listed(policy.get("Statement", [])):
        principal = statement.get("Principal", {})
        services = [principal] if isinstance(principal, str) else _listed(principal.get("Service", []))
        is_named = any(name == "*" or name.startswith(SERVICE) for name in services)
        if is_named and statement.get("Effect") == "Allow" and ASSUMES & set(_listed(statement.get("Action", []))):
            return True
    return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _own_bucket_failures(clients: Clients, settings_of_jobs: Sequence[SageMakerLauncherConf]) -> Iterator[Failure]:
    places = {(str(settings.s3_uri), settings.bucket_owner) for settings in settings_of_jobs}
    for uri, owner in sorted(places, key=str):
        bucket, prefix = split(uri)
        account = {"ExpectedBucketOwner": owner} if owner else {}
        state, region = _look(clients, bucket, account)
        if state == "missing":
            step = f"`aws s3 mb s3://{bucket} --region {clients.region}`, or correct hydra.launcher.s3_uri"
            yield Failure(Cause.REGION, f"hydra.launcher.s3_uri={uri}: there is no bucket {bucket}", step)
        elif region is not None and region != clients.region:
            yield _other_region(f"hydra.launcher.s3_uri={uri}", bucket, region, clients.region)
        elif state == "denied" and (refusal := _refusal_to_list(clients, bucket, prefix, account)):
            whose = f"is not of account {owner} (hydra.launcher.bucket_owner), or" if owner else "is another account's, or"
            message = f"hydra.launcher.s3_uri={uri}: the bucket {bucket} {whose} you may not list it (s3:ListBucket)"
            step = "`aws sts get-caller-identity` shows who you are: give that identity the permission, or correct the bucket"
            yield Failure(Cause.ROLE, message, step) if refusal.cause == Cause.ROLE else refusal


def _channel_failures(clients: Clients, settings_of_jobs: Sequence[SageMakerLauncherConf]) -> Iterator[Failure]:
    """Check that it is there and where, and for the first few that it is not empty; only the role needs to read channels."""
    own = {split(str(settings.s3_uri))[0] for settings in settings_of_jobs}
    channels = {(split(uri), uri): name for settings in settings_of_jobs for name, uri in settings.channels.items()}
    unusable: dict[str, bool] = dict.fromkeys(own, False)
    for number, (((bucket, prefix), uri), name) in enumerate(channels.items()):
        what = f"hydra.launcher.channels.{name}={uri}"
        if bucket not in unusable:
            state, region = _look(clients, bucket, {})
            unusable[bucket] = state == "missing" or region not in (None, clients.region)
            if state == "missing":
                yield Failure(Cause.REGION, f"{what}: there is no bucket {bucket}", f"correct hydra.launcher.channels.{name}")
            elif unusable[bucket]:
                yield _other_region(what, bucket, str(region), clients.region)
        if number < LISTED_AT_MOST and not unusable[bucket] and _is_empty(clients, bucket, prefix):
            step = f"`aws s3 ls {uri}` shows what is there: correct hydra.launcher.channels.{name}, or copy the data there"
            yield Failure(Cause.CODE, f"{what}: there is no object whose key begins so", step)


def _is_empty(clients: Clients, bucket: str, prefix: str) -> bool:
    """Return False where the submitting identity may not list it: the role reads channels."""

    def first() -> bool:
        with api_call(f"s3://{bucket}/{prefix}"):
            return not clients.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount")

    try:
        return persistently(first)
    except (Throttled, Unreachable):
        raise
    except CallFailed:
        return False


def _other_region(what: str, bucket: str, region: str, wanted: str) -> Failure:
    """Return the failure; see https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html"""
    message = f"{what}: the bucket {bucket} is in {region}, the jobs in {wanted}"
    step = f"hydra.launcher.region={region}, or a bucket in {wanted} (`aws s3 mb s3://NAME --region {wanted}`)"
    return Failure(Cause.REGION, message, step)


def _look(clients: Clients, bucket: str, account: Mapping[str, str]) -> tuple[str, str | None]:
    """Return "there", "missing" or "denied", and the region, which S3 names even where access is denied."""

    def head() -> tuple[str, Mapping[str, Any]]:
        with api_call(f"s3://{bucket}"):
            try:
                return "there", clients.s3.head_bucket(Bucket=bucket, **account)
            except ClientError as error:
                code = error_code(error)
                if code in MISSING:
                    return "missing", error.response
                if code in DENIED or code in OTHER_REGION:
                    return "denied", error.response
                raise

    state, answer = persistently(head)
    return state, answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")


def _refusal_to_list(clients: Clients, bucket: str, prefix: str, account: Mapping[str, str]) -> Failure | None:
    """Try to list the prefix: HeadBucket needs a permission for the whole bucket, which a policy for one prefix lacks."""
    try:
        with api_call(f"s3://{bucket}/{prefix}"):
            clients.s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix.rstrip('/')}/" if prefix else "", MaxKeys=1, **account)
    except NotPermitted as error:
        return _failure(error)
    return None
