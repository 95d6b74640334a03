"""The beginning of a run: its record, what is continued of an interrupted one, and what is written before it trains."""

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from paraphrase_lab.data.pair_table import PairTables
from paraphrase_lab.data.rows import list_bad_rows
from paraphrase_lab.errors import RunError
from paraphrase_lab.lifecycle.run import LAST_CHECKPOINT, Run
from paraphrase_lab.runs import fingerprint, own_code
from paraphrase_lab.runs.record import RunRecord, git_state, now
from paraphrase_lab.runs.seen_pairs import write_seen_pairs
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
        raise RunError(
            f"{directory} holds a run already ({record.status})",
            hint=f"another hydra.run.dir, or resume={directory} to continue it",
        )
    return record


@contextmanager
def recorded(record: RunRecord) -> Iterator[None]:
    """Write into the record how the run ended, if it did not finish."""
    try:
        yield
    except BaseException as error:
        if is_main_process() and record.is_ours and record.values.get("status") != "finished":
            interruption = Interrupted(signal.SIGINT) if isinstance(error, KeyboardInterrupt) else error
            if isinstance(interruption, Interrupted):
                record.update(status="interrupted", error=str(interruption), ended=now())
            else:
                last_line = (str(error).strip().splitlines() or [""])[-1]
                record.update(status="failed", error=f"{type(error).__name__}: {last_line}", ended=now())
        raise


def refuse_or_restart(run: Run, parts: dict[str, Any]) -> None:
    """Continue an interrupted run only where nothing that can change its result has changed since.

    Raises:
        RunError: something has, and the run was named in `resume`; with resume=auto it is trained anew.
    """
    changed = ", ".join(fingerprint.differences(parts, run.record.values["fingerprint_parts"]))
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
        log.warning(note) if note.startswith(("leak", "one cluster")) else log.info(note)
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
    own_code.copy_code(own_code.own_modules(run.settings.plain), run.directory)
    write_seen_pairs(run.directory, run.tables.splits["train"], run.tables.splits.get("validation"))
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
        git=git_state(),
        device={"kind": run.machine.accelerator, "name": run.machine.name, "count": run.replicas},
        precision={"used": run.precision, "reason": precision_reason},
        data=run.data_summary(),
        working_dir=str(Path.cwd()),
        batches={"per_epoch": len(plan), "mean_pairs": plan.mean_pairs, "effective_pairs": effective},
        bad_rows=len(run.tables.bad_rows),
    )


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
    public = redacted({key: value for key, value in run.settings.plain.items() if key not in ("logger", "resume")})
    config = public | {"choices": run.record.values.get("choices") or {}}
    remembered = hooks.begin(loggers, hooks.RunInfo(who, config, identity.origin(run.record.values)))
    run.record.update(tracking=remembered)
