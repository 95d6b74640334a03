"""The beginning of a run: its record, what is continued of an interrupted one, and what is written before it trains."""

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from hydra_sagemaker import Pruned
from paraphrase_lab.configuration.settings import Settings
from paraphrase_lab.data.pair_table import PairTables
from paraphrase_lab.data.rows import list_bad_rows
from paraphrase_lab.errors import KnownError, RunError
from paraphrase_lab.files import finite
from paraphrase_lab.lifecycle.project import write_project_state
from paraphrase_lab.lifecycle.rerun import what_differs
from paraphrase_lab.lifecycle.run import LAST_CHECKPOINT, Run
from paraphrase_lab.runs import fingerprint, own_code
from paraphrase_lab.runs.configuration import changed_settings, configuration_of, flat
from paraphrase_lab.runs.record import RunRecord, now
from paraphrase_lab.runs.seen_pairs import run_of_model, write_seen_pairs
from paraphrase_lab.runtime.distributed import is_main_process
from paraphrase_lab.tracking import hooks, identity
from paraphrase_lab.tracking.metrics_csv import MetricsCsv
from paraphrase_lab.tracking.redaction import redacted
from paraphrase_lab.training.checkpoints import resumable_step
from paraphrase_lab.training.stopping import Interrupted

log = logging.getLogger(__name__)


def open_record(directory: Path, *, resume: str | None) -> RunRecord:
    """Return the record of the run in `directory`, new where there is none.

    Raises:
        RunError: another process trains it, or it is there and `resume` is null.
    """
    if not (directory / "run.json").is_file():
        return RunRecord(directory, {"status": "new"})
    record = RunRecord.read(directory)
    if not is_main_process():
        return RunRecord(directory, {**record.values, "status": "new"})
    if record.status == "running":
        raise RunError(f"{directory} is being trained by another process", hint="wait for it, or stop it")
    if resume is None:
        ended = record.status == "finished"
        raise RunError(
            f"{directory} holds a run already ({record.status})",
            hint="another hydra.run.dir"
            + (f"; `paraphrase rerun {directory}` repeats it" if ended else f", or resume={directory} to continue it"),
        )
    return record


def refuse_other_settings(record: RunRecord, settings: Settings) -> None:
    """Raise RunError where a finished run is to be resumed with other settings than it was trained with."""
    before = configuration_of(record.values, record.run_dir)[1].get("config") or {}
    if changed := changed_settings(before, flat(settings.plain), record.values.get("working_dir")):
        raise RunError(
            f"{record.run_dir} has finished, with other settings: there is nothing to resume",
            valid=f"asked for now, and in brackets what the run had: {', '.join(changed)}",
            hint=f"without resume=… this trains a new run; `paraphrase rerun {record.run_dir} KEY=VALUE` repeats the run with "
            "other values",
        )


def _changed_parts(record: RunRecord, settings: Settings, parts: dict[str, Any]) -> str:
    """Name what can change the result and is not as it was; of the configuration its keys."""
    keys = changed_settings(record.values.get("config") or {}, flat(settings.plain), record.values.get("working_dir"))
    named = {"configuration": f"configuration ({', '.join(keys)})"} if keys else {}
    changed = fingerprint.differences(parts, record.values["fingerprint_parts"])
    return ", ".join(named.get(name, name) for name in changed)


@contextmanager
def recorded(record: RunRecord) -> Iterator[None]:
    """Write into the record how the run ended, if it did not finish."""
    try:
        yield
    except BaseException as error:
        if is_main_process() and record.is_ours and record.values.get("status") != "finished":
            interruption = Interrupted(signal.SIGINT) if isinstance(error, KeyboardInterrupt) else error
            if isinstance(error, Pruned):
                status, told = "pruned", str(error)
            elif isinstance(interruption, Interrupted):
                status, told = "interrupted", str(interruption)
            else:
                last_line = (str(error).strip().splitlines() or [""])[-1]
                problem = error.problem_line if isinstance(error, KnownError) else last_line
                status, told = "failed", f"{type(error).__name__}: {problem}"
            try:
                record.update(status=status, error=told, ended=now())
            except OSError as refused:  # the disk is full, say; readers see that the process is gone
                log.warning("run.json cannot be written: %s", refused.strerror)
        raise


def refuse_or_restart(run: Run, parts: dict[str, Any]) -> None:
    """Continue an interrupted run only where nothing that can change its result has changed since.

    Raises:
        RunError: something has, and the run was named in `resume`; with resume=auto it is trained anew.
    """
    changed = _changed_parts(run.record, run.settings, parts)
    if not changed:
        return
    if run.config.resume != "auto":
        raise RunError(
            f"{run.directory} cannot be continued: since it was interrupted these changed: {changed}",
            hint="resume=null trains anew",
        )
    log.warning("%s starts anew: since it was interrupted these changed: %s", run.directory, changed)
    run.record.values["started_anew"] = run.record.values.get("started_anew", 0) + 1
    (run.directory / LAST_CHECKPOINT).unlink(missing_ok=True)


