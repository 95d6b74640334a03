"""Mode dry_run: the whole plan with its prices, and the requests in files; nothing is sent, and no account is needed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra_sagemaker.aws.request import checkpoints_uri, training_job_request
from hydra_sagemaker.aws.shared_machines import machine_name
from hydra_sagemaker.backends.base import State, Status
from hydra_sagemaker.display.tables import counted
from hydra_sagemaker.errors import SubmissionRefused
from hydra_sagemaker.files import write_atomically
from hydra_sagemaker.job.job import PLACEHOLDERS, Job
from hydra_sagemaker.scheduling.sharing import groups
from hydra_sagemaker.scheduling.tracker import NEW, Submission
from hydra_sagemaker.sweep.announcements import detach_problems, jobs_per_machine, print_plan
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
    if jobs_per_machine(sweep) > 1:
        machines = groups(sorted(unique, key=lambda one: one.job.number), jobs_per_machine(sweep))
    else:
        machines = [[Submission(job, job.name(0), NEW, Status(State.WAITING))] for job in jobs]
    for first, *others in machines:
        job, names = first.job, [one.name for one in (first, *others)]
        request = training_job_request(job, first.name, bundle=bundle, image=images[job.number])
        if others:
            numbers, machine = [one.job.number for one in (first, *others)], machine_name(names)
            place = checkpoints_uri(str(job.settings.s3_uri).rstrip("/"), machine, 0)
            request = training_job_request(
                job, machine, bundle=bundle, image=images[job.number], checkpoints=place, numbers=numbers
            )
        write_atomically(directory / f"{job.number}.request.json", json.dumps(request, indent=2))
    for job in jobs:
        write_atomically(directory / f"{job.number}.spec.json", sweep.spec_of(job, job.name(0)).to_json())
    if missing := sorted(
        {name for job in jobs for name, value in PLACEHOLDERS.items() if getattr(job.settings, name) == value}
    ):
        fields = ", ".join(f"hydra.launcher.{name}" for name in missing)
        print(f"placeholders stand for what is not set, and is needed to submit: {fields}")
    print(f"{counted(len(machines), 'request')} in {directory}; nothing was uploaded or submitted")


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
