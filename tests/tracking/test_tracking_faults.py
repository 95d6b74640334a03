"""A W&B server that is unreachable, refuses or dies: the training continues, nothing is lost, the end says how to upload it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paraphrase_lab.runs.wandb_access import has_key
from tracked_runs import LONGER, SMALL, ended, logged_steps, record, started, steps, synced
from wandb_server import WandbServer

pytest_plugins = ("wandb_server.fixture",)
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def own_places(wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_ARTIFACT_DIR", "WANDB_DIR"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PARAPHRASE_CACHE_DIR", str(tmp_path / "cache"))


def said_command(output: str) -> list[str]:
    return re.findall(r"wandb sync (?:--no-skip-online )?(\S+)$", output, re.MULTILINE)


@pytest.mark.parametrize("fault", ["away", "refused", "no key at all", "slow"])
def test_a_server_that_cannot_be_had_at_the_start(
    fault: str, wandb_server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = os.environ["WANDB_API_KEY"]
    if fault == "away":
        wandb_server.stop()
    elif fault == "slow":
        wandb_server.fail(503)
    else:
        monkeypatch.setenv("WANDB_API_KEY", "9" * 40 if fault == "refused" else "abc")
    code, output = ended(started(tmp_path, *SMALL, "hydra.run.dir=run", "logger.wandb.init_timeout_s=5"))
    assert code == 0, output
    assert re.search(r"WARNING W&B: http://127\S+ cannot be used \(\w+.*\): training continues, recorded in run/wandb", output)
    assert "Traceback" not in output and "9999" not in output
    wandb_server.heal()
    wandb_server.start()
    monkeypatch.setenv("WANDB_API_KEY", key)
    (attempt,) = said_command(output)
    assert [path.name for path in (tmp_path / "run" / "wandb").glob("*run-*")] == [Path(attempt).name]
    synced(tmp_path / attempt)
    (seen,) = wandb_server.runs.values()
    assert steps(seen.history) == logged_steps(tmp_path / "run") and seen.state == "finished"


@pytest.mark.parametrize("fault", ["dies", "forbids"])
def test_a_server_that_is_lost_midway(fault: str, wandb_server: WandbServer, tmp_path: Path) -> None:
    """Rows go up every 15 s: some have, when it is lost."""
    words = ("hydra.run.dir=run", "+callbacks.slow={_target_:tracked_runs.Slow,seconds:1}", "logger.wandb.finish_timeout_s=4")
    training = started(tmp_path, *LONGER, *words)
    deadline = time.monotonic() + 90
    while not any(seen.history for seen in wandb_server.runs.values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    if fault == "dies":
        wandb_server.stop()
    else:
        wandb_server.fail(403, path="file_stream")
    code, output = ended(training, seconds=100)
    assert code == 0, output
    assert record(tmp_path / "run")["status"] == "finished" and "Traceback" not in output
    assert "wandb sync --no-skip-online run/wandb/run-" in output
    (attempt,) = said_command(output)
    wandb_server.heal()
    wandb_server.start()
    synced(tmp_path / attempt)
    (seen,) = wandb_server.runs.values()
    assert sorted(set(steps(seen.history))) == logged_steps(tmp_path / "run") and seen.state == "finished"
    by_step: dict[int, list[dict[str, Any]]] = {}
    for row in seen.history:
        by_step.setdefault(row["_step"], []).append({name: row[name] for name in row if not name.startswith("_")})
    assert all(row == rows[0] for rows in by_step.values() for row in rows)  # what `wandb sync` sends again is the same


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_client_that_is_killed(mode: str, wandb_server: WandbServer, tmp_path: Path) -> None:
    words = ("hydra.run.dir=run", "+callbacks.kill_client={_target_:tracked_runs.KillClient}", "trainer.max_steps=20")
    code, output = ended(started(tmp_path, *SMALL, *words, WANDB_MODE=mode))
    assert code == 0 and "Traceback" not in output, output
    assert output.count("WARNING W&B: its client has ended") == 1
    assert record(tmp_path / "run")["status"] == "finished" and logged_steps(tmp_path / "run")[-1] == 20
    assert ("wandb sync --no-skip-online run/wandb/run-" in output) == (mode == "online")


def test_a_stop_while_a_finished_run_is_sent_takes_nothing_back(wandb_server: WandbServer, tmp_path: Path) -> None:
    stop = "+callbacks.stop={_target_:tracked_runs.StopWhileSending}"
    code, output = ended(started(tmp_path, *SMALL, "hydra.run.dir=run", stop))
    assert code == 0 and "it is finished, and `wandb sync` sends the rest" in output, output
    assert record(tmp_path / "run")["status"] == "finished" and "test/accuracy" in record(tmp_path / "run")["metrics"]
    (seen,) = wandb_server.runs.values()
    assert (seen.state, seen.exit_code) == ("finished", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("machine api.wandb.ai login user " + "password 0123456789abcdef", True),
        ("machine elsewhere.org login user " + "password 0123456789abcdef", False),
        ("machine api.wandb.ai login", True),
    ],
    ids=["a key", "another machine", "not readable: W&B names the mistake"],
)
def test_a_key_in_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: bool) -> None:
    (tmp_path / "netrc").write_text(text + "\n", encoding="utf-8")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert has_key(SimpleNamespace(api_key=None, base_url="https://api.wandb.ai")) is expected
