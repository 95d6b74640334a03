"""The specification of one job, which crosses the wire: readable JSON, from which the job composes its configuration again and
refuses to run with another than the one submitted. Unresolved, so that the value of an environment variable is never written;
never a pickle."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.task import TaskReference

FORMAT = 1
ROOT_PREFIX = "root:"
PATH_PREFIX = "path:"
DISTRIBUTIONS = ("hydra-core", "omegaconf", "torch", "pytorch-lightning", "lightning", "transformers", "datasets", "numpy")
"""Whose versions are compared when both sides have them."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass
class Spec:
    """The configuration's part: what `compose` needs; the job's part: who it is and where it runs."""

    name: str
    """The training job's name of this attempt."""
    key: str
    number: int
    task_name: str
    config_name: str | None
    search_path: list[tuple[str, str]]
    hydra_overrides: list[str]
    task_overrides: list[str]
    config: str
    """Unresolved YAML of the task's configuration."""
    plugins: dict[str, Any]
    """`hydra/launcher` and `hydra/sweeper` as chosen: the job need not have a sweeper's plugin installed."""
    now: list[tuple[list[str], str]]
    """Formats and values of `${now:…}` that the submitting process has resolved once and for all."""
    version_base: str | None
    sweep_dir: str
    sweep_subdir: str
    working_dir: str
    """Relative to the code's root."""
    python_path: list[str]
    """Directories below the root from which the submitting process imports."""
    task: TaskReference | None = None
    """None: a closure, in local mode only."""
    secrets: dict[str, str] = field(default_factory=dict)
    region: str | None = None
    model_files: list[str] = field(default_factory=list)
    checkpoints: bool = False
    """The output directory lies where SageMaker keeps it for the next attempt."""
    processes_per_instance: int | None = None
    """None: one per GPU, without GPUs one."""
    commit: str | None = None
    """The commit of the code's repository, ending in -dirty when files differ from it; the job finds it in HYDRA_JOB_COMMIT."""
    versions: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    """Configuration key to the path of a local file of the submitting machine, in the job."""
    threads: dict[str, str] = field(default_factory=dict)
    """Variables that set numbers of threads where the job was submitted: the order of sums depends on them."""
    format: int = FORMAT

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True)


def read(text: str) -> Spec:
    """Read a specification.

    Raises:
        LauncherError: written by another version of the launcher.
    """
    if (values := json.loads(text)).get("format") != FORMAT:
        raise LauncherError(
            f"the job's specification has format {values.get('format')}, this launcher reads {FORMAT}: submit it again"
        )
    task = values["task"]
    values["task"] = None if task is None else TaskReference(**task)
    values["search_path"] = [(provider, path) for provider, path in values["search_path"]]
    return Spec(**values)


@cache
def versions(names: tuple[str, ...] = DISTRIBUTIONS) -> dict[str, str]:
    """Return the version of Python and those of the distributions that are installed here."""
    found = {"python": platform.python_version()}
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def thread_variables(without: Mapping[str, str] = {}) -> dict[str, str]:
    """Return the variables of this process that set numbers of threads, but for names set elsewhere."""
    return {name: os.environ[name] for name in THREAD_VARIABLES if os.environ.get(name) and name not in without}


def version_skew(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Return sentences; patch levels count too, since results may differ."""
    both = [name for name in there if name in here and there[name].split("+")[0] != here[name].split("+")[0]]
    return [f"{name} {here[name]} here, {there[name]} where the sweep was submitted" for name in both]


def portable(path: str, root: Path) -> str:
    """Return a search path entry in words that hold on another machine.

    Raises:
        LauncherError: a directory that is neither bundled with the code nor belongs to an installed package.
    """
    if not path.startswith("file://") and "://" in path:
        return path  # pkg://, structured://: the same everywhere
    directory = Path(path.removeprefix("file://")).resolve()
    if directory.is_relative_to(root) and not is_installed(directory.relative_to(root)):
        return ROOT_PREFIX + directory.relative_to(root).as_posix()
    for entry in sorted((Path(entry).resolve() for entry in sys.path if entry), key=lambda entry: -len(entry.parts)):
        if directory.is_relative_to(entry):
            return PATH_PREFIX + directory.relative_to(entry).as_posix()
    raise LauncherError(
        f"the configuration directory {directory} neither lies below the code's root {root} "
        "nor belongs to an installed package: set hydra.launcher.code.root to a directory above both."
    )


def located(path: str, root: Path) -> str:
    """Undo `portable`, where the job runs.

    Raises:
        LauncherError: a package of the submitting machine is not installed here.
    """
    if path.startswith(ROOT_PREFIX):
        return f"file://{root / path.removeprefix(ROOT_PREFIX)}"
    if path.startswith(PATH_PREFIX):
        relative = path.removeprefix(PATH_PREFIX)
        for entry in sys.path:
            if entry and (Path(entry) / relative).is_dir():
                return f"file://{Path(entry).absolute() / relative}"
        raise LauncherError(
            f"the configuration directory {relative} is in no installed package of this image: "
            "add its package to the requirements"
        )
    return path


def python_path(root: Path) -> list[str]:
    """Return the directories of `sys.path` that are bundled: `src` of an editable install, the script's directory."""
    found: dict[str, None] = {}
    for entry in sys.path:
        directory = Path(entry or ".").resolve()
        if not directory.is_relative_to(root) or not directory.is_dir():
            continue
        relative = directory.relative_to(root)
        if not is_installed(relative) and not (directory / "pyvenv.cfg").exists():
            found[relative.as_posix()] = None
    return list(found)


def is_installed(directory: Path) -> bool:
    """Return whether it is of a virtual environment, which stays where it is."""
    return bool({"site-packages", "dist-packages"} & set(directory.parts))
