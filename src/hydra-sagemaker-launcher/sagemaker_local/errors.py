"""Two kinds of errors: for a client of the API, and for the person who starts the server."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

Response = tuple[int, list[tuple[str, str]], bytes]
"""HTTP status, headers, body."""


class LocalSageMakerError(Exception):
    """The server cannot start as asked."""


class ApiError(Exception):
    """An error as AWS answers it: `code` is what boto3 makes an exception class of."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status

    def as_json(self) -> Response:
        body = json.dumps({"__type": self.code, "message": self.message}).encode()
        return self.status, [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", self.code)], body

    def as_xml(self, *, wrapped: bool) -> Response:
        """S3 answers the bare Error, IAM and STS wrap it in an ErrorResponse."""
        error = f"<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message></Error>"
        body = f"<ErrorResponse>{error}</ErrorResponse>" if wrapped else error
        return self.status, [("Content-Type", "text/xml")], body.encode()


def invalid(message: str) -> ApiError:
    """Return the error for a request that the service refuses as it is."""
    return ApiError("ValidationException", message)


def not_served(feature: str) -> ApiError:
    """Return the error for a feature of AWS that is missing here: no job may silently behave otherwise than on AWS."""
    return invalid(f"The local SageMaker does not serve {feature}.")


def unknown_operation(service: str, operation: str) -> ApiError:
    """Return the error for an operation that neither this server nor moto knows."""
    return ApiError("UnknownOperationException", f"The local SageMaker does not know {operation} of {service}.")
