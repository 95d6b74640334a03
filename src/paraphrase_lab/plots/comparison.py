"""A comparison's picture: every difference with its intervals, around the line that means no difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from paraphrase_lab.metrics.binary import HIGHER_IS_BETTER
from paraphrase_lab.plots.style import BLUE, GREY, INK, VERMILION, page
from paraphrase_lab.statistics.verdict import IN_POINTS

LONGEST_NAME = 40


def plot_comparison(comparison: Mapping[str, Any], path: Path, *, metric: str | None = None) -> None:
    """Of `Comparison.to_dict()`, the differences in one metric, on the whole set and by slice; by default its first metric.

    A filled mark: one of the two is better, corrected for the number of comparisons.
    """
    metric = str(metric or comparison["metric"])
    rows = [one for one in comparison["differences"] if one["metric"] == metric]
    versus = list(dict.fromkeys((one["a"], one["b"]) for one in rows))
    rows.sort(key=lambda one: versus.index((one["a"], one["b"])))
    groups = [pair for pair in versus if len(versus) > 1]
    with page(path, 7.2, 1.7 + 0.32 * (len(rows) + len(groups))) as figure:
        axes = figure.subplots()
        labels = _draw(axes, rows, metric, with_names=bool(groups))
        axes.set_yticks(range(len(labels)), labels)
        for tick, label in zip(axes.get_yticklabels(), labels, strict=True):
            tick.set_fontweight("bold" if " - " in label else "normal")
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.axvline(0, color=INK, linewidth=1)
        _name_axes(axes, comparison, metric, versus)
        if rows:
            figure.legend(loc="outside lower left", ncols=2)
        else:
            axes.text(0.5, 0.5, "no differences", transform=axes.transAxes, ha="center", color=GREY)


def _draw(axes: Axes, rows: Sequence[Mapping[str, Any]], metric: str, *, with_names: bool) -> list[str]:
    """One line per difference; the texts beside them."""
    scale = 100 if metric in IN_POINTS else 1
    labels: list[str] = []
    shown: set[str] = set()
    above = None
    for one in rows:
        if with_names and (one["a"], one["b"]) != above:
            above = (one["a"], one["b"])
            labels.append(f"{_short(one['b'])} - {_short(one['a'])}")
        y = len(labels)
        labels.append(f"{one['slice']} ({one['pairs']:,})")
        _interval(axes, y, one["low"], one["high"], scale, BLUE, "-", "95 % over pairs", shown)
        if one["seeds_low"] is not None:
            _interval(axes, y + 0.22, one["seeds_low"], one["seeds_high"], scale, VERMILION, "--", "95 % over seeds", shown)
        filled = BLUE if one["better"] else "white"
        axes.plot(scale * one["difference"], y, "o", markersize=6, color=BLUE, markerfacecolor=filled, zorder=3)
    return labels


def _interval(
    axes: Axes, y: float, low: float, high: float, scale: int, colour: str, style: str, name: str, shown: set[str]
) -> None:
    label = None if name in shown else name
    shown.add(name)
    axes.plot(
        (scale * low, scale * high), (y, y), color=colour, linestyle=style, linewidth=2, label=label, solid_capstyle="butt"
    )


def _name_axes(axes: Axes, comparison: Mapping[str, Any], metric: str, versus: Sequence[tuple[str, str]]) -> None:
    which = "right" if HIGHER_IS_BETTER[metric] else "left"
    unit = "in points" if metric in IN_POINTS else f"in {metric}"
    names = f": {_short(versus[0][1])} - {_short(versus[0][0])}" if len(versus) == 1 else ""
    axes.set_title(f"Difference in {metric} on {comparison['pairs']:,} {comparison['split']} pairs{names}", wrap=True)
    axes.set_xlabel(f"difference {unit}; {which} of 0 the first one named is better (filled: with corrected p below 0.05)")


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
