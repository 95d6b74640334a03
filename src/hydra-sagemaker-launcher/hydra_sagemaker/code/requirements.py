"""Reads what a job installs from the project's own files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra_sagemaker.errors import LauncherError

AUTO = "auto"


def declared(root: Path, setting: str | None) -> tuple[list[str], list[Path]]:
    """Return the requirements that `setting` names, and the files they come from.

    `setting` is a file, AUTO for requirements.txt or pyproject.toml, None for none.

    Raises:
        LauncherError: a file does not exist or cannot be read.
    """
    if setting is None:
        return [], []
    file = root / ("requirements.txt" if setting == AUTO else setting)
    if not file.is_file() and setting != AUTO:
        raise LauncherError(f"hydra.launcher.requirements={setting}: there is no {file}")
    if file.is_file():
        found = list(_requirement_lines(file, ()))
        return [line for line, _ in found], list(dict.fromkeys([file, *(source for _, source in found)]))
    project = root / "pyproject.toml"
    return (_dependencies(project), [project]) if project.is_file() else ([], [])


def distribution(line: str) -> str:
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""


def _requirement_lines(file: Path, outer: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the lines of a file and of the files that it includes by -r."""
    for line in _text(file).splitlines():
        if (other := re.match(r"\s*(?:-r\s*|--requirement[\s=]\s*)(?!\S+://)(\S+)", line)) is None:
            yield line, file
        elif not (named := file.parent / other[1]).is_file():
            raise LauncherError(f"{file} names {other[1]}, and there is no {named}")
        elif named.resolve() in outer or named.resolve() == file.resolve():
            raise LauncherError(f"{file} names {other[1]}, which leads back to it: take that line out")
        else:
            yield from _requirement_lines(named, (*outer, file.resolve()))


def _dependencies(file: Path) -> list[str]:
    try:
        project = tomllib.loads(_text(file)).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise LauncherError(f"{file} is not valid TOML: {error}. Correct it, or set hydra.launcher.requirements") from None
    found = project.get("dependencies", []) if isinstance(project, dict) else None
    if not isinstance(found, list) or not all(isinstance(line, str) for line in found):
        raise LauncherError(f"{file}: project.dependencies is a list of texts. Correct it, or set hydra.launcher.requirements")
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LauncherError(f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8") from None
