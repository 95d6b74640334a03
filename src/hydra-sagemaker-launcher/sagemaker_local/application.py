"""Refuses, fails, answers or passes on to moto every request, and records it."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.test import run_wsgi_app

from sagemaker_local.account import REGION
from sagemaker_local.endpoints import Endpoints, invoke
from sagemaker_local.errors import ApiError, LocalSageMakerError, Response, invalid, unknown_operation
from sagemaker_local.faults import XML_SERVICES
from sagemaker_local.jobs import Operation, TrainingJobs
from sagemaker_local.recording import Call, RecordedRequest, body_length, identify, read_body
from sagemaker_local.served import check_served, read_json_body
from sagemaker_local.services import Services
from sagemaker_local.signatures import check_signature, is_of_this_user
from sagemaker_local.tags import OUR_ARNS, Tags
from sagemaker_local.validation import validate

SHOWN_TO_ITS_USER = ("ListTrainingJobs", "DescribeTrainingJob")
"""The state of jobs, which the server's own user sees with whatever keys a client has; everything else needs the server's.

This gives nothing away: the same user can read the server's keys in their file, and looking at jobs runs and changes nothing.
A script with the made-up keys that emulators usually take, or a shell with those of a server before, then sees that jobs run
here, where an error would look like the lack of any.
"""
IDLE_SECONDS = 60
"""A connection that sends nothing for so long is closed."""
MAX_BODY_BYTES = 16 << 20
MAX_OBJECT_BYTES = 5 << 30
"""As S3 takes in one request."""
LOOPBACK = re.compile(r"(127\.\d+\.\d+\.\d+|(.+\.)?localhost|\[::1\])(:\d+)?")

log = logging.getLogger("sagemaker_local")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class QuietHandler(MotoRequestHandler):
    """Moto's handling of headers, without a line on the terminal for each request."""

    timeout = IDLE_SECONDS

    def log(self, type: str, message: str, *args: Any) -> None:
        if type == "error":
            log.error(message, *args)


