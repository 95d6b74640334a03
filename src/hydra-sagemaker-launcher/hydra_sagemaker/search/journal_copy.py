"""A copy of the search's journal in S3: another machine continues the search when this one is closed or lost.

The journal only ever grows, so that of two of them the longer one continues the other, or they are of two searches.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study

from hydra_sagemaker.aws.clients import Clients, api_call
from hydra_sagemaker.aws.storage import UNKNOWN, Storage, split
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.search.journal import mend_journal
from hydra_sagemaker.settings import SageMakerLauncherConf

log = logging.getLogger(__name__)
COPY_SECONDS = 30.0
"""Between two copies: each sends the whole journal, about 2 kB for every trial."""
CHANGED = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")
SCHEME = "s3://"


class Copy:
    """An object in S3 that nobody else writes meanwhile: each write names the version it replaces.

    Conditional writes of S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """

    def __init__(self, s3: Any, uri: str, settings: SageMakerLauncherConf) -> None:
        self.s3, self.uri = s3, uri
        self.bucket, self.key = split(uri)
        storage = Storage(s3, settings)
        self.owner, self.encryption = storage.owner, storage.encryption
        self.version: str | None = None
        """The ETag that was read or written last; None: there is no object."""

    def read(self) -> bytes:
        """Return the content, b"" where there is none. Raises LauncherError where it cannot be read."""
        with api_call(self.uri, accepted=UNKNOWN):
            answer = self.s3.get_object(Bucket=self.bucket, Key=self.key, **self.owner)
            content, self.version = answer["Body"].read(), answer["ETag"]
            return content
        return b""

    def write(self, content: bytes) -> None:
        """Replace the content. Raises LauncherError where another process has written it, or S3 does not take it."""
        if self._replaced(content):
            return
        if content.startswith(self.read()) and self._replaced(content):  # a write of ours whose answer was lost
            return
        raise AnotherWrites(f"{self.uri}: another process continues this search; this one ends, and its jobs run on")

    def _replaced(self, content: bytes) -> bool:
        """Write; False where the object is not the version that was read or written last."""
        condition = {"IfMatch": self.version} if self.version else {"IfNoneMatch": "*"}
        with api_call(self.uri, accepted=CHANGED):
            own = {**condition, **self.owner, **self.encryption}
            self.version = self.s3.put_object(Bucket=self.bucket, Key=self.key, Body=content, **own)["ETag"]
            return True
        return False


class AnotherWrites(LauncherError):
    pass


def open_copied(uri: str, file: Path, settings: SageMakerLauncherConf) -> JournalStorage:
    """Open a journal that is copied to S3, where the copy is further as it is there. Raises LauncherError."""
    if not uri.removeprefix(SCHEME).strip("/").partition("/")[2] or uri.endswith("/"):
        raise LauncherError(f"hydra.sweeper.storage={uri}: it names an object, as s3://bucket/prefix/search.journal")
    mend_journal(file, is_ours=True)
    copy = Copy(Clients(settings).s3, uri, settings)
    fetch(copy, file)
    return JournalStorage(CopiedJournal(file, copy))


@contextmanager
def copied_at_the_end(study: Study) -> Iterator[None]:
    """Copy the rest, however the search ends."""
    try:
        yield
    finally:
        if isinstance(backend := getattr(study._storage, "_backend", None), CopiedJournal):
            backend.flush()


class CopiedJournal(JournalFileBackend):
    """Copies the journal after what is appended, at most twice a minute; `flush` at the end."""

    def __init__(self, file: Path, copy: Copy, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(str(file))
        self.file, self.copy, self.now = file, copy, now
        self._copied_at = float("-inf")
        self._copied_bytes = -1
        self._is_warned = False

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        super().append_logs(logs)
        if self.now() - self._copied_at >= COPY_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Copy what is new. S3 out of reach is a warning: the file is here. Raises AnotherWrites."""
        self._copied_at = self.now()
        content = self.file.read_bytes()
        if len(content) == self._copied_bytes:
            return
        try:
            self.copy.write(content)
        except AnotherWrites:
            raise
        except LauncherError as error:
            if not self._is_warned:
                log.warning("the search is not copied to %s: %s", self.copy.uri, str(error).splitlines()[0])
            self._is_warned = True
        else:
            self._copied_bytes, self._is_warned = len(content), False


def fetch(copy: Copy, file: Path) -> None:
    """Bring the journal here where the copy is further.

    Raises:
        LauncherError: each has what the other lacks.
    """
    there = copy.read()
    here = file.read_bytes() if file.is_file() else b""
    if here.startswith(there):
        return
    if not there.startswith(here):
        raise LauncherError(
            f"{file} and {copy.uri} are of two searches, or two machines continued one: move one of them away, or type "
            "another hydra.sweep.dir and hydra.sweeper.storage"
        )
    log.info("the search continues from %s", copy.uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(there)
    os.replace(part, file)
