from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sagemaker_local
from local_account import Account
from sagemaker_local import Faults, LocalSageMaker

README = (Path(sagemaker_local.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_the_example_runs(account: Account, server: LocalSageMaker) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    ran = subprocess.run([sys.executable, "-c", code], env={**os.environ, **server.client_environment}, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    assert account.finished("first")["TrainingJobStatus"] == "Completed" and account.log("first") == ["hello"]


def test_the_command_of_the_faults_works(account: Account, server: LocalSageMaker) -> None:
    (command,) = re.findall(r"`curl -X PUT \$AWS_ENDPOINT_URL/_local/(.*?)`", README)
    path, _, body = command.partition(" -d ")
    assert (path, body) == ("faults", """'{"kill_jobs": "seed-1"}'""")
    account.local("faults", {"kill_jobs": "seed-1"})
    assert server.faults == Faults(kill_jobs="seed-1")


@pytest.mark.parametrize("field", dataclasses.fields(Faults), ids=lambda field: field.name)
def test_every_fault_is_in_the_table_with_its_default(field: dataclasses.Field) -> None:
    (row,) = [row for row in README.splitlines() if row.startswith("| `") and f"`{field.name}`" in row.split("|")[1]]
    names, defaults = re.findall(r"`(\w+)`", row.split("|")[1]), row.split("|")[2].split(",")
    shown = defaults[names.index(field.name)].strip()
    assert shown == "none" if field.default is dataclasses.MISSING else json.loads(shown) == field.default
