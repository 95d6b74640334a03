"""run.json: what a run is, how it stands and what came out, written atomically at every change and after every failure."""

import itertools
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from paraphrase_lab.errors import RunError
from paraphrase_lab.files import write_json
from paraphrase_lab.metrics.names import FITTED
from paraphrase_lab.paths import RUNS_DIR, SOURCE_ROOT, user_path

FILE_NAME = "run.json"
LATEST = "latest"
COMMIT_VARIABLE = "HYDRA_JOB_COMMIT"
KEPT_VARIABLE = "HYDRA_JOB_CHECKPOINTS"
"""Names the directory that a training job has from its interrupted predecessor, whose processes are gone with their machine."""
NO_SOURCE = ("experiments/results", "experiments/README.md")
"""What a study writes into the checkout: the next one's commit is not changed by it."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SILENT_SECONDS = 24 * 3600
"""After so long without a word a run on another machine counts as dead."""
RENAMED = {
    "floors": "baselines", "always_yes": "always_positive", "yes_share": "positive_rate",
    "identical_yes_share": "identical_positive_rate", "random_yes_share": "random_positive_rate",
    "val": FITTED,
}  # fmt: skip
"""Names in run.json as earlier versions wrote them, and today's."""


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a run.json, of this version or an earlier one, under today's names."""
    renamed = ("floors", "baselines", "metrics", "data")
    return {RENAMED.get(name, name): _renamed(value) if name in renamed else value for name, value in values.items()}


def _renamed(value: Any) -> Any:
    """Rename the keys at every depth; of a key such as test/accuracy both parts."""
    if not isinstance(value, Mapping):
        return value
    renamed = {}
    for name, one in value.items():
        head, slash, last = name.rpartition("/")
        renamed[f"{RENAMED.get(head, head)}{slash}{RENAMED.get(last, last)}"] = _renamed(one)
    return renamed


class RunRecord:
    """The record of one run directory; `update` writes it."""

    def __init__(self, run_dir: Path, values: dict[str, Any] | None = None) -> None:
        self.run_dir = Path(run_dir)
        self.values: dict[str, Any] = values or {}
        self.is_ours = False
        """True when this process has started or continued the run."""

    @classmethod
    def read(cls, run_dir: Path) -> Self:
        """Read the record of a run.

        Raises:
            RunError: no run there, or a record that cannot be read.
        """
        path = Path(run_dir) / FILE_NAME
        if not path.is_file():
            newest = ", ".join(str(record.run_dir) for record in itertools.islice(find_runs(), 3))
            hint = f"newest runs: {newest}; or `latest`" if newest else "`paraphrase train` makes a run"
            raise RunError(f"{run_dir} is not a run: it has no {FILE_NAME}", hint=hint)
        try:
            return cls(Path(run_dir), upgraded(json.loads(path.read_text(encoding="utf-8"))))
        except json.JSONDecodeError as error:
            raise RunError(f"{path} cannot be read: {error}") from error

    @property
    def status(self) -> str:
        """The status: running, finished, failed, interrupted, or pruned by a search; "running" only while the process lives."""
        status = self.values.get("status", "failed")
        status = "interrupted" if status == "running" and not self._process_lives() else status
        return "pruned" if status == "interrupted" and self._was_pruned() else status

    def _was_pruned(self) -> bool:
        """Read it from the launcher's record: the job itself was only told to end."""
        try:
            values = json.loads((self.run_dir / ".job" / "record.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(values, dict) and values.get("pruned") is True

    def update(self, **values: Any) -> None:
        self.note(**values, updated=now())

    def note(self, **values: Any) -> None:
        """Write what others know of a run that has ended: it has not been at work again."""
        self.values.update(values)
        self.run_dir.mkdir(parents=True, exist_ok=True)
        write_json(self.run_dir / FILE_NAME, self.values)

    def start(self, **values: Any) -> None:
        resumed = self.values["resumed"] + 1 if "resumed" in self.values else 0
        first = self.values.get("started", now())
        self.is_ours = True
        self.update(
            status="running", error=None, started=first, resumed=resumed,
            process={"pid": os.getpid(), "host": socket.gethostname(), "identity": _identity(os.getpid())}, **values,
        )  # fmt: skip

    def _process_lives(self) -> bool:
        process = self.values.get("process", {})
        pid, identity = process.get("pid", 0), process.get("identity")
        if process.get("host") != socket.gethostname():
            if (kept := os.environ.get(KEPT_VARIABLE)) and self.run_dir.absolute().is_relative_to(kept):
                return False
            silent = datetime.now(UTC) - datetime.fromisoformat(self.values["updated"])
            return silent.total_seconds() < SILENT_SECONDS  # on a shared disk only its record tells
        if pid == os.getpid():
            return False  # of an earlier process with our number: a container's first process, say
        if identity is not None and BOOT_ID.is_file():
            return identity == _identity(pid)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def _identity(pid: int) -> str | None:
    """Tell a process from another of its number, in another container or after a restart; None where there is no /proc."""
    try:
        started = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
        return f"{BOOT_ID.read_text(encoding='utf-8').strip()}/{started}"
    except OSError:
        return None


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def find_runs(root: Path = RUNS_DIR) -> Iterator[RunRecord]:
    """Read all runs below a directory, the newest first."""
    for file in sorted(Path(root).rglob(FILE_NAME), key=lambda file: file.stat().st_mtime, reverse=True):
        with suppress(RunError):
            yield RunRecord.read(file.parent)


def run_directory(name: str, root: Path = RUNS_DIR) -> Path:
    """Return a run's directory from what the user typed: a path, or `latest` for the newest finished run."""
    if name != LATEST:
        RunRecord.read(user_path(name))
        return user_path(name)
    for record in find_runs(root):
        if record.status == "finished":
            return record.run_dir
    raise RunError(f"no finished run below {root}", hint="`paraphrase train` makes one")


def git_state(directory: Path | None = SOURCE_ROOT) -> dict[str, Any]:
    """Return the commit of the checkout and whether it has uncommitted changes; nulls outside a checkout.

    In a training container the code lies without its history: the launcher says what it was.
    """

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(directory), *words], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD") if directory else None
    if commit is None and (known := os.environ.get(COMMIT_VARIABLE)):
        return {"commit": known.removesuffix("-dirty"), "dirty": known.endswith("-dirty")}
    source = ("--", ".", *(f":(exclude){path}" for path in NO_SOURCE))
    status = git("status", "--porcelain", "--untracked-files=no", *source) if commit else None
    return {"commit": commit, "dirty": None if status is None else bool(status)}


class Stopwatch:
    """Seconds spent in each named part of a run."""

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds = dict(seconds or {})
        self._last = time.monotonic()

    def lap(self, name: str, also: float = 0.0) -> None:
        """Count the seconds since the last lap for this part; `also`: seconds that it took in an earlier process."""
        passed, self._last = time.monotonic() - self._last, time.monotonic()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + passed + also, 3)
