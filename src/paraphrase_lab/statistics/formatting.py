"""Metrics, differences, intervals and p-values as text: the same in every table, page and picture."""

IN_POINTS = ("accuracy", "f1", "precision", "recall", "roc_auc", "average_precision")
"""Shown in points (hundredths): 1.2 points for 0.012."""


def factor(metric: str) -> float:
    """Return what a value is multiplied by to be shown; `metric` may have its split before it, as in test/accuracy."""
    return 100.0 if metric.rpartition("/")[2] in IN_POINTS else 1.0


def with_unit(metric: str) -> str:
    """Name the metric with its unit, as the head of a column: "test/accuracy, points"."""
    return f"{metric}, points" if factor(metric) > 1 else metric


def shown(metric: str, value: float, places: int | None = None) -> str:
    """Format a value with 2 decimals in points, or 4; zero has no sign."""
    text = f"{value * factor(metric):.{(2 if factor(metric) > 1 else 4) if places is None else places}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def signed(metric: str, difference: float) -> str:
    text = shown(metric, difference)
    return f"+{text}" if float(text) > 0 else text


def interval(metric: str, low: float, high: float) -> str:
    return f"{shown(metric, low)} to {shown(metric, high)}"


def half_width(metric: str, low: float, high: float) -> str:
    """Format an interval by half of its width, as in ± 1.20."""
    return f"± {shown(metric, (high - low) / 2)}"


def mean_and_spread(metric: str, mean: float, spread: float | None) -> str:
    """Format a mean with its standard deviation, or alone where there is one run."""
    return shown(metric, mean) + ("" if spread is None else f" ± {shown(metric, spread)}")


def p_value(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"
