"""Checks who signed a request: AWS's Signature Version 4, in a header or in a URL, and the older form of boto3's signed URLs.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import socket
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from sagemaker_local.account import Keys
from sagemaker_local.errors import ApiError
from sagemaker_local.faults import XML_SERVICES
from sagemaker_local.recording import read_body

HEADER = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})")
ALGORITHM = "AWS4-HMAC-SHA256"


def check_signature(environ: dict[str, Any], service: str, keys: Keys) -> None:
    """Refuse a request that is not signed with the keys of this server.

    Raises ApiError, with AWS's code, for no signature, an unknown key, a wrong signature and a signed URL that has expired.
    """
    query = environ.get("QUERY_STRING", "")
    values = {name: entries[0] for name, entries in parse_qs(query, keep_blank_values=True).items()}
    if header := HEADER.match(environ.get("HTTP_AUTHORIZATION", "")):
        key, scope, names, given = header.groups()
        payload = environ.get("HTTP_X_AMZ_CONTENT_SHA256") or hashlib.sha256(read_body(environ)).hexdigest()
        wanted = _version_4(environ, service, keys, scope, names, environ.get("HTTP_X_AMZ_DATE", ""), query, payload)
    elif "X-Amz-Signature" in values:
        key, _, scope = values.get("X-Amz-Credential", "").partition("/")
        given, date, names = (values.get(name, "") for name in ("X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders"))
        _check_expiry(date, values.get("X-Amz-Expires", ""))
        rest = "&".join(pair for pair in query.split("&") if not pair.startswith("X-Amz-Signature="))
        wanted = _version_4(environ, service, keys, scope, names, date, rest, "UNSIGNED-PAYLOAD")
    elif "AWSAccessKeyId" in values:
        key, given = values["AWSAccessKeyId"], values.get("Signature", "")
        if not values.get("Expires", "").isdigit() or int(values["Expires"]) < time.time():
            raise ApiError("AccessDenied", "Request has expired", status=403)
        wanted = _version_2(environ, keys, values["Expires"])
    else:
        code = "AccessDenied" if service in XML_SERVICES else "MissingAuthenticationTokenException"
        raise ApiError(code, f"The request is not signed. {_advice()}", status=403)
    if key not in keys.ids.values():
        code = {"s3": "InvalidAccessKeyId"}.get(service, "InvalidClientTokenId")
        code = code if service in XML_SERVICES else "UnrecognizedClientException"
        raise ApiError(code, f"The access key {key} is not one of this server. {_advice()}", status=403)
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        code = "SignatureDoesNotMatch" if service in XML_SERVICES else "InvalidSignatureException"
        raise ApiError(code, f"The signature does not match. {_advice()}", status=403)


def is_of_this_user(environ: dict[str, Any]) -> bool:
    """Tell whether the process at the other end of a connection is of the server's own user; False if unknown.

    Both ends are looked up: the port of a client alone may be another connection's too, from another address of this machine.
    """
    try:
        client = _as_listed(environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"]))
        server = _as_listed("127.0.0.1", int(environ["SERVER_PORT"]))
        lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    except (OSError, KeyError, ValueError):  # not Linux, or no connection
        return False
    owners = {fields[7] for fields in map(str.split, lines) if fields[1:3] == [client, server]}
    return owners == {str(os.getuid())}


def _as_listed(address: str, port: int) -> str:
    """Return an end of a connection as Linux lists it in /proc/net/tcp: a number in the machine's own order of bytes."""
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"


def _advice() -> str:
    return "Export the variables that the local SageMaker printed when it was started: every server has keys of its own."


def _version_4(
    environ: dict[str, Any], service: str, keys: Keys, scope: str, names: str, date: str, query: str, payload: str
) -> str:
    path = _path(environ)
    path = path if service == "s3" else quote(path, safe="/~")
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&") if pair)
    signed = names.split(";")
    canonical = [
        environ["REQUEST_METHOD"],
        path,
        "&".join(f"{name}={value}" for name, value in pairs),
        *(f"{name}:{_header(environ, name)}" for name in signed),
        "",
        names,
        payload,
    ]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return _hmac(key, "\n".join([ALGORITHM, date, scope, digest])).hex()


def _version_2(environ: dict[str, Any], keys: Keys, expires: str) -> str:
    pairs: Sequence[tuple[str, str]] = [
        (unquote(name), unquote(value))
        for name, _, value in (pair.partition("=") for pair in environ.get("QUERY_STRING", "").split("&"))
        if name.startswith("response-") or name in ("uploadId", "partNumber", "versionId")
    ]
    resource = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    own = sorted(name for name in environ if name.startswith("HTTP_X_AMZ_"))
    headers = "".join(f"{name[5:].lower().replace('_', '-')}:{environ[name].strip()}\n" for name in own)
    path = f"{_path(environ)}?{resource}" if resource else _path(environ)
    text = "\n".join(
        [
            *(environ["REQUEST_METHOD"], environ.get("HTTP_CONTENT_MD5", ""), environ.get("CONTENT_TYPE", "")),
            *(expires, headers + path),
        ]
    )
    return base64.b64encode(hmac.new(keys.secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def _check_expiry(date: str, expires: str) -> None:
    try:
        signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        has_expired = time.time() > signed + int(expires)
    except ValueError:
        has_expired = True
    if has_expired:
        raise ApiError("AccessDenied", "Request has expired", status=403)


def _path(environ: dict[str, Any]) -> str:
    """Return the path as it was sent: PATH_INFO is decoded."""
    sent = environ.get("REQUEST_URI") or environ["PATH_INFO"]
    return re.sub(r"^https?://[^/]*", "", sent).partition("?")[0] or "/"


def _header(environ: dict[str, Any], name: str) -> str:
    variable = name.upper().replace("-", "_")
    variable = variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"
    return " ".join(str(environ.get(variable, "")).split())


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
