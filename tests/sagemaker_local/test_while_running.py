from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from test_lifecycle import ROOT

from local_account import BUCKET, Account, wait_for
from sagemaker_local import LocalSageMaker
from sagemaker_local.account import CLIENT_KEY

SAVES_AND_PRUNES = (
    ROOT
    + """
checkpoints = root / "checkpoints"
checkpoints.joinpath("step-1").write_text("1")
print("saved", flush=True)
while not (root / "input" / "data" / "go").exists(): time.sleep(0.02)
checkpoints.joinpath("step-1").unlink()
checkpoints.joinpath("step-2").write_text("2")
print("pruned", flush=True)
time.sleep(60)
"""
)


def test_logs_and_checkpoints_come_while_the_job_runs(account: Account, server: LocalSageMaker) -> None:
    for key in ("run/kept", "run-other/foreign"):
        account.s3.put_object(Bucket=BUCKET, Key=f"checkpoints/{key}", Body=b"0")
    name = account.create(SAVES_AND_PRUNES, CheckpointConfig={"S3Uri": f"s3://{BUCKET}/checkpoints/run"})
    account.until_logged(name, "saved")
    wait_for(lambda: account.keys("checkpoints/run/") == ["checkpoints/run/kept", "checkpoints/run/step-1"])
    (server.root / "training-jobs" / name / "algo-1" / "opt_ml" / "input" / "data" / "go").touch()
    wait_for(lambda: account.keys("checkpoints/run/") == ["checkpoints/run/kept", "checkpoints/run/step-2"])
    assert account.describe(name)["SecondaryStatus"] == "Training"
    account.sagemaker.stop_training_job(TrainingJobName=name)
    account.finished(name)
    assert account.keys("checkpoints/run") == [
        "checkpoints/run-other/foreign",
        "checkpoints/run/kept",
        "checkpoints/run/step-2",
    ]


def test_checkpoints_are_restored_in_the_folder_asked_for(account: Account) -> None:
    account.s3.put_object(Bucket=BUCKET, Key="checkpoints/restored/a/b", Body=b"content")
    code = ROOT + "print((root / 'state' / 'a' / 'b').read_text())"
    config = {"S3Uri": f"s3://{BUCKET}/checkpoints/restored/", "LocalPath": "/opt/ml/state"}
    assert account.log(account.run(code, CheckpointConfig=config)["TrainingJobName"]) == ["content"]
    uploads = [r for r in account.requests() if r["operation"] == "PutObject" and "restored" in r["path"]]
    assert len(uploads) == 1  # ours: what was restored is not copied back


def test_long_lines_broken_characters_and_the_unfinished_last_line(account: Account) -> None:
    code = "import sys; sys.stdout.buffer.write(b'x' * 300_000 + b'\\n\\xff\\n\\nlast')"
    log = account.log(account.run(code)["TrainingJobName"])
    assert "".join(log[:-2]) == "x" * 300_000 and len(log) > 3
    assert log[-2:] == ["\ufffd", "last"]


def test_log_lines_come_whole_and_while_the_job_runs(account: Account) -> None:
    code = "import time; print('a line ', end='', flush=True); time.sleep(0.5); print('in two halves')"
    ticks = "\nwhile True: print('tick', flush=True); time.sleep(0.1)"
    name = account.create(code + ticks)
    wait_for(lambda: len(account.log(name)) > 5)
    assert account.log(name)[0] == "a line in two halves"
    assert account.describe(name)["TrainingJobStatus"] == "InProgress"
    account.sagemaker.stop_training_job(TrainingJobName=name)
    account.finished(name)


def test_clients_wait_until_the_account_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create, asked = LocalSageMaker._create_account, list[Future]()

    def slowly(server: LocalSageMaker, services: Any) -> None:
        session = boto3.Session(**server.keys.arguments(CLIENT_KEY), region_name="us-east-1")
        asked.append(threads.submit(lambda: session.client("s3", endpoint_url=server.url).list_buckets()["Buckets"]))
        time.sleep(0.5)
        assert not asked[0].done()
        create(server, services)

    monkeypatch.setattr(LocalSageMaker, "_create_account", slowly)
    with ThreadPoolExecutor() as threads, LocalSageMaker(tmp_path):
        assert BUCKET in [bucket["Name"] for bucket in asked[0].result()]
