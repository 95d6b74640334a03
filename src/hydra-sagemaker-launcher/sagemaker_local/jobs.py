"""The operations on training jobs; the scheduler runs them."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from sagemaker_local.account import REGION, SERVICE_PRINCIPAL, arn
from sagemaker_local.errors import ApiError, invalid
from sagemaker_local.faults import Faults, is_meant
from sagemaker_local.listing import page_of
from sagemaker_local.rules import check_training_job
from sagemaker_local.tags import Tags
from sagemaker_local.training_job import FINISHED, TrainingJob
from sagemaker_local.transfer import split_uri
from sagemaker_local.warm_pools import WarmPools, check_keep_alive, over_quota

log = logging.getLogger("sagemaker_local")

Operation = Callable[[dict[str, Any]], dict[str, Any]]


class TrainingJobs:
    def __init__(
        self, faults: Faults, tags: Tags, warm_pools: WarmPools, *, s3: Any, iam: Any, submit: Callable[[TrainingJob], None]
    ) -> None:
        self.faults, self.tags, self.warm_pools, self.s3, self.iam, self.submit = faults, tags, warm_pools, s3, iam, submit
        self.lock = threading.RLock()
        self.jobs: dict[str, TrainingJob] = {}
        self.operations: dict[str, Operation] = {
            "CreateTrainingJob": self.create,
            "DescribeTrainingJob": self.describe,
            "UpdateTrainingJob": self.update,
            "StopTrainingJob": self.stop,
            "DeleteTrainingJob": self.delete,
            "ListTrainingJobs": self.list_page,
        }

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        check_training_job(request)
        self._check_role(request["RoleArn"])
        self._check_buckets(request)
        job = TrainingJob(request)
        with self.lock:
            if job.name in self.jobs:
                raise ApiError(
                    "ResourceInUse",
                    "Training job names must be unique within an AWS account and region, and a training job with this "
                    f"name already exists ({job.arn})",
                )
            self._give_machines(job)
            job.enter("Starting", "Starting the training job")
            self.jobs[job.name] = job
        self.tags.add(job.arn, request.get("Tags", []))
        log.info("%s Starting (%d x %s)", job.name, job.instance_count, job.instance_type)
        self.submit(job)
        return {"TrainingJobArn": job.arn}

    def _check_role(self, role: str) -> None:
        """Raise ApiError in AWS's words: https://github.com/awslabs/predictive-maintenance-using-machine-learning/issues/3"""
        try:
            found = self.iam.get_role(RoleName=role.rpartition("/")[2])["Role"]
        except self.iam.exceptions.NoSuchEntityException:
            found = {}
        if found.get("Arn") != role or SERVICE_PRINCIPAL not in json.dumps(found["AssumeRolePolicyDocument"]):
            raise invalid(
                f"Could not assume role {role}. Please ensure that the role exists and allows principal "
                f"'{SERVICE_PRINCIPAL}' to assume the role."
            )

    def _check_buckets(self, request: dict[str, Any]) -> None:
        uris = {"OutputDataConfig.S3OutputPath": request["OutputDataConfig"]["S3OutputPath"]}
        if "CheckpointConfig" in request:
            uris["CheckpointConfig.S3Uri"] = request["CheckpointConfig"]["S3Uri"]
        for channel in request.get("InputDataConfig", []):
            uris[f"channel {channel['ChannelName']}"] = channel["DataSource"]["S3DataSource"]["S3Uri"]
        buckets = {bucket: self._region_of(bucket) for bucket in {split_uri(uri)[0] for uri in uris.values()}}
        for field, uri in uris.items():
            bucket = split_uri(uri)[0]
            region = buckets[bucket]
            if region is None and not field.startswith("channel"):  # a channel's fails at the download
                raise invalid(f"The S3 bucket {bucket} of {field} does not exist.")
            if region not in (None, REGION):
                raise invalid(
                    f"The S3 bucket {bucket} of {field} ({uri}) is not in {REGION}: the bucket is in this region: {region}. "
                    "Please use this region to retry the request"
                )

    def _region_of(self, bucket: str) -> str | None:
        try:
            return self.s3.head_bucket(Bucket=bucket)["BucketRegion"]
        except self.s3.exceptions.ClientError:
            return None

    def _give_machines(self, job: TrainingJob) -> None:
        """Give the job the machines of a warm pool that match, else new ones, as far as the quotas allow."""
        pools = [other.pool for other in self.jobs.values() if other.pool is not None]
        for pool in pools:
            pool.expire()
        taken = self.warm_pools.taken(job.name, job.request, pools)
        try:
            self._check_quota(job, delta=0 if taken else job.instance_count)
            job.pool = self.warm_pools.granted(job.name, job.request, taken, pools, refuses=self.faults.warm_pools_refused)
        except ApiError:
            if taken is not None:
                taken.ended_at, taken.reused_by = None, ""
            raise
        job.warm_from = taken

    def _check_quota(self, job: TrainingJob, delta: int) -> None:
        """Raise ApiError beyond the quota, for which machines that wait in warm pools count too."""
        kind = job.instance_type
        same = [other for other in self.jobs.values() if other.instance_type == kind]
        busy = sum(other.instance_count for other in same if other.status not in FINISHED)
        idle = sum(other.instance_count for other in same if other.status in FINISHED and other.pool and other.pool.is_live)
        quota, used = self.faults.instance_quota.get(kind), busy + idle
        if quota is not None and used + delta > quota:
            raise ApiError("ResourceLimitExceeded", over_quota(f"{kind} for training job usage", quota, used, delta))

    def _get(self, name: str, code: str = "ValidationException") -> TrainingJob:
        job = self.jobs.get(name)
        if job is None or is_meant(self.faults.vanish_jobs, name):
            raise ApiError(code, "Requested resource not found.")
        return job

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            return self._get(request["TrainingJobName"]).describe()

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            if (job := self._get(request["TrainingJobName"])).status != "InProgress":
                raise invalid(f"The request was rejected because the training job is in status {job.status}.")
            job.status = "Stopping"
            job.enter("Stopping", "Stopping the training job")
            job.stop_requested.set()
            if not job.is_taken:
                job.finish("Stopped", "Stopped", "Training job stopped before it started", time_scale=1.0)
        log.info("%s %s", job.name, job.status)
        return {}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Change what AWS lets change: profiler and remote debugging while the job runs, the warm pool's time also later."""
        changes = {name: value for name, value in request.items() if name != "TrainingJobName"}
        with self.lock:
            job = self._get(request["TrainingJobName"], "ResourceNotFound")
            if job.status != "InProgress" and changes.keys() - {"ResourceConfig"}:
                raise invalid(f"The request was rejected because the training job is in status {job.status}.")
            if "ResourceConfig" in changes:
                self._update_pool(job, changes["ResourceConfig"]["KeepAlivePeriodInSeconds"])
            for name, value in changes.items():
                is_merged = isinstance(value, dict) and isinstance(job.request.get(name), dict)
                job.request[name] = job.request[name] | value if is_merged else value
            job.updated = time.time()
        log.info("%s updated: %s", job.name, ", ".join(changes) or "nothing")
        return {"TrainingJobArn": job.arn}

    def _update_pool(self, job: TrainingJob, seconds: int) -> None:
        """Change how long an ended job's machines are kept; 0 gives them back. Raises ApiError unless they are Available."""
        check_keep_alive(seconds, is_spot=job.is_spot)
        if job.pool is not None:
            job.pool.expire()
        if job.pool is None or not job.pool.is_live:
            raise invalid(f"The training job {job.name} has no warm pool, whose KeepAlivePeriodInSeconds could change.")
        if job.pool.status != "Available":
            raise invalid(
                f"KeepAlivePeriodInSeconds of {job.name} can be updated when the training job is complete and its warm pool is "
                f"Available: the job is {job.status}, the pool {job.pool.status}."
            )
        job.pool.keep(seconds)

    def take(self, job: TrainingJob) -> bool:
        """Take the job for the caller to run; False if it is finished already."""
        with self.lock:
            job.is_taken = job.status not in FINISHED
            return job.is_taken

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["TrainingJobName"]
        with self.lock:
            if (job := self._get(name, "ResourceNotFound")).status not in FINISHED:
                raise ApiError("ResourceInUse", f"The training job {arn('training-job', name)} is in status {job.status}.")
            if job.pool is not None and job.pool.is_live:
                job.pool.end(time.time())
            del self.jobs[name]
        self.tags.forget(job.arn)
        return {}

    def list_page(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            summaries = [job.summary() for job in self.jobs.values() if not is_meant(self.faults.vanish_jobs, job.name)]
        page, token = page_of(summaries, request, "TrainingJob")
        return {"TrainingJobSummaries": page, **token}
