"""Reads the files in archives, as far as it is cheap: a program that unpacks them in the job finds what stands in them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

READ_AT_MOST = 100_000_000
"""Bytes, unpacked, of an archive; what follows is data."""
MEMBERS_AT_MOST = 10_000
TAR_MARK = slice(257, 262)
COMPRESSED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b\x08": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError)
"""Damaged, encrypted, or packed in a way that this Python does not know."""


def members_of(file: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and content, open until the next one is read, of each file in a zip or tar; one without a name of a `.gz`.

    Archives in archives are not opened, and an archive is read as far as it can be. Reading a damaged file raises one of
    UNREADABLE.
    """
    try:
        with file.open("rb") as stream:
            start = stream.read(512)
        opened = next((how for mark, how in COMPRESSED.items() if start.startswith(mark)), None)
        if start.startswith(b"PK\x03\x04"):
            yield from _of_zip(file)
        elif opened is None:
            if start[TAR_MARK] == b"ustar":
                yield from _of_tar(file)
        else:
            with opened(file) as content:
                is_tar = content.read(512)[TAR_MARK] == b"ustar"
            if is_tar:
                yield from _of_tar(file)
            else:
                with opened(file) as content:
                    yield "", content
    except UNREADABLE:
        return


def _of_zip(file: Path) -> Iterator[tuple[str, IO[bytes]]]:
    left = READ_AT_MOST
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist()[:MEMBERS_AT_MOST]:
            if member.is_dir() or member.flag_bits & 0x1 or member.file_size > left:  # 1: encrypted
                continue
            left -= member.file_size
            with archive.open(member) as content:
                yield member.filename, content


def _of_tar(file: Path) -> Iterator[tuple[str, IO[bytes]]]:
    left, count = READ_AT_MOST, 0
    with tarfile.open(file, "r|*") as archive:  # pyright: ignore[reportArgumentType]
        for member in archive:
            left, count = left - member.size, count + 1
            if left < 0 or count > MEMBERS_AT_MOST:
                return
            if member.isreg() and (content := archive.extractfile(member)) is not None:
                yield member.name, content
