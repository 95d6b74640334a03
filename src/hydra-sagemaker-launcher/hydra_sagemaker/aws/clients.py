"""Clients of boto3, whose exceptions become LauncherErrors."""

from __future__ import annotations

import logging
import os
import random
import socket
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlparse

from hydra_sagemaker import __version__
from hydra_sagemaker.aws.call_errors import failed_call, refused_call
from hydra_sagemaker.aws.foreign_answers import refuse_foreign_answers
from hydra_sagemaker.aws.local_credentials import FIELDS, is_loopback, keys_of
from hydra_sagemaker.errors import LauncherError, Throttled, Unreachable
from hydra_sagemaker.job.job import endpoint_problem
from hydra_sagemaker.settings import SageMakerLauncherConf

log = logging.getLogger(__name__)
T = TypeVar("T")
LOOPBACK_CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
LOCAL_KEY = "LOCAL"
"""Begins the access keys of every local SageMaker."""
LONGEST_PAUSE_SECONDS = 20.0


class Clients:
    """The clients of one profile and region."""

    def __init__(self, settings: SageMakerLauncherConf) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise LauncherError("hydra.launcher.mode=sagemaker needs boto3: pip install boto3") from None
        if not (library := logging.getLogger("botocore")).isEnabledFor(logging.DEBUG):
            library.setLevel(logging.WARNING)  # it logs at each start where it found the credentials
        # few attempts within a call: the scheduler and `persistently` wait longer, and do other things meanwhile
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": 3},
            user_agent_extra=f"hydra-sagemaker-launcher/{__version__}",
            connect_timeout=10,
            read_timeout=60,
        )
        self._endpoint_url = settings.endpoint_url
        named = settings.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
        if named and (problem := endpoint_problem(named)):
            raise LauncherError(f"{'AWS_ENDPOINT_URL' if settings.endpoint_url is None else 'endpoint_url'}={named}: {problem}")
        _refuse_closed_port(settings.endpoint_url)
        with api_call("the AWS configuration"):
            is_local = is_loopback(settings.endpoint_url)  # by AWS_ENDPOINT_URL alone, any keys may be meant for the server
            own = keys_of(named) or (_exported_keys() if is_local else {})
            self._session = boto3.Session(profile_name=settings.profile, region_name=settings.region, **own)
            self.sagemaker = self._client("sagemaker")
            self.s3 = self._client("s3")
        self.region: str = self.sagemaker.meta.region_name

    logs: Any = cached_property(lambda self: self._client("logs"))
    sts: Any = cached_property(lambda self: self._client("sts"))
    iam: Any = cached_property(lambda self: self._client("iam"))

    def _client(self, service: str) -> Any:
        client = self._session.client(service, config=self._config, endpoint_url=self._endpoint_url)
        refuse_foreign_answers(client)
        return client


def _exported_keys() -> dict[str, str]:
    """Return the keys that a local server printed, where they were exported; never those of an account."""
    exported = {name: os.environ.get(name.upper(), "") for name in FIELDS}
    return exported if exported["aws_access_key_id"].startswith(LOCAL_KEY) else LOOPBACK_CREDENTIALS


def _refuse_closed_port(url: str | None) -> None:
    """Refuse a local server that was not started; boto3 would try for half a minute."""
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
def api_call(action: str, *, accepted: Collection[str] = ()) -> Iterator[None]:
    """Translate what boto3 raises inside; `action` names the call in the message, `accepted` the codes that are no error.

    Raises:
        CallFailed: for every error; Throttled, Unreachable or NotPermitted where it is one of these.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        if error_code(error) not in accepted:
            raise refused_call(action, error.response) from error
    except (BotoCoreError, Boto3Error, ResponseParserError) as error:
        raise failed_call(action, error) from error


def error_code(error: Any) -> str:
    """Return the code of a ClientError, such as NoSuchKey."""
    return str(error.response.get("Error", {}).get("Code", ""))


def persistently(call: Callable[[], T], *, patience_seconds: float = 120) -> T:
    """Retry a call, with growing random pauses, while the service throttles or cannot be reached.

    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/

    Raises:
        Throttled, Unreachable: the last error, after `patience_seconds`.
    """
    deadline, longest = time.monotonic() + patience_seconds, 1.0
    while True:
        try:
            return call()
        except (Throttled, Unreachable) as error:
            pause = random.uniform(0, longest)
            if time.monotonic() + pause > deadline:
                raise
            if longest == 1.0:
                log.warning("%s; trying again, for up to %.0f s", str(error).splitlines()[0], patience_seconds)
            time.sleep(pause)
            longest = min(2 * longest, LONGEST_PAUSE_SECONDS)
