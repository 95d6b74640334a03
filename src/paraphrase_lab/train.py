"""A run from configuration to record: prepare, fit (or continue an interrupted fit), finish."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from paraphrase_lab import build
from paraphrase_lab.configuration.settings import Settings, resolved
from paraphrase_lab.errors import UserError
from paraphrase_lab.lifecycle.diagnosis import non_finite_loss, out_of_memory
from paraphrase_lab.lifecycle.finish import finish
from paraphrase_lab.lifecycle.rerun import Origin
from paraphrase_lab.lifecycle.run import Run, fingerprint_parts, provenance
from paraphrase_lab.lifecycle.space import require_space, storage_faults
from paraphrase_lab.lifecycle.start import (
    begin_tracking,
    checkpoint_to_continue,
    note_data,
    open_record,
    recorded,
    refuse_or_restart,
    refuse_other_settings,
    tell_differences,
    write_run_header,
)  # fmt: skip
from paraphrase_lab.lifecycle.teacher import Teacher
from paraphrase_lab.model.module import NonFiniteLoss
from paraphrase_lab.paths import cache_dir
from paraphrase_lab.runs.record import RunRecord, Stopwatch
from paraphrase_lab.runs.seen_pairs import run_of_model, seen_by_earlier_run
from paraphrase_lab.runtime.distributed import is_main_process
from paraphrase_lab.runtime.hardware import cpu_threads, devices_used, resolve_precision, this_machine
from paraphrase_lab.runtime.third_party import quiet_libraries, without_known_warnings
from paraphrase_lab.tracking import hooks
from paraphrase_lab.training.averaging import averaged_at_the_end
from paraphrase_lab.training.checkpoints import BestCheckpoint, ResumeCheckpoint
from paraphrase_lab.training.stopping import StopRequest

log = logging.getLogger(__name__)


def train(config: DictConfig, directory: Path, *, searching: bool = False, origin: Origin | None = None) -> float | None:
    """Train a run, or continue the interrupted one in `directory`; return the best value of `monitor`.

    Args:
        config: as Hydra composed it, checked.
        searching: one trial of a search: test stays untouched and no weights are kept, unless the configuration says so.
        origin: the run that this one repeats.

    Raises:
        UserError: the data or the directory cannot be used.
        TrainingError: training broke down, or its files cannot be written any more.
        Interrupted: SIGTERM or Ctrl-C; the run can be resumed.
    """
    settings = resolved(config)
    record = open_record(directory, resume=settings.config.resume)
    if record.status == "finished":
        refuse_other_settings(record, settings)
        log.info("%s is finished already: nothing to do", directory)
        return record.values.get("best", {}).get("value")
    quiet_libraries()
    threads = cpu_threads(settings.config.trainer.cpu_threads)
    with StopRequest() as stop, recorded(record), storage_faults(directory), threads:
        run = prepare(settings, directory, record, searching=searching, origin=origin)
        loggers = build.build_loggers(settings.config, directory)
        with hooks.finish_trackers(loggers):
            trainer, best = fit(run, stop, loggers)
            if trainer.is_global_zero:
                stop.raise_if_requested()
                finish(run, trainer, best)
    return best.value


def prepare(settings: Settings, directory: Path, record: RunRecord, *, searching: bool, origin: Origin | None = None) -> Run:
    """Load and encode the data, and write what is known of the run before it trains."""
    config = settings.config
    watch = Stopwatch(record.values.get("seconds"))
    machine = this_machine(config.trainer.accelerator)
    precision, reason = resolve_precision(config.trainer.precision, machine)
    devices = devices_used(config.trainer.devices, machine)
    is_continued = "fingerprint_parts" in record.values
    if is_main_process() and not is_continued:
        record.start(seed=config.seed, **provenance(settings, directory, origin))
    log.info("%s on %s", reason, machine.name)
    pl.seed_everything(config.seed, workers=True, verbose=False)

    tables = build.build_tables(config)
    if "train" not in tables.splits:
        raise UserError("the data set has no train split", hint="`paraphrase evaluate RUN data=…` needs none")
    teacher = Teacher.of(config, directory)
    if (earlier := run_of_model(config.model.get("name"))) is not None:
        tables = seen_by_earlier_run(tables, earlier, "whose model training starts from")
    for one in teacher.runs if teacher is not None else ():
        tables = seen_by_earlier_run(tables, one, "whose answers training copies")
    note_data(tables, directory)
    watch.lap("data")
    tokenizer = build.build_tokenizer(build.build_recipe(config), tables)
    processes = devices * config.trainer.num_nodes
    margins: list[np.ndarray] = []
    if teacher is not None:
        margins = teacher.margins(config, tables.splits["train"], precision, machine.accelerator, cache_dir())
        watch.lap("teacher")
    datamodule = build.build_datamodule(config, tables, tokenizer, devices=processes, teacher=margins)
    watch.lap("encoding")

    run = Run(settings, directory, record, tables, datamodule, machine, precision, devices, searching, watch, origin, teacher)
    parts = fingerprint_parts(settings.plain, tables, machine, precision, teacher)
    if is_continued:
        refuse_or_restart(run, parts)  # by every process: another machine has a directory of its own
    if is_main_process():
        if is_continued:
            record.start(seed=config.seed, **provenance(settings, directory, origin))
        write_run_header(run, parts, reason)
        if origin is not None:
            tell_differences(origin.record, record)
    return run


def validate_the_end(trainer: pl.Trainer, module: pl.LightningModule, datamodule: Any, best: BestCheckpoint) -> None:
    """Validate what no validation has seen: the last steps of an epoch that was not finished, or weights averaged at the end.

    Averaged weights are kept even where a single checkpoint has a better value: that is what their callback was asked for.
    """
    single = best.value
    best.takes_next = averaged_at_the_end(trainer)
    if not best.takes_next and best.validated_step == trainer.global_step:
        return
    averaged = best.takes_next
    trainer.validate(module, datamodule=datamodule, verbose=False)
    if averaged:
        log.info("averaged weights are kept: %s %.4f; the best single checkpoint has %.4f", best.monitor, best.value, single)


def fit(run: Run, stop: StopRequest, loggers: list[Any]) -> tuple[pl.Trainer, BestCheckpoint]:
    """Train the model, from the last checkpoint where there is one.

    Raises:
        UserError: the disk has no room for a checkpoint.
        TrainingError: the loss is no longer finite, or the memory of the device does not suffice.
    """
    config, datamodule = run.config, run.datamodule
    encoder = build.build_recipe(config).encoder(datamodule.tokenizer, config.data.max_length)
    module = build.build_module(config, encoder, datamodule, run.precision)
    trainer = build.build_trainer(
        config, run.directory, stop, run.precision, loggers,
        devices=run.devices, local_batches=len(datamodule.plan) // run.replicas, searching=run.searching,
    )  # fmt: skip
    best = next(callback for callback in trainer.callbacks if isinstance(callback, BestCheckpoint))  # type: ignore[attr-defined]
    checkpoint = checkpoint_to_continue(run, trainer.loggers)
    if is_main_process():
        require_space(run, encoder, is_continued=checkpoint is not None)
    begin_tracking(run, loggers)
    try:
        with without_known_warnings():
            trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True)
            validate_the_end(trainer, module, datamodule, best)
    except NonFiniteLoss as error:
        raise non_finite_loss(error, run) from error
    except torch.OutOfMemoryError as error:
        can_checkpoint = getattr(encoder, "supports_gradient_checkpointing", True)  # MPNet of transformers 5 does not
        raise out_of_memory(error, run, trainer.global_step, knows_checkpointing=can_checkpoint) from error
    resumable = next(callback for callback in trainer.callbacks if isinstance(callback, ResumeCheckpoint))  # type: ignore[attr-defined]
    run.watch.lap("training", also=resumable.seconds_before)
    return trainer, best
