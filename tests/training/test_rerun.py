"""`paraphrase rerun`: a run again from its directory alone, what is not as it was, and whether the numbers are the same."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from commands import ROOT, TINY, paraphrase, record
from paraphrase_lab.check.saved_config import saved_config
from paraphrase_lab.lifecycle.project import DIFF_FILE, LONGEST_DIFF, write_project_state
from paraphrase_lab.lifecycle.rerun import what_differs
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.tracking.redaction import redacted_text, redacted_words

QUIET = ("logger=none",)


def write_pairs(path: Path, word: str) -> None:
    rows = [f"the {word} {number},a dog {number},{number % 2}" for number in range(120)]
    path.write_text("\n".join(["sentence1,sentence2,label", *rows]) + "\n")


def test_the_same_run_gives_the_same_numbers(tiny_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    again = tmp_path / "again"
    assert paraphrase("rerun", str(tiny_run), *QUIET, f"hydra.run.dir={again}") == 0
    printed = "".join(capfd.readouterr())
    origin, found = record(tiny_run), record(again)
    assert f"the same numbers as {tiny_run}: all {len(origin['metrics'])} metrics are equal" in printed
    assert f"as in {tiny_run}: settings, code, libraries, data and device" in printed
    assert found["metrics"] == origin["metrics"] and found["fingerprint"] == origin["fingerprint"]
    assert found["rerun_of"] == {
        "run": str(tiny_run), "fingerprint": origin["fingerprint"], "started": origin["started"], "differences": [],
        "same_metrics": True,
    }  # fmt: skip
    assert found["overrides"] == [*origin["overrides"], "logger=none"] and found["choices"] == origin["choices"]
    assert found["command"] == f"paraphrase rerun {tiny_run} logger=none"
    assert origin["command"].startswith("paraphrase train model.num_layers=1 model.hidden_size=16")
    assert origin["device"]["threads"] >= 1


@pytest.mark.slow
def test_a_relative_path_is_that_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    write_pairs(there / "pairs.csv", "cat")
    write_pairs(here / "pairs.csv", "bird")
    monkeypatch.chdir(there)
    words = ("train", *TINY, *QUIET, "data=pairs", "data.path=pairs.csv")
    assert paraphrase(*words, "hydra.run.dir=teacher") == 0
    assert paraphrase(*words, "distil.teacher=teacher", "hydra.run.dir=run") == 0
    monkeypatch.chdir(here)
    assert paraphrase("rerun", str(there / "run"), "hydra.run.dir=same") == 0
    assert "the same numbers" in "".join(capfd.readouterr())
    config = record(Path("same"))["config"]
    assert (config["data.path"], config["distil.teacher"]) == (str(there / "pairs.csv"), str(there / "teacher"))
    write_pairs(there / "pairs.csv", "horse")
    assert paraphrase("rerun", str(there / "run"), "hydra.run.dir=other", "optimizer.lr=0.1", "seed=5") == 0
    printed = "".join(capfd.readouterr())
    assert "(former values in brackets): settings: seed=5 (0), optimizer.lr=0.1 (0.001)" in printed
    assert "(former values in brackets): data: train " in printed
    assert f"other numbers than {there / 'run'}:" in printed and "difference" in printed
    assert record(Path("other"))["rerun_of"]["same_metrics"] is False


def test_a_teacher_keeps_its_name_where_it_is_found_by_it(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An absolute path in its place would make another recipe of a rerun."""
    (tmp_path / "teacher").mkdir()
    run = shutil.copytree(tiny_run, tmp_path / "run")
    config = OmegaConf.load(run / "config.yaml")
    config.distil.teacher = "teacher"
    OmegaConf.save(config, run / "config.yaml")
    values = json.loads((run / "run.json").read_text()) | {"working_dir": str(tmp_path)}
    (run / "run.json").write_text(json.dumps(values))
    monkeypatch.chdir(tmp_path)
    assert saved_config(run).distil.teacher == "teacher"
    monkeypatch.chdir("/")
    assert saved_config(run).distil.teacher == str(tmp_path / "teacher")


def test_a_run_of_an_older_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "tests" / "golden" / "run_of_0_1_0", tmp_path / "lab")
    monkeypatch.chdir(tmp_path / "lab")
    assert paraphrase("rerun", "run", "hydra.run.dir=again", "trainer.accelerator=cpu") == 0
    printed = "".join(capfd.readouterr())
    assert "differs from run (former values in brackets): code: other source files" in printed
    assert "not known of run: threads" in printed
    assert record(Path("again"))["rerun_of"]["same_metrics"] in (True, False)
    assert record(Path("again"))["data"].keys() == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("{run}", "seed=1,2"), "seed=1,2 is a sweep: a saved run has one value of each key"),
        (("{run}", "~logger"), "~logger: a key of a saved run is set, not deleted"),
        (("{run}", "optimizer.lrr=1"), "optimizer.lrr: the run's configuration has no such key; did you mean optimizer.lr?"),
        (("{run}", "experiment=word_order_tiny"), "experiment: the run's configuration has no such key or group; valid: callb"),
        (("{run}", "hydra.sweep.dir=x"), "hydra.sweep.dir=x: a rerun is a single run on this machine"),
        (("{run}", "data.max_length=-1"), "data.max_length=-1"),
        (("{above}",), "is not a run, but 1 runs are below it\none of them: {run}"),
        (("nowhere",), "nowhere is not a run"),
    ],
)
def test_what_is_refused(tiny_run: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], text: str) -> None:
    places = {"run": str(tiny_run), "above": str(tiny_run.parent)}
    assert paraphrase("rerun", *(word.format(**places) for word in words)) == 2
    assert text.format(**places) in capsys.readouterr().err


