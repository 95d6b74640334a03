"""Writes down the end of a job, where it ran; `job.result` reads it where it was submitted."""

from __future__ import annotations

import math
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.errors import CompactHydraException

from hydra_sagemaker.job.result import PICKLED_VALUE, message_of, printable
from hydra_sagemaker.job.spec import thread_variables

FRAMES = 100  # innermost ones: an endless recursion has a thousand
ARRAYS = ("numpy", "torch")
NUMBERS = 10_000
INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)


def threads_record() -> dict[str, Any]:
    """Return what the order of sums depends on: cores, variables that set numbers of threads, torch's own number."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found: dict[str, Any] = {"cores": cores, **thread_variables()}
    torch = sys.modules.get("torch")  # importing it takes seconds
    with suppress(AttributeError):
        found |= {"torch": torch.get_num_threads()} if torch is not None else {}
    return found


def success_record(value: Any, pickle_dir: Path | None = None) -> dict[str, Any]:
    """Return the record of a task that returned: its value as JSON, else described, and pickled into `pickle_dir` if given."""
    record: dict[str, Any] = {"status": "completed", "exit_code": 0}
    with suppress(TypeError, RecursionError):
        if type(value) is tuple:  # of a task with several objectives
            return record | {"return_value": _plain(list(value)), "tuple": True}
        return record | {"return_value": _plain(value)}
    if pickle_dir is not None:
        (pickle_dir / PICKLED_VALUE).write_bytes(pickle.dumps(value))
        return record | {"return_value": None, "pickled": True}
    return record | {"return_value": None, "not_json": repr(value)[:500]}


def _plain(value: Any) -> Any:
    """Return a value that JSON gives back as it was; numpy's and torch's scalars as the numbers they hold, arrays as lists.

    Raises:
        TypeError: a tuple would be read back as a list, a dictionary's numbers as text; an array of more than 10,000 numbers.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item) for key, item in value.items()}
    item = getattr(value, "item", None)
    try:
        number = item() if callable(item) else None
    except Exception:  # an array of several numbers, or a method of another meaning
        number = None
    array: Any = value
    if number is None and type(value).__module__.partition(".")[0] in ARRAYS and getattr(value, "ndim", 0) > 0:
        if math.prod(array.shape) <= NUMBERS:
            return _plain(array.tolist())
    if not isinstance(number, int | float):
        raise TypeError(f"{type(value).__name__} is not JSON")
    return number


def failure_record(error: BaseException) -> dict[str, Any]:
    code = 130 if isinstance(error, KeyboardInterrupt) else 1
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    if code == 0:
        return success_record(None)
    status = "interrupted" if code in INTERRUPTED else "failed"
    return {"status": status, "exit_code": code, "exception": exception_record(error)}


def exception_record(error: BaseException, effects: Sequence[BaseException] = ()) -> dict[str, Any]:
    """Return an exception as JSON, with its causes; `effects` are the exceptions that this one caused."""
    kind = type(error)
    cause = error.__cause__
    ended = cause is None or any(cause is known for known in (*effects, error))  # `raise error from error` is legal
    return {
        "module": kind.__module__,
        "type": kind.__qualname__,
        "arguments": [_json_or_words(argument) for argument in _arguments(error)],
        "message": message_of(error),
        "traceback": printable("".join(_as_python_prints(error))),
        "frames": [
            [printable(frame.filename), frame.lineno, frame.name]
            for frame in traceback.extract_tb(error.__traceback__, limit=-FRAMES)
        ],
        "cause": None if cause is None or ended else exception_record(cause, (*effects, error)),
    }


def _as_python_prints(error: BaseException) -> list[str]:
    """Return the lines of the traceback; the text alone, where the error is Hydra's or its class says that this suffices."""
    if isinstance(error, CompactHydraException) or getattr(type(error), "without_traceback", False):
        return traceback.format_exception_only(error)
    return traceback.format_exception(error)


def _arguments(error: BaseException) -> tuple[Any, ...]:
    """Return the arguments that make it again, as pickle does: an OSError keeps the file's name apart from its `args`."""
    try:
        kind, arguments, *_ = error.__reduce__()
    except Exception:  # a class may define it as it likes
        return error.args
    return arguments if kind is type(error) and isinstance(arguments, tuple) else error.args


def _json_or_words(value: Any) -> Any:
    with suppress(TypeError, RecursionError):
        return _plain(value)
    return repr(value)
