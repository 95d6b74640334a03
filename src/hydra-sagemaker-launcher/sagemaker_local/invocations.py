"""InvokeEndpoint: passes the request to the model server, and its answer or error back."""

from __future__ import annotations

import json
from typing import Any

from sagemaker_local.account import ACCOUNT
from sagemaker_local.endpoints import Endpoints
from sagemaker_local.errors import ApiError, Response

MAX_BODY_BYTES = 6_291_456
PASSED_HEADERS = ("CONTENT_TYPE", "HTTP_ACCEPT")


def invoke(endpoints: Endpoints, name: str, environ: dict[str, Any], body: bytes) -> Response:
    endpoint = endpoints.endpoints.get(name)
    if endpoint is None or endpoint.server is None:
        raise ApiError("ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.")
    if len(body) > MAX_BODY_BYTES:
        raise ApiError(
            "ValidationError",
            "1 validation error detected: Value at 'body' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_BODY_BYTES}",
        )
    try:
        status, headers, answer = endpoint.server.invoke(body, _headers(environ))
    except TimeoutError:
        return _model_error(0, "Your invocation timed out while waiting for a response from container primary.")
    except OSError as error:
        return _model_error(0, f"The container closed the connection: {error}")
    if not 200 <= status < 300:
        return _model_error(status, answer.decode(errors="replace"))
    variant = endpoint.variants[0]["VariantName"]
    content_type = headers.get("Content-Type", "application/octet-stream")
    return 200, [("Content-Type", content_type), ("x-Amzn-Invoked-Production-Variant", variant)], answer


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    passed = {name: value for name, value in environ.items() if name in PASSED_HEADERS or "X_AMZN_SAGEMAKER" in name}
    return {name.removeprefix("HTTP_").replace("_", "-"): value for name, value in passed.items() if value}


def _model_error(status: int, message: str) -> Response:
    body = {
        "Message": f'Received server error ({status}) from primary with message "{message}". See the CloudWatch logs.',
        "OriginalStatusCode": status,
        "OriginalMessage": message,
    }
    return 424, [("Content-Type", "application/json"), ("x-amzn-ErrorType", "ModelError")], json.dumps(body).encode()
