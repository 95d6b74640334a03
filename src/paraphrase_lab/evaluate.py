"""A finished run's model on its own data or on others, with the configuration the run was saved with."""

import json
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf

from paraphrase_lab import build
from paraphrase_lab.check.saved_config import CHANGEABLE, saved_config
from paraphrase_lab.check.targets import target_problems
from paraphrase_lab.configuration.settings import plain_config
from paraphrase_lab.data.rows import write_bad_rows
from paraphrase_lab.data.tables import load_split
from paraphrase_lab.errors import ConfigError, RunError, UserError
from paraphrase_lab.lifecycle import evaluation
from paraphrase_lab.model.encoder import longest_input
from paraphrase_lab.model.export import TrainedModel, load_model
from paraphrase_lab.model.inference import best_device
from paraphrase_lab.runs.fingerprint import combine
from paraphrase_lab.runtime.hardware import resolve_precision, this_machine
from paraphrase_lab.runtime.third_party import quiet_libraries


class Evaluation(NamedTuple):
    """The results on one data set; `directory` holds metrics.json, predictions.parquet and plots/."""

    title: str
    directory: Path
    metrics: dict[str, float]
    baselines: dict[str, dict[str, dict[str, float]]]
    notes: list[str]


def load_run(run_dir: Path) -> tuple[DictConfig, TrainedModel]:
    """Load a run's configuration and its model.

    Raises:
        RunError: the run is not there, kept no model, or its own code is nowhere to be found.
    """
    quiet_libraries()
    config = saved_config(run_dir)
    if problems := target_problems({"model": plain_config(config)["model"]}):
        raise RunError(f"the model of {run_dir} cannot be built: {problems[0]}")
    model = load_model(run_dir, lambda tokenizer, max_length: build.build_recipe(config).encoder(tokenizer, max_length))
    model.encoder.to(best_device())  # type: ignore[arg-type]
    return config, model


def evaluate_run(
    run_dir: Path, config: DictConfig, model: TrainedModel, *, split: str | None = None, precision: str = "32"
) -> Evaluation:
    """Score a data set with a run's model, and write what came out below the run.

    Args:
        split: null for test, or for all pairs of a single file.
        precision: as trainer.precision; 32 is what the run itself reported.
    """
    if problems := target_problems({name: plain_config(config)[name] for name in CHANGEABLE}):
        raise ConfigError(problems)
    longest = longest_input(model.encoder)
    if longest is not None and config.data.max_length > longest:
        raise UserError(f"data.max_length={config.data.max_length}, but the model takes {longest} tokens at most")
    used, _ = resolve_precision(precision, this_machine())
    name, tables = load_split(
        build.build_source(config),
        split,
        on_bad_rows=config.data.on_bad_rows,
        validation_fraction=config.data.validation_fraction,
        split_seed=config.data.split_seed,
        limit=config.data.evaluation_limit,
    )
    datamodule = build.build_datamodule(config, tables, model.tokenizer)
    scored = evaluation.score_split(model.encoder, datamodule, name, used, both_orders=True)
    metrics = evaluation.split_metrics(name, scored, model.calibration, build.build_metrics(config))
    baselines = evaluation.split_baselines({name: scored})
    fingerprint = tables.splits[name].fingerprint
    key = combine({"pairs": fingerprint, "data": OmegaConf.to_container(config.data, resolve=True), "precision": used})
    directory = run_dir / "evaluations" / f"{name}-{key[:8]}"
    directory.mkdir(parents=True, exist_ok=True)
    evaluation.write_predictions({name: scored}, model.calibration, directory / "predictions.parquet")
    evaluation.draw(name, scored, model.calibration, directory / "plots")
    notes = [*tables.notes, *datamodule.truncation_notes]
    if tables.bad_rows:
        write_bad_rows(directory / "bad_rows.csv", tables.bad_rows)
        notes.append(f"{len(tables.bad_rows):,} rows could not be used: see {directory / 'bad_rows.csv'}")
    report = {
        "split": name, "metrics": metrics, "baselines": baselines, "calibration": model.calibration.to_dict(),
        "precision": used, "data": OmegaConf.to_container(config.data, resolve=False), "pairs": len(scored.table),
        "fingerprint": fingerprint,
    }  # fmt: skip
    (directory / "metrics.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    OmegaConf.save(config, directory / "config.yaml", resolve=False)
    data = " ".join(str(part) for part in (config.data["_target_"].rpartition(".")[2], config.data.get("path")) if part)
    return Evaluation(f"{run_dir}: {name} of {data}", directory, metrics, baselines, notes)  # as in `test of Paws ../paws`
