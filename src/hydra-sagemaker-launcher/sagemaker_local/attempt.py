"""One attempt at a training job: its containers from the first line of the log to the last copy of the checkpoints."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from sagemaker_local.account import CONTAINER_BASE, LOG_GROUP
from sagemaker_local.checkpoints import CheckpointSync
from sagemaker_local.container import Container
from sagemaker_local.faults import is_meant
from sagemaker_local.isolation import host_names
from sagemaker_local.logs import LogStream, MetricReader
from sagemaker_local.services import Services
from sagemaker_local.training_job import FAILURE_REASON_CHARACTERS, TrainingJob
from sagemaker_local.warm_pools import CACHE_VARIABLE

TICK_SECONDS = 0.05
LOG_SECONDS = 0.3
OTHER_HOSTS_SECONDS = 1.0
"""Time for the other hosts to end after one has failed."""
NETWORK_INTERFACE = "lo0" if sys.platform == "darwin" else "lo"
GROUP = "homogeneousCluster"
RECLAIMED = "Reclaimed"
"""Reason: interrupted without notice."""


class Interrupted(Exception):
    """The spot instance was taken back."""


class Attempt:
    def __init__(
        self, job: TrainingJob, services: Services, directory: Path, number: int, trained_seconds_before: float
    ) -> None:
        self.job, self.services, self.faults = job, services, services.counters.faults
        self.number, self.trained_seconds_before = number, trained_seconds_before
        self.trained_seconds = 0.0
        algorithm = job.request["AlgorithmSpecification"]
        self.command = algorithm.get("ContainerEntrypoint", ["train"]) + algorithm.get("ContainerArguments", [])
        self.metrics = MetricReader(algorithm.get("MetricDefinitions", []))
        hosts = host_names(services.isolation, job.instance_count)
        self.containers = [
            Container(directory / f"algo-{index}", isolation=services.isolation, host=host, hosts=hosts)
            for index, host in enumerate(hosts, start=1)
        ]
        self._streams: list[LogStream] = []
        self._checkpoints: list[CheckpointSync] = []
        self._failed: Container | None = None

    def train(self) -> str | None:
        """Train, and return the reason for an end from outside: Stopped, MaxRuntimeExceeded, MaxWaitTimeExceeded; else None.

        Raises Interrupted, and one of TRANSFER_ERRORS when checkpoints cannot be copied.
        """
        for container in self.containers:
            self._configure(container)
            if config := self.job.request.get("CheckpointConfig"):
                kept = container.path(config.get("LocalPath", f"{CONTAINER_BASE}/checkpoints"))
                self._checkpoints.append(CheckpointSync(self.services.s3, config["S3Uri"], kept))
        for index, container in enumerate(self.containers, start=1):
            stream = f"{self.job.name}/algo-{index}-{int(time.time() * 1000)}"
            self._streams.append(LogStream(self.services.logs, LOG_GROUP, stream, container.log_file))
        names = {"TRAINING_JOB_NAME": self.job.name, "TRAINING_JOB_ARN": self.job.arn}
        variables = {**self.job.request.get("Environment", {}), **names}
        pool = self.job.pool or self.job.warm_from
        for host, container in enumerate(self.containers):
            cached = {CACHE_VARIABLE: str(pool.cache(host))} if pool is not None else {}
            container.start(self.command, variables | cached, self.services.environments, self.services.job_credentials)
        reason = self._watch()
        self._send_logs(is_last=True)
        if reason == RECLAIMED:  # `close` ends the copying where it stands
            raise Interrupted
        for sync in self._checkpoints:
            sync.close()
        if reason == "Interrupted" and not self.job.stop_requested.is_set():
            raise Interrupted
        return "Stopped" if reason == "Interrupted" else reason

    def _configure(self, container: Container) -> None:
        request, kind = self.job.request, self.job.instance_type
        container.write_json("hyperparameters.json", request.get("HyperParameters", {}))
        container.write_json(
            "inputdataconfig.json", {c["ChannelName"]: _channel(c) for c in request.get("InputDataConfig", [])}
        )
        group = {"instance_group_name": GROUP, "instance_type": kind, "hosts": container.hosts}
        container.write_json(
            "resourceconfig.json",
            {
                "current_host": container.host,
                "current_instance_type": kind,
                "current_group_name": GROUP,
                "hosts": container.hosts,
                "instance_groups": [group],
                "network_interface_name": NETWORK_INTERFACE,
            },
        )

    def _send_logs(self, *, is_last: bool = False) -> None:
        for stream in self._streams:
            self.metrics.read(stream.send(is_last=is_last))

    def _watch(self) -> str | None:
        began = last_sent = time.monotonic()
        reason, asked = None, 0.0
        while running := [container for container in self.containers if container.is_running]:
            running[0].wait(TICK_SECONDS)
            now = time.monotonic()
            self.trained_seconds = now - began
            if now - last_sent > LOG_SECONDS:
                self._send_logs()
                last_sent = now
            if reason is None and (reason := self._reason_to_stop()):
                asked = now
                for container in running:
                    container.kill() if reason == RECLAIMED else container.terminate()
            self._kill_if_due(running, asked if reason else None)
        return reason

    def _reason_to_stop(self) -> str | None:
        scale = self.faults.time_scale
        if self.job.stop_requested.is_set():
            return "Stopped"
        if (self.trained_seconds_before + self.trained_seconds) * scale > self.job.max_runtime_seconds:
            return "MaxRuntimeExceeded"
        if (time.time() - self.job.created) * scale > self.job.max_wait_seconds:
            return "MaxWaitTimeExceeded"
        is_meant_to_be = self.job.is_spot and is_meant(self.faults.interrupt_jobs, self.job.name)
        is_due = self.number <= self.faults.interrupt_times and self.trained_seconds > self.faults.interrupt_after_seconds
        if not is_meant_to_be or not is_due:
            return None
        return RECLAIMED if self.number <= self.faults.interrupt_unannounced_times else "Interrupted"

    def _kill_if_due(self, running: list[Container], asked: float | None) -> None:
        is_lost = is_meant(self.faults.kill_jobs, self.job.name) and self.trained_seconds > self.faults.kill_after_seconds
        has_had_its_grace = asked is not None and time.monotonic() - asked > self.services.stop_grace_seconds
        if is_lost or has_had_its_grace or self.services.closing.is_set():
            for container in running:
                container.kill()
        elif asked is None and (failed := self._failed_host()):
            self._failed = failed
            running[0].wait(OTHER_HOSTS_SECONDS)
            for container in running:
                container.kill()

    def _failed_host(self) -> Container | None:
        """Return the host that failed first."""
        return self._failed or next((container for container in self.containers if container.exit_code), None)

    def failure(self) -> str | None:
        """Return the FailureReason; None if every host ended with 0."""
        if (failed := self._failed_host()) is None:
            return None
        file = failed.tree / "output" / "failure"
        text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
        ending = f", exit code: {failed.exit_code}"
        return f"AlgorithmError: {text}"[: FAILURE_REASON_CHARACTERS - len(ending)] + ending

    def close(self) -> None:
        for sync in self._checkpoints:
            sync.stop()
        for container in self.containers:
            container.close()


def _channel(channel: dict[str, Any]) -> dict[str, str]:
    source = channel["DataSource"]["S3DataSource"]
    described = {
        "TrainingInputMode": channel.get("InputMode", "File"),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return described | ({"ContentType": channel["ContentType"]} if "ContentType" in channel else {})
