"""The gate that other tests put before a server, with real sockets on both sides."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gate import Gate
from wire_contents import exchanges


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def post(url: str, body: bytes) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=5) as answer:
        return answer.read()


def test_every_byte_passes_and_is_kept(server: str) -> None:
    body = bytes(range(256)) * 4_000
    with Gate(server) as gate:
        assert post(f"{gate.url}/a", body) == body[::-1] and post(f"{gate.url}/b", b"xyz") == b"zyx"
    first, second = ([*exchanges(passage.sent, passage.received)] for passage in gate.passages)
    assert [(one.request, one.body, one.status, one.answer) for one in (*first, *second)] == [
        ("POST /a HTTP/1.1", body, 200, body[::-1]),
        ("POST /b HTTP/1.1", b"xyz", 200, b"zyx"),
    ]
    assert gate.sent.startswith(b"POST /a HTTP/1.1\r\n") and gate.sent.endswith(b"xyz") and gate.received.endswith(b"zyx")


def test_closed_it_refuses_and_opened_again_it_is_where_it_was(server: str) -> None:
    with Gate(server) as gate:
        url = gate.url
        assert post(url, b"1") == b"1"
        gate.close()
        gate.close()
        with pytest.raises(urllib.error.URLError, match="refused"):
            post(url, b"2")
        gate.open()
        gate.open()
        assert gate.url == url and post(url, b"3") == b"3"
    assert b"2" not in [one.body for passage in gate.passages for one in exchanges(passage.sent, passage.received)]
    with pytest.raises(urllib.error.URLError, match="refused"):
        post(url, b"4")


def test_closing_cuts_what_passes_at_this_moment(server: str) -> None:
    with Gate(server) as gate, socket.create_connection(("127.0.0.1", gate.port), timeout=5) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
        while not gate.sent.endswith(b"half"):
            time.sleep(0.01)
        gate.close()
        assert client.recv(1) == b""
        kept = gate.sent
        gate.open()
        with pytest.raises(OSError):
            for _ in range(1_000):
                client.sendall(b"more")
        assert gate.sent == kept
    (passage,) = gate.passages
    (cut,) = exchanges(passage.sent, passage.received)
    assert cut.body == b"half"


def test_clients_that_run_on_while_the_network_comes_and_goes(server: str) -> None:
    done: list[int] = []
    with Gate(server) as gate:

        def call(number: int) -> None:
            while True:
                try:
                    assert post(gate.url, b"%d" % number * 1_000) == (b"%d" % number * 1_000)[::-1]
                except (OSError, HTTPException):  # refused, or cut in the middle
                    time.sleep(0.01)
                else:
                    return done.append(number)

        gate.close()
        threads = [threading.Thread(target=call, args=(number,)) for number in range(10, 18)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            gate.open()
            time.sleep(0.002)
            gate.close()
        gate.open()
        for thread in threads:
            thread.join(10)
        assert sorted(done) == list(range(10, 18))


def test_nobody_gets_the_port_of_a_closed_gate(server: str) -> None:
    with Gate(server) as gate:
        gate.close()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", gate.port))


def test_a_client_that_hangs_up_first_and_one_that_listens_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Gate(f"http://127.0.0.1:{server.getsockname()[1]}") as gate:
        with socket.create_connection(("127.0.0.1", gate.port), timeout=5) as client, server.accept()[0] as there:
            client.sendall(b"question")
            client.shutdown(socket.SHUT_WR)
            assert there.recv(8) == b"question" and there.recv(1) == b""
            there.sendall(b"answer")
            assert client.recv(6) == b"answer"
        assert (gate.sent, gate.received) == (b"question", b"answer")


def test_nothing_behind_the_gate() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with Gate(url) as gate, socket.create_connection(("127.0.0.1", gate.port), timeout=5) as client:
        assert client.recv(1) == b"" and gate.passages == []
