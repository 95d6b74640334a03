"""Composes the jobs of a sweep as Hydra's own launcher does, each with the launcher fields that its own configuration gives."""

from __future__ import annotations

import copy
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from hydra_sagemaker.errors import LauncherError, SubmissionRefused
from hydra_sagemaker.job.identity import flat
from hydra_sagemaker.job.inputs import Input
from hydra_sagemaker.job.packed_config import PackedConfig
from hydra_sagemaker.secret_names import looks_secret, value_looks_secret, variable_within
from hydra_sagemaker.settings import FIELDS, PER_JOB, REMOVED, Mode, SageMakerLauncherConf, removed_field

log = logging.getLogger(__name__)
POLL_SECONDS, LOCAL_POLL_SECONDS = 20.0, 0.5
LOG_EVERY = 200
PLACEHOLDERS = {"s3_uri": "s3://placeholder-bucket/sweeps", "role_arn": "arn:aws:iam::123456789012:role/placeholder"}
"""What a dry run writes where nothing is set: it needs no account."""
CONVERTED_AT_MOST = 100
_converted: dict[str, SageMakerLauncherConf] = {}
WITHOUT_END = ("code.max_mb", "max_cost_usd")
"""Numbers that may be infinite."""


@dataclass
class Job:
    number: int
    overrides: tuple[str, ...]
    config: PackedConfig = PackedConfig()
    """With the hydra node."""
    settings: SageMakerLauncherConf = field(default_factory=SageMakerLauncherConf)
    output_dir: Path = Path()
    key: str = ""
    slug: str = ""
    distinguishing_overrides: tuple[str, ...] = ()
    """The overrides in which it differs from the other jobs."""
    inputs: tuple[Input, ...] = ()
    contents: dict[str, str] = field(default_factory=dict)
    """Hashes of the inputs that are not uploaded, since the job finds them without that, by their keys."""
    beside: dict[str, str] = field(default_factory=dict)
    """What its key is made of beside code and configuration."""

    @property
    def job_dir(self) -> Path:
        return self.output_dir / ".job"

    @property
    def subdir(self) -> str:
        """The output directory below the sweep's."""
        with hydra_config(self.config):
            root = Path(str(self.config.hydra.sweep.dir)).absolute()
        return self.output_dir.relative_to(root).as_posix()

    def name(self, attempt: int) -> str:
        """Return the name of an attempt, which `identity.parse_job_name` reads."""
        return f"{self.slug}-{self.key}-{attempt}"

    def __str__(self) -> str:
        words = " ".join(map(_without_secret, self.distinguishing_overrides))
        return f"job {self.number} ({words})" if words else f"job {self.number}"


def _without_secret(override: str) -> str:
    """Return an override as a message may show it: one that is refused for its value is named, too."""
    name, _, value = override.partition("=")
    is_secret = looks_secret(name.rpartition(".")[2]) or value_looks_secret(value) or variable_within(value, os.environ)
    return f"{name}=…" if is_secret else override


@contextmanager
def hydra_config(config: DictConfig) -> Iterator[None]:
    """Resolve `${hydra:…}` from this configuration meanwhile."""
    instance = HydraConfig.instance()
    previous = instance.cfg
    instance.cfg = config  # type: ignore[assignment]
    try:
        yield
    finally:
        instance.cfg = previous


def settings_of(
    config: DictConfig, described: str = "the sweep", unresolved: Mapping[Any, Any] | None = None
) -> SageMakerLauncherConf:
    """Return the launcher's fields with every interpolation resolved from the given configuration.

    Args:
        unresolved: the fields as `unresolved_fields` returns them, where the caller has them.

    Raises:
        LauncherError: a key that a field refers to does not exist, or a number that makes no sense.
    """
    unresolved = unresolved_fields(config) if unresolved is None else unresolved
    try:
        with hydra_config(config):
            is_plain = not any(mark in repr(unresolved) for mark in ("${", "???"))
            resolved = _fields(unresolved) if is_plain else _resolved(config, described)
            values = _as_settings(repr(resolved), resolved)
    except OmegaConfBaseException as error:
        raise LauncherError(f"hydra.launcher of {described}: {str(error).splitlines()[0]}") from None
    if values.poll_seconds is None:
        values.poll_seconds = LOCAL_POLL_SECONDS if values.mode == Mode.local else POLL_SECONDS
    if values.mode == Mode.dry_run:
        for name, stand_in in PLACEHOLDERS.items():
            setattr(values, name, getattr(values, name) or stand_in)
    if problem := next(_senseless(values), None):
        raise LauncherError(problem)
    return values


def unresolved_fields(config: DictConfig) -> dict[Any, Any]:
    found = OmegaConf.to_container(config.hydra.launcher, resolve=False, enum_to_str=True)
    assert isinstance(found, dict)
    return found


