"""Finds what a job has here and would lack on its machine: configuration files, environment variables, room for its paths."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from packaging.utils import canonicalize_name

from hydra_sagemaker.aws.request_problems import Findings
from hydra_sagemaker.code.bundled_files import IGNORE_FILE
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.job.identity import nodes
from hydra_sagemaker.job.job import Job, hydra_config
from hydra_sagemaker.job.spec import is_installed
from hydra_sagemaker.secret_names import looks_secret

OF_THE_ENVIRONMENT = re.compile(r"\$\{\s*oc\.env\s*:")
IN_EVERY_JOB = re.compile(
    r"PATH|HOME|PWD|HOSTNAME|AWS_(DEFAULT_)?REGION|TRAINING_JOB_(NAME|ARN)|(SM|SAGEMAKER|HYDRA_JOB|CUDA|NVIDIA)_\w+"
    r"|RANK|LOCAL_RANK|GROUP_RANK|NODE_RANK|WORLD_SIZE|LOCAL_WORLD_SIZE|MASTER_(ADDR|PORT)"
)
"""Variables that the container, SageMaker or the launcher sets."""
RESOLVED_IN_THE_JOB = ("job.env_set", "job_logging", "callbacks")
"""Parts of the hydra node that the job resolves; it gets the others resolved, or never uses them."""
ROOM_BYTES = 64
"""For the files that the launcher and Hydra write in a job's output directory."""


class ConfigFiles:
    """The configuration files of an application that its jobs would lack: not bundled, or of a package that is not required."""

    def __init__(self, context: HydraContext, config: DictConfig, code: Code, required: Callable[[], Collection[str]]) -> None:
        self.context, self.config, self.code, self.required = context, config, code, required
        self._composed: dict[tuple[str, ...], list[str]] = {}

    def problems(self, job: Job) -> Iterator[str]:
        """Yield a sentence about each of them that the job's configuration is composed from."""
        if not self._unbundled and not self._of_packages:
            return
        for name in self._names(job):
            if (file := self._unbundled.get(name)) is not None:
                group = name.rpartition("/")[0]
                way = f" Where its entry is optional, `~{group}` leaves it out here, too." if group else ""
                yield (
                    f"{file} is part of the configuration and is not bundled, so that a job would compose another one: "
                    f".gitignore, {IGNORE_FILE} or hydra.launcher.code.exclude leaves it out, or it is a link that leads out "
                    f"of the root. `git add -f {file}` sends it, unless a pattern of the launcher's names it.{way}"
                )
            elif (package := self._of_packages.get(name)) is not None:
                yield f"{name} is part of the configuration and comes from {package}, which no requirement names: add that"

    def _names(self, job: Job) -> list[str]:
        """Return the names in the job's defaults list, which only its choices of groups determine."""
        chosen = tuple(f"{group}={option}" for group, option in job.config.hydra.runtime.choices.items())
        if chosen not in self._composed:
            typed = [str(word) for word in OmegaConf.to_container(self.config.hydra.overrides.hydra) or ()]
            words, name = [*typed, *job.overrides], job.config.hydra.job.config_name
            found = self.context.config_loader.compute_defaults_list(name, words, RunMode.RUN)
            self._composed[chosen] = list(dict.fromkeys(str(default.config_path) for default in found.defaults))
        return self._composed[chosen]

    @cached_property
    def _of_packages(self) -> dict[str, str]:
        """Map names of files in installed packages that no requirement reaches to the packages' distributions."""
        found: dict[str, str] = {}
        required = self.required()
        for source in _sources(self.config):
            directory, package = _directory(source), canonicalize_name(source["provider"])
            if directory is None or not is_installed(directory) or package in required:
                continue
            with suppress(metadata.PackageNotFoundError):
                metadata.distribution(package)
                for file in directory.rglob("*.yaml"):
                    found.setdefault(file.relative_to(directory).as_posix().removesuffix(".yaml"), package)
        return found

    @cached_property
    def _unbundled(self) -> dict[str, str]:
        """Map names in the defaults list (`local/default`) to paths relative to the code's root; the first directory counts."""
        root, bundled = self.code.root, {file.as_posix() for file in self.code.files}
        found: dict[str, str] = {}
        for source in _sources(self.config):
            directory = _directory(source)
            if directory is None or not directory.is_relative_to(root) or is_installed(directory.relative_to(root)):
                continue
            for folder, _, files in os.walk(directory, followlinks=False):
                for file in (Path(folder, name) for name in files if name.endswith(".yaml")):
                    name = file.relative_to(directory).as_posix().removesuffix(".yaml")
                    found.setdefault(name, file.relative_to(root).as_posix())
        return {name: file for name, file in found.items() if file not in bundled}


def _sources(config: DictConfig) -> list[dict[str, str]]:
    """Return the search path of a configuration, from the first place to the last."""
    found = OmegaConf.to_container(config.hydra.runtime.config_sources)
    assert isinstance(found, list)
    return found  # type: ignore[return-value]


