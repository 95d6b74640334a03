from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from test_endpoints import create_endpoint, in_service, put_model
from test_lifecycle import is_running

import local_account
from local_account import Account, wait_for
from sagemaker_local import LocalSageMaker, LocalSageMakerError
from sagemaker_local.scheduler import THREAD_NAME

IGNORES_SIGTERM = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
time.sleep(60)
open("BY_ITSELF", "w").close()
"""


def test_neither_job_nor_endpoint_holds_the_server_up(tmp_path: Path) -> None:
    others, ended_by_itself = set(threading.enumerate()), tmp_path / "ended-by-itself"
    stubborn = IGNORES_SIGTERM.replace("BY_ITSELF", str(ended_by_itself))
    with (
        LocalSageMaker(tmp_path, serve_command=["python", "-c", stubborn], max_running=2) as server,
        Account(server.url) as account,
    ):
        plain = account.create("print('there', flush=True); import time; time.sleep(60)")
        account.until_logged(plain, "there")
        account.sagemaker.stop_training_job(TrainingJobName=plain)
        account.finished(plain)  # long before the grace of 120 s: SIGTERM ends who does not handle it
        running = account.create(stubborn)
        stopping = account.create(stubborn)
        waiting = account.create(stubborn)
        pids = [int(wait_for(lambda: account.log(name))[0]) for name in (running, stopping)]  # noqa: B023
        account.sagemaker.stop_training_job(TrainingJobName=stopping)
        put_model(account, "silent")
        create_endpoint(account, "silent")
        assert account.describe(waiting)["SecondaryStatus"] == "Starting"
    assert not ended_by_itself.exists()
    assert not any(is_running(pid) for pid in pids)
    assert not list(tmp_path.glob("training-jobs/*/algo-1"))
    assert THREAD_NAME not in [thread.name for thread in set(threading.enumerate()) - others]
    assert server.jobs.jobs[running].status == "InProgress"  # neither failed nor uploaded


def test_an_endpoint_in_service_ends_with_the_server(tmp_path: Path) -> None:
    from test_endpoints import MODEL_SERVER

    (tmp_path / "serve.py").write_text(MODEL_SERVER)
    command = ["python", str(tmp_path / "serve.py")]
    with LocalSageMaker(tmp_path / "root", serve_command=command) as server, Account(server.url) as account:
        put_model(account, "ended")
        create_endpoint(account, "ended")
        in_service(account, "ended")
    assert not list((tmp_path / "root" / "endpoints").iterdir())


def test_servers_stand_side_by_side(tmp_path: Path) -> None:
    with LocalSageMaker(tmp_path / "a") as first, LocalSageMaker(tmp_path / "b") as second:
        with Account(first.url) as account, Account(second.url) as other:
            assert account.run("print(1)", "same-name")["TrainingJobStatus"] == "Completed"
            assert other.run("print(2)", "same-name")["TrainingJobStatus"] == "Completed"  # jobs are a server's own
        port = first.url.rpartition(":")[2]
        with pytest.raises(LocalSageMakerError, match=f"port {port} of 127.0.0.1 is not available"):
            LocalSageMaker(tmp_path / "c", port=int(port)).__enter__()


@pytest.mark.slow
def test_a_server_that_follows_starts_with_nothing_in_s3(tmp_path: Path) -> None:
    code = """
import sys, pathlib
from local_account import Account
from sagemaker_local import LocalSageMaker
for number in range(2):
    with LocalSageMaker(pathlib.Path(sys.argv[1])) as server, Account(server.url) as account:
        print([bucket["Name"] for bucket in account.s3.list_buckets()["Buckets"]])
        account.s3.create_bucket(Bucket="of-the-first")
        assert account.run("print(%d)" % number, "same-name")["TrainingJobStatus"] == "Completed"
        assert account.log("same-name") == [str(number)]
"""
    variables = {**os.environ, "PYTHONPATH": str(Path(local_account.__file__).parent)}
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
    ran = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("['sagemaker-local']\n" * 2, "")
