"""Intervals, tests and verdicts. `check` imports the number below, so nothing here may load numpy."""

FEWEST_SEEDS = 3
"""Runs of each recipe that a comparison of recipes needs."""
