"""What people read: complete on 80 columns; as JSON nothing is rounded."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from hydra_sagemaker.display.tables import (
    CostRow,
    JobRow,
    PlanRow,
    _ranges,
    as_json,
    cost_table,
    duration,
    jobs_table,
    plan_table,
)

PRICES = "instances only; prices: us-east-1 on demand, 2026-09-27; other regions differ"
NAME = "paraphrase-train-12f1e2cb2dd00c75-"
WORDS = "model=roberta_large optimizer.lr=1e-5 data.fraction=0.5 seed="


def planned(job: int, usd: float | None = 33.84, origin: str = "new", spot: bool = False, hours: float = 24.0) -> PlanRow:
    return PlanRow(job, f"seed={job}", origin, "ml.g5.xlarge", 1, spot, hours, usd)


def in_one(text: str) -> str:
    return " ".join(text.split())


def test_plan() -> None:
    rows = [planned(0, 0.0, "reused"), PlanRow(1, "seed=1", "new", "ml.g5.12xlarge", 2, True, 0.5, 7.09)]
    lines = plan_table(rows, PRICES, 80).splitlines()
    assert lines[0].split() == ["job", "overrides", "origin", "instance", "hours", "at", "most"]
    assert in_one(lines[1]) == "0 seed=0 reused ml.g5.xlarge 24 $0.00"
    assert in_one(lines[2]) == "1 seed=1 new 2 x ml.g5.12xlarge (spot) 0.5 $7.09"
    assert lines[3] == f"2 jobs, at most $7.09 ({PRICES})"
    assert len({line.index("$") + line[line.index("$") :].index(".") for line in lines[1:3]}) == 1  # aligned at the point


def test_prices_that_are_not_known() -> None:
    table = plan_table([planned(0), planned(1, None)], PRICES, 80)
    assert in_one(table.splitlines()[2]) == "1 seed=1 new ml.g5.xlarge 24 ?"
    assert f"2 jobs, at most $33.84 and 1 job of unknown cost ({PRICES})" in table
    assert f"1 job, cost unknown ({PRICES})" in plan_table([planned(1, None)], PRICES, 80)


def test_twenty_jobs_are_shown_one_by_one() -> None:
    assert len(plan_table([planned(job) for job in range(16)], PRICES, 80).splitlines()) == 1 + 16 + 1


def test_many_jobs_in_groups() -> None:
    rows = [planned(job, 0.0, "reused") if job in (0, 1, 2, 7) else planned(job) for job in range(60)]
    table = in_one(plan_table(rows, PRICES, 80))
    assert "0-2, 7 seed=0 … seed=7 reused ml.g5.xlarge 24 $0.00 4 jobs" in table
    assert "3-6, 8-59 seed=3 … seed=59 new ml.g5.xlarge 24 $1,895.04 56 jobs" in table
    assert f"60 jobs, at most $1,895.04 ({PRICES})" in table


def test_many_different_jobs() -> None:
    rows = [planned(job, usd=1.0, hours=job + 1) for job in range(100)]
    lines = plan_table(rows, PRICES, 80).splitlines()
    assert len(lines) == 1 + 8 + 1 + 8 + 1
    assert in_one(lines[9]) == "… … 84 more lines"
    assert in_one(lines[-2]) == "99 seed=99 new ml.g5.xlarge 100 $1.00"
    assert lines[-1].startswith("100 jobs, at most $100.00 ")


def test_ranges() -> None:
    assert _ranges([5, 0, 1, 2]) == "0-2, 5"
    assert _ranges(range(0, 20, 2)) == "0, …, 18"


def test_jobs() -> None:
    rows = [
        JobRow(0, "seed=0", f"{NAME}0", "failed", "memory", "2026-11-24T01:58:31+00:00", 4000, 1.25),
        JobRow(1, "seed=1", f"{NAME}0", "running"),
    ]
    lines = jobs_table(rows, 80).splitlines()
    assert in_one(lines[0]) == "job overrides, name state started runtime cost"
    assert in_one(lines[1]) == "0 seed=0 failed 11-24 01:58 1:06:40 $1.25"
    assert in_one(lines[2]) == f"{NAME}0 memory"
    assert in_one(lines[3]) == "1 seed=1 running ?"
    assert lines[-1] == "2 jobs, $1.25 and 1 job of unknown cost"


def test_columns_without_anything_are_left_out() -> None:
    assert (
        jobs_table([JobRow(0, "seed=0", NAME, "waiting")], 80).splitlines()[0].split()
        == "job overrides, name state cost".split()
    )


def test_no_jobs() -> None:
    assert jobs_table([]) == "0 jobs, $0.00"


def test_cost() -> None:
    rows = [
        CostRow(0, "seed=0", 1, 1, 360, 0.004, 0.0),
        CostRow(1, "seed=1", 3, 2, 90000, 12.5, 25.0),
        CostRow(2, "seed=2", 1, 0, *[None] * 3),
    ]
    lines = cost_table(rows, PRICES, 80).splitlines()
    assert in_one(lines[1]) == "0 seed=0 (1 interruption) 0:06:00 <$0.01 $0.00"
    assert in_one(lines[2]) == "1 seed=1 (3 attempts, 2 interruptions) 25:00:00 $12.50 $25.00"
    assert in_one(lines[3]) == "2 seed=2 ? ? ?"
    assert lines[4] == f"3 jobs, $12.50 and 1 job of unknown cost, $25.00 saved by spot ({PRICES})"
    assert "saved by spot" not in cost_table(rows[:1], PRICES, 80)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_narrow_terminals(width: int) -> None:
    """Names are whole, and nothing is lost of the overrides."""
    jobs = [JobRow(job, f"{WORDS}{job}", f"{NAME}{job}", "running", None, "2026-11-24T01:58", 90000, 12.5) for job in range(3)]
    plans = [PlanRow(job, f"{WORDS}{job}", "attached", "ml.g5.12xlarge", 2, True, 24, 340.32) for job in range(3)]
    for table in (jobs_table(jobs, width), plan_table(plans, "", width)):
        lines = table.splitlines()
        assert max(len(line) for line in lines[:-1]) <= width
        assert all(word in table for word in WORDS.split())
    assert all(f"{NAME}{job}" in jobs_table(jobs, width) for job in range(3))


def test_brackets_are_no_markup() -> None:
    assert "model.num_layers=[1,2] [bold]" in jobs_table([JobRow(0, "model.num_layers=[1,2] [bold]", NAME, "running")], 80)


def test_json_is_exact() -> None:
    rows = [planned(0, 1 / 3), planned(1, None)]
    assert json.loads(as_json(rows)) == [asdict(row) for row in rows]
    assert json.loads(as_json([{"cost_usd": None, **asdict(rows[0])}]))[0]["max_cost_usd"] == 1 / 3


def test_duration() -> None:
    assert [duration(seconds) for seconds in (None, 0, 59.6, 90061)] == ["?", "0:00:00", "0:01:00", "25:01:01"]
