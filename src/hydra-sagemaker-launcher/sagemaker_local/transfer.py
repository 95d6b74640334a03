"""Copies files between S3 and the tree of a job."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import S3Transfer, TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

TRANSFER_ERRORS = (Boto3Error, BotoCoreError, ClientError, OSError)
GZIP_LEVEL = 1
ONE_THREAD = TransferConfig(use_threads=False)


class DataError(Exception):
    """Data of a job that cannot be downloaded or uploaded."""


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key. Raises DataError."""
    if not (match := re.fullmatch(r"s3://([^/]+)/?(.*)", uri)):
        raise DataError(f'"{uri}" is not of the form s3://bucket/key')
    return match[1], match[2]


def objects(client: Any, uri: str) -> Iterator[tuple[str, str]]:
    """Yield the key of every object under a prefix, and its path in the container.

    Paths are relative to the prefix; an object that *is* the prefix keeps its name, and the path of an object that only
    begins like it ("data/train" and "data/train.csv") is relative to the folder.
    """
    bucket, prefix = split_uri(uri)
    folder = prefix[: prefix.rfind("/") + 1]
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            if not (key := entry["Key"]).endswith("/"):
                base = prefix if key.startswith(f"{prefix}/") else folder
                yield key, key[len(base) :].lstrip("/")


def download(client: Any, uri: str, directory: Path, *, part: int = 0, parts: int = 1) -> list[str]:
    """Download, and return the paths written; of several `parts` every object goes to exactly one. Raises DataError."""
    bucket, _ = split_uri(uri)
    written = []
    for number, (key, path) in enumerate(objects(client, uri)):
        if number % parts != part:
            continue
        if not (target := directory / path).resolve().is_relative_to(directory.resolve()):
            raise DataError(f"the key {key} leads out of the container's directory")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            S3Transfer(client, ONE_THREAD).download_file(bucket, key, str(target))
        except OSError as error:
            raise DataError(f"{key} cannot be written as a file: {error}") from error
        written.append(path)
    return written


def files_in(directory: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(directory):
        yield from (Path(folder, name) for name in names)


def upload_file(client: Any, file: Path, uri: str) -> None:
    """Upload the file as it is now: a job may write to it, or replace it, meanwhile."""
    bucket, key = split_uri(uri)
    with file.open("rb") as opened, tempfile.NamedTemporaryFile() as copy:
        shutil.copyfileobj(opened, copy)
        copy.flush()
        S3Transfer(client, ONE_THREAD).upload_file(copy.name, bucket, key)


def upload_files(client: Any, directories: Iterable[Path], uri: str) -> None:
    """Upload the files of all directories; `uri` ends with a slash."""
    for directory in directories:
        for file in files_in(directory):
            if file.is_file():
                upload_file(client, file, f"{uri}{file.relative_to(directory)}")


def upload_archive(client: Any, directories: Iterable[Path], uri: str) -> None:
    """Upload one .tar.gz of all directories; of files of the same name the first counts."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=GZIP_LEVEL) as archive:
            seen: set[str] = set()
            for directory in directories:
                for path in sorted(directory.rglob("*")):
                    name = str(path.relative_to(directory))
                    if name not in seen:
                        seen.add(name)
                        archive.add(path, arcname=name, recursive=False)
        file.seek(0)
        bucket, key = split_uri(uri)
        client.put_object(Bucket=bucket, Key=key, Body=file)
