"""A model server: the model's files from S3, the `serve` command and its HTTP port."""

from __future__ import annotations

import http.client
import shutil
import socket
import tarfile
import time
import uuid
from contextlib import suppress
from typing import Any

from sagemaker_local.account import ENDPOINT_LOG_GROUP
from sagemaker_local.container import Container
from sagemaker_local.isolation import host_names
from sagemaker_local.logs import LogStream
from sagemaker_local.services import Services
from sagemaker_local.transfer import TRANSFER_ERRORS, DataError, download

READY_SECONDS = 60
INVOCATION_SECONDS = 60
"""AWS's limit for a real-time endpoint."""
TERMINATE_SECONDS = 30


class ServingError(Exception):
    """The FailureReason of an endpoint."""


class ModelServer:
    def __init__(self, endpoint_name: str, config_name: str, services: Services) -> None:
        self.config_name, self.services = config_name, services
        self.directory = services.root / "endpoints" / f"{endpoint_name}-{uuid.uuid4().hex[:8]}"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._container: Container | None = None
        self._logs: LogStream | None = None
        self._stream = f"{endpoint_name}/AllTraffic/{self.directory.name}"

    def start(self) -> list[dict[str, Any]]:
        """Start, and return the endpoint's ProductionVariants once /ping answers 200. Raises ServingError."""
        try:
            variant, definition = self._variant()
            hosts = host_names(self.services.isolation, 1)
            container = Container(self.directory / "model", isolation=self.services.isolation, host=hosts[0], hosts=hosts)
            self._container = container
            self._fetch_model(definition, container)
            own = {"SAGEMAKER_BIND_TO_PORT": str(self.port), "SM_MODEL_DIR": "/opt/ml/model"}
            variables = {**definition.get("Environment", {}), **own}
            self._logs = LogStream(self.services.logs, ENDPOINT_LOG_GROUP, self._stream, container.log_file)
            container.start(
                [*self.services.serve_command], variables, self.services.environments, self.services.job_credentials
            )
        except (*TRANSFER_ERRORS, DataError, tarfile.TarError) as error:
            raise ServingError(f"Failed to download model data: {error}") from error
        self._await_ping(container, variant["VariantName"])
        return [_running_variant(variant)]

    def _variant(self) -> tuple[dict[str, Any], dict[str, Any]]:
        client = self.services.sagemaker
        variants = client.describe_endpoint_config(EndpointConfigName=self.config_name)["ProductionVariants"]
        if len(variants) > 1:
            raise ServingError(f"The local SageMaker serves one variant of an endpoint, not {len(variants)}")
        model = client.describe_model(ModelName=variants[0]["ModelName"])
        definition = model.get("PrimaryContainer") or next(iter(model.get("Containers") or []), None)
        if definition is None or len(model.get("Containers") or []) > 1:
            raise ServingError("The local SageMaker serves models of one container")
        return variants[0], definition

    def _fetch_model(self, definition: dict[str, Any], container: Container) -> None:
        source = (definition.get("ModelDataSource") or {}).get("S3DataSource") or {}
        uri = definition.get("ModelDataUrl") or source.get("S3Uri")
        if not uri:
            return
        directory = container.tree / "model"
        if source.get("CompressionType") == "None":
            download(self.services.s3, uri, directory)
            return
        name = uri.rpartition("/")[2]
        if name not in download(self.services.s3, uri, container.directory / "archive"):
            raise DataError(f"Could not find model data at {uri}.")
        with tarfile.open(container.directory / "archive" / name) as archive:
            archive.extractall(directory, filter="data")

    def _await_ping(self, container: Container, variant: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and container.is_running and not self.services.closing.is_set():
            self.send_logs()
            with suppress(OSError):
                if self._request("GET", "/ping", seconds=2)[0] == 200:
                    return
            container.wait(0.1)
        raise ServingError(
            f"The primary container for production variant {variant} did not pass the ping health check. Please check "
            "CloudWatch logs for this endpoint."
        )

    def send_logs(self) -> None:
        if self._logs:
            self._logs.send()

    def invoke(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the model's answer. Raises OSError, TimeoutError among them."""
        try:
            return self._request("POST", "/invocations", body, headers, seconds=INVOCATION_SECONDS)
        finally:
            self.send_logs()

    def _request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, *, seconds: float
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"{type(error).__name__} {error}") from error
        finally:
            connection.close()

    def close(self) -> None:
        """End the model with SIGTERM, and with SIGKILL after 30 s, or at once when the whole server ends."""
        if container := self._container:
            container.terminate()
            deadline = time.monotonic() + TERMINATE_SECONDS
            while container.is_running and time.monotonic() < deadline and not self.services.closing.is_set():
                container.wait(0.1)
            container.close()
            self.send_logs()
        shutil.rmtree(self.directory, ignore_errors=True)


def _running_variant(variant: dict[str, Any]) -> dict[str, Any]:
    running: dict[str, Any] = {"VariantName": variant["VariantName"], "CurrentWeight": 1.0, "DesiredWeight": 1.0}
    if "ServerlessConfig" in variant:
        return running | {"CurrentServerlessConfig": variant["ServerlessConfig"]}
    count = variant.get("InitialInstanceCount", 1)
    return running | {"CurrentInstanceCount": count, "DesiredInstanceCount": count}
