"""The accuracy on the capability checklist that needs no language: counts of words, learned from its other half."""

from paraphrase_lab.data.checklist import SPLIT_NAMES, checklist_table
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.metrics.floors import counts_classifier, pair_counts


def checklist_floor(half: str, table: PairTable) -> float:
    """Return the accuracy of the floor "counts" on pairs of a half, checklist_dev or checklist_test, 0-1."""
    (other,) = [split for split, name in SPLIT_NAMES.items() if name != half]
    return float((counts_classifier(checklist_table(other)).predict(pair_counts(table)) == table.labels).mean())
