"""Metrics of order invariance, and of probes: pairs whose answer is known beforehand.

Paraphrase models change their answer when the two sentences change places (Kumar & Joshi, Striking a Balance: Alleviating
Inconsistency in Pre-trained Models for Symmetric Classification Tasks, Findings of ACL 2022), and good ones fail on a
sentence paired with itself (Chen, Ji, Evans, Pointwise Paraphrase Appraisal is Potentially Problematic, ACL SRW 2020).
"""

from collections.abc import Mapping

import numpy as np

from paraphrase_lab.data.clusters import sentence_clusters
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.metrics.binary import decide

PROBED_PAIRS = 1_000
SEED = 0
"""The same pairs for every run on the same data: their answers can be compared."""
IDENTICAL, RANDOM = "identical", "random"
IDENTICAL_RATE, RANDOM_RATE = "identical_positive_rate", "random_positive_rate"
IDENTICAL_AT_LEAST, RANDOM_AT_MOST = 0.9, 0.1
"""Positive rates of the probes beyond which a model's answers are absurd."""


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


def absurd_probes(metrics: Mapping[str, float]) -> dict[str, str]:
    """Return a sentence, with what usually helps, for each probe of test/… that has an absurd rate."""
    said = {}
    for name, value in metrics.items():
        split, _, metric = name.rpartition("/")
        if metric == RANDOM_RATE and value > RANDOM_AT_MOST:
            said[name] = (
                f"{split}: {value:.1%} of unrelated pairs are called paraphrases ({RANDOM_RATE}); training pairs of unrelated "
                "sentences, labelled different, usually help"
            )
        if metric == IDENTICAL_RATE and value < IDENTICAL_AT_LEAST:
            said[name] = (
                f"{split}: only {value:.1%} of sentences paired with themselves are called paraphrases ({IDENTICAL_RATE}); "
                "training longer, or with such pairs labelled paraphrase, usually helps"
            )
    return said


def _paired(table: PairTable, first: np.ndarray, second: np.ndarray, *, label: int) -> PairTable:
    return PairTable(
        [f"{table.ids[a]}/{table.ids[b]}" for a, b in zip(first, second, strict=True)],
        [table.sentence1[a] for a in first],
        [(table.sentence1 if label == 1 else table.sentence2)[b] for b in second],
        np.full(len(first), label, dtype=np.int64),
    )
