"""The operations on endpoints and InvokeEndpoint: models and endpoint configs are moto's, the model server really runs."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sagemaker_local.account import ACCOUNT, arn
from sagemaker_local.errors import ApiError, Response, invalid
from sagemaker_local.jobs import Operation
from sagemaker_local.listing import page_of
from sagemaker_local.model_server import ModelServer, ServingError
from sagemaker_local.services import Services
from sagemaker_local.tags import Tags

log = logging.getLogger("sagemaker_local")

JOIN_SECONDS = 5
MAX_BODY_BYTES = 6_291_456
PASSED_HEADERS = ("CONTENT_TYPE", "HTTP_ACCEPT")


@dataclass(eq=False)
class Endpoint:
    name: str
    config_name: str
    status: str = "Creating"
    created: float = field(default_factory=time.time)
    modified: float = field(default_factory=time.time)
    failure_reason: str | None = None
    variants: list[dict[str, Any]] = field(default_factory=list)
    server: ModelServer | None = None

    def summary(self) -> dict[str, Any]:
        return {
            "EndpointName": self.name,
            "EndpointArn": arn("endpoint", self.name),
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "EndpointStatus": self.status,
        }

    def describe(self) -> dict[str, Any]:
        described = self.summary() | {"EndpointConfigName": self.config_name}
        if self.variants:
            described["ProductionVariants"] = self.variants
        return described | ({"FailureReason": self.failure_reason} if self.failure_reason else {})


class Endpoints:
    def __init__(self, services: Services, tags: Tags) -> None:
        self.services, self.tags = services, tags
        self.lock = threading.RLock()
        self.endpoints: dict[str, Endpoint] = {}
        self._threads: list[threading.Thread] = []
        self.operations: dict[str, Operation] = {
            "CreateEndpoint": self.create,
            "DescribeEndpoint": self.describe,
            "UpdateEndpoint": self.update,
            "DeleteEndpoint": self.delete,
            "ListEndpoints": self.list_page,
        }

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointName"]
        self._check_config(request["EndpointConfigName"])
        with self.lock:
            if name in self.endpoints:
                raise invalid(f'Cannot create already existing endpoint "{arn("endpoint", name)}".')
            endpoint = self.endpoints[name] = Endpoint(name, request["EndpointConfigName"])
        self.tags.add(arn("endpoint", name), request.get("Tags", []))
        self._deploy(endpoint, endpoint.config_name)
        return {"EndpointArn": arn("endpoint", name)}

    def _check_config(self, config_name: str) -> None:
        try:
            self.services.sagemaker.describe_endpoint_config(EndpointConfigName=config_name)
        except self.services.sagemaker.exceptions.ClientError:
            missing = arn("endpoint-config", config_name)
            raise invalid(f'Could not find endpoint configuration "{missing}".') from None

    def get(self, name: str) -> Endpoint:
        if name not in self.endpoints:
            raise invalid(f'Could not find endpoint "{arn("endpoint", name)}".')
        return self.endpoints[name]

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            return self.get(request["EndpointName"]).describe()

    def list_page(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            summaries = [endpoint.summary() for endpoint in self.endpoints.values()]
        page, token = page_of(summaries, request, "Endpoint")
        return {"Endpoints": page, **token}

    def _get_idle(self, name: str) -> Endpoint:
        if (endpoint := self.get(name)).status in ("Creating", "Updating"):
            raise invalid(f'Cannot update in-progress endpoint "{arn("endpoint", name)}".')
        return endpoint

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        config_name = request["EndpointConfigName"]
        self._check_config(config_name)
        with self.lock:
            endpoint = self._get_idle(request["EndpointName"])
            if endpoint.config_name == config_name:
                raise invalid(
                    f"The endpoint {endpoint.name} already has the endpoint configuration {config_name}: update it to another."
                )
            endpoint.status, endpoint.modified = "Updating", time.time()
        self._deploy(endpoint, config_name)
        return {"EndpointArn": arn("endpoint", endpoint.name)}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            endpoint = self._get_idle(request["EndpointName"])
            del self.endpoints[endpoint.name]
        self.tags.forget(arn("endpoint", endpoint.name))
        log.info("endpoint %s deleted", endpoint.name)
        if endpoint.server:
            self._start_thread(endpoint.server.close)
        return {}

    def _deploy(self, endpoint: Endpoint, config_name: str) -> None:
        log.info("endpoint %s %s", endpoint.name, endpoint.status)
        self._start_thread(self._replace_server, endpoint, config_name)

    def _start_thread(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()

    def _replace_server(self, endpoint: Endpoint, config_name: str) -> None:
        """Keep the old model server until the new one answers, or for good if it never does."""
        old, server = endpoint.server, ModelServer(endpoint.name, config_name, self.services)
        try:
            variants = server.start()
        except Exception as error:
            if not isinstance(error, ServingError):
                log.exception("endpoint %s: the local SageMaker failed", endpoint.name)
            with self.lock:
                endpoint.status = "InService" if old else "Failed"
                endpoint.failure_reason, endpoint.modified = str(error)[:1024], time.time()
            server.close()
        else:
            with self.lock:
                endpoint.server, endpoint.variants, endpoint.config_name = server, variants, config_name
                endpoint.status, endpoint.failure_reason, endpoint.modified = "InService", None, time.time()
            if old:
                old.close()
        log.info("endpoint %s %s", endpoint.name, " ".join(filter(None, [endpoint.status, endpoint.failure_reason])))

    def close(self) -> None:
        """End all model servers: `services.closing` is set by now, so this takes no long wait."""
        with self.lock:
            servers = [endpoint.server for endpoint in self.endpoints.values() if endpoint.server]
            self.endpoints.clear()
        for server in servers:
            server.close()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)


def invoke(endpoints: Endpoints, name: str, environ: dict[str, Any], body: bytes) -> Response:
    """Pass a request to the model server, and its answer or error back."""
    endpoint = endpoints.endpoints.get(name)
    if endpoint is None or endpoint.server is None:
        raise ApiError("ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.")
    if len(body) > MAX_BODY_BYTES:
        raise ApiError(
            "ValidationError",
            "1 validation error detected: Value at 'body' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_BODY_BYTES}",
        )
    given = {name: value for name, value in environ.items() if name in PASSED_HEADERS or "X_AMZN_SAGEMAKER" in name}
    passed = {name.removeprefix("HTTP_").replace("_", "-"): value for name, value in given.items() if value}
    try:
        status, headers, answer = endpoint.server.invoke(body, passed)
    except TimeoutError:
        return _model_error(0, "Your invocation timed out while waiting for a response from container primary.")
    except OSError as error:
        return _model_error(0, f"The container closed the connection: {error}")
    if not 200 <= status < 300:
        return _model_error(status, answer.decode(errors="replace"))
    variant = endpoint.variants[0]["VariantName"]
    content_type = headers.get("Content-Type", "application/octet-stream")
    return 200, [("Content-Type", content_type), ("x-Amzn-Invoked-Production-Variant", variant)], answer


def _model_error(status: int, message: str) -> Response:
    body = {
        "Message": f'Received server error ({status}) from primary with message "{message}". See the CloudWatch logs.',
        "OriginalStatusCode": status,
        "OriginalMessage": message,
    }
    return 424, [("Content-Type", "application/json"), ("x-amzn-ErrorType", "ModelError")], json.dumps(body).encode()
