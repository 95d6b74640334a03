"""The accuracy on the capability checklist that needs no language: counts of words, learned from its other half."""

from functools import cache

from paraphrase_lab.data.checklist import SPLIT_NAMES, checklist_table
from paraphrase_lab.metrics.floors import floors


@cache
def checklist_floor(half: str) -> float:
    """Return the accuracy of the floor "counts" on all pairs of a half, checklist_dev or checklist_test, 0-1."""
    (split,) = [split for split, name in SPLIT_NAMES.items() if name == half]
    (other,) = SPLIT_NAMES.keys() - {split}
    return floors(checklist_table(other), checklist_table(split)).whole["counts"]["accuracy"]
