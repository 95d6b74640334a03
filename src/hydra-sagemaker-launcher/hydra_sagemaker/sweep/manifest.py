"""The file with which the jobs of a sweep are seen, stopped and collected from its directory alone, without its application.

Never an environment variable, a secret's name, a tag, a hyperparameter or a value of the task's configuration,
but for the paths of local files that jobs have got.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.identity import parse_job_name
from hydra_sagemaker.job.inputs import Input
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.ledger import Ledger
from hydra_sagemaker.settings import Mode, SageMakerLauncherConf, keep_warm_seconds
from hydra_sagemaker.sweep.manifest_file import FORMAT, add_jobs, can_add, manifest_file, read_values, write_values

SWEEP_FIELDS = """
mode region profile endpoint_url bucket_owner s3_uri output_kms_key collected price_per_hour poll_seconds
""".split()
JOB_FIELDS = "instance_type instance_count max_run_hours max_wait_hours spot checkpoints model_files download_models".split()
INPUT_FIELDS = ("key", "path", "channel", "sha256")
WHERE_THE_JOBS_ARE = ("mode", "region", "endpoint_url")
PLACE = (*WHERE_THE_JOBS_ARE, "profile")
"""A profile may be of another account, but need not."""
NO_CONFIG = OmegaConf.create()
OF_THE_LAUNCHER = re.compile(r"[+~]*hydra[./]")
"""Overrides that may hold environment variables."""


@dataclass
class Attempt:
    """The newest at a job, planned or made."""

    name: str
    submitted: float | None = None
    """Seconds since 1970; None: it was planned only."""
    ended: float | None = None
    shared_by: int = 1
    """The number of jobs on its machine."""
    seen: bool = False
    """True once the place where jobs run has told of it: a submission may have failed on its way."""


@dataclass(frozen=True)
class Manifest:
    directory: Path
    settings: SageMakerLauncherConf
    state_dir: Path
    root: Path
    working_dir: Path
    task_package: str | None
    hydra: dict[str, Any]
    """The part of the hydra node that all jobs share."""
    entries: dict[int, dict[str, Any]] = field(repr=False)
    """The jobs as written, by their number."""

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.directory / ".launcher" / "ledger.jsonl")

    def jobs(self) -> list[Job]:
        """Return the jobs without their configuration, which takes longer than all the rest; `complete` adds it."""
        fields = {name: getattr(self.settings, name) for name in SWEEP_FIELDS}
        return [
            Job(
                number=number,
                overrides=tuple(entry["overrides"]),
                config=NO_CONFIG,
                settings=SageMakerLauncherConf(**fields, **entry["settings"]),
                output_dir=self.directory / entry["output_dir"],
                key=entry["key"],
                slug=entry["slug"],
                distinguishing_overrides=tuple(entry["distinguishing_overrides"]),
                inputs=tuple(Input(**given) for given in entry.get("inputs", ())),
            )
            for number, entry in sorted(self.entries.items())
        ]

    def complete(self, job: Job) -> Job:
        """Return the job with those values of the hydra node that its collection needs."""
        entry = self.entries[job.number]
        hydra = {
            "output_subdir": entry["hydra"]["output_subdir"],
            "runtime": self.hydra,
            "sweep": {"dir": str(self.directory), "subdir": entry["output_dir"]},
            "job": {"name": entry["hydra"]["job_name"]},
            "overrides": {"task": entry["hydra"]["task_overrides"]},
        }
        return replace(job, config=OmegaConf.create({"hydra": hydra}))

    def attempts(self) -> dict[int, Attempt]:
        """Return the last attempt that the ledger knows, or one planned after it, by the number of the job."""
        known: dict[str, Attempt] = {}
        newest: dict[str, Attempt] = {}  # by key
        for event in self.ledger.read():
            name = str(event.get("name"))
            if (key_and_number := parse_job_name(name)) is None:
                continue
            _note(attempt := known.setdefault(name, Attempt(name)), event)
            if attempt.submitted is not None:
                newest[key_and_number[0]] = attempt
        found = {}
        for number, entry in self.entries.items():
            planned = Attempt(entry["name"])
            found[number] = max(newest.get(entry["key"], planned), planned, key=_number)
        return found


def write_manifest(
    directory: Path,
    settings: SageMakerLauncherConf,
    jobs: Sequence[Job],
    names: Mapping[int, str],
    *,
    state_dir: Path,
    root: Path,
    working_dir: Path,
    task_package: str | None,
) -> None:
    """Write the manifest, where earlier batches stay; `names` are those of the first attempts planned, by job number."""
    values: dict[str, Any] = {
        "format": FORMAT,
        "settings": {name: getattr(settings, name) for name in SWEEP_FIELDS},
        "state_dir": _from(directory, state_dir),
        "root": _from(directory, root),
        "working_dir": _from(directory, working_dir),
        "task_package": task_package,
        "hydra": _shared(jobs),
        "jobs": {},
    }
    entries = {str(job.number): _entry(job, names[job.number], directory) for job in jobs}
    if can_add(directory, values):
        add_jobs(directory, entries)
        return
    previous = read_values(directory)
    if previous is not None and all(previous["settings"][name] == values["settings"][name] for name in WHERE_THE_JOBS_ARE):
        values["jobs"].update(previous["jobs"])
        values["hydra"] = values["hydra"] or previous["hydra"]
    values["jobs"].update(entries)
    write_values(directory, values)


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest in a sweep's directory.

    Raises:
        LauncherError: it is no directory of a sweep of this launcher, or of another version of it.
    """
    directory = directory.absolute()
    if not (file := manifest_file(directory)).is_file():
        raise LauncherError(
            f"{directory} is not the directory of a sweep that this launcher submitted: no {file.relative_to(directory)}."
            " Give the sweep's hydra.sweep.dir"
        )
    if (values := read_values(directory)) is None:
        raise LauncherError(
            f"{file} was written by another version of the launcher, or damaged; this one reads format {FORMAT}:"
            " the sweep's own command writes it again"
        )
    settings = values["settings"] | {"mode": Mode(values["settings"]["mode"])}
    return Manifest(
        directory=directory,
        settings=SageMakerLauncherConf(**{name: settings[name] for name in SWEEP_FIELDS}),
        **{name: (directory / values[name]).resolve() for name in ("state_dir", "root", "working_dir")},
        task_package=values["task_package"],
        hydra=values["hydra"],
        entries={int(number): entry for number, entry in values["jobs"].items()},
    )


