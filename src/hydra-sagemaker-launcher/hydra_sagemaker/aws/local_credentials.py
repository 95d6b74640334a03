"""The keys of a local SageMaker, in a file that its server writes and only the same user can read: nobody has to type them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

FIELDS = ("aws_access_key_id", "aws_secret_access_key")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(url: str | None) -> bool:
    return url is not None and urlsplit(url).hostname in LOOPBACK


def place_of(port: int) -> Path:
    """Return the file for a port; its directory depends on the user alone, whatever the environment says."""
    runtime = Path(f"/run/user/{os.getuid()}")
    folder = runtime if os.access(runtime, os.W_OK) else Path("/tmp")
    return folder / f"hydra-sagemaker-local-{os.getuid()}" / f"{port}.json"


def keys_of(url: str | None) -> dict[str, str]:
    """Return the keys of this user's server at a URL, by the names of boto3's arguments; none where there is no such file."""
    with suppress(OSError, ValueError):
        if url is not None and is_loopback(url):
            file = place_of(urlsplit(url).port or 80)
            if _is_ours(file.parent) and _is_ours(file):
                found = json.loads(file.read_text(encoding="utf-8"))
                return {name: str(found[name]) for name in FIELDS if isinstance(found, dict) and name in found}
    return {}


@contextmanager
def published(url: str, keys: Mapping[str, str], *, keep: bool = False) -> Iterator[Path | None]:
    """Put the keys into the file; None where no directory is this user's own: then they have to be exported.

    Args:
        keep: leave it there afterwards, for the next server on that port.
    """
    file = place_of(urlsplit(url).port or 80)
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        written = _is_ours(file.parent)
        if written:
            part = file.with_name(f".{file.name}.{os.getpid()}")
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(dict(keys), stream)
            part.replace(file)
    except OSError:
        written = False
    try:
        yield file if written else None
    finally:
        if written and not keep and keys_of(url) == dict(keys):  # else a later server has the port
            file.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    """Tell whether a file or directory is this user's, no link, and closed to everyone else."""
    status = path.lstat()
    return status.st_uid == os.getuid() and not stat.S_ISLNK(status.st_mode) and not status.st_mode & 0o077
