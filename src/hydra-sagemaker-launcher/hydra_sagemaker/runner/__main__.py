"""Runs one job, on this machine or in a training container: `python -m hydra_sagemaker.runner SPEC --root … --job-dir …`.

Composes the configuration again from the bundled code, refuses to run when that gives something else than was submitted,
and leaves `result.json`. Of the processes of a distributed job each runs this; the first one writes.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra_sagemaker.container import cluster
from hydra_sagemaker.container.output_files import model_files, move_files
from hydra_sagemaker.files import write_atomically
from hydra_sagemaker.job.inputs import in_container
from hydra_sagemaker.job.spec import Spec, read, version_skew, versions
from hydra_sagemaker.reports import FILE as REPORTS_FILE
from hydra_sagemaker.reports import VARIABLE as REPORTS_VARIABLE
from hydra_sagemaker.reports import variable_of
from hydra_sagemaker.runner.imported import imported_versions
from hydra_sagemaker.runner.record import failure_record, success_record, threads_record
from hydra_sagemaker.secret_names import redacted, redactor


def main(words: list[str] | None = None) -> int:
    options = _options(words)
    signal.signal(signal.SIGTERM, _stop)
    if options.lock is not None:
        with suppress(OSError):  # Lightning's other processes do not have it
            os.set_inheritable(options.lock, False)  # processes that outlive the task shall not hold it
    spec = read(options.spec.read_text(encoding="utf-8"))
    if options.output_root is not None:
        spec.sweep_dir = str(options.output_root)
    rank = cluster.rank()
    started = time.time()
    secrets = {name: os.environ[name] for name in spec.secrets if name in os.environ}
    if secrets:
        _mask_logging(secrets)
    try:
        record = _run(spec, options, rank)
    except BaseException as error:  # noqa: B036 (the record has to be written whatever ended the job)
        record = failure_record(error)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun, when another process has ended: nothing is left to save
    ended = time.time()
    record |= {"name": spec.name, "key": spec.key, "seconds": round(ended - started, 3), "ended": ended}
    there = versions(tuple(spec.versions))
    record["version_skew"], record["versions"] = version_skew(spec.versions, there), imported_versions() | there
    record["threads"] = threads_record()
    record["inputs"] = {key: in_container(path) for key, path in spec.inputs.items()}
    _finish(redacted(record, secrets), options, rank)
    if record["status"] == "interrupted" and (rank > 0 or cluster.RUN_ID in os.environ):
        return 0  # another code, and torchrun or Lightning would kill the others while they save
    return int(record["exit_code"])


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("spec", type=Path)
    parser.add_argument("overrides", nargs="*", help="added by Lightning when it starts its other processes; not needed here")
    parser.add_argument("--root", type=Path, required=True, help="where the code lies")
    parser.add_argument("--job-dir", type=Path, required=True, help="for the result and the specification")
    parser.add_argument("--output-root", type=Path, help="stands for hydra.sweep.dir")
    parser.add_argument("--model-dir", type=Path, help="gets the files that stay in S3")
    parser.add_argument("--closure", type=Path, help="a task that cannot be imported; made by this machine's own user")
    parser.add_argument("--lock", type=int, help="descriptor that says that the job lives, to the launcher and nobody else")
    return parser.parse_intermixed_args(words)


def _run(spec: Spec, options: argparse.Namespace, rank: int) -> dict[str, Any]:
    from hydra.core.utils import JobStatus

    from hydra_sagemaker.runner.recompose import composed

    for line in version_skew(spec.versions, versions(tuple(spec.versions))) if rank == 0 else ():
        print(f"version skew: {line}", file=sys.stderr)
    if spec.commit is not None:
        os.environ["HYDRA_JOB_COMMIT"] = spec.commit
    for entry in reversed(spec.python_path):
        path = str((options.root / entry).resolve())
        if path not in sys.path:
            sys.path.insert(0, path)
    run = composed(spec, options.root, options.closure, writes=rank == 0)
    output_dir = Path(spec.sweep_dir, spec.sweep_subdir).absolute()
    where = {"output_dir": str(output_dir)}
    os.environ.pop(REPORTS_VARIABLE, None)  # of the process that started this one
    if rank == 0:
        output_dir.mkdir(parents=True, exist_ok=True)
        os.environ |= variable_of(output_dir / REPORTS_FILE)
        started = where | {"started": time.time(), "pid": os.getpid()}
        write_atomically(options.job_dir / "started.json", json.dumps(started, indent=1))
    returned = run()
    if returned.status == JobStatus.FAILED:
        return failure_record(returned._return_value) | where
    if rank > 0:
        return {"status": "completed", "exit_code": 0}
    record = success_record(returned._return_value, options.job_dir if options.closure else None) | where
    if "not_json" in record:
        print(f"the sweep gets no return value: {record['not_json']} is not JSON", file=sys.stderr)
    if options.model_dir is not None:
        found = model_files(output_dir, spec.model_files)
        record["model_files"] = [file.as_posix() for file in found]
        if not spec.checkpoints:  # else an interruption may still come: process 1 takes the files away last
            move_files(found, output_dir, options.model_dir)
    return record


def _finish(record: dict[str, Any], options: argparse.Namespace, rank: int) -> None:
    if rank == 0:
        write_atomically(options.job_dir / "result.json", json.dumps(record, indent=1))
        if options.closure is not None:
            options.closure.unlink(missing_ok=True)
    elif record["status"] == "failed":
        write_atomically(cluster.rank_file(options.job_dir, rank), json.dumps(record | {"rank": rank}, indent=1))
    if record["status"] == "failed":
        print(record["exception"]["traceback"], file=sys.stderr)


def _mask_logging(secrets: dict[str, str]) -> None:
    """Let no message of `logging` hold a secret: Hydra writes them to a file, which may be copied to S3 at once."""
    masked, made = redactor(secrets), logging.getLogRecordFactory()

    def record(*words: Any, **named: Any) -> logging.LogRecord:
        one = made(*words, **named)
        with suppress(Exception):  # a message that cannot be formatted is reported where it is printed
            one.msg, one.args = masked(one.getMessage()), ()
        return one

    logging.setLogRecordFactory(record)


def _stop(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
