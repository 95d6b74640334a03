"""A data set's pictures: lengths, label shares and word overlap of its splits."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from paraphrase_lab.plots.style import GREY, INK, NO, SERIES, YES, finish, page, percent, wrapped

NAME, TITLE = 18, 36
"""Characters of a line beside and above an axis."""
LENGTH_MARKERS = {"p50": "o", "p95": "D", "p99": "s", "max": "|"}


def plot_lengths(lengths: Mapping[str, np.ndarray], max_length: int, path: Path) -> None:
    """Draw the distribution of the tokens per pair (uncut, special tokens included) of every split."""
    known = {name: np.asarray(values) for name, values in lengths.items() if len(values)}
    everything = np.concatenate([*known.values()]) if known else np.array([max_length])
    shortest, longest = int(everything.min()), int(everything.max())
    width = max(1, round((longest - shortest) / 30))
    edges = np.arange(shortest, longest + 2 * width, width) - 0.5
    with page(path, 6.4, 3.8) as figure:
        axes = figure.subplots()
        for (name, values), (colour, style) in zip(known.items(), cycle(SERIES), strict=False):
            counts, _ = np.histogram(values, bins=edges)
            cut = int((values > max_length).sum())
            label = f"{name}: {len(values):,} pairs, median {np.median(values):.0f} tokens, {cut:,} cut"
            axes.stairs(counts / len(values), edges, color=colour, linestyle=style, linewidth=1.4, label=label)
        title = _mark_max_length(axes, max_length, longest)
        axes.set_ylim(bottom=0)
        percent(axes.yaxis)
        x, y = "tokens per pair, special tokens included", f"share of the split, per {width} token{'s'[: width > 1]}"
        finish(axes, title, x, y, legend="below")


def plot_data(report: Mapping[str, Any], path: Path) -> None:
    """Draw the report of `data.description.describe`: label share, lengths, and word overlap, one colour per split."""
    with page(path, 9.6, 6.4) as figure:
        (share, lengths), (bands, yes) = figure.subplots(2, 2)
        _plot_label_share(share, report["splits"])
        _plot_length_ranges(lengths, report["splits"], report["max_length"])
        slots = 0.8 / max(1, len(report["splits"]))
        coloured = zip(report["splits"].items(), cycle(SERIES), strict=False)
        for index, ((name, split), (colour, style)) in enumerate(coloured):
            slices = [*split["overlap"], split["same_bag"]]
            position = np.arange(len(slices)) + (index + 0.5) * slots - 0.4
            bands.bar(position, [one["share"] or 0.0 for one in slices], width=slots, color=colour, label=name)
            rates = [np.nan if one["positive_rate"] is None else one["positive_rate"] for one in slices]
            yes.plot(position[:-1], rates[:-1], color=colour, linestyle=style, linewidth=1.2)
            yes.plot(position, rates, "o", color=colour, markersize=5, label=name, clip_on=False)
        names = [one["band"] for split in report["splits"].values() for one in split["overlap"]]
        names = list(dict.fromkeys(names))
        for axes in (bands, yes):
            axes.set_xticks(range(len(names) + 1), [*names, "same bag\n(part of =1)"], fontsize=8)
            axes.set_xlim(-0.5, len(names) + 0.5)
            percent(axes.yaxis)
        yes.set_ylim(0, 1)
        x = "Jaccard overlap of the two sets of words"
        bands.set(xlabel=x, ylabel="share of the split")
        yes.set(xlabel=x, ylabel="share labelled paraphrase")
        bands.set_title("Pairs by word overlap")
        yes.set_title("Paraphrases by word overlap")
        if report["splits"]:  # below, where it hides no bar, whichever band the pairs are in
            figure.legend(*bands.get_legend_handles_labels(), loc="outside lower left", ncols=6)


def _plot_label_share(axes: Axes, splits: Mapping[str, Any]) -> None:
    for row, split in enumerate(splits.values()):
        left = 0.0
        for name, count, colour in (("yes", split["yes"], YES), ("no", split["pairs"] - split["yes"], NO)):
            share = count / max(1, split["pairs"])
            axes.barh(row, share, left=left, color=colour, height=0.6, alpha=1 if name == "yes" else 0.45)
            ink = "white" if name == "yes" else INK
            if share > 0.15:
                axes.text(left + share / 2, row, f"{name} {share:.1%}", ha="center", va="center", color=ink)
            left += share
    axes.set_yticks(range(len(splits)), [f"{wrapped(name, NAME)}\n{split['pairs']:,} pairs" for name, split in splits.items()])
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.grid(False)
    percent(axes.xaxis)
    axes.set_title("Is it a paraphrase?")
    axes.set_xlabel("share of the split")


def _plot_length_ranges(axes: Axes, splits: Mapping[str, Any], max_length: int | None) -> None:
    known = {name: split["lengths"] for name, split in splits.items()}
    longest = max((lengths["max"] for lengths in known.values() if lengths), default=0)
    for row, (lengths, (colour, _)) in enumerate(zip(known.values(), cycle(SERIES), strict=False)):
        if lengths:
            axes.plot((lengths["p50"], lengths["max"]), (row, row), color=colour, linewidth=1.2)
            for key, marker in LENGTH_MARKERS.items():
                axes.plot(lengths[key], row, marker, color=colour, markersize=6)
    if longest:
        for key, marker in LENGTH_MARKERS.items():
            axes.plot([], [], marker, color=GREY, label={"p50": "median", "p95": "95%", "p99": "99%"}.get(key, key))
    title = _mark_max_length(axes, max_length, longest)
    axes.set_yticks(range(len(known)), [wrapped(name, NAME) for name in known])
    axes.set_ylim(len(known) - 0.5, -1.0)
    finish(axes, wrapped(title, TITLE), "tokens per pair, special tokens included", "", legend="upper center")


def _mark_max_length(axes: Axes, max_length: int | None, longest: int) -> str:
    """Return the title of a plot of lengths, after a line at the limit where it is near enough to be seen."""
    if max_length is None:
        return "Length of the encoded pairs"
    if max_length <= 1.5 * longest:
        axes.axvline(max_length, color=INK, linewidth=1)
    return f"Length of the encoded pairs (max_length {max_length:,})"
