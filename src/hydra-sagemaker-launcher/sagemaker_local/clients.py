"""The server's own clients of the services that moto plays behind it."""

from __future__ import annotations

import functools
import os
from typing import Any

from botocore.config import Config
from botocore.session import Session

from sagemaker_local.account import REGION, SERVER_KEY


@functools.cache
def _session() -> Session:
    """Reads no profile and no configuration file of the user: they are meant for AWS."""
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
