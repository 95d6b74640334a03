"""Packs code into an archive whose bytes depend on its files alone, and extracts archives safely.

The archive's name is `content_hash`: two sweeps of the same code share one upload.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hydra_sagemaker.code.bundled_files import IGNORE_FILE
from hydra_sagemaker.code.secret_files import looks_secret_file, secrets_in
from hydra_sagemaker.errors import LauncherError

CHUNK_BYTES = 1 << 20
BYTES_PER_MB = 1_000_000
NAMED_AT_MOST = 20


def _entries(
    root: Path, files: Sequence[PurePosixPath], extra: Mapping[str, bytes]
) -> Iterator[tuple[str, bool, int, BinaryIO]]:
    """Yield name, executable bit, size in bytes and content, which is open until the next one is read.

    `extra` holds files that the launcher adds.

    Raises LauncherError for a file that cannot be read, changes while it is, or has the name of an extra one.
    """
    names = {path.as_posix() for path in files}
    if taken := sorted(names & extra.keys()):
        raise LauncherError(f"the launcher adds a file named {taken[0]}, and {root} has one of its own: rename it")
    for name in sorted(names | extra.keys()):
        try:
            stream = io.BytesIO(extra[name]) if name in extra else (root / name).open("rb")
        except OSError as error:
            raise LauncherError(f"{name} cannot be read ({error.strerror}): leave it out by {root / IGNORE_FILE}") from error
        with stream:
            status = None if name in extra else os.fstat(stream.fileno())
            size = len(extra[name]) if status is None else status.st_size
            yield name, bool(status and status.st_mode & 0o100), size, stream
            if stream.tell() != size or stream.read(1):
                raise LauncherError(f"{name} changed while it was read: run the same command again")


def content_hash(root: Path, files: Sequence[PurePosixPath], extra: Mapping[str, bytes] = {}) -> str:
    """Return the hexadecimal SHA-256 of every file's path, executable bit and content; times and owners do not count."""
    digest = hashlib.sha256()
    for name, executable, size, stream in _entries(root, files, extra):
        encoded = os.fsencode(name)
        digest.update(len(encoded).to_bytes(8) + encoded + bytes([executable]) + size.to_bytes(8))
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def file_hashes(root: Path, files: Sequence[PurePosixPath]) -> dict[str, str]:
    """Return the hexadecimal SHA-256 of each file's executable bit and content, by its path."""
    found = {}
    for name, executable, _, stream in _entries(root, files, {}):
        digest = hashlib.sha256(bytes([executable]))
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
        found[name] = digest.hexdigest()
    return found


def hash_of_hashes(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def pack(root: Path, files: Sequence[PurePosixPath], target: Path, extra: Mapping[str, bytes] = {}) -> None:
    """Write a tar.gz without times, owners or the order of a directory; `target` appears when it is whole."""
    part = target.with_name(f"{target.name}.part")
    try:
        with (
            part.open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for name, executable, size, stream in _entries(root, files, extra):
                member = tarfile.TarInfo(name)
                member.size = size
                member.mode = 0o755 if executable else 0o644
                try:
                    archive.addfile(member, stream)
                except OSError as error:
                    raise LauncherError(f"{name} cannot be packed ({error}): run the same command again") from error
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def size_problem(root: Path, files: Sequence[PurePosixPath], max_mb: float) -> str | None:
    """Return why the code is too large, or None; `max_mb` in units of 1,000,000 bytes, before compression."""
    sizes = {path: (root / path).stat().st_size for path in files if (root / path).exists()}  # else `pack` names it
    total = sum(sizes.values())
    if total <= max_mb * BYTES_PER_MB:
        return None
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:10]
    return "\n".join([
        f"the code is {_megabytes(total)} in {len(sizes):,} files, more than hydra.launcher.code.max_mb={max_mb:g}. Largest:",
        *(f"    {_megabytes(sizes[path]):>12}  {path}" for path in largest),
        f"name what the jobs do not need in {root / IGNORE_FILE} (gitignore syntax; data is better a channel), or raise max_mb",
    ])  # fmt: skip


def _megabytes(count: int) -> str:
    return f"{count / BYTES_PER_MB:,.2f} MB"


def secret_file_problem(root: Path, files: Sequence[PurePosixPath], allowed: Sequence[str] = ()) -> str | None:
    """Return which files look like secrets, by name or by what stands in them, or None.

    Args:
        allowed: paths or patterns (`tests/certificates/*.pem`) of files that are sent knowingly.
    """
    judged = [file for file in files if not any(str(file) == name or fnmatchcase(str(file), name) for name in allowed)]
    by_name = [str(file) for file in judged if looks_secret_file(str(file))]
    found = [f"{name} (by its name)" for name in by_name]
    for file in judged:
        if str(file) not in by_name:
            for line, kind, member in secrets_in(root / file):
                found.append(f"{file}{member and f', {member}'}:{line} ({kind})")
    if not found:
        return None
    more = f" and {len(found) - NAMED_AT_MOST} more" if len(found) > NAMED_AT_MOST else ""
    return (
        f"what would be sent may hold secrets: {', '.join(found[:NAMED_AT_MOST])}{more}. "
        "Take a secret out of a file and let the jobs read it by hydra.launcher.secrets; or leave the file out: add it to "
        f".gitignore (where git does not track it) or {IGNORE_FILE}; "
        "or list the path under hydra.launcher.code.allow_secret_names to send it knowingly"
    )


def extract(archive: Path, target: Path, *, max_bytes: int | None = None, skipped: list[str] | None = None) -> list[Path]:
    """Extract a tar.gz; return the files and links written. `skipped` gets links that leave `target` and non-files.

    Raises LauncherError, before anything is written, for a member that would leave `target`, goes through a link or, without
    `skipped`, is no file, directory or link, above `max_bytes` of content, and for what is no whole tar.gz.
    """
    try:
        with tarfile.open(archive, "r:gz") as opened:
            members = _safe_members(opened, target, max_bytes, skipped)
            target.mkdir(parents=True, exist_ok=True)
            for member in members:
                opened.extract(member, target, filter="data")
    except tarfile.FilterError as error:
        raise LauncherError(f"{archive} is not extracted: {error}") from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise LauncherError(f"{archive} is no whole tar.gz ({error}): fetch it again") from error
    except OSError as error:
        raise LauncherError(f"{archive} cannot be extracted to {target}: {error}") from error
    return [target / member.name for member in members if not member.isdir()]


def _safe_members(
    archive: tarfile.TarFile, target: Path, max_bytes: int | None, skipped: list[str] | None
) -> list[tarfile.TarInfo]:
    members: list[tarfile.TarInfo] = []
    total = 0
    for member in archive:
        if member.name.startswith("/") or ".." in PurePosixPath(member.name).parts:
            raise tarfile.OutsideDestinationError(member, member.name)
        try:
            tarfile.data_filter(member, str(target))
        except tarfile.FilterError:
            if skipped is None or member.isreg() or member.isdir():
                raise
            skipped.append(member.name)
            continue
        if skipped and member.islnk() and member.linkname in skipped:
            skipped.append(member.name)
            continue
        total += member.size
        if max_bytes is not None and total > max_bytes:
            raise LauncherError(f"{archive.name} is not extracted: more than {max_bytes:,} bytes, reached at {member.name}")
        members.append(member)
    links = {PurePosixPath(member.name) for member in members if member.issym() or member.islnk()}
    for member in members:
        path = PurePosixPath(member.name)
        if links.intersection(path.parents) or (member.isreg() and path in links):
            raise LauncherError(f"{archive.name} is not extracted: {member.name} would be written through a link")
    return members
