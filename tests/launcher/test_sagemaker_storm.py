"""Everything at once: eight spot jobs, a quota of three, throttling, two interruptions each, and the launcher killed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hydra_apps import LOCAL

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
pytestmark = pytest.mark.slow

WALK = """\
import json
import os
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    directory = Path(HydraConfig.get().runtime.output_dir)
    file = directory / "state.json"
    state = json.loads(file.read_text()) if file.exists() else {"step": 0, "value": config.x, "starts": []}
    state["starts"].append(state["step"])
    while state["step"] < 150:
        state["value"] = (state["value"] * 1103515245 + 12345) % 2**31
        state["step"] += 1
        unfinished = file.with_suffix(".tmp")
        unfinished.write_text(json.dumps(state))
        unfinished.replace(file)
        time.sleep(float(os.environ.get("STEP_SECONDS", "0")))
    (directory / "weights.dat").write_bytes(state["value"].to_bytes(8, "big") * 100)
    return state["value"]


if __name__ == "__main__":
    main()
"""
EIGHT = "x=range(1,9)"


def test_eight_spot_jobs_in_a_storm_end_as_those_of_a_calm_sweep_on_this_machine(cloud: Cloud) -> None:
    cloud.app.write("app.py", WALK)
    calm = cloud.app.run(*LOCAL, EIGHT, "hydra/sweeper=observed", "hydra.sweep.dir=calm", "hydra.launcher.max_parallel=2")
    assert calm.code == 0, calm.output
    expected = [one["value"] for one in cloud.returns()]

    cloud.fault(
        instance_quota={"ml.m5.large": 3}, throttled_calls=2, throttle_period=4,
        interrupt_jobs=cloud.name, interrupt_times=2, interrupt_unannounced_times=1, interrupt_after_seconds=10.0,
    )  # fmt: skip
    words = (EIGHT, "hydra.launcher.spot=true", "hydra.launcher.max_parallel=8", "+hydra.launcher.env.STEP_SECONDS='0.15'")
    first = cloud.start(*words)
    cloud.app.await_(lambda: len(collected(cloud)) >= 2, seconds=180)
    first.kill()
    first.wait()
    output = cloud.sweep(*words, seconds=300)

    assert [one["value"] for one in cloud.returns()] == expected
    assert len(cloud.names()) == 8, "not one job more than was asked for"
    assert "reused" in output and "new" in output and "(2 interruptions)" in output
    for number in range(8):
        weights = [(cloud.output(number, directory) / "weights.dat").read_bytes() for directory in ("sweep", "calm")]
        assert weights[0] == weights[1]
        starts = json.loads((cloud.output(number) / "state.json").read_text())["starts"]
        assert starts[-1] > 0 and cloud.record(number)["interruptions"] == 2, "it went on from where it was"
        assert cloud.record(number)["cost"]["saved_by_spot_usd"] >= 0
    kept = [key for key in cloud.objects() if "/checkpoints/" in key]
    assert kept == [], "nothing is left to pay for"


def collected(cloud: Cloud) -> list[str]:
    file = cloud.output(".launcher") / "ledger.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [line for line in lines if '"event": "collected"' in line]
