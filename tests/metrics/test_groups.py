from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from paraphrase_lab.files import finite
from paraphrase_lab.lifecycle.group_tables import MOST_ROWS, print_checklist, print_groups
from paraphrase_lab.metrics.groups import OTHERS, GroupResult, accuracy_of, as_record, from_record, group_results
from paraphrase_lab.metrics.proportion import clustered_interval
from paraphrase_lab.plots import plot_groups

GROUPS = ["x", "y", "x", None, "x"]
LABELS = np.array([1, 1, 0, 0, 1])
PROBABILITIES = np.array([0.9, 0.8, 0.7, 0.1, 0.8])


def test_every_group_is_counted_by_itself() -> None:
    found = group_results(GROUPS, LABELS, PROBABILITIES, 0.5)
    assert list(found) == ["x", "y", OTHERS]
    x = found["x"]
    assert (x.pairs, round(x.accuracy, 4), round(x.majority, 4), x.predicted_positive_rate) == (3, 0.6667, 0.6667, 1.0)
    assert 0.2 < x.low < 0.25 and 0.9 < x.high < 0.95  # Wilson's interval of 2 of 3
    assert math.isnan(found["y"].roc_auc) and found[OTHERS].accuracy == 1
    assert accuracy_of(found) == 0.8
    assert group_results(None, LABELS, PROBABILITIES, 0.5) == {}


def test_pairs_that_share_a_sentence_make_the_interval_wider() -> None:
    labels, groups = np.tile([1, 0], 30), ["g"] * 60
    probabilities = np.repeat([0.9, 0.1], 30)  # right on every second pair: half of them
    clusters = np.arange(60)
    alone, together = (
        group_results(groups, labels, answers, 0.5, clusters // size)["g"]
        for answers, size in ((probabilities, 1), (np.where(np.arange(60) // 4 % 2, labels, 1 - labels) * 0.8 + 0.1, 4))
    )
    independent = group_results(groups, labels, probabilities, 0.5)["g"]
    assert alone.high - alone.low == pytest.approx(independent.high - independent.low, abs=0.01)
    assert together.high - together.low > 1.7 * (alone.high - alone.low), "clusters of four, all right or all wrong"
    one = group_results(groups, labels, probabilities, 0.5, np.zeros(60, dtype=int))["g"]
    assert (one.low, one.high) == (independent.low, independent.high)


def test_a_record_gives_the_same_results_back() -> None:
    found = group_results(GROUPS, LABELS, PROBABILITIES, 0.5)
    again = from_record(json.loads(json.dumps(finite(as_record(found)))))
    assert again["x"] == found["x"] and math.isnan(again["y"].roc_auc)


def result(accuracy: float) -> GroupResult:
    return GroupResult(10, 0.5, accuracy, 0.1, 0.9, 0.5, 0.5, 0.5)


def printed(results: dict[str, GroupResult], console: Console) -> str:
    with console.capture() as capture:
        print_groups(console, "a title", results)
    return capture.get()


def test_names_may_hold_brackets_and_dollars(tmp_path: Path) -> None:
    named = {"[/sports]": result(0.5), "[news]": result(0.6), r"a$\frac$": result(0.7)}
    shown = printed(named, Console(width=80))
    assert all(name in shown for name in named)
    plot_groups(named, tmp_path / "groups.png", "a title")
    assert (tmp_path / "groups.png").is_file()


def test_one_group_says_nothing_new_and_of_many_the_weakest_are_shown() -> None:
    console = Console(width=80)
    assert printed({"only": result(0.5)}, console) == ""
    shown = printed({f"g{number}": result(number / 100) for number in range(100)}, console)
    assert f"the {MOST_ROWS} of 100 groups with the lowest accuracy" in shown
    assert "g39" in shown and "g40" not in shown
    with console.capture() as capture:
        print_checklist(console, "checklist_dev", {"a": result(0.5), "b": result(1.0)})
    assert "checklist_dev: 75.0% of 20 short pairs are answered right" in capture.get()


@pytest.mark.parametrize(("size", "share", "together"), [(1, 0.7, 0.0), (5, 0.7, 0.6), (4, 0.9, 0.3)])
def test_the_interval_holds_the_truth_in_95_of_100_cases(size: int, share: float, together: float) -> None:
    random, hits, times = np.random.default_rng(0), 0, 400
    for _ in range(times):
        clusters = np.repeat(np.arange(120), random.integers(1, 2 * size, 120))
        scale = (1 - together) / max(together, 1e-9)
        of_cluster = random.beta(share * scale, (1 - share) * scale, 120) if together else np.full(120, share)
        low, high = clustered_interval((random.random(len(clusters)) < of_cluster[clusters]).astype(float), clusters)
        hits += low <= share <= high
    assert 0.92 <= hits / times <= 0.98


def test_intervals_at_the_edges() -> None:
    low, high = clustered_interval(np.ones(40), np.repeat(np.arange(10), 4))
    assert high == 1 and 0.6 < low < 0.7  # as of 10 independent pairs, not 40
    assert all(np.isnan(clustered_interval(np.ones(4), np.zeros(4, dtype=int))))
