"""What can be asked before anything is uploaded: who one is, and whether role and buckets are there and fit.

Whether CreateTrainingJob itself is allowed cannot be asked; the first job shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from hydra_sagemaker.aws.clients import Clients, error_code, in_words, persistently
from hydra_sagemaker.errors import CallFailed, Cause, Failure, NotPermitted, SubmissionRefused
from hydra_sagemaker.settings import SageMakerLauncherConf

SERVICE = "sagemaker.amazonaws.com"
ASSUMES = {"sts:AssumeRole", "sts:*", "*"}
MISSING = ("404", "NoSuchBucket", "NotFound")
DENIED = ("403", "AccessDenied")
ELSEWHERE = ("301", "PermanentRedirect", "400", "AuthorizationHeaderMalformed")
TRUST = "docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html"


def preflight(clients: Clients, settings_of_jobs: Sequence[SageMakerLauncherConf]) -> None:
    """A few calls, whatever the number of jobs.

    Raises:
        SubmissionRefused: with every problem.
        Throttled, Unreachable: S3 does not answer.
    """
    try:
        account = _account(clients)
    except NotPermitted as error:  # nothing else could be asked either
        raise _refused([_failure(error)]) from None
    found = [
        *_role_failures(clients, account, dict.fromkeys(str(settings.role_arn) for settings in settings_of_jobs)),
        *_own_bucket_failures(clients, settings_of_jobs),
        *_channel_failures(clients, settings_of_jobs),
    ]
    if found:
        raise _refused(found)


def _refused(failures: Sequence[Failure]) -> SubmissionRefused:
    return SubmissionRefused([f"{one.cause}: {one.said}\n    Next: {one.next_step}" for one in failures])


def _failure(error: CallFailed) -> Failure:
    assert error.failure is not None
    return error.failure


def _account(clients: Clients) -> str | None:
    """None where STS is out of reach, as in some private networks, or is not served at all."""
    try:
        with in_words("who you are (GetCallerIdentity)"):
            return clients.sts.get_caller_identity()["Account"]
    except NotPermitted as error:
        if _failure(error).cause == Cause.CREDENTIALS:
            raise
        return None
    except CallFailed:
        return None


def _role_failures(clients: Clients, account: str | None, arns: Sequence[str] | Mapping[str, None]) -> Iterator[Failure]:
    for arn in arns:
        owner, name = arn.split(":")[4], arn.rpartition("/")[2]
        if account is not None and owner != account:
            said = (
                f"hydra.launcher.role_arn={arn} is of account {owner}, and you are in {account}: SageMaker takes its own only"
            )
            step = "`aws iam list-roles --query Roles[].Arn` shows the roles there; or another hydra.launcher.profile"
            yield Failure(Cause.ROLE, said, step)
        else:
            yield from _trust_failures(clients, arn, name)


def _trust_failures(clients: Clients, arn: str, name: str) -> Iterator[Failure]:
    """Nothing where the caller may not look, which is usual."""
    shown = f"`aws iam get-role --role-name {name}`"
    try:
        with in_words(f"GetRole {name}"):
            try:
                role = clients.iam.get_role(RoleName=name)["Role"]
            except ClientError as error:
                if error_code(error) != "NoSuchEntity":
                    raise
                said = f"hydra.launcher.role_arn={arn}: there is no such role"
                yield Failure(Cause.ROLE, said, "`aws iam list-roles --query Roles[].Arn` shows the ones there are")
                return
    except CallFailed:
        return
    if role["Arn"] != arn:
        said = f"hydra.launcher.role_arn={arn}: the role of this name is {role['Arn']}"
        yield Failure(Cause.ROLE, said, f"hydra.launcher.role_arn={role['Arn']}")
    if not trusts_sagemaker(role["AssumeRolePolicyDocument"]):
        said = f"hydra.launcher.role_arn={arn}: SageMaker may not assume this role"
        yield Failure(Cause.ROLE, said, f"add {SERVICE} to the trust policy that {shown} shows ({TRUST})")


def trusts_sagemaker(policy: Mapping[str, Any]) -> bool:
    """Whether a statement allows it; its conditions are AWS's to judge."""
    return any(
        statement.get("Effect") == "Allow"
        and _names_sagemaker(statement.get("Principal", {}))
        and ASSUMES & set(_listed(statement.get("Action", [])))
        for statement in _listed(policy.get("Statement", []))
    )


