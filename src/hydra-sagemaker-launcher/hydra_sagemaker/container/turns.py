"""Runs the jobs that share a machine, one after the other, each in a process of its own and with results of its own.

Standard library only: process 1 of the container uses it, in an image that need not have more.

SageMaker copies the checkpoints to S3 while the machine runs, and back after a spot interruption. So what lies there tells the
launcher at once that a job has ended, and the next container which jobs it need not run again:

    checkpoints/turns/NAME/turn.json               how the job stands
    checkpoints/turns/NAME/output/output.tar.gz    its results, and model.tar.gz: as SageMaker makes them for a job alone
    checkpoints/NAME/                              its own checkpoints, as a job alone has them below checkpoints/
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hydra_sagemaker.container import cluster
from hydra_sagemaker.container.processes import OUTPUT_GRACE_SECONDS, Processes, carry_out
from hydra_sagemaker.files import read_json, write_atomically

GRACE_SECONDS = 120.0
"""The time to save between SIGTERM at a job's time limit and SIGKILL; SageMaker gives a job alone as long."""
REASON_CHARACTERS = 1024
RUNS, COMPLETED, FAILED, STOPPED = "InProgress", "Completed", "Failed", "Stopped"
TIME_LIMIT = "MaxRuntimeExceeded"
"""SageMaker's words, in `status` and `secondary_status` of turn.json."""


def label(place: int) -> str:
    """Return the beginning of a job's lines in the machine's log; `place` counts from 0."""
    return f"[job {place + 1}] "


def run(shared: Mapping[str, Any], base: Path, say: Callable[[str], None], began: float) -> tuple[int, str]:
    """Run the jobs that have not ended yet; return exit code and reason of the machine, which fails if one of them has.

    `began` is when the container started, in seconds of time.monotonic.
    """
    return Machine(shared, base, say, began).run()


class Machine:
    def __init__(self, shared: Mapping[str, Any], base: Path, say: Callable[[str], None], began: float) -> None:
        self.names: list[str] = shared["jobs"]
        self.seconds: float = shared["seconds"]
        """The time limit of each job; the first one's includes the installation, as for a job alone."""
        self.base, self.say, self.began = base, say, began
        self.stopped = False
        self.current: Processes | None = None

    def run(self) -> tuple[int, str]:
        signal.signal(signal.SIGTERM, lambda number, frame: self._stop())
        failed = []
        for place, name in enumerate(self.names):
            turn = Turn(self, name, place)
            if turn.has_ended:
                self.say(f"{name} has ended before this machine was interrupted")
            elif self.stopped:
                return 0, ""
            else:
                turn.run()
            if turn.noted.get("status") == FAILED:
                failed.append(f"{name}: {turn.noted['reason']}".partition("\n")[0])
        if not failed:
            return 0, ""
        return 1, "\n".join([f"{len(failed)} of {len(self.names)} jobs of this machine failed:", *failed])

    def _stop(self) -> None:
        """Let no further job begin, and tell the one that runs to end: a stop, the machine's time limit, or spot."""
        self.stopped = True
        if self.current is not None and self.current.is_running:
            self.current.stop()


