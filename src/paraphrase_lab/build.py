"""Builds objects from a checked configuration: the one place that calls `instantiate`.

Each function imports what it builds from: data and a model's answers need neither Lightning nor the training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from paraphrase_lab.check.targets import INJECTED, RUN_DIR_LOGGERS
from paraphrase_lab.data.mixture import Source
from paraphrase_lab.data.pair_table import PairTables
from paraphrase_lab.data.tables import READING_ARGUMENTS, PairSource, load_tables
from paraphrase_lab.errors import ConfigError, TrainingError, UserError
from paraphrase_lab.metrics.names import higher_is_better
from paraphrase_lab.paths import cache_dir

if TYPE_CHECKING:
    import numpy as np
    import pytorch_lightning as pl
    from pytorch_lightning.callbacks import Callback
    from pytorch_lightning.profilers import Profiler
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from paraphrase_lab.data.module import PairDataModule
    from paraphrase_lab.model.encoder import EncoderRecipe
    from paraphrase_lab.model.module import PairClassifier
    from paraphrase_lab.training.stopping import StopRequest


def build_object(node: Mapping[str, Any], **arguments: Any) -> Any:
    """Return the object of a node with `_target_`; arguments beside those of the node come from the framework."""
    try:
        return instantiate(node, _convert_="all", **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError | TrainingError):
            raise error.__cause__ from None
        raise ConfigError([str(error).replace("\n", "; ")]) from error


def own_arguments(group: str, node: DictConfig) -> dict[str, Any]:
    """Return what a data or model node holds for its `_target_`: the keys that not every node of the group has."""
    shared = INJECTED[group].not_passed - {"_target_"}
    plain = OmegaConf.to_container(node, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key not in shared}


def build_source(config: DictConfig) -> PairSource:
    return _source(config.data)


def _source(data: DictConfig) -> PairSource:
    arguments = own_arguments("data", data)
    if isinstance(sources := arguments.get("sources"), dict):  # a mixture: Hydra would build them with keys they do not take
        parts = {name: Source(_source(data.sources[name]), _reading(data.sources[name])) for name in sources}
        return build_object({name: value for name, value in arguments.items() if name != "sources"}, sources=parts)
    return build_object(arguments)


def _reading(data: DictConfig) -> dict[str, Any]:
    return {name: data[name] for name in READING_ARGUMENTS}


def build_tables(config: DictConfig) -> PairTables:
    return load_tables(build_source(config), **_reading(config.data))


def build_recipe(config: DictConfig) -> EncoderRecipe:
    return build_object(own_arguments("model", config.model))


def build_tokenizer(recipe: EncoderRecipe, tables: PairTables) -> PreTrainedTokenizerBase:
    train = tables.splits.get("train") or next(iter(tables.splits.values()))
    return recipe.tokenizer(sentence for pair in zip(train.sentence1, train.sentence2, strict=True) for sentence in pair)


def order_mode(config: DictConfig) -> str:
    """Return in which orders training pairs are trained: "none" (as they are), "augment" or "paired" (in both)."""
    return "augment" if config.model.swap_augmentation else "paired" if config.model.consistency_weight > 0 else "none"


def build_datamodule(
    config: DictConfig,
    tables: PairTables,
    tokenizer: PreTrainedTokenizerBase,
    *,
    devices: int = 1,
    teacher: Sequence[np.ndarray] = (),
) -> PairDataModule:
    from paraphrase_lab.data.module import PairDataModule

    return PairDataModule(
        tables,
        tokenizer,
        max_length=config.data.max_length,
        batch_size=config.data.batch_size,
        batch_tokens=config.data.batch_tokens,
        evaluation_batch_tokens=config.data.evaluation_batch_tokens,
        seed=config.seed,
        swap=order_mode(config),
        on_truncation=config.data.on_truncation,
        batches_multiple_of=devices * config.trainer.accumulate_grad_batches,
        clusters_together=config.data.clusters_together,
        num_workers=config.data.num_workers,
        cache=cache_dir(),
        max_length_of_group={str(name): source.max_length for name, source in (config.data.get("sources") or {}).items()},
        teacher=teacher,
    )


def build_module(config: DictConfig, encoder: PreTrainedModel, datamodule: PairDataModule, precision: str) -> PairClassifier:
    from paraphrase_lab.model.losses import Distillation
    from paraphrase_lab.model.module import PairClassifier

    if config.model.gradient_checkpointing:
        _compute_activations_twice(encoder)
    return PairClassifier(
        encoder,
        build_object(config.loss),
        build_object(config.optimizer),
        build_object(config.scheduler),
        mean_pairs=datamodule.plan.mean_pairs,
        layer_decay=config.model.layer_decay,
        consistency_weight=config.model.consistency_weight,
        distillation=Distillation(config.distil.weight, config.distil.temperature) if config.distil.teacher else None,
        # With a gradient scaler torch's fused step unscales by itself, and Lightning refuses to clip then.
        fused_optimizer=precision != "16-mixed",
        own_metrics=build_metrics(config),
        validation_groups=datamodule.tables.splits["validation"].groups if "sources" in config.data else None,
    )


def _compute_activations_twice(encoder: PreTrainedModel) -> None:
    """Raise UserError where the architecture only knows how to keep them."""
    if not getattr(encoder, "supports_gradient_checkpointing", True):
        raise UserError(
            f"model.gradient_checkpointing=true: {type(encoder).__name__} of transformers does not support it",
            hint="model.gradient_checkpointing=false; smaller batches with trainer.accumulate_grad_batches save memory, too",
        )
    if hasattr(encoder, "activation_checkpointing_enable"):  # newer releases of transformers 5 warn of the old name
        encoder.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    else:
        encoder.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def build_metrics(config: DictConfig) -> dict[str, Any]:
    return {str(name): build_object({**node, "_partial_": True}) for name, node in config.metrics.items()}


def build_callbacks(config: DictConfig, run_dir: Path, stop: StopRequest, *, searching: bool = False) -> list[Callback]:
    from paraphrase_lab.training.callbacks import ProgressLines, TrainingLog, TrainingProgress
    from paraphrase_lab.training.checkpoints import BestCheckpoint, RandomState, ResumeCheckpoint
    from paraphrase_lab.training.search_report import SearchReport

    checkpoints = run_dir / "checkpoints"
    mode = "max" if higher_is_better(config.monitor, config.monitor_mode) else "min"
    best = BestCheckpoint(checkpoints, config.monitor, mode)
    callbacks: list[Callback] = [RandomState(config.seed), TrainingLog(config.trainer.log_every_steps)]
    callbacks += [build_object(node) for node in config.callbacks.values() if node is not None]
    if config.trainer.progress:
        callbacks += [ProgressLines(best), TrainingProgress(config.monitor)]
    callbacks += [SearchReport(config.monitor)] if searching else []
    # The resume checkpoint comes last: it holds the state of all the others.
    return [*callbacks, best, ResumeCheckpoint(checkpoints, config.trainer.checkpoint_every_steps, stop)]


def build_loggers(config: DictConfig, run_dir: Path) -> list[Any]:
    """Build the loggers; our own are told where the run lies."""
    return [
        build_object(node, **({"run_dir": run_dir} if node["_target_"] in RUN_DIR_LOGGERS else {}))
        for node in config.logger.values()
        if node
    ]


def build_trainer(
    config: DictConfig,
    run_dir: Path,
    stop: StopRequest,
    precision: str,
    loggers: Sequence[Any],
    *,
    devices: int,
    local_batches: int,
    searching: bool = False,
) -> pl.Trainer:
    """Build Lightning's trainer from the keys of `trainer`.

    Args:
        local_batches: of one epoch on one device; a multiple of the accumulated ones.
        searching: it is a trial of a search, which is told each validation.
    """
    import pytorch_lightning as pl

    settings = config.trainer
    steps = max(1, local_batches // settings.accumulate_grad_batches)
    steps_between_validations = max(1, round(steps * settings.val_check_interval))
    return pl.Trainer(
        accelerator=settings.accelerator,
        devices=devices,
        num_nodes=settings.num_nodes,
        strategy=settings.strategy,
        precision=precision,  # type: ignore[arg-type]
        max_epochs=settings.max_epochs,
        max_steps=settings.max_steps,
        accumulate_grad_batches=settings.accumulate_grad_batches,
        gradient_clip_val=settings.gradient_clip_val,
        # In batches, at the end of an optimiser step: a validation in mid-accumulation could not be resumed from.
        val_check_interval=min(local_batches, steps_between_validations * settings.accumulate_grad_batches),
        log_every_n_steps=1,  # TrainingLog decides
        callbacks=build_callbacks(config, run_dir, stop, searching=searching),
        logger=list(loggers) or False,
        deterministic=settings.deterministic or None,
        profiler=_profiler(settings.profiler, run_dir),
        enable_progress_bar=False,  # TrainingProgress shows the whole training
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=run_dir,
    )


def _profiler(choice: str | None, run_dir: Path) -> Profiler | None:
    """Build the writer of fit-profile.txt: the log, where Lightning would put it, is the project's own."""
    from pytorch_lightning.profilers import AdvancedProfiler, SimpleProfiler

    kinds: dict[str, type[SimpleProfiler | AdvancedProfiler]] = {"simple": SimpleProfiler, "advanced": AdvancedProfiler}
    return kinds[choice](dirpath=run_dir, filename="profile") if choice else None
