"""Eight jobs in a cloud that says no: throttled, without quota, out of reach."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from gate import Gate

if TYPE_CHECKING:
    from sagemaker_fixtures import Account, Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
pytestmark = pytest.mark.slow

EIGHT = ("x=range(1,9)", "hydra.launcher.max_parallel=8", "hydra.launcher.submits_per_second=20")
VALUES = [10 * x for x in range(1, 9)]


def most_at_once(account: Account, names: list[str]) -> int:
    """Count from the jobs that the server itself knows."""
    jobs = [account.server.jobs.jobs[name] for name in names]
    return max(sum(other.created <= job.created < (other.ended or time.time()) for other in jobs) for job in jobs)


def test_three_of_four_calls_are_throttled(cloud: Cloud) -> None:
    cloud.fault(throttled_calls=3, throttle_period=4)
    output = cloud.sweep(*EIGHT, seconds=240)
    assert [one["value"] for one in cloud.returns()] == VALUES and len(cloud.names()) == 8
    answers = [one.status for one in cloud.server.requests if one.service == "sagemaker" and one.caller == "client"]
    assert answers.count(400) > len(answers) / 2, "the storm was one"
    assert "Traceback" not in output


def test_a_quota_of_two_for_eight(cloud: Cloud) -> None:
    cloud.fault(instance_quota={"ml.m5.large": 2})
    output = cloud.sweep(*EIGHT)
    assert [one["value"] for one in cloud.returns()] == VALUES
    assert most_at_once(cloud.account, cloud.names()) == 2 and len(cloud.names()) == 8
    assert "waiting (The account-level service limit 'ml.m5.large for training job usage' is 2 Instances" in output


def test_room_that_others_take_is_waited_for(cloud: Cloud) -> None:
    """The quota is another sweep's: nothing of ours runs, and nothing is given up."""
    other = cloud.start("x=9", "do=wait", "hydra.sweep.dir=other")
    cloud.app.await_marks(1)
    cloud.fault(instance_quota={"ml.m5.large": 1})
    process = cloud.start("x=1,2")
    cloud.app.await_(lambda: cloud.count("CreateTrainingJob") >= 3)
    assert process.poll() is None
    cloud.app.let_go()
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 0, output
    assert other.wait(30) == 0


def ledger_or_nothing(cloud: Cloud) -> str:
    file = cloud.output(".launcher") / "ledger.jsonl"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def test_a_name_that_another_launcher_has_used(cloud: Cloud) -> None:
    """Two launchers of one sweep, in two directories at the same moment: one job each, and both bring all results home."""
    first, second = (cloud.start("x=1,2,3", "do=nap", f"hydra.sweep.dir={name}") for name in ("one", "two"))
    for process in (first, second):
        output, _ = process.communicate(timeout=90)
        assert process.returncode == 0, output
    assert len(cloud.names()) == 3
    assert [one["value"] for one in cloud.returns()] == [10, 20, 30] * 2


@pytest.fixture
def gate(cloud: Cloud) -> Iterator[Gate]:
    with Gate(cloud.server.url) as gate:
        cloud.env["AWS_ENDPOINT_URL"] = gate.url
        yield gate


def test_the_network_is_gone_for_a_while(cloud: Cloud, gate: Gate) -> None:
    process = cloud.start("x=1,2,3,4", "do=wait", "hydra.launcher.max_parallel=2")
    cloud.app.await_marks(2)
    gate.close()
    cloud.app.let_go()
    cloud.app.await_(lambda: len(cloud.names("Completed")) == 2)
    time.sleep(12)
    assert process.poll() is None, "it waits for the network to come back"
    gate.open()
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 0, output
    assert "trying again, jobs run meanwhile" in output and "the service answers again, after" in output
    assert [one["value"] for one in cloud.returns()] == [10, 20, 30, 40]
    events = [json.loads(line)["event"] for line in ledger_or_nothing(cloud).splitlines()]
    assert events.count("collected") == 4
