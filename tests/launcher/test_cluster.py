"""Jobs of several processes and machines: torchrun starts them, the first one writes, and the first failure is told."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hydra_sagemaker.container import cluster
from hydra_sagemaker.container.cluster import Cluster
from hydra_sagemaker.job.result import read_result, rebuilt
from submitted_jobs import SubmittedJob

if TYPE_CHECKING:
    from sagemaker_fixtures import Account

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

ALL_REDUCE = """\
import logging
import os
import signal
import time
from pathlib import Path

import hydra
import torch
import torch.distributed as dist
from hydra.core.hydra_config import HydraConfig

FAILS, DIES, WAITS = 1, 2, 3


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    logging.getLogger(__name__).info("rank %d of %d", rank, dist.get_world_size())
    if config.x == FAILS and rank == dist.get_world_size() - 1:
        raise ValueError(f"rank {rank} is broken")
    if config.x == DIES and rank == dist.get_world_size() - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    output = Path(HydraConfig.get().runtime.output_dir)
    before = (output / "state").exists()
    print("found a state" if before else "found nothing", flush=True)
    (output / "state").write_text(f"of rank {rank}")
    (output / f"state-{rank}").touch()
    total = torch.ones(1) * (rank + 1)
    try:
        dist.all_reduce(total)
        if config.x == WAITS:
            print("waiting", flush=True)
            time.sleep(60)
    finally:
        if config.x == WAITS:
            time.sleep(0.3 + rank)
            (output / f"saved-{rank}").write_text("")
            print("saved", flush=True)
    dist.barrier()
    dist.destroy_process_group()
    return total.item()


if __name__ == "__main__":
    main()
