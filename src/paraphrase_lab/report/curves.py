"""Learning curves from metrics.csv, grouped by what the runs differ in."""

import csv
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from paraphrase_lab.report.blocks import Block, Figure, Figures, Mark, Text
from paraphrase_lab.report.material import Material
from paraphrase_lab.report.svg import SERIES, Drawing, Scale, frame, short
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.short import short_names, shown

WIDTH, HEIGHT = 400, 260
POINTS_AT_MOST = 120
KEYS_AT_MOST = 4
LOSS = "train/loss"
OTHERS = "other values"


class Curve(NamedTuple):
    run: str
    points: tuple[tuple[int, float], ...]
    """(optimiser step, value)."""


class CurveGroup(NamedTuple):
    name: str
    style: int
    """1 to SERIES; 0: without a colour of its own."""
    curves: tuple[Curve, ...]

    @property
    def mean(self) -> list[tuple[int, float]]:
        """The mean of the runs, at the steps that all of them have."""
        values = [dict(curve.points) for curve in self.curves]
        shared = set.intersection(*(set(of) for of in values)) if values else set()
        return [(step, statistics.fmean(of[step] for of in values)) for step in sorted(shared)]


def curves(material: Material) -> list[Block]:
    histories = {id(row): history for row in material.rows if (history := read_history(row))}
    rows = [row for row in material.rows if id(row) in histories]
    if not rows:
        return [Text("No run has a metrics.csv here.", note=True)]
    blocks: list[Block] = []
    monitored = f"val/{material.metrics[0]}"
    keys = material.swept[:KEYS_AT_MOST]
    names = short_names(keys, [key for row in rows for key in row.config])
    for key in keys or [None]:
        figures, legend = [], ()
        for name in (monitored, LOSS):
            groups = _grouped(rows, key, {of: history.get(name, ()) for of, history in histories.items()})
            if groups:
                figures.append(Figure(name, panel(groups, name)))
                start = f"{names[key]}=" if key else ""
                legend = tuple(Mark(f"s{group.style}", f"{start if group.style else ''}{group.name}") for group in groups)
        what = f"by {key}" if key else "one line per run"
        thick = "; the thick line is the mean of a group" if len(rows) > 1 else ""
        if figures:
            blocks.append(Figures(tuple(figures), legend, f"Learning curves {what}{thick}."))
    if len(material.swept) > KEYS_AT_MOST:
        blocks.append(Text(f"Drawn for the first {KEYS_AT_MOST} of {len(material.swept)} swept keys.", note=True))
    return blocks


def read_history(row: RunRow) -> dict[str, tuple[tuple[int, float], ...]]:
    """Map each logged name to its (step, value), without nan; empty for a run that is not on this machine."""
    path = row.path / "metrics.csv" if isinstance(row.path, Path) else None
    if path is None or not path.is_file():
        return {}
    found: dict[str, list[tuple[int, float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for values in csv.DictReader(line for line in file if line.endswith("\n")):  # a copy may end within a line
            for name, text in values.items():
                if name != "step" and text and math.isfinite(value := float(text)):
                    found.setdefault(name, []).append((int(values["step"]), value))
    return {name: tuple(points) for name, points in found.items()}


def _grouped(rows: Sequence[RunRow], key: str | None, points: dict[int, Sequence[tuple[int, float]]]) -> list[CurveGroup]:
    """Group the curves by the value of the key; of many values, the first ones get a style of their own."""
    groups: dict[str, list[Curve]] = {}
    for row in rows:
        if given := points[id(row)]:
            name, every = shown(row.config.get(key)) if key else row.name, math.ceil(len(given) / POINTS_AT_MOST)
            groups.setdefault(name, []).append(Curve(row.name, (*given[:-1:every], given[-1])))
    names = sorted(groups, key=_as_number)
    told = names if len(names) <= SERIES else names[: SERIES - 1]
    found = [CurveGroup(name, number, tuple(groups[name])) for number, name in enumerate(told, start=1)]
    rest = [curve for name in names[len(told) :] for curve in groups[name]]
    return [*found, *([CurveGroup(OTHERS, 0, tuple(rest))] if rest else [])]


def _as_number(name: str) -> tuple[float, str]:
    try:
        return float(name), name
    except ValueError:
        return math.inf, name


def panel(groups: Sequence[CurveGroup], name: str) -> Markup:
    every = [point for group in groups for curve in group.curves for point in curve.points]
    last = ", ".join(f"{group.name} {short(group.mean[-1][1])}" for group in groups if group.style and group.mean)
    drawing = Drawing(WIDTH, HEIGHT, f"{name} against optimiser steps; at the end {last}")
    x = Scale.around([0, *(step for step, _ in every)], 46, WIDTH - 12, margin=0)
    y = Scale.around([value for _, value in every], HEIGHT - 44, 26)
    frame(drawing, x, y, "optimiser step")
    for group in reversed(groups):  # the first one on top
        alone = len(group.curves) == 1 and group.style
        for curve in group.curves:
            end = f"{curve.run}: {name} {curve.points[-1][1]:.4f} at step {curve.points[-1][0]:,}"
            style = f"curve s{group.style}" + ("" if alone else " thin")
            drawing.path([(x(step), y(value)) for step, value in curve.points], style, tip=end)
        if group.style:
            _mean(drawing, group, name, x, y, alone=bool(alone))
    return drawing.markup()


def _mean(drawing: Drawing, group: CurveGroup, name: str, x: Scale, y: Scale, *, alone: bool) -> None:
    mean = group.mean
    if not alone and mean:
        drawing.path([(x(step), y(value)) for step, value in mean], f"curve s{group.style}", tip=f"{group.name}: mean")
    if len(mean) <= 24:
        for step, value in mean:
            drawing.marker(x(step), y(value), group.style, tip=f"{group.name}: {name} {value:.4f} at step {step:,}")
