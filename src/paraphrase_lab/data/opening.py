"""Opens text files: compressed or not, in any encoding, as lines of UTF-8; names files that are something else altogether."""

import bz2
import codecs
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from paraphrase_lab.data.options import ReadOptions
from paraphrase_lab.errors import UserError

HEAD_BYTES = 2**16
READABLE = "csv, tsv, jsonl, json, parquet and arrow can be read"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_FOR_EXCEL = re.compile(rb"(?:\xef\xbb\xbf)?\"?sep=[^\r\n]\"?\r?\n")
"""A first line that tells Excel the separator."""


def _zstd(raw: BinaryIO) -> Any:
    return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd"))  # type: ignore[arg-type]


PACKED: dict[bytes, tuple[str, Callable[[BinaryIO], Any]]] = {
    b"\x1f\x8b": (".gz", lambda raw: gzip.GzipFile(fileobj=raw)),
    b"BZh": (".bz2", bz2.BZ2File),
    b"\xfd7zXZ\x00": (".xz", lzma.LZMAFile),
    b"\x28\xb5\x2f\xfd": (".zst", _zstd),
}
PACKED_ENDINGS = tuple(ending for ending, _ in PACKED.values())
NOT_DATA = {
    b"PK\x03\x04": ("a zip archive or an Excel workbook", "unpack the archive, or save the sheet as CSV UTF-8"),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook of an old kind", "save the sheet as CSV UTF-8"),
    b"version https://git-lfs": ("a pointer to a file in Git LFS, not the file", "git lfs pull fetches it"),
    b"SQLite format 3": ("an SQLite database", "export the table as csv"),
    b"\x80\x04\x95": ("a pickle, which is never read: it can run any program", "save the table as csv or parquet"),
    b"%PDF": ("a PDF", ""),
    b"<!DOCTYPE": ("a web page", "was the download a page to log in on?"),
    b"<html": ("a web page", "was the download a page to log in on?"),
}


def is_pipe(path: Path) -> bool:
    """Tell whether it is `-`, a pipe or a device such as /dev/stdout."""
    return str(path) in ("-", "/dev/stdin", "/dev/stdout") or (path.exists() and not path.is_file() and not path.is_dir())


class Lines:
    """The lines of a text file as UTF-8 bytes; `fraction_read` says how far the file has been read, between 0 and 1.

    A first line such as `sep=;`, which is for Excel and holds no column, comes as an empty one.
    """

    def __init__(self, path: Path, raw: BinaryIO, options: ReadOptions) -> None:
        self._path, self._raw, self._encoding = path, raw, options.encoding
        self._size = max(1, path.stat().st_size)

    @property
    def fraction_read(self) -> float:
        return min(1.0, self._raw.tell() / self._size)

    def __iter__(self) -> Iterator[bytes]:
        self._raw.seek(0)
        with _damage_named(self._path, self._encoding):
            stream = unpacked(self._raw)
            is_utf8 = self._encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")
            lines = iter(stream if is_utf8 else (line.encode("utf-8") for line in _decoded(stream, self._encoding)))
            for first in islice(lines, 1):
                yield b"\n" if _FOR_EXCEL.fullmatch(first) else first
            yield from lines


def _decoded(stream: BinaryIO, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    rest = ""
    while block := stream.read(HEAD_BYTES):
        *lines, rest = (rest + decoder.decode(block)).split("\n")
        yield from (f"{line}\n" for line in lines)
    if rest := rest + decoder.decode(b"", final=True):
        yield rest


def unpacked(raw: BinaryIO) -> Any:
    start = raw.read(8)
    raw.seek(0)
    return next((opener(raw) for magic, (_, opener) in PACKED.items() if start.startswith(magic)), raw)


def head(path: Path) -> bytes:
    """Return the first bytes of the content, unpacked."""
    with raw_file(path) as raw, _damage_named(path, ""):
        return unpacked(raw).read(HEAD_BYTES)


@contextmanager
def opened(path: Path, options: ReadOptions) -> Iterator[Lines]:
    with raw_file(path) as raw:
        yield Lines(path, raw, options)


@contextmanager
def raw_file(path: Path) -> Iterator[BinaryIO]:
    try:
        handle = path.open("rb")
    except OSError as error:
        raise UserError(f"{path} cannot be opened: {error.strerror}") from error
    with handle:
        yield handle


@contextmanager
def _damage_named(path: Path, encoding: str) -> Iterator[None]:
    try:
        yield
    except UnicodeError as error:
        hint = "name the encoding that the program which wrote the file used"
        raise UserError(f"{path} cannot be read as {encoding}: {error}", hint=hint) from error
    except (EOFError, OSError, zlib.error, lzma.LZMAError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} cannot be unpacked: {reason}", hint="is the file complete?") from error


def refuse_other_contents(path: Path, options: ReadOptions) -> None:
    """Raise UserError for what is no text, or text in another encoding than the options say."""
    start = head(path)
    for magic, (what, hint) in NOT_DATA.items():
        if start.startswith(magic):
            raise UserError(f"{path} is {what}", valid=READABLE, hint=hint)
    for magic, name in ((b"PAR1", "parquet"), (b"ARROW1", "arrow")):
        if start.startswith(magic):
            raise UserError(f"{path} holds {name}", hint=f"{options.typed('format', name)} reads it")
    if options.encoding.lower().startswith(("utf-16", "utf_16", "utf16", "utf-32", "utf_32")):
        return
    if start.startswith(UTF_16_MARKS) or b"\x00" in start[:4096]:
        if not start.startswith(UTF_16_MARKS) and start[:4096].count(b"\x00") < len(start[:4096]) // 4:
            raise UserError(
                f"{path} holds zero bytes: it is no text", valid="csv, tsv, jsonl, json, parquet and arrow can be read"
            )
        name = "utf-16" if start.startswith(UTF_16_MARKS) else "utf-16-be" if start[:1] == b"\x00" else "utf-16-le"
        raise UserError(f"{path} is in UTF-16, not {options.encoding}", hint=f"{options.typed('encoding', name)} reads it")
