"""Mode sagemaker: a training job per job. The only module that calls the service."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any

from botocore.exceptions import ClientError
from hydra.errors import CompactHydraException

from hydra_plugins.hydra_sagemaker_launcher._backend import Existing, NoRoom, Outcome, State, Status
from hydra_plugins.hydra_sagemaker_launcher._clients import Clients, error_code, in_words
from hydra_plugins.hydra_sagemaker_launcher._code import Code
from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError
from hydra_plugins.hydra_sagemaker_launcher._identity import parse_job_name
from hydra_plugins.hydra_sagemaker_launcher._image import image_of
from hydra_plugins.hydra_sagemaker_launcher._jobs import Job
from hydra_plugins.hydra_sagemaker_launcher._request import training_job_request
from hydra_plugins.hydra_sagemaker_launcher._result import returned_value
from hydra_plugins.hydra_sagemaker_launcher._spec import Spec
from hydra_plugins.hydra_sagemaker_launcher._storage import Storage, output_of
from hydra_plugins.hydra_sagemaker_launcher.config import SageMakerLauncherConf

log = logging.getLogger(__name__)
PAGE = 100
"""Most that ListTrainingJobs gives at once; its default of 10 makes ten times the calls."""
STATES = {
    "InProgress": State.RUNNING,
    "Stopping": State.RUNNING,
    "Completed": State.COMPLETED,
    "Failed": State.FAILED,
    "Stopped": State.STOPPED,
}
NOT_FOUND = ("ResourceNotFound", "ValidationException")
"""What DescribeTrainingJob may answer for a job that does not exist."""
KEPT = """
TrainingJobArn TrainingJobStatus SecondaryStatus FailureReason CreationTime TrainingStartTime TrainingEndTime
TrainingTimeInSeconds BillableTimeInSeconds
""".split()


class CodeNotUploaded(CompactHydraException):
    """Ends the launch, since no job could run; a LauncherError of `submit` is one job's own."""


