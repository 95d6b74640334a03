"""The results of a suite: one row per data set, on the screen, in a file and as a picture."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from paraphrase_lab import plots
from paraphrase_lab.data.clusters import sentence_clusters
from paraphrase_lab.files import atomic_write
from paraphrase_lab.lifecycle.evaluation import ScoredSplit, print_floors
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.metrics.groups import OTHERS, GroupResult, group_results

SHOWN, NARROW = ("f1", "roc_auc", "ece", "flip_rate"), ("f1", "flip_rate")
WIDE = 100
"""Columns of a terminal that shows all of them."""


class SuiteRow(NamedTuple):
    """The result on one set; without pairs where `refused` says why there is none."""

    name: str
    result: GroupResult | None = None
    metrics: Mapping[str, float] = MappingProxyType({})
    baselines: Mapping[str, Mapping[str, float]] = MappingProxyType({})
    """What trivial models reach on the set, with the floors where they are known."""
    directory: Path | None = None
    refused: str = ""


def whole_split(scored: ScoredSplit, calibration: Calibration) -> GroupResult:
    """Return the result of all pairs, with an interval that knows of clusters of pairs that share a sentence."""
    table, probabilities = scored.table, calibration.probabilities(scored.margins)
    clusters, everything = sentence_clusters(table.sentence1, table.sentence2), [OTHERS] * len(table)
    return group_results(everything, table.labels, probabilities, calibration.threshold, clusters)[OTHERS]


def print_suite(console: Console, title: str, rows: Sequence[SuiteRow]) -> None:
    table, further = Table(), SHOWN if console.width >= WIDE else NARROW
    table.add_column("set", no_wrap=True)
    for name in ("pairs", "accuracy", "95% interval", "majority", *further):
        table.add_column(name, justify="right", no_wrap=True, style="bold" if name == "accuracy" else None)
    for row in rows:
        if (one := row.result) is None:
            table.add_row(row.name, "–")
            continue
        named = (
            f"{row.metrics[name]:.4f}" if name in row.metrics and np.isfinite(row.metrics[name]) else "–" for name in further
        )
        table.add_row(
            row.name, f"{one.pairs:,}", f"{one.accuracy:.4f}", f"{one.low:.3f}-{one.high:.3f}", f"{one.majority:.4f}", *named
        )
    console.print(title, style="bold", soft_wrap=True, markup=False, highlight=False)
    console.print(table, markup=False)
    for row in rows:
        print_floors(console, row.name, row.baselines)
        if row.refused:
            console.print(f"{row.name} was not scored: {row.refused}", style="yellow", markup=False, soft_wrap=True)


def write_suite(rows: Sequence[SuiteRow], directory: Path, title: str) -> None:
    """Write results.csv and results.png into the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    columns = ("pairs", "accuracy", "low", "high", "majority")
    with atomic_write(directory / "results.csv") as unfinished, unfinished.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["set", *columns, *SHOWN, "evaluation", "not scored because"])
        for row in rows:
            values = ["" if row.result is None else getattr(row.result, name) for name in columns]
            writer.writerow(
                [row.name, *values, *(row.metrics.get(name, "") for name in SHOWN), row.directory or "", row.refused]
            )
    if scored := {row.name: row.result for row in rows if row.result is not None}:
        plots.plot_groups(scored, directory / "results.png", title)
