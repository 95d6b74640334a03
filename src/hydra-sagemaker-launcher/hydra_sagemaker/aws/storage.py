"""The bucket: uploads code and specifications, downloads results."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from hydra_sagemaker.aws import unpack
from hydra_sagemaker.aws.clients import api_call, error_code
from hydra_sagemaker.aws.request import code_uri, spec_uri
from hydra_sagemaker.code import bundle
from hydra_sagemaker.code.local_data import content_sha256
from hydra_sagemaker.code.requirements import Requirements
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.errors import Cause, Failure, LauncherError, plain
from hydra_sagemaker.job.inputs import Input
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.result import read_result
from hydra_sagemaker.settings import SageMakerLauncherConf

log = logging.getLogger(__name__)
EXISTS = ("PreconditionFailed", "412")
ABSENT = ("404", "NoSuchKey", "NotFound")
UNKNOWN = (*ABSENT, "403")
"""S3 answers 403 for a missing object where ListBucket is not allowed."""
NAMED_AT_MOST = 10


class Storage:
    def __init__(self, s3: Any, settings: SageMakerLauncherConf) -> None:
        self.s3 = s3
        self.prefix = str(settings.s3_uri).rstrip("/")
        self.owner = {"ExpectedBucketOwner": settings.bucket_owner} if settings.bucket_owner else {}
        key = settings.output_kms_key
        self.encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}

    def put_bundle(self, sha256: str, code: Code, requirements: Requirements) -> None:
        """Upload the code, unless the bucket has the same already."""
        bucket, key = split(code_uri(self.prefix, sha256) + "bundle.tar.gz")
        with api_call(f"s3://{bucket}/{key}", accepted=UNKNOWN):
            self.s3.head_object(Bucket=bucket, Key=key, **self.owner)
            log.info("code: already in s3://%s/%s", bucket, key)
            return
        with tempfile.TemporaryDirectory() as directory:
            archive = Path(directory) / "bundle.tar.gz"
            bundle.pack(code.root, code.files, archive, extra=code.extra(requirements))
            if code.bundle_sha256(requirements) != sha256:
                raise LauncherError(f"the code in {code.root} changed while it was packed: run the same command again")
            size, own = archive.stat().st_size / 1e6, {**self.owner, **self.encryption}
            log.info("code: %d files, %.2f MB to s3://%s/%s", len(code.files), size, bucket, key)
            with api_call(f"s3://{bucket}/{key}", accepted=EXISTS):  # another launcher has uploaded the same bytes
                self.s3.put_object(Bucket=bucket, Key=key, Body=archive.read_bytes(), IfNoneMatch="*", **own)

    def put_input(self, given: Input) -> None:
        """Upload a local file or directory, unless the bucket has the same already."""
        checked = False
        for name in given.files:
            inside = name.partition("/")[2]
            bucket, key = split(given.uri(self.prefix) + given.name + (f"/{inside}" if inside else ""))
            with api_call(f"s3://{bucket}/{key}", accepted=UNKNOWN):
                self.s3.head_object(Bucket=bucket, Key=key, **self.owner)
                continue
            if not checked and content_sha256(Path(given.path)) != given.sha256:
                raise LauncherError(f"{given.path} changed since it was read: run the same command again")
            checked, file = True, Path(given.path).parent / name
            log.info("%s: %s, %.2f MB to s3://%s/%s", given.key, file, file.stat().st_size / 1e6, bucket, key)
            with api_call(f"s3://{bucket}/{key}", accepted=EXISTS), file.open("rb") as body:
                self.s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*", **self.owner, **self.encryption)

    def put_spec(self, name: str, text: str) -> None:
        self.put_text(spec_uri(self.prefix, name), text)

    def put_text(self, uri: str, text: str) -> None:
        bucket, key = split(uri)
        with api_call(uri):
            self.s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), **self.owner, **self.encryption)

    def read(self, uri: str) -> bytes:
        """Return the content of a small object, b"" where there is none."""
        bucket, key = split(uri)
        with api_call(uri, accepted=UNKNOWN):
            return self.s3.get_object(Bucket=bucket, Key=key, **self.owner)["Body"].read()
        return b""

    def names_below(self, uri: str) -> list[str]:
        """Return the objects below a URI that ends in a slash, without its words."""
        bucket, prefix = split(uri)
        with api_call(uri):
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **self.owner)
            return [one["Key"].removeprefix(prefix) for page in pages for one in page.get("Contents", ())]

    def collect(self, job: Job, described: dict[str, Any]) -> tuple[dict[str, Any] | None, Failure | None]:
        """Download everything but the models into the job's output directory.

        Returns the runner's record, or the reason why the results of a completed job do not exist any more.
        """
        name = str(described["TrainingJobName"])
        job.job_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=job.output_dir.parent, prefix=".unpacking-") as directory:
            unpacked = Path(directory)
            uri = output_of(described) + "output.tar.gz"
            if not self._fetch(uri, unpacked / "output.tar.gz", unpacked / "data", job):
                result = read_result(job.job_dir) if unpack.owner(job.job_dir) == name else None
                if result is None and described.get("TrainingJobStatus") == "Completed":
                    message = f"it completed, but its results are not in {uri} any more, and there is no copy on this machine"
                    step = "the same command for this job alone, with hydra.launcher.on_existing=rerun, runs it again"
                    return None, Failure(Cause.INFRASTRUCTURE, message, step)
                unpack.remove_earlier(job, name)
            elif not (unpacked / "data/.job/spec.json").is_file():  # it ended before the launcher's own code began
                unpack.remove_earlier(job, name)
                return None, None
            else:
                result = read_result(unpacked / "data/.job")
                _warn_skipped(job, unpack.place(unpacked / "data", job, name))
            if job.settings.download_models and result is not None and result.get("model_files"):
                uri = described.get("ModelArtifacts", {}).get("S3ModelArtifacts")
                if uri and self._fetch(uri, unpacked / "model.tar.gz", unpacked / "model", job):
                    _warn_skipped(job, unpack.place_models(unpacked / "model", job, name))
                elif uri:
                    log.warning("%s: its models are not in %s any more", job, uri)
        return result, None

    def _fetch(self, uri: str, archive: Path, target: Path, job: Job) -> bool:
        bucket, key = split(uri)
        with api_call(uri):
            try:
                self.s3.download_file(bucket, key, str(archive), ExtraArgs=self.owner or None)
            except ClientError as error:
                if error_code(error) in ABSENT or (error_code(error) in UNKNOWN and not self._is_listed(bucket, key)):
                    return False
                raise
        skipped: list[str] = []
        bundle.extract(archive, target, skipped=skipped)
        _warn_skipped(job, skipped)
        return True

    def _is_listed(self, bucket: str, key: str) -> bool:
        return bool(self.s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1, **self.owner).get("KeyCount"))


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI."""
    parts = urlparse(uri)
    return parts.netloc, parts.path.lstrip("/")


def output_of(described: dict[str, Any]) -> str:
    """Return the S3 URI of the job's results; an earlier launch may have had another `s3_uri`."""
    return f"{described['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{described['TrainingJobName']}/output/"


def _warn_skipped(job: Job, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
        shown = plain(", ".join(names[:NAMED_AT_MOST])) + more
        log.warning("%s: not downloaded, since these are no files, or links out of the job's output: %s", job, shown)
