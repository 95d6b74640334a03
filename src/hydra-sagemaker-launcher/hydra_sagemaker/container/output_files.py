"""The output files of a job: kept with its checkpoints while it runs, moved to SageMaker's directories at its end.

Standard library only: process 1 of the container uses it, in an image that need not have more.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path

KEPT_VARIABLE = "HYDRA_JOB_CHECKPOINTS"
"""Names the directory that SageMaker keeps for the next attempt of the job; not set without checkpoints."""
OUTPUT = "output"
"""Below that directory; used as hydra.sweep.dir."""


def model_files(output_dir: Path, patterns: Sequence[str]) -> list[Path]:
    """Return paths relative to the output directory; a pattern matches the file's name or that path."""
    files = (file.relative_to(output_dir) for file in sorted(output_dir.rglob("*")) if file.is_file())
    return [file for file in files if any(fnmatch(file.name, one) or fnmatch(file.as_posix(), one) for one in patterns)]


def move_files(files: Sequence[Path], source: Path, target: Path) -> None:
    """Move files, named relative to `source`, to the same paths below `target`."""
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source / file, target / file)


def place_results(root: Path, subdir: str, data: Path, model: Path | None, patterns: Sequence[str]) -> None:
    """Link what is below `root` to where SageMaker takes results from; the originals stay for an interruption.

    `model` is None when the job has not completed: then model files are not linked, and wait for the next attempt.
    """
    output_dir = root / subdir
    apart = {output_dir / file for file in model_files(output_dir, patterns)}
    for file in sorted(root.rglob("*")):
        if file.is_dir() and not file.is_symlink():
            continue
        if file not in apart:
            link(file, data / file.relative_to(root))
        elif model is not None:
            link(file, model / file.relative_to(output_dir))


def settle(root: Path, say: Callable[[str], None]) -> None:
    """Delete what an archive cannot hold: pipes, sockets, links out of `root`. Links within it become relative."""
    for folder, folders, names in os.walk(root):
        for file in (Path(folder, name) for name in (*folders, *names)):
            if file.is_symlink():
                _settle_link(file, root, say)
            elif not file.is_dir() and not file.is_file():
                file.unlink()
                say(f"{file.relative_to(root)} is no file, and is not downloaded")


def _settle_link(link: Path, root: Path, say: Callable[[str], None]) -> None:
    target = Path(os.path.normpath(link.parent / os.readlink(link)))
    if not target.is_relative_to(os.path.normpath(root)):
        link.unlink()
        say(f"{link.relative_to(root)} is a link to {target}, and is not downloaded")
    elif os.path.isabs(os.readlink(link)):
        link.unlink()
        link.symlink_to(os.path.relpath(target, link.parent))


def empty(directory: Path) -> None:
    """Delete the contents, here and so in S3. The directory itself may be a mount."""
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def link(file: Path, target: Path) -> None:
    """Put a file in a second place: a hard link where the file system can, else a copy; a link as it is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if file.is_symlink():
        target.symlink_to(os.readlink(file))
        return
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)
