"""The life of one training job: instances, data, attempts, artifacts."""

from __future__ import annotations

import logging
import shutil
import time

from sagemaker_local.attempt import Attempt, Interrupted
from sagemaker_local.jobs import TrainingJobs
from sagemaker_local.services import Services
from sagemaker_local.training_job import TrainingJob
from sagemaker_local.transfer import TRANSFER_ERRORS, DataError, download, upload_archive, upload_files

log = logging.getLogger("sagemaker_local")


class Ended(Exception):
    """The job's end: status, secondary status and message, the FailureReason of a failed job."""

    def __init__(self, status: str, secondary_status: str, message: str) -> None:
        super().__init__(message)
        self.status, self.secondary_status, self.message = status, secondary_status, message


class ServerClosed(Exception):
    pass


class JobRun:
    def __init__(self, job: TrainingJob, jobs: TrainingJobs, services: Services) -> None:
        self.job, self.jobs, self.services, self.faults = job, jobs, services, services.counters.faults
        self.directory = services.root / "training-jobs" / job.name
        output = job.request["OutputDataConfig"]
        self.output_uri = f"{output['S3OutputPath'].rstrip('/')}/{job.name}/output"
        self.is_compressed = output.get("CompressionType", "GZIP") == "GZIP"

    def run(self) -> None:
        if not self.jobs.take(self.job):
            return
        shutil.rmtree(self.directory, ignore_errors=True)
        try:
            self._attempts()
        except Ended as end:
            self._finish(end)
        except ServerClosed:
            pass
        except Exception as error:
            log.exception("%s: the local SageMaker failed", self.job.name)
            self._finish(Ended("Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}"))
        finally:
            self._remove_trees()

    def enter(self, secondary_status: str, message: str) -> None:
        with self.jobs.lock:
            self.job.enter(secondary_status, message)
        log.info("%s %s", self.job.name, secondary_status)

    def _finish(self, end: Ended) -> None:
        with self.jobs.lock:
            self.job.finish(end.status, end.secondary_status, end.message, time_scale=self.faults.time_scale)
        log.info("%s %s%s", self.job.name, end.secondary_status, f": {end.message}" if end.status == "Failed" else "")

    def _attempts(self) -> None:
        self._await_instances()
        trained_seconds, number = 0.0, 0
        while True:
            number += 1
            self._remove_trees()
            attempt = Attempt(self.job, self.services, self.directory, number, trained_seconds)
            try:
                self._download(attempt)
                self._stop_if_asked()
                if self.services.counters.hits("internal_error", self.job.name):
                    # in AWS's words: https://github.com/aws/sagemaker-python-sdk/issues/70
                    raise Ended("Failed", "Failed", "InternalServerError: We encountered an internal error. Please try again.")
                self.enter("Training", "Training image download completed. Training in progress.")
                reason = attempt.train()
                if self.services.closing.is_set():
                    raise ServerClosed
                self._upload(attempt, reason)
            except Interrupted:
                trained_seconds += attempt.trained_seconds
                self.enter("Interrupted", "Training job interrupted: the spot instance was taken back")
                self.enter("Starting", "Waiting for a spot instance")
            finally:
                attempt.close()

    def _await_instances(self) -> None:
        machines, warm = self.services.machines, self.job.warm_from
        self._wait(self.faults.start_delay_seconds + (machines.warm_start_seconds if warm else machines.start_seconds))
        if (time.time() - self.job.created) * self.faults.time_scale > self.job.max_wait_seconds:
            raise Ended("Stopped", "MaxWaitTimeExceeded", "Training job wait time exceeded MaxWaitTimeInSeconds")
        if self.services.counters.hits("capacity_error", self.job.name):
            reason = "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML "
            raise Ended("Failed", "Failed", f"{reason}instance type.")
        if self.job.pool is not None:
            self.job.pool.has_started = True

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._stop_if_asked()
            self.job.stop_requested.wait(min(left, 0.1))
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self.services.closing.is_set():
            raise ServerClosed
        if self.job.stop_requested.is_set():
            raise Ended("Stopped", "Stopped", "Training job stopped")

    def _download(self, attempt: Attempt) -> None:
        self.enter("Downloading", "Downloading input data")
        with self.jobs.lock:
            self.job.started = self.job.started or time.time()
        warm = self.job.warm_from
        if warm is None or warm.image != self.job.request["AlgorithmSpecification"]["TrainingImage"]:
            self._wait(self.services.machines.image_seconds)
        parts = len(attempt.containers)
        for channel in self.job.request.get("InputDataConfig", []):
            source = channel["DataSource"]["S3DataSource"]
            is_sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
            for part, container in enumerate(attempt.containers):
                target = container.tree / "input" / "data" / channel["ChannelName"]
                shard = {"part": part, "parts": parts} if is_sharded else {}
                try:
                    written = download(self.services.s3, source["S3Uri"], target, **shard)
                except (*TRANSFER_ERRORS, DataError) as error:
                    raise Ended("Failed", "Failed", f"ClientError: Data download failed:{error}") from error
                if not written and not is_sharded:
                    reason = f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source.'
                    raise Ended("Failed", "Failed", f"ClientError: Data download failed:{reason}")

    def _upload(self, attempt: Attempt, reason: str | None) -> None:
        """Upload the results, then raise Ended, always."""
        failure = attempt.failure() if reason is None else None
        models = [container.tree / "model" for container in attempt.containers]
        outputs = [container.tree / "output" / "data" for container in attempt.containers]
        self.enter("Uploading", "Uploading generated training model")
        metrics = attempt.metrics.final()
        location = f"{self.output_uri}/model.tar.gz" if self.is_compressed else f"{self.output_uri}/model/"
        try:
            upload_archive(self.services.s3, outputs, f"{self.output_uri}/output.tar.gz")
            if failure is None and self.is_compressed:
                upload_archive(self.services.s3, models, location)
            elif failure is None:
                upload_files(self.services.s3, models, location)
        except TRANSFER_ERRORS as error:
            raise Ended("Failed", "Failed", f"ClientError: Artifact upload failed:{error}") from error
        with self.jobs.lock:
            if metrics:
                self.job.results["FinalMetricDataList"] = metrics
            if failure is None:
                self.job.results["ModelArtifacts"] = {"S3ModelArtifacts": location}
        if failure is not None:
            raise Ended("Failed", "Failed", failure)
        if reason is None:
            raise Ended("Completed", "Completed", "Training job completed")
        raise Ended("Stopped", reason, "Training job stopped" if reason == "Stopped" else f"Training job stopped: {reason}")

    def _remove_trees(self) -> None:
        """Remove the jobs' files, but not their logs."""
        for directory in self.directory.glob("algo-*/"):
            shutil.rmtree(directory, ignore_errors=True)
