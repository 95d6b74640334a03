"""Decides which jobs share a machine (`hydra.launcher.jobs_per_machine`): jobs that want the same one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import islice

from hydra_sagemaker.job.identity import parse_job_name
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.submission import Submission
from hydra_sagemaker.settings import PER_JOB, keeps_checkpoints

OF_THE_JOB_ALONE = ("check", "key_files", "model_files", "download_models")
"""Fields that say nothing about the machine."""


def wanted_machine(job: Job) -> str:
    """Return the machine, image, time limit, data, variables and tags of a job as text: jobs share where it is the same."""
    settings = {name: value for name, value in asdict(job.settings).items() if name in PER_JOB and name not in OF_THE_JOB_ALONE}
    return json.dumps(
        [settings, sorted((one.channel, one.sha256, one.name) for one in job.inputs)], sort_keys=True, default=str
    )


def goes_alone(submission: Submission) -> bool:
    """Return whether an attempt continues from the checkpoints of an earlier one: a training job has one place for them."""
    _, attempt = parse_job_name(submission.name) or ("", 0)
    return attempt > 0 and not submission.fresh and keeps_checkpoints(submission.job.settings)


def companions(first: Submission, waiting: Iterable[Submission], at_most: int) -> list[Submission]:
    """Return the waiting jobs that share the machine of `first`, in their order."""
    if at_most < 1 or goes_alone(first):
        return []
    wanted = wanted_machine(first.job)
    fitting = (one for one in waiting if not goes_alone(one) and wanted_machine(one.job) == wanted)
    return list(islice(fitting, at_most))


def groups(submissions: Sequence[Submission], jobs_per_machine: int) -> list[list[Submission]]:
    """Return the jobs machine by machine, as they would be submitted if all were waiting."""
    found: list[list[Submission]] = []
    filling: dict[str, list[Submission]] = {}
    for one in submissions:
        wanted = "" if jobs_per_machine == 1 or goes_alone(one) else wanted_machine(one.job)
        group = filling.get(wanted, [])
        if not wanted or not 0 < len(group) < jobs_per_machine:
            found.append(group := [])
            filling[wanted] = group
        group.append(one)
    return found
