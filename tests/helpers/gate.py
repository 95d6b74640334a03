"""A gate in front of a server: every byte that passes is kept, and the network behind it can be gone for a while."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

ACCEPT_SECONDS = 0.05
CHUNK_BYTES = 1 << 16


class Passage:
    """One connection through the gate."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        self._sent, self._received = bytearray(), bytearray()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def sent(self) -> bytes:
        """By the client, so far."""
        return bytes(self._sent)

    @property
    def received(self) -> bytes:
        return bytes(self._received)

    def cut(self) -> None:
        """Returns when no byte passes any more."""
        self._shut_down()
        self._thread.join()

    def _run(self) -> None:
        back = threading.Thread(target=self._pass, args=(self._server, self._client, self._received), daemon=True)
        back.start()
        self._pass(self._client, self._server, self._sent)
        back.join()
        self._client.close()
        self._server.close()

    def _pass(self, source: socket.socket, target: socket.socket, kept: bytearray) -> None:
        try:
            while chunk := source.recv(CHUNK_BYTES):
                kept.extend(chunk)  # before it is passed on: what the server has seen is kept
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)  # the other direction may have more to say
        except OSError:
            self._shut_down()

    def _shut_down(self) -> None:
        for one in (self._client, self._server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Gate:
    """Open from the start. A context manager, which closes it for good."""

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        assert target.hostname and target.port, url
        self._target = (target.hostname, target.port)
        self.passages: list[Passage] = []
        # Bound and never listening: while the gate is closed nobody else gets its port, not even a client as its own end.
        self._reservation = self._bound(0)
        self.port: int = self._reservation.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._closing = threading.Event()
        self._accepting: threading.Thread | None = None
        self.open()

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
        self._reservation.close()

    def open(self) -> None:
        if self._accepting is not None:
            return
        listener = self._bound(self.port)
        listener.listen()
        listener.settimeout(ACCEPT_SECONDS)
        self._closing.clear()
        self._accepting = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Cuts what passes, and refuses new connections until `open`."""
        if self._accepting is None:
            return
        self._closing.set()
        self._accepting.join()
        self._accepting = None
        for passage in self.passages:
            passage.cut()

    @property
    def sent(self) -> bytes:
        """Return what was sent on all connections, one after the other."""
        return b"".join(passage.sent for passage in list(self.passages))

    @property
    def received(self) -> bytes:
        return b"".join(passage.received for passage in list(self.passages))

    def _bound(self, port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        return bound

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while not self._closing.is_set():
                with suppress(TimeoutError):
                    self._let_through(listener.accept()[0])

    def _let_through(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.close()
            return
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.passages.append(Passage(client, server))  # before its first byte passes
        self.passages[-1].start()