class Front:
    def __init__(self, moto: Application, jobs: TrainingJobs, endpoints: Endpoints, tags: Tags, services: Services) -> None:
        self.moto, self.endpoints, self.tags, self.requests = moto, endpoints, tags, services.requests
        self.keys = services.keys
        self.counters, self.ready = services.counters, services.ready
        self.operations: dict[str, Operation] = {**jobs.operations, **endpoints.operations, **tags.operations}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        refused = _refusal(environ)
        if refused or environ["PATH_INFO"].startswith("/_local/"):
            return _send(refused or self._stranger(environ) or self._local(environ), start_response)
        began, call = time.time(), identify(environ)
        if call.caller != "server":
            self.ready.wait()
        bytes_in = body_length(environ)
        # a call is recorded before the answer is sent, so that a client's next request finds it
        if (response := self._answer(call, environ)) is not None:
            self._record(call, began, response[0], bytes_in, len(response[2]))
            return _send(response, start_response)
        status, headers, chunks = self._ask_moto(call, environ)
        self._record(call, began, int(status.split()[0]), bytes_in, sum(len(chunk) for chunk in chunks))
        start_response(status, headers)
        return chunks

    def _ask_moto(self, call: Call, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], list[bytes]]:
        """Return moto's answer; where it breaks, as it does for operations that it does not know, AWS's for an unknown one."""
        try:
            chunks, status, headers = run_wsgi_app(self.moto, environ, buffered=True)
            answer = list(chunks)
            if not (status.startswith("5") or status.startswith("404") and call.service != "s3" and not b"".join(answer)):
                return status, list(headers), answer
        except Exception:
            log.debug("moto failed at %s %s", call.service, call.operation, exc_info=True)
        named_nobody = call.service == "sagemaker" and call.operation in self.tags.operations
        error = invalid("Could not find the resource.") if named_nobody else unknown_operation(call.service, call.operation)
        code, named, body = _as_response(call, error)
        return f"{code} {HTTPStatus(code).phrase}", [*named, ("Content-Length", str(len(body)))], [body]

    def _answer(self, call: Call, environ: dict[str, Any]) -> Response | None:
        """Return the response, or None if the request is moto's."""
        try:
            self._check_signature(call, environ)
            check_served(call, environ)
            if call.caller != "server":
                self.counters.on_call(call.service, call.operation)
            if call.service == "s3" and call.operation in ("PutObject", "UploadPart"):
                self.counters.on_put(unquote(call.path).lstrip("/"))
            if call.operation in ("GetObject", "HeadObject") and call.service == "s3" and call.caller == "client":
                self.counters.on_read(unquote(call.path).lstrip("/"))
            if call.service == "sagemaker":
                return self._sagemaker(call, environ)
        except ApiError as error:
            read_body(environ)  # an unread body would be taken for the connection's next request
            return _as_response(call, error)
        return None

    def _check_signature(self, call: Call, environ: dict[str, Any]) -> None:
        try:
            check_signature(environ, call.service, self.keys)
        except ApiError:
            if call.service != "sagemaker" or call.operation not in SHOWN_TO_ITS_USER or not is_of_this_user(environ):
                raise

    def _sagemaker(self, call: Call, environ: dict[str, Any]) -> Response | None:
        if call.region != REGION:
            raise invalid(f"The local SageMaker is in {REGION}, not {call.region}: set AWS_DEFAULT_REGION.")
        if call.operation == "InvokeEndpoint":
            return invoke(self.endpoints, unquote(call.path.split("/")[2]), environ, read_body(environ))
        if (operation := self.operations.get(call.operation)) is None:
            return None
        request = read_json_body(environ)
        validate(call.operation, request)
        if call.operation in self.tags.operations and not request["ResourceArn"].startswith(OUR_ARNS):
            return None
        return 200, [("Content-Type", "application/x-amz-json-1.1")], json.dumps(operation(request)).encode()

    def _record(self, call: Call, began: float, status: int, bytes_in: int, bytes_out: int) -> None:
        """Record a call of a client or a job, not the server's own."""
        if call.caller != "server":
            named = (call.service, call.operation, call.caller, call.path)
            self.requests.append(RecordedRequest(began, *named, status, bytes_in, bytes_out, time.time() - began))

    def _stranger(self, environ: dict[str, Any]) -> Response | None:
        """Refuse /_local/ to another user of the machine, who would see what is sent here, and could make jobs fail."""
        try:
            if not is_of_this_user(environ):
                check_signature(environ, identify(environ).service, self.keys)
        except ApiError as error:
            read_body(environ)
            return _json(403, {"message": error.message})
        return None

    def _local(self, environ: dict[str, Any]) -> Response:
        method, path, faults = environ["REQUEST_METHOD"], environ["PATH_INFO"], self.counters.faults
        if (method, path) == ("GET", "/_local/requests"):
            return _json(200, [dataclasses.asdict(record) for record in list(self.requests)])
        if path != "/_local/faults" or method not in ("GET", "PUT"):
            return _json(404, {"message": "served here: GET /_local/requests, GET /_local/faults, PUT /_local/faults"})
        if method == "PUT":
            try:
                faults.replace(json.loads(read_body(environ)))
            except (LocalSageMakerError, ValueError, TypeError) as error:
                return _json(400, {"message": str(error)})
            self.counters.restart()
        return _json(200, dataclasses.asdict(faults))


def _refusal(environ: dict[str, Any]) -> Response | None:
    """Refuse web pages: one in the user's browser could reach this port too, and jobs run commands."""
    length, is_object = body_length(environ), "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", "")
    if length < 0 or length > (MAX_OBJECT_BYTES if is_object else MAX_BODY_BYTES):
        message = (
            f"a body of {environ['CONTENT_LENGTH']} bytes is not taken: at most {MAX_BODY_BYTES}, and {MAX_OBJECT_BYTES} to S3"
        )
        code, headers, body = _json(400 if length < 0 else 413, {"__type": "RequestEntityTooLarge", "message": message})
        return code, [*headers, ("Connection", "close")], body  # it is not read: what follows on the connection is no request
    host = environ.get("HTTP_HOST", "")
    if "HTTP_ORIGIN" in environ or not LOOPBACK.fullmatch(host):
        read_body(environ)
        return _json(403, {"message": f"requests of web pages and to other hosts than this one ({host}) are refused"})
    return None


def _as_response(call: Call, error: ApiError) -> Response:
    return error.as_xml(wrapped=call.service != "s3") if call.service in XML_SERVICES else error.as_json()


def _json(status: int, content: Any) -> Response:
    return status, [("Content-Type", "application/json")], json.dumps(content).encode()


def _send(response: Response, start_response: Callable[..., Any]) -> list[bytes]:
    status, headers, body = response
    start_response(f"{status} {HTTPStatus(status).phrase}", [*headers, ("Content-Length", str(len(body)))])
    return [body]
