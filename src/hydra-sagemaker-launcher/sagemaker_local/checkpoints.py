"""Copies checkpoints to S3 while a job writes them; a file deleted in the container is deleted in S3."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagemaker_local.transfer import TRANSFER_ERRORS, download, files_in, split_uri, upload_file

log = logging.getLogger("sagemaker_local")

SYNC_SECONDS = 1.0

State = dict[str, tuple[int, int]]
"""Time of the last change in nanoseconds and size in bytes, by path."""


class CheckpointSync:
    """Restores on creation, then copies every second until it is stopped or closed."""

    def __init__(self, client: Any, uri: str, directory: Path) -> None:
        self._client, self._uri, self._directory = client, uri.rstrip("/"), directory
        directory.mkdir(parents=True, exist_ok=True)
        download(client, f"{self._uri}/", directory)
        self._copied = self._state()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _state(self) -> State:
        state: State = {}
        for file in files_in(self._directory):
            with suppress(FileNotFoundError):
                status = file.stat()
                state[str(file.relative_to(self._directory))] = (status.st_mtime_ns, status.st_size)
        return state

    def _run(self) -> None:
        while not self._closed.wait(SYNC_SECONDS):
            try:
                self._sync()
            except TRANSFER_ERRORS as error:
                log.warning("checkpoints to %s: %s", self._uri, error)

    def _sync(self) -> None:
        """Copy once; the next call copies files that failed or changed meanwhile."""
        state = self._state()
        for path, version in state.items():
            if self._copied.get(path) != version:
                with suppress(FileNotFoundError):
                    upload_file(self._client, self._directory / path, f"{self._uri}/{path}")
                    self._copied[path] = version
        for path in sorted(set(self._copied) - set(state)):
            bucket, key = split_uri(f"{self._uri}/{path}")
            self._client.delete_object(Bucket=bucket, Key=key)
            del self._copied[path]

    def stop(self) -> None:
        self._closed.set()
        self._thread.join()

    def close(self) -> None:
        """Stop after a last copy. Raises one of TRANSFER_ERRORS if it fails."""
        self.stop()
        self._sync()
