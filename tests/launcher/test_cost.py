"""A sweep never costs more than it may; what it did cost is what AWS's formula says."""

from __future__ import annotations

import json
import math
import random
import re
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.pricing.cost import Budget, billed, money, total
from hydra_sagemaker.pricing.prices import Bound, Listed, Prices

PRICES = Prices({"ml.own.xlarge": 10.0}, {"ml.g5.xlarge": Listed(1.8, "2026-09-27")})
UNPRICED = Bound(None, 1.0, "ml.no.xlarge", ("ml.no.xlarge",))


def bound(usd: float, hours: float = 1.0) -> Bound:
    return Bound(usd, hours, "ml.g5.xlarge")


def with_spent(limit: float, spent: float) -> Budget:
    budget = Budget(limit)
    budget.commit("before", spent)
    budget.settle("before", spent)
    return budget


def refusal(limit: float, *additional: Bound, spent: float = 0.0) -> str:
    budget = with_spent(limit, spent)
    said = budget.refusal(additional)
    assert said is not None
    return said


def described(**fields: Any) -> dict[str, Any]:
    resource = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1}
    return {"TrainingJobStatus": "Completed", "TrainingStartTime": "then", "ResourceConfig": resource, **fields}


@pytest.mark.parametrize("seed", range(200))
def test_never_more_than_the_limit(seed: int) -> None:
    """Plans, batches, attached jobs, retries and bills in any order: whatever is still open may cost its whole bound."""
    chance = random.Random(seed)
    limit = chance.choice([0.0, 1.0, 10.0, 100.0])
    budget, bounds, bills = Budget(limit), {}, {}
    for step in range(60):
        running = [name for name in bounds if name not in bills]
        if running and chance.random() < 0.5:
            name = chance.choice(running)
            paid = chance.choice([None, 0.0, chance.uniform(0, bounds[name]), bounds[name]])
            budget.settle(name, paid)
            bills[name] = bounds[name] if paid is None else paid
        else:
            batch = [bound(round(chance.expovariate(10 / (limit or 1)), 2)) for _ in range(chance.randint(1, 4))]
            if budget.refusal(batch) is None:
                for number, one in enumerate(batch):
                    bounds[f"{step}-{number}"] = one.usd or 0.0
                    budget.commit(f"{step}-{number}", one.usd)
            else:
                assert math.fsum([budget.total_usd, *(one.usd or 0.0 for one in batch)]) > limit
        worst = math.fsum(bills.get(name, usd) for name, usd in bounds.items())
        assert worst <= limit + 1e-5
        assert budget.total_usd == pytest.approx(worst)


@pytest.mark.parametrize("seed", range(100))
def test_a_suggestion_fits_the_limit(seed: int) -> None:
    chance = random.Random(seed)
    limit, spent = chance.uniform(1, 50), chance.uniform(0, 30)
    jobs = [bound(rate * hours, hours) for rate, hours in ((chance.uniform(0.1, 9), chance.uniform(0.1, 48)) for _ in range(8))]
    budget = with_spent(limit, spent)
    if (said := budget.refusal(jobs)) is None:
        return
    if hours := re.search(r"max_run_hours=([\d.]+)", said):
        assert budget.refusal([bound((one.usd or 0) / one.hours * float(hours[1]), float(hours[1])) for one in jobs]) is None
    if count := re.search(r"(\d+) of the 8 jobs", said):
        assert budget.refusal(jobs[: int(count[1])]) is None
        assert budget.refusal(jobs[: int(count[1]) + 1]) is not None
    (raised,) = re.findall(r"max_cost_usd=([\d.]+)\.$", said)
    assert with_spent(float(raised), spent).refusal(jobs) is None


def test_floating_point_refuses_nothing() -> None:
    assert math.fsum([0.1] * 3) > 0.3
    assert Budget(0.3).refusal([bound(0.1)] * 3) is None


def test_without_a_limit() -> None:
    budget = Budget()
    assert budget.refusal([bound(1e9), UNPRICED]) is None
    budget.commit("a", None)
    budget.commit("b", 2.0)
    assert budget.total_usd == 2.0


def test_a_bill_takes_the_place_of_the_bound() -> None:
    budget = Budget(10.0)
    budget.commit("a", 8.0)
    budget.commit("a", 8.0)  # attached after it was submitted
    assert budget.refusal([bound(3.0)])
    budget.settle("a", None)
    assert budget.total_usd == 8.0
    budget.settle("a", 1.5)
    budget.settle("a", 1.5)
    budget.settle("reused", 5.0)
    assert budget.total_usd == 1.5
    assert budget.refusal([bound(8.5)]) is None


def test_once_more_under_the_same_name() -> None:
    """A job that could not be submitted, and comes again in a later batch."""
    budget = Budget(10.0)
    for billed_usd in (0.0, 2.0):
        budget.commit("a", 8.0)
        assert budget.refusal([bound(2.5)])
        budget.settle("a", billed_usd)
    assert budget.total_usd == 2.0


def test_refusal_in_words() -> None:
    said = refusal(10.0, *[Bound(5.64, 4.0, "ml.g5.xlarge")] * 6, spent=3.0)
    assert said == (
        "hydra.launcher.max_cost_usd=10: 6 jobs (at most ml.g5.xlarge for 4 h) may cost $33.84, and $3.00 of the limit "
        "are spent or committed. It fits with hydra.launcher.max_run_hours=0.82 or 1 of the 6 jobs or "
        "hydra.launcher.max_cost_usd=36.84."
    )


