"""Reads what a job installs from the project's own files, and says it as pip there will understand it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra_sagemaker.errors import LauncherError

AUTO = "auto"
INCLUDED = re.compile(r"\s*(?:-r\s*|--requirement[\s=]\s*)(?!\S+://)(\S+)")
CONSTRAINTS = re.compile(r"\s*(?:-c\s*|--constraint[\s=]\s*)(?!\S+://)(\S+)")
LINKS = re.compile(r"\s*(?:-f\s*|--find-links[\s=]\s*)(?!\S+://)(\S+)")
LOCAL = re.compile(r"\s*(?:(?:-e\s*|--editable[\s=]\s*)(?!\S+://|\w+\+)|(?=\.{1,2}/))([^\s\[;#]+)")
"""A package in a directory or a file, which pip finds from its working directory: in a job that is the code's root."""
OF_A_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
"""As pip expands them."""


@dataclass
class Requirements:
    """All that a job installs."""

    lines: list[str] = field(default_factory=list)
    """The project's own."""
    own: list[str] = field(default_factory=list)
    """The launcher's."""
    pins: list[str] = field(default_factory=list)
    """Constraints: the versions of the submitting machine."""

    @property
    def all(self) -> list[str]:
        return [*self.lines, *self.own]

    @property
    def variables(self) -> list[str]:
        """The variables that pip needs, as the token of an index."""
        return list(dict.fromkeys(name for line in self.lines for name in OF_A_VARIABLE.findall(line)))


@dataclass
class Declared:
    lines: list[str]
    files: list[Path]
    """The files that the lines come from."""
    needed: list[Path] = field(default_factory=list)
    """Files and directories that pip reads in the job: constraints, and packages that lie beside the code."""


def declared(root: Path, setting: str | None) -> Declared:
    """Return the requirements that `setting` names: a file, AUTO for requirements.txt or pyproject.toml, None for none.

    Raises:
        LauncherError: a file does not exist, cannot be read or lies outside the code's root.
    """
    if setting is None:
        return Declared([], [])
    file = root / ("requirements.txt" if setting == AUTO else setting)
    if not file.is_file() and setting != AUTO:
        raise LauncherError(f"hydra.launcher.requirements={setting}: there is no {file}")
    if file.is_file():
        found = Declared([], [file])
        for line, source in _requirement_lines(file, ()):
            found.files += [source] if source not in found.files else []
            found.lines.append(_from_root(line, source, root, found.needed))
        return found
    project = root / "pyproject.toml"
    return Declared(_dependencies(project), [project]) if project.is_file() else Declared([], [])


def distribution(line: str) -> str:
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""


def _requirement_lines(file: Path, outer: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the lines of a file and of the files that it includes by -r."""
    for line in _text(file).splitlines():
        if (other := INCLUDED.match(line)) is None:
            yield line, file
        elif not (named := file.parent / other[1]).is_file():
            raise LauncherError(f"{file} names {other[1]}, and there is no {named}")
        elif named.resolve() in outer or named.resolve() == file.resolve():
            raise LauncherError(f"{file} names {other[1]}, which leads back to it: take that line out")
        else:
            yield from _requirement_lines(named, (*outer, file.resolve()))


def _from_root(line: str, file: Path, root: Path, needed: list[Path]) -> str:
    """Return a line whose paths are those from the root: all lines arrive there in one file. `needed` gets what they name."""
    if (named := CONSTRAINTS.match(line)) is not None:
        constraints = file.parent / named[1]
        inside = _inside(constraints, root, f"{file} names {named[1]}")
        needed += dict.fromkeys([root / inside, *(source for _, source in _constraint_lines(root / inside, ()))])
        return f"-c {inside}"
    if (named := LINKS.match(line)) is not None and (file.parent / named[1]).exists():  # else from the working directory
        return f"--find-links {_inside(file.parent / named[1], root, f'{file} names {named[1]}')}"
    if (named := LOCAL.match(line)) is not None:
        needed.append(root / _inside(root / named[1], root, f"{file} names {named[1]}, which pip finds from {root}"))
    return line


def _constraint_lines(file: Path, outer: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the lines of a file of constraints and of all that it includes, which pip reads in the job."""
    for line in _text(file).splitlines():
        other = INCLUDED.match(line) or CONSTRAINTS.match(line)
        named = file.parent / other[1] if other else file
        yield line, file
        if other and named.resolve() not in (*outer, file.resolve()) and named.is_file():
            yield from _constraint_lines(Path(os.path.normpath(named)), (*outer, file.resolve()))


def _inside(path: Path, root: Path, words: str) -> str:
    """Return a path relative to the root, as text."""
    if not path.exists():
        raise LauncherError(f"{words}, and there is no {path}")
    normal = Path(os.path.normpath(path))
    if not normal.is_relative_to(root):
        raise LauncherError(
            f"{words}, and {normal} is not below the code's root {root}: set hydra.launcher.code.root to a directory above both"
        )
    return normal.relative_to(root).as_posix()


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
