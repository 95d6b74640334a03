"""Next steps after a training job has failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra_sagemaker.aws.call_errors import S3_URI
from hydra_sagemaker.aws.logs import GROUP
from hydra_sagemaker.errors import Cause
from hydra_sagemaker.settings import SageMakerLauncherConf, keeps_checkpoints

DISK_FULL = re.compile(r"insufficient disk space|no space left on device", re.IGNORECASE)
NOTHING_THERE = "No S3 objects found"
ECR_IMAGE = re.compile(r"(\d+)\.dkr\.ecr\.([\w-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+):?(.*)")
IMAGE_REFUSED = re.compile(r"\bpull\b|\becr:")
ADVICE = {
    Cause.TIMEOUT: "raise hydra.launcher.max_run_hours; ",
    Cause.SPOT: "raise hydra.launcher.max_wait_hours, or hydra.launcher.spot=false hydra.launcher.checkpoints=true; ",
    Cause.MEMORY: "a larger hydra.launcher.instance_type, or a smaller batch; ",
    Cause.IMPORT: "add what is missing to the requirements (hydra.launcher.requirements) or to the image; ",
    Cause.CAPACITY: "another hydra.launcher.instance_type, or later: ",
}


class NextSteps:
    """The next steps of one job; each says what the same command does then."""

    def __init__(self, described: Mapping[str, Any], settings: SageMakerLauncherConf, log_file: Path) -> None:
        self.described, self.settings, self.log_file = described, settings, log_file
        again = "continues from its checkpoints" if keeps_checkpoints(settings) else "submits it again"
        self.same = f"the same command {again}"

    def after(self, cause: Cause, reason: str = "") -> str:
        match cause:
            case Cause.REGION:
                uri = S3_URI.search(reason)
                return f"aws s3 sync {uri[0] if uri else 's3://…'} s3://BUCKET/…, a bucket in the jobs' region; {self.same}"
            case Cause.ROLE:
                return self._permission(reason)
            case Cause.CODE:
                return self._correction(reason)
        return f"{ADVICE.get(cause, '')}{self.same}"

    def _permission(self, reason: str) -> str:
        role = str(self.described.get("RoleArn") or self.settings.role_arn).rpartition("/")[2]
        if IMAGE_REFUSED.search(reason):
            return f"{self._image(role)}; {self.same}"
        if "ssume" in reason:
            return f"aws iam get-role --role-name {role}: its trust policy has to name sagemaker.amazonaws.com; {self.same}"
        shown = f"aws iam list-role-policies --role-name {role} and list-attached-role-policies show what it may do"
        return f"give the role this permission ({shown}); {self.same}"

    def _correction(self, reason: str) -> str:
        if DISK_FULL.search(reason):
            return f"raise hydra.launcher.volume_gb; {self.same}"
        uri = S3_URI.search(reason)
        if NOTHING_THERE in reason and uri:
            return f"aws s3 ls {uri[0]} shows what is there: correct hydra.launcher.channels; {self.same}"
        if self.log_file.is_file():
            return f"see the end of {self.log_file}"
        if "TrainingStartTime" not in self.described:  # it has no log
            return self.same
        arn = str(self.described.get("TrainingJobArn", "")).split(":")
        region = f" --region {arn[3]}" if len(arn) > 3 else ""
        return f"aws logs tail {GROUP} --log-stream-name-prefix {self.described['TrainingJobName']}/{region}"

    def _image(self, role: str) -> str:
        uri = self.described.get("AlgorithmSpecification", {}).get("TrainingImage") or self.settings.image_uri
        if (parts := ECR_IMAGE.fullmatch(str(uri))) is None:
            return f"hydra.launcher.image_uri={uri} has to be an image in ECR that {role} may pull"
        account, region, repository, tag = parts.groups()
        image = f"--registry-id {account} --repository-name {repository} --image-ids imageTag={tag or 'latest'}"
        return f"aws ecr describe-images {image} --region {region} shows whether it exists; {role} must be allowed to pull it"
