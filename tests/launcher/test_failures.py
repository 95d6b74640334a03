"""The cause, message and next step of a failed job, from what SageMaker and the job report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hydra_sagemaker.backends.diagnosis import failure_of_job, failure_of_process, last_lines
from hydra_sagemaker.errors import Cause
from hydra_sagemaker.runner.record import failure_record
from hydra_sagemaker.scheduling.retries import retried_as
from hydra_sagemaker.settings import SageMakerLauncherConf

if TYPE_CHECKING:
    from hydra_sagemaker.errors import Failure

NAME = "app-12f1e2cb2dd00c75-0"
IMAGE = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.9-gpu-py312"
JOB = {
    "TrainingJobName": NAME,
    "TrainingJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{NAME}",
    "RoleArn": "arn:aws:iam::123456789012:role/service-role/jobs",
    "AlgorithmSpecification": {"TrainingImage": IMAGE},
    "TrainingJobStatus": "Failed",
    "SecondaryStatus": "Failed",
    "TrainingStartTime": 1.0,
}
AGAIN = "the same command submits it again"
LOG = f"aws logs tail /aws/sagemaker/TrainingJobs --log-stream-name-prefix {NAME}/ --region eu-west-1"
BIGGER = f"a larger hydra.launcher.instance_type, or a smaller batch; {AGAIN}"
INSTALLED = f"add what is missing to the requirements (hydra.launcher.requirements) or to the image; {AGAIN}"
REASONS = [
    ("CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type.",
     "capacity", f"another hydra.launcher.instance_type, or later: {AGAIN}"),
    ("InsufficientCapacityError: Insufficient capacity error from EC2 while launching instances", "capacity", "another "),
    ("InternalServerError: We encountered an internal error.  Please try again.", "infrastructure", AGAIN),
    ("SomethingNew: which this version does not know", "infrastructure", AGAIN),
    ("ClientError: SageMaker was unable to assume the role 'arn:aws:iam::123456789012:role/jobs'", "role",
     "aws iam get-role --role-name jobs: its trust policy has to name sagemaker.amazonaws.com"),
    ("ClientError: TrainingHostAgent Initialization failed:InvalidInputException: SageMaker is unable to perform: "
     "sts:AssumeRole on the role.", "role", "aws iam get-role --role-name jobs"),
    ("ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are incorrect.", "role",
     "aws ecr describe-images --registry-id 763104351884 --repository-name pytorch-training --image-ids imageTag=2.9-gpu-py312 "
     "--region eu-west-1 shows whether it exists; jobs must be allowed to pull it"),
    ("ClientError: Data download failed:Unable to download object s3://data/x (AccessDenied: Access Denied)", "role",
     "give the role this permission (aws iam list-role-policies --role-name jobs and list-attached-role-policies"),
    ("ClientError: Artifact upload failed:An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
     "role", "give the role this permission"),
    ("ClientError: Artifact upload failed:Unable to upload file to s3://b/p/model.tar.gz (BucketRegionError: bucket must be in "
     "the same region as the job)", "region", "aws s3 sync s3://b/p/model.tar.gz s3://BUCKET/…, a bucket in the jobs' region"),
    ('ClientError: Data download failed:No S3 objects found under S3 URL "s3://data/pairs" given in input data source.', "code",
     f"aws s3 ls s3://data/pairs shows what is there: correct hydra.launcher.channels; {AGAIN}"),
    ("ClientError: Artifact upload failed:Insufficient disk space", "code", f"raise hydra.launcher.volume_gb; {AGAIN}"),
    ("AlgorithmError: OSError: [Errno 28] No space left on device, exit code: 1", "code", "raise hydra.launcher.volume_gb"),
    ("AlgorithmError: , exit code: 137", "memory", BIGGER),
    ("ClientError: Please use an instance type with more memory, or reduce the size of input data processed on an instance., "
     "exit code: 137", "memory", BIGGER),
    ("AlgorithmError: OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB, exit code: 1", "memory", BIGGER),
    ("AlgorithmError: killed by signal 9: out of memory?; the last lines were\nepoch 3, exit code: 137", "memory", BIGGER),
    ("AlgorithmError: ModuleNotFoundError: No module named 'lightning', exit code: 1", "import", INSTALLED),
    ("AlgorithmError: RuntimeError: pip could not install the requirements: ERROR: No matching distribution, exit code: 1",
     "import", INSTALLED),
    ("AlgorithmError: RuntimeError: the image has no torch, and the launcher never installs it: choose an image that has it, "
     "exit code: 1", "import", INSTALLED),
    ("AlgorithmError: ClientError: An error occurred (AccessDeniedException) when calling the GetSecretValue operation, "
     "exit code: 1", "role", "give the role this permission"),
    ("AlgorithmError: ValueError: loss is nan, exit code: 1", "code", LOG),
    ("AlgorithmError: , exit code: 139", "code", LOG),
]  # fmt: skip


def failure(
    result: dict[str, Any] | None = None, log: Path | None = None, lines: tuple[str, ...] = (), **changes: Any
) -> Failure:
    settings = SageMakerLauncherConf(**changes.pop("settings", {}))
    log = log or Path("none.log")
    return failure_of_job({**JOB, **changes}, result, settings, log, lines or last_lines(log))


def raised(error: BaseException) -> dict[str, Any]:
    """Return the record that the runner writes of the task's exception."""
    try:
        raise error
    except BaseException as caught:  # noqa: B036
        return failure_record(caught)


