"""Builds the CreateTrainingJob request of a job.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra_sagemaker.aws.request_problems import MAX_RUNTIME_SECONDS, Findings, request_problems
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.pricing.prices import SECONDS_PER_HOUR
from hydra_sagemaker.settings import SageMakerLauncherConf, keep_warm_seconds, keeps_checkpoints

CHECKPOINTS = "/opt/ml/checkpoints"
RESERVED_CHANNELS = ("code", "job")
WORD_OF_FIELD = {"s3_uri": "S3", "role_arn": "RoleArn", "instance_type": "InstanceType"}
"""In problems of the request that follow from a field that is not set, which is reported already."""
TAG_CHARACTERS = 256
BETWEEN_JOBS_SECONDS = 180
"""For each job of a shared machine beyond its time limit: two minutes to save, one to pack its results."""
STAND_IN_IMAGE = "looked-up-when-submitting"
ENTRYPOINT = (
    "cd /opt/ml && mkdir -p code && tar -xzf input/data/code/bundle.tar.gz -C code .launcher/entry.py"
    " && exec {python} code/.launcher/entry.py"
)
"""Runs first in the container; `exec` makes the entry process 1, the only one that gets SIGTERM."""


def training_job_request(
    job: Job, name: str, *, bundle: str, image: str, checkpoints: str | None = None, numbers: Sequence[int] = ()
) -> dict[str, Any]:
    """Return the request; `bundle` is the sha256 of the code, `checkpoints` the S3 URI of an earlier attempt's checkpoints.

    `numbers` are those of the jobs that share the machine, of which `job` is the first; then `name` is the machine's.
    """
    settings = job.settings
    prefix = str(settings.s3_uri).rstrip("/")
    channels = {"code": code_uri(prefix, bundle), "job": f"{spec_uri(prefix, name).rpartition('/')[0]}/", **settings.channels}
    channels |= {one.channel: one.uri(prefix) for one in job.inputs}
    shown = " ".join(map(str, numbers or [job.number]))[:TAG_CHARACTERS]
    tags = {"hydra-launcher:sweep": job.slug, "hydra-launcher:job": shown, **settings.tags}
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "RoleArn": settings.role_arn or "",
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/bash", "-c", ENTRYPOINT.format(python=settings.python)],
        },
        "InputDataConfig": [_channel(channel, uri) for channel, uri in channels.items()],
        "OutputDataConfig": {"S3OutputPath": f"{prefix}/output", **_if("KmsKeyId", settings.output_kms_key)},
        "ResourceConfig": {
            "InstanceType": settings.instance_type or "",
            "InstanceCount": settings.instance_count,
            "VolumeSizeInGB": settings.volume_gb,
            **_if("KeepAlivePeriodInSeconds", keep_warm_seconds(settings)),
        },
        "StoppingCondition": _stopping(settings, len(numbers) or 1),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        **_if("Environment", dict(settings.env)),
        **_if("EnableManagedSpotTraining", settings.spot),
    }
    if keeps_checkpoints(settings) or numbers:  # what several have done reaches the launcher, and a next container, there
        place = checkpoints or checkpoints_uri(prefix, job.key, 0)
        request["CheckpointConfig"] = {"S3Uri": place, "LocalPath": CHECKPOINTS}
    return merged(request, settings.extra)


def findings_of(job: Job) -> Findings:
    """Check the request as far as it is known before the code is packed."""
    settings = job.settings
    name = f"{job.slug or 'job'}-{'0' * 16}-0"
    request = training_job_request(job, name, bundle="0" * 64, image=settings.image_uri or STAND_IN_IMAGE)
    implied = [word for field, word in WORD_OF_FIELD.items() if not getattr(settings, field)]
    reserved = [
        f"hydra.launcher.channels.{channel}: the launcher itself uses this name; choose another"
        for channel in settings.channels
        if channel in RESERVED_CHANNELS
    ]
    if request.get("OutputDataConfig", {}).get("CompressionType") == "NONE":
        reserved.append(
            "hydra.launcher.extra.OutputDataConfig.CompressionType=NONE: results are downloaded as one output.tar.gz"
        )
    try:
        found = request_problems(request)
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise LauncherError(f"hydra.launcher.mode={settings.mode.value} needs boto3: pip install boto3") from None
    others = (problem for problem in found.problems if not any(word in problem for word in implied))
    return Findings([*reserved, *others], found.warnings)


def code_uri(prefix: str, bundle: str) -> str:
    return f"{prefix}/code/{bundle}/"


def spec_uri(prefix: str, name: str) -> str:
    return f"{prefix}/jobs/{name}/spec.json"


def machine_uri(prefix: str, machine: str) -> str:
    """Return the place of the list of a machine's jobs, beside their specifications."""
    return f"{prefix}/jobs/{machine}/machine.json"


def job_in_machine_uri(prefix: str, machine: str, name: str) -> str:
    """Return the place of the specification of a job that shares a machine."""
    return f"{prefix}/jobs/{machine}/{name}.json"


def slug_of(name: str) -> str:
    """Return the beginning of the name of an attempt, or of a machine that several share."""
    return name.rsplit("-", 2)[0]


def checkpoints_uri(prefix: str, key: str, generation: int) -> str:
    """Return the place of checkpoints; `generation` is the attempt that started without any, later ones continue from its."""
    return f"{prefix}/checkpoints/{key}/{generation}/"


def merged(request: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Merge dictionaries key by key, replace everything else; null removes a field."""
    result = dict(request)
    for key, value in extra.items():
        if value is None:
            result.pop(key, None)
            continue
        mine = result.get(key)
        result[key] = merged(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return result


def limit_seconds(settings: SageMakerLauncherConf) -> int:
    """Return the time limit of one job."""
    return round(settings.max_run_hours * SECONDS_PER_HOUR)


def _stopping(settings: SageMakerLauncherConf, jobs: int) -> dict[str, int]:
    runtime = jobs * limit_seconds(settings)
    between = 0 if jobs == 1 else max(0, min(jobs * BETWEEN_JOBS_SECONDS, MAX_RUNTIME_SECONDS - runtime))
    if not settings.spot:
        return {"MaxRuntimeInSeconds": runtime + between}
    hours = 2 * settings.max_run_hours if settings.max_wait_hours is None else settings.max_wait_hours
    wait = jobs * round(hours * SECONDS_PER_HOUR) + between
    return {"MaxRuntimeInSeconds": runtime + between, "MaxWaitTimeInSeconds": wait}


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def _if(name: str, value: Any) -> dict[str, Any]:
    return {name: value} if value else {}
