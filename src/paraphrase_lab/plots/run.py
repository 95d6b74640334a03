"""A run's pictures: its training, and how its answers compare with the labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, precision_recall_curve

from paraphrase_lab.metrics.binary import decide, expected_calibration_error, reliability_bins
from paraphrase_lab.plots.style import BLUE, GREY, INK, NO, SERIES, SKY, VERMILION, YES, finish, log_counts, page, percent

FEW_PAIRS = 10
"""A bin of the reliability diagram with fewer pairs is drawn hollow: its share says little."""


def plot_training(rows: Sequence[Mapping[str, float | str]], path: Path, *, majority_accuracy: float | None = None) -> None:
    """Draw loss, validation accuracy and F1 by step, from the rows of metrics.csv; an empty cell is no value.

    `majority_accuracy` in 0-1 draws the accuracy of always giving the more frequent answer.
    """
    with page(path, 9.0, 4.2) as figure:
        loss, score = figure.subplots(1, 2, sharex=True)
        _plot_losses(loss, rows)
        for name, column, (colour, style) in zip(("accuracy", "F1"), ("val/accuracy", "val/f1"), SERIES, strict=False):
            steps, values = _series(rows, column)
            if steps.size:
                best = int(np.argmax(values))
                label = f"{name}, best {values[best]:.1%} at step {steps[best]:,.0f}"
                score.plot(steps, values, color=colour, linestyle=style, marker="o", markersize=3, label=label)
        if majority_accuracy is not None:
            label = f"always the more frequent answer: accuracy {majority_accuracy:.1%}"
            score.axhline(majority_accuracy, color=GREY, linestyle=":", linewidth=1, label=label)
        percent(score.yaxis)
        finish(score, "Accuracy and F1 on validation", "optimiser step", "", legend="below")
        score.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        score.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        score.set_xlim(left=0)


def _plot_losses(axes: Axes, rows: Sequence[Mapping[str, float | str]]) -> None:
    steps, values = _series(rows, "train/loss")
    if steps.size:
        width = max(1, steps.size // 25)
        axes.plot(steps, values, color=SKY, linewidth=0.6, alpha=0.7)
        # Centred moving mean, over fewer values at the ends.
        means = np.convolve(values, np.ones(width), "same") / np.convolve(np.ones_like(values), np.ones(width), "same")
        axes.plot(steps, means, color=BLUE, label=f"train/loss, mean of {width} logged values")
    steps, values = _series(rows, "val/nll")
    if steps.size:
        best = int(np.argmin(values))
        label = f"val/nll, lowest {values[best]:.3f} at step {steps[best]:,.0f}"
        axes.plot(steps, values, color=VERMILION, linestyle="--", marker="o", markersize=3, label=label)
    axes.axhline(np.log(2), color=GREY, linestyle=":", linewidth=1, label="50 : 50 for every pair (ln 2)")
    axes.set_ylim(bottom=0)
    finish(axes, "Loss", "optimiser step", "nats per pair", legend="below")


def _series(rows: Sequence[Mapping[str, float | str]], column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return steps and values of the cells that hold a finite number, in the order of the rows."""
    cells = [(row.get("step", ""), row.get(column, "")) for row in rows]
    points = np.array([cell for cell in cells if "" not in cell and None not in cell], dtype=np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    return points[:, 0], points[:, 1]


def plot_confusion(labels: np.ndarray, predictions: np.ndarray, path: Path) -> None:
    """Draw the counts of each label (row) by answer (column), with the share of the row."""
    labels, predictions = np.asarray(labels, dtype=np.int64), np.asarray(predictions, dtype=np.int64)
    counts = np.bincount(2 * labels + predictions, minlength=4).reshape(2, 2)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals[:, None], 1)
    with page(path, 5.2, 3.6) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
        for (row, column), count in np.ndenumerate(counts):
            share = shares[row, column]
            colour = "white" if share > 0.6 else INK
            axes.text(column, row - 0.06, f"{count:,}", ha="center", va="center", color=colour, fontsize=16)
            axes.text(column, row + 0.2, f"{share:.1%} of the row", ha="center", va="center", color=colour, fontsize=8)
        axes.set_xticks((0, 1), ("answered\nnot a paraphrase", "answered\nparaphrase"))
        names = ("not a paraphrase", "paraphrase")
        axes.set_yticks((0, 1), [f"labelled\n{name}\n{n:,} pairs" for name, n in zip(names, totals, strict=True)])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.grid(False)
        axes.set_title(f"Confusion matrix: {np.mean(labels == predictions):.1%} of {labels.size:,} pairs right")


