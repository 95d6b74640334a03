"""The trackers of a training: those of its loggers that want to know how a run begins, ends and what came out."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from paraphrase_lab.tracking.identity import Identity
from paraphrase_lab.training.stopping import Interrupted

log = logging.getLogger(__name__)
KILLED = 255
"""The exit code that W&B's own client reports after Ctrl-C."""
PREEMPTED = 143


@dataclass(frozen=True)
class RunInfo:
    """The facts that a tracker is told when a run begins."""

    identity: Identity
    config: dict[str, Any]
    """Resolved, without secrets."""
    origin: str = ""
    """The same for all attempts of this run, and for no other run."""


@runtime_checkable
class Tracker(Protocol):
    """A logger that follows a run from begin to end. None of its errors may reach the training."""

    def begin(self, about: RunInfo) -> dict[str, Any]:
        """Return what run.json shall remember of it."""
        ...

    def log_outcome(self, run_dir: Path, record: Mapping[str, Any], *, keep: bool) -> None: ...

    def end(self, exit_code: int, *, preempted: bool = False) -> None: ...


def trackers(loggers: Iterable[Any]) -> list[Tracker]:
    return [logger for logger in loggers if isinstance(logger, Tracker)]


def begin(loggers: Iterable[Any], about: RunInfo) -> dict[str, Any]:
    remembered: dict[str, Any] = {}
    for tracker in trackers(loggers):
        with _harmless(tracker):
            remembered |= tracker.begin(about)
    return remembered


def log_outcome(loggers: Iterable[Any], run_dir: Path, record: Mapping[str, Any], *, keep: bool) -> None:
    """Hand on `record`: run.json of the finished run; `keep`: its weights stay."""
    with _finished_already():
        for tracker in trackers(loggers):
            with _harmless(tracker):
                tracker.log_outcome(run_dir, record, keep=keep)


@contextmanager
def finish_trackers(loggers: Iterable[Any]) -> Iterator[None]:
    """Tell the trackers how the training ends. A stop while a finished run is still sent changes nothing about it."""
    loggers = list(loggers)
    try:
        yield
    except BaseException as error:
        preempted = isinstance(error, Interrupted) and error.exit_code == PREEMPTED
        if preempted:
            exit_code = PREEMPTED
        elif isinstance(error, KeyboardInterrupt | Interrupted):
            exit_code = KILLED
        else:
            exit_code = 1
        _end(loggers, exit_code, preempted=preempted)
        raise
    with _finished_already():
        _end(loggers, 0, preempted=False)


def _end(loggers: Iterable[Any], exit_code: int, *, preempted: bool) -> None:
    for tracker in trackers(loggers):
        with _harmless(tracker):
            tracker.end(exit_code, preempted=preempted)


@contextmanager
def _finished_already() -> Iterator[None]:
    """The run's record and results are written: a stop ends the sending, and nothing else."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as stop:
        log.warning("%s while the run was being sent: it is finished, and `wandb sync` sends the rest", type(stop).__name__)


@contextmanager
def _harmless(tracker: Tracker) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        log.warning("%s: %s: %s; training is not affected", type(tracker).__name__, type(error).__name__, error)
