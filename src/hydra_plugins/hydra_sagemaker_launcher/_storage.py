"""The bucket: code and specifications on their way out, results on their way home."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError
from omegaconf import OmegaConf, open_dict

from hydra_plugins.hydra_sagemaker_launcher import _bundle
from hydra_plugins.hydra_sagemaker_launcher._clients import error_code, in_words
from hydra_plugins.hydra_sagemaker_launcher._code import Code
from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError
from hydra_plugins.hydra_sagemaker_launcher._jobs import Job
from hydra_plugins.hydra_sagemaker_launcher._request import code_uri, settings_account, spec_uri
from hydra_plugins.hydra_sagemaker_launcher._result import read_result
from hydra_plugins.hydra_sagemaker_launcher.config import SageMakerLauncherConf

log = logging.getLogger(__name__)
EXISTS = ("PreconditionFailed", "412")
ABSENT = ("404", "NoSuchKey", "NotFound")
UNKNOWN = (*ABSENT, "403")
"""Without ListBucket, S3 does not say that an object is missing."""


class Storage:
    def __init__(self, s3: Any, settings: SageMakerLauncherConf) -> None:
        self.s3 = s3
        self.prefix = str(settings.s3_uri).rstrip("/")
        self.owner = settings_account(settings)
        self.encryption = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.output_kms_key} if settings.output_kms_key else {}
        )

    def put_bundle(self, sha256: str, code: Code, requirements: list[str]) -> None:
        """Uploads nothing when the same code lies there already."""
        bucket, key = split(code_uri(self.prefix, sha256) + "bundle.tar.gz")
        with in_words(f"s3://{bucket}/{key}"):
            if self._has(bucket, key):
                log.info("code: already in s3://%s/%s", bucket, key)
                return
            with tempfile.TemporaryDirectory() as directory:
                archive = Path(directory) / "bundle.tar.gz"
                _bundle.pack(code.root, code.files, archive, extra=code.extra(requirements))
                if code.bundle_sha256(requirements) != sha256:
                    raise LauncherError(f"the code in {code.root} changed while it was packed: run the same command again")
                size = archive.stat().st_size / 1e6
                log.info("code: %d files, %.2f MB to s3://%s/%s", len(code.files), size, bucket, key)
                self._put_once(bucket, key, archive.read_bytes())

    def put_spec(self, name: str, text: str) -> None:
        bucket, key = split(spec_uri(self.prefix, name))
        with in_words(f"s3://{bucket}/{key}"):
            self.s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), **self.owner, **self.encryption)

    def bring_home(self, job: Job, described: dict[str, Any]) -> dict[str, Any] | None:
        """Everything but the models into the job's output directory; returns what the runner wrote."""
        job.job_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=job.output_dir.parent, prefix=".arriving-") as directory:
            arrived = Path(directory)
            _forget(job.job_dir)
            came = self._fetch(output_of(described) + "output.tar.gz", arrived / "output.tar.gz", arrived / "data")
            if not came or not (arrived / "data/.job/spec.json").is_file():  # it ended before the launcher's own code began
                return None
            result = read_result(arrived / "data" / ".job")
            self._place(arrived / "data", job)
            model = described.get("ModelArtifacts", {}).get("S3ModelArtifacts")
            if job.settings.download_models and model and result is not None and result.get("model_files"):
                self._fetch(model, arrived / "model.tar.gz", arrived / "model")
                shutil.copytree(arrived / "model", job.output_dir, dirs_exist_ok=True)
        _say_where(job)
        return result

    def _place(self, data: Path, job: Job) -> None:
        """The job wrote to its own sweep directory, perhaps under another number."""
        shutil.copytree(data / ".job", job.job_dir, dirs_exist_ok=True)
        spec = read_subdirectory(data / ".job")
        if (data / spec).is_dir() and spec != Path("."):
            shutil.copytree(data / spec, job.output_dir, dirs_exist_ok=True)

    def _fetch(self, uri: str, archive: Path, target: Path) -> bool:
        bucket, key = split(uri)
        with in_words(uri):
            try:
                self.s3.download_file(bucket, key, str(archive), ExtraArgs=self.owner or None)
            except ClientError as error:
                if error_code(error) in ABSENT or (error_code(error) in UNKNOWN and not self._is_listed(bucket, key)):
                    return False
                raise
        _bundle.extract(archive, target)
        return True

    def _has(self, bucket: str, key: str) -> bool:
        try:
            self.s3.head_object(Bucket=bucket, Key=key, **self.owner)
        except ClientError as error:
            if error_code(error) in UNKNOWN:
                return False
            raise
        return True

    def _is_listed(self, bucket: str, key: str) -> bool:
        return bool(self.s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1, **self.owner).get("KeyCount"))

    def _put_once(self, bucket: str, key: str, data: bytes) -> None:
        try:
            self.s3.put_object(Bucket=bucket, Key=key, Body=data, IfNoneMatch="*", **self.owner, **self.encryption)
        except ClientError as error:
            if error_code(error) not in EXISTS:  # another launcher was quicker, with the same bytes
                raise


def split(uri: str) -> tuple[str, str]:
    """Bucket and key."""
    parts = urlparse(uri)
    return parts.netloc, parts.path.lstrip("/")


def output_of(described: dict[str, Any]) -> str:
    """Where the job put what it wrote: an earlier launch may have had another `s3_uri`."""
    return f"{described['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{described['TrainingJobName']}/output/"


def read_subdirectory(job_dir: Path) -> Path:
    """Where below its sweep directory the job wrote, as its specification says."""
    spec = json.loads((job_dir / "spec.json").read_text(encoding="utf-8"))
    return Path(spec["sweep_subdir"])


def _forget(job_dir: Path) -> None:
    """What an earlier attempt left in the same directory."""
    for name in ("result.json", "started.json", "output.log"):
        (job_dir / name).unlink(missing_ok=True)


def _say_where(job: Job) -> None:
    """`.hydra/hydra.yaml` names the directories of the container."""
    subdir = job.config.hydra.output_subdir
    file = job.output_dir / str(subdir) / "hydra.yaml"
    if subdir is None or not file.is_file():
        return
    config = OmegaConf.load(file)
    with open_dict(config):
        config.hydra.runtime.output_dir = str(job.output_dir)
        config.hydra.runtime.cwd = job.config.hydra.runtime.cwd
        config.hydra.runtime.config_sources = job.config.hydra.runtime.config_sources
        config.hydra.sweep.dir = str(job.config.hydra.sweep.dir)
        config.hydra.sweep.subdir = job.output_dir.relative_to(Path(str(job.config.hydra.sweep.dir)).absolute()).as_posix()
    file.write_text(OmegaConf.to_yaml(config), encoding="utf-8")
