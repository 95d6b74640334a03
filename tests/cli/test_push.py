"""`paraphrase push` against a server that takes uploads as the Hub does."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from huggingface_hub import constants
from transformers import AutoModelForSequenceClassification

from commands import paraphrase
from hub_repository import TOKEN, Repository
from paraphrase_lab.push import _known_paths, prepare
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.tracking.private_texts import json_without_private, without_private

REPO = "owner/name"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Repository]]:
    started: list[tuple[Repository, threading.Thread]] = []

    def start(**settings: Any) -> Repository:
        server = Repository(**settings)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread))
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        return server

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning")  # of the Hub's library
def test_what_is_sent(
    tiny_run: Path, hub: Callable[..., Repository], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = hub()
    assert paraphrase("push", str(tiny_run), REPO, "--private") == 0
    printed = capsys.readouterr()
    assert f"pushed: {server.url}/owner/name/commit/abc" in printed.out
    assert TOKEN not in printed.out + printed.err
    assert server.strange == [] and server.visibility == "private" and len(server.commits) == 1
    names = {file.relative_to(tiny_run / "model").as_posix() for file in (tiny_run / "model").rglob("*") if file.is_file()}
    assert set(server.files) == names
    for name in names - {"README.md"}:
        assert server.files[name] == (tiny_run / "model" / name).read_bytes()
    card = server.files["README.md"].decode()
    assert f'pipeline("text-classification", "{REPO}", truncation=True)' in card and "\n# name\n" in card
    assert str(tmp_path.parent) not in card and TOKEN.encode() not in b"".join(server.files.values())
    for name, content in server.files.items():
        (tmp_path / name).write_bytes(content)
    loaded, own = (AutoModelForSequenceClassification.from_pretrained(one) for one in (tmp_path, tiny_run / "model"))
    tokens = torch.tensor([[5, 6, 7]])
    assert loaded(tokens).logits.equal(own(tokens).logits)
    assert paraphrase("push", str(tiny_run), REPO) == 0  # once more, into the repository that is there
    assert len(server.commits) == 2 and server.visibility == "private"


def test_a_dry_run_needs_no_network_and_no_token(
    tiny_run: Path,
    hub: Callable[..., Repository],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    run = shutil.copytree(tiny_run, tmp_path / "run")
    card, config = run / "model" / "README.md", run / "model" / "config.json"
    card.write_text(card.read_text() + "\n`/srv/secret-project/pairs.csv` and ~/mine/x.csv, api_key=abcdef123456\n")
    config.write_text(json.dumps({**json.loads(config.read_text()), "_name_or_path": str(tmp_path / "base")}))
    before = card.read_text()
    assert paraphrase("push", str(run), REPO, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert (
        "model.safetensors" in shown and "nothing was sent; without --dry-run this becomes owner/name, public if new" in shown
    )
    assert "replaced in README.md: /srv/secret-project/pairs.csv is pairs.csv" in shown
    assert "replaced in README.md: ~/mine/x.csv is x.csv" in shown and "replaced in README.md: 1 secrets" in shown
    assert f"replaced in config.json: {tmp_path / 'base'} is base" in shown
    assert "\n`pairs.csv` and x.csv, api_key=[redacted]\n" in shown and "abcdef123456" not in shown
    assert "training_input.json holds hashes of" in shown and card.read_text() == before


def test_a_sentence_of_the_pairs_is_not_sent(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    sentence = pq.read_table(run / "predictions.parquet").column("sentence1")[3].as_py()
    (run / "model" / "README.md").write_text(f"As in: {sentence}")
    assert paraphrase("push", str(run), REPO, "--dry-run") == 2
    assert f"README.md holds a sentence of the run's pairs: {sentence!r}" in capsys.readouterr().err
    table = pq.read_table(run / "predictions.parquet")
    quoted = 'Zoë said "the dog sees the cat" twice'
    row = table.schema.get_field_index("sentence1")
    table = table.set_column(row, "sentence1", [[quoted] * len(table)])
    pq.write_table(table, run / "predictions.parquet")
    for every_sign in (True, False):
        (run / "model" / "README.md").write_text("")
        (run / "model" / "extra.json").write_text(json.dumps({"example": quoted}, ensure_ascii=every_sign), encoding="utf-8")
        assert paraphrase("push", str(run), REPO, "--dry-run") == 2
        assert "extra.json holds a sentence of the run's pairs: 'Zoë said" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "words", "text"),
    [
        ({"status": 401}, (), "the Hub does not accept the token\n`hf auth login`, or another HF_TOKEN"),
        ({"status": 403}, (), "this token may not write to owner/name\na token with write access"),
        ({"status": 404}, (), "owner/name is not there, or its owner is not"),
        ({"status": 418}, (), "the Hub answered 418"),
        ({"exists_public": True}, ("--private",), "owner/name is there already and public\nanother name, or without --private"),
    ],
)
def test_what_the_hub_refuses(
    settings: dict[str, Any],
    words: tuple[str, ...],
    text: str,
    tiny_run: Path,
    hub: Callable[..., Repository],
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = hub(**settings)
    assert paraphrase("push", str(tiny_run), REPO, *words) == 2
    printed = capsys.readouterr()
    assert text in printed.err and TOKEN not in printed.err + printed.out
    assert server.files == {}


def test_without_a_network_a_token_or_a_name(
    tiny_run: Path, hub: Callable[..., Repository], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*words: str) -> str:
        assert paraphrase("push", *words) == 2
        return capsys.readouterr().err

    assert "the network does not reach http://127.0.0.1:9 (" in said(str(tiny_run), REPO)
    assert "owner/na--me is no name of the Hub" in said(str(tiny_run), "owner/na--me")
    assert "just-a-name is no name of the Hub\nOWNER/NAME, as in" in said(str(tiny_run), "just-a-name")
    assert "nowhere is not a run" in said("nowhere", REPO)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set, and pushing needs the Hub" in said(str(tiny_run), REPO)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN")
    assert "not logged in to the Hub\n`hf auth login`, or HF_TOKEN" in said(str(tiny_run), REPO)


def test_a_run_without_a_model(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns("model"))
    assert paraphrase("push", str(run), REPO, "--dry-run") == 2
    assert "has no model to push: it is finished" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["https://a.b/c/d/e", "jane/model", "test/accuracy and/or 1/2/3", "cross-encoder/ms-marco", "a < b / c", "logit 1 / 2.0"],
)
def test_what_is_no_path_stays(text: str) -> None:
    assert without_private(text) == (text, [])


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("read clients/acme/train.csv.", "read train.csv."),
        ("file:///home/jane/x.csv and path:/home/jane/y.csv", "x.csv and path:y.csv"),
        (r"C:\\Users\\jane\\x.csv".replace("\\\\", "\\"), "x.csv"),
        (f"MY_SECRET_KEY={'Zx+/abcd/efgh'}1234567890", "MY_SECRET_KEY=[redacted]"),
    ],
)
def test_what_is_private_is_replaced(text: str, sent: str) -> None:
    shown, replaced = without_private(text, ["clients/acme/train.csv"])
    assert shown == sent and replaced
    assert "efgh" not in "".join(replaced)


def test_names_on_the_hub_are_no_paths() -> None:
    values = {"model.name": "owner/embed-v1.5", "data.path": "clients/acme/train", "distil.teacher": None, "optimizer.lr": 1.0}
    assert _known_paths(RunRecord(Path("run"), {"config": values})) == ["clients/acme/train"]


def test_json_and_source_code_stay_what_they_are(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An escape is no path, the name of a token no secret, and a template runs on."""
    tokenizer = {
        "image_token": "<image>",
        "max_token_length": 1000000,
        "clean": "\n\n",
        "chat_template": "{% set a_token = b %}",
    }
    text = json.dumps({**tokenizer, "blank": "\u2581\u2581"})
    assert json_without_private(text) == (text, [])
    changed, replaced = json_without_private(json.dumps({**tokenizer, "from": "/srv/mine/base"}))
    assert json.loads(changed) == {**tokenizer, "from": "base"} and replaced == ["/srv/mine/base is base"]
    run = shutil.copytree(tiny_run, tmp_path / "run")
    code = 'import re\nWORD = re.compile(r"\\s+\\d+")\nquery_token = self.query_token\n'
    (run / "model" / "own.py").write_text(code)
    (run / "model" / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    prepared = prepare(run, REPO)
    sent = {one.name: one.content for one in prepared.uploads}
    assert sent["own.py"] == code.encode() and sent["latin.txt"] == run / "model" / "latin.txt"
    assert "own.py: nothing, but line 3 looks like a secret, and is sent as it is" in prepared.replaced
