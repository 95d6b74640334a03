"""Who may look behind the local SageMaker, and a server that takes the port and the keys of the one before."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hydra_sagemaker.aws.local_credentials import keys_of, place_of
from local_account import Account, signed
from sagemaker_local import LocalSageMaker
from sagemaker_local.account import CLIENT_KEY, Keys
from sagemaker_local.signatures import is_of_this_user

AS_SOMEONE_ELSE = """
import encodings.idna, os, sys, urllib.error, urllib.request
url = sys.argv[1]
os.setuid(65534)
for path, body in (("requests", None), ("faults", None), ("faults", b'{"kill_jobs": ""}')):
    request = urllib.request.Request(f"{url}/_local/{path}", body, method="PUT" if body else "GET")
    try:
        print(urllib.request.urlopen(request, timeout=10).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_another_user_sees_no_requests_and_sets_no_faults(account: Account) -> None:
    command = [sys.executable, "-c", AS_SOMEONE_ELSE, account.url]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["403", "403", "403"]
    assert account.local("faults")["kill_jobs"] is None


def test_where_nobody_says_whose_a_connection_is_the_keys_do(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sagemaker_local.application.is_of_this_user", lambda environ: False)
    body = b'{"start_delay_seconds": 2}'
    sent = signed(account.url, body, {}, path="/_local/faults", method="PUT")
    request = urllib.request.Request(f"{account.url}/_local/faults", body, sent, method="PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["start_delay_seconds"] == 2
    with pytest.raises(urllib.error.HTTPError) as caught:
        account.local("faults", {})
    with caught.value as refused:
        assert refused.code == 403 and "The request is not signed. Export the variables" in json.load(refused)["message"]


def test_a_connection_is_known_by_both_of_its_ends(account: Account) -> None:
    """Another user may have the same port at another address of this machine."""
    port = urlsplit(account.url).port or 0
    with socket.create_connection(("127.0.0.1", port)) as mine:
        ends = {"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": mine.getsockname()[1], "SERVER_PORT": str(port)}
        assert is_of_this_user(ends)
        for other in ({"REMOTE_ADDR": "127.0.0.2"}, {"SERVER_PORT": "1"}, {"REMOTE_ADDR": "nowhere"}, {"REMOTE_PORT": 1}):
            assert not is_of_this_user(ends | other)
    assert not is_of_this_user({})


SERVER = "import sys; from sagemaker_local.cli import main; sys.exit(main(sys.argv[1:]))"


def test_the_next_server_on_the_port_serves_who_knows_the_keys_of_the_one_before(tmp_path: Path) -> None:
    with LocalSageMaker(tmp_path) as reserved:
        port = urlsplit(reserved.url).port or 0
    file = place_of(port)
    command = [sys.executable, "-c", SERVER, "--port", str(port), "--root", str(tmp_path)]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
            assert killed.stdout and "The local SageMaker is at" in killed.stdout.readline()
            client = Account(f"http://127.0.0.1:{port}")
            assert client.clients["sts"].get_caller_identity()["Account"] == "123456789012"
            killed.kill()
        with client:
            for _ in ("after the killed one", "after the one that ended"):
                with LocalSageMaker(tmp_path, port=port):
                    assert client.clients["sts"].get_caller_identity()["Account"] == "123456789012"
                assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        file.unlink(missing_ok=True)


def test_keys_that_are_none_of_a_server_are_not_taken(server: LocalSageMaker) -> None:
    mine = keys_of(server.url)
    assert Keys(mine).arguments(CLIENT_KEY) == mine and Keys(mine).ids != server.keys.ids
    for name, value in (("aws_access_key_id", "AKIAMINE"), ("aws_secret_access_key", "local")):
        assert not set(Keys(mine | {name: value}).arguments(CLIENT_KEY).values()) & {*mine.values(), value}
