"""What leaves this machine: every byte that the client sends is looked through."""

from __future__ import annotations

import gzip
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tracked_runs import SMALL, ended, started
from wandb_server import WandbServer

pytest_plugins = ("wandb_server.fixture",)
IN_CONFIG, IN_ENVIRONMENT, IN_ARGUMENTS, IN_REMOTE = (
    "planted-config-51ab",
    "planted-environ-52cd",
    "planted-argv-53ef",
    "planted-remote-54ab",
)
IN_CODE, IN_DIFF = "planted-code-55cd", "planted-diff-56ef"


def a_repository(directory: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=directory, check=True, capture_output=True
        )

    directory.mkdir()
    git("init")
    (directory / "mine.py").write_text(f"# {IN_CODE}\n")
    git("add", ".")
    git("commit", "-m", "x")
    git("remote", "add", "origin", f"https://user:{IN_REMOTE}@example.invalid/x.git")
    (directory / "mine.py").write_text(f"# {IN_CODE}\n# {IN_DIFF}\n")


def sent(server: WandbServer) -> bytes:
    bodies = []
    for request in server.requests:
        body = request.body
        bodies.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        bodies.append(f"{request.path} {request.headers}".encode())
    return b"\n".join(bodies)


@pytest.mark.slow
def test_no_secret_code_host_or_command_line_leaves(
    wandb_server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_repository(tmp_path / "lab")
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_ARTIFACT_DIR", "WANDB_DIR"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_TOKEN", IN_ENVIRONMENT)
    monkeypatch.setenv("PARAPHRASE_CACHE_DIR", str(tmp_path / "cache"))
    planted = "{_target_:tracked_runs.Slow,seconds:0}"
    words = (
        f"+callbacks.a={planted}", "+callbacks.a.api_key=" + IN_CONFIG, "++callbacks.a.hub=${oc.env:HUB_TOKEN}",
        f"++callbacks.a.url='https://me:{IN_ARGUMENTS}@example.invalid/'", "+callbacks.a.tokenizer=bert",
        "logger.wandb.hardest_pairs=0",
    )  # fmt: skip
    code, output = ended(started(tmp_path / "lab", *SMALL, "hydra.run.dir=run", *words))
    assert code == 0, output
    everything = sent(wandb_server).decode(errors="replace")
    for planted in (IN_CONFIG, IN_ENVIRONMENT, IN_ARGUMENTS, IN_REMOTE, IN_CODE, IN_DIFF, os.environ["WANDB_API_KEY"]):
        assert planted not in everything, planted
    here = {sys.executable, str(tmp_path), "paraphrase_lab/__main__", "example.invalid/x.git", "requirements.txt"}
    assert [word for word in here if word in everything] == []
    assert not re.search(rf'"{re.escape(socket.gethostname())}\\*"', everything)
    (seen,) = wandb_server.runs.values()
    assert seen.config["callbacks"]["a"] == {
        "_target_": "tracked_runs.Slow", "seconds": 0, "api_key": "[redacted]", "hub": "[redacted]", "tokenizer": "bert",
        "url": "https://[redacted]@example.invalid/",
    }  # fmt: skip
    assert (seen.host, seen.program, seen.commit, seen.repo) == (None, "paraphrase", None, None)


@pytest.mark.slow
def test_what_the_configuration_shares_leaves(wandb_server: WandbServer, tmp_path: Path) -> None:
    a_repository(tmp_path / "lab")
    share = [f"logger.wandb.share_{what}=true" for what in ("machine", "console", "code")]
    code, output = ended(started(tmp_path / "lab", *SMALL, "hydra.run.dir=run", *share))
    assert code == 0, output
    (seen,) = wandb_server.runs.values()
    everything = sent(wandb_server).decode(errors="replace")
    assert seen.host == socket.gethostname() and seen.commit
    assert any("accuracy" in line for line in seen.log) and IN_DIFF in everything
