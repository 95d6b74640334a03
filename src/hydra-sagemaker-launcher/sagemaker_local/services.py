"""The parts of the server that every job and endpoint uses, its own clients of the services that moto plays among them."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import Session

from sagemaker_local.account import REGION, SERVER_KEY
from sagemaker_local.environment import Environments
from sagemaker_local.faults import FaultCounters
from sagemaker_local.isolation import Isolation


@dataclass(frozen=True)
class Services:
    url: str
    root: Path
    isolation: Isolation
    stop_grace_seconds: float
    serve_command: Sequence[str]
    s3: Any
    logs: Any
    sagemaker: Any
    iam: Any
    environments: Environments
    counters: FaultCounters
    ready: threading.Event = field(default_factory=threading.Event)
    """Set once the bucket, the role and the log groups exist; requests of clients wait for it."""
    closing: threading.Event = field(default_factory=threading.Event)


@functools.cache
def _session() -> Session:
    """Make a session that reads no profile and no configuration file of the user: they are meant for AWS."""
    session = Session()
    for variable in ("config_file", "credentials_file"):
        session.set_config_variable(variable, os.devnull)
    session.session_var_map["profile"] = (None, None, None, None)  # AWS_PROFILE may name one that is not in /dev/null
    return session


def client(service: str, url: str) -> Any:
    return _session().create_client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=SERVER_KEY,
        aws_secret_access_key="local",
        config=Config(proxies={}, retries={"mode": "standard", "total_max_attempts": 2}, max_pool_connections=50),
    )
