from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_account import Account
from sagemaker_local import LocalSageMaker, LocalSageMakerError
from sagemaker_local.isolation import check_namespaces

SHOWS = """
import json, os, pathlib, signal, socket, sys
config = json.loads(pathlib.Path("/opt/ml/input/config/resourceconfig.json").read_text())
pathlib.Path("/opt/ml/model/weights").write_text("w")
pathlib.Path("/opt/made-by-a-job").write_text("")
print(json.dumps([os.getpid(), socket.gethostname(), socket.gethostbyname("algo-2"), config["hosts"], sys.prefix,
                  os.environ.get("SAGEMAKER_BASE_DIR")]))
"""
STOPS = """
import pathlib, signal, sys, time
def stop(*_):
    pathlib.Path("/opt/ml/model/saved").write_text("")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSageMaker]:
    try:
        check_namespaces(tmp_path_factory.mktemp("check"))
    except LocalSageMakerError as error:
        pytest.skip(str(error))
    with LocalSageMaker(tmp_path_factory.mktemp("sagemaker"), isolation="namespace", stop_grace_seconds=3) as started:
        yield started


@pytest.fixture(scope="module")
def account(server: LocalSageMaker) -> Iterator[Account]:
    with Account(server.url) as opened:
        yield opened


def test_a_real_opt_ml_pid_1_and_host_names(account: Account, server: LocalSageMaker) -> None:
    described = account.run(SHOWS, ResourceConfig={"InstanceCount": 2})
    assert described["TrainingJobStatus"] == "Completed", account.log(described["TrainingJobName"])
    shown = sorted((json.loads(line) for line in account.log(described["TrainingJobName"])), key=lambda line: line[1])
    hosts = ["algo-1", "algo-2"]
    assert [line[:4] for line in shown] == [[1, host, "127.0.0.1", hosts] for host in hosts]
    assert all(line[4].startswith(str(server.root)) and line[5] is None for line in shown)
    assert account.archive(described["TrainingJobName"]) == {"weights": b"w"}
    assert not Path("/opt/made-by-a-job").exists() and socket.gethostname() not in hosts


def test_stop_reaches_pid_1(account: Account) -> None:
    name = account.create(STOPS)
    account.until_logged(name, "ready")
    account.sagemaker.stop_training_job(TrainingJobName=name)
    assert account.finished(name)["TrainingJobStatus"] == "Stopped"
    assert account.archive(name) == {"saved": b""}


def test_exit_codes_pass_through(account: Account, server: LocalSageMaker) -> None:
    assert account.run("raise SystemExit(5)")["FailureReason"] == "AlgorithmError: , exit code: 5"
    server.faults.update({"kill_jobs": "lost", "kill_after_seconds": 0.1})
    assert account.run("import time; time.sleep(30)", "lost-here")["FailureReason"] == "AlgorithmError: , exit code: 137"


def test_where_there_are_no_namespaces_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(LocalSageMakerError, match="no `unshare` .*\nuse isolation=environment, which needs no privileges"):
        LocalSageMaker(tmp_path, isolation="namespace").__enter__()
    monkeypatch.undo()
    (tmp_path / "linked").symlink_to("/opt")
    with pytest.raises(LocalSageMakerError, match="linked is under /opt, which jobs get their own of"):
        check_namespaces(tmp_path / "linked")
    fake = tmp_path / "unshare"
    fake.write_text("#!/bin/sh\necho 'unshare: Operation not permitted' >&2; exit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(LocalSageMakerError, match="not available on this machine: unshare: Operation not permitted"):
        check_namespaces(tmp_path / "root")


def test_an_isolation_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(LocalSageMakerError, match="no isolation 'docker'; isolations: environment, namespace"):
        LocalSageMaker(tmp_path, isolation="docker")  # pyright: ignore[reportArgumentType]
