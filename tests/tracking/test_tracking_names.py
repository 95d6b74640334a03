"""What a run is called elsewhere, and what of its configuration may leave."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paraphrase_lab.tracking import wandb_directories
from paraphrase_lab.tracking.identity import distinguishing_words, fitting, identify, job_key, origin, run_id, sweep_name, tags
from paraphrase_lab.tracking.metrics_csv import MetricsCsv, logged_rows
from paraphrase_lab.tracking.redaction import REDACTED, is_secret_name, redacted


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "hub.api_key",
        "dbPassword",
        "HF_TOKEN",
        "WANDB_API_KEY",
        "secret",
        "aws_secret_access_key",
        "my-token",
        "wandb_key",
        "credentials",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "tokenizer",
        "batch_tokens",
        "evaluation_batch_tokens",
        "pad_token",
        "pad_token_id",
        "passes",
        "monkey",
        "key_files",
        "secretary",
        "author",
    ],
)
def test_names_that_only_look_so(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://me:" + "hunter2@example.org/x", f"https://{REDACTED}@example.org/x"),
        ("https://example.org/x?token=abc&page=2", f"https://example.org/x?token={REDACTED}&page=2"),
        ("https://s3/x?X-Amz-Signature=abc", f"https://s3/x?X-Amz-Signature={REDACTED}"),
        ("AKIA" + "ABCDEFGHIJKLMNOP", REDACTED),
        ("postgres://me:hun/ter2@db/x", f"postgres://{REDACTED}@db/x"),
        ("https://example.org/name@version", "https://example.org/name@version"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {REDACTED}"),
        ("Server=db;Password=" + "hunter2;Port=1", f"Server=db;Password={REDACTED};Port=1"),
        ("a basic model", "a basic model"),
        ("hf_" + "a" * 34, REDACTED),
        ("bert-base-uncased", "bert-base-uncased"),
        ("0123456789abcdef0123456789abcdef01234567", "0123456789abcdef0123456789abcdef01234567"),
    ],
)
def test_texts(text: str, left: str) -> None:
    assert redacted(text, known=()) == left


def test_a_configuration_without_its_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRACKER_PASSWORD", "from-the-environment")
    config = {
        "auth": {"api_key": "abc", "retries": 3}, "secret": {"deep": ["x", 1]}, "tokenizer": "bert", "token": None,
        "note": "say from-the-environment twice", "path": f"{tmp_path}/pairs.csv", 7: True,
    }  # fmt: skip
    assert redacted(config) == {
        "auth": {"api_key": REDACTED, "retries": 3}, "secret": {"deep": [REDACTED, REDACTED]}, "tokenizer": "bert",
        "token": None,
        "note": f"say {REDACTED} twice", "path": "~/pairs.csv", "7": True,
    }  # fmt: skip


def test_words_that_tell_runs_apart() -> None:
    typed = [
        "model.num_layers=2", "+seed=1", "data.path=/data/me/pairs", "logger=none", "resume=auto", "optimizer.lr=1e-3",
        "debug=fast", "data.sources.paws.path=/data/paws",
        "+callbacks.a.api_key=abc", "model.name=/models/mine", "trainer.log_every_steps=2", "scheduler.lr=3",
    ]  # fmt: skip
    told = ["num_layers=2", "seed=1", "optimizer.lr=1e-3", "debug=fast", "name=mine", "scheduler.lr=3"]
    assert distinguishing_words(typed) == told
    files = ["data.sources.paws.path=/data/paws", "data.train=/data/b.csv"]
    assert distinguishing_words(files, with_files=True) == ["path=paws", "train=b.csv"] and not distinguishing_words(files)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("+a.files=[/root/secret/x.csv,~/me/y.csv]", "files=[x.csv,y.csv]"),
        ("model.name=file:///root/alice/m", "name=m"),
        ("model.name=org/model", "name=org/model"),
        ("model.name=../mine/", "name="),
    ],
)
def test_no_directory_is_told(word: str, told: str) -> None:
    assert distinguishing_words([word]) == [told]


def test_ids_are_legal_short_and_keep_the_seed() -> None:
    words = ["num_layers=2", "name=org/model:x", *(f"a_long_word_{number}=1" for number in range(9)), "seed=12"]
    found = run_id(words, "sweep", "key")
    assert found.startswith("num_layers-2-name-org-model-x-") and "-seed-12-" in found and len(found) <= 48
    assert found == run_id(words, "sweep", "key") != run_id(words, "sweep", "other") != run_id(words, "another", "other")
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert fitting(["aaaa", "bb", "seed=1"], 9) == ["bb", "seed=1"]


def hydra(job_id: str, typed: list[str], directory: str = "/opt/ml/output/data") -> Any:
    overrides = SimpleNamespace(hydra=typed, task=["seed=1", "model.num_layers=2"])
    return SimpleNamespace(overrides=overrides, job=SimpleNamespace(id=job_id), sweep=SimpleNamespace(dir=directory))


def test_a_job_is_the_same_in_every_attempt_and_in_a_container() -> None:
    typed = ["hydra.mode=MULTIRUN", "hydra.sweep.dir=runs/2026-11-24/01-07-33-022599_sweep"]
    first, second = hydra("train-5d4dc25b4a156501-0", typed), hydra("train-5d4dc25b4a156501-3", typed, "/elsewhere")
    assert sweep_name(first) == sweep_name(second) == "2026-11-24_01-07-33-022599"
    assert job_key(first, []) == job_key(second, []) == "5d4dc25b4a156501"
    assert sweep_name(hydra("0", ["hydra.sweep.dir='my sweeps/lr'"])) == "lr"
    repeated = hydra("0", [*typed, "hydra.sweep.dir='/home/me/runs/2026-11-24/01-07-33-022599_sweep/repeats'"])
    assert sweep_name(repeated) == "2026-11-24_01-07-33-022599_repeats"
    assert job_key(hydra("0", []), ["b=1", "a=2"]) == "a=2 b=1"


def test_a_run_by_itself_keeps_its_id_until_it_starts_anew(tmp_path: Path) -> None:
    record = {"started": "2026-11-24T01:00:00+00:00"}
    first = identify(tmp_path / "run", record, searching=False)
    assert first == identify(tmp_path / "run", record | {"resumed": 2}, searching=False)
    assert first.id != identify(tmp_path / "run", {"started": "2026-11-24T02:00:00+00:00"}, searching=False).id
    assert identify(tmp_path / "run", record | {"started_anew": 1}, searching=False).id == f"{first.id}-2"
    kept = record | {"tracking": {"wandb": {"id": first.id}}}
    assert identify(tmp_path / "moved", kept, searching=False).id == first.id
    assert identify(tmp_path / "moved", kept | {"started_anew": 1}, searching=False).id != first.id
    assert (first.group, first.job_type, identify(tmp_path, record, searching=True).job_type) == (None, "train", "search")


def test_runs_of_one_id_are_told_apart_and_attempts_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert origin({"started": "1"}) == origin({"started": "1", "resumed": 3}) != origin({"started": "2"})
    monkeypatch.setenv("TRAINING_JOB_NAME", "train-5d4dc25b4a156501-0")
    first = origin({"started": "1"})
    monkeypatch.setenv("TRAINING_JOB_NAME", "train-5d4dc25b4a156501-1")
    assert origin({"started": "2"}) == first


def test_tags_are_as_long_as_wandb_takes_them() -> None:
    assert tags(["a" * 70, "b", "", "b"]) == ("a" * 64, "b")


def test_links_of_a_sweep(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    for number in (0, 1):
        (sweep / str(number) / "wandb" / f"offline-run-2026-{number}").mkdir(parents=True)
    assert wandb_directories.link_into_sweep(sweep / "0") is None and not (sweep / "wandb").exists()
    (sweep / "multirun.yaml").touch()
    for number in (0, 1, 1):
        assert wandb_directories.link_into_sweep(sweep / str(number)) == sweep / "wandb"
    moved = sweep.rename(tmp_path / "moved")
    assert sorted(link.name for link in (moved / "wandb").iterdir() if link.is_dir()) == [
        "offline-run-2026-0",
        "offline-run-2026-1",
    ]
    wandb_directories.forget(moved / "0" / "wandb" / "offline-run-2026-0", moved / "0")
    assert [link.name for link in (moved / "wandb").iterdir()] == ["offline-run-2026-1"]


def test_rows_as_they_were_logged(tmp_path: Path) -> None:
    logger = MetricsCsv(tmp_path)
    logger.log_metrics({"train/loss": 0.5}, step=2)
    logger.log_metrics({"val/nll": 0.25, "epoch": 1}, step=2)
    assert list(logged_rows(logger.path)) == [(2, {"train/loss": 0.5}), (2, {"val/nll": 0.25, "epoch": 1.0})]
