"""How a job's end is written down where it ran, and read where it was submitted."""

from __future__ import annotations

import builtins
import importlib
import json
import os
import pickle
import shutil
import traceback
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError, RemoteJobError, RemoteTraceback
from hydra_plugins.hydra_sagemaker_launcher._task import SCRIPT_MODULE

PICKLED_VALUE = "value.pickle"


def success_record(value: Any, pickle_dir: Path | None = None) -> dict[str, Any]:
    """With the return value as JSON; what JSON cannot say is described, and in `pickle_dir` (a closure's, on this machine) kept."""
    record: dict[str, Any] = {"status": "completed", "exit_code": 0}
    try:
        text = json.dumps(value)
        if json.loads(text) == value:  # a tuple or a dictionary with numbers as keys would come home as something else
            return record | {"return_value": value}
    except (TypeError, ValueError):
        pass
    number = _number(value)
    if number is not None:  # numpy's and torch's scalars: what a sweeper wants is their value
        return record | {"return_value": number}
    if pickle_dir is not None:
        (pickle_dir / PICKLED_VALUE).write_bytes(pickle.dumps(value))
        return record | {"return_value": None, "pickled": True}
    return record | {"return_value": None, "not_json": repr(value)[:500]}


def _number(value: Any) -> float | int | None:
    item = getattr(value, "item", None)
    try:
        found = item() if callable(item) else None
    except (TypeError, ValueError, RuntimeError):
        return None
    return found if isinstance(found, int | float) else None


def failure_record(error: BaseException) -> dict[str, Any]:
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        if code == 0:
            return success_record(None)
        return {"status": "interrupted" if code > 128 else "failed", "exit_code": code, "exception": exception_record(error)}
    if isinstance(error, KeyboardInterrupt):
        return {"status": "interrupted", "exit_code": 130, "exception": exception_record(error)}
    return {"status": "failed", "exit_code": 1, "exception": exception_record(error)}


def exception_record(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    cause = error.__cause__
    return {
        "module": kind.__module__,
        "type": kind.__qualname__,
        "arguments": [argument if _is_json(argument) else repr(argument) for argument in error.args],
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
        "cause": None if cause is None else exception_record(cause),
    }


def rebuilt(record: dict[str, Any], task_package: str | None) -> Exception:
    """The exception as raised in the job, when its class is a builtin or of the task's own package; else a RemoteJobError.

    Its cause carries the job's traceback.
    """
    kind = _exception_class(record, task_package)
    error: Exception | None = None
    if kind is not None:
        try:
            error = kind(*record["arguments"])
        except Exception:  # a class may want other arguments than it keeps
            error = None
        if error is not None and str(error) != record["message"]:
            error = None
    if error is None:
        error = RemoteJobError(f"{record['module']}.{record['type']}: {record['message']}")
    error.__cause__ = RemoteTraceback(record["traceback"])
    return error


def _exception_class(record: dict[str, Any], task_package: str | None) -> type[Exception] | None:
    module, name = record["module"], record["type"]
    if module == "builtins":
        found: Any = getattr(builtins, name, None)
    elif task_package is not None and module.partition(".")[0] == task_package.partition(".")[0]:
        try:
            found = importlib.import_module("__main__" if module == SCRIPT_MODULE else module)
        except ImportError:
            return None
        for part in name.split("."):
            found = getattr(found, part, None)
    else:
        return None
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def read_result(job_dir: Path) -> dict[str, Any] | None:
    """None when the job ended without writing one."""
    file = job_dir / "result.json"
    if not file.is_file():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LauncherError(f"{file} is not readable: {error}") from None
    return record if isinstance(record, dict) and "status" in record else None


def returned_value(record: dict[str, Any], job_dir: Path, *, own_process: bool) -> Any:
    """`own_process`: the files were written by this user on this machine a moment ago; what was downloaded is never unpickled."""
    file = job_dir / PICKLED_VALUE
    if own_process and record.get("pickled") and file.is_file():
        return pickle.loads(file.read_bytes())
    return record.get("return_value")


def set_model_files_apart(output_dir: Path, model_dir: Path, patterns: Sequence[str]) -> list[str]:
    """Moves what stays in S3; returns the paths relative to the output directory."""
    moved = []
    for file in sorted(output_dir.rglob("*")):
        relative = file.relative_to(output_dir)
        if file.is_file() and any(fnmatch(file.name, pattern) or fnmatch(relative.as_posix(), pattern) for pattern in patterns):
            target = model_dir / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(file, target)
            moved.append(relative.as_posix())
    return moved


def write_atomically(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)


def _is_json(value: Any) -> bool:
    try:
        return json.loads(json.dumps(value)) == value
    except (TypeError, ValueError):
        return False
