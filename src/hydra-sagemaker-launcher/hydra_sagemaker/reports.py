"""The job's part of pruning: `report` tells the search of a value on the way. Hydra and Optuna are not needed for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

FILE = "reports.jsonl"
VARIABLE = "HYDRA_JOB_REPORTS"
"""Names the file of the job, in its first process alone."""
_listeners: list[Callable[[int, float], bool]] = []


class Pruned(Exception):
    """The search has ended this trial: its values so far are worse than those of others."""


def report(step: int, value: float) -> None:
    """Report the objective's value so far, such as that of a validation; without a search nothing happens.

    A job that the search prunes is told to end as by Ctrl-C or SIGTERM, or in the search's own process by `Pruned`.

    Args:
        step: 0 or more, the same for values that are to be compared, as an epoch is. Of a step the first value counts.

    Example:
        >>> for epoch in range(10):
        ...     report(epoch, validate(model))
    """
    if isinstance(step, bool) or int(step) != step or step < 0:
        raise ValueError(f"report: step={step!r}; it must be a whole number, 0 or more")
    line = json.dumps({"step": int(step), "value": float(value)})
    for tell in _listeners:
        if tell(int(step), float(value)):
            raise Pruned(f"the search ended this trial at step {step}")
    if (file := os.environ.get(VARIABLE)) is not None:
        with Path(file).open("a", encoding="utf-8") as handle:
            handle.write(f"{line}\n")


@contextmanager
def listening(tell: Callable[[int, float], bool]):
    """Let `tell` hear what is reported in this process; it returns True where the trial is to end."""
    _listeners.append(tell)
    try:
        yield
    finally:
        _listeners.remove(tell)


def read_reports(content: bytes) -> dict[int, float]:
    """Return the values by step; a line that is not written to its end is left out."""
    found: dict[int, float] = {}
    for line in content.split(b"\n")[:-1]:
        try:
            values = json.loads(line)
            found.setdefault(int(values["step"]), float(values["value"]))
        except (ValueError, KeyError, TypeError):  # of an attempt that was killed while it wrote
            continue
    return found
