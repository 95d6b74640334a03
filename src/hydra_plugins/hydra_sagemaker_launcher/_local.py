"""Mode local: a process of this machine per job, by the same specification and runner as in a training container.

The processes outlive a launcher that is killed; the next one adopts them. A lock that each process holds says whether it lives.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from hydra_plugins.hydra_sagemaker_launcher._backend import Existing, Outcome, State, Status
from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError
from hydra_plugins.hydra_sagemaker_launcher._identity import parse_job_name
from hydra_plugins.hydra_sagemaker_launcher._jobs import Job
from hydra_plugins.hydra_sagemaker_launcher._result import read_result, returned_value, write_atomically
from hydra_plugins.hydra_sagemaker_launcher._spec import Spec

PLUGIN_PATH = Path(__file__).resolve().parents[2]
STATES = {"completed": State.COMPLETED, "failed": State.FAILED, "interrupted": State.STOPPED}


class LocalBackend:
    def __init__(
        self, state_dir: Path, root: Path, working_dir: Path, closure: bytes | None, stop_grace_seconds: float = 120
    ) -> None:
        self.state_dir = state_dir
        self.root = root
        self.working_dir = working_dir
        self.closure = closure
        self.stop_grace_seconds = stop_grace_seconds
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def existing(self, jobs: Sequence[Job]) -> dict[str, Existing]:
        wanted = {job.key for job in jobs}
        newest: dict[str, tuple[int, str]] = {}
        for directory in self.state_dir.glob("*") if self.state_dir.is_dir() else ():
            key, attempt = parse_job_name(directory.name) or ("", 0)
            if key in wanted and (key not in newest or attempt > newest[key][0]):
                newest[key] = attempt, directory.name
        return {key: Existing(name, attempt, self._status(name)) for key, (attempt, name) in newest.items()}

    def submit(self, job: Job, name: str, spec: Spec) -> bool:
        state = self.state_dir / name
        try:
            state.mkdir(parents=True, exist_ok=True)
            lock = _free_lock(state)
            if lock is None:
                return False
            try:
                return self._started(job, name, spec, lock)
            finally:
                os.close(lock)
        except OSError as error:  # the other jobs may have more luck, and what runs is not given up
            raise LauncherError(f"its process could not be started: {error}") from None

    def _started(self, job: Job, name: str, spec: Spec, lock: int) -> bool:
        state = self.state_dir / name
        if (state / "where.json").exists():  # another launcher was quicker, and the job has ended already
            return False
        _forget(job.job_dir)
        write_atomically(job.job_dir / "spec.json", spec.to_json())
        where = {"output_dir": str(job.output_dir), "submitted": time.time()}
        write_atomically(state / "where.json", json.dumps(where))
        with (job.job_dir / "output.log").open("wb") as output:
            process = subprocess.Popen(
                self._command(job, state),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.working_dir,
                env=_environment(job),
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C is the launcher's to pass on; a killed launcher leaves the job alive
            )
        self._processes[name] = process
        write_atomically(state / "where.json", json.dumps(where | {"pid": process.pid}))
        return True

    def poll(self, names: Collection[str]) -> dict[str, Status]:
        return {name: self._status(name) for name in names}

    def collect(self, job: Job, name: str, status: Status) -> Outcome:
        source = Path(self._where(name)["output_dir"])
        if source != job.output_dir:
            _copy(source, job.output_dir, job.settings.model_files)
        result = self._result(name)
        record: dict[str, Any] = {"mode": "local", "seconds": result.get("seconds") if result else None}
        if source != job.output_dir:
            record["first_run_in"] = str(source)
        if result is None:
            reason = f"its process ended without a result: {status.detail}"
            return Outcome(
                status,
                None,
                reason,
                f"see the end of {job.job_dir / 'output.log'}; the same command runs it again",
                record=record,
            )
        value = returned_value(result, job.job_dir, own_process=name in self._processes)
        return Outcome(status, result, value=value, record=record)

    def stop(self, names: Collection[str]) -> None:
        """SIGTERM to each job, and time for it to save what it has."""
        for name in names:
            self._signal(name, signal.SIGTERM)
        deadline = time.monotonic() + self.stop_grace_seconds
        while time.monotonic() < deadline and any(self._lives(name) for name in names):
            time.sleep(0.1)
        for name in names:
            self._signal(name, signal.SIGKILL)

    def _command(self, job: Job, state: Path) -> list[str]:
        runner = [sys.executable, "-u", "-m", "hydra_plugins.hydra_sagemaker_launcher._runner", str(job.job_dir / "spec.json")]
        words = [*runner, "--root", str(self.root), "--job-dir", str(job.job_dir)]
        if self.closure is None:
            return words
        file = state / "closure.pickle"
        file.write_bytes(self.closure)
        return [*words, "--closure", str(file)]

    def _where(self, name: str) -> dict[str, Any]:
        file = self.state_dir / name / "where.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    def _result(self, name: str) -> dict[str, Any] | None:
        where = self._where(name)
        result = read_result(Path(where["output_dir"]) / ".job") if where else None
        return result if result is not None and result.get("name") == name else None

    def _status(self, name: str) -> Status:
        if self._lives(name):
            return Status(State.RUNNING, "running")
        try:
            result = self._result(name)
        except LauncherError as error:
            return Status(State.LOST, str(error))
        if result is not None:
            return Status(STATES[result["status"]], "" if result["exit_code"] == 0 else f"exit code {result['exit_code']}")
        code = self._processes[name].returncode if name in self._processes else None
        return Status(State.LOST, _meaning(code))

    def _lives(self, name: str) -> bool:
        process = self._processes.get(name)
        if process is not None:
            return process.poll() is None
        if not (self.state_dir / name).is_dir():
            return False
        lock = _free_lock(self.state_dir / name)
        if lock is None:
            return True
        os.close(lock)
        return False

    def _signal(self, name: str, number: int) -> None:
        pid = self._where(name).get("pid")
        if pid is not None and self._lives(name):
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                pass


def _free_lock(state: Path) -> int | None:
    """A descriptor that holds the job's lock, inherited by its process; None when a process holds it."""
    descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _environment(job: Job) -> dict[str, str]:
    """Secrets are not fetched here: who runs this has them in the environment."""
    path = [entry for entry in (os.environ.get("PYTHONPATH"), str(PLUGIN_PATH)) if entry]
    return {**os.environ, **job.settings.env, "PYTHONPATH": os.pathsep.join(path)}


def _forget(job_dir: Path) -> None:
    """Of an earlier attempt in the same directory."""
    job_dir.mkdir(parents=True, exist_ok=True)
    for name in ("result.json", "started.json", "record.json"):
        (job_dir / name).unlink(missing_ok=True)


def _copy(source: Path, target: Path, large: Sequence[str]) -> None:
    """The large files as links to the same data where the file system can."""

    def copy(path: str, copied: str) -> str:
        Path(copied).unlink(missing_ok=True)
        if any(fnmatch(Path(path).name, pattern) for pattern in large):
            try:
                os.link(path, copied)
                return copied
            except OSError:
                pass
        return shutil.copy2(path, copied)

    shutil.copytree(source, target, copy_function=copy, dirs_exist_ok=True)


def _meaning(code: int | None) -> str:
    if code is None:
        return "its process is gone"
    if code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}" + (", as the system does when memory runs out" if name == "SIGKILL" else "")
    return f"exit code {code}"