def note_data(tables: PairTables, directory: Path) -> None:
    if not is_main_process():
        return
    for note in tables.notes:
        log.warning(note) if note.startswith(("leak", "one cluster", "there is no test")) else log.info(note)
    if tables.bad_rows:
        log.warning(list_bad_rows(directory, tables.bad_rows))


def write_run_header(run: Run, parts: dict[str, Any], precision_reason: str) -> None:
    """Write config.yaml, the code a researcher brought along, and what run.json holds before training."""
    config, plan = run.config, run.datamodule.plan
    for stage in ("fit", "validate"):
        for profile in run.directory.glob(f"{stage}-profile*.txt"):
            profile.unlink()  # of the training that was interrupted
    for note in run.datamodule.truncation_notes:
        log.warning(note)
    OmegaConf.save(run.settings.composed, run.directory / "config.yaml", resolve=False)
    modules = own_code.own_modules(run.settings.plain)
    own_code.copy_code(modules, run.directory)
    splits, earlier = run.tables.splits, run_of_model(config.model.get("name"))
    teachers = run.teacher.runs if run.teacher is not None else []
    write_seen_pairs(run.directory, splits["train"], splits.get("validation"), [*filter(None, [earlier]), *teachers])
    accumulated = config.trainer.accumulate_grad_batches
    effective = plan.mean_pairs * run.replicas * accumulated
    log.info(
        "%s pairs in %s batches, %.1f %% padding; batch %.0f (%s, %s); %s optimiser steps an epoch",
        f"{len(run.datamodule.train_dataset):,}", f"{len(plan):,}", 100 * plan.padding_fraction(), effective,
        "1 device" if run.replicas == 1 else f"{run.replicas} devices",
        "no accumulation" if accumulated == 1 else f"{accumulated} batches accumulated",
        f"{max(1, len(plan) // (run.replicas * accumulated)):,}",
    )  # fmt: skip
    run.record.update(
        fingerprint=fingerprint.combine(parts),
        fingerprint_parts=parts,
        versions=parts["libraries"],
        git=write_project_state(modules, run.directory),
        device={
            "kind": run.machine.accelerator,
            "name": run.machine.name,
            "count": run.replicas,
            "threads": torch.get_num_threads(),
        },
        precision={"used": run.precision, "reason": precision_reason},
        data=run.data_summary(),
        working_dir=str(Path.cwd()),
        batches={"per_epoch": len(plan), "mean_pairs": plan.mean_pairs, "effective_pairs": effective},
        bad_rows=len(run.tables.bad_rows),
        **({"teacher": [str(one.absolute()) for one in teachers]} if teachers else {}),
    )


def tell_differences(origin: RunRecord, record: RunRecord) -> None:
    """Log and record what is not as it was in the run that this one repeats."""
    differences = what_differs(origin, record.values)
    record.update(rerun_of={**record.values["rerun_of"], "differences": differences})
    for line in differences:
        log.warning("differs from %s (former values in brackets): %s", origin.run_dir, line)
    if not differences:
        log.info("as in %s: settings, code, libraries, data and device", origin.run_dir)


def checkpoint_to_continue(run: Run, loggers: Sequence[Any]) -> Path | None:
    """Return last.ckpt if training can continue from it; metrics.csv is cut back to its step."""
    path = run.directory / LAST_CHECKPOINT
    csv_loggers = [logger for logger in loggers if isinstance(logger, MetricsCsv)]
    step = resumable_step(path)
    if step is None:
        for logger in csv_loggers:
            logger.path.unlink(missing_ok=True)  # of a run that was killed before its first checkpoint
        return None
    if is_main_process():
        log.info("continuing after optimiser step %s of %s", f"{step:,}", run.directory)
        for logger in csv_loggers:
            logger.forget_after(step)
    return path


def begin_tracking(run: Run, loggers: list[Any]) -> None:
    """Begin after metrics.csv was cut back to the checkpoint: it says what W&B has to have of an interrupted run."""
    if not is_main_process():
        return
    who = identity.identify(run.directory, run.record.values, searching=run.searching)
    public = finite(redacted({key: value for key, value in run.settings.plain.items() if key not in ("logger", "resume")}))
    config = public | {"choices": run.record.values.get("choices") or {}}
    remembered = hooks.begin(loggers, hooks.RunInfo(who, config, identity.origin(run.record.values)))
    run.record.update(tracking=remembered)
