"""HTTP on 127.0.0.1: who may ask, which fault is due, and which part of the server answers."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.server
import json
import re
import socket
import sys
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from wandb_server import accounts, artifacts, file_stream, runs, views
from wandb_server.answers import OPERATIONS, Call, Refused, Unanswerable, selected
from wandb_server.state import Artifact, Request, Run, State, View

__all__ = ["WandbServer", "accounts", "artifacts", "runs", "views"]  # imported for the operations they register

KEY = "0123456789" * 4
STREAM = re.compile(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream")


@dataclass
class Fault:
    status: int | None
    when: Callable[[Request], bool]
    times: int | None

    def is_due(self, request: Request) -> bool:
        if self.times == 0 or not self.when(request):
            return False
        self.times = None if self.times is None else self.times - 1
        return True


class WandbServer:
    """`with WandbServer() as server:`; give its `environment` to the client."""

    def __init__(self, *, entity: str = "acme", user: str = "tester", key: str = KEY, silent_seconds: float = 300) -> None:
        self.key = key
        self.state = State(entity, user, silent_seconds)
        self._faults: list[Fault] = []
        self._http: _Http | None = None
        self._port = 0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> Self:
        """Also after `stop`: on the same port, with everything it knew."""
        if self._http is None:
            self._http = _Http(self._port, self)
            self._port = self._http.server_address[1]
            threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        """An outage: new connections are refused, open ones are cut."""
        if self._http is not None:
            self._http.shutdown()
            self._http.cut_connections()
            self._http.server_close()
            self._http = None

    def fail(
        self, status: int | None, *, operation: str = "", path: str = "", times: int | None = None,
        when: Callable[[Request], bool] = lambda request: True,
    ) -> None:  # fmt: skip
        """Answers with `status` (None: drops the connection) what fits the GraphQL operation, the pattern of the path and
        `when`; only the first `times` requests, if given. `heal` ends it."""

        def fits(request: Request) -> bool:
            right_operation = not operation or request.operation == operation
            return right_operation and re.search(path, request.path) is not None and when(request)

        self._faults.append(Fault(status, fits, times))

    def heal(self) -> None:
        self._faults.clear()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """For the client: this server, its key, no telemetry; a request to another host is caught, since this is the proxy."""
        return {
            "WANDB_BASE_URL": self.url, "WANDB_API_KEY": self.key, "WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true",
            "WANDB_INIT_TIMEOUT": "20", "HTTP_PROXY": self.url, "HTTPS_PROXY": self.url, "http_proxy": self.url,
            "https_proxy": self.url, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost",
        }  # fmt: skip

    @property
    def runs(self) -> dict[tuple[str, str], Run]:
        """By project and run id."""
        return self.state.runs

    @property
    def artifacts(self) -> dict[str, Artifact]:
        """By `collection:v0`."""
        return {artifact.name: artifact for artifact in self.state.artifacts.values()}

    @property
    def views(self) -> list[View]:
        return list(self.state.views.values())

    @property
    def requests(self) -> list[Request]:
        return self.state.requests

    @property
    def unknown(self) -> list[str]:
        return self.state.unknown

    def answer(self, request: Request, authorized: bool) -> tuple[int | None, Any]:
        """Status (None: drop the connection) and body, bytes or JSON."""
        with self.state.lock:
            self.requests.append(request)
            fault = next((fault for fault in self._faults if fault.is_due(request)), None)
            if fault:
                request.status = fault.status or 0
                return fault.status, {"errors": [{"message": "injected by the test"}]}
            request.status, body = self._answer(request, authorized)
            return request.status, body

    def _answer(self, request: Request, authorized: bool) -> tuple[int, Any]:
        try:
            if request.path.startswith("/storage/"):  # signed addresses: no key
                return self._store(request)
            stream = STREAM.fullmatch(request.path)
            if request.path != "/graphql" and not stream:
                raise Unanswerable(f"{request.method} {request.path}")
            if not authorized:
                return 401, {"errors": [{"message": "user is not logged in"}]}
            if stream:
                entity, project, run_id = stream.groups()
                file_stream.receive(
                    self.state, urllib.parse.unquote(project), urllib.parse.unquote(run_id), json.loads(request.body)
                )
                return (200, {"exitcode": None, "limits": {}}) if entity == self.state.entity else (404, {})
            return 200, {"data": self._graphql(request)}
        except Refused as refusal:
            return 404, {"errors": [{"message": str(refusal)}], "data": None}
        except Exception as error:
            what = str(error) if isinstance(error, Unanswerable) else f"{request.operation or request.path}: {error!r}"
            self.unknown.append(what)
            return 400, {"errors": [{"message": what}]}

    def _graphql(self, request: Request) -> Any:
        known = OPERATIONS.get(request.operation or "")
        query = json.loads(request.body)["query"]
        if known is None:
            raise Unanswerable(f"GraphQL operation {request.operation}: {query}")
        flat = {**request.variables, **(request.variables.get("input") or {})}
        flat.pop("input", None)
        if surplus := set(flat) - known.variables:
            self.unknown.append(f"variables {sorted(surplus)} of {request.operation}")
        return selected(known.answer(Call(self.state, flat, self.url)), query)

    def _store(self, request: Request) -> tuple[int, Any]:
        place = request.path.removeprefix("/storage/")
        if request.method == "PUT":
            self.state.files[place] = request.body
            return 200, b""
        return (200, self.state.files[place]) if place in self.state.files else (404, b"")


class _Http(http.server.ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for them, so that no socket is left open

    def __init__(self, port: int, server: WandbServer) -> None:
        self.server = server
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that went away is no error
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _handle(self) -> None:
        server = self.server.server
        given = self.headers.get("Authorization") or ""
        wanted = "Basic " + base64.b64encode(f"api:{server.key}".encode()).decode()
        status, answer = server.answer(self._request(), given == wanted)
        if status is None:
            self.close_connection = True
            return
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if isinstance(answer, bytes) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _request(self) -> Request:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "authorization"}
        asked = json.loads(body) if self.path == "/graphql" else {}
        name = re.search(r"\b(?:query|mutation)\s+(\w+)", asked.get("query", ""))
        operation = asked.get("operationName") or (name[1] if name else None)
        path = self.path.split("?")[0]
        return Request(self.command, path, operation, asked.get("variables") or {}, body, headers)

    do_GET = do_POST = do_PUT = do_HEAD = do_CONNECT = do_DELETE = do_PATCH = do_OPTIONS = _handle
