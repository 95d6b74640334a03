"""The second stage of the check on names of the Hub, asked from a server that answers as the Hub does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from checking import built, here
from encoders import save_checkpoint
from paraphrase_lab.check import hub


class _Hub(BaseHTTPRequestHandler):
    """Answers as the Hub does, by the name asked for."""

    ANSWERS = {
        "gone": (404, "RepoNotFound"),
        "gated": (403, "GatedRepo"),
        "old": (404, "RevisionNotFound"),
        "broken": (500, ""),
    }

    CONFIGS = {
        "own": {
            "model_type": "mine",
            "auto_map": {"AutoConfig": "configuration.Mine", "AutoModel": "owner/a--modeling.Mine"},
        },
        "also": {"model_type": "bert", "auto_map": {"AutoModel": "modeling.Bert"}},
    }
    """What the Hub repeats of config.json."""

    def do_GET(self) -> None:
        name = self.path.split("/")[4].partition("?")[0]
        status, code = self.ANSWERS.get(name, (200, ""))
        found = {"id": f"owner/{name}", "siblings": [], "config": self.CONFIGS.get(name, {"model_type": "bert"})}
        body = json.dumps(found).encode() if status == 200 else b"{}"
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def hub_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    hub._asked.cache_clear()
    yield constants.ENDPOINT
    hub._asked.cache_clear()
    server.shutdown()
    thread.join()
    server.server_close()


def _cache(folder: Path, name: str, config: str) -> Path:
    """Lay the model's config.json where the library looks for it."""
    cached = folder / f"models--{name.replace('/', '--')}"
    (cached / "snapshots" / "abc").mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    file = cached / "snapshots" / "abc" / "config.json"
    file.write_text(config)
    return file


def asked(name: str, *overrides: str) -> str | None:
    found = here("model=pretrained", f"model.name={name}", *overrides).problems
    assert len(found) <= 1
    return found[0] if found else None


def test_what_the_hub_says_of_a_name(hub_here: str) -> None:
    assert asked("owner/there") is None
    assert asked("owner/gone") == (
        "model.name=owner/gone is not on the Hub, or private: "
        f"look for it at {hub_here}/models?search=owner/gone, or type 'hf auth login'."
    )
    assert asked("owner/old", "model.revision=v9") == (
        f"model.name=owner/old has no revision 'v9': see {hub_here}/owner/old/commits/main."
    )
    assert asked("owner/gated") == (
        f"model.name=owner/gated is gated: accept its terms at {hub_here}/owner/gated, then type 'hf auth login'."
    )
    assert asked("owner/broken") == (
        "model.name=owner/broken could not be looked up: the Hub answered 500. Without the Hub: model.name=DIRECTORY; "
        "or 'hf download owner/broken' where there is a network, then HF_HUB_OFFLINE=1."
    )
    assert asked("'not a name'") == "model.name=not a name is neither a directory here nor a name of the Hub, OWNER/NAME."
    assert here("data=pairs", "data.path=owner/gone").problems == [
        "the data set owner/gone is not on the Hub, or private: "
        f"look for it at {hub_here}/datasets?search=owner/gone, or type 'hf auth login'."
    ]


def test_code_that_comes_with_a_model(hub_here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = (
        "model.name=owner/own needs code of its own (configuration.py, modeling.py), which would run on this machine: "
        "read it, then type model.trust_remote_code=true."
    )
    assert asked("owner/own") == refused
    assert asked("owner/own", "model.trust_remote_code=true") is None
    assert asked("owner/also") is None  # transformers has code of its own for it
    cached = _cache(tmp_path, "owner/own", json.dumps(_Hub.CONFIGS["own"]))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert asked("owner/own") == refused
    assert asked("owner/own", "model.trust_remote_code=true") is None
    cached.write_text("{")
    assert asked("owner/own") == (
        f"model.name=owner/own is in the local cache with a config.json that is no JSON: delete {cached}."
    )


def test_the_network_is_not_there(hub_here: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    problem = asked("owner/there")
    assert problem is not None
    assert problem.startswith("model.name=owner/there could not be looked up: the network does not reach http://127.0.0.1:1 (")
    assert problem.endswith("'hf download owner/there' where there is a network, then HF_HUB_OFFLINE=1.")
    (problem,) = here("data=paws").problems
    assert problem.startswith("the data set google-research-datasets/paws could not be looked up: the network does not reach")
    assert "Without a network: data.path=DIRECTORY with the files of train, validation and test;" in problem
    (problem,) = here("data=mixture").problems  # a model that is not pre-trained: the sources alone name the Hub
    assert "Without a network: data.sources.paws.path=DIRECTORY with" in problem
    assert built("data=paws", "model=roberta_base") == ([], [])  # elsewhere


def test_offline_only_the_cache_counts(hub_here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert asked("owner/there") == (
        "model.name=owner/there is not in the local cache, and HF_HUB_OFFLINE is set. Without a network: model.name=DIRECTORY; "
        "or 'hf download owner/there' where there is a network, then HF_HUB_OFFLINE=1."
    )
    _cache(tmp_path, "owner/there", "{}")
    assert asked("owner/there") is None
    (tmp_path / "datasets--owner--pairs").mkdir()
    assert here("data=pairs", "data.path=owner/pairs").problems == []


def test_local_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert asked("./gone") == f"model.name=./gone does not exist; a relative path starts at the working directory, {tmp_path}."
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "notes.txt").touch()
    assert (
        asked("checkpoint") == "model.name=checkpoint is a directory without config.json: name one that save_pretrained wrote."
    )
    save_checkpoint(tmp_path / "checkpoint", "bert")
    assert asked("checkpoint", "data.max_length=64") is None
