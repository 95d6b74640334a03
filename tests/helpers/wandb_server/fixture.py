"""`pytest_plugins = ("wandb_server.fixture",)` in a test file makes the fixture known there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wandb_server.server import WandbServer

DIRECTORIES = ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR", "WANDB_ARTIFACT_DIR")


@pytest.fixture
def wandb_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WandbServer]:
    """A server that the client of this process and of its children talks to; what it does not know fails the test."""
    _forget_settings()
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in DIRECTORIES:
        directory = tmp_path / "wandb_home" / name.lower()
        directory.mkdir(parents=True)
        monkeypatch.setenv(name, str(directory))
    monkeypatch.setenv("NETRC", str(tmp_path / "wandb_home" / "no_netrc"))
    with WandbServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
        server.heal()
        server.start()  # a test may end in an outage
        _forget_settings()
    assert server.unknown == []


def _forget_settings() -> None:
    """The client reads its settings once per process."""
    if wandb := sys.modules.get("wandb"):
        wandb.finish()
        wandb.teardown()
