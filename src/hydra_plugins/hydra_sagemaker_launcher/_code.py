"""The user's code: which files travel, and what they are called by."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from hydra_plugins.hydra_sagemaker_launcher import _bundle
from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError
from hydra_plugins.hydra_sagemaker_launcher._identity import parse_job_name
from hydra_plugins.hydra_sagemaker_launcher.config import CodeConf

log = logging.getLogger(__name__)
PLUGIN = Path(__file__).resolve().parent
OUTPUT_MARKS = (".hydra", ".job", ".launcher")
LAUNCHER_DIR = ".launcher"
"""In the bundle, beside the user's files."""


@dataclass
class Code:
    root: Path
    settings: CodeConf

    @classmethod
    def of(cls, settings: CodeConf, working_dir: Path) -> Code:
        root = Path(working_dir / settings.root) if settings.root else _bundle.find_root(working_dir)
        if not root.is_dir():
            raise LauncherError(f"hydra.launcher.code.root={settings.root}: there is no such directory")
        return cls(root.resolve(), settings)

    @cached_property
    def files(self) -> list[PurePosixPath]:
        return _without_outputs(_bundle.list_files(self.root, exclude=self.settings.exclude))

    @cached_property
    def commit(self) -> str | None:
        """Of the repository; None without one."""
        commit = self._git("rev-parse", "HEAD")
        if commit is None:
            return None
        return f"{commit}-dirty" if self._git("status", "--porcelain", "--untracked-files=no") else commit

    def _git(self, *words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(self.root), *words], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def problems(self) -> list[str]:
        """Why this must not be uploaded."""
        found = (
            _bundle.size_problem(self.root, self.files, self.settings.max_mb),
            _bundle.secret_file_problem(self.files, allowed=self.settings.allow_secret_names),
        )
        return [problem for problem in found if problem is not None]

    def identity(self, *, limited: bool, package: str | None) -> str:
        """Hash of the user's files, and of the task's own package where that is installed elsewhere.

        `limited`: a tree that is too large to read at each start never counts as the same.
        """
        if limited and (problem := self._too_large()):
            log.warning("no job of this sweep will be recognised as one that ran before: %s", problem)
            return uuid.uuid4().hex
        return _bundle.content_hash(self.root, self.files) + self._installed(package)

    def _installed(self, package: str | None) -> str:
        module = sys.modules.get((package or "").partition(".")[0])
        file = Path(getattr(module, "__file__", None) or self.root)
        if file.name != "__init__.py" or file.resolve().is_relative_to(self.root):
            return ""
        sources = sorted(PurePosixPath(source.relative_to(file.parent)) for source in file.parent.rglob("*.py"))
        return _bundle.content_hash(file.parent, sources)

    def _too_large(self) -> str | None:
        try:
            return _bundle.size_problem(self.root, self.files, self.settings.max_mb)
        except LauncherError as error:
            return str(error)

    def requirements(self, setting: str | None, *, with_boto3: bool) -> list[str]:
        """
        Raises:
            LauncherError: the file is not there.
        """
        lines = self._declared(setting)
        names = {_distribution(line) for line in lines}
        if setting is not None and "hydra-core" not in names:
            lines.append("hydra-core>=1.3.2,<1.4")
        return [*lines, "boto3"] if with_boto3 and "boto3" not in names else lines

    def _declared(self, setting: str | None) -> list[str]:
        if setting is None:
            return []
        if setting != "auto":
            file = self.root / setting
            if not file.is_file():
                raise LauncherError(f"hydra.launcher.requirements={setting}: there is no {file}")
            return list(_requirement_lines(file))
        if (self.root / "requirements.txt").is_file():
            return list(_requirement_lines(self.root / "requirements.txt"))
        if (self.root / "pyproject.toml").is_file():
            project = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
            return list(project.get("dependencies", []))
        return []

    def extra(self, requirements: list[str]) -> dict[str, bytes]:
        """What the launcher adds: its own runner and the requirements."""
        found = {
            f"{LAUNCHER_DIR}/path/hydra_plugins/{PLUGIN.name}/{file.name}": file.read_bytes()
            for file in sorted(PLUGIN.glob("*.py"))
        }
        found[f"{LAUNCHER_DIR}/entry.py"] = (PLUGIN / "_entry.py").read_bytes()
        found[f"{LAUNCHER_DIR}/requirements.txt"] = "".join(f"{line}\n" for line in requirements).encode()
        return found

    def bundle_sha256(self, requirements: list[str]) -> str:
        return _bundle.content_hash(self.root, self.files, extra=self.extra(requirements))


def _without_outputs(files: list[PurePosixPath]) -> list[PurePosixPath]:
    """What jobs wrote is not code, even where nothing ignores it: directories that Hydra or the launcher has marked.

    The root itself may be one (`hydra.sweep.dir=.`): then its marks go, and its code stays.
    """
    root = PurePosixPath(".")
    marked = {file.parent for file in files if file.name == "multirun.yaml"}
    marked |= {mark.parent for file in files for mark in file.parents if mark.name in OUTPUT_MARKS}
    marked |= {file.parents[1] for file in files if file.name == "where.json" and parse_job_name(file.parent.name)}
    marked -= {root}
    return [
        file
        for file in files
        if not marked.intersection(file.parents) and not set(OUTPUT_MARKS) & set(file.parts) and file.name != "multirun.yaml"
    ]


def _requirement_lines(file: Path) -> Iterator[str]:
    """With those of the files it names: the job reads them from one place."""
    for line in file.read_text(encoding="utf-8").splitlines():
        other = re.match(r"\s*(?:-r\s*|--requirement[\s=]\s*)(?!\S+://)(\S+)", line)
        if other is None:
            yield line
        elif (file.parent / other[1]).is_file():
            yield from _requirement_lines(file.parent / other[1])
        else:
            raise LauncherError(f"{file} names {other[1]}, and there is no {file.parent / other[1]}")


def _distribution(line: str) -> str:
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""
