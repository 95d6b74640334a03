"""The job's part of pruning: `report` tells the search of a value on the way. Hydra and Optuna are not needed for it."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

FILE = "reports.jsonl"
VARIABLE = "HYDRA_JOB_REPORTS"
"""PROCESS:FILE, the job's first process and the file for its values: children inherit the variable, and are not heard."""
_listeners: list[tuple[int, Callable[[int, float], bool]]] = []
"""With the process that listens: a fork of it has the list, and must not write to the search's files."""


class Pruned(Exception):
    """The search has ended this trial: its values so far are worse than those of others."""


def report(step: int, value: float) -> None:
    """Report the objective's value so far, such as that of a validation; without a search nothing happens.

    A job that the search prunes is told to end as by Ctrl-C or SIGTERM, or in the search's own process by `Pruned`.

    Only the job's first process is heard, and of processes that train together the first one.

    Args:
        step: 0 or more, the same for values that are to be compared, as an epoch is. Of a step the first value counts.
        value: nan where the training has diverged, which a pruner ends.

    Raises:
        ValueError: these are no step and no number.

    Example:
        >>> for epoch in range(10):
        ...     report(epoch, validate(model))
    """
    step, value = _checked(step, value)
    for process, tell in _listeners:
        if process == os.getpid() and tell(step, value):
            raise Pruned(f"the search ended this trial at step {step}")
    process, _, file = os.environ.get(VARIABLE, "").partition(":")
    if file and (process == str(os.getpid()) or _is_first_of_several()):
        # JSON has no nan and no inf: they are written as texts, which float() reads
        line = json.dumps({"step": step, "value": value if math.isfinite(value) else str(value)})
        with Path(file).open("a", encoding="utf-8") as handle:
            handle.write(f"{line}\n")


def variable_of(file: Path) -> dict[str, str]:
    """Return the environment in which this process is heard, and its children are not."""
    return {VARIABLE: f"{os.getpid()}:{file}"}


def _checked(step: object, value: object) -> tuple[int, float]:
    try:
        if isinstance(step, bool | str) or isinstance(value, str):
            raise TypeError
        whole, number = int(step), float(value)  # type: ignore[arg-type, call-overload]
        if whole != step or whole < 0:
            raise ValueError
    except Exception:  # tensors have errors of their own
        raise ValueError(
            f"report(step={step!r}, value={value!r}): the step must be a whole number, 0 or more, and the value a number, "
            "as in report(3, 0.71)"
        ) from None
    return whole, number


def _is_first_of_several() -> bool:
    """Tell so of rank 0 of torch.distributed: Lightning and torchrun may have started it as a child of the first process."""
    if (distributed := sys.modules.get("torch.distributed")) is None:
        return False
    return distributed.is_available() and distributed.is_initialized() and distributed.get_rank() == 0


@contextmanager
def listening(tell: Callable[[int, float], bool]):
    """Let `tell` hear what is reported in this process; it returns True where the trial is to end."""
    _listeners.append(one := (os.getpid(), tell))
    try:
        yield
    finally:
        _listeners.remove(one)


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
