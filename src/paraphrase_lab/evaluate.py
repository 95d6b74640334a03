"""A finished run's model on its own data or on others, with the configuration the run was saved with."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf

from paraphrase_lab import build
from paraphrase_lab.check.saved_config import CHANGEABLE, CUTS, data_differences, same_files, same_pairs, saved_config
from paraphrase_lab.check.targets import target_problems
from paraphrase_lab.configuration.settings import plain_config
from paraphrase_lab.data.beyond_training import TRUNCATED, FlagCounts, beyond_training
from paraphrase_lab.data.checklist import SPLIT_NAMES, Checklist
from paraphrase_lab.data.known_input import KnownInput
from paraphrase_lab.data.labels import ZERO_ONE, contradicted_by, typed_labels
from paraphrase_lab.data.module import PairDataModule
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.data.rows import list_bad_rows
from paraphrase_lab.data.tables import first_pairs, load_split
from paraphrase_lab.errors import ConfigError, UserError
from paraphrase_lab.files import write_json
from paraphrase_lab.lifecycle import evaluation
from paraphrase_lab.lifecycle.seen import REFUSE, PairsToScore, changed_since_training, other_pairs, own_split
from paraphrase_lab.lifecycle.suite_table import whole_split
from paraphrase_lab.metrics.checklist_floor import checklist_floor
from paraphrase_lab.metrics.groups import GroupResult, as_record
from paraphrase_lab.metrics.names import FLOOR_NAMES, HISTORY, PREFIX
from paraphrase_lab.metrics.symmetry import absurd_probes
from paraphrase_lab.model.directory import MODEL_DIR
from paraphrase_lab.model.export import TrainedModel
from paraphrase_lab.model.starting_point import longest_input
from paraphrase_lab.runs.fingerprint import combine
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.runtime.hardware import resolve_precision, this_machine
from paraphrase_lab.storage import storage_fault

FEW_PAIRS = 20
"""The rates of the probes say nothing on fewer pairs."""


class Evaluation(NamedTuple):
    """The results on one data set; `directory` holds metrics.json, predictions.parquet and plots/."""

    title: str
    directory: Path
    metrics: dict[str, float]
    baselines: dict[str, dict[str, dict[str, float]]]
    notes: list[str]
    groups: dict[str, GroupResult]
    whole: GroupResult
    """All pairs as one group; its interval knows of clusters of pairs that share a sentence."""
    unwritten: str = ""
    """Says why the directory does not hold everything."""


def evaluate_run(
    run_dir: Path,
    config: DictConfig,
    model: TrainedModel,
    *,
    split: str | None = None,
    precision: str = "32",
    seen: str = REFUSE,
    places: Path | None = None,
    labels_are_typed: bool = False,
) -> Evaluation:
    """Score a data set with a run's model, and write what came out below the run, or below `places`.

    Args:
        split: null for test, or for all pairs of a single file.
        precision: as trainer.precision; 32 is what the run itself reported.
        seen: what becomes of other data's pairs that the run has trained on, or chosen its checkpoint on: REFUSE, DROP, or
            KEEP, which scores them under the name "seen_in_training" instead of that of a split.

        labels_are_typed: somebody has said what the labels of this data mean; else they mean what the run's own do.

    Raises:
        UserError: pairs that were seen, with REFUSE; labels that may mean the opposite; data that cannot be used.
    """
    _require_usable(config, model)
    used, _ = resolve_precision(precision, this_machine())
    chosen, own = _pairs(run_dir, config, split, seen, labels_are_typed)
    name = chosen.name
    datamodule = build.build_datamodule(config, chosen.tables, model.tokenizer)
    scored = evaluation.score_split(model, datamodule, name, used, both_orders=True)
    prefix = HISTORY if name == "validation" and not own else PREFIX[name]  # of other data, nothing was chosen on it
    metrics = evaluation.split_metrics(prefix, scored, model.calibration, build.build_metrics(config))
    groups, whole = evaluation.split_groups(scored, model.calibration), whole_split(scored, model.calibration)
    fingerprint = chosen.tables.splits[name].fingerprint
    floors = _known_floors(run_dir, name, fingerprint) | _checklist_floors(config, name, scored.table)
    baselines = evaluation.split_baselines({prefix: scored}, floors)
    key = combine({"pairs": fingerprint, "data": OmegaConf.to_container(config.data, resolve=True), "precision": used})
    directory = (places or run_dir / "evaluations") / f"{name}-{key[:8]}"
    notes = [*chosen.notes, *chosen.tables.notes, *datamodule.truncation_notes, *_beyond(run_dir, model, datamodule, name)]
    notes += absurd_probes(metrics).values() if len(scored.table) >= FEW_PAIRS else []
    report = {
        "run": str(run_dir.absolute()), "split": name, "metrics": metrics, "baselines": baselines,
        "groups": as_record(groups),
        "calibration": model.calibration.to_dict(), "precision": used,
        "data": OmegaConf.to_container(config.data, resolve=False), "pairs": len(scored.table), "fingerprint": fingerprint,
        "seen": chosen.seen, "notes": notes,
    }  # fmt: skip
    try:
        unwritten = ""
        directory.mkdir(parents=True, exist_ok=True)
        write_json(directory / "metrics.json", report)
        OmegaConf.save(config, directory / "config.yaml", resolve=False)
        if chosen.tables.bad_rows:
            notes.append(list_bad_rows(directory, chosen.tables.bad_rows))
        evaluation.write_predictions({name: scored}, model.calibration, directory / "predictions.parquet")
        evaluation.draw(name, scored, model.calibration, directory / "plots")
    except OSError as error:
        if not (unwritten := storage_fault(error, directory) or ""):
            raise
    data = " ".join(str(part) for part in (config.data["_target_"].rpartition(".")[2], config.data.get("path")) if part)
    title = f"{run_dir}: {name} of {data}"  # as in `test of Paws ../paws`
    return Evaluation(title, directory, metrics, baselines, notes, groups, whole, unwritten)


def _beyond(run_dir: Path, model: TrainedModel, datamodule: PairDataModule, name: str) -> list[str]:
    """Return a note where pairs of a split go beyond the training; of truncation the data module has one."""
    known, table, counts = KnownInput.read(run_dir / MODEL_DIR), datamodule.tables.splits[name], FlagCounts()
    pairs = list(zip(table.sentence1, table.sentence2, strict=True))
    counts.add(beyond_training(pairs, datamodule.encoded[name], known, model.tokenizer))
    return [counts.line()] if counts.kinds.keys() - {TRUNCATED} else []


def _known_floors(run_dir: Path, name: str, fingerprint: str) -> dict[str, dict[str, float]]:
    """Return the floors that the training has computed, for the very same pairs."""
    record = RunRecord.read(run_dir).values
    if ((record.get("data") or {}).get(name) or {}).get("fingerprint") != fingerprint:
        return {}
    baselines = (record.get("baselines") or {}).get(PREFIX[name]) or {}
    return {floor: baselines[floor] for floor in FLOOR_NAMES if floor in baselines}


def _checklist_floors(config: DictConfig, name: str, table: PairTable) -> dict[str, dict[str, float]]:
    if config.data["_target_"] != f"{Checklist.__module__}.{Checklist.__qualname__}" or name not in SPLIT_NAMES:
        return {}
    return {"counts": {"accuracy": checklist_floor(SPLIT_NAMES[name], table)}}


def _require_usable(config: DictConfig, model: TrainedModel) -> None:
    if problems := target_problems({name: plain_config(config)[name] for name in CHANGEABLE}):
        raise ConfigError(problems)
    longest = longest_input(model.encoder)
    if longest is not None and config.data.max_length > longest:
        raise UserError(f"data.max_length={config.data.max_length}, but the model takes {longest} tokens at most")


def _refuse_opposite_labels(labels: Mapping[str, int], found: Counter[str]) -> None:
    if not contradicted_by(labels, found):
        return
    kept, usual = typed_labels(labels), typed_labels(ZERO_ONE)
    counts = ", ".join(f"{label} ({count:,})" for label, count in found.most_common())
    raise UserError(
        f"the labels of these pairs are {counts} alone: by the run's own data.labels they would mean the opposite of the usual",
        hint=f"{kept} where they mean what they meant in the training, {usual} where 1 is a paraphrase",
    )


def _pairs(
    run_dir: Path, config: DictConfig, split: str | None, seen: str, labels_are_typed: bool
) -> tuple[PairsToScore, bool]:
    """Read the pairs to score; return them, and whether they are those of the training, unchanged."""
    saved = saved_config(run_dir)
    own, changed = same_pairs(saved, config), []
    limit = config.data.evaluation_limit
    source = build.build_source(config)
    name, tables = load_split(
        source,
        split,
        own=own,
        on_bad_rows=config.data.on_bad_rows,
        limit=None if own else limit,
        **{key: config.data[key] for key in CUTS},
    )
    if not own and not labels_are_typed:
        _refuse_opposite_labels(source.labels, tables.labels)
    if own:
        before = first_pairs(tables, name, saved.data.evaluation_limit).splits[name]
        changed = changed_since_training(run_dir, name, before.fingerprint)
        tables = first_pairs(tables, name, limit)
    notes = data_differences(saved, config)
    if own and not changed:
        chosen = own_split(run_dir, name, tables, seen)
        notes += same_files(saved, config, name)
    else:
        chosen = other_pairs(run_dir, saved, name, tables, seen, changed)
    return chosen._replace(notes=[*notes, *changed, *chosen.notes]), own and not changed
