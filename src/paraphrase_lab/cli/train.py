"""`paraphrase train`: checks every job, finds the directory of a run to go on with, and hands over to Hydra."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

from paraphrase_lab.cli.request import add_to_path, check_jobs, checked, parse_request
from paraphrase_lab.composition import BASIC_SWEEPER, CONFIG_NAME, VERSION_BASE, Request, quoted
from paraphrase_lab.errors import TrainingError, UserError
from paraphrase_lab.paths import CONF_DIR, DIRECTORY_VARIABLE
from paraphrase_lab.schema import register

log = logging.getLogger(__name__)
HYDRA_FLAGS = ("--hydra-help", "--cfg", "-c", "--info", "-i", "--resolve", "--package", "-p")
COMPLETION_FLAGS = ("--shell-completion", "-sc")


class _Ended(BaseException):
    """Carries a known error of a single run past Hydra, which would print what it knows of it first."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def run(words: list[str]) -> int:
    if any(word.partition("=")[0] in (*HYDRA_FLAGS, *COMPLETION_FLAGS) for word in words):
        return _hydra(words)  # shows something and trains nothing
    request = parse_request(words, "train")
    add_to_path()
    if os.environ.get("LOCAL_RANK", "0") != "0":  # a process of a distributed training: the first one has checked
        return _hydra([*words, *_overrides_of_a_started_process()], request)
    result = checked(request)
    if result.multirun_reason:
        print(result.multirun_reason, file=sys.stderr)
        request = Request(request.overrides, request.config_dir, True)
    check_jobs(result)
    words = [*_flags(request), *request.overrides]
    if result.jobs[0].config.resume is not None:
        from paraphrase_lab.resuming import directory_overrides

        words += directory_overrides(result)
    return _hydra(words, request)


def _overrides_of_a_started_process() -> list[str]:
    """Lightning names the directory of a single run, also within a sweep; only the first process writes a log."""
    directory = os.environ.get(DIRECTORY_VARIABLE)
    place = [f"hydra.run.dir={quoted(directory)}"] if directory else []
    return [*place, "hydra.mode=RUN", "hydra/job_logging=none", "hydra/hydra_logging=none"]


def _flags(request: Request) -> list[str]:
    directory = ["--config-dir", request.config_dir] if request.config_dir else []
    return [*directory, *(["--multirun"] if request.multirun else [])]


def _hydra(words: list[str], request: Request | None = None) -> int:
    import hydra

    register()
    command = sys.argv[0]
    sweep_dirs: list[Path] = []

    def task(config: Any) -> float | None:
        return _job(config, command, request or Request(), sweep_dirs)

    if request is not None:
        # Hydra would print a traceback without telling mistakes from faults; with this it raises, and `main` decides.
        os.environ["HYDRA_FULL_ERROR"] = "1"
    task.__module__, task.__qualname__ = __name__, "train"
    sys.argv = [command, *words]
    try:
        hydra.main(version_base=VERSION_BASE, config_path=str(CONF_DIR), config_name=CONFIG_NAME)(task)()
    except _Ended as end:
        raise end.error from None
    finally:
        sys.argv = [command, "train", *words]
        if sweep_dirs:
            _summary(sweep_dirs[0])
    return 0


def _job(config: Any, command: str, request: Request, sweep_dirs: list[Path]) -> float | None:
    """One run, inside Hydra."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from paraphrase_lab.distributed import processes_find
    from paraphrase_lab.train import train
    from paraphrase_lab.training.stopping import Interrupted

    hydra_config = HydraConfig.get()
    directory = Path(hydra_config.runtime.output_dir)
    if hydra_config.mode == RunMode.MULTIRUN and not sweep_dirs:
        sweep_dirs.append(Path(hydra_config.sweep.dir))
    # Lightning starts the other processes of a distributed run with these words: this job alone, not the whole sweep.
    flags = _flags(Request(config_dir=request.config_dir))
    sys.argv = [command, "train", *flags, *hydra_config.overrides.task]
    searching = hydra_config.sweeper["_target_"] != BASIC_SWEEPER or "hparams_search" in hydra_config.runtime.choices
    try:
        with processes_find(directory):
            return train(config, _relative(directory), searching=searching)
    except Interrupted as error:
        log.warning("%s; `resume=auto` with the same words goes on", error)
        raise SystemExit(error.exit_code) from None
    except (UserError, TrainingError) as error:
        log.error("%s", error)  # into the run's own log; of a sweep only the first error reaches the screen in the end
        if hydra_config.mode == RunMode.MULTIRUN:
            raise
        raise _Ended(error) from None


def _relative(directory: Path) -> Path:
    """As the user would type it."""
    return directory.relative_to(Path.cwd()) if directory.is_relative_to(Path.cwd()) else directory


def _summary(sweep_dir: Path) -> None:
    """A line per job of the sweep, also when some failed."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from paraphrase_lab.runs.record import find_runs

    records = sorted(find_runs(sweep_dir), key=lambda record: (len(record.run_dir.name), record.run_dir.name))
    table = Table(title=escape(str(_relative(sweep_dir.absolute()))), title_justify="left")
    for column in ("job", "overrides", "status", "best", "val/accuracy", "test/accuracy"):
        table.add_column(column)
    for record in records:
        values = record.values
        best, metrics = values.get("best") or {}, values.get("metrics") or {}
        numbers = [best.get("value"), metrics.get("val/accuracy"), metrics.get("test/accuracy")]
        shown = ["" if number is None else f"{number:.4f}" for number in numbers]
        status = record.status if not values.get("error") else f"{record.status}: {values['error']}"
        table.add_row(record.run_dir.name, escape(_overrides(record.run_dir)), escape(status), *shown)
    Console().print(table)


def _overrides(run_dir: Path) -> str:
    file = run_dir / ".hydra" / "overrides.yaml"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return " ".join(line.removeprefix("- ") for line in lines)
