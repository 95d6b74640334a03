"""Where the files of a job that keeps checkpoints lie while it runs, and where they go when it has ended.

Standard library only: process 1 of the container uses it, in an image that need not have more.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path

KEPT_VARIABLE = "HYDRA_JOB_CHECKPOINTS"
"""Names the directory that the next attempt of a job will find as this one has left it; absent where nothing is kept."""
OUTPUT = "output"
"""Below that directory; stands for hydra.sweep.dir."""


def private_copy(kept: Path, copy: Path) -> Path:
    """For the machines that read what was kept and must not change it: every one of them mirrors its directory to one place."""
    shutil.copytree(kept, copy, symlinks=True, dirs_exist_ok=True)
    return copy


def model_files(output_dir: Path, patterns: Sequence[str]) -> list[Path]:
    """Relative to the output directory; a pattern fits the file's name or that path."""
    files = (file.relative_to(output_dir) for file in sorted(output_dir.rglob("*")) if file.is_file())
    return [file for file in files if any(fnmatch(file.name, one) or fnmatch(file.as_posix(), one) for one in patterns)]


def place_results(root: Path, subdir: str, data: Path, model: Path | None, patterns: Sequence[str]) -> None:
    """Puts what lies below `root` where SageMaker takes results from, and leaves it there too: an interruption may still come.

    `model` is None when the job has not completed: then the model files stay behind, for the next attempt.
    """
    output_dir = root / subdir
    apart = {output_dir / file for file in model_files(output_dir, patterns)}
    for file in sorted(root.rglob("*")):
        if file.is_dir() and not file.is_symlink():
            continue
        if file not in apart:
            _link(file, data / file.relative_to(root))
        elif model is not None:
            _link(file, model / file.relative_to(output_dir))


def settle(root: Path, say: Callable[[str], None]) -> None:
    """What cannot travel in an archive goes: pipes, sockets, links to elsewhere. Links within become relative ones."""
    for folder, folders, names in os.walk(root):
        for file in (Path(folder, name) for name in (*folders, *names)):
            if file.is_symlink():
                _settle_link(file, root, say)
            elif not file.is_dir() and not file.is_file():
                file.unlink()
                say(f"{file.relative_to(root)} is no file, and does not come home")


def _settle_link(link: Path, root: Path, say: Callable[[str], None]) -> None:
    target = Path(os.path.normpath(link.parent / os.readlink(link)))
    if not target.is_relative_to(os.path.normpath(root)):
        link.unlink()
        say(f"{link.relative_to(root)} is a link to {target}, and does not come home")
    elif os.path.isabs(os.readlink(link)):
        link.unlink()
        link.symlink_to(os.path.relpath(target, link.parent))


def empty(directory: Path) -> None:
    """What is deleted here is deleted in S3. The directory itself may be a mount."""
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _link(file: Path, target: Path) -> None:
    """A second name of the same data where the file system can, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if file.is_symlink():
        target.symlink_to(os.readlink(file))
        return
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)
