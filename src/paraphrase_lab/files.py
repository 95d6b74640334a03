"""Files that are written whole or not at all, and JSON that every parser reads."""

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4


@contextmanager
def atomic_write(path: Path, *, fsync: bool = False, shared: bool = False) -> Iterator[Path]:
    """Yield the path of an unfinished file that takes the place of `path` when the block ends without an error.

    Args:
        fsync: the content is on the disk before the name is, so that not even a power cut leaves an empty file.
        shared: several processes may write `path` at the same time.
    """
    unfinished = path.with_name(f"{path.name}.{uuid4().hex}.tmp" if shared else f"{path.name}.tmp")
    try:
        yield unfinished
        if fsync:
            with unfinished.open("rb+") as handle:
                os.fsync(handle.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory whose files take their places in `path` when the block ends without an error."""
    unfinished = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        path.mkdir(parents=True, exist_ok=True)
        for file in sorted(file for file in unfinished.rglob("*") if file.is_file()):
            target = path / file.relative_to(unfinished)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def json_text(value: Any, *, indent: int | None = None, default: Callable[[Any], Any] = str) -> str:
    """Return JSON, which has no NaN and no infinity: they become null.

    Args:
        default: turns what JSON has no form for into something that it has one for.
    """
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False, default=default)
    except ValueError:
        return json.dumps(finite(value), indent=indent, ensure_ascii=False, allow_nan=False, default=default)


def write_json(path: Path, value: Any) -> None:
    """Write an indented JSON file, whole or not at all; an undefined number is null."""
    with atomic_write(path) as unfinished:
        unfinished.write_text(json_text(value, indent=2) + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """Return a copy of nested mappings and lists with None in place of NaN and infinities."""
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
