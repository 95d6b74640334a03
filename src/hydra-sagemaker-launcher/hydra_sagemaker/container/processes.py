"""Runs a job on one machine: starts its processes, passes signals on, collects exit codes and files.

Standard library only: process 1 of the container uses it, in an image that need not have more.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra_sagemaker.container import cluster, output_files, secrets
from hydra_sagemaker.files import read_json

RUNNER = "hydra_sagemaker.runner"
REASON_CHARACTERS = 1024
LAST_LINES = 20
OUTPUT_GRACE_SECONDS = 5
WITHOUT_RESULT = 1
"""Exit code of the container when the task's process ended with 0 and did not get as far as its result."""
VANISHED = "the task's process ended with exit code 0 and left no result: it calls os._exit, or another program replaced it"


def run(spec: dict[str, Any], base: Path, job_dir: Path, say: Callable[[str], None]) -> tuple[int, str]:
    """Run the job, the only one of this container; return its exit code, and the reason when it failed."""
    job = Processes(spec, base, job_dir)
    return carry_out(job, say, before=lambda: signal.signal(signal.SIGTERM, lambda number, frame: job.stop()))


def carry_out(
    job: Processes,
    say: Callable[[str], None],
    *,
    before: Callable[[], Any] = lambda: None,
    placed: Callable[[int, str], None] = lambda code, reason: None,
) -> tuple[int, str]:
    """Run a job; return its exit code, and the reason when it failed.

    `before` is called right before its processes start, `placed` with code and reason when its results are in place and its
    checkpoints are still there.
    """
    job.cluster.await_peers(say)
    try:
        job.secrets = secrets.read(job.spec, job.environment())
    except RuntimeError as error:
        say(str(error))
        return 1, str(error)
    if job.secrets:
        say(f"secrets read: {', '.join(job.secrets)}")
    try:
        before()
        code = job.run()
    except OSError as error:
        return 1, f"the job could not be started: {error}"
    code, reason = job.outcome(code)
    try:
        secrets.mask_logs(job.output, job.secrets)
        if job.is_first:
            output_files.settle(job.output, say)
        job.place()
        placed(code, reason)
        job.clear()
    except OSError as error:
        code, reason = code or 1, reason or f"the results could not be put in place: {type(error).__name__}: {error}"
    return code, reason


