"""The search that shows that a secret is nowhere has to find one wherever it is."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import tarfile
import urllib.parse
import zipfile
from collections.abc import Callable

import pytest
import yaml

from wire_contents import exchanges, words_in

WORD = 'k4/+"é%20\\&<end>'
"""Something for every kind of escape."""


def tar(name: str, content: bytes, mode: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def plain(word: str) -> bytes:
    return f"a {word} b".encode()


FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": plain,
    "json": lambda word: json.dumps({"a": word}).encode(),
    "json_in_json": lambda word: json.dumps({"a": json.dumps({"b": json.dumps([word])})}).encode(),
    "python": lambda word: ascii(f"it's {word}").encode(),
    "bytes": lambda word: repr(plain(word)).encode(),
    "yaml": lambda word: yaml.safe_dump({"a": f"{word}\t"}).encode(),
    "url": lambda word: urllib.parse.quote(word, safe="").encode(),
    "url_path": lambda word: urllib.parse.quote(word).lower().encode(),
    "form": lambda word: urllib.parse.urlencode({"a": word}).encode(),
    "json_in_form": lambda word: urllib.parse.urlencode({"a": json.dumps(word)}).encode(),
    "xml": lambda word: html.escape(word).encode(),
    **{f"base64_{at}": lambda word, at=at: base64.b64encode(b"x" * at + plain(word)) for at in range(3)},
    "base64_url": lambda word: base64.urlsafe_b64encode(plain(word)),
    "base64_lines": lambda word: base64.encodebytes(b"x" * 70 + plain(word)),
    "folded": lambda word: f"a: {word[:5]}\n    {word[5:]}".encode(),
    "gzip": lambda word: gzip.compress(plain(word)),
    "gzip_within": lambda word: b"HTTP/1.1 200 OK\r\n\r\n" + gzip.compress(plain(word)) + b"\r\n",
    "gzip_cut": lambda word: gzip.compress(plain(word) * 9 + bytes(range(256)) * 9)[:-20],
    "tar": lambda word: tar("a", plain(word), "w"),
    "tar_gz": lambda word: tar("a", plain(word), "w:gz"),
    "tar_member_name": lambda word: tar(f"dir/{word}", b"", "w:gz"),
    "zip": lambda word: zipped("a", plain(word)),
    "zip_in_tar_gz": lambda word: tar("a.zip", zipped("b.json", json.dumps(word).encode()), "w:gz"),
}


@pytest.mark.parametrize("form", FORMS)
def test_it_is_found(form: str) -> None:
    content = FORMS[form](WORD)
    assert words_in(content, ["absent", WORD]) == {WORD}
    assert words_in(FORMS[form](WORD.replace("end", "enx")), [WORD]) == set()


def test_a_tar_that_was_cut_off_is_searched_as_far_as_it_goes() -> None:
    assert words_in(tar("a", plain(WORD) + bytes(100_000), "w")[:2_000], [WORD]) == {WORD}


CHUNKED = b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n3\r\ned!\r\n0\r\n\r\n"
AWS_CHUNKED = (
    b"PUT /b HTTP/1.1\r\nContent-Encoding: aws-chunked\r\nContent-Length: 71\r\n\r\n"
    b"4;chunk-signature=ab\r\npart\r\n3;chunk-signature=cd\r\ned!\r\n0\r\nx-amz-c:1\r\n\r\n"
)


def test_requests_in_pieces_and_what_was_answered() -> None:
    sent = CHUNKED + AWS_CHUNKED + b"HEAD /c HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\n\r\n"
    continued = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    rest = b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    found = list(exchanges(sent, continued * 2 + rest + b"2\r\nhi\r\n0\r\n\r\n"))
    assert [one.body for one in found] == [b"parted!", b"parted!", b"", b""]
    assert [(one.status, one.answer) for one in found] == [(200, b"ok"), (200, b"ok"), (404, b""), (200, b"hi")]


def test_what_was_cut_off_is_what_there_is() -> None:
    (one,) = exchanges(b"PUT /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nhal", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nwh")
    assert (one.body, one.status, one.answer) == (b"hal", 200, b"wh")
    (one,) = exchanges(CHUNKED[:-8], b"HTTP/1.1")
    assert (one.body, one.status) == (b"parted", None)
