"""Machines that are kept warm for the sweep's next job: used, paid for, and always given back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sagemaker_fixtures import Account, Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
pytestmark = pytest.mark.slow

KEPT = "hydra.launcher.keep_warm_minutes=5"
PRICE = "hydra.launcher.price_per_hour={ml.m5.large: 360}"
"""$0.10 a second."""


@pytest.fixture(autouse=True)
def _pools(account: Account) -> Iterator[None]:
    machines = account.server.machines
    machines.warm_pools, machines.pool_delay_seconds, machines.pool_end_seconds = 8, 0.3, 0.2
    yield
    machines.warm_pools = 0
    with account.server.jobs.lock:
        for job in account.server.jobs.jobs.values():
            if job.pool is not None and job.pool.is_live:
                job.pool.end(time.time())


def pools(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """WarmPoolStatus of every job that has one."""
    described = {name: job.describe() for name, job in cloud.server.jobs.jobs.items() if name in cloud.names()}
    return {name: one["WarmPoolStatus"] for name, one in described.items() if "WarmPoolStatus" in one}


def statuses(cloud: Cloud) -> list[str]:
    return sorted(one["Status"] for one in pools(cloud).values())


def doing(**jobs: int) -> tuple[str, ...]:
    """Overrides that let each job, named by its x, do something else."""
    return tuple(f"+hydra.launcher.env.DO_{x}={'raise' if what == 'fail' else what}" for what, x in jobs.items())


def events(cloud: Cloud, kind: str) -> list[dict[str, Any]]:
    lines = (cloud.app.sweep_dir / ".launcher/ledger.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def await_one_that_runs_and_one_idle(cloud: Cloud) -> None:
    """Wait until a job runs, and the machine of one that has failed, which the launcher knows, is Available."""
    cloud.app.await_(lambda: statuses(cloud) == ["Available", "InUse"] and bool(events(cloud, "collected")))


def verb(cloud: Cloud, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hydra_sagemaker", *words]
    environment = {**os.environ, **cloud.env}
    return subprocess.run(command, cwd=cloud.app.root, env=environment, capture_output=True, text=True, timeout=60)


def test_jobs_take_the_machines_of_those_before_and_none_is_left(cloud: Cloud) -> None:
    output = cloud.sweep("x=1,2,3,4,5,6", KEPT, PRICE, "hydra.launcher.max_parallel=2", "hydra.launcher.max_run_hours=1")
    assert statuses(cloud) == ["Reused"] * 4 + ["Terminated"] * 2
    assert "at most $2,340.00, at most $180.00 of it for machines kept warm after their jobs" in output
    assert all(one["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 300 for one in cloud.created())
    records = {cloud.record(number)["name"]: cloud.record(number) for number in range(6)}
    found = pools(cloud)
    for name, record in records.items():
        kept = found[name]["ResourceRetainedBillableTimeInSeconds"]
        bill = record["cost"]
        assert record["warm_pool"]["status"] == found[name]["Status"] and bill["kept_warm_seconds"] == kept
        assert bill["cost_usd"] == pytest.approx(0.1 * (bill["billable_seconds"] + kept))
        if "reused_by" in record["warm_pool"]:
            assert records[record["warm_pool"]["reused_by"]]["warm_start_from"] == name
    assert sum("warm_start_from" in record for record in records.values()) == 4
    total = sum(record["cost"]["cost_usd"] for record in records.values())
    assert f"6 jobs, ${total:.2f}, " in output and " of machines kept warm (" in output and "kept warm" in output


def test_the_last_jobs_are_not_waited_for_with_idle_machines(cloud: Cloud) -> None:
    process = cloud.start("x=1,2", KEPT, *doing(nothing=1, wait=2))
    cloud.app.await_(lambda: statuses(cloud) == ["InUse", "Terminated"])
    cloud.app.let_go()
    assert process.wait(60) == 0 and statuses(cloud) == ["Terminated"] * 2


def test_a_job_with_other_machines_neither_takes_a_pool_nor_waits_for_one(cloud: Cloud) -> None:
    cloud.app.write("conf/config.yaml", "x: 0\ndo: nothing\ndisk: 10\n")
    cloud.sweep("x=1,2", "disk=10,90", KEPT, "hydra.launcher.volume_gb=${disk}", "hydra.launcher.max_parallel=1")
    assert statuses(cloud) == ["Reused", "Reused", "Terminated", "Terminated"]
    reused = {one["name"]: one["reused_by"] for one in events(cloud, "warm_pool") if one["status"] == "Reused"}
    sizes = {one["TrainingJobName"]: one["ResourceConfig"]["VolumeSizeInGB"] for one in cloud.created()}
    assert len(reused) == 2 and all(sizes[one] == sizes[other] for one, other in reused.items())


def interrupted(cloud: Cloud, *words: str) -> str:
    """What a launcher prints that is interrupted while one job runs, and one machine waits for the job that is retried."""
    retried = ("hydra.launcher.retries.task=1", "hydra.launcher.retry_seconds=60")
    process = cloud.start("x=1,2", KEPT, *retried, *words, *doing(wait=1, fail=2))
    await_one_that_runs_and_one_idle(cloud)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in output, output
    return output


def test_ctrl_c_and_detach(cloud: Cloud) -> None:
    output = interrupted(cloud, "hydra.launcher.on_interrupt=detach")
    assert "1 job continues in SageMaker" in output and "kept warm and cost" not in output
    assert "the machines of 1 job that runs on stay warm for up to 5 minutes after its end, and cost money" in output
    assert statuses(cloud) == ["InUse", "Terminated"]
    (ended,) = (one for one in events(cloud, "warm_pool"))
    assert ended["kept_warm_seconds"] >= 1, "the launcher waits until it is known what the idle machine has cost"
    cloud.app.let_go()
    done = verb(cloud, "collect", "--wait", "sweep")
    assert statuses(cloud) == ["Terminated"] * 2, done.stderr
    costs = [cloud.record(number)["cost"]["kept_warm_seconds"] for number in (0, 1)]
    assert min(costs) >= 1


def test_ctrl_c_and_stop(cloud: Cloud) -> None:
    output = interrupted(cloud, "hydra.launcher.on_interrupt=stop")
    assert statuses(cloud) == ["Terminated"] * 2 and "are given back; Ctrl-C leaves them" in output
    assert [one["status"] for one in events(cloud, "warm_pool")] == ["Terminated"] * 2


@pytest.mark.parametrize("waits", [False, True])
def test_collect_after_a_kill_gives_machines_back(cloud: Cloud, waits: bool) -> None:
    process = cloud.start("x=1", KEPT, PRICE, *doing(wait=1))
    cloud.app.await_marks(1)
    process.kill()
    process.communicate()
    cloud.app.let_go()
    if not waits:
        cloud.app.await_(lambda: statuses(cloud) == ["Available"])
    done = verb(cloud, "collect", "sweep", *(["--wait"] * waits))
    assert done.returncode == 0 and statuses(cloud) == ["Terminated"], done.stderr
    bill = cloud.record(0)["cost"]
    assert bill["kept_warm_seconds"] >= 1
    assert bill["cost_usd"] == pytest.approx(0.1 * (bill["billable_seconds"] + bill["kept_warm_seconds"]))


def test_collect_leaves_the_machines_of_a_launcher_that_works_alone(cloud: Cloud) -> None:
    retried = ("hydra.launcher.retries.task=1", "hydra.launcher.retry_seconds=60")
    process = cloud.start("x=1,2", KEPT, *retried, *doing(wait=1, fail=2))
    await_one_that_runs_and_one_idle(cloud)
    verb(cloud, "collect", "sweep")
    assert statuses(cloud) == ["Available", "InUse"]
    process.terminate()
    process.communicate(timeout=60)
    cloud.app.let_go()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_idle_machines_back(cloud: Cloud, number: signal.Signals) -> None:
    retried = ("hydra.launcher.retries.task=1", "hydra.launcher.retry_seconds=60")
    process = cloud.start("x=1,2", KEPT, *retried, *doing(wait=1, fail=2))
    await_one_that_runs_and_one_idle(cloud)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number and "1 job continues in SageMaker" in output
    assert statuses(cloud) == ["InUse", "Terminated"] and "stay warm for up to 5 minutes after its end" in output
    cloud.app.let_go()


def test_sigterm_while_ctrl_c_waits_for_an_answer_gives_machines_back(cloud: Cloud) -> None:
    retried = ("hydra.launcher.retries.task=1", "hydra.launcher.retry_seconds=60")
    process = cloud.start("x=1,2", KEPT, *retried, "hydra.launcher.on_interrupt=detach", *doing(wait=1, fail=2))
    await_one_that_runs_and_one_idle(cloud)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    read = []
    while not any("detaching in" in line for line in read):
        read.append(process.stdout.readline())
        assert read[-1], read
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143 and statuses(cloud) == ["InUse", "Terminated"], output
    cloud.app.let_go()


def test_what_could_not_be_ended_is_said_with_the_command(cloud: Cloud) -> None:
    cloud.fault(denied_operations=["UpdateTrainingJob"])
    output = interrupted(cloud, "hydra.launcher.on_interrupt=stop")
    names = sorted(pools(cloud))
    assert "the machines of 2 jobs are kept warm and cost money, and could not be given back:" in output
    command = "aws sagemaker update-training-job --resource-config KeepAlivePeriodInSeconds=0 --training-job-name"
    assert all(f"{command} {name}" in output for name in names)
    assert len(re.findall(r"at most until \d\d:\d\d: .*UpdateTrainingJob", output)) == 2
    cloud.fault()
    cloud.app.await_(lambda: statuses(cloud) == ["Available"] * 2)
    done = verb(cloud, "stop", "sweep", "--yes")
    assert done.returncode == 0 and done.stderr.count("are not kept warm any more") == 2, done.stderr
    assert statuses(cloud) == ["Terminated"] * 2


def test_the_command_stop_ends_machines_of_running_jobs_and_says_what_it_may_not(cloud: Cloud) -> None:
    process = cloud.start("x=1", KEPT, *doing(wait=1))
    cloud.app.await_marks(1)
    process.kill()
    process.communicate()
    cloud.fault(denied_operations=["UpdateTrainingJob"])
    done = verb(cloud, "stop", "sweep", "--yes")
    assert done.returncode == 2 and "the machines of 1 job are kept" not in done.stderr
    assert "the machines of 1 job is kept warm and cost money" in done.stderr, done.stderr
    cloud.fault()
    assert verb(cloud, "stop", "sweep", "--yes").returncode == 0
    cloud.app.await_(lambda: statuses(cloud) == ["Terminated"])


def test_max_failures_leave_nothing(cloud: Cloud) -> None:
    cloud.sweep("x=1,2,3,4", "do=raise", KEPT, "hydra.launcher.max_parallel=1", "hydra.launcher.max_failures=1", code=1)
    assert len(cloud.names()) == 1 and statuses(cloud) == ["Terminated"]


def test_a_launcher_that_loses_its_disk_gives_idle_machines_back(cloud: Cloud) -> None:
    retried = ("hydra.launcher.retries.task=1", "hydra.launcher.retry_seconds=60")
    process = cloud.start("x=1,2,3", KEPT, *retried, *doing(wait=1, fail=2))
    cloud.app.await_(lambda: "Available" in statuses(cloud) and "InUse" in statuses(cloud))
    ledger = cloud.app.sweep_dir / ".launcher/ledger.jsonl"
    ledger.rename(ledger.with_name("lost"))
    ledger.mkdir()
    cloud.app.let_go()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "Collected results are kept; mend that and run the same command" in output
    cloud.app.await_(lambda: not cloud.names("InProgress"))
    assert "Terminated" in statuses(cloud) and "could not be written down" in output, output


def test_a_job_that_is_there_twice_leaves_its_bill_with_the_one_that_ran(cloud: Cloud) -> None:
    cloud.sweep("x=1,1,2", KEPT, PRICE, "hydra.launcher.max_parallel=1")
    first, same = cloud.record(0), cloud.record(1)
    assert same["same_as"] == 0 and "cost" not in same
    assert first["warm_pool"]["status"] == "Reused" and first["cost"]["kept_warm_seconds"] >= 0
    assert {one["name"] for one in events(cloud, "warm_pool") if "kept_warm_usd" in one} <= set(cloud.names())


def test_a_refused_launch_gives_back_what_a_killed_one_has_left(cloud: Cloud) -> None:
    process = cloud.start("x=1", KEPT, *doing(wait=1))
    cloud.app.await_marks(1)
    process.kill()
    process.communicate()
    cloud.app.let_go()
    cloud.app.await_(lambda: statuses(cloud) == ["Available"])
    cloud.sweep("x=1", KEPT, "hydra.launcher.on_existing=fail", code=1)
    assert statuses(cloud) == ["Terminated"]


@pytest.mark.parametrize("again", [KEPT, "hydra.launcher.keep_warm_minutes=null"])
def test_machines_of_a_killed_launcher_are_found(cloud: Cloud, again: str) -> None:
    process = cloud.start("x=1", KEPT, *doing(wait=1))
    cloud.app.await_marks(1)
    process.kill()
    process.communicate()
    cloud.app.let_go()
    cloud.app.await_(lambda: statuses(cloud) == ["Available"])
    (first,) = pools(cloud)
    cloud.sweep("x=1,2" if again == KEPT else "x=1", again)
    found = pools(cloud)
    if again == KEPT:
        assert found[first]["Status"] == "Reused" and statuses(cloud) == ["Reused", "Terminated"]
        assert cloud.record(1)["warm_start_from"] == first
    else:
        assert statuses(cloud) == ["Terminated"]
    assert cloud.record(0)["cost"]["kept_warm_seconds"] >= 1


def test_machines_of_a_job_that_runs_on_end_with_the_next_launch(cloud: Cloud) -> None:
    process = cloud.start("x=1", KEPT, *doing(wait=1))
    cloud.app.await_marks(1)
    process.kill()
    process.communicate()
    process = cloud.start("x=1", "hydra.launcher.keep_warm_minutes=null", *doing(wait=1))
    cloud.app.await_(lambda: any(one["event"] == "attached" for one in events(cloud, "attached")))
    cloud.app.let_go()
    assert process.wait(60) == 0
    assert statuses(cloud) == ["Terminated"]


@pytest.mark.parametrize("refused", [False, True])
def test_without_a_quota_it_is_said_once_and_jobs_start_cold(cloud: Cloud, refused: bool) -> None:
    cloud.server.machines.warm_pools = 0
    cloud.fault(warm_pools_refused=refused)
    output = cloud.sweep("x=1,2,3,4", KEPT, "hydra.launcher.max_parallel=1")
    assert output.count("Service Quotas, Amazon SageMaker, 'ml.m5.large for training warm pool usage'") == 1
    assert "the account has no quota for it" in output and [one["value"] for one in cloud.returns()] == [10, 20, 30, 40]
    asked = ["KeepAlivePeriodInSeconds" in one["ResourceConfig"] for one in cloud.created()]
    if refused:
        assert asked == [True, False, False, False, False]
    else:  # silence is an answer after a number of looks, in which short jobs come and go
        assert asked[0] and asked == sorted(asked, reverse=True) and len(asked) == 4


def test_a_quota_for_fewer_machines_is_used(cloud: Cloud) -> None:
    cloud.server.machines.warm_pools = 1
    output = cloud.sweep("x=1,2,3,4,5,6", KEPT, "hydra.launcher.max_parallel=2")
    assert "fewer machines of ml.m5.large are kept warm than jobs run" in output
    assert "Reused" in statuses(cloud) and statuses(cloud).count("Terminated") >= 1
    assert set(statuses(cloud)) == {"Reused", "Terminated"}


def test_machines_of_a_job_without_capacity_say_nothing_of_the_quota(cloud: Cloud) -> None:
    cloud.fault(capacity_error_jobs=cloud.name, capacity_error_times=1)
    output = cloud.sweep("x=1,2", KEPT, "hydra.launcher.max_parallel=1", "hydra.launcher.retry_seconds=0.1")
    assert "quota" not in output and len(cloud.names()) == 3


def test_the_limit_counts_machines_that_are_kept(cloud: Cloud) -> None:
    words = ("x=1,2", KEPT, PRICE, "hydra.launcher.max_run_hours=1")
    output = cloud.sweep(*words, "hydra.launcher.max_cost_usd=720", code=1)
    assert "2 jobs (at most ml.m5.large for 1 h and 5 minutes kept warm) may cost $780.00" in output
    assert cloud.names() == []
    cloud.app.write("hooks.py", "def note(folder, record):\n    print('told', record['name'], record['cost'])\n")
    output = cloud.sweep(*words, "hydra.launcher.max_cost_usd=780", "hydra.launcher.collected=hooks.note")
    for record in (cloud.record(0), cloud.record(1)):
        bills = re.findall(rf"told {record['name']} (.*)", output)
        assert bills[-1] == str(record["cost"]) and "kept_warm_seconds" in bills[-1], "the function is told of the whole bill"


def test_downloads_are_kept_with_the_machine(cloud: Cloud) -> None:
    cloud.app.write(
        "app.py",
        """\
        import os
        import pathlib

        import hydra


        @hydra.main(version_base=None, config_path="conf", config_name="config")
        def main(config):
            file = pathlib.Path(os.environ["HF_HOME"]) / "model"
            found = file.exists()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("weights")
            return [found, os.environ["PIP_CACHE_DIR"]]


        if __name__ == "__main__":
            main()
        """,
    )
    own = "+hydra.launcher.env.PIP_CACHE_DIR=/tmp/of-the-user"
    cloud.sweep("x=1,2", KEPT, "hydra.launcher.max_parallel=1", own)
    assert [one["value"] for one in cloud.returns()] == [[False, "/tmp/of-the-user"], [True, "/tmp/of-the-user"]]
    assert "downloads are kept with this machine: HF_HOME" in cloud.account.log(cloud.names()[0])


SEARCHED = ("hydra/sweeper=async_optuna", "x=int(interval(0,1000))", "hydra.launcher.max_parallel=1")
DRIVEN = """\
import sys
import time

