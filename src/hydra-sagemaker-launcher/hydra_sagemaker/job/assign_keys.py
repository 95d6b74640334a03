"""Gives the jobs of a sweep their keys, and refuses jobs that would take each other's place.

Part of a key is whatever a job computes with beside the text of its own configuration.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_sagemaker.errors import SubmissionRefused
from hydra_sagemaker.job.identity import files_digest, job_key, task_yaml
from hydra_sagemaker.job.job import Job, hydra_config
from hydra_sagemaker.job.task import TaskReference
from hydra_sagemaker.secret_names import looks_secret
from hydra_sagemaker.settings import PER_JOB, Mode, SageMakerLauncherConf

OF_THE_ENVIRONMENT = re.compile(r"\$\{\s*oc\.env\s*:[\s\\\"']*([^\s,:{}$\\\"']+)")
OF_HYDRA = re.compile(r"\$\{\s*hydra\s*:\s*([\w./@-]+)")
NUMBERS = ("job.num", "job.id")
CHOICES = "runtime.choices."
WITHOUT_EFFECT = ("check", "key_files", "tags")
"""Fields of the launcher that change nothing of what a job computes, or are in its key already."""


def identify(
    jobs: Sequence[Job],
    *,
    slug: str,
    code: Callable[[str], str],
    image: Callable[[SageMakerLauncherConf], str],
    task: TaskReference | None,
    working_dir: Path,
) -> None:
    """Give each job its key; `code` hashes the code of a job from the text of its configuration.

    Raises:
        SubmissionRefused: different jobs with one output directory, or one job that is to run in different ways.
    """
    digests: dict[tuple[str, ...], str] = {}
    for job in jobs:
        files = tuple(file for file in job.settings.key_files if file is not None)
        if files and files not in digests:
            digests[files] = files_digest(files, working_dir)
        text = task_yaml(job.config, [*job.settings.key_exclude, *(one.key for one in job.inputs)])
        where, data, refers = image(job.settings), digests.get(files, ""), referred(job, text)
        job.slug, job.beside = slug, {"image": where, "data": data, "refers": refers}
        job.key = job_key(text, code=code(text), image=where, task=task, data=data, referred=refers)
    if problems := [*_shared_directories(jobs), *_differing_duplicates(jobs)]:
        raise SubmissionRefused(problems)


def _shared_directories(jobs: Sequence[Job]) -> Iterator[str]:
    """Yield different jobs with one directory, which would overwrite each other there; the same job twice may have one."""
    first: dict[Path, Job] = {}
    for job in jobs:
        other = first.setdefault(job.output_dir, job)
        if other.key != job.key:
            yield f"{job} writes to {job.output_dir} as {other} does: hydra.sweep.subdir must differ"


def referred(job: Job, task_text: str) -> str:
    """Return as JSON what `task_text` refers to by `${oc.env:NAME}`, `${hydra:job.num}` and `${hydra:runtime.choices.…}`.

    The contents of the job's inputs count too.
    Variables that only the job's own machine has are left out, and so are those whose name looks like a secret.
    """
    names = {name for name in OF_THE_ENVIRONMENT.findall(task_text) if not looks_secret(name)} - job.settings.secrets.keys()
    here = os.environ if job.settings.mode == Mode.local else {}  # what another machine has is not known here
    environment = {**here, **job.settings.env, **_env_set(job.config)} if names else {}
    values = {f"env {name}": environment[name] for name in sorted(names) if name in environment}
    values |= {f"input {one.key}": one.sha256 for one in job.inputs}
    values |= {f"input {key}": digest for key, digest in job.contents.items()}
    choices = job.config.hydra.get("runtime", {}).get("choices", {})
    for path in sorted(set(OF_HYDRA.findall(task_text))):
        if path in NUMBERS:
            values["number"] = str(job.number)
        elif path.startswith(CHOICES):
            values[path] = str(choices.get(path.removeprefix(CHOICES)))
    return json.dumps(values, sort_keys=True) if values else ""


def _differing_duplicates(jobs: Sequence[Job]) -> Iterator[str]:
    """Yield jobs of one key, of which only one would run, though they are to run differently."""
    first: dict[str, Job] = {}
    for job in jobs:
        duplicate = first.setdefault(job.key, job)
        if duplicate is not job and (fields := _differences(_beside(duplicate), _beside(job))):
            yield (
                f"{job} and {duplicate} have the same configuration and would be one run, yet differ in {', '.join(fields)}: "
                f"put the value into the configuration and refer to it, as +value=1,2 and {fields[0]}: ${{value}}"
            )


def _beside(job: Job) -> dict[str, Any]:
    """Return the fields of a job that are not in its key."""
    settings = {name: value for name, value in asdict(job.settings).items() if name in PER_JOB and name not in WITHOUT_EFFECT}
    return {"hydra.launcher": settings, "hydra.job.env_set": _env_set(job.config)}


def _differences(mine: Mapping[str, Any], theirs: Mapping[str, Any], path: str = "") -> list[str]:
    """Return names alone: a value may be a secret."""
    found = []
    for key in sorted(mine.keys() | theirs.keys()):
        one, other = mine.get(key), theirs.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += _differences(one, other, f"{path}{key}.")
        elif one != other:
            found.append(f"{path}{key}")
    return found


def _env_set(config: DictConfig) -> dict[str, str]:
    """Return the variables that Hydra sets before the task runs; unresolved where only the job can resolve them."""
    if not (node := config.hydra.get("job", {}).get("env_set", {})):
        return {}
    plain = OmegaConf.to_container(node, resolve=False)
    assert isinstance(plain, dict)
    found = {str(name): str(value) for name, value in plain.items()}
    with hydra_config(config):
        for name in node.keys():
            with suppress(OmegaConfBaseException):
                found[str(name)] = str(node[name])
    return found
