"""Metrics of order invariance, and of probes: pairs whose answer is known beforehand.

Paraphrase models change their answer when the two sentences change places (Kumar & Joshi, Striking a Balance: Alleviating
Inconsistency in Pre-trained Models for Symmetric Classification Tasks, Findings of ACL 2022), and good ones fail on a
sentence paired with itself (Chen, Ji, Evans, Pointwise Paraphrase Appraisal is Potentially Problematic, ACL SRW 2020).
"""

import numpy as np

from paraphrase_lab.data.clusters import sentence_clusters
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.metrics.binary import decide

PROBED_PAIRS = 1_000
SEED = 0
"""The same pairs for every run on the same data: their answers can be compared."""
IDENTICAL, RANDOM = "identical", "random"


def order_metrics(labels: np.ndarray, probabilities: np.ndarray, swapped: np.ndarray, threshold: float) -> dict[str, float]:
    """Compare P(paraphrase) [pairs] of (a, b) with those of (b, a).

    - flip_rate: share of pairs whose prediction depends on the order.
    - order_gap: mean of |p(a, b) - p(b, a)|.
    - symmetrised_accuracy: accuracy of the mean of the two probabilities.
    """
    both = decide((probabilities + swapped) / 2, threshold)
    return {
        "flip_rate": float(np.mean(decide(probabilities, threshold) != decide(swapped, threshold))),
        "order_gap": float(np.mean(np.abs(probabilities - swapped))),
        "symmetrised_accuracy": float(np.mean(both == labels)),
    }


def probe_metrics(probabilities: dict[str, np.ndarray], threshold: float) -> dict[str, float]:
    """Return identical_positive_rate, of (a, a), which should be 1, and random_positive_rate, of unrelated pairs, about 0."""
    return {f"{name}_positive_rate": float(np.mean(decide(values, threshold))) for name, values in probabilities.items()}


def probe_tables(table: PairTable, pairs: int = PROBED_PAIRS) -> dict[str, PairTable]:
    """Pair at most `pairs` first sentences with themselves, and with a second sentence of another cluster.

    Pairs that share a sentence, directly or through others, form a cluster: within it a drawn pair might be a paraphrase.
    No random pairs where there is only one cluster.
    """
    generator = np.random.default_rng(SEED)
    first, others = generator.permutation(len(table))[:pairs], generator.permutation(len(table))
    probes = {IDENTICAL: _paired(table, first, first, label=1)}
    clusters = sentence_clusters(table.sentence1, table.sentence2)
    if clusters.max(initial=0) > 0:
        partners = []
        for start, row in enumerate(first):
            drawn = np.roll(others, -start)
            partners.append(int(drawn[np.argmax(clusters[drawn] != clusters[row])]))  # the first one of another cluster
        probes[RANDOM] = _paired(table, first, np.array(partners), label=0)
    return probes


def _paired(table: PairTable, first: np.ndarray, second: np.ndarray, *, label: int) -> PairTable:
    return PairTable(
        [f"{table.ids[a]}/{table.ids[b]}" for a, b in zip(first, second, strict=True)],
        [table.sentence1[a] for a in first],
        [(table.sentence1 if label == 1 else table.sentence2)[b] for b in second],
        np.full(len(first), label, dtype=np.int64),
    )
