"""The server: everything put together, started and ended."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra_sagemaker.aws.local_credentials import keys_of, published
from sagemaker_local.account import BUCKET, CLIENT_KEY, ENDPOINT_LOG_GROUP, LOG_GROUP, ROLE_NAME, SERVICE_PRINCIPAL, Keys
from sagemaker_local.errors import LocalSageMakerError
from sagemaker_local.faults import Faults
from sagemaker_local.recording import RecordedRequest
from sagemaker_local.warm_pools import Machines

if TYPE_CHECKING:
    from sagemaker_local.isolation import Isolation
    from sagemaker_local.services import Services

INSTALL = 'pip install "moto[s3]>=5.1" "flask>=3.0" "flask-cors>=5.0"'
TRUST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": SERVICE_PRINCIPAL}, "Action": "sts:AssumeRole"}],
}
_open_servers: set[str] = set()


class LocalSageMaker:
    """A context manager. Several servers in one process share the contents of moto: buckets, logs, secrets, roles, models.

    `isolation="namespace"` gives jobs a real /opt/ml and pid 1, where the kernel allows it; "environment" tells them where
    their tree is in SAGEMAKER_BASE_DIR. `python` is the interpreter whose packages jobs find installed.
    """

    def __init__(
        self,
        root: Path,
        *,
        port: int = 0,
        isolation: Isolation = "environment",
        python: str = sys.executable,
        max_running: int = 4,
        stop_grace_seconds: float = 120,
        faults: Faults | None = None,
        machines: Machines | None = None,
        serve_command: Sequence[str] = ("serve",),
    ) -> None:
        from sagemaker_local.isolation import ISOLATIONS

        if isolation not in ISOLATIONS:
            raise LocalSageMakerError(f"there is no isolation {isolation!r}; isolations: {', '.join(ISOLATIONS)}")
        if max_running < 1:
            raise LocalSageMakerError(f"max_running is at least 1, not {max_running}")
        self.isolation: Isolation = isolation
        self.root, self.port, self.python = Path(root).resolve(), port, python
        self.max_running, self.stop_grace_seconds, self.serve_command = max_running, stop_grace_seconds, serve_command
        self.faults, self.machines = faults or Faults(), machines or Machines()
        self.url, self.keys = "", Keys()
        self.requests: list[RecordedRequest] = []

    @property
    def client_environment(self) -> dict[str, str]:
        """The environment variables with which AWS's clients talk to this server and to no other."""
        return self.keys.environment(self.url, CLIENT_KEY)

    def __enter__(self) -> LocalSageMaker:
        """Start. Raises LocalSageMakerError: packages missing, port taken, no namespaces, no Python."""
        _require_packages()
        from sagemaker_local.isolation import check_namespaces
        from sagemaker_local.services import Services

        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket())
            with _port_errors(self.port):
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("127.0.0.1", self.port))
                self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                if self.port:  # clients of the server that had it before, ended or killed, know its keys
                    self.keys = Keys(keys_of(self.url))
                stack.enter_context(published(self.url, self.keys.arguments(CLIENT_KEY), keep=bool(self.port)))
                listener.listen()  # with the keys in place: a client that waits for the port finds them
            self.root.mkdir(parents=True, exist_ok=True)
            if self.isolation == "namespace":
                check_namespaces(self.root)
            services = Services(self)
            stack.callback(services.close)
            self._serve(services, listener, stack)
            self._create_account(services)
            services.ready.set()
            _open_servers.add(self.url)
            stack.callback(_open_servers.discard, self.url)
            stack.callback(services.closing.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End every job and endpoint within seconds, without uploads."""
        self._stack.close()

    def _serve(self, services: Services, listener: socket.socket, stack: contextlib.ExitStack) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        from sagemaker_local.application import Front, QuietHandler
        from sagemaker_local.endpoints import Endpoints
        from sagemaker_local.jobs import TrainingJobs
        from sagemaker_local.runner import JobRun
        from sagemaker_local.scheduler import Scheduler
        from sagemaker_local.tags import Tags
        from sagemaker_local.warm_pools import WarmPools

        tags = Tags()
        scheduler = Scheduler(self.max_running, services.closing, lambda job: JobRun(job, jobs, services).run())
        pools = WarmPools(self.machines, self.root)
        self.jobs = jobs = TrainingJobs(self.faults, tags, pools, s3=services.s3, iam=services.iam, submit=scheduler.submit)
        endpoints = Endpoints(services, tags)
        moto = DomainDispatcherApplication(create_backend_app)
        front = Front(moto, jobs, endpoints, tags, services)
        host, port = listener.getsockname()
        http = make_server(host, port, front, threaded=True, request_handler=QuietHandler, fd=listener.fileno())
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        for end in (thread.join, http.server_close, http.shutdown, scheduler.close, endpoints.close):  # called from the last
            stack.callback(end)

    def _create_account(self, services: Services) -> None:
        if not _open_servers:
            from moto.moto_api._internal.models import moto_api_backend

            moto_api_backend.reset()
        services.s3.create_bucket(Bucket=BUCKET)
        iam, logs = services.iam, services.logs
        exists = (iam.exceptions.EntityAlreadyExistsException, logs.exceptions.ResourceAlreadyExistsException)
        with contextlib.suppress(*exists):  # another server of this process has made them
            iam.create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument=json.dumps(TRUST_POLICY))
            for group in (LOG_GROUP, ENDPOINT_LOG_GROUP):
                logs.create_log_group(logGroupName=group)


def _require_packages() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moto warns before it raises
        try:
            import moto.moto_server.werkzeug_app  # noqa: F401
        except ImportError as error:
            raise LocalSageMakerError(f"the local SageMaker needs the package {error.name}; type: {INSTALL}") from error


@contextlib.contextmanager
def _port_errors(port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise LocalSageMakerError(
            f"port {port} of 127.0.0.1 is not available ({reason}): choose another with --port"
        ) from error