class SageMakerBackend:
    def __init__(self, settings: SageMakerLauncherConf, code: Code, requirements: list[str]) -> None:
        self.settings = settings
        self.clients = Clients(settings)
        self.storage = Storage(self.clients.s3, settings)
        self.code = code
        self.requirements = requirements
        self._bundle: str | None = None

    def existing(self, jobs: Sequence[Job]) -> dict[str, Existing]:
        wanted = {job.key for job in jobs}
        newest: dict[str, Existing] = {}
        for slug in {job.slug for job in jobs}:
            for summary in self._list(NameContains=f"{slug}-"):
                name = summary["TrainingJobName"]
                key, attempt = parse_job_name(name) or ("", 0)
                if key in wanted and (key not in newest or attempt > newest[key].attempt):
                    newest[key] = Existing(name, attempt, _status(summary))
        return newest

    def submit(self, job: Job, name: str, spec: Spec) -> bool:
        bundle = self._uploaded_bundle()
        self.storage.put_spec(name, spec.to_json())
        request = training_job_request(job, name, bundle=bundle, image=image_of(job.settings))
        with in_words(f"CreateTrainingJob {name}"):
            try:
                self.clients.sagemaker.create_training_job(**request)
            except ClientError as error:
                code = error_code(error)
                if code == "ResourceInUse":
                    return False
                if code == "ResourceLimitExceeded":
                    raise NoRoom(str(error.response["Error"].get("Message", code))) from None
                raise
        return True

    def poll(self, names: Collection[str]) -> dict[str, Status]:
        """One listing for all; a job is described only when it is not among those in progress any more."""
        slugs = {name.rsplit("-", 2)[0] for name in names}
        listed = {
            summary["TrainingJobName"]: _status(summary)
            for slug in slugs
            for summary in self._list(NameContains=f"{slug}-", StatusEquals="InProgress")
        }
        return {name: listed[name] if name in listed else self._described_status(name) for name in names}

    def collect(self, job: Job, name: str, status: Status) -> Outcome:
        described = self._describe(name)
        if described is None:
            reason = "SageMaker does not know this job any more"
            return Outcome(Status(State.LOST, "not found"), None, reason, "the same command submits it again")
        result = self.storage.bring_home(job, described)
        record = self._record(described, result)
        status = _status(described)
        if status.state == State.STOPPED:
            return Outcome(status, None, *self._why_stopped(job, status), record=record)
        if result is None:
            reason = described.get("FailureReason") or f"it ended as {status.detail or status.state.value}, without a result"
            return Outcome(status, None, reason, self._next_step(job, described), record=record)
        return Outcome(status, result, value=returned_value(result, job.job_dir, own_process=False), record=record)

    def stop(self, names: Collection[str]) -> None:
        for name in names:
            try:
                self.clients.sagemaker.stop_training_job(TrainingJobName=name)
            except ClientError as error:  # it has ended meanwhile; the others have to be stopped all the same
                log.warning("%s: %s", name, error)

    def _uploaded_bundle(self) -> str:
        """Once per sweep."""
        if self._bundle is None:
            sha256 = self.code.bundle_sha256(self.requirements)
            try:
                self.storage.put_bundle(sha256, self.code, self.requirements)
            except LauncherError as error:
                raise CodeNotUploaded(str(error)) from error
            self._bundle = sha256
        return self._bundle

    def _list(self, **query: Any) -> list[dict[str, Any]]:
        with in_words("ListTrainingJobs"):
            pages = self.clients.sagemaker.get_paginator("list_training_jobs").paginate(
                PaginationConfig={"PageSize": PAGE}, **query
            )
            return [summary for page in pages for summary in page["TrainingJobSummaries"]]

    def _described_status(self, name: str) -> Status:
        described = self._describe(name)
        return Status(State.LOST, "not found") if described is None else _status(described)

    def _describe(self, name: str) -> dict[str, Any] | None:
        with in_words(f"DescribeTrainingJob {name}"):
            try:
                return self.clients.sagemaker.describe_training_job(TrainingJobName=name)
            except ClientError as error:
                if error_code(error) in NOT_FOUND:
                    return None
                raise

    def _record(self, described: dict[str, Any], result: dict[str, Any] | None) -> dict[str, Any]:
        record: dict[str, Any] = {"mode": "sagemaker", **{name: described[name] for name in KEPT if name in described}}
        record["instance_type"] = described["ResourceConfig"].get("InstanceType")
        record["instance_count"] = described["ResourceConfig"].get("InstanceCount")
        record["image"] = described["AlgorithmSpecification"].get("TrainingImage")
        record["url"] = (
            f"https://{self.clients.region}.console.aws.amazon.com/sagemaker/home#/jobs/{described['TrainingJobName']}"
        )
        record["output"] = output_of(described)
        model = described.get("ModelArtifacts", {}).get("S3ModelArtifacts")
        if model and result is not None and result.get("model_files"):
            record["model"] = model
            record["model_files"] = result["model_files"]
        return record

    def _why_stopped(self, job: Job, status: Status) -> tuple[str, str]:
        """And the next step. What the task raised when it was told to end says less."""
        again = "the same command submits it again"
        if status.detail == "MaxRuntimeExceeded":
            limit = f"hydra.launcher.max_run_hours={job.settings.max_run_hours:g}"
            return f"it was stopped after {limit}, its limit", f"raise hydra.launcher.max_run_hours; {again}"
        if status.detail == "MaxWaitTimeExceeded":
            return "it was stopped: no spot instance for too long", f"raise StoppingCondition.MaxWaitTimeInSeconds; {again}"
        return "it was stopped, by a person or another program", again

    def _next_step(self, job: Job, described: dict[str, Any]) -> str:
        log = job.job_dir / "output.log"
        if log.is_file():
            return f"see the end of {log}"
        if "TrainingStartTime" not in described:  # it has no log
            return "the same command submits it again"
        stream = f"--log-stream-name-prefix {described['TrainingJobName']}/ --region {self.clients.region}"
        return f"aws logs tail /aws/sagemaker/TrainingJobs {stream}"


def _status(summary: dict[str, Any]) -> Status:
    """Of a listing or a description. A status that this version does not know counts as running: it may end yet."""
    name = summary["TrainingJobStatus"]
    return Status(STATES.get(name, State.RUNNING), str(summary.get("SecondaryStatus") or name))
