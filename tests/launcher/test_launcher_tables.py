"""What people read: complete on 80 columns; as JSON nothing is rounded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from hydra_sagemaker.backends.base import Outcome, State, Status
from hydra_sagemaker.display.tables import _ranges, as_json, cost_table, duration, jobs_table, plan_table
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.pricing.prices import Listed, Prices
from hydra_sagemaker.scheduling.tracker import Submission
from hydra_sagemaker.settings import SageMakerLauncherConf

LISTED = {"ml.g5.xlarge": Listed(1.41, "2026-09-27"), "ml.g5.12xlarge": Listed(7.09, "2026-09-27")}
PRICES = "instances only; prices: us-east-1 on demand, 2026-09-27; other regions differ"
NAME = "paraphrase-train-12f1e2cb2dd00c75-"
WORDS = "model=roberta_large optimizer.lr=1e-5 data.fraction=0.5 seed="


def planned(number: int, origin: str = "new", *, words: str = "", **settings: Any) -> Submission:
    conf = SageMakerLauncherConf(**{"instance_type": "ml.g5.xlarge", **settings})
    words = words or f"seed={number}"
    job = Job(number, (words,), OmegaConf.create(), conf, Path(), distinguishing_overrides=(words,))
    return Submission(job, NAME, origin, Status(State.WAITING))


def plan(submissions: list[Submission], width: int = 80) -> str:
    return plan_table(submissions, Prices(listed=LISTED), PRICES, width)


def billed(number: int, *costs: dict[str, Any], **record: Any) -> Submission:
    """Make a job whose attempts cost that much."""
    submission = planned(number)
    submission.attempts = [{"cost": cost, "interruptions": 1} for cost in costs[:-1]]
    submission.outcome = Outcome(Status(State.COMPLETED), None, record={"cost": costs[-1], **record})
    return submission


def bill(seconds: float | None, usd: float | None, saved: float | None) -> dict[str, Any]:
    return {"billable_seconds": seconds, "cost_usd": usd, "saved_by_spot_usd": saved}


def listed(number: int, words: str, state: str = "running", **values: Any) -> dict[str, Any]:
    unknown = dict.fromkeys(("cause", "started", "runtime_seconds", "cost_usd"))
    return {"job": number, "overrides": words, "name": f"{NAME}{number}", "state": state, **unknown, **values}


def in_one(text: str) -> str:
    return " ".join(text.split())


def test_plan() -> None:
    two = planned(1, instance_type="ml.g5.12xlarge", instance_count=2, spot=True, max_run_hours=0.5)
    lines = plan([planned(0, "reused"), two]).splitlines()
    assert lines[0].split() == ["job", "overrides", "origin", "instance", "hours", "at", "most"]
    assert in_one(lines[1]) == "0 seed=0 reused ml.g5.xlarge 24 $0.00"
    assert in_one(lines[2]) == "1 seed=1 new 2 x ml.g5.12xlarge (spot) 0.5 $7.09"
    assert lines[3] == f"2 jobs, at most $7.09 ({PRICES})"
    assert len({line.index("$") + line[line.index("$") :].index(".") for line in lines[1:3]}) == 1  # aligned at the point


def test_prices_that_are_not_known() -> None:
    unknown = planned(1, instance_type="ml.no.xlarge")
    table = plan([planned(0), unknown])
    assert in_one(table.splitlines()[2]) == "1 seed=1 new ml.no.xlarge 24 ?"
    assert f"2 jobs, at most $33.84 and 1 job of unknown cost ({PRICES})" in table
    assert f"1 job, cost unknown ({PRICES})" in plan([unknown])


def test_likely_costs_stand_beside_the_largest() -> None:
    jobs = [planned(0), planned(1, "reused"), planned(2, instance_type="ml.g5.12xlarge")]

    def likely(settings: SageMakerLauncherConf) -> float | None:
        return 1.25 if settings.instance_type == "ml.g5.xlarge" else None

    lines = plan_table(jobs, Prices(listed=LISTED), PRICES, 80, likely).splitlines()
    assert lines[0].split()[-1] == "likely"
    assert [line.split()[-1] for line in lines[1:4]] == ["$1.25", "$0.00", "$170.16"]
    assert lines[4].startswith("3 jobs, at most $204.00, likely $1.25 and 1 job of unknown cost (")
    many = plan_table([planned(job) for job in range(30)], Prices(listed=LISTED), PRICES, 80, likely)
    assert in_one(many.splitlines()[1]).endswith("$1,015.20 $37.50") and "30 jobs, at most $1,015.20, likely $37.50" in many


def test_jobs_that_run_show_what_they_have_cost_so_far() -> None:
    rows = [listed(0, "x=1", cost_so_far_usd=0.25), listed(1, "x=2", "completed", cost_usd=1.0, cost_so_far_usd=None)]
    rows[0]["name"] = name = "app-1c2750de9baf5456-0"
    rows[0]["state"] = "running (Training)"
    table = jobs_table(rows, 80)
    first, second = table.splitlines()[1:3]
    assert first.endswith("$0.25") and name in second and second.endswith("so far"), "no name is broken into two lines"
    assert table.endswith("2 jobs, $1.25 so far")
    assert jobs_table(rows[1:], 80).endswith("1 job, $1.00")


def test_twenty_jobs_are_shown_one_by_one() -> None:
    assert len(plan([planned(job) for job in range(16)]).splitlines()) == 1 + 16 + 1


def test_many_jobs_in_groups() -> None:
    rows = [planned(job, "reused") if job in (0, 1, 2, 7) else planned(job) for job in range(60)]
    table = in_one(plan(rows))
    assert "0-2, 7 seed=0 … seed=7 reused ml.g5.xlarge 24 $0.00 4 jobs" in table
    assert "3-6, 8-59 seed=3 … seed=59 new ml.g5.xlarge 24 $1,895.04 56 jobs" in table
    assert f"60 jobs, at most $1,895.04 ({PRICES})" in table


def test_many_different_jobs() -> None:
    lines = plan([planned(job, max_run_hours=job + 1.0) for job in range(100)]).splitlines()
    assert len(lines) == 1 + 8 + 1 + 8 + 1
    assert in_one(lines[9]) == "… … 84 more lines"
    assert in_one(lines[-2]) == "99 seed=99 new ml.g5.xlarge 100 $141.00"
    assert lines[-1].startswith("100 jobs, at most $7,120.50 ")


def test_ranges() -> None:
    assert _ranges([5, 0, 1, 2]) == "0-2, 5"
    assert _ranges(range(0, 20, 2)) == "0, …, 18"


def test_jobs() -> None:
    rows = [
        listed(0, "seed=0", "failed", cause="memory", started="2026-11-24T01:58:31+00:00", runtime_seconds=4000, cost_usd=1.25),
        listed(1, "seed=1"),
    ]
    lines = jobs_table(rows, 80).splitlines()
    assert in_one(lines[0]) == "job overrides, name state started runtime cost"
    assert in_one(lines[1]) == "0 seed=0 failed 11-24 01:58 1:06:40 $1.25"
    assert in_one(lines[2]) == f"{NAME}0 memory"
    assert in_one(lines[3]) == "1 seed=1 running ?"
    assert lines[-1] == "2 jobs, $1.25 and 1 job of unknown cost"


def test_columns_without_anything_are_left_out() -> None:
    [first, *_] = jobs_table([listed(0, "seed=0", "waiting")], 80).splitlines()
    assert first.split() == "job overrides, name state cost".split()


def test_no_jobs() -> None:
    assert jobs_table([]) == "0 jobs, $0.00"


def test_cost() -> None:
    rows = [
        billed(0, bill(360, 0.004, 0.0), interruptions=1),
        billed(1, bill(30000, 4.0, 10.0), bill(30000, 4.0, 10.0), bill(30000, 4.5, 5.0)),
        billed(2, bill(None, None, None)),
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
    values = {"started": "2026-11-24T01:58", "runtime_seconds": 90000, "cost_usd": 12.5}
    jobs = [listed(job, f"{WORDS}{job}", **values) for job in range(3)]
    machines = {"instance_type": "ml.g5.12xlarge", "instance_count": 2, "spot": True}
    plans = [planned(job, "attached", words=f"{WORDS}{job}", **machines) for job in range(3)]
    for table in (jobs_table(jobs, width), plan(plans, width)):
        lines = table.splitlines()
        assert max(len(line) for line in lines[:-1]) <= width
        assert all(word in table for word in WORDS.split())
    assert all(f"{NAME}{job}" in jobs_table(jobs, width) for job in range(3))


def test_brackets_are_no_markup() -> None:
    assert "model.num_layers=[1,2] [bold]" in jobs_table([listed(0, "model.num_layers=[1,2] [bold]")], 80)


def test_json_is_exact() -> None:
    rows = [listed(0, "seed=0", cost_usd=1 / 3), listed(1, "seed=1")]
    assert json.loads(as_json(rows)) == rows
    with pytest.raises(ValueError):
        as_json([listed(0, "seed=0", cost_usd=float("nan"))])


def test_duration() -> None:
    assert [duration(seconds) for seconds in (None, 0, 59.6, 90061)] == ["?", "0:00:00", "0:01:00", "25:01:01"]
