"""A run from configuration to record: prepare, fit or go on with an interrupted fit, choose the best checkpoint."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from paraphrase_lab import build
from paraphrase_lab.check.values import plain_config
from paraphrase_lab.data.rows import write_bad_rows
from paraphrase_lab.data.tables import PairTables
from paraphrase_lab.errors import RunError, TrainingError, UserError
from paraphrase_lab.lifecycle.finish import finish
from paraphrase_lab.lifecycle.run import LAST_CHECKPOINT, Run, fingerprint_parts, made_with
from paraphrase_lab.model.memory import first_sentences, smaller_training_batches
from paraphrase_lab.model.module import NonFiniteLoss
from paraphrase_lab.runs import fingerprint, own_code
from paraphrase_lab.runs.record import RunRecord, Stopwatch, git_state, now
from paraphrase_lab.runtime.distributed import is_main_process
from paraphrase_lab.runtime.hardware import devices_used, resolve_precision, this_machine
from paraphrase_lab.runtime.third_party import quiet_libraries, without_known_warnings
from paraphrase_lab.tracking import following, identity
from paraphrase_lab.tracking.metrics_csv import MetricsCsv
from paraphrase_lab.training.checkpoints import BestCheckpoint, resumable_step
from paraphrase_lab.training.stopping import Interrupted, StopRequest

log = logging.getLogger(__name__)


def train(config: DictConfig, directory: Path, *, searching: bool = False) -> float | None:
    """Trains, or goes on with the interrupted run in `directory`; returns the best value of `monitor`.

    Args:
        searching: one trial of a search: test stays untouched and no weights are kept, unless the configuration says so.

    Raises:
        UserError: the data or the directory cannot be used.
        Interrupted: SIGTERM or Ctrl-C; the run can be resumed.
    """
    record = _open_record(config, directory)
    if record.status == "finished":
        log.info("%s is finished already: nothing to do", directory)
        return record.values.get("best", {}).get("value")
    quiet_libraries()
    with StopRequest() as stop, _recorded(record):
        run = _prepare(config, directory, record, searching)
        loggers = build.build_loggers(config, directory)
        with following.ended_truly(loggers):
            trainer, best = _fit(run, stop, loggers)
            if not trainer.is_global_zero:
                return best.value
            stop.raise_if_requested()
            finish(run, trainer, best)
    return best.value


def _open_record(config: DictConfig, directory: Path) -> RunRecord:
    if not (directory / "run.json").is_file():
        return RunRecord(directory, {"status": "new"})
    record = RunRecord.read(directory)
    if not is_main_process():
        return RunRecord(directory, {**record.values, "status": "new"})
    if record.status == "running":
        raise RunError(f"{directory} is being trained by another process", hint="wait for it, or stop it")
    if config.resume is None:
        raise RunError(
            f"{directory} holds a run already ({record.status})",
            hint="another hydra.run.dir, or resume=" + str(directory) + " to go on with it",
        )
    return record


@contextmanager
def _recorded(record: RunRecord) -> Iterator[None]:
    """However the run ends, the record says so."""
    try:
        yield
    except BaseException as error:
        if is_main_process() and record.is_ours and record.values.get("status") != "finished":
            interrupted = isinstance(error, Interrupted | KeyboardInterrupt)
            last_line = (str(error).strip().splitlines() or [""])[-1]
            record.update(
                status="interrupted" if interrupted else "failed", error=f"{type(error).__name__}: {last_line}", ended=now()
            )
        raise


def _prepare(config: DictConfig, directory: Path, record: RunRecord, searching: bool) -> Run:
    watch = Stopwatch(record.values.get("seconds"))
    machine = this_machine(config.trainer.accelerator)
    precision, reason = resolve_precision(config.trainer.precision, machine)
    going_on = "fingerprint_parts" in record.values
    if is_main_process() and not going_on:
        record.start(seed=config.seed, **made_with(config, directory))
    log.info("%s on %s", reason, machine.name)
    pl.seed_everything(config.seed, workers=True, verbose=False)
    tables = build.build_tables(config)
    if "train" not in tables.splits:
        raise UserError("the data set has no train split", hint="`paraphrase evaluate RUN data=…` needs none")
    _note_data(tables, directory)
    watch.lap("data")
    tokenizer = build.build_tokenizer(build.build_recipe(config), tables)
    devices = devices_used(config.trainer.devices, machine)
    datamodule = build.build_datamodule(config, tables, tokenizer, devices=devices * config.trainer.num_nodes)
    watch.lap("encoding")
    run = Run(config, directory, record, tables, datamodule, machine, precision, devices, searching, watch)
    parts = fingerprint_parts(config, tables, machine, precision)
    if going_on:
        _compare(run, parts)  # by every process: another machine has a directory of its own
    if is_main_process():
        if going_on:
            record.start(seed=config.seed, **made_with(config, directory))
        _write_beginnings(run, parts, reason)
    return run


def _compare(run: Run, parts: dict[str, Any]) -> None:
    """What was interrupted goes on only where nothing that matters has changed since."""
    changed = ", ".join(fingerprint.differences(parts, run.record.values["fingerprint_parts"]))
    if not changed:
        return
    if run.config.resume != "auto":
        raise RunError(
            f"{run.directory} cannot go on: since it was interrupted these changed: {changed}", hint="resume=null trains anew"
        )
    log.warning("%s starts anew: since it was interrupted these changed: %s", run.directory, changed)
    run.record.values["started_anew"] = run.record.values.get("started_anew", 0) + 1
    (run.directory / LAST_CHECKPOINT).unlink(missing_ok=True)


def _note_data(tables: PairTables, directory: Path) -> None:
    if not is_main_process():
        return
    for note in tables.notes:
        log.warning(note) if note.startswith("leak") else log.info(note)
    if tables.bad_rows:
        write_bad_rows(directory / "bad_rows.csv", tables.bad_rows)
        log.warning("%s rows could not be used: see %s", f"{len(tables.bad_rows):,}", directory / "bad_rows.csv")


def _write_beginnings(run: Run, parts: dict[str, Any], precision_reason: str) -> None:
    """config.yaml, the code a researcher brought along, and what run.json knows before training."""
    config, plan = run.config, run.datamodule.plan
    for stage in ("fit", "validate"):
        for profile in run.directory.glob(f"{stage}-profile*.txt"):
            profile.unlink()  # of the training that was interrupted
    for note in run.datamodule.truncation_notes:
        log.warning(note)
    OmegaConf.save(config, run.directory / "config.yaml", resolve=False)
    own_code.copy_code(own_code.own_modules(plain_config(config)), run.directory)
    effective = plan.mean_pairs * run.replicas * config.trainer.accumulate_grad_batches
    steps = max(1, len(plan) // (run.replicas * config.trainer.accumulate_grad_batches))
    log.info(
        "%s pairs in %s batches (%.1f %% real tokens); effective batch %.1f pairs = %.1f a batch x %d devices x %d accumulated"
        "; %s optimiser steps an epoch",
        f"{len(run.datamodule.train_dataset):,}", f"{len(plan):,}", 100 * plan.real_token_share(), effective, plan.mean_pairs,
        run.replicas, config.trainer.accumulate_grad_batches, f"{steps:,}",
    )  # fmt: skip
    run.record.update(
        fingerprint=fingerprint.combine(parts),
        fingerprint_parts=parts,
        versions=parts["libraries"],
        git=git_state(),
        device={"kind": run.machine.accelerator, "name": run.machine.name, "count": run.replicas},
        precision={"used": run.precision, "reason": precision_reason},
        data=run.data_summary(),
        batches={"per_epoch": len(plan), "mean_pairs": plan.mean_pairs, "effective_pairs": effective},
        bad_rows=len(run.tables.bad_rows),
    )


def _fit(run: Run, stop: StopRequest, loggers: list[Any]) -> tuple[pl.Trainer, BestCheckpoint]:
    config, datamodule = run.config, run.datamodule
    encoder = build.build_recipe(config).encoder(datamodule.tokenizer, config.data.max_length)
    module = build.build_module(config, encoder, datamodule, run.precision)
    trainer = build.build_trainer(
        config, run.directory, stop, run.precision, loggers,
        devices=run.devices, local_batches=len(datamodule.plan) // run.replicas,
    )  # fmt: skip
    best = next(callback for callback in trainer.callbacks if isinstance(callback, BestCheckpoint))  # type: ignore[attr-defined]
    checkpoint = _resume_from(run, trainer)
    _begin_following(run, loggers)
    try:
        with without_known_warnings():
            trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True)
            if best.validated_step != trainer.global_step:  # the last steps of a training that ended within an epoch
                trainer.validate(module, datamodule=datamodule, verbose=False)
    except NonFiniteLoss as error:
        raise _with_pairs(error, run) from error
    except torch.OutOfMemoryError as error:
        raise _with_less_memory(error, run, trainer.global_step) from error
    run.watch.lap("training")
    return trainer, best


def _resume_from(run: Run, trainer: pl.Trainer) -> Path | None:
    path = run.directory / LAST_CHECKPOINT
    csv_loggers = [logger for logger in trainer.loggers if isinstance(logger, MetricsCsv)]
    step = resumable_step(path)
    if step is None:
        for logger in csv_loggers:
            logger.path.unlink(missing_ok=True)  # of a run that was killed before its first checkpoint
        return None
    if is_main_process():
        log.info("going on after optimiser step %s of %s", f"{step:,}", run.directory)
        for logger in csv_loggers:
            logger.forget_after(step)
    return path


def _begin_following(run: Run, loggers: list[Any]) -> None:
    """After metrics.csv has been cut back to the checkpoint: it says what W&B has to have of an interrupted run."""
    if not is_main_process():
        return
    who = identity.identify(run.directory, run.record.values, searching=run.searching)
    config = identity.public_config(plain_config(run.config)) | {"choices": run.record.values.get("choices") or {}}
    remembered = following.begin(loggers, following.About(who, config, identity.origin(run.record.values)))
    run.record.update(tracking=remembered)


def _with_pairs(error: NonFiniteLoss, run: Run) -> TrainingError:
    table = run.tables.splits["train"]
    path = run.directory / "non_finite_loss.json"
    pairs = [{"id": table.ids[i], "sentence1": table.sentence1[i], "sentence2": table.sentence2[i]} for i in error.indices]
    path.write_text(json.dumps({"step": error.step, "pairs": pairs}, indent=2, ensure_ascii=False), encoding="utf-8")
    return TrainingError(
        f"{error}; the {len(pairs)} pairs since the last look are in {path}. A lower optimizer.lr usually helps"
    )


def _with_less_memory(error: torch.OutOfMemoryError, run: Run, step: int) -> TrainingError:
    config = run.config
    smaller = smaller_training_batches(
        batch_size=config.data.batch_size, batch_tokens=config.data.batch_tokens,
        accumulate_grad_batches=config.trainer.accumulate_grad_batches,
        gradient_checkpointing=config.model.gradient_checkpointing,
    )  # fmt: skip
    said = first_sentences(error)
    return TrainingError(f"{run.machine.name} ran out of memory after optimiser step {step:,} ({said}): {smaller}")
