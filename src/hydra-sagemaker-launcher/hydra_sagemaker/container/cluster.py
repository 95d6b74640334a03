"""Starts the processes of a job on one or several machines, and finds the failure that came first.

Standard library only: process 1 of the container uses it, in an image that need not have more.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra_sagemaker.files import read_json

PEERS_SECONDS = 600
FIRST_PORT, PORTS = 10_000, 20_000
"""Below the ports that Linux gives to outgoing connections."""
INTERFACE_VARIABLES = ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "TP_SOCKET_IFNAME")
LINE_PREFIX = "TORCHELASTIC_LOG_LINE_PREFIX_TEMPLATE"
RUN_ID = "TORCHELASTIC_RUN_ID"
ENDED_WORKER = re.compile(r"failed \(exitcode: (-?\d+)\) local_rank: (\d+)")
"""torchrun's log line about a failed process: its exit code and its local rank."""


@dataclass(frozen=True)
class Cluster:
    """The machines in resourceconfig.json, in an order that is the same on every machine."""

    hosts: tuple[str, ...]
    host: str
    interface: str | None
    processes_per_host: int

    @property
    def node(self) -> int:
        return self.hosts.index(self.host)

    @property
    def size(self) -> int:
        """Number of processes on all machines."""
        return len(self.hosts) * self.processes_per_host

    def command(self, job: str, module: str, log_dir: Path) -> list[str]:
        """Return the command that starts a module on this machine, to be followed by its arguments.

        Raises:
            RuntimeError: several processes need torchrun, which the image lacks.
        """
        if self.size == 1:
            safe = ["-P"] if sys.version_info >= (3, 11) else []  # a queue.py of the task's directory is not the library's
            return [sys.executable, "-u", *safe, "-m", module]
        if importlib.util.find_spec("torch") is None:
            raise RuntimeError(
                f"{self.size} processes on {len(self.hosts)} machines are started by torchrun, and the image "
                "has no torch: choose an image that has it, or hydra.launcher.instance_count=1 and processes_per_instance=1"
            )
        # the same on all machines of a job, another for another job, which may share the network
        port = FIRST_PORT + zlib.crc32(job.encode()) % PORTS
        words = [sys.executable, "-u", "-m", "torch.distributed.run"]
        words += ["--nnodes", str(len(self.hosts)), "--nproc_per_node", str(self.processes_per_host)]
        words += ["--node_rank", str(self.node), "--master_addr", self.hosts[0], "--master_port", str(port)]
        return [*words, "--max_restarts", "0", "--tee", "3", "--log_dir", str(log_dir), "-m", module]

    def environment(self) -> dict[str, str]:
        """Return variables for torchrun and NCCL; values that are set already stay."""
        if self.size == 1:
            return {}
        wanted = {LINE_PREFIX: "[rank ${rank}] "}
        if self.interface:
            wanted |= dict.fromkeys(INTERFACE_VARIABLES, self.interface)
        return {name: os.environ.get(name, value) for name, value in wanted.items()}

    def await_peers(self, say: Callable[[str], None], seconds: float = PEERS_SECONDS) -> None:
        """Wait until every machine of the job can be found by its name.

        Raises:
            RuntimeError: a machine has no address after `seconds`.
        """
        began, logged = time.monotonic(), False
        while unknown := [host for host in self.hosts if not _resolves(host)]:
            if time.monotonic() - began > seconds:
                raise RuntimeError(
                    f"after {seconds:g} s these machines of the job have no address: {', '.join(unknown)}; "
                    "with hydra.launcher.extra.VpcConfig, the network has to resolve names. "
                    "The same command submits the job again"
                )
            if not logged:
                say(f"waiting for {', '.join(unknown)}")
                logged = True
            time.sleep(min(1.0, seconds))


def read(base: Path, processes_per_instance: int | None) -> Cluster:
    """Read SageMaker's description of the machines; None starts one process per GPU."""
    file = base / "input/config/resourceconfig.json"
    described = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    hosts = tuple(sorted(described.get("hosts", []))) or ("localhost",)
    processes = max(1, gpus()) if processes_per_instance is None else processes_per_instance
    return Cluster(hosts, described.get("current_host", hosts[0]), described.get("network_interface_name"), processes)


def gpus() -> int:
    """Return the number of GPUs that the image names, else the driver."""
    if (named := os.environ.get("SM_NUM_GPUS", "")).isdigit():
        return int(named)
    if shutil.which("nvidia-smi") is None:
        return 0
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0


def rank() -> int:
    """Return this process's number in its job, as torchrun or Lightning set it; 0 without them."""
    return int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)


def workers(torchrun: int) -> list[int]:
    """Return torchrun's processes; each leads a session of its own, which no signal to torchrun's group reaches.

    When torchrun itself gets a signal, it kills them after 30 seconds, which may be too short to save.
    """
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            if int(file.read_text(encoding="utf-8").rpartition(")")[2].split()[1]) == torchrun:
                found.append(int(file.parent.name))
    return found


def rank_file(job_dir: Path, number: int) -> Path:
    """Return the file in which a process other than the first records its failure."""
    return job_dir / "ranks" / f"{number}.json"


def rank_records(job_dir: Path) -> list[dict[str, Any]]:
    """Return the records of failed processes except rank 0; one that cannot be read counts as absent."""
    found = []
    for file in sorted((job_dir / "ranks").glob("*.json")):
        record = read_json(file)
        if isinstance(record, dict) and isinstance(record.get("ended"), int | float):
            found.append(record)
    return found


def first_to_end(records: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the record that ended first without completing: later failures are usually collateral."""
    ended = [record for record in records if record.get("status") != "completed"]
    return min(ended, key=lambda record: record.get("ended", 0.0), default=None)


def killed_record(name: str, number: int, code: int, began: float) -> dict[str, Any]:
    """Return the record of a process that could not write its own; a killed one counts as the first to fail."""
    message = f"rank {number} ended with exit code {code}"
    if code < 0:
        message = f"rank {number} was killed by signal {-code}" + (": out of memory?" if code == -signal.SIGKILL else "")
    exception = {"module": "builtins", "type": "ChildProcessError", "arguments": [message], "message": message}
    return {
        "status": "failed",
        "exit_code": code if code > 0 else 128 - code,
        "exception": exception | {"traceback": f"ChildProcessError: {message}\n", "cause": None},
        "name": name,
        "rank": number,
        "ended": began if code < 0 else time.time(),
    }


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
