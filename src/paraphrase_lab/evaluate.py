"""A finished run's model on its own data or on others, with the configuration the run was saved with."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from paraphrase_lab import build, evaluation
from paraphrase_lab.check import check_config, check_request
from paraphrase_lab.composition import Composer, Request
from paraphrase_lab.data.rows import write_bad_rows
from paraphrase_lab.data.tables import load_split
from paraphrase_lab.errors import ConfigError, RunError
from paraphrase_lab.export import TrainedModel, load_model
from paraphrase_lab.hardware import resolve_precision, this_machine
from paraphrase_lab.model.inference import best_device
from paraphrase_lab.runs import own_code
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.third_party import quiet_libraries

PART_OF_THE_WEIGHTS = ("model", "loss", "optimizer", "scheduler")


class Evaluation(NamedTuple):
    """What came out for one data set; `directory` holds metrics.json, predictions.parquet and plots/."""

    title: str
    directory: Path
    metrics: dict[str, float]
    floors: dict[str, dict[str, dict[str, float]]]
    notes: list[str]


def saved_config(run_dir: Path) -> DictConfig:
    """
    Raises:
        RunError: no run there, or one that broke off before its configuration was written.
    """
    RunRecord.read(run_dir)
    path = run_dir / "config.yaml"
    if not path.is_file():
        raise RunError(f"{run_dir} has no config.yaml: it broke off before training began")
    own_code.make_importable(run_dir)
    config = OmegaConf.load(path)
    assert isinstance(config, DictConfig)
    return config


def load_run(run_dir: Path) -> tuple[DictConfig, TrainedModel]:
    quiet_libraries()
    config = saved_config(run_dir)
    model = load_model(run_dir, lambda tokenizer, max_length: build.build_recipe(config).encoder(tokenizer, max_length))
    model.encoder.to(best_device())  # type: ignore[arg-type]
    return config, model


def with_overrides(saved: DictConfig, request: Request) -> DictConfig:
    """The run's configuration, changed: `data=pairs` replaces the whole node by today's, `data.max_length=64` one key.

    Raises:
        ConfigError: keys that are not there, groups that belong to the weights, values out of range.
    """
    with Composer(request) as composer:
        groups = [text for text in request.overrides if composer.chooses_files(composer.parse(text))]
        names = [composer.parse(text).key_or_group for text in groups]
        if fixed := [name for name in names if name in PART_OF_THE_WEIGHTS]:
            raise ConfigError([f"{name}=… cannot be changed: the run's weights belong to its own" for name in fixed])
        inside = [text for text in request.overrides if composer.parse(text).key_or_group.split(".")[0] in names]
        today = check_request(replace(request, overrides=tuple(inside))).jobs[0].config if names else None
        config = OmegaConf.merge(saved)
        assert isinstance(config, DictConfig)
        for name in names:
            assert today is not None
            if OmegaConf.is_missing(today, name) or name not in config:
                raise ConfigError(
                    [f"{name}=… is not a part of a run's configuration"], hint=f"valid: {', '.join(map(str, config))}"
                )
            config[name] = today[name]
        problems = [
            problem for text in request.overrides if text not in inside and (problem := _set(config, composer.parse(text)))
        ]
    findings = check_config(config) if not problems else None
    if problems or (findings and findings.problems):
        raise ConfigError(problems or findings.problems)  # type: ignore[union-attr]
    return config


def evaluate_run(
    run_dir: Path, config: DictConfig, model: TrainedModel, *, split: str | None = None, precision: str = "32"
) -> Evaluation:
    """
    Args:
        split: null for test, or for all pairs of a single file.
        precision: as trainer.precision; 32 is what the run itself reported.
    """
    machine = this_machine()
    used, _ = resolve_precision(precision, machine)
    name, tables = load_split(
        build.build_source(config),
        split,
        on_bad_rows=config.data.on_bad_rows,
        validation_fraction=config.data.validation_fraction,
        split_seed=config.data.split_seed,
        limit=config.data.evaluation_limit,
    )
    datamodule = build.build_datamodule(config, tables, model.tokenizer)
    answers = evaluation.answer(model.encoder, datamodule, name, used)
    metrics = evaluation.split_metrics(name, answers, model.calibration, build.build_metrics(config))
    floors = evaluation.split_floors({name: answers})
    fingerprint = tables.splits[name].fingerprint
    directory = run_dir / "evaluations" / f"{name}-{fingerprint[:8]}"
    directory.mkdir(parents=True, exist_ok=True)
    evaluation.write_predictions({name: answers}, model.calibration, directory / "predictions.parquet")
    evaluation.draw(name, answers, model.calibration, directory / "plots")
    notes = [*tables.notes, *datamodule.truncation_notes]
    if tables.bad_rows:
        write_bad_rows(directory / "bad_rows.csv", tables.bad_rows)
        notes.append(f"{len(tables.bad_rows):,} rows could not be used: see {directory / 'bad_rows.csv'}")
    report = {
        "metrics": metrics, "floors": floors, "calibration": model.calibration.to_dict(), "precision": used,
        "data": OmegaConf.to_container(config.data, resolve=False), "pairs": len(answers.table), "fingerprint": fingerprint,
    }  # fmt: skip
    (directory / "metrics.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    OmegaConf.save(config, directory / "config.yaml", resolve=False)
    return Evaluation(f"{run_dir}: {name} of {_data_name(config)}", directory, metrics, floors, notes)


def _data_name(config: DictConfig) -> str:
    """The data source, as in `Paws ../paws`."""
    return " ".join(str(part) for part in (config.data["_target_"].rpartition(".")[2], config.data.get("path")) if part)


def _set(config: DictConfig, override: Any) -> str | None:
    """Sets one key of the saved configuration; a sentence when that is not possible."""
    key = override.key_or_group
    parent, _, leaf = key.rpartition(".")
    try:
        node = OmegaConf.select(config, parent) if parent else config
        if not isinstance(node, DictConfig) or (leaf not in node and not override.is_add()):
            keys = [str(name) for name in node] if isinstance(node, DictConfig) else [str(name) for name in config]
            close = difflib.get_close_matches(leaf, keys, 1)
            return f"{key}: the run's configuration has no such key; " + (
                f"did you mean {parent + '.' if parent else ''}{close[0]}?" if close else f"valid: {', '.join(keys)}"
            )
        OmegaConf.update(config, key, override.value(), force_add=override.is_add())
    except OmegaConfBaseException as error:
        return f"{override.input_line}: {str(error).splitlines()[0]}"
    return None
