"""Seeds that are added until a study is decided: all looks together find a false difference in 5 % of the cases at most."""

from __future__ import annotations

import numpy as np
import pytest

from paraphrase_lab.statistics.joint import uncertainty
from paraphrase_lab.statistics.looks import Look, planned_looks
from paraphrase_lab.statistics.power import beforehand, power_lines


@pytest.mark.parametrize(
    ("first", "last", "seeds"), [(3, 10, [3, 5, 8, 10]), (3, 5, [3, 4, 5]), (5, 20, [5, 10, 15, 20]), (4, 4, [4])]
)
def test_looks(first: int, last: int, seeds: list[int]) -> None:
    looks = planned_looks(first, last)
    assert [look.seeds for look in looks] == seeds
    assert sum(look.level for look in looks) == pytest.approx(0.05)
    spent = np.cumsum([look.level for look in looks])
    assert spent == pytest.approx(0.05 * (np.array(seeds) / last) ** 2), "few seeds may spend little"


def ever_different(looks: list[Look], simulations: int = 2_000) -> float:
    """Simulate equal recipes whose seeds differ by 2 points, on pairs whose choice adds as much as three seeds."""
    random, found = np.random.default_rng(0), 0
    for _ in range(simulations):
        most, clusters = looks[-1].seeds, 200
        easy = random.normal(0, 0.02 / np.sqrt(3) / np.sqrt(2), size=2)
        a, b = (random.normal(0.8 + mean, 0.02, most) for mean in easy)
        on_clusters = random.normal(size=(2, clusters)) * 0.02 / np.sqrt(3 * clusters * 2)
        shares = [np.broadcast_to(of, (most, clusters)) for of in on_clusters]
        for look in looks:
            of_a, of_b = a[: look.seeds], b[: look.seeds]
            unsure = uncertainty(of_a, of_b, shares[0][: look.seeds], shares[1][: look.seeds], clusters)
            if unsure.p_value(float(of_b.mean() - of_a.mean())) < look.level:
                found += 1
                break
    return found / simulations


@pytest.mark.parametrize(("first", "last"), [(3, 10), pytest.param(3, 20, marks=pytest.mark.slow)])
def test_the_looks_share_five_per_cent(first: int, last: int) -> None:
    assert 0.005 < ever_different(planned_looks(first, last)) <= 0.055
    every_seed = [Look(seeds, 0.05) for seeds in range(first, last + 1)]
    assert ever_different(every_seed) > 0.08, "looking after every seed at 5 % is wrong more often"


def test_what_a_study_can_find() -> None:
    assert 100 * beforehand(3, 0.01, 4_000).detectable() == pytest.approx(3.7, rel=0.2)
    lines = power_lines("accuracy", 3, 2, 0.01, 0.02, 4_000)
    assert lines[0].startswith("can find: differences of ") and "with 3 seeds of each and 2 comparisons" in lines[0]
    assert lines[1].startswith("warning: it asks for 2.00 (study.equal_within): about ")
    (line,) = power_lines("accuracy", 10, 1, 0.001, 0.02, 4_000, paired_seeds=True)
    assert line.endswith("; as if not compared in pairs, which can find smaller ones")
    assert "more test pairs" in power_lines("accuracy", 3, 1, 0.01, 0.01, 100)[1]