def _from(directory: Path, path: Path) -> str:
    """Return a path that moves with the sweep's directory where it lies below that."""
    path, directory = path.absolute(), directory.absolute()
    return path.relative_to(directory).as_posix() if path.is_relative_to(directory) else str(path)


def _shared(jobs: Sequence[Job]) -> dict[str, Any]:
    if not jobs:
        return {}
    runtime = jobs[0].config.hydra.runtime
    sources = OmegaConf.to_container(runtime.config_sources) if "config_sources" in runtime else []
    return {"cwd": str(runtime.cwd), "config_sources": sources}


def _entry(job: Job, name: str, directory: Path) -> dict[str, Any]:
    hydra = job.config.hydra
    return {
        "key": job.key,
        "slug": job.slug,
        "distinguishing_overrides": _harmless(job.distinguishing_overrides),
        "overrides": _harmless(job.overrides),
        "output_dir": _from(directory, job.output_dir),
        "name": name,
        "settings": {name: getattr(job.settings, name) for name in JOB_FIELDS}
        | {"keep_warm_minutes": keep_warm_seconds(job.settings) / 60 or None},
        "inputs": [{name: getattr(given, name) for name in INPUT_FIELDS} for given in job.inputs],
        "hydra": {
            "output_subdir": hydra.output_subdir,
            "job_name": hydra.job.name,
            "task_overrides": _harmless([str(word) for word in OmegaConf.to_container(hydra.overrides.task) or ()]),
        },
    }


def _harmless(words: Sequence[str]) -> list[str]:
    return [word for word in words if not OF_THE_LAUNCHER.match(word)]


def _note(attempt: Attempt, event: dict[str, Any]) -> None:
    kind, time = event.get("event"), event.get("time")
    if kind == "submit":
        attempt.submitted, attempt.ended, attempt.shared_by = time, None, int(event.get("shared_by") or 1)
    elif kind in ("attached", "reused", "status"):
        attempt.seen = True
        attempt.submitted = attempt.submitted or time
        if event.get("state") not in (None, "waiting", "running"):
            attempt.ended = time


def _number(attempt: Attempt) -> int:
    return (parse_job_name(attempt.name) or ("", 0))[1]
