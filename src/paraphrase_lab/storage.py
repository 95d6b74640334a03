"""Disks that are full, places that cannot be written: found before the work where that is possible, told in a sentence."""

import errno
import os
import re
import shutil
import tempfile
from pathlib import Path

from paraphrase_lab.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT)
ENVIRONMENT = (*FULL, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR, errno.ESTALE)
"""Errors of the file system that are no fault of the program."""
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
"""How libraries written in Rust tell the number."""


def require_writable(directory: Path, *, hint: str) -> None:
    """Write a temporary file into the directory, or into the nearest one above it that is there.

    Raises:
        UserError: that is not possible.
    """
    there = _nearest(directory)
    if not there.is_dir():
        raise UserError(f"{directory} cannot be made: {there} is not a directory", hint=hint)
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"\0")
    except OSError as error:
        raise UserError(f"{directory} cannot be written: {_reason(error.errno)}", hint=hint) from None


def free_bytes(directory: Path) -> int:
    """Return the space that is left for this user where the directory is, or will be."""
    return shutil.disk_usage(_nearest(directory)).free


def storage_fault(error: BaseException, directory: Path) -> str | None:
    """Return what the file system has refused, in a sentence; None for an error of another kind."""
    told = _OS_ERROR.search(str(error))
    number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
    if number not in ENVIRONMENT:
        return None
    file = getattr(error, "filename2", None) or getattr(error, "filename", None)
    place = Path(os.fsdecode(file)) if isinstance(file, str | bytes) else directory
    if number in FULL:
        where = place if place.is_dir() else place.parent
        return f"{where} cannot be written: {_reason(number)}, {size(free_bytes(where))} are left"
    return f"{place} cannot be written: {_reason(number)}"


def size(count: float) -> str:
    """Format bytes, as in 12.3 MB."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _nearest(directory: Path) -> Path:
    there = directory.expanduser().absolute()
    while not os.path.lexists(there):
        there = there.parent
    return there


def _reason(number: int | None) -> str:
    own = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota of this user is used up", errno.EROFS: "it is read-only"}
    return own.get(number or 0) or os.strerror(number or 0).lower()