class Turn:
    """One job of the machine."""

    def __init__(self, machine: Machine, name: str, place: int) -> None:
        self.machine, self.name, self.place = machine, name, place
        self.folder = machine.base / "checkpoints/turns" / name
        self.tree = machine.base / "turns" / name
        self.is_late = False
        noted = read_json(self.folder / "turn.json")
        self.noted: dict[str, Any] = noted if isinstance(noted, dict) else {}

    @property
    def has_ended(self) -> bool:
        """True unless it has not begun, or an interruption of the machine ended it."""
        status = self.noted.get("status")
        return status in (COMPLETED, FAILED) or (status == STOPPED and bool(self.noted.get("secondary_status")))

    def run(self) -> None:
        job = self._begin()
        self.machine.current = job
        job.stopped = self.machine.stopped  # meanwhile
        used = time.monotonic() - self.machine.began if self.place == 0 else 0.0
        with self._limited(job, self.machine.seconds - self.noted["seconds"] - used):
            try:
                code, reason = carry_out(job, self.machine.say, placed=lambda code, reason: self._end(job, code, reason))
            except Exception as error:  # the other jobs shall have their turn
                code, reason = 1, f"{type(error).__name__}: {error}"
        self.machine.current = None
        kill_left_over(job)
        if self.noted["status"] == RUNS:  # it could not be started, or its results could not be put in place
            self._end(job, code or 1, reason, packs=False)
        self.machine.say(f"{label(self.place)}ends: {self.noted['secondary_status'] or self.noted['status']}")
        shutil.rmtree(self.tree, ignore_errors=True)

    def _begin(self) -> Processes:
        base, job_dir = self.machine.base, self.tree / "output/data/.job"
        spec = json.loads((base / "input/data/job" / f"{self.name}.json").read_text(encoding="utf-8"))
        for folder in (self.tree, self.folder / "output"):  # of before an interruption
            shutil.rmtree(folder, ignore_errors=True)
        write_atomically(job_dir / "spec.json", json.dumps(spec, indent=1))
        kept = base / "checkpoints" / self.name
        if spec.get("checkpoints"):
            kept.mkdir(parents=True, exist_ok=True)
        now = time.time()
        self._note(
            name=self.name, checkpoints=bool(spec.get("checkpoints")), status=RUNS, began=now,
            first_began=self.noted.get("first_began", now), seconds=float(self.noted.get("seconds") or 0.0),
        )  # fmt: skip
        self.machine.say(f"{label(self.place)}begins: {self.name}")
        return Processes(spec, base, job_dir, tree=self.tree, kept=kept, label=label(self.place))

    def _end(self, job: Processes, code: int, reason: str, *, packs: bool = True) -> None:
        status = self._status(job, code, reason)  # a SIGTERM that comes while files are packed has not ended the job
        files, ended = self._pack(job) if packs else [], time.time()
        seconds = self.noted["seconds"] + ended - self.noted["began"]
        self._note(**self.noted | status | {"ended": ended, "seconds": seconds, "files": files})

    def _status(self, job: Processes, code: int, reason: str) -> dict[str, Any]:
        if job.has_completed or (code == 0 and not job.stopped):
            return {"status": COMPLETED, "secondary_status": "", "exit_code": 0, "reason": ""}
        told = {"exit_code": code, "reason": reason[:REASON_CHARACTERS]}
        if self.is_late:
            return told | {"status": STOPPED, "secondary_status": TIME_LIMIT}
        return told | {"status": STOPPED if self.machine.stopped else FAILED, "secondary_status": ""}

    @contextmanager
    def _limited(self, job: Processes, seconds: float) -> Iterator[None]:
        """Tell the job to end after `seconds`, and kill it when it has not ended two minutes later."""

        def end(number: int) -> None:
            if job.is_running:
                self.is_late = True
                job.stop(number)

        steps = ((seconds, signal.SIGTERM), (seconds + GRACE_SECONDS, signal.SIGKILL))
        timers = [threading.Timer(max(0.0, after), end, (number,)) for after, number in steps]
        for timer in timers:
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()

    def _note(self, **values: Any) -> None:
        self.noted = values
        write_atomically(self.folder / "turn.json", json.dumps(values, indent=1))

    def _pack(self, job: Processes) -> list[str]:
        """Pack the results where SageMaker copies them; return the names of the archives."""
        packed = {"output.tar.gz": self.tree / "output/data", "model.tar.gz": self.tree / "model"}
        if not job.has_completed:
            del packed["model.tar.gz"]
        names = [name for name, source in packed.items() if source.is_dir() and any(source.iterdir())]
        for name in names:
            target = self.folder / "output" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f"{name}.part")
            with tarfile.open(part, "w:gz") as archive:
                for entry in sorted(packed[name].iterdir()):
                    archive.add(entry, arcname=entry.name)
            part.replace(target)
        return names


def kill_left_over(job: Processes) -> None:
    """Kill what an ended job has left running, which would take memory and devices from the next one.

    Orphans are children of process 1.
    """
    if job.process is not None:
        with suppress(ProcessLookupError):
            os.killpg(job.process.pid, signal.SIGKILL)
    deadline = time.monotonic() + OUTPUT_GRACE_SECONDS
    while (children := cluster.workers(os.getpid())) and time.monotonic() < deadline:
        for child in children:
            with suppress(OSError):  # it has ended
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)
