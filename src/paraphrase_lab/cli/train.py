"""`paraphrase train`: checks every job, finds the directory of a run to go on with, and hands over to Hydra."""

import dataclasses
import os
import sys
from pathlib import Path

from paraphrase_lab.check import CheckedRequest
from paraphrase_lab.cli import search
from paraphrase_lab.cli.request import add_to_path, check_jobs, checked, parse_request
from paraphrase_lab.cli.sweep_summary import print_summary
from paraphrase_lab.configuration.composition import Request
from paraphrase_lab.configuration.hydra_internals import child, raw_value, run_task, show
from paraphrase_lab.configuration.quoting import expand_home, quoted
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import DIRECTORY_VARIABLE, SWEPT_VARIABLE, user_path, with_home
from paraphrase_lab.remote.train import train_job
from paraphrase_lab.storage import require_writable

HYDRA_FLAGS = ("--hydra-help", "--cfg", "-c", "--info", "-i", "--resolve", "--package", "-p")
COMPLETION_FLAGS = ("--shell-completion", "-sc")


def run(words: list[str]) -> int:
    if any(word.partition("=")[0] in (*HYDRA_FLAGS, *COMPLETION_FLAGS) for word in words):
        show(train_job, [expand_home(word) for word in words])
        return 0
    request = parse_request(words, "train")
    add_to_path()
    if os.environ.get("LOCAL_RANK", "0") != "0":  # a process of a distributed training: the first one has checked
        # Lightning names the directory of a single run, also within a sweep; only the first process writes a log.
        directory = os.environ.get(DIRECTORY_VARIABLE)
        place = [f"hydra.run.dir={quoted(directory)}"] if directory else []
        return _run([*request.overrides, *place, "hydra/job_logging=none", "hydra/hydra_logging=none"], request)
    return start(checked(request))


def start(result: CheckedRequest, *, is_study: bool = False) -> int:
    """Run the check's second stage, then train: here, or wherever a sweep's launcher runs its jobs. Return the exit code."""
    request = result.request
    if result.multirun_reason:
        print(result.multirun_reason, file=sys.stderr)
        request = dataclasses.replace(request, multirun=True)
    launcher = result.hydra.launcher
    if launcher.get("check") is None:  # else the launcher calls it for every job, also for those a search thinks of later
        check_jobs(result)
    resumed = None
    if result.jobs[0].config.resume is not None:
        from paraphrase_lab.lifecycle.resume import directory_to_resume

        resumed = directory_to_resume(result)
    directory = resumed or (sweep_directory(result) if request.multirun else user_path(str(result.hydra.run.dir)))
    require_writable(directory, hint=f"hydra.{'sweep' if request.multirun else 'run'}.dir=DIRECTORY names another place")
    if not request.multirun:
        written = str(raw_value(child(result.hydra.run, "dir")))  # Hydra makes it, and knows no "~"
        chosen = str(resumed) if resumed else with_home(written)
        place = [] if chosen == written else [f"hydra.run.dir={quoted(chosen)}"]
        return _run([*request.overrides, *place], request)
    overrides = [*request.overrides, f"hydra.sweep.dir={quoted(str(directory))}", *_swept_keys(result)]
    if not search.is_search(result.hydra):
        return _run(overrides, request, directory, is_study=is_study)
    with search.followed(result, directory):
        return _run(overrides, request, directory)


def _swept_keys(result: CheckedRequest) -> list[str]:
    """Return the override that tells every job in which keys the jobs differ, here and in a training container."""
    shared = set.intersection(*(set(job.overrides) for job in result.jobs))
    own = [word for job in result.jobs for word in job.overrides if word not in shared]
    swept = dict.fromkeys(word.lstrip("+~").partition("=")[0] for word in own)
    return [f"+hydra.job.env_set.{SWEPT_VARIABLE}={quoted(' '.join(swept))}"] if swept else []


def sweep_directory(result: CheckedRequest) -> Path:
    """Return the directory, resolved before Hydra starts: the end of the sweep knows it, whichever process runs the jobs."""
    return user_path(str(result.hydra.sweep.dir))


def _run(overrides: list[str], request: Request, sweep_dir: Path | None = None, *, is_study: bool = False) -> int:
    from hydra.errors import CompactHydraException

    try:
        run_task(train_job, overrides, request.config_dir, multirun=request.multirun)
    except CompactHydraException as error:  # a launcher's refusal
        raise UserError(str(error)) from error
    except Exception as error:
        if not was_reported(error):
            raise
        return 2 if isinstance(error, UserError) else 1
    finally:
        if sweep_dir is not None:
            print_summary(sweep_dir, is_study=is_study)
    return 0


def was_reported(error: Exception) -> bool:
    """Tell whether it is a job's error, which its launcher has shown with everything that is known of it."""
    from hydra_sagemaker.errors import RemoteJobError, RemoteTraceback

    return isinstance(error, RemoteJobError) or isinstance(error.__cause__, RemoteTraceback)
