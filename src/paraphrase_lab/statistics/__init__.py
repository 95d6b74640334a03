"""Intervals, tests and verdicts. `check` imports the number below, so nothing here may load numpy."""

FEWEST_SEEDS = 3
"""Runs of each recipe that a comparison of recipes needs."""
EQUAL_WITHIN = 0.01
"""Differences below it count as equal unless asked otherwise: a point of accuracy, or 0.01 of nll, brier and ece."""
