"""How a training speaks to its trackers: those of its loggers that want to know how a run begins, ends and what came out."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from paraphrase_lab.tracking.identity import Identity
from paraphrase_lab.training.stopping import Interrupted

log = logging.getLogger(__name__)
KILLED = 255
"""What W&B's own client reports after Ctrl-C."""
PREEMPTED = 143
JOB_VARIABLE, BASE_VARIABLE = "TRAINING_JOB_NAME", "SAGEMAKER_BASE_DIR"


@dataclass(frozen=True)
class About:
    """What a tracker is told when a run begins."""

    identity: Identity
    config: dict[str, Any]
    """Resolved, without secrets."""


@runtime_checkable
class Tracker(Protocol):
    """A logger that follows a run from begin to end. None of its errors may reach the training."""

    def begin(self, about: About) -> dict[str, Any]:
        """Returns what run.json shall remember of it."""
        ...

    def log_outcome(self, run_dir: Path, record: Mapping[str, Any], *, keep: bool) -> None: ...

    def end(self, exit_code: int, *, preempted: bool = False) -> None: ...


def trackers(loggers: Iterable[Any]) -> list[Tracker]:
    return [logger for logger in loggers if isinstance(logger, Tracker)]


def begin(loggers: Iterable[Any], about: About) -> dict[str, Any]:
    remembered: dict[str, Any] = {}
    for tracker in trackers(loggers):
        with _harmless(tracker):
            remembered |= tracker.begin(about)
    return remembered


def log_outcome(loggers: Iterable[Any], run_dir: Path, record: Mapping[str, Any], *, keep: bool) -> None:
    """`record`: run.json of the finished run; `keep`: its weights stay."""
    for tracker in trackers(loggers):
        with _harmless(tracker):
            tracker.log_outcome(run_dir, record, keep=keep)


@contextmanager
def ended_truly(loggers: Iterable[Any]) -> Iterator[None]:
    """However the training ends, its trackers say so. A stop while a finished run is still sent changes nothing about it."""
    loggers = list(loggers)
    try:
        yield
    except BaseException as error:
        _end(loggers, *_exit_of(error))
        raise
    try:
        _end(loggers, 0)
    except (Interrupted, KeyboardInterrupt) as stop:
        log.warning("%s while the run was being sent: it is finished, and `wandb sync` sends the rest", type(stop).__name__)


def _end(loggers: Iterable[Any], exit_code: int, preempted: bool = False) -> None:
    for tracker in trackers(loggers):
        with _harmless(tracker):
            tracker.end(exit_code, preempted=preempted)


def _exit_of(error: BaseException) -> tuple[int, bool]:
    if isinstance(error, KeyboardInterrupt):
        return KILLED, False
    if isinstance(error, Interrupted):
        return (PREEMPTED, True) if error.exit_code == PREEMPTED else (KILLED, False)
    return 1, False


@contextmanager
def _harmless(tracker: Tracker) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        log.warning("%s: %s: %s; training is not affected", type(tracker).__name__, type(error).__name__, error)


def sagemaker_job() -> dict[str, Any]:
    """Name and instance of the training job that this process runs in; empty elsewhere."""
    name = os.environ.get(JOB_VARIABLE)
    if not name:
        return {}
    file = Path(os.environ.get(BASE_VARIABLE, "/opt/ml")) / "input" / "config" / "resourceconfig.json"
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        described = {}
    kind, machines = described.get("current_instance_type"), len(described.get("hosts", ()))
    return {"name": name} | ({"instance_type": kind} if kind else {}) | ({"instances": machines} if machines else {})
