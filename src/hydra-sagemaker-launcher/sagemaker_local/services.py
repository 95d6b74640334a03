"""The parts of the server that every job and endpoint uses, its own clients of the services that moto plays among them."""

from __future__ import annotations

import functools
import os
import threading
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import Session

from sagemaker_local.account import JOB_KEY, REGION, SERVER_KEY, Keys
from sagemaker_local.environment import Environments
from sagemaker_local.faults import FaultCounters

if TYPE_CHECKING:
    from sagemaker_local.isolation import Isolation
    from sagemaker_local.server import LocalSageMaker


class Services:
    def __init__(self, server: LocalSageMaker) -> None:
        self.url, self.root, self.keys = server.url, server.root, server.keys
        self.isolation: Isolation = server.isolation
        self.job_credentials = server.keys.environment(server.url, JOB_KEY)
        self.stop_grace_seconds, self.serve_command = server.stop_grace_seconds, server.serve_command
        self.machines = server.machines
        self.environments = Environments(server.python, server.root)
        self.counters, self.requests = FaultCounters(server.faults), server.requests
        self.s3, self.logs, self.sagemaker, self.iam = (
            _client(name, self.url, self.keys) for name in ("s3", "logs", "sagemaker", "iam")
        )
        self.ready = threading.Event()
        """Set once the bucket, the role and the log groups exist; requests of clients wait for it."""
        self.closing = threading.Event()

    def close(self) -> None:
        for client in (self.s3, self.logs, self.sagemaker, self.iam):
            client.close()


@functools.cache
def _session() -> Session:
    """Make a session that reads no profile and no configuration file of the user: they are meant for AWS."""
    session = Session()
    for variable in ("config_file", "credentials_file"):
        session.set_config_variable(variable, os.devnull)
    session.session_var_map["profile"] = (None, None, None, None)  # AWS_PROFILE may name one that is not in /dev/null
    return session


def _client(service: str, url: str, keys: Keys) -> Any:
    return _session().create_client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=keys.ids[SERVER_KEY],
        aws_secret_access_key=keys.secret,
        config=Config(proxies={}, retries={"mode": "standard", "total_max_attempts": 2}, max_pool_connections=50),
    )