from hydra_sagemaker import Executor

from app import main

with Executor.for_app(main, "conf", sys.argv[1:]) as executor:
    first = executor.submit("x=1")
    while not first.done:
        executor.step()
        time.sleep(0.05)
    executor.submit("x=2")
    print([job.result() for job in executor.collect()])
    left = executor.submit("x=3", "do=wait")
"""


def test_an_executor_keeps_machines_until_it_is_closed(cloud: Cloud) -> None:
    cloud.app.write("driven.py", DRIVEN)
    words = [word for word in cloud.words if word != "-m" and not word.startswith("hydra/sweeper")]
    environment = {**os.environ, **cloud.env, "MARKS": str(cloud.app.marks_file), "PYTHONPATH": str(cloud.app.root)}
    command = [sys.executable, "driven.py", *words, KEPT, "hydra.launcher.max_parallel=1"]  # a free slot would not wait
    done = subprocess.run(command, cwd=cloud.app.root, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0 and "[10, 20]" in done.stdout, done.stderr
    assert statuses(cloud) == ["InUse", "Reused", "Terminated"]
    cloud.app.let_go()
    cloud.app.await_(lambda: not cloud.names("InProgress"))
    assert "the machines of 1 job that runs on stay warm for up to 5 minutes after its end" in done.stderr + done.stdout


def test_a_search_keeps_machines_between_trials_and_gives_them_back(cloud: Cloud) -> None:
    pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')
    words = (*SEARCHED, "hydra.sweeper.n_trials=3")
    output = cloud.sweep(*words, KEPT)
    assert "3 of 3 trials" in output and statuses(cloud) == ["Reused", "Reused", "Terminated"]


def test_a_search_whose_budget_is_spent_gives_machines_back(cloud: Cloud) -> None:
    pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')
    words = (*SEARCHED, "hydra.sweeper.n_trials=9")
    limit = ("hydra.launcher.max_run_hours=1", "hydra.launcher.max_cost_usd=390", PRICE)  # one job and its machine
    output = cloud.sweep(*words, *limit, KEPT)
    assert "the budget is spent" in output and statuses(cloud) == ["Terminated"]
