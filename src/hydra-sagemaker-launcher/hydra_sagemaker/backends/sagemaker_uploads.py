"""Uploads what the jobs of a sweep share, once: the code, and local data."""

from __future__ import annotations

from hydra_sagemaker.aws.storage import Storage
from hydra_sagemaker.code.requirements import Requirements
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.errors import LauncherError, Throttled, Unreachable
from hydra_sagemaker.job.job import Job


class Uploads:
    """Each call raises Throttled, Unreachable or NotPermitted."""

    def __init__(self, storage: Storage, code: Code, requirements: Requirements) -> None:
        self.storage, self.code, self.requirements = storage, code, requirements
        self._bundle: str | None = None
        self._inputs: set[str] = set()

    def bundle(self) -> str:
        """Upload the code, and return its sha256."""
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

    def for_job(self, job: Job) -> None:
        """Upload the code and the local data of a job."""
        self.bundle()
        for given in job.inputs:
            if given.uri("") + given.name not in self._inputs:
                self.storage.put_input(given)
                self._inputs.add(given.uri("") + given.name)

    def forget(self) -> None:
        """Look again before the next job, and upload what is not there any more."""
        self._bundle = None
        self._inputs.clear()
