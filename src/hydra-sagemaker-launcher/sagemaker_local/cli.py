"""The command `hydra-sagemaker-local`: starts the server, says how to use it, prints one line per event."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from sagemaker_local.account import BUCKET, ROLE_ARN
from sagemaker_local.errors import LocalSageMakerError
from sagemaker_local.faults import Faults
from sagemaker_local.isolation import ISOLATIONS
from sagemaker_local.server import LocalSageMaker
from sagemaker_local.warm_pools import Machines

LOOPBACK = ("127.0.0.1", "localhost")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C. Return the exit code: 0 after Ctrl-C or SIGTERM, 2 when the server cannot start as asked."""
    parser = _parser()
    options = parser.parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    os.environ.pop("AWS_PROFILE", None)  # moto would look for it in the user's configuration
    try:
        with tempfile.TemporaryDirectory(prefix="sagemaker-local-") as temporary, _server(options, temporary) as server:
            print(_greeting(server), flush=True)
            handler = logging.StreamHandler(sys.stdout)
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
            logger = logging.getLogger("sagemaker_local")
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
            ended.wait()
            print("ending every job and endpoint", flush=True)
    except LocalSageMakerError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="A SageMaker on this machine: jobs and endpoints really run, S3 and the rest are moto's. No sandbox.",
    )
    parser.add_argument("--port", type=int, default=5005, help="of 127.0.0.1; 0 takes a free one (default: 5005)")
    parser.add_argument("--host", default=LOOPBACK[0], help="127.0.0.1 only: anyone who reaches the port can run commands")
    parser.add_argument("--root", type=Path, help="where jobs run and their logs stay (default: a folder removed at the end)")
    parser.add_argument("--max-running", type=int, default=4, help="jobs at once; others wait as Starting (default: 4)")
    parser.add_argument("--isolation", choices=ISOLATIONS, default=ISOLATIONS[0], help="how a job gets its /opt/ml")
    parser.add_argument("--python", default=sys.executable, help="the interpreter whose packages jobs find installed")
    parser.add_argument("--stop-grace-seconds", type=float, default=120, help="between SIGTERM and SIGKILL (default: 120)")
    parser.add_argument("--serve-command", default="serve", help="what an endpoint runs (default: serve)")
    parser.add_argument("--warm-pools", type=int, default=0, help="instances of a type in warm pools (default: 0, as AWS)")
    starts = {"start": "of new machines, not billed", "image": "for an image, billed", "warm-start": "of machines kept warm"}
    for name, meaning in starts.items():
        parser.add_argument(f"--{name}-seconds", type=float, default=0, help=f"{meaning} (default: 0)")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME=VALUE", help="see sagemaker_local/README.md; repeatable"
    )
    return parser


def _server(options: argparse.Namespace, temporary: str) -> LocalSageMaker:
    if options.host not in LOOPBACK:
        raise LocalSageMakerError(
            f"--host {options.host} is refused: anyone who reaches the port can run commands as you, so it is 127.0.0.1 only"
        )
    return LocalSageMaker(
        options.root or Path(temporary),
        port=options.port,
        isolation=options.isolation,
        python=options.python,
        max_running=options.max_running,
        stop_grace_seconds=options.stop_grace_seconds,
        faults=Faults.parse(options.fault),
        machines=Machines(options.start_seconds, options.image_seconds, options.warm_start_seconds, options.warm_pools),
        serve_command=shlex.split(options.serve_command),
    )


def _greeting(server: LocalSageMaker) -> str:
    exports = "\n".join(f"export {name}={value}" for name, value in server.client_environment.items())
    return f"""\
The local SageMaker is at {server.url}; Ctrl-C ends it and every job.
It is an emulator, not AWS, and no sandbox: jobs run as you, with full access to your files.

{exports}

bucket  s3://{BUCKET}
role    {ROLE_ARN}
jobs    {server.root}
"""