@pytest.mark.parametrize("reason, cause, step", REASONS)
def test_the_words_of_the_service(reason: str, cause: str, step: str) -> None:
    found = failure(FailureReason=reason)
    assert (found.cause, found.message.startswith(reason)) == (cause, True)
    assert found.next_step.startswith(step) and "None" not in found.next_step


def test_no_words_at_all() -> None:
    found = failure(lines=("starting",))
    assert found.cause == "infrastructure" and found.next_step == AGAIN
    assert (
        found.message
        == "it ended as Failed, without a result, and SageMaker gives no reason\nThe last lines of its log:\nstarting"
    )
    assert failure(TrainingJobStatus="Completed").message.startswith("it ended as Completed, without a result")


def test_the_log_says_what_the_reason_does_not() -> None:
    reason = "AlgorithmError: , exit code: 1"
    found = failure(FailureReason=reason, lines=("step 1", "torch.cuda.OutOfMemoryError: CUDA out of memory."))
    assert found.cause == "memory" and found.message.endswith("\nstep 1\ntorch.cuda.OutOfMemoryError: CUDA out of memory.")
    assert failure(FailureReason=reason, lines=("ImportError: cannot import name 'x'",)).cause == "import"
    with_lines = f"AlgorithmError: exit code 1; the last lines were\n{'x' * 50}, exit code: 1"
    assert failure(FailureReason=with_lines, lines=("y",)).message == with_lines
    assert "y" not in failure(FailureReason="CapacityError: y?", lines=("y",)).message.splitlines()
    killed = failure(FailureReason="AlgorithmError: , exit code: 137", lines=("step 7",)).message
    assert killed.splitlines()[1:] == [
        "It was killed, as the system does when memory runs out",
        "The last lines of its log:",
        "step 7",
    ]


def test_a_container_without_the_interpreter() -> None:
    found = failure(FailureReason="AlgorithmError: , exit code: 127", settings={"python": "python9"})
    assert found.message.endswith("Is there a python9 in the image? (hydra.launcher.python)") and found.next_step == LOG


