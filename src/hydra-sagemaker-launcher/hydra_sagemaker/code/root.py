"""Finds the directory whose files are the code of an application."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hydra_sagemaker.errors import LauncherError

PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")

log = logging.getLogger(__name__)


def find_root(start: Path, own: Sequence[Path] = ()) -> Path:
    """Return the top of the git work tree that holds `start`; `start` itself without git or a repository.

    An application may be started elsewhere, as an editable install can be. `own` are its task's file and the directory of its
    configuration: if `start` has neither, or is a directory without git above their project, the root is that project.
    """
    top = git_toplevel(start)
    root = top or start.resolve()
    has_it = any(path.is_relative_to(root) for path in own)
    if not own or (has_it and top is not None):
        return root
    project = _project(own[0])
    if has_it and (project is None or not all(path.is_relative_to(project) for path in own)):
        return root
    found = project or next(parent for parent in own[0].parents if not (parent / "__init__.py").is_file())
    if found != root:
        log.info("the code is that of %s, where the task is", found)
    return found


def _project(file: Path) -> Path | None:
    """Return the top of the git work tree of a file, else the next directory above that has a project's file."""
    marked = (folder for folder in file.parents if any((folder / name).is_file() for name in PROJECT_FILES))
    return git_toplevel(file.parent) or next(marked, None)


def git_environment() -> dict[str, str]:
    """Return the environment without what a git hook sets: the directory alone selects the repository."""
    inherited = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    return {**{name: value for name, value in os.environ.items() if name not in inherited}, "LC_ALL": "C"}


def git_toplevel(directory: Path) -> Path | None:
    command = ["git", "-C", str(directory), "rev-parse", "--show-toplevel"]
    try:
        done = subprocess.run(command, capture_output=True, env=git_environment(), check=False)
    except FileNotFoundError:
        return None
    if b"dubious ownership" in done.stderr:
        raise LauncherError(os.fsdecode(done.stderr).strip())  # git names the directory and the command that allows it
    return Path(os.fsdecode(done.stdout.removesuffix(b"\n"))) if done.returncode == 0 else None
