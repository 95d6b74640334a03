"""A dry run shows the whole plan, needs no account, and refuses what would be refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hydra_apps import App

NO_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "XDG_CACHE_HOME": os.devnull,
    "AWS_PROFILE": "nosuch",
}
WORDS = (
    *("-m", "hydra/launcher=sagemaker", "hydra.launcher.mode=dry_run", "hydra.sweep.dir=sweeps/new"),
    *("hydra.launcher.instance_type=ml.m5.large", "hydra.launcher.price_per_hour={ml.m5.large: 0.5}"),
    "hydra.launcher.max_run_hours=4",
)


def dry_run(app: App, *words: str, code: int = 0) -> str:
    finished = app.run(*WORDS, *words, env=NO_ACCOUNT)
    assert finished.code == code and "Traceback" not in finished.output, finished.output
    return finished.output


def test_the_plan_without_an_account(app: App) -> None:
    said = dry_run(app, "x=1,2,1")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "job overrides origin instance hours at most" in lines
    assert "0 x=1 new ml.m5.large 4 $2.00" in lines and "1 x=2 new ml.m5.large 4 $2.00" in lines
    assert "2 jobs, at most $4.00 (instances only; prices: ml.m5.large as given)" in said
    assert "3 jobs: 2 new, 1 the same as another in " in said
    assert (
        "placeholders stand for what is not set, and is needed to submit: hydra.launcher.role_arn, hydra.launcher.s3_uri"
        in said
    )
    assert said.count("looked-up-when-submitting stands for the image: ") == 1
    assert "to upload: code, 2 files, 0.00 MB before packing" in said
    requests = app.root / "sweeps/new/.launcher/requests"
    assert f"3 requests in {requests}; nothing was uploaded or submitted" in said
    request = json.loads((requests / "0.request.json").read_text(encoding="utf-8"))
    assert request["RoleArn"].endswith("/placeholder") and request["OutputDataConfig"]["S3OutputPath"].startswith(
        "s3://placeholder"
    )


def test_local_files_that_would_be_uploaded_are_in_the_plan(app: App, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "pairs.csv"
    file.parent.mkdir()
    file.write_text("a" * 20_000, encoding="utf-8")
    said = dry_run(app, "x=1,2", f"+data={file}", "hydra.launcher.inputs=[data]")
    assert said.count(f"to upload: data={file}, 0.02 MB") == 1


def test_a_limit_is_applied_after_the_plan_is_shown(app: App) -> None:
    said = dry_run(app, "x=1,2", "hydra.launcher.max_cost_usd=3", code=1)
    assert said.index("at most $4.00") < said.index("nothing was submitted: 1 problem")
    assert "hydra.launcher.max_cost_usd=3: 2 jobs (at most ml.m5.large for 4 h) may cost $4.00. It fits with" in said
    assert not (app.root / "sweeps/new/.launcher/requests").exists()


def ledger(app: App, name: str, *seconds: float, status: str = "completed", instance_type: str = "ml.m5.large") -> None:
    file = app.root / f"sweeps/{name}/.launcher/ledger.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    for number, training in enumerate(seconds):
        cost = {"instance_type": instance_type, "instance_count": 1, "training_seconds": training, "billable_seconds": 1}
        event: dict[str, Any] = {
            "event": "collected",
            "name": f"{name}-{instance_type}-{number}",
            "status": status,
            "cost": cost,
        }
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(event) + "\n" + json.dumps(event) + "\n")


@pytest.mark.slow
def test_what_is_likely_is_the_median_of_earlier_jobs(app: App) -> None:
    ledger(app, "before", 360, 720, 10800, 99999999, status="completed")
    ledger(app, "before", 3, 4, 5, instance_type="ml.g5.xlarge")
    said = dry_run(app, "x=1,2")
    # the median of 0.2 and 3 hours is 1.6 hours
    assert (
        "2 jobs, at most $4.00, likely $1.60 (instances only; prices: ml.m5.large as given; likely: as 4 earlier jobs in "
        in said
    )
    assert f"{app.root / 'sweeps'} took, the median)" in said
    ledger(app, "new", 720)
    ledger(app, "new", 1, 2, 3, status="failed")
    assert "likely $0.20 (instances only; prices: ml.m5.large as given; likely: as 1 earlier job here took" in dry_run(
        app, "x=1,2"
    )
    ledger(app, "new", *[10**9] * 9)
    assert "at most $4.00, likely $4.00 (" in dry_run(app, "x=1,2"), "no more than the limit"
