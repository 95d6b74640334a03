"""`paraphrase train`: checks every job, finds the directory of a run to go on with, and hands over to Hydra."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from paraphrase_lab.check import CheckedRequest
from paraphrase_lab.cli import search
from paraphrase_lab.cli.request import add_to_path, check_jobs, checked, parse_request
from paraphrase_lab.cli.sweep_summary import print_summary
from paraphrase_lab.configuration.composition import CONFIG_NAME, VERSION_BASE, Request, quoted
from paraphrase_lab.configuration.hydra_internals import run_main
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import CONF_DIR, DIRECTORY_VARIABLE
from paraphrase_lab.remote.train import train_job

HYDRA_FLAGS = ("--hydra-help", "--cfg", "-c", "--info", "-i", "--resolve", "--package", "-p")
COMPLETION_FLAGS = ("--shell-completion", "-sc")


def run(words: list[str]) -> int:
    if any(word.partition("=")[0] in (*HYDRA_FLAGS, *COMPLETION_FLAGS) for word in words):
        return _hydra(words)  # shows something and trains nothing
    request = parse_request(words, "train")
    add_to_path()
    if os.environ.get("LOCAL_RANK", "0") != "0":  # a process of a distributed training: the first one has checked
        return _hydra([*words, *_overrides_of_a_started_process()], request)
    return start(checked(request))


def start(result: CheckedRequest) -> int:
    """Second stage of the check, then training: here, or wherever a sweep's launcher runs its jobs. The exit code."""
    request = result.request
    if result.multirun_reason:
        print(result.multirun_reason, file=sys.stderr)
        request = Request(request.overrides, request.config_dir, True)
    launcher = result.hydra.launcher
    if launcher.get("check") is None:  # else the launcher calls it for every job, also for those a search thinks of later
        check_jobs(result)
    words = [*_flags(request), *request.overrides]
    resumed = None
    if result.jobs[0].config.resume is not None:
        from paraphrase_lab.lifecycle.resume import directory_to_resume

        resumed = directory_to_resume(result)
    if not request.multirun:
        return _hydra([*words, f"hydra.run.dir={quoted(str(resumed))}"] if resumed else words, request)
    directory = resumed or sweep_directory(result)
    words.append(f"hydra.sweep.dir={quoted(str(directory))}")
    if not search.is_search(result.hydra):
        return _hydra(words, request, directory)
    with search.followed(result, directory):
        return _hydra(words, request, directory)


def _overrides_of_a_started_process() -> list[str]:
    """Lightning names the directory of a single run, also within a sweep; only the first process writes a log."""
    directory = os.environ.get(DIRECTORY_VARIABLE)
    place = [f"hydra.run.dir={quoted(directory)}"] if directory else []
    return [*place, "hydra.mode=RUN", "hydra/job_logging=none", "hydra/hydra_logging=none"]


def sweep_directory(result: CheckedRequest) -> Path:
    """Resolved before Hydra starts, so that the end of the sweep knows where it was, whichever process runs its jobs."""
    return Path(str(result.hydra.sweep.dir))


def _flags(request: Request) -> list[str]:
    directory = ["--config-dir", request.config_dir] if request.config_dir else []
    return [*directory, *(["--multirun"] if request.multirun else [])]


def _hydra(words: list[str], request: Request | None = None, sweep_dir: Path | None = None) -> int:
    import hydra
    from hydra.errors import CompactHydraException

    main = hydra.main(version_base=VERSION_BASE, config_path=str(CONF_DIR), config_name=CONFIG_NAME)(train_job)
    try:
        run_main(main, words, verb="train", raise_errors=request is not None)
    except CompactHydraException as error:  # a launcher's refusal
        raise UserError(str(error)) from error
    except Exception as error:
        if isinstance(error, UserError) or not was_reported(error):
            raise
        return 1
    finally:
        if sweep_dir is not None:
            print_summary(sweep_dir)
    return 0


def was_reported(error: Exception) -> bool:
    """A job's error, which its launcher has shown with everything that is known of it."""
    from hydra_sagemaker.errors import RemoteJobError, RemoteTraceback

    return isinstance(error, RemoteJobError) or isinstance(error.__cause__, RemoteTraceback)