def plot_precision_recall(labels: np.ndarray, probabilities: np.ndarray, threshold: float, path: Path) -> None:
    """Draw precision over recall of the positive class, the threshold's point, and the positive rate as the baseline."""
    labels = np.asarray(labels, dtype=np.int64)
    base_rate, predictions = float(labels.mean()), decide(probabilities, threshold)
    title = "Precision and recall"
    with page(path, 4.8, 4.2) as figure:
        axes = figure.subplots()
        if labels.any():
            title += f" (average precision {average_precision_score(labels, probabilities):.3f})"
            precision, recall, _ = precision_recall_curve(labels, probabilities)
            # The last point, recall 0 at precision 1, is a convention and no threshold reaches it.
            axes.plot(recall[:-1], precision[:-1], color=BLUE, drawstyle="steps-post", label="every threshold")
        if labels.any() and predictions.any():
            hits = int((predictions & labels).sum())
            precision, recall = hits / predictions.sum(), hits / labels.sum()
            label = f"threshold {threshold:.3f}: precision {precision:.1%}, recall {recall:.1%}"
            axes.plot(recall, precision, "o", color=VERMILION, markersize=7, label=label, clip_on=False, zorder=3)
        label = f"always positive: precision {base_rate:.1%}"
        axes.axhline(base_rate, color=GREY, linestyle=":", linewidth=1, label=label)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        percent(axes.xaxis, axes.yaxis)
        x, y = "recall: share of paraphrases found", "precision: share of yes answers that are right"
        finish(axes, title, x, y, legend="lower left")


def plot_reliability(
    labels: np.ndarray, probabilities_raw: np.ndarray, probabilities_calibrated: np.ndarray, path: Path
) -> None:
    """Draw the share of paraphrases over the predicted probability, before and after calibration, in 15 bins."""
    with page(path, 4.8, 5.4) as figure:
        curve, histogram = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        curve.plot((0, 1), (0, 1), color=GREY, linestyle=":", linewidth=1, label="perfectly calibrated")
        has_few = False
        for name, probabilities, (colour, style), marker in (
            ("before", probabilities_raw, SERIES[1], "s"),
            ("after", probabilities_calibrated, SERIES[0], "o"),
        ):
            bins = reliability_bins(labels, probabilities)
            filled = bins.counts > 0
            counts, x, y = bins.counts[filled], bins.mean_probability[filled], bins.positive_rate[filled]
            if name == "after":
                low, high = _wilson(y, counts)
                curve.vlines(x, low, high, color=colour, alpha=0.3, linewidth=4, label="95% interval (after)")
            label = f"{name} calibration: ECE {expected_calibration_error(labels, probabilities):.1%}"
            curve.plot(x, y, color=colour, linestyle=style, marker=marker, markersize=4, label=label, clip_on=False)
            few = counts < FEW_PAIRS
            has_few = has_few or bool(few.any())
            curve.plot(x[few], y[few], marker, color=colour, markerfacecolor="white", markersize=4, clip_on=False, zorder=3)
            edges = np.linspace(0, 1, len(bins.counts) + 1)
            histogram.stairs(bins.counts, edges, color=colour, linestyle=style, linewidth=1.4, baseline=None)
        if has_few:
            curve.plot([], [], "o", color=GREY, markerfacecolor="white", markersize=4, label=f"hollow: under {FEW_PAIRS} pairs")
        curve.set(xlim=(0, 1), ylim=(0, 1))
        percent(histogram.xaxis, curve.yaxis)
        finish(curve, f"Reliability on {len(labels):,} pairs", "", "share labelled paraphrase", legend="upper left")
        log_counts(histogram)
        histogram.set(xlabel="probability of a paraphrase, in 15 bins", ylabel="pairs (log scale)")


def _wilson(shares: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper ends of the 95 % Wilson interval of every share."""
    hits = np.rint(shares * counts).astype(int)
    intervals = [binomtest(int(k), int(n)).proportion_ci(method="wilson") for k, n in zip(hits, counts, strict=True)]
    return np.array([one.low for one in intervals]), np.array([one.high for one in intervals])


def plot_scores(labels: np.ndarray, probabilities: np.ndarray, threshold: float, path: Path) -> None:
    """Draw a histogram of the probabilities by label, in 40 bins, on a logarithmic scale."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    with page(path, 5.6, 3.8) as figure:
        axes = figure.subplots()
        for value, name, colour, style in ((0, "not a paraphrase", NO, "--"), (1, "paraphrase", YES, "-")):
            counts, edges = np.histogram(probabilities[labels == value], bins=40, range=(0, 1))
            axes.stairs(counts, edges, fill=True, color=colour, alpha=0.25)
            label = f"labelled {name}: {counts.sum():,} pairs"
            axes.stairs(counts, edges, color=colour, linestyle=style, linewidth=1.4, label=label)
        axes.axvline(threshold, color=INK, linewidth=1, label=f"threshold {threshold:.3f}")
        axes.set_xlim(0, 1)
        percent(axes.xaxis)
        log_counts(axes)
        finish(axes, "Scores by label", "probability of a paraphrase", "pairs per bin (log scale)", legend="below")
