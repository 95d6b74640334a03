"""How long does a comparison of ten runs on a test set of PAWS' size take, and what would others need for it?

Question: are 10,000 resamples of 8,000 pairs in 1,616 clusters, for ten runs, done in less than 5 seconds?
Cost:     about a minute on one core; no data and no network, the answers are drawn at random.
Command:  python scripts/bench/comparison.py
          Interval and p-value of every run against the first: paraphrase_lab's paired cluster bootstrap with its sign-flip
          test; the intervals alone: scipy.stats.bootstrap over the sums of the clusters, and a plain loop that draws clusters
          and calls scikit-learn's metrics (fewer resamples, scaled up).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from paraphrase_lab.metrics.binary import METRIC_NAMES
from paraphrase_lab.statistics.metric_sums import SUMMED, Scored, cluster_sums
from paraphrase_lab.statistics.paired import compare_paired

LOOPED = 20
METRICS = {"accuracy": accuracy_score, "f1": f1_score}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=8_000)
    parser.add_argument("--clusters", type=int, default=1_616)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--resamples", type=int, default=10_000)
    arguments = parser.parse_args()
    scored, clusters = answers(arguments.pairs, arguments.clusters, arguments.runs)
    size = f"{arguments.pairs:,} pairs in {arguments.clusters:,} clusters, {arguments.runs} runs"
    table = Table(title=f"{size}, {arguments.resamples:,} resamples")
    for column in ("what", "metrics", "seconds"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    ours = ("paraphrase_lab: intervals and p-values", lambda metrics: compare(scored, clusters, metrics, arguments.resamples))
    for metrics in (tuple(METRICS), METRIC_NAMES):
        table.add_row(ours[0], ", ".join(metrics), f"{seconds(ours[1], metrics):.2f}")
    table.add_row(
        "scipy.stats.bootstrap: intervals", ", ".join(METRICS),
        f"{seconds(lambda metrics: with_scipy(scored, clusters, metrics, arguments.resamples), tuple(METRICS)):.1f}",
    )  # fmt: skip
    looped = seconds(lambda metrics: in_a_loop(scored, clusters, metrics), tuple(METRICS))
    scaled = f"{looped / LOOPED * arguments.resamples:,.0f} (scaled from {LOOPED})"
    table.add_row("a loop over resamples: intervals", ", ".join(METRICS), scaled)
    Console().print(table)


def answers(pairs: int, clusters: int, runs: int) -> tuple[Scored, np.ndarray]:
    random = np.random.default_rng(0)
    labels = (random.random(pairs) < 0.44).astype(np.int64)
    margins = 2 * labels - 1 + random.normal(size=(runs, pairs))
    of_pair = np.concatenate((np.arange(clusters), random.integers(0, clusters, size=pairs - clusters)))
    return Scored(labels, 1 / (1 + np.exp(-2 * margins)), (margins >= 0).astype(np.int64)), of_pair


def seconds(work: Callable[[tuple[str, ...]], object], metrics: tuple[str, ...]) -> float:
    started = time.perf_counter()
    work(metrics)
    return time.perf_counter() - started


def compare(scored: Scored, clusters: np.ndarray, metrics: tuple[str, ...], resamples: int) -> object:
    every = np.ones(len(clusters), dtype=bool)
    versus = [([0], [other]) for other in range(1, len(scored.predictions))]
    return compare_paired(scored, clusters, {(metric, "all"): every for metric in metrics}, versus, resamples=resamples)


def with_scipy(scored: Scored, clusters: np.ndarray, metrics: tuple[str, ...], resamples: int) -> list[object]:
    """One call for each difference, vectorised over the resamples."""
    found: list[object] = []
    for metric in metrics:
        sums = cluster_sums(metric, scored, clusters, int(clusters.max()) + 1)

        def difference(*columns: np.ndarray, axis: int) -> np.ndarray:
            first_above, first_below, above, below = (column.sum(axis=axis) for column in columns)
            return above / below - first_above / first_below

        for other in range(1, sums.shape[1]):
            data = (*sums[:, 0], *sums[:, other])
            found.append(
                stats.bootstrap(
                    data, difference, n_resamples=resamples, paired=True, vectorized=True, method="percentile", batch=500,
                    rng=np.random.default_rng(0),
                ).confidence_interval
            )  # fmt: skip
    return found


def in_a_loop(scored: Scored, clusters: np.ndarray, metrics: tuple[str, ...]) -> np.ndarray:
    random = np.random.default_rng(0)
    members = np.split(np.argsort(clusters, kind="stable"), np.cumsum(np.bincount(clusters))[:-1])
    values = []
    for _ in range(LOOPED):
        drawn = np.concatenate([members[number] for number in random.integers(0, len(members), size=len(members))])
        values.append([[METRICS[metric](scored.labels[drawn], one[drawn]) for one in scored.predictions] for metric in metrics])
    found = np.array(values)
    return np.quantile(found[..., 1:] - found[..., :1], (0.025, 0.975), axis=0)


if __name__ == "__main__":
    assert set(METRICS) <= set(SUMMED)
    main()
