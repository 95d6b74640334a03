from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_lifecycle import is_running

from local_account import Account, wait_for
from sagemaker_local import cli

COMMAND = [sys.executable, "-c", "import sys; from sagemaker_local.cli import main; sys.exit(main())"]
SPAWNS = """
import os, subprocess, sys, time
daemon = "import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(60)"
subprocess.run([sys.executable, "-c", daemon + " # a daemon of " + os.environ["TRAINING_JOB_NAME"]])
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("started", os.getpid(), child.pid, flush=True)
time.sleep(60)
"""


@contextmanager
def started(*options: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The process, and the variables it tells the user to export."""
    environment = {**os.environ, **variables, "PYTHONUNBUFFERED": "1"}
    command = [*COMMAND, "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as process:
        assert process.stdout
        try:
            lines = []
            while not (lines and lines[-1].startswith("jobs ")):
                line = process.stdout.readline()
                assert line, "".join(lines)
                lines.append(line)
            exports = [line.split()[1].partition("=") for line in lines if line.startswith("export ")]
            assert "no sandbox" in "".join(lines) and "role    arn:aws:iam::123456789012:role/sagemaker-local" in "".join(lines)
            yield process, {name: value for name, _, value in exports}
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_start_one_line_per_event_and_end(tmp_path: Path, number: signal.Signals) -> None:
    root = tmp_path / "root"
    with started("--root", str(root), "--fault", "kill_jobs=lost", AWS_PROFILE="no-such-profile") as (process, exports):
        assert set(exports) == {"AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        with Account(exports["AWS_ENDPOINT_URL"]) as account:
            account.run("print('hello')", "hello")
            assert account.local("faults")["kill_jobs"] == "lost"
            running = account.create(SPAWNS)
            pids = pids_of(account, running)
        process.send_signal(number)
        output = process.communicate(timeout=15)[0]
        assert process.returncode == 0
    events = [line.split(maxsplit=1)[1] for line in output.splitlines() if line[:2].isdigit()]
    assert [event.partition(" (")[0] for event in events if event.startswith("hello ")] == [
        f"hello {step}" for step in ("Starting", "Downloading", "Training", "Uploading", "Completed")
    ]
    wait_for(lambda: not any(is_running(pid) for pid in pids), seconds=5)
    assert (root / "training-jobs" / "hello" / "algo-1.log").read_text() == "hello\n"
    assert not list(root.glob("training-jobs/*/algo-1"))


def pids_of(account: Account, name: str) -> list[int]:
    line = wait_for(lambda: next((line for line in account.log(name) if line.startswith("started")), None))
    processes = subprocess.run(["pgrep", "-f", f"a daemon of {name}"], capture_output=True, text=True).stdout.split()
    assert processes
    return [int(pid) for pid in [*line.split()[1:], *processes]]


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are found by /proc")
def test_nothing_outlives_a_server_killed_with_sigkill(tmp_path: Path) -> None:
    with started("--root", str(tmp_path)) as (process, exports), Account(exports["AWS_ENDPOINT_URL"]) as account:
        pids = pids_of(account, account.create(SPAWNS, "orphan"))
        assert all(is_running(pid) for pid in pids)
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_for(lambda: not any(is_running(pid) for pid in pids), seconds=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0 is refused: .* 127.0.0.1 only"),
        (["--fault", "nothing=1"], "there is no fault 'nothing'; faults: throttled_calls"),
        (["--max-running", "0"], "max_running is at least 1, not 0"),
        (["--python", "/nowhere/python"], "/nowhere/python is not a Python that can run jobs"),
    ],
)
def test_sentences_instead_of_tracebacks(capfd: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    code, error = run(capfd, "--port", "0", *options)
    assert code == 2 and re.search(message, error), error


def run(capfd: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        code = cli.main(options)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code, capfd.readouterr().err


def test_a_port_that_is_taken(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/hydra-sagemaker-local"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, error = run(capfd, "--port", str(port))
    assert code == 2
    assert error.startswith(
        f"hydra-sagemaker-local: port {port} of 127.0.0.1 is not available (Address already in use): choose another"
    )


def test_missing_packages_are_one_sentence_and_the_import_is_light() -> None:
    code = """
import sys
sys.modules["flask"] = None
sys.argv[0] = "paraphrase-sagemaker-local"
from sagemaker_local import LocalSageMaker, Faults
from sagemaker_local.cli import main
assert not {"boto3", "botocore", "moto", "werkzeug"} & set(sys.modules)
sys.exit(main(["--port", "0"]))
"""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert ran.returncode == 2
    wanted = (
        "paraphrase-sagemaker-local: the local SageMaker needs the package flask; "
        'type: pip install "moto[s3]>=5.1" "flask>=3.0" "flask-cors>=5.0"\n'
    )
    assert ran.stderr == wanted
