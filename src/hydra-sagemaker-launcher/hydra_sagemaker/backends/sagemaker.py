"""Mode sagemaker: a training job per job. The only module that calls the service."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from hydra_sagemaker.aws import price_list
from hydra_sagemaker.aws.clients import Clients, api_call, error_code, persistently
from hydra_sagemaker.aws.images import Images
from hydra_sagemaker.aws.logs import CloudWatchLog, FileLog, Log, SharedLog, tail
from hydra_sagemaker.aws.preflight import preflight
from hydra_sagemaker.aws.request import (
    checkpoints_uri,
    job_in_machine_uri,
    limit_seconds,
    machine_uri,
    slug_of,
    training_job_request,
)
from hydra_sagemaker.aws.shared_machines import SharedMachines, machine_name, written
from hydra_sagemaker.aws.storage import Storage
from hydra_sagemaker.aws.training_jobs import TrainingJobs
from hydra_sagemaker.aws.unpack import input_places
from hydra_sagemaker.backends.base import Backend, Existing, Outcome, State, Status
from hydra_sagemaker.backends.diagnosis import failure_of_job, is_code_gone, last_lines
from hydra_sagemaker.backends.sagemaker_lookup import JobLookup
from hydra_sagemaker.backends.sagemaker_pools import SageMakerPools
from hydra_sagemaker.backends.sagemaker_reports import CheckpointedReports
from hydra_sagemaker.backends.sagemaker_status import quota_exceeded, record_of, status_of
from hydra_sagemaker.backends.sagemaker_uploads import Uploads
from hydra_sagemaker.code.requirements import Requirements
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.container.turns import label
from hydra_sagemaker.errors import Cause, Failure, LauncherError, Throttled, Unreachable
from hydra_sagemaker.job.identity import parse_job_name
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.result import returned_value
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.pricing.cost import billed
from hydra_sagemaker.pricing.prices import choices_of, prices_of
from hydra_sagemaker.settings import SageMakerLauncherConf, keeps_checkpoints

log = logging.getLogger(__name__)
STOP_SECONDS = 60.0
"""For stopping all jobs, when the service throttles or is unreachable."""


class SageMakerBackend(Backend):
    """Runs jobs in SageMaker. Without `code` it polls, collects and stops; only a sweep submits."""

    def __init__(self, settings: SageMakerLauncherConf, code: Code | None, requirements: Requirements | None) -> None:
        self.settings, self.prices = settings, prices_of(settings)
        self.code, self.requirements = code, requirements or Requirements()
        self._images, self._pools = Images(), SageMakerPools(lambda: self.training_jobs)

    @cached_property
    def clients(self) -> Clients:
        return Clients(self.settings)

    @cached_property
    def storage(self) -> Storage:
        return Storage(self.clients.s3, self.settings)

    @cached_property
    def uploads(self) -> Uploads:
        assert self.code is not None
        return Uploads(self.storage, self.code, self.requirements)

    @cached_property
    def training_jobs(self) -> TrainingJobs:
        return TrainingJobs(self.clients)

    @cached_property
    def machines(self) -> SharedMachines:
        return SharedMachines(self.training_jobs, self.storage)

    @cached_property
    def lookup(self) -> JobLookup:
        return JobLookup(self.training_jobs, self.machines)

    @cached_property
    def _reports(self) -> CheckpointedReports:
        return CheckpointedReports(self.machines.described, self.storage)

    @property
    def pools(self) -> SageMakerPools:
        return self._pools

    @property
    def region(self) -> str | None:
        return self.clients.region

    def image(self, settings: SageMakerLauncherConf) -> str:
        return self._images.of(settings)

    def learn_prices(self, jobs: Sequence[Job]) -> None:
        types = {name for job in jobs for choice in choices_of(job.settings) for name in choice}
        price_list.ask(self.prices, self.settings, types)

    def preflight(self, jobs: Sequence[Job]) -> None:
        preflight(self.clients, [job.settings for job in jobs])

    def log(self, job: Job, name: str, *, lines: int, is_collected: bool) -> Log:
        file = job.job_dir / "output.log"
        if is_collected and file.is_file():
            return FileLog(file, lines=lines)
        if (machine := persistently(lambda: self.machines.machine_of(name))) is not None:
            own = label(self.machines.jobs_in(machine).index(name))
            return SharedLog(self.clients.logs, machine, own, lines=lines)
        return CloudWatchLog(self.clients.logs, name, lines=lines, hosts=job.settings.instance_count)

    def existing(self, jobs: Sequence[Job]) -> dict[str, Existing]:
        return self.lookup.existing(jobs)

    def machines_of(self, names: Collection[str]) -> dict[str, str]:
        for slug in {slug_of(name) for name in names}:
            self.machines.learn(slug)
        for machine in {machine for name in names if (machine := self.machines.machine_of(name)) is not None}:
            if self.machines.whole(machine) is None:
                self.machines.forget(machine)  # it was prepared, and never submitted
        found = {name: self.machines.machine_of(name) for name in names}
        alone = {name for name, machine in found.items() if machine is None and self.training_jobs.described(name) is not None}
        return {name: machine or "" for name, machine in found.items() if machine is not None or name in alone}

    def prepare(self, job: Job, name: str, spec: Spec) -> None:
        self.uploads.for_job(job)
        self.storage.put_spec(name, spec.to_json())

    def submit(self, job: Job, name: str, spec: Spec, *, fresh: bool = False) -> bool:
        bundle = self.uploads.bundle()
        checkpoints = self._checkpoints(job, name, fresh) if keeps_checkpoints(job.settings) else None
        request = training_job_request(job, name, bundle=bundle, image=self.image(job.settings), checkpoints=checkpoints)
        return self._create(request, job)

    def submit_together(self, jobs: Sequence[tuple[Job, str, Spec]]) -> tuple[str, bool]:
        first, names = jobs[0][0], [name for _, name, _ in jobs]
        self.uploads.for_job(first)
        machine, prefix = machine_name(names), self.storage.prefix
        place = checkpoints_uri(prefix, machine, 0)
        for _, name, spec in jobs:
            self.storage.put_text(job_in_machine_uri(prefix, machine, name), spec.to_json())
        self.storage.put_text(machine_uri(prefix, machine), written(names, place, limit_seconds(first.settings)))
        numbers, image = [job.number for job, _, _ in jobs], self.image(first.settings)
        bundle = self.uploads.bundle()
        if there := [name for name in self.machines_of(names) if self.machines.machine_of(name) != machine]:
            raise Throttled(f"{', '.join(there)} was submitted by another launcher meanwhile")
        request = training_job_request(first, machine, bundle=bundle, image=image, checkpoints=place, numbers=numbers)
        self.machines.add(machine, names, place)  # before the call: if that is interrupted, the machine may be there
        try:
            return machine, self._create(request, first)
        except Unreachable:  # it may be there; `machines_of` looks before the next attempt
            raise
        except Exception:
            self.machines.forget(machine)
            raise

    def _create(self, request: dict[str, Any], job: Job) -> bool:
        with api_call(f"CreateTrainingJob {request['TrainingJobName']}", accepted=("ResourceInUse",)):
            try:
                self.pools.submit(request, self.clients.sagemaker.create_training_job)
                return True
            except ClientError as error:
                if (code := error_code(error)) == "ResourceLimitExceeded":
                    raise quota_exceeded(str(error.response["Error"].get("Message", code)), job) from None
                raise
        return False

    def poll(self, names: Collection[str]) -> dict[str, Status]:
        return self.lookup.poll(names)

    def statuses(self, names: Collection[str], since: float) -> dict[str, Status]:
        return self.lookup.statuses(names, since)

    def collect(self, job: Job, name: str, status: Status) -> Outcome:
        described = self.lookup.final_descriptions.pop(name, None) or persistently(lambda: self.machines.described(name))
        if described is None:
            message = "SageMaker does not know this job any more: it was deleted"
            failure = Failure(Cause.STOPPED, message, "the same command submits it again")
            return Outcome(Status(State.LOST, "not found"), None, failure)
        result, gone = persistently(lambda: self.storage.collect(job, described))
        is_amazons = not (self.settings.endpoint_url or os.environ.get("AWS_ENDPOINT_URL"))
        console = f"https://{self.clients.region}.console.aws.amazon.com/sagemaker/home#/jobs" if is_amazons else None
        self.learn_prices([job])
        record = record_of(described, result, console, self.prices)
        if places := input_places(job, result):
            record["inputs"] = places
        value = returned_value(result, job.job_dir, own_process=False)
        outcome = Outcome(status_of(described), result, value=value, record=record)
        if not outcome.is_completed:
            log_file = job.job_dir / "output.log"
            lines = last_lines(log_file) if log_file.is_file() else tail(self.clients.logs, described.get("Machine", name))
            if self.code is not None and is_code_gone(str(described.get("FailureReason")), job.settings):
                self.uploads.forget()
            outcome.failure = gone or failure_of_job(described, result, job.settings, log_file, lines)
        return outcome

    def final_cost(self, name: str) -> dict[str, Any] | None:
        described = self.machines.described(name)
        return None if described is None or described.get("BillIsOpen") else billed(described, self.prices)

    def stop(self, names: Collection[str]) -> list[str]:
        deadline = time.monotonic() + STOP_SECONDS
        not_stopped = []
        for name in names:
            patience = max(0.0, deadline - time.monotonic())
            try:
                persistently(lambda name=name: self._stop(name, names), patience_seconds=patience)
            except LauncherError as error:  # the others still have to be stopped
                log.warning("%s", error)
                not_stopped.append(name)
        return not_stopped

    def _stop(self, name: str, names: Collection[str]) -> None:
        """Stop a job. A machine that several share is stopped when all of its jobs that have not ended are among `names`."""
        machine = self.machines.machine_of(name)
        if machine is not None and (others := self.machines.running_with(names, machine)):
            raise LauncherError(
                f"{name} shares the machine {machine} with {', '.join(others)}, and SageMaker cannot end one job of a machine "
                "alone: stop all of them together"
            )
        self.training_jobs.stop(machine or name)

    def reports(self, job: Job, name: str) -> bytes:
        return self._reports.read(job, name)

    def request_stop(self, name: str) -> None:
        self._stop(name, [name])

    def _checkpoints(self, job: Job, name: str, fresh: bool) -> str:
        """Return the S3 URI of the checkpoints: the earlier attempt's, or a new one where there is none or `fresh` is set."""
        _, attempt = parse_job_name(name) or ("", 0)
        earlier = None if fresh or attempt == 0 else self.machines.described(job.name(attempt - 1))
        kept = (earlier or {}).get("CheckpointConfig", {}).get("S3Uri")
        return kept or checkpoints_uri(self.storage.prefix, job.key, attempt)
