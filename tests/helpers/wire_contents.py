"""Finds words in what crossed a wire or lies in a store, in whatever it is packed."""

from __future__ import annotations

import base64
import html
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from email.message import Message
from functools import partial
from http.client import HTTPException, HTTPResponse, IncompleteRead, parse_headers
from typing import Any, NamedTuple, cast
from urllib.parse import unquote_to_bytes

GZIP, ZIP = b"\x1f\x8b\x08", b"PK\x03\x04"
TAR_MAGIC_OFFSET = 257
ESCAPES_DEEP = 3
"""JSON in JSON in a URL: how many layers of escapes are taken off."""


class Exchange(NamedTuple):
    """A request and its answer; of one that was cut off, as much as there is."""

    request: str
    """Its first line."""
    headers: Message
    body: bytes
    status: int | None
    answer_headers: Mapping[str, str]
    answer: bytes


def exchanges(sent: bytes, received: bytes) -> Iterator[Exchange]:
    """Yield the exchanges of one connection, in order."""
    requests, answers = _Stream(sent), _Stream(received)
    while line := requests.readline():
        headers = parse_headers(requests)
        method = line.split()[0].decode()
        yield Exchange(line.decode().strip(), headers, _body(requests, headers), *_answer(answers, method))


def words_in(content: bytes, words: Collection[str]) -> set[str]:
    """Those found as they are, in base64, with the escapes of URLs, JSON, Python or XML, on folded lines, inside archives."""
    return {word for piece in _pieces(content) for variant in _variants(piece) for word in words if _is_in(variant, word)}


class _Stream(io.BytesIO):
    def close(self) -> None:
        """An HTTPResponse closes what it has read to the end; here the next one follows."""

    def makefile(self, mode: str) -> _Stream:
        return self


def _body(stream: io.BytesIO, headers: Message) -> bytes:
    chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
    body = _dechunked(stream) if chunked else stream.read(int(headers.get("Content-Length", 0)))
    return _dechunked(io.BytesIO(body)) if "aws-chunked" in headers.get("Content-Encoding", "") else body


def _dechunked(stream: io.BytesIO) -> bytes:
    """The size in hexadecimal before each chunk, with a signature behind it where AWS's clients sign chunks."""
    body = b""
    while size := int(stream.readline().split(b";")[0].strip() or b"0", 16):
        body += stream.read(size)
        stream.readline()
    while stream.readline().strip():  # checksums after the last chunk
        pass
    return body


def _answer(stream: _Stream, method: str) -> tuple[int | None, Mapping[str, str], bytes]:
    response = HTTPResponse(cast(Any, stream), method=method)
    try:
        response.begin()
    except (HTTPException, ConnectionError):  # there is none, or a part of its first line
        return None, {}, b""
    try:
        body = response.read()
    except IncompleteRead as cut:
        body = cut.partial
    return response.status, dict(response.getheaders()), body


def _pieces(content: bytes) -> Iterator[bytes]:
    """The content itself and what is packed in it; also of an archive that was cut off, as far as it goes."""
    yield content
    for start in _positions(content, GZIP):
        unpacked = _gunzipped(content[start:])
        if unpacked:
            yield from _pieces(unpacked)
    if content[TAR_MAGIC_OFFSET : TAR_MAGIC_OFFSET + 5] != b"ustar" and not content.startswith(ZIP):
        return
    for name, member in _members(content):
        yield name.encode(errors="surrogateescape")
        yield from _pieces(member)


def _positions(content: bytes, magic: bytes) -> Iterator[int]:
    at = content.find(magic)
    while at >= 0:
        yield at
        at = content.find(magic, at + 1)


def _gunzipped(content: bytes) -> bytes:
    inflating = zlib.decompressobj(wbits=31)
    unpacked = b""
    try:
        for start in range(0, len(content), 1 << 16):
            unpacked += inflating.decompress(content[start : start + (1 << 16)])
    except zlib.error:  # three bytes that meant something else, or damage behind what was unpacked
        pass
    return unpacked


def _members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    if archive.startswith(ZIP):
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            yield from ((name, opened.read(name)) for name in opened.namelist())
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        try:
            for member in opened:
                file = opened.extractfile(member) if member.isfile() else None
                yield f"{member.name} {member.linkname}", file.read() if file else b""
        except tarfile.ReadError:  # cut off; the archive's own bytes are searched anyway
            return


def _variants(content: bytes) -> set[bytes]:
    found = newest = {content}
    for _ in range(ESCAPES_DEEP):
        newest = {plain for text in newest for sign, undo in ESCAPES.items() if sign in text for plain in undo(text)} - found
        found = found | newest
    return found | {re.sub(rb"\s*\r?\n\s*", b"", text) for text in found}


def _from_url(text: bytes) -> tuple[bytes, ...]:
    return unquote_to_bytes(text), unquote_to_bytes(text.replace(b"+", b" "))


def _from_string(text: bytes) -> tuple[bytes, ...]:
    r"""`\xe9` is a letter in a text of JSON, YAML or Python, and a byte in Python's bytes."""
    pattern = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
    return pattern.sub(partial(_character, "utf-8"), text), pattern.sub(partial(_character, "latin-1"), text)


def _character(encoding: str, escape: re.Match[bytes]) -> bytes:
    code, byte, letter = escape.groups()
    if code:
        return chr(int(code, 16)).encode(errors="replace")
    return chr(int(byte, 16)).encode(encoding) if byte else {b"n": b"\n", b"t": b"\t", b"r": b"\r"}.get(letter, letter)


def _from_xml(text: bytes) -> tuple[bytes, ...]:
    return (html.unescape(text.decode(errors="surrogateescape")).encode(errors="surrogateescape"),)


ESCAPES: dict[bytes, Callable[[bytes], tuple[bytes, ...]]] = {b"%": _from_url, b"\\": _from_string, b"&": _from_xml}


def _is_in(content: bytes, word: str) -> bool:
    return word.encode() in content or any(form in content for form in _base64_forms(word.encode()))


def _base64_forms(word: bytes) -> Iterator[bytes]:
    """Where it begins at any byte of a longer text; without the characters at its ends, which hold bits of its neighbours."""
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(shift) + word)[-(-8 * shift // 6) : 8 * (shift + len(word)) // 6]
