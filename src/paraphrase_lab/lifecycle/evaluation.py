"""Evaluation of one split with a trained model: metrics beside baselines, predictions.parquet and plots."""

from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from scipy.special import expit

from paraphrase_lab import plots
from paraphrase_lab.data.clusters import sentence_clusters
from paraphrase_lab.data.module import PairDataModule
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.files import atomic_directory, atomic_write
from paraphrase_lab.metrics.binary import OwnMetric, baselines, binary_metrics, decide, ece_if_calibrated
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.metrics.groups import GroupResult, group_results
from paraphrase_lab.metrics.names import (
    ECE_IF_CALIBRATED,
    FITTED,
    FITTED_NOTE,
    FLOOR_NAMES,
    NEED_BOTH_LABELS,
    PROBE_HIGHER_IS_BETTER,
)
from paraphrase_lab.metrics.symmetry import absurd_probes, order_metrics, probe_metrics, probe_tables
from paraphrase_lab.model.export import TrainedModel
from paraphrase_lab.model.inference import score
from paraphrase_lab.runtime.progress import shown_progress

UNDEFINED = "–"
"""Stands in a table for a metric that these pairs do not define."""


class ScoredSplit(NamedTuple):
    """The pairs of a split and a model's margins: float64 [pairs], logit(paraphrase) - logit(different)."""

    table: PairTable
    margins: np.ndarray
    swapped: np.ndarray | None = None
    """Margins [pairs] of (sentence2, sentence1), where both orders were scored."""
    probes: Mapping[str, np.ndarray] = MappingProxyType({})
    """Margins of pairs whose answer is known beforehand: see `symmetry.probe_tables`."""


def score_split(
    model: TrainedModel, datamodule: PairDataModule, split: str, precision: str = "32-true", *, both_orders: bool = False
) -> ScoredSplit:
    """Score every pair of a split; with `both_orders` also with its sentences swapped, and the probes."""
    table = datamodule.tables.splits[split]
    loaders = [(datamodule.evaluation_loader(split), len(table))]
    probes = probe_tables(table) if both_orders else {}
    if both_orders:
        loaders.append((datamodule.evaluation_loader(split, swapped=True), len(table)))
        loaders += [(datamodule.probe_loader(probe), len(probe)) for probe in probes.values()]
    done = 0
    with shown_progress(f"scoring {split}", sum(pairs for _, pairs in loaders)) as shown:

        def advance(pairs: int) -> None:
            nonlocal done
            done += pairs
            shown.update(done, f"{done:,} pairs")

        first, *others = (
            model.margins(score(model.encoder, loader, pairs, precision=precision, advance=advance))
            for loader, pairs in loaders
        )
    if not both_orders:
        return ScoredSplit(table, first)
    return ScoredSplit(table, first, others[0], dict(zip(probes, others[1:], strict=True)))


def split_metrics(
    prefix: str, scored: ScoredSplit, calibration: Calibration, own_metrics: Mapping[str, OwnMetric] | None = None
) -> dict[str, float]:
    """Return the metrics of a split with the frozen calibration; the prefix "test" gives names as test/accuracy."""
    labels, probabilities = scored.table.labels, calibration.probabilities(scored.margins)
    values = binary_metrics(labels, probabilities, calibration.threshold)
    values[ECE_IF_CALIBRATED] = ece_if_calibrated(probabilities)
    for name, metric in (own_metrics or {}).items():
        values[name] = float(metric(labels, probabilities, calibration.threshold))
    if scored.swapped is not None:
        values |= order_metrics(labels, probabilities, calibration.probabilities(scored.swapped), calibration.threshold)
        probes = {name: calibration.probabilities(margins) for name, margins in scored.probes.items()}
        values |= probe_metrics(probes, calibration.threshold)
    return {f"{prefix}/{name}": value for name, value in values.items()}


def split_baselines(
    splits: Mapping[str, ScoredSplit], floors_of_last: Mapping[str, Mapping[str, float]] = MappingProxyType({})
) -> dict[str, dict[str, dict[str, float]]]:
    """Return what the trivial models reach on each split; the floors of floors.py stand beside those of the last one."""
    found = {prefix: baselines(scored.table.labels) for prefix, scored in splits.items()}
    if found:
        list(found.values())[-1].update({name: dict(values) for name, values in floors_of_last.items()})
    return found


def source_metrics(
    prefix: str, scored: ScoredSplit, calibration: Calibration
) -> tuple[dict[str, float], dict[str, dict[str, dict[str, float]]]]:
    """Return the metrics of each source of a mixture, as test_paws/accuracy, and what the trivial models reach on each."""
    metrics, trivial, names = {}, {}, np.array([name or "" for name in scored.table.groups or []])
    for name in dict.fromkeys(names.tolist()):
        rows = names == name
        labels, probabilities = scored.table.labels[rows], calibration.probabilities(scored.margins[rows])
        values = binary_metrics(labels, probabilities, calibration.threshold)
        metrics |= {f"{prefix}_{name}/{metric}": value for metric, value in values.items()}
        trivial[f"{prefix}_{name}"] = baselines(labels)
    return metrics, trivial


