"""Progress of long work: a bar on a terminal, a line a minute elsewhere, and nothing of it on standard output."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from commands import trained
from paraphrase_lab.runtime import progress
from paraphrase_lab.runtime.progress import ProgressLines
from terminal import written_to_terminal

PROGRAM = """
    import logging, sys, time
    from paraphrase_lab.runtime.progress import shown_progress
    logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s", level=logging.INFO)
    with shown_progress("training", 200) as shown:
        for step in range(1, 201):
            shown.update(step, "loss 0.1234  val/accuracy 0.9876")
            if step == 100:
                logging.info("a line of the log")
                print("a result")
            time.sleep(0.005)
    print("the end")
"""


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_a_bar_and_the_log_share_a_terminal(columns: int) -> None:
    screen = written_to_terminal([sys.executable, "-c", textwrap.dedent(PROGRAM)], columns=columns)
    lines = screen.replace("\r", "\n").splitlines()
    bars = [line.rstrip() for line in lines if line.startswith("training")]
    assert bars and all("━" in line and " % ETA " in line and len(line) <= columns for line in bars)
    assert any(line.endswith("loss 0.1234  val/accuracy 0.9876") for line in bars) == (columns > 60)
    others = [line.strip() for line in lines if line.strip() and not line.startswith("training")]
    assert others == ["INFO a line of the log", "a result", "the end"]


def test_what_another_program_reads_is_without_the_bar(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="utf-8") as out:
        screen = written_to_terminal([sys.executable, "-c", textwrap.dedent(PROGRAM)], stdout=out.fileno())
    assert (tmp_path / "out").read_text(encoding="utf-8").split("\n") == ["INFO a line of the log", "a result", "the end", ""]
    assert "training" in screen and "a result" not in screen


def test_a_line_a_minute_with_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    caplog.set_level("INFO")
    lines = ProgressLines("training", 1_000, done=400)  # a run that was continued
    for step in range(400, 1_001):
        now += 1
        lines.update(step, "loss 0.5000")
    assert len(caplog.messages) == 10 and caplog.messages[0] == "training 46 %, ETA 0:09:10  loss 0.5000"
    assert caplog.messages[-1].startswith("training 100 %, ETA 0:00:0")


def test_a_training_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    assert trained(tmp_path / "run", "trainer.log_every_steps=1", "trainer.val_check_interval=0.125") == 0
    said = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    lines = [line.partition(" INFO ")[2] for line in said.splitlines() if " INFO training " in line]
    assert [line.split()[1] for line in lines if "validating" not in line] == ["25", "50", "75", "100"]
    assert all(" %, ETA 0:0" in line and "  loss 0." in line for line in lines)
    assert "val/accuracy" in lines[-1] and "scoring test 100 %, ETA 0:00:00  " in said


def test_a_training_without_progress_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    assert trained(tmp_path / "run", "trainer.progress=false", "evaluate_test=never", "keep_model=never") == 0
    assert " INFO training " not in (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