def test_what_is_not_as_it_was() -> None:
    def values(**other: Any) -> dict[str, Any]:
        known = {
            "config": {"seed": 0, "data.num_workers": 0}, "fingerprint_parts": {"code": "a"}, "choices": {}, "overrides": [],
            "git": {"commit": "1" * 40, "dirty": True, "diff": DIFF_FILE}, "versions": {"torch": "2.1", "numpy": "2"},
            "data": {"test": {"fingerprint": "a" * 64}}, "precision": {"used": "32-true"},
            "device": {"kind": "cpu", "name": "A", "count": 1, "threads": 4},
        }  # fmt: skip
        return known | other

    origin = RunRecord(Path("run"), values())
    assert what_differs(origin, values(config={"seed": 0, "data.num_workers": 2})) == []
    now = values(
        fingerprint_parts={"code": "b", "teacher": "c" * 64}, git={"commit": "2" * 40, "dirty": False},
        versions={"torch": "2.2", "numpy": "2"},
        data={"test": {"fingerprint": "b" * 64}}, device={"kind": "gpu", "name": "B", "count": 1, "threads": 8},
    )  # fmt: skip
    assert what_differs(origin, now) == [
        "code: other source files, at commit 22222222 (11111111 with uncommitted changes; its uncommitted changes are in "
        "uncommitted.diff)",
        "libraries: torch 2.2 (2.1)",
        "data: test bbbbbbbb (aaaaaaaa)",
        "teacher: cccccccc (none)",
        "device: kind gpu (cpu), name B (A), threads 8 (4)",
    ]
    same_files = values(git={"commit": "2" * 40, "dirty": False})
    assert what_differs(origin, same_files) == [
        "commit: 22222222 (11111111 with uncommitted changes); the source files are the same"
    ]
    unknown = RunRecord(Path("run"), {"choices": {}, "config": {"seed": 0}, "git": {"commit": "2" * 40}})
    assert what_differs(unknown, same_files) == ["not known of run: fingerprint_parts, versions, data, device"]


def test_uncommitted_changes_are_kept_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paraphrase_lab.lifecycle.project.SOURCE_ROOT", None)
    monkeypatch.setattr("paraphrase_lab.lifecycle.project.git_state.__defaults__", (None,))
    module, run = tmp_path / "project" / "mine.py", tmp_path / "run"
    module.parent.mkdir()
    run.mkdir()
    module.write_text("x = 1\n")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=n@x.org", "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=module.parent, check=True)
    modules = {"mine": module}
    clean = write_project_state(modules, run)
    assert clean["commit"] and clean["dirty"] is False and "diff" not in clean and not (run / DIFF_FILE).exists()
    module.write_text('x = 2\nAPI_KEY = "hunter2hunter2"\n')
    assert write_project_state(modules, run) == clean | {"dirty": True, "diff": DIFF_FILE}
    diff = (run / DIFF_FILE).read_text()
    assert "-x = 1\n+x = 2\n+API_KEY = [redacted]" in diff and "hunter2" not in diff
    module.write_text("long = 1\n" * 100_000)
    write_project_state(modules, run)
    assert len((run / DIFF_FILE).read_text()) < LONGEST_DIFF + 200
    assert write_project_state({}, run) == {"commit": None, "dirty": None} and not (run / DIFF_FILE).exists()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password: 'geheim'", "password: [redacted]"),
        ('{"api_key": "abcdefgh"}', '{"api_key": [redacted]}'),
        ("HF_TOKEN=abcdefghij", "HF_TOKEN=[redacted]"),
        ("pad_token = '<pad>'", "pad_token = '<pad>'"),
        ("token = read_token(path)", "token = read_token(path)"),
        ("learning_rate = 0.00005", "learning_rate = 0.00005"),
    ],
)
def test_secrets_in_source_code(text: str, shown: str) -> None:
    assert redacted_text(text) == shown


def test_secrets_on_a_command_line() -> None:
    words = ["paraphrase", "train", "logger.wandb.api_key=abc", "+logger.mine={token:abcdefgh}", "data.path=a b.csv"]
    assert redacted_words(words) == (
        "paraphrase train 'logger.wandb.api_key=[redacted]' '+logger.mine={token:[redacted]}' 'data.path=a b.csv'"
    )
