"""Turns errors of AWS calls into a cause, a sentence and a next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hydra_sagemaker.errors import CallFailed, Cause, Failure, NotPermitted, Throttled, Unreachable

WEB_PAGE = "a web page"
AGAIN = "then the same command"
SIGN_IN = f"sign in again (`aws sso login`), {AGAIN}"
WRONG_CLOCK = f"this machine's clock is wrong: set it (`timedatectl`), {AGAIN}"
WHO = f"`aws sts get-caller-identity` shows who you are to AWS: correct hydra.launcher.profile or the keys, {AGAIN}"
CONNECTION = f"check the connection, the proxy and hydra.launcher.region, {AGAIN}"
PERMIT = "`aws sts get-caller-identity` shows the identity that lacks this permission: give it the permission, " + AGAIN

THROTTLED = """
    Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException TooManyRequests
    TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded SlowDown PriorRequestNotComplete 429
""".split()
"""The codes of botocore.retries.standard, without other services' own."""
IN_TROUBLE = "InternalFailure InternalServerError InternalError ServiceUnavailable RequestTimeout".split()
UNKNOWN_IDENTITY = """
    UnrecognizedClientException InvalidClientTokenId InvalidAccessKeyId SignatureDoesNotMatch InvalidSignatureException
    MissingAuthenticationToken MissingAuthenticationTokenException IncompleteSignature InvalidToken AuthFailure 401
""".split()
DENIED = "AccessDeniedException AccessDenied AllAccessDisabled UnauthorizedOperation NotAuthorized 403".split()
OTHER_REGION = "PermanentRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException 301".split()

NOT_PERMITTED: dict[str, tuple[Cause, str]] = {
    **dict.fromkeys(
        ("ExpiredTokenException", "ExpiredToken", "RequestExpired", "TokenRefreshRequired"),
        (Cause.CREDENTIALS, f"the credentials have expired: {SIGN_IN}"),
    ),
    **dict.fromkeys(UNKNOWN_IDENTITY, (Cause.CREDENTIALS, f"AWS does not know these credentials: {WHO}")),
    "RequestTimeTooSkewed": (Cause.CREDENTIALS, WRONG_CLOCK),
    **dict.fromkeys(DENIED, (Cause.ROLE, f"your identity lacks this permission, or it is another account's: {PERMIT}")),
    **dict.fromkeys(
        OTHER_REGION, (Cause.REGION, f"the bucket is in another region than hydra.launcher.region: set one that fits, {AGAIN}")
    ),
    "NoSuchBucket": (Cause.REGION, f"create the bucket, or correct hydra.launcher.s3_uri, {AGAIN}"),
}
NO_CREDENTIALS = """
    NoCredentialsError PartialCredentialsError CredentialRetrievalError NoAuthTokenError TokenRetrievalError SSOError
    SSOTokenLoadError UnauthorizedSSOTokenError LoginError LoginTokenLoadError LoginAuthorizationCodeError
    RefreshWithMFAUnsupportedError InvalidConfigError
""".split()
# https://github.com/awslabs/predictive-maintenance-using-machine-learning/issues/3, the last as Lambda and others answer
ROLE_REFUSED = re.compile("Could not assume role|unable to assume|iam:PassRole|[Cc]ross-account pass role")
CAPACITY = re.compile("CapacityError|Insufficient(Instance)?Capacity|CapacityExceeded")
OTHER_REGION_TEXT = re.compile("BucketRegionError|PermanentRedirect|bucket is in this region|in the same region")
CLOCK = re.compile("Signature (expired|not yet current)")  # how services other than S3 say RequestTimeTooSkewed
S3_URI = re.compile(r"s3://[^\s\"'),]+")