"""
HERE = Cluster(("algo-1", "algo-2"), "algo-2", "eth0", 4)


def describe(base: Path, **values: Any) -> Path:
    (base / "input/config").mkdir(parents=True)
    (base / "input/config/resourceconfig.json").write_text(json.dumps(values))
    return base


def test_machines_are_counted_in_the_same_order_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_NUM_GPUS", "4")
    base = describe(tmp_path, hosts=["algo-2", "algo-1"], current_host="algo-2", network_interface_name="eth0")
    assert cluster.read(base, None) == HERE and (HERE.node, HERE.size) == (1, 8)
    assert cluster.read(base, 1).size == 2
    monkeypatch.setenv("SM_NUM_GPUS", "0")
    assert cluster.read(tmp_path / "nowhere", None).size == 1


def test_gpus_as_the_driver_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SM_NUM_GPUS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA A10G (UUID: GPU-1)'\necho 'GPU 1: NVIDIA A10G (UUID: GPU-2)'\n")
    driver.chmod(0o755)
    assert cluster.gpus() == 2
    driver.write_text("#!/bin/sh\necho 'no driver'\nexit 9\n")
    assert cluster.gpus() == 0


def test_torchrun_is_told_where_the_machines_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words, of_another = (HERE.command(job, "package.module", tmp_path) for job in ("a-job", "another-job"))
    told = dict(zip(words[4::2], words[5::2], strict=False))
    assert words[:4] == [sys.executable, "-u", "-m", "torch.distributed.run"] and words[-2:] == ["-m", "package.module"]
    assert (told["--nnodes"], told["--nproc_per_node"], told["--node_rank"], told["--master_addr"]) == ("2", "4", "1", "algo-1")
    assert HERE.command("a-job", "package.module", tmp_path) == words and told["--master_port"] not in of_another
    assert 10_000 <= int(told["--master_port"]) < 30_000
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "efa0")
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    assert HERE.environment()["NCCL_SOCKET_IFNAME"] == "efa0" and HERE.environment()["GLOO_SOCKET_IFNAME"] == "eth0"


def test_one_process_needs_no_torchrun_and_several_need_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Cluster(("algo-1",), "algo-1", "eth0", 1)
    assert alone.command("a-job", "package.module", tmp_path) == [sys.executable, "-u", "-P", "-m", "package.module"]
    assert alone.environment() == {}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        RuntimeError, match=r"8 processes on 2 machines are started by torchrun, and the image has no torch: choo"
    ):
        HERE.command("a-job", "package.module", tmp_path)


def test_a_machine_without_an_address_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(host: str, port: None) -> list[Any]:
        asked.append(host)
        if host == "algo-2" and asked.count("algo-2") < 3:
            raise socket.gaierror("not known yet")
        return []

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    said: list[str] = []
    HERE.await_peers(said.append)
    assert said == ["waiting for algo-2"] and asked.count("algo-2") == 3
    asked.clear()
    with pytest.raises(RuntimeError, match="after 0 s these machines of the job have no address: algo-2"):
        HERE.await_peers(said.append, seconds=0)


def record(status: str, ended: float, **more: Any) -> dict[str, Any]:
    exception = {"module": "builtins", "type": "ValueError", "arguments": [], "message": f"at {ended}", "traceback": "…"}
    values = {"status": status, "exit_code": 0 if status == "completed" else 1, "name": "a-job", "ended": ended}
    return values | ({} if status == "completed" else {"exception": exception}) | more


@pytest.mark.parametrize(
    "first, others, told",
    [
        (record("failed", 2.0), [record("failed", 1.0), record("failed", 3.0)], 1.0),
        (record("failed", 1.0), [record("failed", 2.0)], 1.0),
        (record("interrupted", 2.0), [record("failed", 1.0)], 1.0),
        (record("interrupted", 1.0), [record("failed", 2.0)], 1.0),
        (record("completed", 1.0), [record("failed", 2.0)], 2.0),
        (record("failed", 2.0), [record("failed", 1.0, name="an-earlier-job")], 2.0),
        (record("failed", 2.0), [{"status": "failed", "ended": 1.0}], 2.0),
        (None, [record("failed", 2.0), record("failed", 1.0, name="an-earlier-job")], 2.0),
    ],
)
def test_the_first_failure_is_the_jobs(
    tmp_path: Path, first: dict[str, Any] | None, others: list[dict[str, Any]], told: float
) -> None:
    (tmp_path / "spec.json").write_text('{"name": "a-job"}')
    if first is not None:
        (tmp_path / "result.json").write_text(json.dumps(first))
    (tmp_path / "ranks").mkdir()
    (tmp_path / "ranks/9.json").write_text("{half a re")
    for number, other in enumerate(others, start=1):
        cluster.rank_file(tmp_path, number).write_text(json.dumps(other))
    result = read_result(tmp_path)
    assert result is not None and result["ended"] == told


def test_a_killed_process_comes_before_the_failures_it_caused(tmp_path: Path) -> None:
    line = "E1 api.py:984] failed (exitcode: -9) local_rank: 3 (pid: 77) of binary: /python"
    found = cluster.ENDED_WORKER.search(line)
    assert found is not None and found.groups() == ("-9", "3") and not cluster.ENDED_WORKER.search("[rank 0] going on")
    killed = cluster.killed_record("a-job", 7, -9, began=1.0)
    cluster.rank_file(tmp_path, 7).parent.mkdir()
    cluster.rank_file(tmp_path, 7).write_text(json.dumps(killed))
    (tmp_path / "result.json").write_text(json.dumps(record("failed", 2.0)))
    result = read_result(tmp_path)
    assert result is not None
    with pytest.raises(ChildProcessError, match="rank 7 was killed by signal 9: out of memory"):
        raise rebuilt(result["exception"], None)
    assert cluster.killed_record("a-job", 7, 3, began=1.0)["ended"] > 2.0


@pytest.mark.slow
def test_two_machines_reduce_and_the_first_writes(account: Account, tmp_path: Path) -> None:
    job = SubmittedJob(account, tmp_path, ALL_REDUCE).submit(hosts=2)
    assert job.finished()["TrainingJobStatus"] == "Completed", job.log()
    files = job.archive()
    assert files["7/state"] == b"of rank 0" and json.loads(files[".job/result.json"])["return_value"] == 3.0
    assert b"rank 0 of 2" in files["7/app.log"] and b"rank 1" not in files["7/app.log"]
    assert {name for name in files if name.startswith(".job/")} == {
        f".job/{name}" for name in ("output.log", "result.json", "spec.json", "started.json")
    }
    assert "[rank 0] found nothing" in files[".job/output.log"].decode() and "[rank 1] found nothing" in job.log(2)
    assert re.search(r"\[rank 1\] .* - rank 1 of 2", job.log(2))


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [1, 2])
def test_the_exception_of_the_failed_process_is_the_jobs(account: Account, tmp_path: Path, hosts: int) -> None:
    job = SubmittedJob(account, tmp_path, ALL_REDUCE, x=1)
    job.submit({"processes_per_instance": 2 // hosts}, hosts=hosts)
    described = job.finished()
    assert described["FailureReason"].startswith("AlgorithmError: ValueError: rank 1 is broken\nrank 1\nTraceback"), job.log()
    result = read_result(job.unpacked(tmp_path / "home"))
    assert result is not None and result["rank"] == 1 and result["exception"]["message"] == "rank 1 is broken"


@pytest.mark.slow
def test_a_killed_process_of_several_is_no_clean_stop(account: Account, tmp_path: Path) -> None:
    job = SubmittedJob(account, tmp_path, ALL_REDUCE, x=2).submit({"processes_per_instance": 2})
    reason = job.finished()["FailureReason"]
    assert reason.startswith("AlgorithmError: ChildProcessError: rank 1 was killed by signal 9: out of memory?"), reason
    result = read_result(job.unpacked(tmp_path / "home"))
    assert result is not None and (result["rank"], result["exit_code"]) == (1, 137)


@pytest.mark.slow
def test_every_process_may_save_when_the_job_is_stopped(account: Account, tmp_path: Path) -> None:
    job = SubmittedJob(account, tmp_path, ALL_REDUCE, x=3)
    environment = {"OMP_NUM_THREADS": "1", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "0"}  # of torchrun: 30 seconds, too few for some
    job.submit({"processes_per_instance": 2}, Environment=environment)
    job.await_log("[rank 0] waiting")
    job.await_log("[rank 1] waiting")
    job.stop()
    assert job.finished()["TrainingJobStatus"] == "Stopped"
    assert {"7/saved-0", "7/saved-1"} <= set(job.archive()), job.log()
    assert job.result()["status"] == "interrupted" and job.log().count("saved") == 2
    assert b"rank 1 of 2" not in job.archive()["7/app.log"] and "- rank 1 of 2" in job.log()


@pytest.mark.slow
def test_what_was_kept_is_read_by_all_machines_and_changed_by_the_first(account: Account, tmp_path: Path) -> None:
    job = SubmittedJob(account, tmp_path, ALL_REDUCE)
    job._put("checkpoints/output/7/state", b"of an earlier attempt")
    job.submit({"checkpoints": True}, hosts=2)
    assert job.finished()["TrainingJobStatus"] == "Completed", job.log()
    assert "[rank 0] found a state" in job.log(1) and "[rank 1] found a state" in job.log(2)
    files = job.archive()
    assert files["7/state"] == b"of rank 0" and "7/state-1" not in files and job.kept() == {}
