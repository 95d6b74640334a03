"""From a trained model and a data set to metrics beside their floors, predictions and plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from scipy.special import expit

from paraphrase_lab import plots
from paraphrase_lab.calibration import Calibration
from paraphrase_lab.data.module import PairDataModule
from paraphrase_lab.data.tables import PairTable
from paraphrase_lab.metrics import binary_metrics, decide, floors
from paraphrase_lab.model.inference import score

PREFIX = {"validation": "val", "test": "test", "train": "train"}
OwnMetric = Callable[[np.ndarray, np.ndarray, float], float]


class Answers(NamedTuple):
    """margins: float64 [pairs], logit(paraphrase) - logit(different)."""

    table: PairTable
    margins: np.ndarray


def answer(encoder: Any, datamodule: PairDataModule, split: str, precision: str = "32-true") -> Answers:
    table = datamodule.tables.splits[split]
    return Answers(table, score(encoder, datamodule.evaluation_loader(split), len(table), precision=precision))


def split_metrics(
    split: str, answers: Answers, calibration: Calibration, own_metrics: Mapping[str, OwnMetric] | None = None
) -> dict[str, float]:
    """At the frozen threshold and temperature; names such as test/accuracy."""
    labels, probabilities = answers.table.labels, calibration.probabilities(answers.margins)
    values = binary_metrics(labels, probabilities, calibration.threshold)
    for name, metric in (own_metrics or {}).items():
        values[name] = float(metric(labels, probabilities, calibration.threshold))
    return {f"{PREFIX[split]}/{name}": value for name, value in values.items()}


def split_floors(splits: Mapping[str, Answers]) -> dict[str, dict[str, dict[str, float]]]:
    return {PREFIX[split]: floors(answers.table.labels) for split, answers in splits.items()}


def write_predictions(splits: Mapping[str, Answers], calibration: Calibration, path: Path) -> None:
    parts = []
    for split, (table, margins) in splits.items():
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
    """One row per metric, one column per split, and the floors of the last one: always the majority class, always yes."""
    splits = list(floors_of)
    table = Table()
    table.add_column("metric", no_wrap=True)
    for split in splits:
        table.add_column(split, justify="right", style="bold", no_wrap=True)
    for floor in ("majority", "always yes"):
        table.add_column(floor, justify="right", style="dim", no_wrap=True)
    floors_shown = floors_of[splits[-1]]
    for name in dict.fromkeys(name.partition("/")[2] for name in metrics):
        values = [metrics.get(f"{split}/{name}") for split in splits]
        values += [floors_shown[floor].get(name) for floor in ("majority", "always_yes")]
        table.add_row(name, *("" if value is None or np.isnan(value) else f"{value:.4f}" for value in values))
    console.print(title, style="bold", soft_wrap=True, markup=False, highlight=False)
    console.print(table)
