"""Mode local: a process of this machine per job, by the same specification and runner as in a training container.

The processes outlive a launcher that is killed; the next one attaches to them. Each process holds a lock while it lives.
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra_sagemaker.aws.logs import FileLog, Log
from hydra_sagemaker.backends.base import Backend, Existing, Outcome, State, Status
from hydra_sagemaker.backends.diagnosis import failure_of_process
from hydra_sagemaker.backends.local_directories import OutputDirs
from hydra_sagemaker.backends.local_process import environment_of, exit_meaning, free_lock, is_locked
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.files import write_atomically
from hydra_sagemaker.job.identity import parse_job_name
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.result import read_result, returned_value
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.pricing.prices import prices_of
from hydra_sagemaker.reports import FILE as REPORTS_FILE
from hydra_sagemaker.settings import SageMakerLauncherConf

log = logging.getLogger(__name__)
STOP_GRACE_SECONDS = 120.0
"""The time to save between SIGTERM and SIGKILL."""
STATES = {"completed": State.COMPLETED, "failed": State.FAILED, "interrupted": State.STOPPED}


class LocalBackend(Backend):
    def __init__(
        self, settings: SageMakerLauncherConf, state_dir: Path, root: Path, working_dir: Path, closure: bytes | None
    ) -> None:
        self.region = settings.region
        self.prices = prices_of(settings)
        self.state_dir, self.root, self.working_dir, self.closure = state_dir, root, working_dir, closure
        self.outputs = OutputDirs(state_dir, self._runs)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._kill_at: dict[str, float] = {}
        """When a job is killed that was told to end, by its name."""

    def image(self, settings: SageMakerLauncherConf) -> str:
        return f"local python {platform.python_version()}"

    def log(self, job: Job, name: str, *, lines: int, is_collected: bool) -> Log:
        """Read the log where the job runs: the directory of an earlier sweep, if that sweep started it."""
        return FileLog(Path(self.outputs.where(name).get("output_dir", job.output_dir)) / ".job" / "output.log", lines=lines)

    def records_of(self, job: Job, name: str) -> Path:
        return (self.outputs.results_dir(name) or job.output_dir) / ".job"

    def existing(self, jobs: Sequence[Job]) -> dict[str, Existing]:
        wanted = {job.key for job in jobs}
        newest: dict[str, tuple[int, str]] = {}
        for directory in self.state_dir.glob("*"):
            key, attempt = parse_job_name(directory.name) or ("", 0)
            if key in wanted and (key not in newest or attempt > newest[key][0]):
                newest[key] = attempt, directory.name
        self.outputs.needed.update(name for _, name in newest.values())
        return {key: Existing(name, attempt, self._status(name)) for key, (attempt, name) in newest.items()}

    def occupied(self, jobs: Sequence[Job]) -> list[str]:
        return self.outputs.occupied(jobs)

    def submit(self, job: Job, name: str, spec: Spec, *, fresh: bool = False) -> bool:
        state = self.state_dir / name
        try:
            state.mkdir(parents=True, exist_ok=True)
            if not (ignore_file := self.state_dir / ".gitignore").exists():  # git must not take it for source
                ignore_file.write_text("*\n", encoding="utf-8")
            if (lock := free_lock(state)) is None:
                return False
            try:
                return self._started(job, name, spec, lock, fresh)
            finally:
                os.close(lock)
        except OSError as error:  # other jobs may start, and running ones continue
            raise LauncherError(f"its process could not be started: {error}") from None

    def _started(self, job: Job, name: str, spec: Spec, lock: int, fresh: bool) -> bool:
        state = self.state_dir / name
        if (state / "where.json").exists():  # another launcher started it, and it has ended already
            return False
        # attempts that are followed by another one are not collected
        self.outputs.needed -= {attempt.name for attempt in self.state_dir.glob(f"*-{job.key}-*")} - {name}
        is_alone = self.outputs.claim(job.output_dir, name, resumes=not fresh)
        job.job_dir.mkdir(parents=True, exist_ok=True)
        for record in ("result.json", "started.json", "record.json"):  # of an earlier attempt
            (job.job_dir / record).unlink(missing_ok=True)
        write_atomically(job.job_dir / "spec.json", spec.to_json())
        output_dir = str(job.output_dir)
        places = [output_dir] if is_alone else []
        self.outputs.note(name, output_dir=output_dir, ran_in=output_dir, submitted=time.time(), places=places)
        process = self._processes[name] = self._process(job, state, lock)
        try:
            self.outputs.note(name, pid=process.pid)
        except OSError:  # a full disk: a process that is not recorded must not run
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        return True

    def _process(self, job: Job, state: Path, lock: int) -> subprocess.Popen[bytes]:
        # -P, so that no file of the working directory replaces a module of the standard library
        words = [sys.executable, "-u", "-P", "-m", "hydra_sagemaker.runner", str(job.job_dir / "spec.json")]
        words += ["--root", str(self.root), "--job-dir", str(job.job_dir), "--lock", str(lock)]
        if self.closure is not None:
            (state / "closure.pickle").write_bytes(self.closure)
            words += ["--closure", str(state / "closure.pickle")]
        with (job.job_dir / "output.log").open("wb") as output:
            return subprocess.Popen(
                words,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.working_dir,
                env=environment_of(job),
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C is the launcher's to pass on; a killed launcher leaves the job alive
            )

    def poll(self, names: Collection[str]) -> dict[str, Status]:
        self.outputs.needed.update(names)
        for name in [name for name, at in self._kill_at.items() if time.monotonic() >= at]:
            del self._kill_at[name]
            self._signal(name, signal.SIGKILL)
        return {name: self._status(name) for name in names}

    def collect(self, job: Job, name: str, status: Status) -> Outcome:
        self.outputs.collect(name, job.output_dir, job.settings.model_files)
        result = self._result(name)
        record: dict[str, Any] = {"mode": "local", "seconds": result.get("seconds") if result else None}
        where = self.outputs.where(name)
        ran_in = where.get("ran_in") or where.get("output_dir")
        if ran_in not in (None, str(job.output_dir)):
            record["first_run_in"] = ran_in
        value = returned_value(result, job.job_dir, own_process=name in self._processes)
        outcome = Outcome(status, result, value=value, record=record)
        if not outcome.is_completed:
            log_file = job.job_dir / "output.log"
            meaning = status.detail or f"there is none in {self.outputs.results_dir(name)} any more"
            outcome.failure = failure_of_process(result, meaning, log_file if log_file.is_file() else None)
        return outcome

    def stop(self, names: Collection[str]) -> list[str]:
        """Send SIGTERM and wait for the jobs to save; Ctrl-C kills them at once."""
        try:
            for name in names:
                self._signal(name, signal.SIGTERM)
            deadline = time.monotonic() + STOP_GRACE_SECONDS
            while (running := self._running(names)) and time.monotonic() < deadline:
                time.sleep(0.1)
            if running:
                log.warning("killing what has not ended %.0f s after SIGTERM: %s", STOP_GRACE_SECONDS, ", ".join(running))
        except KeyboardInterrupt:
            log.warning("killing at once, unsaved work is lost: %s", ", ".join(self._running(names)))
        finally:
            for name in names:
                self._signal(name, signal.SIGKILL)
        return []

    def reports(self, job: Job, name: str) -> bytes:
        file = Path(self.outputs.where(name).get("output_dir", job.output_dir)) / REPORTS_FILE
        return file.read_bytes() if file.is_file() else b""

    def request_stop(self, name: str) -> None:
        self._signal(name, signal.SIGTERM)
        self._kill_at[name] = time.monotonic() + STOP_GRACE_SECONDS

    def _result(self, name: str) -> dict[str, Any] | None:
        directory = self.outputs.results_dir(name)
        result = read_result(directory / ".job") if directory is not None else None
        return result if result is not None and result.get("name") == name else None

    def _status(self, name: str) -> Status:
        """Trust the result of an attached job before its lock: processes that it started may still hold that."""
        process = self._processes.get(name)
        if process is not None and process.poll() is None:
            return Status(State.RUNNING, "running")
        holds_lock = process is None and is_locked(self.state_dir / name)
        try:
            result = self._result(name)
        except LauncherError as error:
            return Status(State.LOST, str(error))
        if result is not None:
            return Status(STATES[result["status"]], "" if result["exit_code"] == 0 else f"exit code {result['exit_code']}")
        if holds_lock:
            return Status(State.RUNNING, "running")
        return Status(State.LOST, exit_meaning(process.returncode if process is not None else None))

    def _runs(self, name: str) -> bool:
        return self._status(name).state == State.RUNNING

    def _running(self, names: Collection[str]) -> list[str]:
        return [name for name in names if self._runs(name)]

    def _signal(self, name: str, number: int) -> None:
        process = self._processes.get(name)
        pid = process.pid if process is not None else self.outputs.where(name).get("pid")
        if pid is not None and self._runs(name):
            with suppress(ProcessLookupError):
                os.killpg(pid, number)