def _as_settings(text: str, resolved: dict[str, Any]) -> SageMakerLauncherConf:
    """Return the values as a dataclass; jobs share values by their `text`, which are converted once."""
    if text not in _converted:
        if len(_converted) >= CONVERTED_AT_MOST:
            _converted.clear()
        values = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(SageMakerLauncherConf), resolved))
        assert isinstance(values, SageMakerLauncherConf)
        _converted[text] = values
    return copy.deepcopy(_converted[text])


def _senseless(values: SageMakerLauncherConf) -> Iterator[str]:
    for path, number in flat(asdict(values)).items():
        if isinstance(number, float) and (math.isnan(number) or (math.isinf(number) and path not in WITHOUT_END)):
            yield f"hydra.launcher.{path}={number}: it must be a finite number"
    if values.endpoint_url is not None and (problem := endpoint_problem(values.endpoint_url)):
        yield f"hydra.launcher.endpoint_url={values.endpoint_url}: {problem}"
    if values.max_failures is not None and values.max_failures < 1:
        yield f"hydra.launcher.max_failures={values.max_failures}: at least 1, or null to try every job"
    if values.jobs_per_machine < 1:
        yield f"hydra.launcher.jobs_per_machine={values.jobs_per_machine}: at least 1, which gives every job its own machine"
    if values.max_parallel < 1 or (values.poll_seconds or 0) <= 0:
        yield (
            f"hydra.launcher.max_parallel={values.max_parallel}, poll_seconds={values.poll_seconds}: "
            "max_parallel must be at least 1, and poll_seconds more than 0"
        )


def endpoint_problem(url: str) -> str | None:
    """Return why a URL is no address of a service; None where it is one."""
    if not url.startswith(("http://", "https://")):
        return "it begins with http:// or https://"
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or parts.path not in ("", "/") or parts.query or parts.fragment:
        return "it is a host and, where it has one, a port, without a path: http://127.0.0.1:5005"
    return None


def compose_jobs(context: HydraContext, master: DictConfig, overrides: Sequence[Sequence[str]], first_number: int) -> list[Job]:
    """Compose the jobs of a sweep.

    Raises:
        SubmissionRefused: jobs that want another launcher, or other values of what belongs to the whole sweep.
    """
    jobs, problems = [], []
    of_the_sweep = unresolved_fields(master)
    shared = set.intersection(*map(set, overrides)) if len(overrides) > 1 else set()
    for number, words in enumerate(overrides, first_number):
        own = tuple(word for word in words if word not in shared) or tuple(words)
        config = context.config_loader.load_sweep_config(master, list(words))
        with open_dict(config):
            config.hydra.job.num = number
            config.hydra.job.id = str(number)
        job = Job(number, tuple(words), config, distinguishing_overrides=own)
        fields = unresolved_fields(config)
        differing = _differing(of_the_sweep, fields)
        if removed := [name for name in differing if name in REMOVED]:
            problems.append(f"{job}: {'; '.join(map(removed_field, removed))}")
            continue
        if differing:
            problems.append(f"{job} changes the launcher itself: {', '.join(differing)}. Start one sweep for each.")
            continue
        try:
            job.settings = settings_of(config, str(job), fields)
            job.output_dir = _output_dir(config)
        except LauncherError as error:
            problems.append(str(error))
        jobs.append(job)
        if len(jobs) % LOG_EVERY == 0:
            log.info("%d of %d jobs composed", len(jobs), len(overrides))
    if problems:
        raise SubmissionRefused(problems)
    return jobs


def _fields(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key in FIELDS}


def _resolved(config: DictConfig, described: str) -> dict[str, Any]:
    found = {}
    for key in config.hydra.launcher:
        if key not in FIELDS:
            continue
        try:
            value = config.hydra.launcher[key]
            found[key] = OmegaConf.to_container(value, resolve=True, enum_to_str=True) if OmegaConf.is_config(value) else value
        except OmegaConfBaseException as error:
            raise LauncherError(f"hydra.launcher.{key} of {described}: {str(error).splitlines()[0]}") from None
        if isinstance(value, Enum):
            found[key] = value.name  # Hydra may execute config.py twice, with other enumerations
    return found


def _differing(mine: Mapping[Any, Any], theirs: Mapping[Any, Any]) -> list[str]:
    """Return the differing fields that belong to the whole sweep. `${model.instance_type}` is the same words for every job."""
    keys = sorted(map(str, mine.keys() | theirs.keys()))
    return [key for key in keys if key not in PER_JOB and mine.get(key) != theirs.get(key)]


def _output_dir(config: DictConfig) -> Path:
    try:
        with hydra_config(config):
            directory, subdir = str(config.hydra.sweep.dir), str(config.hydra.sweep.subdir)
    except OmegaConfBaseException as error:
        raise LauncherError(f"hydra.sweep: {str(error).splitlines()[0]}") from None
    if (below := Path(os.path.normpath(subdir))).is_absolute() or ".." in below.parts:
        raise LauncherError(
            f"hydra.sweep.subdir={subdir} leaves the sweep's directory {directory}: "
            "it is a path below that, as ${hydra.job.num}"
        )
    return (Path(directory) / below).absolute()
