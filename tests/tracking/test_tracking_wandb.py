"""A run in W&B, sent by the real client to a server of this machine."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from paraphrase_lab.tracking.hooks import RunInfo
from paraphrase_lab.tracking.identity import Identity
from paraphrase_lab.tracking.wandb_logger import WandbRun
from tracked_runs import KEPT_HERE, LONGER, SMALL, ended, here, inspected, logged_steps, record, started, steps, synced
from wandb_server import WandbServer

pytest_plugins = ("wandb_server.fixture",)
PROJECT = "paraphrase-lab"


@pytest.fixture
def own_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """W&B as a user has it, who has not said where it keeps its files."""
    for name in KEPT_HERE:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PARAPHRASE_CACHE_DIR", str(tmp_path / "cache"))
    return home


@pytest.mark.slow
def test_a_run_online_has_everything(wandb_server: WandbServer, own_places: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    assert here(run_dir, "seed=3") == 0
    values = record(run_dir)
    ((key, seen),) = wandb_server.runs.items()
    known = values["tracking"]["wandb"]
    assert key == (PROJECT, known["id"]) and known["mode"] == "online" and known["url"].endswith(known["id"])
    assert (seen.state, seen.exit_code, seen.group, seen.job_type) == ("finished", 0, None, "train")
    assert seen.display_name.startswith("num_layers=1 hidden_size=16") and seen.display_name.endswith("seed=3")
    assert seen.tags == ["word_order", "tiny"]
    assert seen.config["model"]["num_layers"] == 1 and seen.config["optimizer"]["lr"] == pytest.approx(0.001)
    assert seen.config["run"]["fingerprint"] == values["fingerprint"] and not {"logger", "resume"} & set(seen.config)
    assert steps(seen.history) == logged_steps(run_dir)
    for name, value in values["metrics"].items():
        assert seen.summary[name] == pytest.approx(value), name
    assert seen.summary["best/val_accuracy"] == values["best"]["value"] and seen.summary["best/step"] == values["best"]["step"]
    assert seen.summary["baselines/test/majority/accuracy"] == 0.5 and seen.summary["seconds/training"] > 0
    assert seen.summary["pairs_per_second"] > 0
    tables = {name for row in seen.history for name in row if isinstance(row[name], dict)}
    assert {f"{split}_{what}" for split in ("val_fitted", "test") for what in ("hardest_pairs", "confusion_table")} <= tables
    assert {
        f"{split}_{what}_table" for split in ("val_fitted", "test") for what in ("precision_recall", "reliability")
    } <= tables
    assert not (run_dir / "wandb" / ".local").exists() and list(own_places.rglob("*wandb*")) == []
    assert not [name for name in os.environ if name in KEPT_HERE]


@pytest.mark.slow
def test_data_and_weights_are_artifacts(wandb_server: WandbServer, own_places: Path, tmp_path: Path) -> None:
    assert here(tmp_path / "run") == 0 and here(tmp_path / "without", "keep_model=never", "seed=1") == 0
    first, second = (record(tmp_path / name)["tracking"]["wandb"]["id"] for name in ("run", "without"))
    (data,) = [one for one in wandb_server.artifacts.values() if one.type == "dataset"]
    (model,) = [one for one in wandb_server.artifacts.values() if one.type == "model"]
    assert data.collection == "word_order" and set(data.used_by) == {first, second}
    assert data.files == ["splits.json"]
    assert model.logged_by == first and {"best", "latest", "seed-0"} == set(model.aliases)
    assert "model.safetensors" in model.files and not [name for name in model.files if name.endswith(".ckpt")]


@pytest.mark.slow
def test_without_a_key_a_run_is_offline_and_can_be_uploaded(
    wandb_server: WandbServer, own_places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = tmp_path / "run"
    key = os.environ["WANDB_API_KEY"]
    monkeypatch.delenv("WANDB_API_KEY")
    assert here(run_dir) == 0
    assert wandb_server.requests == []
    lines = [line for line in (run_dir / "train.log").read_text().splitlines() if "W&B" in line]
    assert len(lines) == 1 and "offline (no API key)" in lines[0] and "wandb sync" in lines[0]
    (attempt,) = (run_dir / "wandb").glob("offline-run-*")
    moved = tmp_path / "moved"
    run_dir.rename(moved)
    monkeypatch.setenv("WANDB_API_KEY", key)
    synced(moved / "wandb" / attempt.name)
    ((_, run_id),) = wandb_server.runs
    seen = wandb_server.runs[PROJECT, run_id]
    assert run_id == record(moved)["tracking"]["wandb"]["id"] and seen.state == "finished"
    assert steps(seen.history) == logged_steps(moved)
    assert seen.summary["test/accuracy"] == pytest.approx(record(moved)["metrics"]["test/accuracy"])


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "attempts"), [("disabled", 0), ("offline", 1)])
def test_the_variable_is_heeded(
    mode: str, attempts: int, wandb_server: WandbServer, own_places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    assert here(tmp_path / "run") == 0
    assert wandb_server.requests == [] and len(list((tmp_path / "run").glob("wandb/offline-run-*"))) == attempts


@pytest.mark.slow
def test_a_mistyped_variable_is_named_and_the_run_recorded_offline(
    wandb_server: WandbServer, own_places: Path, tmp_path: Path
) -> None:
    code, output = ended(started(tmp_path, *SMALL, "hydra.run.dir=run", WANDB_MODE="offlin"))
    assert code == 0 and wandb_server.requests == []
    assert len(list((tmp_path / "run").glob("wandb/offline-run-*"))) == 1
    said = [line for line in output.splitlines() if "WARNING" in line and "W&B" in line]
    assert [line.partition("W&B: ")[2] for line in said] == [
        "WANDB_MODE=offlin is none of online, offline, disabled: the run is recorded offline"
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kill", "code", "state", "exit_code"),
    [("batch 7 SIGTERM", 143, "preempted", 143), ("batch 7 SIGINT", 130, "killed", 255)],
)
def test_a_run_that_is_stopped_says_so(
    kill: str, code: int, state: str, exit_code: int, wandb_server: WandbServer, own_places: Path, tmp_path: Path
) -> None:
    assert ended(started(tmp_path, *LONGER, "hydra.run.dir=run", kill=kill))[0] == code
    (seen,) = wandb_server.runs.values()
    assert (seen.state, seen.exit_code, seen.preempting) == (state, exit_code, state == "preempted")
    assert record(tmp_path / "run")["status"] == "interrupted"


@pytest.mark.slow
def test_a_run_that_fails_says_so(
    wandb_server: WandbServer, own_places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "training"))
    assert here(tmp_path / "run", "loss._target_=test_train_failures.NotANumber", "trainer.log_every_steps=2") == 1
    (seen,) = wandb_server.runs.values()
    assert (seen.state, seen.exit_code) == ("failed", 1)


@pytest.mark.slow
@pytest.mark.parametrize(("kill", "lacking"), [("batch 18 SIGKILL", 0), ("batch 18 SIGTERM", 0), ("validation 3 SIGKILL", 5)])
def test_a_resumed_run_is_one_curve(
    kill: str, lacking: int, wandb_server: WandbServer, own_places: Path, tmp_path: Path
) -> None:
    """Whatever had reached W&B when the process was gone: `lacking` rows are taken away from it."""
    killed = started(tmp_path, *LONGER, "hydra.run.dir=runs/r", kill=kill)
    assert ended(killed)[0] == (-signal.SIGKILL if "SIGKILL" in kill else 143)
    ((key, seen),) = wandb_server.runs.items()
    if lacking:
        del seen.history[-lacking:]
    code, output = ended(started(tmp_path, *LONGER, "resume=auto"))
    assert code == 0, output
    assert list(wandb_server.runs) == [key] and seen.resumed == 1 and seen.state == "finished"
    assert steps(seen.history) == logged_steps(tmp_path / "runs" / "r") == sorted(set(steps(seen.history)))
    assert steps(seen.history)[-1] == 24


@pytest.mark.slow
@pytest.mark.parametrize("kill", ["batch 18 SIGKILL", "batch 18 SIGTERM"])
def test_a_run_resumed_offline_is_one_curve(kill: str, wandb_server: WandbServer, own_places: Path, tmp_path: Path) -> None:
    for words in (("hydra.run.dir=runs/r",), ("resume=auto",)):
        ended(
            started(
                tmp_path, *LONGER, *words, kill=kill if words != ("resume=auto",) else "never 0 SIGKILL", WANDB_MODE="offline"
            )
        )
    run_dir = tmp_path / "runs" / "r"
    (attempt,) = (run_dir / "wandb").glob("offline-run-*")
    rows = [one["history"]["item"] for one in inspected(attempt) if one["type"] == "history"]
    assert steps(rows) == logged_steps(run_dir)
    synced(attempt)
    (seen,) = wandb_server.runs.values()
    assert steps(seen.history) == logged_steps(run_dir) and seen.state == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("first", ["online", "offline, uploaded", "offline"])
def test_a_run_continues_where_the_network_has_come_or_gone(
    first: str, wandb_server: WandbServer, own_places: Path, tmp_path: Path
) -> None:
    modes = ("online", "offline") if first == "online" else ("offline", "online")
    ended(started(tmp_path, *LONGER, "hydra.run.dir=runs/r", kill="batch 18 SIGTERM", WANDB_MODE=modes[0]))
    run_dir = tmp_path / "runs" / "r"
    if first == "offline, uploaded":
        synced(*(run_dir / "wandb").glob("offline-run-*"))
    code, output = ended(started(tmp_path, *LONGER, "resume=auto", WANDB_MODE=modes[1]))
    assert code == 0, output
    if modes[1] == "offline":
        synced(*(run_dir / "wandb").glob("offline-run-*"))
    (seen,) = wandb_server.runs.values()
    assert steps(seen.history) == logged_steps(run_dir) and seen.state == "finished"
    if first == "offline":
        assert list((run_dir / "wandb").glob("offline-run-*")) == []


def test_another_run_of_the_same_id_keeps_its_curve(
    wandb_server: WandbServer, own_places: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two people start the documented sweep in one project."""
    same = Identity("seed-0-1234", "decay", "train", "seed=0", (), "word_order")
    remembered = {}
    for who, value in (("alice", 0.25), ("bob", 0.75), ("bob", 0.75)):
        run = WandbRun(tmp_path / who)
        remembered[who] = run.begin(RunInfo(same, {"who": who}, origin=f"{who}-origin"))["wandb"]["id"]
        run.log_metrics({"val/accuracy": value}, 1)
        run.end(0)
    assert remembered == {"alice": "seed-0-1234", "bob": "seed-0-1234-bob-"}
    assert "W&B has another run called seed-0-1234; this one is called seed-0-1234-bob-" in caplog.text
    found = {key[1]: [row["val/accuracy"] for row in seen.history] for key, seen in wandb_server.runs.items()}
    assert found == {"seed-0-1234": [0.25], "seed-0-1234-bob-": [0.75]}
    assert wandb_server.runs[PROJECT, "seed-0-1234"].config["who"] == "alice"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["online", "auto"])
