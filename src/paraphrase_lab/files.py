"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