def test_refusal_of_many_kinds_and_of_one_retry() -> None:
    kinds = [Bound(2.0, float(hours), f"{hours} x ml.g5.xlarge") for hours in range(1, 6)]
    assert "(at most 1 x ml.g5.xlarge for 1 h, 2 x ml.g5.xlarge for 2 h, 3 x ml.g5.xlarge for 3 h, …)" in refusal(1.0, *kinds)
    retry = refusal(10.0, bound(2.0), spent=10.0)
    assert "1 job (at most ml.g5.xlarge for 1 h) may cost $2.00, and $10.00 of the limit are spent" in retry
    assert retry.endswith("It fits with hydra.launcher.max_cost_usd=12.00.")


def test_a_price_that_is_not_known() -> None:
    said = refusal(10.0, bound(1.0), UNPRICED, UNPRICED)
    assert said.startswith("hydra.launcher.max_cost_usd=10 needs the price of ml.no.xlarge, which is not known.")
    (words,) = re.findall(r"'([^']+)'", said)
    override = OverridesParser.create().parse_override(words.replace("USD", "1.41"))
    assert (override.key_or_group, override.value()) == ("hydra.launcher.price_per_hour", {"ml.no.xlarge": 1.41})


@pytest.mark.parametrize("limit", [-1.0, float("nan"), float("inf")])
def test_no_limit(limit: float) -> None:
    with pytest.raises(LauncherError, match=r"max_cost_usd=\S+: it must be US dollars, 0 or more, or null"):
        Budget(limit)


def test_billed() -> None:
    resource = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 4}
    record = billed(described(ResourceConfig=resource, BillableTimeInSeconds=1800, TrainingTimeInSeconds=1800), PRICES)
    assert record == {
        "instance_type": "ml.g5.xlarge",
        "instance_count": 4,
        "billable_seconds": 1800,
        "training_seconds": 1800,
        "price_per_hour_usd": 1.8,
        "prices_dated": "2026-09-27",
        "cost_usd": pytest.approx(3.6),
        "saved_by_spot_usd": 0.0,
    }
    assert json.loads(json.dumps(record)) == record


def test_spot_saves_seconds() -> None:
    """The example of AWS's page: 100 of 500 seconds are billed, the savings are 80 %."""
    spot = described(EnableManagedSpotTraining=True, BillableTimeInSeconds=100, TrainingTimeInSeconds=500)
    record = billed(spot, PRICES)
    assert record["cost_usd"] == pytest.approx(0.05)
    assert record["saved_by_spot_usd"] / (record["saved_by_spot_usd"] + record["cost_usd"]) == pytest.approx(0.8)
    assert billed({**spot, "TrainingTimeInSeconds": 99}, PRICES)["saved_by_spot_usd"] == 0.0


def test_a_given_price_has_no_date() -> None:
    record = billed(described(ResourceConfig={"InstanceType": "ml.own.xlarge"}, BillableTimeInSeconds=360), PRICES)
    assert (record["price_per_hour_usd"], record["prices_dated"], record["cost_usd"]) == (10.0, None, 1.0)


def test_what_is_not_known_is_null() -> None:
    running = billed(described(TrainingJobStatus="InProgress"), PRICES)
    assert (running["billable_seconds"], running["cost_usd"]) == (None, None)
    unpriced = billed(described(ResourceConfig={"InstanceType": "ml.no.xlarge"}, BillableTimeInSeconds=9), PRICES)
    assert (unpriced["price_per_hour_usd"], unpriced["cost_usd"]) == (None, None)
    assert set(billed({}, PRICES).values()) == {None, 0.0}
    spot = billed(described(EnableManagedSpotTraining=True, BillableTimeInSeconds=9), PRICES)
    assert spot["saved_by_spot_usd"] is None


def test_a_job_that_never_started_is_free() -> None:
    never = described(TrainingJobStatus="Failed", ResourceConfig={"InstanceType": "ml.no.xlarge"})
    del never["TrainingStartTime"]
    assert billed(never, PRICES)["cost_usd"] == 0.0


def test_several_attempts_add_up() -> None:
    spot = {"EnableManagedSpotTraining": True}
    attempts = [
        billed(described(BillableTimeInSeconds=100, TrainingTimeInSeconds=500, **spot), PRICES),
        billed(described(BillableTimeInSeconds=300, TrainingTimeInSeconds=400, **spot), PRICES),
        billed(described(TrainingJobStatus="InProgress", **spot), PRICES),
    ]
    assert total(attempts[:2]) == {
        "billable_seconds": 400,
        "cost_usd": pytest.approx(0.2),
        "saved_by_spot_usd": pytest.approx(0.25),
    }
    assert set(total(attempts).values()) == {None}, "the last one has no bill yet"
    assert total([])["cost_usd"] == 0.0


@pytest.mark.parametrize(
    ("usd", "shown"), [(None, "?"), (0.0, "$0.00"), (0.004, "<$0.01"), (0.01, "$0.01"), (1.234, "$1.23"), (1234.5, "$1,234.50")]
)
def test_money(usd: float | None, shown: str) -> None:
    assert money(usd) == shown