class Processes:
    """The processes of a job on this machine.

    Args:
        tree: gets the results, in the folders that SageMaker has below `/opt/ml`; None: `base`.
        kept: gets the checkpoints; None: `checkpoints` below `base`.
        label: begins each line in the container's log.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        base: Path,
        job_dir: Path,
        *,
        tree: Path | None = None,
        kept: Path | None = None,
        label: str = "",
    ) -> None:
        self.spec, self.base, self.job_dir, self.tree, self.label = spec, base, job_dir, tree or base, label.encode()
        self.cluster = cluster.read(base, spec.get("processes_per_instance"))
        self.is_first = self.cluster.node == 0
        self.data, self.private = self.tree / "output/data", self.tree / "private"
        self.kept = (kept or base / "checkpoints") if spec.get("checkpoints") else None
        if self.kept is not None and not self.is_first:  # all machines synchronise to the same place: only one changes it
            self.kept = shutil.copytree(self.kept, self.private / "checkpoints", symlinks=True, dirs_exist_ok=True)
        results = self.data if self.is_first else self.private / output_files.OUTPUT
        self.output = results if self.kept is None else self.kept / output_files.OUTPUT
        self.stopped = False
        self.process: subprocess.Popen[bytes] | None = None
        self.began = time.time()
        self.ended_workers: dict[int, int] = {}
        """Local rank to exit code of the processes that torchrun reported as failed."""
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        """The last lines printed; of a progress bar what it showed last."""
        self.secrets: dict[str, str] = {}

    def run(self) -> int:
        """Return the exit code, negative after a signal."""
        words = self.cluster.command(self.spec["name"], RUNNER, self.private / "torchrun")
        words += [str(self.job_dir / "spec.json"), "--root", str(self.base / "code"), "--job-dir", str(self.job_dir)]
        model = (self.tree if self.is_first else self.private) / "model"
        words += ["--output-root", str(self.output), "--model-dir", str(model)]
        process = self.process = subprocess.Popen(
            words,
            cwd=self.base / "code" / self.spec["working_dir"],
            env=self.environment() | self.secrets,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, so that a signal reaches every process the task has started
        )
        if self.stopped:  # while it was being started
            self.stop()
        copying = threading.Thread(target=self._copy_output, args=(process,), daemon=True)
        copying.start()
        code = process.wait()
        copying.join(OUTPUT_GRACE_SECONDS)  # a process that the task started may hold the pipe for ever
        return code

    def environment(self) -> dict[str, str]:
        path = [os.environ.get("PYTHONPATH"), str(self.base / "code/.launcher/path")]
        environment = {**os.environ, **self.spec.get("threads", {}), **self.cluster.environment()}
        environment["PYTHONPATH"] = os.pathsep.join(entry for entry in path if entry)
        if self.tree != self.base:  # tools name their runs by it, and the machine's other jobs are other runs
            environment["TRAINING_JOB_NAME"] = self.spec["name"]
        if self.kept is not None:
            environment[output_files.KEPT_VARIABLE] = str(self.kept)
        return environment

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Tell the job to end, now or as soon as it has started; with SIGKILL, end it."""
        self.stopped = True
        if self.process is None:
            return
        groups = cluster.workers(self.process.pid) if self.cluster.size > 1 else []
        for group in groups or [self.process.pid]:
            with suppress(ProcessLookupError):  # it has ended
                os.killpg(group, number)

    @property
    def is_running(self) -> bool:
        """True until its process has ended."""
        return self.process is None or self.process.poll() is None

    def _copy_output(self, process: subprocess.Popen[bytes]) -> None:
        """Copy to the container's log, and to a file that is downloaded with the results, without the values of secrets."""
        assert process.stdout is not None
        mask, overwritten = secrets.masking(self.secrets), False
        with (self.job_dir / "output.log").open("wb") as log:
            for segment in map(mask, secrets.segments(process.stdout)):
                for copy, label in ((sys.stdout.buffer, self.label), (log, b"")):
                    copy.write(label + segment)
                    copy.flush()
                text = segment.decode(errors="replace").rstrip()
                if text or not overwritten:  # else the line feed after a progress bar
                    if overwritten and self.last:
                        self.last.pop()
                    self.last.append(text)
                overwritten = segment.endswith(b"\r")
                if self.cluster.size > 1 and (ended := cluster.ENDED_WORKER.search(text)):
                    self.ended_workers.setdefault(int(ended[2]), int(ended[1]))

    def outcome(self, code: int) -> tuple[int, str]:
        """Return the container's exit code and reason; of several processes, the first failure counts."""
        if not self.stopped:
            self._record_killed_workers()
        result = read_json(self.job_dir / "result.json")
        failure = cluster.first_to_end([*cluster.rank_records(self.job_dir), *([result] if result else [])])
        failed = failure is not None and failure["status"] == "failed"
        if self.stopped and not failed and (self.cluster.size > 1 or code in (0, -signal.SIGTERM, 128 + signal.SIGTERM)):
            return 0, ""
        if code == 0 and failure is not None:  # of another process than the first
            code = failure["exit_code"]
        has_vanished = code == 0 and result is None and self.is_first and not self.stopped
        if has_vanished:
            code = WITHOUT_RESULT
        if code and not self.is_first:  # SageMaker merges the results of all machines
            for file in self.job_dir.glob("ranks/*.json"):
                (self.data / ".job/ranks").mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, self.data / ".job/ranks")
        reason = reason_of(code, failure if failed else None, self.last) if code and not self.stopped else ""
        if has_vanished:
            reason = "\n".join([VANISHED, "the last lines were", *self.last])
        return (code if code >= 0 else 128 - code), reason

    def _record_killed_workers(self) -> None:
        for local_rank, code in self.ended_workers.items():
            rank = self.cluster.node * self.cluster.processes_per_host + local_rank
            file = cluster.rank_file(self.job_dir, rank)
            if not file.exists() and (code < 0 or rank > 0):
                file.parent.mkdir(exist_ok=True)
                file.write_text(json.dumps(cluster.killed_record(self.spec["name"], rank, code, self.began)), encoding="utf-8")

    def place(self) -> None:
        """Link results from the kept directory to SageMaker's."""
        if self.kept is None or not self.is_first:
            return
        model = self.tree / "model" if self.has_completed else None
        output_files.place_results(self.output, self.spec["sweep_subdir"], self.data, model, self.spec["model_files"])

    def clear(self) -> None:
        """Empty the kept directory of a completed job; if it was stopped meanwhile, the next attempt finds everything done."""
        if self.kept is not None and self.is_first and self.has_completed:
            output_files.empty(self.kept)

    @property
    def has_completed(self) -> bool:
        result = read_json(self.job_dir / "result.json")
        return result is not None and result["status"] == "completed" and not self.stopped


def reason_of(code: int, failure: dict[str, Any] | None, last: Iterable[str]) -> str:
    """Return the failed process's exception, else how it ended."""
    if failure is not None:
        error = failure["exception"]
        where = f"rank {failure['rank']}\n" if "rank" in failure else ""
        return f"{error['type']}: {error['message']}\n{where}{error['traceback'][-REASON_CHARACTERS:]}"
    killed = f"killed by signal {-code}" + (": out of memory?" if code == -signal.SIGKILL else "")
    return f"{killed if code < 0 else f'exit code {code}'}; the last lines were\n" + "\n".join(last)
