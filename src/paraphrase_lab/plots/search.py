"""A search's picture: the best value so far over the trials, and every trial's value over each parameter."""

import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from paraphrase_lab.plots.style import BLUE, GREY, VERMILION, page, wrapped
from paraphrase_lab.runs.trials import Trial, Trials

COLUMNS = 3
LINE = 26
"""Characters across a panel."""


def plot_search(trials: Trials, path: Path, monitor: str) -> None:
    """Draw a search of which at least one trial has finished."""
    finished = trials.finished
    keys = list(dict.fromkeys(key for trial in finished for key in trial.parameters))
    panels = 1 + len(keys)
    columns = min(panels, COLUMNS)
    rows = math.ceil(panels / columns)
    with page(path, 3.1 * columns + 0.4, 2.5 * rows + 0.3) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        _history(grid[0], trials, monitor)
        for axes, key in zip(grid[1:], keys, strict=False):
            _over(axes, key, trials, monitor)
        for axes in grid[panels:]:
            axes.set_visible(False)


def _history(axes: Axes, trials: Trials, monitor: str) -> None:
    better = max if trials.maximize else min
    numbers = [trial.number for trial in trials.finished]
    values = [trial.value for trial in trials.finished]
    best = [better(values[: end + 1]) for end in range(len(values))]
    axes.plot(numbers, values, "o", color=GREY, markersize=4, label="trial")
    axes.plot(numbers, best, "-", color=BLUE, drawstyle="steps-post", label="best so far")
    axes.plot(range(len(values)), trials.expected_best(), "--", color=VERMILION, label="expected of that many at random")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("over the trials")
    axes.set(xlabel="trial", ylabel=wrapped(monitor, LINE))
    axes.legend(loc="lower right" if trials.maximize else "upper right")


def _over(axes: Axes, key: str, trials: Trials, monitor: str) -> None:
    """Draw one point per trial, the best one in another colour."""
    better = max if trials.maximize else min
    tried = [trial for trial in trials.finished if key in trial.parameters]
    best = better(tried, key=lambda trial: trial.value)
    is_number = all(isinstance(trial.parameters[key], int | float) for trial in tried)
    options = list(dict.fromkeys(str(trial.parameters[key]) for trial in tried))

    def place(trial: Trial) -> float:
        value = trial.parameters[key]
        return float(value) if is_number else float(options.index(str(value)))

    axes.plot([place(trial) for trial in tried], [trial.value for trial in tried], "o", color=GREY, markersize=4)
    axes.plot(place(best), best.value, "D", color=VERMILION, markersize=6)
    if not is_number:
        # Beside each other long names would run into each other.
        turned = {"rotation": 30, "ha": "right"} if len("".join(options)) > LINE else {}
        axes.set_xticks(range(len(options)), [wrapped(option, LINE) for option in options], **turned)
    elif key in trials.logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(wrapped(f"over {key}", LINE))
    axes.set(xlabel=wrapped(key, LINE), ylabel=wrapped(monitor, LINE))
