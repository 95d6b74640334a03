"""From a trained model and a data set to metrics beside their floors, predictions and plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from scipy.special import expit

from paraphrase_lab import plots
from paraphrase_lab.data.module import PairDataModule
from paraphrase_lab.data.tables import PairTable
from paraphrase_lab.metrics.binary import OwnMetric, binary_metrics, decide, floors
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.metrics.names import PREFIX, PROBE_HIGHER_IS_BETTER
from paraphrase_lab.metrics.symmetry import order_metrics, probe_metrics, probe_tables
from paraphrase_lab.model.inference import score


class Answers(NamedTuple):
    """margins: float64 [pairs], logit(paraphrase) - logit(different)."""

    table: PairTable
    margins: np.ndarray
    swapped: np.ndarray | None = None
    """The margins [pairs] of (sentence2, sentence1), where both orders were asked for."""
    probes: Mapping[str, np.ndarray] = MappingProxyType({})
    """Margins of pairs whose answer is known beforehand: see `symmetry.probe_tables`."""


def answer(
    encoder: Any, datamodule: PairDataModule, split: str, precision: str = "32-true", *, both_orders: bool = False
) -> Answers:
    """`both_orders`: the pairs are scored a second time with their sentences swapped, and probes too."""
    table = datamodule.tables.splits[split]

    def margins(loader: Any, pairs: int) -> np.ndarray:
        return score(encoder, loader, pairs, precision=precision)

    answers = Answers(table, margins(datamodule.evaluation_loader(split), len(table)))
    if not both_orders:
        return answers
    return answers._replace(
        swapped=margins(datamodule.swapped_loader(split), len(table)),
        probes={name: margins(datamodule.probe_loader(probe), len(probe)) for name, probe in probe_tables(table).items()},
    )


def split_metrics(
    split: str, answers: Answers, calibration: Calibration, own_metrics: Mapping[str, OwnMetric] | None = None
) -> dict[str, float]:
    """At the frozen threshold and temperature; names such as test/accuracy."""
    labels, probabilities = answers.table.labels, calibration.probabilities(answers.margins)
    values = binary_metrics(labels, probabilities, calibration.threshold)
    for name, metric in (own_metrics or {}).items():
        values[name] = float(metric(labels, probabilities, calibration.threshold))
    values |= _order_and_probes(answers, calibration)
    return {f"{PREFIX[split]}/{name}": value for name, value in values.items()}


def _order_and_probes(answers: Answers, calibration: Calibration) -> dict[str, float]:
    if answers.swapped is None:
        return {}
    swapped = calibration.probabilities(answers.swapped)
    probes = {name: calibration.probabilities(margins) for name, margins in answers.probes.items()}
    labels, probabilities = answers.table.labels, calibration.probabilities(answers.margins)
    return order_metrics(labels, probabilities, swapped, calibration.threshold) | probe_metrics(probes, calibration.threshold)


def split_floors(splits: Mapping[str, Answers]) -> dict[str, dict[str, dict[str, float]]]:
    return {PREFIX[split]: floors(answers.table.labels) for split, answers in splits.items()}


def write_predictions(splits: Mapping[str, Answers], calibration: Calibration, path: Path) -> None:
    parts = []
    for split, (table, margins, swapped, _) in splits.items():
        probabilities = calibration.probabilities(margins)
        columns = {
            "split": [split] * len(table),
            "id": table.ids,
            "sentence1": table.sentence1,
            "sentence2": table.sentence2,
            "label": table.labels.astype(np.int8),
            "margin": margins,
            "probability": probabilities,
            "prediction": decide(probabilities, calibration.threshold).astype(np.int8),
            "swapped_margin": pa.nulls(len(table), pa.float64()) if swapped is None else swapped,
        }
        parts.append(pa.table(columns))
    pq.write_table(pa.concat_tables(parts), path)


def draw(split: str, answers: Answers, calibration: Calibration, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    labels, probabilities = answers.table.labels, calibration.probabilities(answers.margins)
    predictions = decide(probabilities, calibration.threshold)
    plots.plot_confusion(labels, predictions, directory / f"{split}_confusion.png")
    plots.plot_precision_recall(labels, probabilities, calibration.threshold, directory / f"{split}_precision_recall.png")
    plots.plot_reliability(labels, expit(answers.margins), probabilities, directory / f"{split}_reliability.png")
    plots.plot_scores(labels, probabilities, calibration.threshold, directory / f"{split}_scores.png")


def print_metrics(
    console: Console, title: str, metrics: Mapping[str, float], floors_of: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> None:
    """One row per metric, one column per split, and the floors of the last one: always the majority class, always yes.

    What was found by swapping the sentences and by probes stands below a line of its own, without floors.
    """
    splits = list(floors_of)
    table = Table()
    table.add_column("metric", no_wrap=True)
    for split in splits:
        table.add_column(split, justify="right", style="bold", no_wrap=True)
    for floor in ("majority", "always yes"):
        table.add_column(floor, justify="right", style="dim", no_wrap=True)
    floors_shown = floors_of[splits[-1]]
    names = list(dict.fromkeys(name.partition("/")[2] for name in metrics))
    probes = [name for name in names if name in PROBE_HIGHER_IS_BETTER]
    for name in [name for name in names if name not in probes] + probes:
        if probes and name == probes[0]:
            table.add_section()
        values = [metrics.get(f"{split}/{name}") for split in splits]
        values += [floors_shown[floor].get(name) for floor in ("majority", "always_yes")]
        table.add_row(name, *("" if value is None or np.isnan(value) else f"{value:.4f}" for value in values))
    console.print(title, style="bold", soft_wrap=True, markup=False, highlight=False)
    console.print(table)
