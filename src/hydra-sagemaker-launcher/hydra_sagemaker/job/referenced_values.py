"""What a job computes with beside the text of its own configuration, and two jobs that differ in nothing else."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_sagemaker.secret_names import looks_secret
from hydra_sagemaker.settings import PER_JOB, Mode

if TYPE_CHECKING:
    from hydra_sagemaker.job.job import Job

OF_THE_ENVIRONMENT = re.compile(r"\$\{\s*oc\.env\s*:[\s\\\"']*([^\s,:{}$\\\"']+)")
OF_HYDRA = re.compile(r"\$\{\s*hydra\s*:\s*([\w./@-]+)")
NUMBERS = ("job.num", "job.id")
CHOICES = "runtime.choices."
WITHOUT_EFFECT = ("check", "key_files", "tags")
"""Fields of the launcher that change nothing of what a job computes, or are in its key already."""


def referred(job: Job, task_text: str) -> str:
    """The values that `task_text` refers to by `${oc.env:NAME}`, `${hydra:job.num}` and `${hydra:runtime.choices.…}`, as JSON.

    Variables that only the job's own machine has are left out, and so are those whose name looks like a secret.
    """
    names = {name for name in OF_THE_ENVIRONMENT.findall(task_text) if not looks_secret(name)} - job.settings.secrets.keys()
    here = os.environ if job.settings.mode == Mode.local else {}  # what another machine has is not known here
    environment = {**here, **job.settings.env, **_env_set(job.config)} if names else {}
    values = {f"env {name}": environment[name] for name in sorted(names) if name in environment}
    choices = job.config.hydra.get("runtime", {}).get("choices", {})
    for path in sorted(set(OF_HYDRA.findall(task_text))):
        if path in NUMBERS:
            values["number"] = str(job.number)
        elif path.startswith(CHOICES):
            values[path] = str(choices.get(path.removeprefix(CHOICES)))
    return json.dumps(values, sort_keys=True) if values else ""


def differing_duplicates(jobs: Sequence[Job]) -> Iterator[str]:
    """Jobs of one key, of which only one would run, though they are to run differently."""
    first: dict[str, Job] = {}
    for job in jobs:
        duplicate = first.setdefault(job.key, job)
        if duplicate is not job and (fields := _differences(_beside(duplicate), _beside(job))):
            yield (
                f"{job} and {duplicate} have the same configuration and would be one run, yet differ in {', '.join(fields)}: "
                f"put the value into the configuration and refer to it, as +value=1,2 and {fields[0]}: ${{value}}"
            )


def _env_set(config: DictConfig) -> dict[str, str]:
    """What Hydra sets before the task runs; unresolved where only the job can resolve it."""
    if not (node := config.hydra.get("job", {}).get("env_set", {})):
        return {}
    instance = HydraConfig.instance()
    previous = instance.cfg
    instance.cfg = config  # type: ignore[assignment]  # for ${hydra:…}
    try:
        return {str(name): _resolved(node, name) for name in node.keys()}
    finally:
        instance.cfg = previous


def _resolved(node: DictConfig, name: Any) -> str:
    try:
        return str(node[name])
    except OmegaConfBaseException:
        plain = OmegaConf.to_container(node, resolve=False)
        assert isinstance(plain, dict)
        return str(plain[name])


def _beside(job: Job) -> dict[str, Any]:
    settings = {name: value for name, value in asdict(job.settings).items() if name in PER_JOB and name not in WITHOUT_EFFECT}
    return {"hydra.launcher": settings, "hydra.job.env_set": _env_set(job.config)}


def _differences(mine: Mapping[str, Any], theirs: Mapping[str, Any], path: str = "") -> list[str]:
    """By name alone: a value may be a secret."""
    found = []
    for key in sorted(mine.keys() | theirs.keys()):
        one, other = mine.get(key), theirs.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += _differences(one, other, f"{path}{key}.")
        elif one != other:
            found.append(f"{path}{key}")
    return found