def _directory(source: dict[str, str]) -> Path | None:
    """Return where a source of Hydra's search path keeps its files; None for one without files."""
    path = source["path"]
    if source["schema"] == "file":
        return Path(path).resolve()
    if source["schema"] != "pkg" or path.partition(".")[0] == "hydra":
        return None
    with suppress(ImportError, ValueError):
        package = find_spec(path)
        for place in (package and package.submodule_search_locations) or ():
            return Path(place).resolve()
    return None


def own_files(task: Callable[..., Any], config: DictConfig) -> list[Path]:
    """Return the file that the task is in, unless that is installed, and the directory of its configuration."""
    module = sys.modules.get(getattr(task, "__module__", None) or "")
    file = Path(getattr(module, "__file__", None) or "").resolve()
    if not file.is_file() or is_installed(file):
        return []
    directories = [_directory(source) for source in _sources(config) if source["provider"] == "main"]
    return [file, *(directory for directory in directories if directory is not None)]


def variable_findings(job: Job, plain: Mapping[Any, Any]) -> Findings:
    """Find variables that the job's configuration needs, as `${oc.env:NAME}` without a default, and that the job lacks.

    `plain` is that configuration, unresolved.
    """
    hydra = job.config.hydra
    given = {*job.settings.env, *job.settings.secrets, *(job.settings.extra.get("Environment") or {})}
    later = {str(name) for name in (OmegaConf.select(hydra, "job.env_set") or {})}
    problems, warnings = [], []
    for place, name in dict.fromkeys(_variables(job.config, plain)):
        if name in given or IN_EVERY_JOB.fullmatch(name) or (name in later and not place.startswith("hydra.")):
            continue
        field = f"hydra.launcher.{'secrets' if looks_secret(name) else 'env'}.{name}"
        if name in os.environ:
            problems.append(
                f"{place} needs {name}, which is set here and not in the job: {field}=… sets it there, or give a "
                f"default, as ${{oc.env:{name},null}}"
            )
        else:
            warnings.append(f"{place} needs {name}, which is not set here: unless the image sets it, {field}=… has to")
    return Findings(problems, warnings)


def _variables(config: DictConfig, plain: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """Yield the place and the name of each variable without a default; names that cannot be resolved here are left out."""
    parts = {f"hydra.{path}": value for path, value in nodes(plain.get("hydra", {}), RESOLVED_IN_THE_JOB)}
    for place, value in ({key: node for key, node in plain.items() if key != "hydra"} | parts).items():
        for path, text in _texts(value, str(place)):
            for name in without_default(text):
                if (resolved := _resolved(name, config)) is not None:
                    yield path, resolved


def _texts(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _texts(value, f"{path}[{index}]")
    elif isinstance(node, str) and "oc.env" in node:
        yield path, node


def without_default(text: str) -> Iterator[str]:
    """Yield the argument of each `${oc.env:…}` that has one argument only, without its quotes; it may hold a `${…}`."""
    for match in OF_THE_ENVIRONMENT.finditer(text):
        before = text[: match.start()]
        if (len(before) - len(before.rstrip("\\"))) % 2:
            continue  # escaped: a text of that form
        depth, quote = 0, ""
        for end, character in enumerate(text[match.end() :], match.end()):
            if quote:
                quote = "" if character == quote and text[end - 1] != "\\" else quote
            elif character in "\"'":
                quote = character
            elif character in "{[":
                depth += 1
            elif character == "," and depth == 0:
                break  # it has a default
            elif character in "}]":
                if depth == 0:
                    yield text[match.end() : end].strip().strip("\\\"'")
                    break
                depth -= 1


def _resolved(name: str, config: DictConfig) -> str | None:
    if "${" not in name:
        return name
    with suppress(OmegaConfBaseException), hydra_config(config):
        return str(OmegaConf.create({"name": name}, parent=config)["name"])
    return None


def path_problem(directory: Path) -> str | None:
    """Return why the file system has no room for the names of an output directory; None where it has."""
    existing = next(parent for parent in directory.parents if os.path.isdir(parent))  # Path.is_dir raises for a long name
    longest = os.pathconf(existing, "PC_NAME_MAX")
    for part in directory.parts:
        if (size := len(os.fsencode(part))) > longest:
            return (
                f"a name in its output directory has {size} bytes, and the file system takes {longest}: {part[:40]}…. "
                "Shorten hydra.sweep.subdir, as to ${hydra.job.num}, or name long keys in "
                "hydra.job.config.override_dirname.exclude_keys"
            )
    at_most = os.pathconf(existing, "PC_PATH_MAX") - ROOM_BYTES
    if (size := len(os.fsencode(directory))) > at_most:
        return f"the path of its output directory has {size} bytes, at most {at_most}: shorten hydra.sweep.dir or .subdir"
    return None
