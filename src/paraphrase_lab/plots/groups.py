"""A picture of the accuracy on each group of pairs, with its interval."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from paraphrase_lab.metrics.groups import GroupResult
from paraphrase_lab.plots.style import BLUE, GREY, VERMILION, page, percent, wrapped

LONGEST_NAME = 40


def plot_groups(results: Mapping[str, GroupResult], path: Path, title: str) -> None:
    """Draw one line per group, the best first: accuracy, 95 % interval and the accuracy of the more frequent label.

    A hollow mark: the interval does not exclude that accuracy. Groups of one label have no such line.
    """
    named = sorted(results.items(), key=lambda item: item[1].accuracy, reverse=True)
    accuracy, low, high, majority = (
        np.array([getattr(result, name) for _, result in named]) for name in ("accuracy", "low", "high", "majority")
    )
    rows = np.arange(len(named))
    with page(path, 7.2, 1.5 + 0.24 * len(named)) as figure:
        axes = figure.subplots()
        axes.hlines(rows, low, high, color=BLUE, alpha=0.35, linewidth=4, label="95% interval")
        axes.plot(accuracy, rows, "o", color=BLUE, markersize=5, label="accuracy", clip_on=False, zorder=3)
        both = majority < 1
        unclear = both & (low <= majority)
        hollow = {"color": BLUE, "markerfacecolor": "white", "markersize": 5, "clip_on": False, "zorder": 4}
        axes.plot(accuracy[unclear], rows[unclear], "o", **hollow, label="not clearly above it" if unclear.any() else None)
        axes.plot(majority[both], rows[both], "|", color=VERMILION, markersize=9, label="always the more frequent label")
        axes.set_yticks(rows, [f"{wrapped(name, LONGEST_NAME)}  ({result.pairs:,})" for name, result in named])
        for label in axes.get_yticklabels():
            label.set_parse_math(False)  # a group's name may hold dollars
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(named) - 0.4, -0.6)
        axes.set_xlim(0, 1.02)
        axes.grid(axis="y", visible=False)
        axes.set_title(title)
        percent(axes.xaxis)
        axes.set_xlabel("share of pairs answered right; in brackets the number of pairs", color=GREY)
        figure.legend(loc="outside lower left", ncols=4)
