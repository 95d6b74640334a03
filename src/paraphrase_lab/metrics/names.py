"""The names of the metrics and their directions, for lists and checks that must not load numpy."""

SEEN = "seen_in_training"
"""Names, in place of its split, a set that holds pairs which the run has trained on or chosen its checkpoint on."""
HISTORY, FITTED = "val", "val_fitted"
"""Begin the names of validation metrics: while training; and of the chosen checkpoint, calibrated on these pairs."""
PREFIX = {"validation": FITTED, "test": "test", "train": "train", SEEN: SEEN}
"""Begins the names of a split's metrics after the training, as in test/accuracy."""
FITTED_NOTE = f"{FITTED}: checkpoint and calibration were chosen on these very pairs, which flatters"
HIGHER_IS_BETTER: dict[str, bool] = {
    "accuracy": True, "f1": True, "precision": True, "recall": True, "roc_auc": True, "average_precision": True,
    "nll": False, "brier": False, "ece": False,
}  # fmt: skip
BY_GROUP = ("accuracy", "f1", "nll")
"""Logged at each validation for every source of a mixture, as in val_paws/accuracy."""
FLOOR_NAMES = ("bag_of_words", "bigrams", "counts")
"""Classifiers without a neural network, of floors.py."""
ECE_IF_CALIBRATED = "ece_if_calibrated"
"""Names the ece that these probabilities would have on average if they were true: what no calibration can improve on."""
NEED_BOTH_LABELS = ("roc_auc", "average_precision")
"""Undefined, in JSON null, where all labels are the same."""
PROBE_HIGHER_IS_BETTER: dict[str, bool] = {
    "flip_rate": False, "order_gap": False, "symmetrised_accuracy": True,
    "identical_positive_rate": True, "random_positive_rate": False,
}  # fmt: skip
"""Metrics of `paraphrase_lab.metrics.symmetry`."""


def higher_is_better(metric: str, monitor_mode: str = "auto") -> bool:
    """Return whether more is better of a metric such as test/accuracy: as monitor_mode says, else by the name, else True."""
    if monitor_mode in ("max", "min"):
        return monitor_mode == "max"
    name = metric.rpartition("/")[2]
    return {**HIGHER_IS_BETTER, **PROBE_HIGHER_IS_BETTER, "loss": False}.get(name, True)
