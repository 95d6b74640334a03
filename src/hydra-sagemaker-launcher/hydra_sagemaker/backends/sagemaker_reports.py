"""Reads what running training jobs report: SageMaker copies their checkpoints to S3 while they run, the reports among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hydra_sagemaker.aws.storage import Storage
from hydra_sagemaker.container.output_files import OUTPUT
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.reports import FILE
from hydra_sagemaker.settings import keeps_checkpoints


class CheckpointedReports:
    """
    Args:
        describe: returns DescribeTrainingJob of a name, None where there is no such job.
    """

    def __init__(self, describe: Callable[[str], dict[str, Any] | None], storage: Storage) -> None:
        self._describe, self._storage = describe, storage
        self._places: dict[str, str] = {}

    def read(self, job: Job, name: str) -> bytes:
        """Return the reports of a job so far; none where it keeps no checkpoints. Raises Throttled or Unreachable."""
        if not keeps_checkpoints(job.settings):
            return b""
        if not self._places.get(name):  # a job that waits for its turn on a machine has none yet
            described = self._describe(name) or {}
            if not (place := str(described.get("CheckpointConfig", {}).get("S3Uri", ""))):  # the job is not known there yet
                return b""
            self._places[name] = place.rstrip("/")
        return self._storage.read(f"{self._places[name]}/{OUTPUT}/{job.subdir}/{FILE}")

    def forget(self, name: str) -> None:
        self._places.pop(name, None)