def test_a_downloaded_log_is_named_and_read(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_text("".join(f"line {number}\n" for number in range(5000)), encoding="utf-8")
    found = failure(FailureReason="AlgorithmError: , exit code: 1", log=log)
    assert found.next_step == f"see the end of {log}" and found.message.endswith("line 4998\nline 4999")
    assert len(found.message.splitlines()) == 22
    assert last_lines(tmp_path / "none.log") == []


def test_a_job_that_never_started_has_no_log() -> None:
    described = {name: value for name, value in JOB.items() if name != "TrainingStartTime"}
    reason = "AlgorithmError: ValueError: x, exit code: 1"
    found = failure_of_job(described | {"FailureReason": reason}, None, SageMakerLauncherConf(), Path("none.log"), ())
    assert found.next_step == AGAIN


@pytest.mark.parametrize(
    "settings, detail, cause, said, step",
    [
        (
            {"max_run_hours": 0.5},
            "MaxRuntimeExceeded",
            "timeout",
            "max_run_hours=0.5, its limit",
            "raise hydra.launcher.max_run",
        ),
        (
            {"spot": True},
            "MaxRuntimeExceeded",
            "timeout",
            "max_run_hours=24",
            "max_run_hours; the same command continues from its",
        ),
        (
            {"spot": True},
            "MaxWaitTimeExceeded",
            "spot",
            "max_wait_hours=48",
            "hydra.launcher.spot=false hydra.launcher.checkpoints=true; the same command continues from its checkpoints",
        ),
        ({"max_wait_hours": 30.0}, "MaxWaitTimeExceeded", "spot", "max_wait_hours=30,", "raise hydra.launcher.max_wait_hours"),
        ({}, "Stopped", "stopped", "it was stopped, by a person or another program", AGAIN),
        ({"checkpoints": True}, "Stopped", "stopped", "it was stopped", "the same command continues from its checkpoints"),
    ],
)
def test_jobs_that_were_stopped(settings: dict[str, Any], detail: str, cause: str, said: str, step: str) -> None:
    """What the task raised when it was told to end says less."""
    result = raised(SystemExit(143))
    found = failure(result, TrainingJobStatus="Stopped", SecondaryStatus=detail, settings=settings)
    assert found.cause == cause and said in found.message and step in found.next_step


class Refused(Exception):
    """An error of the task."""


def of_torch() -> Exception:
    error = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch"})
    return error("CUDA out of memory. Tried to allocate 2.00 GiB")


def wrapped() -> Exception:
    error = Refused("Error locating target 'app.Model'")
    error.__cause__ = ModuleNotFoundError("No module named 'app'")
    return error


EXCEPTIONS = [
    (lambda: ValueError("loss is nan"), "code", "ValueError: loss is nan"),
    (of_torch, "memory", "torch.OutOfMemoryError: CUDA out of memory"),
    (MemoryError, "memory", "MemoryError: "),
    (lambda: OSError(12, "Cannot allocate memory"), "memory", "OSError: [Errno 12] Cannot allocate memory"),
    (lambda: RuntimeError("DataLoader worker (pid 3) is killed by signal: Killed. "), "memory", "RuntimeError: DataLoader"),
    (lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling x"), "memory", "RuntimeError: CUDA error"),
    (lambda: ModuleNotFoundError("No module named 'x'"), "import", "ModuleNotFoundError: No module"),
    (wrapped, "import", "test_failures.Refused: Error locating"),
    (lambda: Refused("An error occurred (AccessDenied) when calling the PutObject operation: Access Denied"), "role", "test_f"),
]


@pytest.mark.parametrize("make, cause, said", EXCEPTIONS)
def test_what_the_task_raised(make: Any, cause: str, said: str, tmp_path: Path) -> None:
    (log := tmp_path / "output.log").write_text("out of memory?\n", encoding="utf-8")  # the exception knows better
    result = raised(make())
    found = failure(result, log, FailureReason="AlgorithmError: x, exit code: 1")
    assert found.cause == cause and found.message.startswith(said)
    steps = {"code": f"see the end of {log}", "memory": BIGGER, "import": INSTALLED, "role": "give the role this permission"}
    assert found.next_step.startswith(steps[cause])
    here = failure_of_process(result, "", log)
    assert (here.cause, here.message) == (found.cause, found.message) and f"see the end of {log}" in here.next_step


def test_processes_of_this_machine(tmp_path: Path) -> None:
    killed = "killed by SIGKILL, as the system does when memory runs out"
    (log := tmp_path / "output.log").write_text("step 3\n", encoding="utf-8")
    found = failure_of_process(None, killed, log)
    assert (
        found.cause == "memory"
        and found.message == f"its process ended without a result: {killed}\nThe last lines of its log:\nstep 3"
    )
    assert found.next_step.startswith("a smaller batch, or fewer jobs at once (hydra.launcher.max_parallel); see the end of")
    assert failure_of_process(None, "killed by SIGSEGV", None).cause == "code"
    assert failure_of_process(None, "killed by SIGSEGV", None).next_step == "the same command runs it again"
    log.write_text("ModuleNotFoundError: No module named 'x'\n", encoding="utf-8")
    missing = failure_of_process(None, "exit code 1", log)
    assert missing.cause == "import"
    assert missing.next_step == f"pip install what is missing; see the end of {log}; the same command runs it again"
    stopped = failure_of_process(raised(SystemExit(143)), "", None)
    assert (stopped.cause, stopped.message) == ("stopped", "it was stopped (exit code 143)")
    assert failure(raised(SystemExit(143)), TrainingJobStatus="Completed").cause == "stopped"
    assert failure_of_process(raised(SystemExit(3)), "", None).cause == "code"


def test_what_is_tried_again() -> None:
    kinds = {cause: retried_as(cause, keeps_checkpoints=False) for cause in Cause}
    assert {cause.value for cause, kind in kinds.items() if kind == "infra"} == {"infrastructure", "capacity"}
    assert {cause.value for cause, kind in kinds.items() if kind == "task"} == {"code", "memory", "import"}
    assert kinds.pop(Cause.SPOT) == "spot"
    for never in ("stopped", "role", "region", "credentials", "quota", "timeout"):
        assert kinds[Cause(never)] is None
    assert retried_as(Cause.TIMEOUT, keeps_checkpoints=True) == "task"


def test_as_people_read_it() -> None:
    assert str(failure(FailureReason="SomethingNew: x")) == f"SomethingNew: x\nNext: {AGAIN}"
