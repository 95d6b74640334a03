"""Finds why a job failed: a sentence and a next step for a person, a cause for a program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra_sagemaker.aws.call_errors import S3_URI
from hydra_sagemaker.aws.logs import GROUP
from hydra_sagemaker.errors import Cause, Failure, plain
from hydra_sagemaker.settings import SageMakerLauncherConf, keeps_checkpoints

LOG_LINES = 20
MESSAGE_CHARACTERS = 1500
KILLED, NO_SUCH_COMMAND = 137, (126, 127)
"""Exit codes: 128 + SIGKILL, of a container that has used up its memory; a shell's."""
OUT_OF_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|\bMemoryError\b|(cannot|can't) allocate memory|not enough memory|_ALLOC_FAILED"
    r"|killed by (signal:? (9|Killed)|SIGKILL)|insufficient shared memory|an instance type with more memory",
    re.IGNORECASE,
)
IMPORTS = re.compile(r"\b(ModuleNotFoundError|ImportError)\b|pip could not install|the launcher never installs it")
DENIED_TO_THE_JOB = re.compile(r"\((AccessDenied\w*|UnauthorizedOperation)\) when calling the")
"""botocore's message, in an exception of the task."""
# The service's messages, as users quoted them: capacity in github.com/aws/sagemaker-pytorch-training-toolkit/pull/171, roles in
# github.com/astronomer/docs/pull/1695 and, with internal errors and images, github.com/aws/sagemaker-python-sdk/issues/35, 70
# and 57, regions in github.com/aws/amazon-sagemaker-examples/issues/3881.
OF_THE_SERVICE = (
    (Cause.INFRASTRUCTURE, re.compile("^InternalServerError|encountered an internal error")),
    (Cause.CAPACITY, re.compile("CapacityError|Insufficient(Instance)?Capacity|Unable to provision requested")),
    (Cause.REGION, re.compile("BucketRegionError|PermanentRedirect|IllegalLocationConstraint|bucket is in this region")),
    (Cause.ROLE, re.compile("Access ?Denied|assume (the )?role|AssumeRole|not authorized|not grant ecr|Cannot pull algorithm")),
    (Cause.MEMORY, OUT_OF_MEMORY),
)
EXIT_CODE = re.compile(r"exit code: (\d+)$")
DISK_FULL = re.compile(r"insufficient disk space|no space left on device", re.IGNORECASE)
NOTHING_THERE = "No S3 objects found"
MISSING = re.compile(f"{NOTHING_THERE}|NoSuchKey|Not ?Found|404")
IN_THE_CONTAINER = re.compile(r"input/data/(?:code/bundle\.tar\.gz|job/spec\.json)\b.*(?:Cannot open|No such file)", re.DOTALL)
ECR_IMAGE = re.compile(r"(\d+)\.dkr\.ecr\.([\w-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+):?(.*)")
IMAGE_REFUSED = re.compile(r"\bpull\b|\becr:")
ADVICE = {
    Cause.TIMEOUT: "raise hydra.launcher.max_run_hours; ",
    Cause.SPOT: "raise hydra.launcher.max_wait_hours, or hydra.launcher.spot=false hydra.launcher.checkpoints=true; ",
    Cause.MEMORY: "a larger hydra.launcher.instance_type, or a smaller batch; ",
    Cause.IMPORT: "add what is missing to the requirements (hydra.launcher.requirements) or to the image; ",
    Cause.CAPACITY: "another hydra.launcher.instance_type, or later: ",
}


def failure_of_job(
    described: Mapping[str, Any],
    result: Mapping[str, Any] | None,
    settings: SageMakerLauncherConf,
    log_file: Path,
    lines: Sequence[str],
) -> Failure:
    """Explain a training job that failed: `described` by DescribeTrainingJob, `result` as its runner wrote it.

    `lines` are the end of its log, from `log_file` where that was downloaded.
    """
    steps = NextSteps(described, settings, log_file)
    detail = str(described.get("SecondaryStatus") or "")
    if described.get("TrainingJobStatus") == "Stopped" or detail in ("MaxRuntimeExceeded", "MaxWaitTimeExceeded"):
        return _stopped(detail, settings, steps)
    if told := _as_told(result):
        cause, message = told
        return Failure(cause, message, steps.after(cause, message))
    reason = str(described.get("FailureReason") or "").strip()
    if is_code_gone(reason, settings):
        message = (
            "the code or the specification that was uploaded for it is not in S3 any more: somebody, or a rule of the bucket, "
            f"has deleted it, and the task did not begin ({reason[:MESSAGE_CHARACTERS]})"
        )
        return Failure(Cause.INFRASTRUCTURE, message, "the same command uploads both again and submits the job")
    if reason:
        return _of_reason(reason, lines, settings, steps)
    ended = described.get("TrainingJobStatus") or detail or "nothing"
    message = f"it ended as {ended}, without a result, and SageMaker gives no reason"
    return Failure(Cause.INFRASTRUCTURE, _with_log(message, lines), steps.same)


def is_code_gone(reason: str, settings: SageMakerLauncherConf) -> bool:
    """Tell whether a FailureReason says that the launcher's own objects were not there when the job's machine looked."""
    prefix = str(settings.s3_uri).rstrip("/")
    own = any(f"{prefix}/{folder}/" in reason for folder in ("code", "jobs", "inputs"))
    return own and bool(MISSING.search(reason)) or bool(IN_THE_CONTAINER.search(reason))


