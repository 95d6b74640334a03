"""Finds output among files: that of this process and of earlier jobs. It changes with every launch, and no job needs it."""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path, PurePosixPath

from hydra_sagemaker.code import bundled_files
from hydra_sagemaker.code.imported_modules import loaded_files
from hydra_sagemaker.job.identity import parse_job_name

Identity = tuple[int, int]
"""Device and inode of a file."""
STANDARD = (1, 2)
OUTPUT_MARKS = (".hydra", ".job", ".launcher")
SEARCH_FILES = ("search.journal", "search.journal.lock", "optimization_results.yaml")
BESIDE_A_STORAGE = ("", "-wal", "-shm", "-journal", ".lock")
"""Endings of the files that SQLite and Optuna have beside a storage."""


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


def without_outputs(root: Path, files: list[PurePosixPath]) -> list[PurePosixPath]:
    """Leave out what jobs wrote, even where nothing ignores it: directories that Hydra or the launcher has marked.

    A directory with code may be marked too (`hydra.sweep.dir=.`): then only the marks are left out.
    """
    marked = {file.parent for file in files if file.name == "multirun.yaml"}
    marked |= {mark.parent for file in files for mark in file.parents if mark.name in OUTPUT_MARKS}
    marked |= {file.parents[1] for file in files if file.name == "where.json" and parse_job_name(file.parent.name)}
    marked.discard(PurePosixPath("."))
    if marked:  # what git tracks, and what is imported, is surely code
        code = [*bundled_files.tracked_files(root), *chain.from_iterable(loaded_files(root).values())]
        marked -= {directory for name in code for directory in PurePosixPath(name, "_").parents}
    return [
        file
        for file in files
        if not marked.intersection(file.parents) and not set(OUTPUT_MARKS) & set(file.parts) and file.name != "multirun.yaml"
    ]


def search_files(storage: str | None, sweep_dir: Path, working_dir: Path) -> frozenset[Path]:
    """Return the files of a search, which change with each trial: of `storage`, a database's address or a journal's path."""
    found = [sweep_dir / name for name in SEARCH_FILES]
    if storage and (storage.startswith("sqlite") or "://" not in storage):
        name = storage.partition("://")[2].removeprefix("/").partition("?")[0] if "://" in storage else storage
        found += [working_dir / f"{Path(name).expanduser()}{ending}" for ending in BESIDE_A_STORAGE]
    return frozenset(Path(os.path.realpath(file)) for file in found)


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
            if process.name != str(os.getpid()) and _reads(process, pipes):
                written += _written(process)
        found |= {_identity(status) for status in written if stat.S_ISREG(status.st_mode)}
        pipes = {_identity(status) for status in written if stat.S_ISFIFO(status.st_mode)} - seen
    return found


def _reads(process: Path, pipes: set[Identity]) -> bool:
    """Look at the names of descriptors first: a browser has thousands."""
    names = {f"pipe:[{inode}]" for _, inode in pipes}
    with suppress(OSError):
        if any(os.readlink(entry) in names for entry in (process / "fd").iterdir()):
            reading = (status for flags, status in _descriptors(process) if flags & os.O_ACCMODE == os.O_RDONLY)
            return any(_identity(status) in pipes for status in reading)
    return False


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
