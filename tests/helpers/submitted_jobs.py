"""Jobs of the launcher's making, given to a local SageMaker by hand: what happens in the container, without a sweep."""

from __future__ import annotations

import io
import itertools
import json
import os
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra_sagemaker.aws.request import ENTRYPOINT
from hydra_sagemaker.code import bundle
from hydra_sagemaker.code.requirements import Requirements
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.job.task import TaskReference
from hydra_sagemaker.settings import CodeConf
from sagemaker_local.account import BUCKET, ROLE_ARN

if TYPE_CHECKING:
    from sagemaker_fixtures import Account

SPOT = {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200}}
ENDED = ("Completed", "Failed", "Stopped")
_numbers = itertools.count(1)


class SubmittedJob:
    """`app.py` of one configuration key, `x`, as job number 7 of a sweep."""

    def __init__(self, account: Account, directory: Path, app: str, x: int = 0) -> None:
        self.account, self.root, self.x = account, directory / "project", x
        self.name = f"by-hand{os.getpid()}x{next(_numbers)}-0123456789abcdef-0"
        self.prefix = f"tests/{self.name}"
        for file, text in {"app.py": app, "conf/config.yaml": "x: 0\n"}.items():
            (self.root / file).parent.mkdir(parents=True, exist_ok=True)
            (self.root / file).write_text(text, encoding="utf-8")

    def submit(self, spec: dict[str, Any] | None = None, hosts: int = 1, **request: Any) -> SubmittedJob:
        code, archive = Code(self.root, CodeConf()), self.root.parent / "bundle.tar.gz"
        bundle.pack(self.root, code.files, archive, extra=code.extra(Requirements(["hydra-core"])))
        self._put("code/bundle.tar.gz", archive.read_bytes())
        self._put("job/spec.json", self._spec(spec or {}).to_json().encode())
        if (spec or {}).get("checkpoints"):
            request["CheckpointConfig"] = {"S3Uri": f"s3://{BUCKET}/{self.prefix}/checkpoints/"}
        described: dict[str, Any] = {
            "TrainingJobName": self.name,
            "RoleArn": ROLE_ARN,
            "AlgorithmSpecification": {
                "TrainingImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1",
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/bash", "-c", ENTRYPOINT.format(python="python3")],
            },
            "InputDataConfig": [self._channel(name) for name in ("code", "job")],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/{self.prefix}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": hosts, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "Environment": {"OMP_NUM_THREADS": "1"},
        }
        self.account.sagemaker.create_training_job(**described | request)
        return self

    def _spec(self, fields: dict[str, Any]) -> Spec:
        values: dict[str, Any] = {
            "name": self.name, "key": "0123456789abcdef", "number": 7, "task_name": "app", "config_name": "config",
            "search_path": [("hydra", "pkg://hydra.conf"), ("main", "root:conf"), ("schema", "structured://")],
            "hydra_overrides": [], "task_overrides": [f"x={self.x}"], "config": f"x: {self.x}\n",
            "plugins": {f"hydra/{group}": {"name": "basic", "values": {}} for group in ("launcher", "sweeper")},
            "now": [], "version_base": "1.3", "sweep_dir": "/elsewhere/sweep", "sweep_subdir": "7", "working_dir": ".",
            "python_path": ["."], "task": TaskReference("main", script="app.py"), "model_files": ["*.pt"],
        }  # fmt: skip
        return Spec(**values | fields)

    def _put(self, key: str, data: bytes) -> None:
        self.account.s3.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}", Body=data)

    def _channel(self, name: str) -> dict[str, Any]:
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{self.prefix}/{name}"}
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}}

    def describe(self) -> dict[str, Any]:
        return self.account.sagemaker.describe_training_job(TrainingJobName=self.name)

    def finished(self, seconds: float = 60) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while (described := self.describe())["TrainingJobStatus"] not in ENDED:
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)
        return described

    def await_log(self, line: str, seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while line not in self.log():
            assert time.monotonic() < deadline, f"{line!r} did not come:\n{self.log()}"
            time.sleep(0.05)

    def stop(self) -> None:
        self.account.sagemaker.stop_training_job(TrainingJobName=self.name)

    def log(self, host: int = 1) -> str:
        """What the machine has printed, in all attempts."""
        file = self.account.server.root / "training-jobs" / self.name / f"algo-{host}.log"
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    def kept(self) -> dict[str, bytes]:
        """What lies where checkpoints are kept, by path below it."""
        prefix = f"{self.prefix}/checkpoints/"
        return {key.removeprefix(prefix): data for key, data in self.account.objects(prefix).items()}

    def archive(self, name: str = "output.tar.gz") -> dict[str, bytes]:
        data = self.account.objects(f"{self.prefix}/out/{self.name}/output/{name}")
        (packed,) = data.values()
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            return {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}  # type: ignore[union-attr]

    def unpacked(self, directory: Path) -> Path:
        """Return the `.job` directory as it is downloaded."""
        for name, data in self.archive().items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(data)
        return directory / ".job"

    def result(self) -> dict[str, Any]:
        return json.loads(self.archive()[".job/result.json"])
