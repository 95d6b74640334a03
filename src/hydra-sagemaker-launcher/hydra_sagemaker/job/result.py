"""How a job's end is written down where it ran, and read where it was submitted."""

from __future__ import annotations

import builtins
import importlib
import json
import os
import pickle
import shutil
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from hydra_sagemaker.container import cluster, output_files
from hydra_sagemaker.errors import LauncherError, RemoteJobError, RemoteTraceback
from hydra_sagemaker.job.task import SCRIPT_MODULE

PICKLED_VALUE = "value.pickle"
INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)
STATUSES = ("completed", "failed", "interrupted")


def success_record(value: Any, pickle_dir: Path | None = None) -> dict[str, Any]:
    """With the return value as JSON; another one is described, and kept in `pickle_dir` (a closure's, on this machine)."""
    record: dict[str, Any] = {"status": "completed", "exit_code": 0}
    try:
        if type(value) is tuple:  # of a task with several objectives
            return record | {"return_value": _plain(list(value)), "tuple": True}
        return record | {"return_value": _plain(value)}
    except (TypeError, RecursionError):
        pass
    if pickle_dir is not None:
        (pickle_dir / PICKLED_VALUE).write_bytes(pickle.dumps(value))
        return record | {"return_value": None, "pickled": True}
    return record | {"return_value": None, "not_json": repr(value)[:500]}


def _plain(value: Any) -> Any:
    """What comes home equal to what left; numpy's and torch's scalars as the numbers they hold.

    Raises:
        TypeError: a tuple would come home as a list, a dictionary's numbers as text.
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
    if not isinstance(number, int | float):
        raise TypeError(f"{type(value).__name__} is not JSON")
    return number


def failure_record(error: BaseException) -> dict[str, Any]:
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        if code == 0:
            return success_record(None)
        status = "interrupted" if code in INTERRUPTED else "failed"
        return {"status": status, "exit_code": code, "exception": exception_record(error)}
    if isinstance(error, KeyboardInterrupt):
        return {"status": "interrupted", "exit_code": 130, "exception": exception_record(error)}
    return {"status": "failed", "exit_code": 1, "exception": exception_record(error)}


def exception_record(error: BaseException, effects: Sequence[BaseException] = ()) -> dict[str, Any]:
    """With its causes; `effects` are the exceptions that this one caused."""
    kind = type(error)
    cause = error.__cause__
    ended = cause is None or any(cause is known for known in (*effects, error))  # `raise error from error` is legal
    return {
        "module": kind.__module__,
        "type": kind.__qualname__,
        "arguments": [_json_or_words(argument) for argument in _arguments(error)],
        "message": _message(error),
        "traceback": _printable("".join(traceback.format_exception(error))),
        "cause": None if cause is None or ended else exception_record(cause, (*effects, error)),
    }


def _message(error: BaseException) -> str:
    try:
        return _printable(str(error))
    except Exception as second:  # in a class's own __str__
        return f"its text could not be made: {type(second).__name__}"


def _printable(text: str) -> str:
    """Half a pair of surrogates, from a file's name say, can be written nowhere."""
    return text.encode(errors="backslashreplace").decode()


def _arguments(error: BaseException) -> tuple[Any, ...]:
    """What makes it again, as pickle asks for it: an OSError keeps the file's name apart from its `args`."""
    try:
        kind, arguments, *_ = error.__reduce__()
    except Exception:  # a class may define it as it likes
        return error.args
    return arguments if kind is type(error) and isinstance(arguments, tuple) else error.args


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
        if error is not None and _message(error) != record["message"]:
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
            found = _module(module)
            for part in name.split("."):
                found = getattr(found, part, None)
        except Exception:  # whatever importing it meets
            return None
    else:
        return None
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def _module(name: str) -> ModuleType | None:
    """A script, and what `python -m` runs, is here under another name: a second import would define its classes again."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if name == SCRIPT_MODULE or (spec is not None and spec.name == name):
        return main
    return None if name.endswith("__main__") else importlib.import_module(name)


def read_result(job_dir: Path) -> dict[str, Any] | None:
    """Of a job of several processes, that of the one that failed first. None when the job ended without writing one.

    Raises:
        LauncherError: the file is not what a runner writes.
    """
    result = _own_result(job_dir)
    name = result.get("name") if result is not None else _name(job_dir)
    others = [record for record in cluster.rank_records(job_dir) if _is_result(record) and record.get("name") == name]
    if not others:
        return result
    return cluster.first_to_end([*others, *([] if result is None else [result])])


def _name(job_dir: Path) -> str | None:
    try:
        return json.loads((job_dir / "spec.json").read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, KeyError):
        return None


def _own_result(job_dir: Path) -> dict[str, Any] | None:
    file = job_dir / "result.json"
    if not file.is_file():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise LauncherError(f"{file} is not readable: {error}. The job has to run again") from None
    if not _is_result(record):
        raise LauncherError(
            f"{file} is not a job's result, whose status is one of {', '.join(STATUSES)}. The job has to run again"
        )
    return record


def _is_result(record: Any) -> bool:
    if not isinstance(record, dict) or record.get("status") not in STATUSES or not isinstance(record.get("exit_code"), int):
        return False
    if "tuple" in record and not isinstance(record.get("return_value"), list):
        return False
    exception = record.get("exception")
    if exception is None:
        return record["status"] == "completed"
    texts = ("module", "type", "message", "traceback")
    return (
        isinstance(exception, dict)
        and all(isinstance(exception.get(name), str) for name in texts)
        and isinstance(exception.get("arguments"), list)
    )


def returned_value(record: dict[str, Any], job_dir: Path, *, own_process: bool) -> Any:
    """`own_process`: this user wrote the files on this machine a moment ago; what was downloaded is never unpickled."""
    file = job_dir / PICKLED_VALUE
    if own_process and record.get("pickled") and file.is_file():
        return pickle.loads(file.read_bytes())
    value = record.get("return_value")
    return tuple(value) if record.get("tuple") and value is not None else value


def set_model_files_apart(output_dir: Path, model_dir: Path, patterns: Sequence[str]) -> list[str]:
    """Moves what stays in S3; returns the paths relative to the output directory."""
    moved = output_files.model_files(output_dir, patterns)
    for file in moved:
        (model_dir / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(output_dir / file, model_dir / file)
    return [file.as_posix() for file in moved]


def write_atomically(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)


def _json_or_words(value: Any) -> Any:
    try:
        return _plain(value)
    except (TypeError, RecursionError):
        return repr(value)