def test_nothing_is_asked_on_a_terminal(
    mode: str, wandb_server: WandbServer, own_places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    ours, theirs = pty.openpty()
    words = (*SMALL, "hydra.run.dir=run", f"logger.wandb.mode={mode}")
    command = [sys.executable, "-m", "paraphrase_lab", "train", *words]
    done = subprocess.run(command, cwd=tmp_path, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True, timeout=100)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 0 and "no API key" in done.stdout + (tmp_path / "run" / "train.log").read_text()
    assert wandb_server.requests == []


@pytest.mark.slow
def test_a_list_of_loggers(wandb_server: WandbServer, own_places: Path, tmp_path: Path) -> None:
    assert here(tmp_path / "run", "logger=[csv,wandb]", "logger.wandb.mode=offline", "logger.wandb.hardest_pairs=0") == 0
    (attempt,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    assert (tmp_path / "run" / "metrics.csv").is_file() and not list(attempt.rglob("*hardest*"))


@pytest.mark.slow
def test_two_processes_are_one_run(wandb_server: WandbServer, own_places: Path, tmp_path: Path) -> None:
    ddp = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "data.batch_size=16")
    code, output = ended(started(tmp_path, *SMALL, *ddp, "hydra.run.dir=run"))
    assert code == 0, output
    (seen,) = wandb_server.runs.values()
    assert seen.state == "finished" and steps(seen.history) == logged_steps(tmp_path / "run")
