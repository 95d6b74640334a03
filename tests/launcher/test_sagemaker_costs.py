"""A sweep costs nobody a surprise: it says what it may cost before, refuses what is too much, and counts what it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
pytestmark = pytest.mark.slow

FOUR_HOURS = ("hydra.launcher.max_run_hours=4", "hydra.launcher.price_per_hour={ml.m5.large: 0.5}")


def test_what_could_cost_too_much_is_not_submitted(cloud: Cloud) -> None:
    output = cloud.sweep("x=1,2,3", *FOUR_HOURS, "hydra.launcher.max_cost_usd=5", code=1)
    assert "max_cost_usd=5: 3 jobs (at most ml.m5.large for 4 h) may cost $6.00" in output
    assert "It fits with hydra.launcher.max_run_hours=3.33 or 2 of the 3 jobs or hydra.launcher.max_cost_usd=6.00." in output
    assert cloud.count("PutObject") == 0 and cloud.names() == [] and "Traceback" not in output


def test_an_unknown_price(cloud: Cloud) -> None:
    words = ("x=1", "hydra.launcher.instance_type=ml.g99.xlarge", "hydra.launcher.max_cost_usd=5")
    output = cloud.sweep(*words, code=1)
    assert "needs the price of ml.g99.xlarge" in output and "'hydra.launcher.price_per_hour={ml.g99.xlarge: USD}'" in output
    assert cloud.names() == []


def test_the_plan_before_and_the_bill_after(cloud: Cloud) -> None:
    cloud.fault(time_scale=100.0)
    output = cloud.sweep("x=1,2", *FOUR_HOURS, "hydra.launcher.spot=true", "hydra.launcher.max_cost_usd=4")
    assert "2 jobs, at most $4.00 (instances only; prices: ml.m5.large as given)" in output
    bills = [cloud.record(number)["cost"] for number in (0, 1)]
    for bill in bills:
        assert bill["cost_usd"] == pytest.approx(bill["billable_seconds"] / 3600 * 0.5)
        seconds = bill["training_seconds"] - bill["billable_seconds"]
        assert bill["saved_by_spot_usd"] == pytest.approx(seconds / 3600 * 0.5) and seconds > 0
    assert "saved by spot (instances only; prices: ml.m5.large as given)" in output
    again = cloud.sweep("x=1,2,3", *FOUR_HOURS, "hydra.launcher.spot=true", "hydra.launcher.max_cost_usd=4")
    assert "3 jobs, at most $2.00" in again, "collected results cost nothing more"


def test_a_retry_is_not_worth_more_than_the_limit(cloud: Cloud) -> None:
    cloud.fault(capacity_error_jobs=cloud.name, capacity_error_times=9, internal_error_jobs=cloud.name, internal_error_times=9)
    retries = ("hydra.launcher.retry_seconds=0.2", "hydra.launcher.retries.infra=5")
    output = cloud.sweep("x=1", *FOUR_HOURS, *retries, "hydra.launcher.max_cost_usd=2", code=1)
    assert len(cloud.names()) == 6, "an attempt without a machine costs nothing"
    assert "$0.00" in output


def test_an_attached_job_is_in_the_budget_too(cloud: Cloud) -> None:
    cloud.sweep("x=1", "do=wait", *FOUR_HOURS, "hydra.launcher.wait=false")
    output = cloud.sweep("x=1,2", "do=wait", *FOUR_HOURS, "hydra.launcher.max_cost_usd=3", code=1)
    assert "2 jobs (at most ml.m5.large for 4 h) may cost $4.00" in output
    assert len(cloud.names()) == 1
    words = [sys.executable, "-m", "hydra_sagemaker", "list", str(cloud.app.sweep_dir)]
    env = {**os.environ, **cloud.env}
    (row,) = json.loads(subprocess.run([*words, "--json"], env=env, capture_output=True, check=True).stdout)
    assert row["state"] == "running" and row["cost_usd"] is None and 0 < row["cost_so_far_usd"] < 0.1
    shown = subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout
    assert "<$0.01 so far" in shown and shown.endswith("1 job, <$0.01 so far\n")


def test_the_next_launch_knows_what_is_likely(cloud: Cloud) -> None:
    cloud.sweep("x=1", *FOUR_HOURS)
    output = cloud.sweep("x=1,2", *FOUR_HOURS)
    assert (
        "2 jobs, at most $2.00, likely <$0.01 (instances only; prices: ml.m5.large as given; likely: as 1 earlier job" in output
    )
