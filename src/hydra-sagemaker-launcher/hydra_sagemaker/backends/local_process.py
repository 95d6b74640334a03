"""The process of a local job: its environment, the lock it holds while it lives, and what its exit code means."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path

from hydra_sagemaker.job.job import Job

PLUGIN_PATH = Path(__file__).resolve().parents[2]


def free_lock(state: Path) -> int | None:
    """Take the job's lock, for its process to inherit; None when a process holds it."""
    descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(state: Path) -> bool:
    """Return whether a process of the job lives."""
    if not (state / "lock").is_file():
        return False
    if (lock := free_lock(state)) is None:
        return True
    os.close(lock)
    return False


def environment_of(job: Job) -> dict[str, str]:
    """Return this process's environment and the job's own. Secrets are not fetched: here they are in the environment."""
    own = job.settings.env
    # Jobs share the cores: threads of OpenMP that wait awake for long would keep other jobs from computing.
    spins = {} if "OMP_WAIT_POLICY" in {**os.environ, **own} else {"GOMP_SPINCOUNT": "1000"}
    environment = {**spins, **os.environ, **own}
    if "OMP_WAIT_POLICY" in own and "GOMP_SPINCOUNT" not in own:
        environment.pop("GOMP_SPINCOUNT", None)  # it would take precedence
    return environment | {"PYTHONPATH": os.pathsep.join(filter(None, (environment.get("PYTHONPATH"), str(PLUGIN_PATH))))}


def exit_meaning(code: int | None) -> str:
    """Describe an exit code; None: the process is gone, and nobody knows its code."""
    if code is None:
        return "its process is gone"
    if code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}" + (", as the system does when memory runs out" if name == "SIGKILL" else "")
    return f"exit code {code}"
