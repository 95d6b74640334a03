"""Reads how a job ended: the record that `runner.record` wrote where the job ran."""

from __future__ import annotations

import builtins
import importlib
import json
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from hydra_sagemaker.container import cluster
from hydra_sagemaker.errors import LauncherError, RemoteJobError, RemoteTraceback, plain
from hydra_sagemaker.files import read_json
from hydra_sagemaker.job.task import SCRIPT_MODULE, attribute

PICKLED_VALUE = "value.pickle"
STATUSES = ("completed", "failed", "interrupted")
PRUNED = ("Pruned", "TrialPruned")
"""Exceptions, ours and Optuna's, with which a job ends its own trial of a search."""


def rebuilt(record: dict[str, Any], task_package: str | None) -> Exception:
    """Return the exception as raised in the job, if its class is a builtin or of the task's package; else a RemoteJobError.

    Its traceback has the frames it had in the job, its cause the job's traceback as text.
    """
    record = _plain(record)
    error: Exception = RemoteJobError(f"{record['module']}.{record['type']}: {record['message']}")
    if (kind := _exception_class(record, task_package)) is not None:
        with suppress(Exception):  # a class may want other arguments than it keeps
            again = kind(*record["arguments"])
            error = again if message_of(again) == record["message"] else error
    error.__cause__ = RemoteTraceback(record["traceback"])
    return error.with_traceback(_traceback(record.get("frames")))


def _plain(node: Any) -> Any:
    """Return a record whose texts may be shown on a terminal: Python prints an exception's as they are."""
    if isinstance(node, dict):
        return {name: _plain(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return plain(node) if isinstance(node, str) else node


def _traceback(frames: Any) -> TracebackType | None:
    """Return a traceback with these frames, each [file, line, function], outermost first; None when they are not of this form.

    Hydra, pytest and debuggers look for the task's function there. Each frame is of code that does nothing.
    """
    made, scope = None, {"this_frame": sys._getframe}
    try:
        for file, line, function in reversed(frames):
            exec(compile("frame = this_frame()", file, "exec").replace(co_name=function, co_qualname=function), scope)
            made = TracebackType(made, scope["frame"], -1, line)  # type: ignore[arg-type] (-1: no columns, the line is given)
    except Exception:  # nothing that a downloaded file holds may hide the job's own error
        return None
    return made


def _exception_class(record: dict[str, Any], task_package: str | None) -> type[Exception] | None:
    module, name = record["module"], record["type"]
    found: Any = getattr(builtins, name, None) if module == "builtins" else None
    if task_package is not None and module.partition(".")[0] == task_package.partition(".")[0]:
        with suppress(Exception):  # whatever importing it meets
            found = attribute(_module(module), name)
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def _module(name: str) -> ModuleType | None:
    """Import a module. A script, or one that `python -m` runs, is here already, under another name: not a second time."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if name == SCRIPT_MODULE or (spec is not None and spec.name == name):
        return main
    return None if name.endswith("__main__") else importlib.import_module(name)


def read_result(job_dir: Path) -> dict[str, Any] | None:
    """Return the record, of several processes the one that failed first. None when the job ended without writing one.

    Raises:
        LauncherError: the file is not what a runner writes.
    """
    result = None
    if (file := job_dir / "result.json").is_file():
        try:
            result = json.loads(file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise LauncherError(f"{file} is not readable: {error}. The job has to run again") from None
        if not _is_result(result):
            raise LauncherError(
                f"{file} is not a job's result, whose status is one of {', '.join(STATUSES)}. The job has to run again"
            )
    name = (result or read_json(job_dir / "spec.json") or {}).get("name")
    others = [record for record in cluster.rank_records(job_dir) if _is_result(record) and record.get("name") == name]
    if not others:
        return result
    return cluster.first_to_end([*others, *([] if result is None else [result])])


def _is_result(record: Any) -> bool:
    if not isinstance(record, dict) or record.get("status") not in STATUSES or not isinstance(record.get("exit_code"), int):
        return False
    if "tuple" in record and not isinstance(record.get("return_value"), list):
        return False
    if (exception := record.get("exception")) is None:
        return record["status"] == "completed"
    texts = ("module", "type", "message", "traceback")
    return (
        isinstance(exception, dict)
        and all(isinstance(exception.get(name), str) for name in texts)
        and isinstance(exception.get("arguments"), list)
    )


def has_pruned_itself(record: dict[str, Any] | None) -> bool:
    """Tell whether a job ended with one of the exceptions that end a trial: most of them cannot be rebuilt here."""
    kind = ((record or {}).get("exception") or {}).get("type", "")
    return str(kind).rpartition(".")[2] in PRUNED


def returned_value(record: dict[str, Any] | None, job_dir: Path, *, own_process: bool) -> Any:
    """Return the job's value; unpickle only with `own_process`, where a process of this launch wrote the file."""
    record, file = record or {}, job_dir / PICKLED_VALUE
    if own_process and record.get("pickled") and file.is_file():
        return pickle.loads(file.read_bytes())
    value = record.get("return_value")
    return tuple(value) if record.get("tuple") and value is not None else value


def message_of(error: BaseException) -> str:
    try:
        return printable(str(error))
    except Exception as second:  # in a class's own __str__
        return f"its text could not be made: {type(second).__name__}"


def printable(text: str) -> str:
    """Escape lone surrogates, as in undecodable file names, which UTF-8 cannot encode."""
    return text.encode(errors="backslashreplace").decode()
