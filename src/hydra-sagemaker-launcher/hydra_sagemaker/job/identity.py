"""Says when two jobs are the same job: the same task, configuration, code and image.

The key makes a sweep resumable without a database.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import Container, DictConfig, OmegaConf, open_dict, read_write

from hydra_sagemaker.job.task import TaskReference

KEY_LENGTH = 16
NAME_LENGTH = 63
"""The longest name of a training job; https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html"""


def task_yaml(config: DictConfig, without: Sequence[str] = (), values: Mapping[str, str] = {}) -> str:
    """Return the task's configuration unresolved, less the hydra node and the given keys, with other `values` of some keys."""
    task = without_hydra(config)
    for path in without:
        _remove(task, path)
    with read_write(task):
        for path, value in values.items():
            OmegaConf.update(task, path, value)
    return OmegaConf.to_yaml(task)


def without_hydra(config: DictConfig) -> DictConfig:
    """Return a copy of the task's part alone. The hydra node is many times as large: copied first and removed then, it leaves
    memory in pieces that thousands of jobs add up to."""
    node = config._get_node("hydra") if "hydra" in config.keys() else None
    task = copy.deepcopy(config, {} if node is None else {id(node): DictConfig({})})
    _remove(task, "hydra")
    return task


def unresolved_without(config: DictConfig, key: str) -> dict[str, Any]:
    """Return the values of all keys but one, unresolved."""
    found = {str(name): config._get_node(name) for name in config.keys() if name != key}
    return {
        name: OmegaConf.to_container(node, resolve=False) if isinstance(node, Container) else node._value()  # type: ignore[union-attr]
        for name, node in found.items()
    }


def flat(node: Mapping[Any, Any], path: str = "") -> dict[str, Any]:
    """Return the values of a tree by their dotted paths; an empty mapping is a value too."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        is_tree = isinstance(value, Mapping) and value
        found |= flat(value, f"{path}{key}.") if is_tree else {f"{path}{key}": value}
    return found


def nodes(tree: Any, paths: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield the nodes of a plain tree at dotted paths; an empty one where there is none."""
    for path in paths:
        node = tree
        for key in path.split("."):
            node = node.get(key, {}) if isinstance(node, dict) else {}
        yield path, node


def job_key(task_text: str, *, code: str, image: str, task: TaskReference | None, data: str = "", referred: str = "") -> str:
    """Return the key of a job, in hexadecimal, from its `task_yaml`.

    `code` and `data` are hashes of files; `image` names whatever the job runs in; `referred` are values that the
    configuration refers to and does not hold.
    """
    parts = [task_text, code, image, json.dumps(None if task is None else asdict(task), sort_keys=True)]
    digest = hashlib.sha256()
    for part in [*parts, *filter(None, (data, referred))]:
        digest.update(len(part.encode()).to_bytes(8, "big") + part.encode())
    return digest.hexdigest()[:KEY_LENGTH]


def files_digest(names: Sequence[str | Path], directory: Path = Path()) -> str:
    """Return a hash of the contents of files and of everything below directories; of what is not there, of its name.

    Relative names are those of `directory`.
    """
    digest = hashlib.sha256()
    for name in names:
        path = directory / Path(name).expanduser()
        files = sorted({path} if path.is_file() else _below(path))
        digest.update(f"{len(files)} files at {path.name if files else name}".encode())
        for file in files:
            digest.update(file.relative_to(path).as_posix().encode() + b"\0")
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _below(directory: Path) -> Iterator[Path]:
    """Yield the files below a directory, through links too, but for links that lead back to where they lie."""
    for folder, folders, names in os.walk(directory, followlinks=True):
        here = Path(folder)
        folders[:] = [name for name in folders if not here.resolve().is_relative_to((here / name).resolve())]
        yield from (file for name in names if (file := here / name).is_file())


def slug(name: str) -> str:
    """Return a name in letters, digits and single hyphens, short enough for key and attempt to follow."""
    room = NAME_LENGTH - KEY_LENGTH - len("--999")
    return re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-")[:room].rstrip("-") or "job"


def parse_job_name(name: str) -> tuple[str, int] | None:
    """Return key and attempt, None for another name."""
    match = re.fullmatch(rf".+-([0-9a-f]{{{KEY_LENGTH}}})-(\d+)", name)
    return (match[1], int(match[2])) if match else None


def _remove(config: DictConfig, path: str) -> None:
    """Delete a key, through no interpolation: what `a: ${b}` refers to belongs to `b`."""
    *parents, key = path.split(".")
    node: Any = config
    for parent in parents:
        if not isinstance(node, DictConfig) or OmegaConf.is_interpolation(node, parent) or parent not in node:
            return
        node = node[parent]
    if isinstance(node, DictConfig) and key in node.keys():  # `in node` would resolve the value
        with open_dict(node), read_write(node):
            del node[key]