def failure_of_process(result: Mapping[str, Any] | None, meaning: str, log_file: Path | None) -> Failure:
    """Explain a process of this machine that failed; `meaning` describes its end when it left no result."""
    if told := _as_told(result):
        cause, message = told
    else:
        lines = last_lines(log_file)
        cause = _cause_of_text("\n".join([meaning, *lines]))
        message = _with_log(f"its process ended without a result: {meaning}", lines)
    if cause == Cause.STOPPED:
        return Failure(cause, message, "the same command continues it")
    again = "the same command runs it again"
    see = f"see the end of {log_file}; {again}" if log_file is not None else again
    advice = {
        Cause.MEMORY: "a smaller batch, or fewer jobs at once (hydra.launcher.max_parallel); ",
        Cause.IMPORT: "pip install what is missing; ",
    }
    return Failure(cause, message, advice.get(cause, "") + see)


def last_lines(file: Path | None) -> list[str]:
    """Return the end of a log; empty where there is none."""
    if file is None or not file.is_file():
        return []
    with file.open("rb") as log:
        log.seek(max(0, file.stat().st_size - 16_384))
        return log.read().decode(errors="replace").rstrip("\n").split("\n")[-LOG_LINES:]


def _as_told(result: Mapping[str, Any] | None) -> tuple[Cause, str] | None:
    """Return cause and message of a failure that the runner wrote down; None where it wrote none."""
    if result is not None and result["status"] == "interrupted":
        return Cause.STOPPED, f"it was stopped (exit code {result['exit_code']})"
    if result is None or not (exception := result.get("exception")):
        return None
    module = "" if exception["module"] == "builtins" else f"{exception['module']}."
    message = f"{module}{exception['type']}: {exception['message']}"[:MESSAGE_CHARACTERS]
    return _cause_of_exception(exception), message


def _stopped(detail: str, settings: SageMakerLauncherConf, steps: NextSteps) -> Failure:
    if detail == "MaxRuntimeExceeded":
        message = f"it was stopped after hydra.launcher.max_run_hours={settings.max_run_hours:g}, its limit"
        return Failure(Cause.TIMEOUT, message, steps.after(Cause.TIMEOUT))
    if detail == "MaxWaitTimeExceeded":
        hours = 2 * settings.max_run_hours if settings.max_wait_hours is None else settings.max_wait_hours
        message = (
            f"it was stopped: not done within hydra.launcher.max_wait_hours={hours:g}, the wait for spot instances included"
        )
        return Failure(Cause.SPOT, message, steps.after(Cause.SPOT))
    return Failure(Cause.STOPPED, "it was stopped, by a person or another program", steps.same)


def _of_reason(reason: str, lines: Sequence[str], settings: SageMakerLauncherConf, steps: NextSteps) -> Failure:
    """Explain a FailureReason: AlgorithmError is of the container, ClientError of the request, the rest of the service."""
    is_of_the_job = reason.startswith("AlgorithmError")
    code = EXIT_CODE.search(reason)
    exit_code = int(code[1]) if code else None
    if exit_code == KILLED:
        cause = Cause.MEMORY
    elif is_of_the_job:
        cause = _cause_of_text("\n".join([reason, *lines]))
    else:
        own = Cause.CODE if reason.startswith("ClientError") else Cause.INFRASTRUCTURE
        cause = next((cause for cause, pattern in OF_THE_SERVICE if pattern.search(reason)), own)
    message = reason[:MESSAGE_CHARACTERS]
    if exit_code == KILLED and not OUT_OF_MEMORY.search(reason):
        message += "\nIt was killed, as the system does when memory runs out"
    if exit_code in NO_SUCH_COMMAND:
        message += f"\nIs there a {settings.python} in the image? (hydra.launcher.python)"
    shows_its_end = "Traceback (most recent call last)" in reason or "the last lines were" in reason
    shown = lines if is_of_the_job and not shows_its_end else ()
    return Failure(cause, _with_log(message, shown), steps.after(cause, reason))


def _cause_of_exception(exception: Mapping[str, Any]) -> Cause:
    """Look at the causes of the exception too: a library may have wrapped the original one."""
    chain, one = [exception], exception
    while one := one.get("cause"):
        chain.append(one)
    texts = [f"{one['type']}: {one['message']}" for one in chain]
    if any(OUT_OF_MEMORY.search(text) for text in texts):
        return Cause.MEMORY
    if any(one["type"] in ("ModuleNotFoundError", "ImportError") for one in chain):
        return Cause.IMPORT
    return Cause.ROLE if any(DENIED_TO_THE_JOB.search(text) for text in texts) else Cause.CODE


def _cause_of_text(text: str) -> Cause:
    patterns = ((Cause.MEMORY, OUT_OF_MEMORY), (Cause.IMPORT, IMPORTS), (Cause.ROLE, DENIED_TO_THE_JOB))
    return next((cause for cause, pattern in patterns if pattern.search(text)), Cause.CODE)


def _with_log(message: str, lines: Sequence[str]) -> str:
    shown = [plain(line)[:300] for line in lines[-LOG_LINES:]]
    return "\n".join([message, "The last lines of its log:", *shown]) if shown else message


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
        name = self.described.get("Machine") or self.described["TrainingJobName"]
        return f"aws logs tail {GROUP} --log-stream-name-prefix {name}/{region}"

    def _image(self, role: str) -> str:
        uri = self.described.get("AlgorithmSpecification", {}).get("TrainingImage") or self.settings.image_uri
        if (parts := ECR_IMAGE.fullmatch(str(uri))) is None:
            return f"hydra.launcher.image_uri={uri} has to be an image in ECR that {role} may pull"
        account, region, repository, tag = parts.groups()
        image = f"--registry-id {account} --repository-name {repository} --image-ids imageTag={tag or 'latest'}"
        return f"aws ecr describe-images {image} --region {region} shows whether it exists; {role} must be allowed to pull it"
