"""Mode dry_run: the requests as they would be sent, in files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra_sagemaker.aws.images import image_of
from hydra_sagemaker.aws.request import training_job_request
from hydra_sagemaker.files import write_atomically
from hydra_sagemaker.job.job import Job

if TYPE_CHECKING:
    from hydra_sagemaker.sweep.sweep import Sweep


def write_requests(sweep: Sweep, jobs: Sequence[Job]) -> None:
    directory = sweep.directory / ".launcher" / "requests"
    bundle = sweep.bundle
    for job in jobs:
        name = job.name(0)
        request = training_job_request(job, name, bundle=bundle, image=image_of(job.settings))
        write_atomically(directory / f"{job.number}.request.json", json.dumps(request, indent=2))
        write_atomically(directory / f"{job.number}.spec.json", sweep.spec_of(job, name).to_json())
        print(f"{job}: {request['ResourceConfig']['InstanceType']} × {request['ResourceConfig']['InstanceCount']}, {name}")
    print(f"{len(jobs)} request{'s' if len(jobs) > 1 else ''} in {directory}; nothing was uploaded or submitted")
