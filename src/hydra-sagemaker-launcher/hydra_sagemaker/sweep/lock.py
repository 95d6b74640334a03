"""One launcher at a time works in a sweep's directory: two of them would give its numbers to different jobs."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hydra_sagemaker.errors import LauncherError

log = logging.getLogger(__name__)
_of_this_process: set[Path] = set()
"""Directories that a sweeper holds for the launches of its process."""


@contextmanager
def locked(
    sweep_dir: Path, instead: str = "give this sweep a directory of its own with hydra.sweep.dir", *, for_process: bool = False
) -> Iterator[None]:
    """Keep every other launcher out of a sweep's directory, until the process ends at the latest.

    Args:
        for_process: a sweeper locks it for the launches of its own process, which need not.

    Raises:
        LauncherError: one works there.
    """
    directory = sweep_dir / ".launcher"
    if directory.resolve() in _of_this_process:
        yield
        return
    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LauncherError(
                f"another launcher (process {os.read(lock, 20).decode().strip() or 'unknown'}) works in {sweep_dir}: "
                f"wait for it, end it, or {instead}"
            ) from None
        except OSError as error:  # a network file system, say
            log.warning("%s cannot be locked (%s): start no second launcher in it", sweep_dir, error)
        with suppress(OSError):  # a full disk; the number is for people only
            os.ftruncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())
        if for_process:
            _of_this_process.add(directory.resolve())
        yield
    finally:
        if for_process:
            _of_this_process.discard(directory.resolve())
        os.close(lock)


def holder(sweep_dir: Path) -> str | None:
    """Return the process number of the launcher that works there, None where none does."""
    if not (file := sweep_dir / ".launcher" / "lock").is_file():
        return None
    with file.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return opened.read(20).decode().strip() or "unknown"
        except OSError:
            return None
    return None
