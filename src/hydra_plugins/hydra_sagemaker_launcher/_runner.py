"""Runs one job, on this machine or in a training container: `python -m …_runner SPEC --root … --job-dir …`.

Composes the configuration again from the code that travelled, refuses to run when that gives something else than was submitted,
and leaves `result.json`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from hydra_plugins.hydra_sagemaker_launcher import _spec
from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError
from hydra_plugins.hydra_sagemaker_launcher._result import (
    failure_record,
    set_model_files_apart,
    success_record,
    write_atomically,
)
from hydra_plugins.hydra_sagemaker_launcher._spec import Spec

log = logging.getLogger(__name__)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("spec", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="where the code lies")
    parser.add_argument("--job-dir", type=Path, required=True, help="for the result and the specification")
    parser.add_argument("--output-root", type=Path, help="stands for hydra.sweep.dir")
    parser.add_argument("--model-dir", type=Path, help="gets the files that stay in S3")
    parser.add_argument("--closure", type=Path, help="a task that cannot be imported; made by this machine's own user")
    options = parser.parse_args(words)
    signal.signal(signal.SIGTERM, _stop)
    spec = _spec.read(options.spec.read_text(encoding="utf-8"))
    if options.output_root is not None:
        spec.sweep_dir = str(options.output_root)
    started = time.time()
    try:
        record = _run(spec, options)
    except BaseException as error:  # noqa: B036 (the record has to be written whatever ended the job)
        record = failure_record(error)
    record |= {"name": spec.name, "key": spec.key, "seconds": round(time.time() - started, 3)}
    record["version_skew"] = _spec.version_skew(spec.versions, _spec.versions())
    _finish(record, options)
    return int(record["exit_code"])


def _run(spec: Spec, options: argparse.Namespace) -> dict[str, Any]:
    from hydra.core.utils import JobStatus

    from hydra_plugins.hydra_sagemaker_launcher._compose import composed, run

    for line in _spec.version_skew(spec.versions, _spec.versions()):
        print(f"version skew: {line}", file=sys.stderr)
    _fetch_secrets(spec)
    if spec.commit is not None:
        os.environ["HYDRA_JOB_COMMIT"] = spec.commit
    for entry in reversed(spec.python_path):
        path = str((options.root / entry).resolve())
        if path not in sys.path:
            sys.path.insert(0, path)
    job = composed(spec, options.root, options.closure)
    _note(options.job_dir / "started.json", {"output_dir": str(job.output_dir), "started": time.time(), "pid": os.getpid()})
    returned = run(job)
    if returned.status == JobStatus.FAILED:
        return failure_record(returned._return_value) | {"output_dir": str(job.output_dir)}
    record = success_record(returned._return_value, options.job_dir if options.closure else None) | {
        "output_dir": str(job.output_dir)
    }
    if "not_json" in record:
        print(f"the sweep gets no return value: {record['not_json']} is not JSON", file=sys.stderr)
    if options.model_dir is not None:
        record["model_files"] = set_model_files_apart(job.output_dir, options.model_dir, spec.model_files)
    return record


def _finish(record: dict[str, Any], options: argparse.Namespace) -> None:
    write_atomically(options.job_dir / "result.json", json.dumps(record, indent=1))
    if record["status"] == "failed":
        print(record["exception"]["traceback"], file=sys.stderr)


def _fetch_secrets(spec: Spec) -> None:
    if not spec.secrets:
        return
    try:
        import boto3
    except ImportError:
        raise LauncherError("hydra.launcher.secrets needs boto3 in the job: add it to the requirements") from None
    client = boto3.client("secretsmanager", region_name=spec.region or os.environ.get("AWS_REGION"))
    for variable, secret in spec.secrets.items():
        try:
            os.environ[variable] = client.get_secret_value(SecretId=secret)["SecretString"]
        except Exception as error:  # not there, not text, not allowed: the name helps, whatever it is
            raise LauncherError(f"hydra.launcher.secrets.{variable}={secret}: {type(error).__name__}: {error}") from None
    print(f"secrets read: {', '.join(spec.secrets)}", file=sys.stderr)


def _note(file: Path, values: dict[str, Any]) -> None:
    write_atomically(file, json.dumps(values, indent=1))


def _stop(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
