"""boto3, with what it raises put into words."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlparse

from hydra_plugins.hydra_sagemaker_launcher import __version__
from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError
from hydra_plugins.hydra_sagemaker_launcher.config import SageMakerLauncherConf

NEXT_STEPS = {
    "ExpiredTokenException": "the credentials have expired: sign in again (`aws sso login`), then the same command",
    "ExpiredToken": "the credentials have expired: sign in again (`aws sso login`), then the same command",
    "UnrecognizedClientException": "AWS does not know these credentials: `aws sts get-caller-identity` shows who you are",
    "InvalidClientTokenId": "AWS does not know these credentials: `aws sts get-caller-identity` shows who you are",
    "AccessDeniedException": "your own identity lacks this permission",
    "AccessDenied": "your own identity lacks this permission, or the bucket belongs to someone else",
    "NoSuchBucket": "create the bucket, or correct hydra.launcher.s3_uri",
    "PermanentRedirect": "the bucket is in another region than hydra.launcher.region",
}


LOOPBACK_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


class Clients:
    """Of one profile and region; made when first needed."""

    def __init__(self, settings: SageMakerLauncherConf) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise LauncherError("hydra.launcher.mode=sagemaker needs boto3: pip install boto3") from None
        if logging.getLogger("botocore").level == logging.NOTSET:
            logging.getLogger("botocore").setLevel(logging.WARNING)  # it tells at each start where it found the credentials
        # boto3's default of 3 attempts lost half of the calls when 3 of 4 were throttled
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 10},
            user_agent_extra=f"hydra-sagemaker-launcher/{__version__}",
            connect_timeout=10,
            read_timeout=60,
        )
        if not (library := logging.getLogger("botocore")).isEnabledFor(logging.DEBUG):
            library.setLevel(logging.WARNING)  # it tells at each start where it found the credentials
        _refuse_silence(settings.endpoint_url)
        with in_words("the AWS configuration"):
            own = LOOPBACK_CREDENTIALS if is_loopback(settings.endpoint_url) else {}
            session = boto3.Session(profile_name=settings.profile, region_name=settings.region, **own)
            self.sagemaker: Any = session.client("sagemaker", config=config, endpoint_url=settings.endpoint_url)
            self.s3: Any = session.client("s3", config=config, endpoint_url=settings.endpoint_url)
        self.region: str = self.sagemaker.meta.region_name


def is_loopback(url: str | None) -> bool:
    return url is not None and urlparse(url).hostname in ("127.0.0.1", "localhost", "::1")


def _refuse_silence(url: str | None) -> None:
    """On this machine a server that does not answer at once has not been started; boto3 would try for half a minute."""
    if url is None or not is_loopback(url):
        return
    parts = urlparse(url)
    try:
        socket.create_connection((parts.hostname, parts.port or 80), timeout=5).close()
    except OSError as error:
        raise LauncherError(
            f"nothing answers at hydra.launcher.endpoint_url={url} ({error}): "
            "start the local SageMaker first, or correct the address"
        ) from None


@contextmanager
def in_words(action: str) -> Iterator[None]:
    """
    Raises:
        LauncherError: for every error that boto3 raises.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

    try:
        yield
    except NoCredentialsError:
        raise LauncherError(f"{action}: there are no AWS credentials; `aws configure` or `aws sso login` stores some") from None
    except NoRegionError:
        raise LauncherError(f"{action}: no AWS region; set hydra.launcher.region or AWS_DEFAULT_REGION") from None
    except ClientError as error:
        code = error_code(error)
        step = NEXT_STEPS.get(code)
        raise LauncherError(
            f"{action}: {code}: {error.response['Error'].get('Message', '')}" + (f"\nNext: {step}" if step else "")
        ) from error
    except BotoCoreError as error:
        raise LauncherError(f"{action}: {error}") from error


def error_code(error: Any) -> str:
    """Of a ClientError."""
    return str(error.response.get("Error", {}).get("Code", ""))
