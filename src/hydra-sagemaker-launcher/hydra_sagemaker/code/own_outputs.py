"""Finds the files that this process writes its output to: they change with every launch, and no job needs them."""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

Identity = tuple[int, int]
"""Device and inode of a file."""
STANDARD = (1, 2)


def output_files() -> set[Identity]:
    """Return what standard output and error, loggers and descriptors opened for appending write to.

    Where standard output is a pipe, the files of its readers count too, as of `tee`; they are known on Linux only.
    """
    found = {_identity(status) for number in STANDARD if (status := _status(number)) and stat.S_ISREG(status.st_mode)}
    found |= set(_of_loggers())
    pipes = {_identity(status) for number in STANDARD if (status := _status(number)) and stat.S_ISFIFO(status.st_mode)}
    if sys.platform == "linux":
        found |= {_identity(status) for status in _written(Path("/proc/self"), appending=True) if stat.S_ISREG(status.st_mode)}
        found |= _of_readers(pipes)
    return found


def is_one_of(file: Path, outputs: set[Identity]) -> bool:
    with suppress(OSError):
        return _identity(file.stat()) in outputs
    return False


def _of_loggers() -> Iterator[Identity]:
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for handler in {handler for logger in loggers for handler in getattr(logger, "handlers", ())}:
        if isinstance(handler, logging.FileHandler):
            with suppress(OSError):
                yield _identity(os.stat(handler.baseFilename))


def _of_readers(pipes: set[Identity]) -> set[Identity]:
    """Return the files that the readers of pipes write to, and their readers', as in `app | grep x | tee log`."""
    found: set[Identity] = set()
    seen: set[Identity] = set()
    while pipes:
        seen |= pipes
        written: list[os.stat_result] = []
        for process in Path("/proc").glob("[0-9]*"):
            if process.name != str(os.getpid()) and any(_identity(one) in pipes for one in _read(process)):
                written += _written(process)
        found |= {_identity(status) for status in written if stat.S_ISREG(status.st_mode)}
        pipes = {_identity(status) for status in written if stat.S_ISFIFO(status.st_mode)} - seen
    return found


def _read(process: Path) -> Iterator[os.stat_result]:
    return (status for flags, status in _descriptors(process) if flags & os.O_ACCMODE == os.O_RDONLY)


def _written(process: Path, *, appending: bool = False) -> Iterator[os.stat_result]:
    """Yield what a process has open for writing; a data base that the application may need is not opened for `appending`."""
    for flags, status in _descriptors(process):
        if flags & os.O_ACCMODE != os.O_RDONLY and (flags & os.O_APPEND or not appending):
            yield status


def _descriptors(process: Path) -> Iterator[tuple[int, os.stat_result]]:
    """Yield flags and status of a process's open files; nothing of one that has ended or is another user's."""
    try:
        numbers = os.listdir(process / "fd")
    except OSError:
        return
    for number in numbers:
        with suppress(OSError, ValueError, StopIteration):
            lines = (process / "fdinfo" / number).read_text(encoding="ascii").splitlines()
            flags = next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
            yield flags, (process / "fd" / number).stat()


def _status(descriptor: int) -> os.stat_result | None:
    with suppress(OSError):  # closed, as of a service
        return os.fstat(descriptor)
    return None


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino
