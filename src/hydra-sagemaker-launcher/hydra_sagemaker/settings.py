"""The fields of `hydra.launcher`. Imported at every start of Hydra: nothing heavy here."""

import math
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Optional


class Mode(StrEnum):  # texts: Hydra may execute this module twice, and then there are two classes
    sagemaker = "sagemaker"
    local = "local"
    dry_run = "dry_run"


class OnExisting(StrEnum):
    retry_failed = "retry_failed"
    reuse = "reuse"
    rerun = "rerun"
    fail = "fail"


class OnInterrupt(StrEnum):
    ask = "ask"
    detach = "detach"
    stop = "stop"


class Versions(StrEnum):
    same = "same"
    any = "any"


class CodeIdentity(StrEnum):
    files = "files"
    imported = "imported"


@dataclass
class RetriesConf:
    """The number of times that a job is submitted again within one launch, by what ended it."""

    infra: int = 2
    """AWS's own errors, no capacity."""
    spot: int = 10
    """No spot instance within `max_wait_hours`; what is reclaimed before that, AWS itself starts again."""
    task: int = 0
    """The job's own errors, memory, and the time limit when it keeps checkpoints."""


@dataclass
class CodeConf:
    root: Optional[str] = None
    """Directory that is bundled; null: the git repository of the working directory, without git the working directory; that of
    the task, if it was started elsewhere."""
    exclude: list[str] = field(default_factory=list)
    """Patterns as in .gitignore, beside `.gitignore` and `.sagemakerignore`."""
    identity: CodeIdentity = CodeIdentity.files
    """The part of the code that makes jobs different: all bundled files, or the modules that the task can import, without their
    comments, and the configuration's files."""
    max_mb: float = 50
    """Uncompressed size above which nothing is uploaded."""
    allow_secret_names: list[str] = field(default_factory=list)
    """Files that are bundled although their names or contents look like secrets."""


@dataclass
class ImageConf:
    """Selects an image of AWS, looked up by sagemaker-core, when `image_uri` is null."""

    framework: str = "pytorch"
    version: Optional[str] = None
    """null: the newest the installed SDK knows."""
    python: Optional[str] = None
    """The image's Python, as `py313`; null: the version's own."""


@dataclass
class SageMakerLauncherConf:
    _target_: str = "hydra_plugins.hydra_sagemaker_launcher.sagemaker_launcher.SageMakerLauncher"
    mode: Mode = Mode.sagemaker
    """sagemaker: a training job per job; local: a process per job on this machine; dry_run: write the requests and stop."""
    sweep_name: Optional[str] = None
    """Beginning of the job names; null: `hydra.job.name`."""
    on_existing: OnExisting = OnExisting.retry_failed
    """The treatment of jobs that ran before: `rerun` submits all again, `fail` refuses the sweep. Otherwise completed ones are
    reused, running ones attached to, and failed ones submitted again (`retry_failed`) or returned as failures (`reuse`)."""
    key_exclude: list[str] = field(default_factory=list)
    """Configuration keys that do not change what a job computes: two jobs that differ only there are the same job."""
    key_files: list[Optional[str]] = field(default_factory=list)
    """Files and directories here whose contents are part of a job's identity: data that is not bundled with the code."""
    inputs: list[str] = field(default_factory=list)
    """Configuration keys whose values may name files or directories here. What is not bundled with the code is uploaded as a
    channel, named by its content, and the key has the path there in the job. `*` stands for any one name, as in
    `data.sources.*.path`."""
    inputs_max_mb: float = 500
    """Size of an input above which it is not uploaded; 0: never."""
    max_parallel: int = 4
    """Jobs at the same time; with `jobs_per_machine` above 1, machines."""
    jobs_per_machine: int = 1
    """The number of jobs that share a machine, one after the other, so that its start is paid once: waiting jobs that want the
    same machine. Each has its own result, failure, retries and `max_run_hours`. Without effect in mode local."""
    max_failures: Optional[int] = None
    """Once that many jobs have failed for good, nothing more is submitted; null: all are tried."""
    wait: bool = True
    """false: submit and leave; the same command with `wait=true`, or `collect`, downloads the results."""
    on_interrupt: Optional[OnInterrupt] = None
    """Ctrl-C: `ask` on a terminal (without one detach), `detach`, `stop` all jobs; null: ask, in mode local stop."""
    retries: RetriesConf = field(default_factory=RetriesConf)
    """The number of times that a job is submitted again within one launch, by what ended it."""
    retry_seconds: float = 60.0
    """Before the first retry; doubled with every further one of the job, at most 15 minutes."""
    submits_per_second: float = 2.0
    """Rate of CreateTrainingJob, which AWS limits per account."""
    poll_seconds: Optional[float] = None
    """Seconds between two polls; null: 20, in mode local 0.5 (SageMaker allows 2 list calls a second per account)."""
    check: Optional[str] = None
    """Dotted name of a function that gets each job's configuration before anything is uploaded; what it raises or returns
    (sentences) is a problem of that job."""
    code: CodeConf = field(default_factory=CodeConf)
    requirements: Optional[str] = "auto"
    """File of requirements to install in the job; auto: requirements.txt, else pyproject.toml's dependencies; null: none."""
    versions: Versions = Versions.same
    """Versions that a job installs: `same`, those of this machine, but for what belongs to the image; `any`, as pip chooses."""
    model_files: list[str] = field(default_factory=lambda: ["*.safetensors", "*.ckpt", "*.pt", "*.pth", "*.bin", "*.onnx"])
    """Patterns of output files that stay in S3."""
    download_models: bool = False
    """Download those too."""
    state_dir: str = ".hydra_jobs"
    """Mode local: where it is remembered which job ran where; relative to the working directory."""
    s3_uri: Optional[str] = None
    """s3://bucket/prefix for code, specifications and results."""
    region: Optional[str] = None
    """null: as boto3 finds it."""
    profile: Optional[str] = None
    """Profile of the AWS configuration; null: as boto3 finds it."""
    endpoint_url: Optional[str] = None
    """Address of another SageMaker and S3; null: as boto3 finds it. One on 127.0.0.1 is sent no credentials of yours."""
    bucket_owner: Optional[str] = None
    """Account number; every S3 call then fails on a bucket of another account."""
    role_arn: Optional[str] = None
    """Execution role of the jobs."""
    image_uri: Optional[str] = None
    """Training image; null: looked up by `image` with sagemaker-core."""
    image: ImageConf = field(default_factory=ImageConf)
    python: str = "python3"
    """Interpreter in the image."""
    instance_type: Optional[str] = None
    instance_count: int = 1
    volume_gb: int = 50
    """Ignored by AWS on instance types with local NVMe disks."""
    max_run_hours: float = 24.0
    """The job is stopped after this; at most 672."""
    spot: bool = False
    """Spare capacity, cheaper, that AWS may take back at any time; the job continues from its checkpoints."""
    max_wait_hours: Optional[float] = None
    """With spot: from submission to end, waiting and running; null: twice `max_run_hours`."""
    keep_warm_minutes: Optional[float] = None
    """A job's machines are kept for so long, at most 60 minutes, for a job of the sweep that needs the same and then starts at
    once, and given back when none comes; null: not kept. Needs a quota of its own, and not spot."""
    checkpoints: Optional[bool] = None
    """A job's output directory is kept in S3 while it runs, and the next attempt begins with it; null: with spot."""
    processes_per_instance: int | str = "auto"
    """Started by torchrun when there are several in all; auto: one per GPU, without GPUs one."""
    price_per_hour: dict[str, float] = field(default_factory=dict)
    """Instance type to US dollars, before the price table of this package."""
    max_cost_usd: Optional[float] = None
    """A sweep that could cost more is not submitted."""
    collected: Optional[str] = None
    """Dotted name of a function that gets a job's output directory and its record once the results are downloaded."""
    channels: dict[str, str] = field(default_factory=dict)
    """Input data: name to s3 uri, found in the job under /opt/ml/input/data/NAME."""
    env: dict[str, str] = field(default_factory=dict)
    """Environment variables of the job; visible to everyone who may describe it."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Environment variable to name or ARN in Secrets Manager; read in the job, with the job's role."""
    tags: dict[str, str] = field(default_factory=dict)
    output_kms_key: Optional[str] = None
    """Encrypts code, specifications and results in S3."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Any other field of CreateTrainingJob, merged over the request last."""


def keeps_checkpoints(settings: SageMakerLauncherConf) -> bool:
    return settings.spot if settings.checkpoints is None else settings.checkpoints


LONGEST_WARM_MINUTES = 60
"""As AWS's guide on warm pools says."""


def keep_warm_seconds(settings: SageMakerLauncherConf) -> int:
    """Return the most seconds for which a job's machines are kept; `extra` wins, and 0 stands for values that are refused."""
    resources = settings.extra.get("ResourceConfig") or {}
    if "KeepAlivePeriodInSeconds" in resources:
        given = resources["KeepAlivePeriodInSeconds"]
        return given if isinstance(given, int) and given > 0 else 0
    minutes = settings.keep_warm_minutes or 0.0
    return math.ceil(60 * minutes) if 0 < minutes <= LONGEST_WARM_MINUTES else 0


PER_JOB = frozenset(
    """
    check image_uri image python instance_type instance_count volume_gb max_run_hours channels env secrets tags extra
    model_files download_models key_files spot max_wait_hours keep_warm_minutes checkpoints processes_per_instance
    """.split()
)
"""Fields that a job's own configuration may set; the others belong to the whole sweep."""
OPEN = ("channels", "env", "secrets", "tags", "extra", "price_per_hour")
"""Mappings of free names, which need no `+` on the command line."""
REMOVED = {
    "hyperparameters": "extra.HyperParameters",
    "network_isolation": "extra.EnableNetworkIsolation",
    "encrypt_between_nodes": "extra.EnableInterContainerTrafficEncryption",
    "volume_kms_key": "extra.ResourceConfig.VolumeKmsKeyId",
    "subnets": "extra.VpcConfig.Subnets",
    "security_group_ids": "extra.VpcConfig.SecurityGroupIds",
}
"""Fields of earlier versions, and what is typed instead."""


def removed_field(name: str) -> str:
    return f"hydra.launcher.{name} was removed: type +hydra.launcher.{REMOVED[name]}=… instead, or write it so in a file"


FIELDS = tuple(item.name for item in fields(SageMakerLauncherConf) if item.name != "_target_")
