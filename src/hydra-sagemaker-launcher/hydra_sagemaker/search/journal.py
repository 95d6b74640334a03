"""The file in which Optuna keeps trials, one record a line: mends what a killed process left, and lets other files be."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from hydra_sagemaker.errors import LauncherError

log = logging.getLogger(__name__)
START = b'{"op_code":'
"""Every record begins with it."""
DATABASES = (".db", ".db3", ".sqlite", ".sqlite3")
"""Endings that no new journal gets: its name would be a slip for a database's address."""


def mend_journal(file: Path, *, is_ours: bool) -> None:
    """Cut off a last line that was not written to its end; `is_ours`: nobody else can hold its lock.

    The process was killed meanwhile. Optuna would append the next line to it, and read neither.

    Raises:
        LauncherError: the file is something else, and stays as it is.
    """
    content = file.read_bytes() if file.exists() else b""
    is_new_database = not content and file.suffix in DATABASES
    if is_new_database or not _is_journal(content, is_ours=is_ours):
        raise LauncherError(
            f"hydra.sweeper.storage={file} is no journal of Optuna's; a database is written sqlite:///{file}, "
            f"a journal has a name of its own, as {file.with_suffix('.journal')}"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    if is_ours:
        with suppress(FileNotFoundError):
            os.unlink(f"{file}.lock")
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        log.warning("%s: its last line was not written to the end, and is left out", file)
        with file.open("r+b") as opened:
            opened.truncate(len(whole))


def _is_journal(content: bytes, *, is_ours: bool) -> bool:
    """Tell by the first line, of which a killed process may have left the beginning alone."""
    first, end, _ = content.partition(b"\n")
    if not end:
        return content.startswith(START) or not content or (is_ours and START.startswith(content))
    try:
        record = json.loads(first)
    except ValueError:
        return False
    return isinstance(record, dict) and "op_code" in record
