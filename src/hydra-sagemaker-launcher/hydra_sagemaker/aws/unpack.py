"""Moves an unpacked archive into a job's output directory, which may hold the files of another job."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from omegaconf import OmegaConf, open_dict

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.files import read_json, write_atomically
from hydra_sagemaker.job.inputs import replaced
from hydra_sagemaker.job.job import Job

log = logging.getLogger(__name__)
LIST = "files.json"
"""In .job: the files put into the output directory, to be removed when another job gets it."""
OF_THE_JOB = ("result.json", "started.json", "output.log", "constraints.txt", "spec.json", "record.json", LIST)


def place(data: Path, job: Job, name: str) -> list[str]:
    """Replace the files of another job. This job wrote to a sweep directory of its own, perhaps under another number.

    Returns the links that lead out of the job's output directory, which are not moved.
    """
    written_to = _read(data / ".job" / "spec.json").get("sweep_subdir")
    source = data / (written_to if isinstance(written_to, str) and _is_below(written_to) else own_subdirectory(job))
    is_inside = source.is_dir() and source.resolve().is_relative_to(data.resolve())
    files, skipped = _files(source, without=data / ".job") if is_inside else ([], [])
    remove_earlier(job, name)
    list_files(job, name, [*listed_files(job, name), *files])
    if is_inside:
        move(source, job.output_dir, files)
    about, more = _files(data / ".job")
    move(data / ".job", job.job_dir, [file for file in about if file != LIST])  # last: it says that all is there
    _correct_directories(job)
    _correct_inputs(job)
    return [*skipped, *more]


def place_models(models: Path, job: Job, name: str) -> list[str]:
    files, skipped = _files(models)
    list_files(job, name, [*listed_files(job, name), *files])
    move(models, job.output_dir, files)
    return skipped


def remove_earlier(job: Job, name: str) -> None:
    """Remove the files of another job or an earlier attempt; files that no job wrote stay."""
    if owner(job.job_dir) == name:
        return
    root = job.output_dir.resolve()
    for file in listed_files(job, None):
        path = job.output_dir / file
        if not path.parent.resolve().is_relative_to(root):
            continue
        if path.is_symlink() or path.is_file():
            path.unlink()
        folder = path.parent
        while folder.resolve() != root and not folder.is_symlink() and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
    for known in OF_THE_JOB:
        (job.job_dir / known).unlink(missing_ok=True)
    shutil.rmtree(job.job_dir / "ranks", ignore_errors=True)


def owner(job_dir: Path) -> str | None:
    """Return the name of the training job whose results are in the directory."""
    name = _read(job_dir / LIST).get("name") or _read(job_dir / "spec.json").get("name")
    return None if name is None else str(name)


def listed_files(job: Job, name: str | None) -> list[str]:
    """Return the files of the job of that name; None: of the last job in the directory."""
    listed = _read(job.job_dir / LIST)
    files = listed.get("files") if name in (None, listed.get("name")) else None
    return [file for file in files if isinstance(file, str) and _is_below(file)] if isinstance(files, list) else []


def list_files(job: Job, name: str, files: Sequence[str]) -> None:
    write_atomically(job.job_dir / LIST, json.dumps({"name": name, "files": sorted(set(files))}, indent=1))


def move(source: Path, target: Path, files: Sequence[str]) -> None:
    """Move files over existing ones. Links are moved as links, and none is written through."""
    for file in files:
        to = target / file
        to.parent.mkdir(parents=True, exist_ok=True)
        if to.is_dir() and not to.is_symlink():
            raise LauncherError(f"{to} is a directory, and the job wrote a file of that name: move it away")
        to.unlink(missing_ok=True)
        shutil.move(source / file, to)


def own_subdirectory(job: Job) -> PurePosixPath:
    return PurePosixPath(job.output_dir.relative_to(Path(str(job.config.hydra.sweep.dir)).absolute()).as_posix())


def _files(root: Path, without: Path | None = None) -> tuple[list[str], list[str]]:
    """Return files and links below `root`, and apart from them the links that lead out of it."""
    files: list[str] = []
    outside: list[str] = []
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in links and here / name != without)
        for path in (here / name for name in sorted([*names, *links])):
            leaves = path.is_symlink() and _leaves(path, root)
            (outside if leaves else files).append(path.relative_to(root).as_posix())
    return files, outside


def _leaves(link: Path, root: Path) -> bool:
    """Compare normalised paths: `root` may hold `..`."""
    target = os.readlink(link)
    return os.path.isabs(target) or not Path(os.path.normpath(link.parent / target)).is_relative_to(os.path.normpath(root))


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _read(file: Path) -> dict[str, object]:
    values = read_json(file)
    return values if isinstance(values, dict) else {}


def _correct_directories(job: Job) -> None:
    """Write this machine's directories into `.hydra/hydra.yaml`, which names the container's."""
    subdir = job.config.hydra.output_subdir
    file = job.output_dir / str(subdir) / "hydra.yaml"
    if subdir is None or not file.is_file():
        return
    config = OmegaConf.load(file)
    with open_dict(config):
        if job.inputs:
            config.hydra.overrides.task = list(job.config.hydra.overrides.task)
        config.hydra.runtime.output_dir = str(job.output_dir)
        config.hydra.runtime.cwd = job.config.hydra.runtime.cwd
        config.hydra.runtime.config_sources = job.config.hydra.runtime.config_sources
        config.hydra.sweep.dir = str(job.config.hydra.sweep.dir)
        config.hydra.sweep.subdir = own_subdirectory(job).as_posix()
    file.write_text(OmegaConf.to_yaml(config), encoding="utf-8")


def input_places(job: Job, result: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the paths that a job's inputs had where it ran, with the paths here."""
    there = (result or {}).get("inputs")
    local = {one.key: one.path for one in job.inputs}
    found = {path: local[key] for key, path in there.items() if key in local} if isinstance(there, dict) else {}
    return {**found, **{one.in_job: one.path for one in job.inputs}}


def _correct_inputs(job: Job) -> None:
    """Write this machine's paths of inputs into the files that Hydra wrote."""
    places = input_places(job, _read(job.job_dir / "result.json"))
    folder = job.output_dir / str(job.config.hydra.output_subdir)
    if not places or job.config.hydra.output_subdir is None or not (folder / "config.yaml").is_file():
        return
    values = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"), resolve=False)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(replaced(values, places))), encoding="utf-8")
    words = OmegaConf.create(list(job.config.hydra.overrides.task))
    (folder / "overrides.yaml").write_text(OmegaConf.to_yaml(words), encoding="utf-8")
