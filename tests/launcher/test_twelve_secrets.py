"""Twelve secrets where people leave them, under harmless names: a sweep with them is refused, and none of them leaves."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

from gate import Gate  # noqa: E402
from planted_secrets import everything  # noqa: E402
from wire_contents import words_in  # noqa: E402

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud


def digits(count: int) -> str:
    return secrets.token_hex(count)[:count]


WORDS = {
    name: digits(20)
    for name in ("hub", "netrc", "deploy key", "root key", "notebook", "W&B", "url", "dsn", "default", "signed", "typed", "aws")
}
"""The part of each secret that is nobody else's."""
HEXADECIMAL = WORDS["W&B"] * 2
AWS_SECRET = f"aZ/{WORDS['aws']}/{'k7Q' * 5}Z"
FILES = {
    "settings.py": (f"import os\n\nTOKEN = 'hf_{WORDS['hub']}{'aB3d' * 4}'\n", ":3 (Hugging Face token)"),
    "notes/hosts": (f"machine api.wandb.ai login ann password {WORDS['netrc']}\n", ":1 (netrc password)"),
    "deploykey": (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{WORDS['deploy key']}\n", " (by its name)"),
    "rootkey.csv": (f"Access key ID,Secret access key\nAKIA{'Q3EGRCVZ' * 2},{WORDS['root key']}\n", " (by its name)"),
    "explore.ipynb": (
        json.dumps({"cells": [{"source": [f"login('sk-ant-api03-{WORDS['notebook']}')\n"]}]}, indent=1),
        ":5 (API key)",
    ),
    "run.sh": (f"export WANDB_API_KEY={HEXADECIMAL}\n", ":1 (hexadecimal key)"),
    "README.md": (f"clone https://ann:{WORDS['url']}@git.internal/x\n", ":1 (password in a URL)"),
}
CONFIGURATION = {
    "storage": f"Server=db;Uid=ann;Password={WORDS['dsn']};",
    "tracker.api_key": "${oc.env:TRACKER_KEY," + WORDS["default"] + "}",
    "rows": f"https://b.s3.amazonaws.com/rows.csv?X-Amz-Signature={WORDS['signed']}",
    "hub.password": WORDS["typed"],
    "s3.key": AWS_SECRET,
}


def words() -> list[str]:
    return [f"+{path}='{value}'" for path, value in CONFIGURATION.items()]


def test_twelve_secrets_never_leave(cloud: Cloud) -> None:
    assert len(FILES) + len(CONFIGURATION) == len(set(WORDS.values())) == 12 and len(AWS_SECRET) == 40
    for name, (text, _) in FILES.items():
        cloud.app.write(name, text)
    with Gate(cloud.server.url) as gate:
        output = cloud.sweep("x=1", *words(), code=1, env={"AWS_ENDPOINT_URL": gate.url})
        assert gate.passages == [] and cloud.account.requests == [] and cloud.objects() == {} and cloud.names() == []
    for name, (_, found) in FILES.items():
        assert f"{name}{found}" in output
    for path in CONFIGURATION:
        assert f"the configuration's {path} looks like a secret" in output
    assert words_in(output.encode(), list(WORDS.values())) == set()


@pytest.mark.slow
def test_the_way_out_leads_to_a_sweep_without_them(cloud: Cloud) -> None:
    for name, (text, _) in FILES.items():
        cloud.app.write(name, text)
    cloud.app.write(".sagemakerignore", "\n".join(FILES))
    with Gate(cloud.server.url) as gate:
        output = cloud.sweep("x=1", env={"AWS_ENDPOINT_URL": gate.url})
        for place, content in everything(cloud, gate, output):
            assert words_in(content, list(WORDS.values())) == set(), place
    assert cloud.returns()[0]["value"] == 10
