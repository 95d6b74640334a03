"""The pictures of a run and of a data set."""

from paraphrase_lab.plots.data import plot_data, plot_lengths
from paraphrase_lab.plots.groups import plot_groups
from paraphrase_lab.plots.run import plot_confusion, plot_precision_recall, plot_reliability, plot_scores, plot_training

__all__ = [
    "plot_confusion",
    "plot_data",
    "plot_groups",
    "plot_lengths",
    "plot_precision_recall",
    "plot_reliability",
    "plot_scores",
    "plot_training",
]
