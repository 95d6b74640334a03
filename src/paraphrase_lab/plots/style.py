"""The style of the pictures: small files, drawn without a display and without pyplot's global state.

Colours are Okabe and Ito's, which people with any kind of colour vision tell apart; lines differ in style as well.
"""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from paraphrase_lab.plots.formats import picture_format

BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
GREY, INK = "#767676", "#262626"
YES, NO = BLUE, ORANGE
SERIES = ((BLUE, "-"), (VERMILION, "--"), (GREEN, "-."), (PURPLE, ":"), (SKY, "-"), (ORANGE, "--"))
LegendPlace = Literal["upper left", "upper right", "upper center", "lower left", "below"]
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY,
    "axes.labelcolor": INK, "axes.grid": True, "axes.axisbelow": True, "grid.color": "#E8E8E8", "grid.linewidth": 0.6,
    "text.color": INK, "xtick.color": INK, "ytick.color": INK,
    "legend.frameon": False, "legend.fontsize": 8, "lines.linewidth": 1.6, "savefig.dpi": 130,
    "svg.fonttype": "none", "svg.hashsalt": "paraphrase", "pdf.fonttype": 42,  # text stays text
}  # fmt: skip


@contextmanager
def page(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure (inches), written to the path when the block ends, in the format of its ending."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
        yield figure
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = picture_format(path)
        # Without a date, the same picture is the same file.
        extra = {"png": {"pil_kwargs": {"optimize": True}}, "pdf": {"metadata": {"CreationDate": None}}}
        figure.savefig(path, format=kind, **extra.get(kind, {"metadata": {"Date": None}}))


def wrapped(text: str, room: int) -> str:
    """Return the text in lines of at most that many characters, also where a word is longer."""
    return "\n".join(textwrap.wrap(text, room, break_on_hyphens=False)) or text


def percent(*axes: Any) -> None:
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, decimals=0))


def log_counts(axes: Axes) -> None:
    """Make the axis of counts logarithmic, and show 0."""
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def finish(axes: Axes, title: str, x: str, y: str, *, legend: LegendPlace) -> None:
    """Put the legend in a fixed place: matplotlib's search for the best one is slow, and warns, on long curves."""
    axes.set_title(title)
    axes.set(xlabel=x, ylabel=y)
    if not axes.get_legend_handles_labels()[1]:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", color=GREY)
    elif legend == "below":
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.18), borderaxespad=0)
    else:
        axes.legend(loc=legend, ncols=4 if legend == "upper center" else 1)
