"""Gives the jobs of a sweep their keys, and refuses jobs that would take each other's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hydra_sagemaker.errors import SubmissionRefused
from hydra_sagemaker.job.identity import files_digest, job_key, task_yaml
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.referenced_values import differing_duplicates, referred
from hydra_sagemaker.job.task import TaskReference
from hydra_sagemaker.settings import SageMakerLauncherConf


def identify(
    jobs: Sequence[Job],
    *,
    slug: str,
    code: str,
    image: Callable[[SageMakerLauncherConf], str],
    task: TaskReference | None,
    working_dir: Path,
) -> None:
    """Gives each job its key.

    Raises:
        SubmissionRefused: different jobs with one output directory, or one job that is to run in different ways.
    """
    digests: dict[tuple[str, ...], str] = {}
    for job in jobs:
        files = tuple(file for file in job.settings.key_files if file is not None)
        if files and files not in digests:
            digests[files] = files_digest([working_dir / file for file in files])
        job.slug = slug
        job.key = job_key(
            job.config,
            without=job.settings.key_exclude,
            code=code,
            image=image(job.settings),
            task=task,
            data=digests.get(files, ""),
            referred=referred(job, task_yaml(job.config, job.settings.key_exclude)),
        )
    if problems := [*_shared_directories(jobs), *differing_duplicates(jobs)]:
        raise SubmissionRefused(problems)


def _shared_directories(jobs: Sequence[Job]) -> Iterator[str]:
    """The same job twice may have one directory; different jobs would overwrite each other there."""
    first: dict[Path, Job] = {}
    for job in jobs:
        other = first.setdefault(job.output_dir, job)
        if other.key != job.key:
            yield f"{job} writes to {job.output_dir} as {other} does: hydra.sweep.subdir must differ"
