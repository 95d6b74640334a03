"""Pictures of a comparison: every difference with its intervals, around the line that means no difference.

And of a study where one number was varied: the metric over it, every seed's run and their mean.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator

from paraphrase_lab.metrics.names import HIGHER_IS_BETTER
from paraphrase_lab.plots.style import BLUE, GREY, INK, VERMILION, page, wrapped
from paraphrase_lab.statistics.comparison import Comparison, Difference
from paraphrase_lab.statistics.formatting import factor, with_unit

LONGEST_NAME = 60
LINE = 64
"""Characters that fit beside the names of the slices."""
CURVE_LINE = 48
WIDE = 8.0
"""From this ratio of the largest to the smallest number on, the axis is logarithmic."""


def plot_comparison(comparison: Comparison, path: Path) -> None:
    """Draw the differences in the comparison's first metric, on the whole set and by slice.

    A filled mark: one of the two is better, corrected for the number of comparisons.
    """
    metric = comparison.metric
    rows = [one for one in comparison.differences if one.metric == metric]
    versus = list(dict.fromkeys((one.a, one.b) for one in rows))
    rows.sort(key=lambda one: versus.index((one.a, one.b)))
    with_names = len(versus) > 1
    with page(path, 7.2, 1.7 + 0.32 * (len(rows) + len(versus) * with_names)) as figure:
        axes = figure.subplots()
        labels = _draw(axes, rows, with_names=with_names)
        axes.set_yticks(range(len(labels)), labels)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.axvline(0, color=INK, linewidth=1)
        title = f"Difference in {metric} on {comparison.pairs:,} {comparison.split} pairs"
        names = _versus(*versus[0]) if len(versus) == 1 else ""
        between = ": " if len(title) + len(names) < LINE else ":\n"
        axes.set_title(f"{title}{between}{names}" if names else title)
        side = "right" if HIGHER_IS_BETTER[metric] else "left"
        meaning = f"{with_unit(metric)}; {side} of 0 the first one named is better (filled: with corrected p below 0.05)"
        axes.set_xlabel(wrapped(meaning, LINE))
        if rows:
            figure.legend(loc="outside lower left", ncols=2)
        else:
            axes.text(0.5, 0.5, "no differences", transform=axes.transAxes, ha="center", color=GREY)


def _draw(axes: Axes, rows: Sequence[Difference], *, with_names: bool) -> list[str]:
    """Draw one line per difference and return the texts beside them."""
    labels: list[str] = []
    above = None
    for one in rows:
        if with_names and (one.a, one.b) != above:
            above = (one.a, one.b)
            heading = _versus(one.a, one.b)
            place = {"transform": axes.get_yaxis_transform(), "va": "center", "fontweight": "bold", "linespacing": 1.0}
            axes.text(0.01, len(labels), heading, zorder=4, bbox={"color": "white", "pad": 1.0}, **place)
            labels.append("")
        y, scale = len(labels), factor(one.metric)
        labels.append(f"{one.slice} ({one.pairs:,})")
        name = "95 % over pairs and seeds" if one.is_of_recipes else "95 % over pairs"
        _interval(axes, y, (scale * one.low, scale * one.high), BLUE, "-", name)
        parts = zip(one.parts, ((0.2, GREY, "pairs alone"), (0.34, VERMILION, "seeds alone")), strict=False)
        for (low, high), (below, colour, name) in parts if one.is_of_recipes else ():
            _interval(axes, y + below, (scale * low, scale * high), colour, "--", name)
        filled = BLUE if one.better else "white"
        axes.plot(scale * one.difference, y, "o", markersize=6, color=BLUE, markerfacecolor=filled, zorder=3)
    return labels


def _interval(axes: Axes, y: float, ends: tuple[float, float], colour: str, style: str, name: str) -> None:
    label = None if name in axes.get_legend_handles_labels()[1] else name
    axes.plot(ends, (y, y), color=colour, linestyle=style, linewidth=2, label=label, solid_capstyle="butt")


def _versus(a: str, b: str) -> str:
    """Return `b - a`, in two lines where one would be cut."""
    one_line = f"{_short(b)} - {_short(a)}"
    return one_line if len(one_line) <= LINE else f"{_short(b)}\n- {_short(a)}"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def plot_curve(values: Mapping[float, Sequence[float]], path: Path, *, key: str, metric: str, split: str) -> None:
    """Draw the metric over a number that was varied.

    Args:
        values: the runs' values of the metric, by the number that was varied.
    """
    numbers = sorted(values)
    scale = factor(metric)
    with page(path, 5.2, 3.4) as figure:
        axes = figure.subplots()
        for number in numbers:
            runs = [scale * value for value in values[number]]
            label = "one run" if number == numbers[0] else None
            axes.plot([number] * len(runs), runs, "o", color=GREY, markersize=4, label=label, zorder=3)
        means = [scale * sum(values[number]) / len(values[number]) for number in numbers]
        axes.plot(numbers, means, "-D", color=BLUE, markersize=5, label="mean of the seeds")
        if numbers[0] > 0 and numbers[-1] / numbers[0] >= WIDE:
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(numbers, [f"{number:,.10g}" for number in numbers])
        axes.set_title(wrapped(f"{metric} on {split} over {key}", CURVE_LINE))
        axes.set(xlabel=wrapped(key, CURVE_LINE), ylabel=with_unit(metric))
        figure.legend(loc="outside lower left", ncols=2)
