"""A proxy in front of a server that spoils every Nth answer, and passes on all others."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PAGE = b"<!doctype html><html><head><title>Sign in</title></head></html>"
HOP_BY_HOP = ("connection", "content-length", "expect", "transfer-encoding")


@contextmanager
def spoiling(url: str, kind: str, period: int) -> Iterator[str]:
    """Yield the address of the proxy; `kind` is page, empty, other, half or lost (answered by the server, never received)."""
    numbers, server = itertools.count(1), urlsplit(url).netloc

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_spoiled = next(numbers) % period == 0
            if is_spoiled and kind in ("page", "empty", "other"):
                content = {"page": PAGE, "empty": b"", "other": b'{"message": "ok"}'}[kind]
                return self._send(200, {"Content-Type": "text/html" if kind == "page" else "application/json"}, content)
            behind = http.client.HTTPConnection(server)
            behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    behind.putheader(name, value)
            behind.endheaders(body)
            answer = behind.getresponse()
            content, length = answer.read(), answer.getheader("Content-Length")
            behind.close()
            self.close_connection = is_spoiled
            if not (is_spoiled and kind == "lost"):
                headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
                self._send(answer.status, headers, content[: len(content) // 2] if is_spoiled else content, length)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer

        def _send(self, status: int, headers: dict[str, str], content: bytes, length: str | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}"
        proxy.shutdown()
