"""Mode dry_run: the whole plan with its prices, and the requests in files; nothing is sent, and no account is needed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra_sagemaker.aws.request import training_job_request
from hydra_sagemaker.backends.base import State, Status
from hydra_sagemaker.display.tables import counted
from hydra_sagemaker.errors import SubmissionRefused
from hydra_sagemaker.files import write_atomically
from hydra_sagemaker.job.job import PLACEHOLDERS, Job
from hydra_sagemaker.scheduling.tracker import NEW, Submission
from hydra_sagemaker.sweep.announcements import detach_problems, print_plan
from hydra_sagemaker.sweep.sweep import Sweep


def dry_run(sweep: Sweep, jobs: Sequence[Job]) -> None:
    """Print the plan of jobs that are all new, and write their requests.

    Raises:
        SubmissionRefused: they could cost more than `max_cost_usd`, or cannot be left alone as `wait=false` wants.
    """
    unique = list({job.key: Submission(job, job.name(0), NEW, Status(State.WAITING)) for job in reversed(jobs)}.values())[::-1]
    sweep.backend.learn_prices(jobs)
    print_plan(sweep, unique, len(jobs))
    too_dear = sweep.spending.reserve({one.name: one.job for one in unique})
    if problems := [*filter(None, [too_dear]), *detach_problems(sweep, unique)]:
        raise SubmissionRefused(problems)
    _print_uploads(sweep, jobs)
    directory = sweep.directory / ".launcher" / "requests"
    bundle = sweep.code.bundle_sha256(sweep.requirements)
    images = {job.number: sweep.backend.image(job.settings) for job in jobs}
    for job in jobs:
        name = job.name(0)
        request = training_job_request(job, name, bundle=bundle, image=images[job.number])
        write_atomically(directory / f"{job.number}.request.json", json.dumps(request, indent=2))
        write_atomically(directory / f"{job.number}.spec.json", sweep.spec_of(job, name).to_json())
    if missing := sorted(
        {name for job in jobs for name, value in PLACEHOLDERS.items() if getattr(job.settings, name) == value}
    ):
        fields = ", ".join(f"hydra.launcher.{name}" for name in missing)
        print(f"placeholders stand for what is not set, and is needed to submit: {fields}")
    print(f"{counted(len(jobs), 'request')} in {directory}; nothing was uploaded or submitted")


def _print_uploads(sweep: Sweep, jobs: Sequence[Job]) -> None:
    """Name what a launch would upload, once for each content."""
    files = sweep.code.files
    print(
        f"to upload: code, {counted(len(files), 'file')}, {_megabytes(sweep.code.root / name for name in files)} before packing"
    )
    for given in {one.sha256: one for job in jobs for one in job.inputs}.values():
        folder = Path(given.path).parent
        print(f"to upload: {given.key}={given.path}, {_megabytes(folder / name for name in given.files)}")


def _megabytes(files: Iterable[Path]) -> str:
    return f"{sum(file.stat().st_size for file in files) / 1e6:.2f} MB"