def _names_sagemaker(principal: Any) -> bool:
    services = [principal] if isinstance(principal, str) else _listed(principal.get("Service", []))
    return any(name == "*" or name.startswith(SERVICE) for name in services)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _own_bucket_failures(clients: Clients, settings_of_jobs: Sequence[SageMakerLauncherConf]) -> Iterator[Failure]:
    places = {(str(settings.s3_uri), settings.bucket_owner) for settings in settings_of_jobs}
    for uri, owner in sorted(places, key=str):
        bucket, prefix = _split(uri)
        account = {"ExpectedBucketOwner": owner} if owner else {}
        state, region = _look(clients, bucket, account)
        if state == "missing":
            step = f"`aws s3 mb s3://{bucket} --region {clients.region}`, or correct hydra.launcher.s3_uri"
            yield Failure(Cause.REGION, f"hydra.launcher.s3_uri={uri}: there is no bucket {bucket}", step)
        elif region is not None and region != clients.region:
            yield _elsewhere(f"hydra.launcher.s3_uri={uri}", bucket, region, clients.region)
        elif state == "denied" and (refusal := _refusal_to_list(clients, bucket, prefix, account)):
            whose = f"is not of account {owner} (hydra.launcher.bucket_owner), or" if owner else "is someone else's, or"
            said = f"hydra.launcher.s3_uri={uri}: the bucket {bucket} {whose} you may not list it (s3:ListBucket)"
            step = "`aws sts get-caller-identity` shows who you are: give that identity the permission, or correct the bucket"
            yield Failure(Cause.ROLE, said, step) if refusal.cause == Cause.ROLE else refusal


def _channel_failures(clients: Clients, settings_of_jobs: Sequence[SageMakerLauncherConf]) -> Iterator[Failure]:
    """It is the role that reads them: whoever submits may well not."""
    own = {_split(str(settings.s3_uri))[0] for settings in settings_of_jobs}
    channels = {uri: name for settings in settings_of_jobs for name, uri in settings.channels.items()}
    first = {_split(uri)[0]: (name, uri) for uri, name in reversed(channels.items())}
    for bucket, (name, uri) in sorted(first.items()):
        if bucket in own:
            continue
        state, region = _look(clients, bucket, {})
        what = f"hydra.launcher.channels.{name}={uri}"
        if state == "missing":
            yield Failure(Cause.REGION, f"{what}: there is no bucket {bucket}", f"correct hydra.launcher.channels.{name}")
        elif region is not None and region != clients.region:
            yield _elsewhere(what, bucket, region, clients.region)


def _elsewhere(what: str, bucket: str, region: str, wanted: str) -> Failure:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html"""
    said = f"{what}: the bucket {bucket} is in {region}, the jobs in {wanted}"
    step = f"hydra.launcher.region={region}, or a bucket in {wanted} (`aws s3 mb s3://NAME --region {wanted}`)"
    return Failure(Cause.REGION, said, step)


def _look(clients: Clients, bucket: str, account: Mapping[str, str]) -> tuple[str, str | None]:
    """there, missing or denied, and the region, which S3 tells even those who may not look."""

    def head() -> tuple[str, Mapping[str, Any]]:
        with in_words(f"s3://{bucket}"):
            try:
                return "there", clients.s3.head_bucket(Bucket=bucket, **account)
            except ClientError as error:
                code = error_code(error)
                if code in MISSING:
                    return "missing", error.response
                if code in DENIED or code in ELSEWHERE:
                    return "denied", error.response
                raise

    state, answer = persistently(head)
    return state, answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")


def _refusal_to_list(clients: Clients, bucket: str, prefix: str, account: Mapping[str, str]) -> Failure | None:
    """HeadBucket wants the permission for the whole bucket, which a policy for one prefix does not give."""
    try:
        with in_words(f"s3://{bucket}/{prefix}"):
            clients.s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/" if prefix else "", MaxKeys=1, **account)
    except NotPermitted as error:
        return _failure(error)
    return None


def _split(uri: str) -> tuple[str, str]:
    parts = urlparse(uri)
    return parts.netloc, parts.path.strip("/")
