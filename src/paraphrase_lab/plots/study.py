"""A study's picture where one number was varied: the metric over it, every seed's run and their mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.ticker import NullFormatter, NullLocator

from paraphrase_lab.plots.style import BLUE, GREY, page
from paraphrase_lab.statistics.formatting import factor, with_unit

WIDE = 8.0
"""From this ratio of the largest to the smallest number on, the axis is logarithmic."""


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
        axes.set_title(f"{metric} on {split} over {key}")
        axes.set(xlabel=key, ylabel=with_unit(metric))
        figure.legend(loc="outside lower left", ncols=2)
