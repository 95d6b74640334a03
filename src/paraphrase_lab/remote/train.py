"""One run, inside Hydra: in the process that was typed, or in a job's own, here or in a training container."""

import logging
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paraphrase_lab.configuration.hydra_internals import BASIC_SWEEPER, Ended, config_dir_of, name_this_process
from paraphrase_lab.configuration.registration import register
from paraphrase_lab.errors import KnownError, UserError
from paraphrase_lab.paths import as_typed
from paraphrase_lab.runs.record import FILE_NAME, KEPT_VARIABLE, RunRecord
from paraphrase_lab.runtime.next_commands import print_next

log = logging.getLogger(__name__)
COMMAND = "paraphrase_lab.__main__"
RESUME_HINT = "run the same command with resume=auto to continue"
register()  # a job imports its task first, and composes its configuration then


def train_job(config: Any) -> float | None:
    """Train, and return the best value of `monitor`."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from paraphrase_lab.runtime.distributed import is_main_process, processes_find
    from paraphrase_lab.train import train

    hydra_config = HydraConfig.get()
    is_sweep = hydra_config.mode == RunMode.MULTIRUN
    directory = as_typed(Path(hydra_config.runtime.output_dir))
    config_dir = config_dir_of(hydra_config)
    flags = ["--config-dir", str(config_dir)] if config_dir else []
    name_this_process(COMMAND, ["train", *flags, *hydra_config.overrides.task])  # this job alone, not the sweep
    if is_sweep and config.resume is None and _was_interrupted(directory):
        config.resume = "auto"  # an earlier attempt of a launcher that runs the same job again
    searching = hydra_config.sweeper["_target_"] != BASIC_SWEEPER
    with known_errors(is_sweep=is_sweep), processes_find(directory):
        best = train(config, directory, searching=searching)
        if not is_sweep and is_main_process():
            print_next(*next_commands(directory))
        return best


@contextmanager
def known_errors(*, is_sweep: bool, to_continue: str = RESUME_HINT) -> Iterator[None]:
    """Write known errors into the run's log, and let them leave Hydra without a traceback.

    Args:
        to_continue: says what to type after an interruption.
    """
    from paraphrase_lab.training.stopping import Interrupted

    try:
        yield
    except Interrupted as error:
        log.warning("%s: %s", error, to_continue)
        raise SystemExit(error.exit_code) from None
    except KnownError as error:
        if is_sweep:  # of whose errors only the first one leaves Hydra
            log.error("%s", error)
            error.is_reported = True
            raise
        _write_into_log(error)
        raise Ended(error) from None


def next_commands(directory: Path) -> list[str]:
    """Return what one would type after a run."""
    run = shlex.quote(str(directory))
    with_model = [
        f"paraphrase evaluate {run} data=pairs data.path=FILE",
        f'paraphrase predict {run} "A sentence." "Another one."',
    ]
    has_model = RunRecord.read(directory).values.get("model")
    return [*(with_model if has_model else []), f"paraphrase compare {run} OTHER_RUN", f"paraphrase report {run}"]


def _write_into_log(error: KnownError) -> None:
    """Write an error into the run's own log and not on the screen, where the command line shows it."""
    entry = log.makeRecord(log.name, logging.ERROR, __file__, 0, "%s", (error,), None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(entry)


def _was_interrupted(directory: Path) -> bool:
    """Return whether the run in the directory is to be continued.

    A finished run is left alone, unless this job kept it among its checkpoints: then its last steps are done again.
    """
    from paraphrase_lab.runtime.distributed import is_main_process

    kept = KEPT_VARIABLE in os.environ
    if kept and is_main_process():
        _mend(directory)
    if not (directory / FILE_NAME).is_file():
        return False
    if not is_main_process():  # the first process may have begun to write it anew
        return True
    return RunRecord.read(directory).status in ("interrupted", "failed", *(["finished"] if kept else []))


def _mend(directory: Path) -> None:
    """Correct the record of a run whose machine was lost: only some of its files, in no order, had reached S3."""
    try:
        record = RunRecord.read(directory)
    except UserError as error:
        if (directory / FILE_NAME).is_file():
            log.warning("%s; the run starts anew", error)
            shutil.rmtree(directory / "checkpoints", ignore_errors=True)
            (directory / FILE_NAME).unlink()
        return
    model = record.values.get("model")
    if record.status == "finished" and model is not None and not (directory / model / "model.safetensors").is_file():
        log.warning("%s was finished, but its weights did not reach S3: it continues from its last checkpoint", directory)
        record.update(status="interrupted")
