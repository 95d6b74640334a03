"""Of this package `check` wants the number below, and nothing that loads numpy."""

FEWEST_SEEDS = 3
"""Of each recipe, before anything is said about the recipe."""