def split_groups(scored: ScoredSplit, calibration: Calibration) -> dict[str, GroupResult]:
    """Return the results of each group of the split's pairs; empty where the data name no groups."""
    table, probabilities = scored.table, calibration.probabilities(scored.margins)
    if table.groups is None:
        return {}
    clusters = sentence_clusters(table.sentence1, table.sentence2)
    return group_results(table.groups, table.labels, probabilities, calibration.threshold, clusters)


def write_predictions(splits: Mapping[str, ScoredSplit], calibration: Calibration, path: Path) -> None:
    parts = []
    for split, (table, margins, swapped, _) in splits.items():
        probabilities = calibration.probabilities(margins)
        parts.append(pa.table({
            "split": [split] * len(table),
            "id": table.ids,
            "sentence1": table.sentence1,
            "sentence2": table.sentence2,
            "label": table.labels.astype(np.int8),
            "margin": margins,
            "probability": probabilities,
            "prediction": decide(probabilities, calibration.threshold).astype(np.int8),
            "swapped_margin": pa.nulls(len(table), pa.float64()) if swapped is None else swapped,
            "group": pa.array(table.groups or [None] * len(table), pa.string()),
        }))  # fmt: skip
    with atomic_write(path) as unfinished:
        pq.write_table(pa.concat_tables(parts), unfinished)


def draw(split: str, scored: ScoredSplit, calibration: Calibration, directory: Path) -> None:
    labels, probabilities = scored.table.labels, calibration.probabilities(scored.margins)
    predictions = decide(probabilities, calibration.threshold)
    with atomic_directory(directory) as unfinished:
        plots.plot_confusion(labels, predictions, unfinished / f"{split}_confusion.png")
        plots.plot_precision_recall(labels, probabilities, calibration.threshold, unfinished / f"{split}_precision_recall.png")
        plots.plot_reliability(labels, expit(scored.margins), probabilities, unfinished / f"{split}_reliability.png")
        plots.plot_scores(labels, probabilities, calibration.threshold, unfinished / f"{split}_scores.png")
        if len(groups := split_groups(scored, calibration)) > 1:
            plots.plot_groups(groups, unfinished / f"{split}_groups.png", f"Accuracy on {split}, group by group")


def print_metrics(
    console: Console, title: str, metrics: Mapping[str, float], baselines_of: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> None:
    """Print one row per metric, one column per split and one per baseline of the last split.

    Metrics of swapped sentences and of probes stand below a line, without baselines; an absurd rate has an exclamation mark.
    """
    splits = list(baselines_of)
    table = Table()
    table.add_column("metric", no_wrap=True)
    for split in splits:
        table.add_column(split, justify="right", style="bold", no_wrap=True)
    baselines_shown = baselines_of[splits[-1]]
    absurd = absurd_probes(metrics)
    for baseline in ("majority", "always positive"):
        table.add_column(baseline, justify="right", style="dim", no_wrap=True)
    names = list(dict.fromkeys(name.partition("/")[2] for name in metrics))
    probes = [name for name in names if name in PROBE_HIGHER_IS_BETTER]
    for name in [name for name in names if name not in probes] + probes:
        if probes and name == probes[0]:
            table.add_section()
        values = [metrics.get(f"{split}/{name}") for split in splits]
        values += [baselines_shown[baseline].get(name) for baseline in ("majority", "always_positive")]
        shown = ["" if value is None else UNDEFINED if np.isnan(value) else f"{value:.4f}" for value in values]
        marks = [" !" if f"{split}/{name}" in absurd else "" for split in splits]
        table.add_row(name, *(f"{value}{mark}" for value, mark in zip_longest(shown, marks, fillvalue="")))
    console.print(title, style="bold", soft_wrap=True, markup=False, highlight=False)
    console.print(table)
    print_floors(console, splits[-1], baselines_shown)
    if FITTED in splits:
        console.print(FITTED_NOTE, style="dim", markup=False, soft_wrap=True)
    for reason in undefined_reasons(metrics):
        console.print(reason, style="dim", soft_wrap=True, markup=False, highlight=False)


def print_floors(console: Console, split: str, baselines_of_split: Mapping[str, Mapping[str, float]]) -> None:
    reached = [
        f"{name.replace('_', ' ')} {baselines_of_split[name]['accuracy']:.4f}"
        for name in FLOOR_NAMES
        if name in baselines_of_split
    ]
    if reached:
        line = f"floors of {split}, accuracy: {', '.join(reached)}"
        console.print(line, style="dim", soft_wrap=True, markup=False, highlight=False)


def undefined_reasons(metrics: Mapping[str, float]) -> list[str]:
    """Return a sentence per split about its metrics that are nan."""
    found: dict[tuple[str, bool], list[str]] = {}
    for key, value in metrics.items():
        split, _, name = key.partition("/")
        if np.isnan(value):
            found.setdefault((split, name in NEED_BOTH_LABELS), []).append(name)
    needs = "undefined where all labels are the same"
    return [
        f"{UNDEFINED} {split}: {' and '.join(names)} {'are' if len(names) > 1 else 'is'} {needs if known else 'not a number'}"
        for (split, known), names in found.items()
    ]
