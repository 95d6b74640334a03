"""Mode sagemaker: a training job per job. The only module that calls the service."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from hydra_sagemaker.aws import price_list
from hydra_sagemaker.aws.clients import Clients, api_call, error_code, persistently
from hydra_sagemaker.aws.images import Images
from hydra_sagemaker.aws.logs import CloudWatchLog, FileLog, Log, tail
from hydra_sagemaker.aws.preflight import preflight
from hydra_sagemaker.aws.request import checkpoints_uri, training_job_request
from hydra_sagemaker.aws.storage import Storage
from hydra_sagemaker.aws.training_jobs import TrainingJobs
from hydra_sagemaker.aws.unpack import input_places
from hydra_sagemaker.backends.base import Backend, Existing, Outcome, State, Status
from hydra_sagemaker.backends.diagnosis import failure_of_job, is_code_gone, last_lines
from hydra_sagemaker.backends.sagemaker_pools import SageMakerPools
from hydra_sagemaker.backends.sagemaker_reports import CheckpointedReports
from hydra_sagemaker.backends.sagemaker_status import quota_exceeded, record_of, status_of
from hydra_sagemaker.code.requirements import Requirements
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.errors import Cause, Failure, LauncherError, Throttled, Unreachable
from hydra_sagemaker.job.identity import parse_job_name
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.result import returned_value
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.pricing.prices import choices_of, prices_of
from hydra_sagemaker.settings import SageMakerLauncherConf, keeps_checkpoints

log = logging.getLogger(__name__)
STOP_SECONDS = 60.0
"""For stopping all jobs, when the service throttles or is unreachable."""
CLOCKS_DIFFER_SECONDS = 3600.0  # this machine's clock may be ahead of the service's
FEW_JOBS = 3
"""That many are asked about one by one: the list of all that a search has submitted would be long."""


class SageMakerBackend(Backend):
    """Runs jobs in SageMaker. Without `code` it polls, collects and stops; only a sweep submits."""

    def __init__(self, settings: SageMakerLauncherConf, code: Code | None, requirements: Requirements | None) -> None:
        self.settings, self.prices = settings, prices_of(settings)
        self.code, self.requirements = code, requirements or Requirements()
        self._bundle: str | None = None
        self._images, self._pools = Images(), SageMakerPools(lambda: self.training_jobs)
        self._uploaded: set[str] = set()
        """Inputs that are in S3."""
        self._final_descriptions: dict[str, dict[str, Any]] = {}
        """Descriptions of ended jobs, until they are collected."""
        self._unlisted: set[str] = set()
        """Jobs that the last list of running jobs lacked, and whose end is not confirmed yet."""

    @cached_property
    def clients(self) -> Clients:
        return Clients(self.settings)

    @cached_property
    def storage(self) -> Storage:
        return Storage(self.clients.s3, self.settings)

    @cached_property
    def training_jobs(self) -> TrainingJobs:
        return TrainingJobs(self.clients)

    @cached_property
    def _reports(self) -> CheckpointedReports:
        return CheckpointedReports(self.training_jobs.described, self.storage)

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
        return CloudWatchLog(self.clients.logs, name, lines=lines, hosts=job.settings.instance_count)

    def existing(self, jobs: Sequence[Job]) -> dict[str, Existing]:
        if len(jobs) <= FEW_JOBS:
            return {job.key: found for job in jobs if (found := self._newest(job)) is not None}
        wanted = {job.key for job in jobs}
        newest: dict[str, Existing] = {}
        for slug in {job.slug for job in jobs}:
            for summary in self.training_jobs.listed(patient=True, NameContains=f"{slug}-"):
                name = summary["TrainingJobName"]
                key, attempt = parse_job_name(name) or ("", 0)
                if key in wanted and (key not in newest or attempt > newest[key].attempt):
                    newest[key] = Existing(name, attempt, status_of(summary))
        return newest

    def _newest(self, job: Job) -> Existing | None:
        newest, attempt = None, 0
        while (described := persistently(lambda: self.training_jobs.described(job.name(attempt)))) is not None:  # noqa: B023
            newest = Existing(job.name(attempt), attempt, status_of(described))
            attempt += 1
        return newest

    def prepare(self, job: Job, name: str, spec: Spec) -> None:
        self._uploaded_bundle()
        for given in job.inputs:
            if given.uri("") + given.name not in self._uploaded:
                self.storage.put_input(given)
                self._uploaded.add(given.uri("") + given.name)
        self.storage.put_spec(name, spec.to_json())

    def submit(self, job: Job, name: str, spec: Spec, *, fresh: bool = False) -> bool:
        bundle = self._uploaded_bundle()
        checkpoints = self._checkpoints(job, name, fresh) if keeps_checkpoints(job.settings) else None
        request = training_job_request(job, name, bundle=bundle, image=self.image(job.settings), checkpoints=checkpoints)
        with api_call(f"CreateTrainingJob {name}", accepted=("ResourceInUse",)):
            try:
                self.pools.submit(request, self.clients.sagemaker.create_training_job)
                return True
            except ClientError as error:
                if (code := error_code(error)) == "ResourceLimitExceeded":
                    raise quota_exceeded(str(error.response["Error"].get("Message", code)), job) from None
                raise
        return False

    def poll(self, names: Collection[str]) -> dict[str, Status]:
        """List the jobs in progress, and describe the jobs that are not among them any more.

        Jobs that a throttled poll could not describe come first in the next one, so that each poll gets further.
        """
        found: dict[str, Status] = {}
        try:
            self._describe_into(found, [name for name in names if name in self._unlisted])
            others = [name for name in names if name not in self._unlisted]
            listed = {
                summary["TrainingJobName"]: status_of(summary)
                for slug in {name.rsplit("-", 2)[0] for name in others}
                for summary in self.training_jobs.listed(NameContains=f"{slug}-", StatusEquals="InProgress")
            }
            found |= {name: listed[name] for name in others if name in listed}
            self._unlisted.update(missing := [name for name in others if name not in listed])
            self._describe_into(found, missing)
        except (Throttled, Unreachable):
            if not found:
                raise
        return found

    def statuses(self, names: Collection[str], since: float) -> dict[str, Status]:
        """Read lists, a call for a hundred jobs; only a job that they lack is described."""
        earliest = datetime.fromtimestamp(since - CLOCKS_DIFFER_SECONDS, UTC)
        listed = {
            summary["TrainingJobName"]: status_of(summary)
            for slug in {name.rsplit("-", 2)[0] for name in names}
            for summary in self.training_jobs.listed(NameContains=f"{slug}-", CreationTimeAfter=earliest)
        }
        found = {name: listed[name] for name in names if name in listed}
        self._describe_into(found, sorted({*names} - {*found}))
        return found

    def _describe_into(self, found: dict[str, Status], names: Sequence[str]) -> None:
        for name in names:
            described = self.training_jobs.described(name)
            found[name] = Status(State.LOST, "not found") if described is None else status_of(described)
            if found[name].state.ended:
                self._unlisted.discard(name)
                if described is not None:
                    self._final_descriptions[name] = described

    def collect(self, job: Job, name: str, status: Status) -> Outcome:
        described = self._final_descriptions.pop(name, None) or persistently(lambda: self.training_jobs.described(name))
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
            lines = last_lines(log_file) if log_file.is_file() else tail(self.clients.logs, name)
            if is_code_gone(str(described.get("FailureReason")), job.settings):
                self._bundle = None  # the next job looks, and uploads it again
                self._uploaded.clear()
            outcome.failure = gone or failure_of_job(described, result, job.settings, log_file, lines)
        return outcome

    def stop(self, names: Collection[str]) -> list[str]:
        deadline = time.monotonic() + STOP_SECONDS
        not_stopped = []
        for name in names:
            try:
                patience = max(0.0, deadline - time.monotonic())
                persistently(lambda name=name: self.training_jobs.stop(name), patience_seconds=patience)
            except LauncherError as error:  # the others still have to be stopped
                log.warning("%s", error)
                not_stopped.append(name)
        return not_stopped

    def reports(self, job: Job, name: str) -> bytes:
        return self._reports.read(job, name)

    def request_stop(self, name: str) -> None:
        self.training_jobs.stop(name)

    def _uploaded_bundle(self) -> str:
        """Upload the code, once per sweep; return its sha256."""
        assert self.code is not None
        if self._bundle is None:
            sha256 = self.code.bundle_sha256(self.requirements)
            try:
                self.storage.put_bundle(sha256, self.code, self.requirements)
            except (Throttled, Unreachable):
                raise
            except LauncherError as error:
                error.concerns_all = True  # without the code no job can run
                raise
            self._bundle = sha256
        return self._bundle

    def _checkpoints(self, job: Job, name: str, fresh: bool) -> str:
        """Return the S3 URI of the checkpoints: the earlier attempt's, or a new one where there is none or `fresh` is set."""
        _, attempt = parse_job_name(name) or ("", 0)
        earlier = None if fresh or attempt == 0 else self.training_jobs.described(job.name(attempt - 1))
        kept = (earlier or {}).get("CheckpointConfig", {}).get("S3Uri")
        return kept or checkpoints_uri(self.storage.prefix, job.key, attempt)
