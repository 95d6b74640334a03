"""Identifies the call of a request; the records of all calls, which a benchmark counts."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from sagemaker_local.account import JOB_KEY, REGION, SERVER_KEY

CALLERS = {JOB_KEY: "job", SERVER_KEY: "server"}
CREDENTIAL = re.compile(r"Credential=([^/,]+)/[^/]+/([^/]+)/([^/]+)/aws4_request")
INVOCATION = re.compile(r"/endpoints/[^/]+/invocations")
FORM = "application/x-www-form-urlencoded"
OBJECT_OPERATIONS = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
BUCKET_OPERATIONS = {
    "PUT": "CreateBucket",
    "GET": "ListObjects",
    "HEAD": "HeadBucket",
    "DELETE": "DeleteBucket",
    "POST": "DeleteObjects",
}


@dataclass(frozen=True)
class Call:
    service: str
    operation: str
    caller: str
    """`client`, `job`, or `server` for the local SageMaker's own; other keys count as a client's."""
    region: str
    path: str


@dataclass(frozen=True)
class RecordedRequest:
    time: float
    service: str
    operation: str
    caller: str
    path: str
    status: int
    bytes_in: int
    """Bytes of the body, without headers."""
    bytes_out: int
    seconds: float


def identify(environ: dict[str, Any]) -> Call:
    signed = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, region, service = signed.groups() if signed else ("", REGION, "s3")
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if target := environ.get("HTTP_X_AMZ_TARGET", ""):
        operation = target.partition(".")[2]
    elif service == "s3":
        operation = s3_operation(method, path, parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    elif service == "sagemaker" and INVOCATION.fullmatch(path):
        operation = "InvokeEndpoint"
    else:
        is_form = environ.get("CONTENT_TYPE", "").startswith(FORM)
        form = parse_qs(read_body(environ).decode(errors="replace")) if is_form else {}
        operation = form.get("Action", [f"{method} {path}"])[0]
    caller = next((name for kind, name in CALLERS.items() if key.startswith(kind)), "client")
    return Call(service, operation, caller, region, path)


def body_length(environ: dict[str, Any]) -> int:
    """Return the bytes of the body as announced; -1 for what is no number."""
    text = environ.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdigit() else -1


def read_body(environ: dict[str, Any]) -> bytes:
    """Return the whole body, which stays readable."""
    body = environ["wsgi.input"].read(max(0, body_length(environ)))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def s3_operation(method: str, path: str, query: dict[str, list[str]]) -> str:
    bucket, _, key = path.strip("/").partition("/")
    if not bucket:
        return "ListBuckets"
    if not key:
        return "ListObjectsV2" if "list-type" in query else BUCKET_OPERATIONS.get(method, method)
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if "uploadId" in query:
        return "UploadPart" if method == "PUT" else "AbortMultipartUpload"
    return OBJECT_OPERATIONS.get(method, method)