def refused_call(action: str, response: Mapping[str, Any]) -> CallFailed:
    """Return the error for the `response` that a ClientError carries."""
    error = response.get("Error", {})
    code, text = str(error.get("Code", "")), str(error.get("Message") or "")
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    message = f"{action}: {code}: {text}"
    if code in THROTTLED or status == 429:
        return _failed(Throttled, Cause.INFRASTRUCTURE, message, "AWS limits the calls of an account: the same command, later")
    if code in IN_TROUBLE or status >= 500:
        return _failed(Unreachable, Cause.INFRASTRUCTURE, message, "the service is in trouble: the same command, later")
    if ROLE_REFUSED.search(text):
        step = f"correct hydra.launcher.role_arn; `aws iam get-role --role-name NAME` shows whom it trusts, {AGAIN}"
        return _failed(NotPermitted, Cause.ROLE, message, step)
    if code in NOT_PERMITTED:
        cause, step = NOT_PERMITTED["RequestTimeTooSkewed" if CLOCK.match(text) else code]
        return _failed(NotPermitted, cause, message, step)
    cause, step = _of_request(code, text)
    return _failed(CallFailed, cause, message, step)


def _of_request(code: str, text: str) -> tuple[Cause, str]:
    """Explain a refusal of one request; another job's request may be accepted."""
    if code == "ResourceLimitExceeded":
        return Cause.QUOTA, f"request a higher quota (Service Quotas, Amazon SageMaker), {AGAIN}"
    if CAPACITY.search(f"{code} {text}"):
        return Cause.CAPACITY, "another hydra.launcher.instance_type, or later the same command"
    if OTHER_REGION_TEXT.search(text):
        return Cause.REGION, f"use a bucket in the jobs' region (hydra.launcher.s3_uri, .channels) or set .region, {AGAIN}"
    if uri := S3_URI.search(text):
        return Cause.CODE, f"`aws s3 ls {uri[0]}` shows what is there: correct hydra.launcher.channels, {AGAIN}"
    return Cause.CODE, f"hydra.launcher.mode=dry_run writes the request to look at: correct what is named, {AGAIN}"


def failed_call(action: str, error: Exception) -> CallFailed:
    """Return the error for an exception that boto3 raises without an answer of the service."""
    from boto3.exceptions import Boto3Error
    from botocore import exceptions as botocore
    from botocore.parsers import ResponseParserError

    kind, shown = type(error).__name__, str(error)
    if type(error) is botocore.HTTPClientError:  # whose own words say nothing
        shown = str(error.kwargs.get("error", error))
    elif isinstance(error, ResponseParserError):
        shown = f"the answer is none of the service: {shown.splitlines()[0]}"
    message = f"{action}: {shown}"
    if isinstance(error, botocore.NoCredentialsError):
        message = f"{action}: there are no AWS credentials"
        return _failed(NotPermitted, Cause.CREDENTIALS, message, f"`aws configure` or `aws sso login` stores some, {AGAIN}")
    if kind in NO_CREDENTIALS:
        return _failed(NotPermitted, Cause.CREDENTIALS, message, SIGN_IN)
    if isinstance(error, botocore.ProfileNotFound):
        return _failed(NotPermitted, Cause.CREDENTIALS, message, f"`aws configure list-profiles` lists the valid ones, {AGAIN}")
    if isinstance(error, botocore.NoRegionError):
        step = f"set hydra.launcher.region or AWS_DEFAULT_REGION, {AGAIN}"
        return _failed(NotPermitted, Cause.REGION, f"{action}: no AWS region", step)
    lost = botocore.HTTPClientError, botocore.ConnectionError, botocore.IncompleteReadError, botocore.ResponseStreamingError
    if isinstance(error, (*lost, Boto3Error, ResponseParserError)):
        return _failed(Unreachable, Cause.NETWORK, message, CONNECTION)
    return _failed(CallFailed, Cause.CODE, message, f"correct what is named, {AGAIN}")


def _failed(kind: type[CallFailed], cause: Cause, message: str, step: str) -> CallFailed:
    failure = Failure(cause, message, step)
    return kind(str(failure), failure)
