"""The live table of a sweep, as a terminal of 60, 80 or 160 columns shows it."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from rich.console import Console

from hydra_sagemaker.backends.base import State, Status
from hydra_sagemaker.display import live_table
from hydra_sagemaker.display.job_output import last_lines, latest_metric, short_override
from hydra_sagemaker.display.live_table import LiveTable
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.tracker import REUSED, Submission
from hydra_sagemaker.settings import SageMakerLauncherConf
from terminal import written_to_terminal

NAME = "paraphrase-train-12f1e2cb2dd00c75-"
LINE = "21:45:32 INFO epoch 1.00  step 782  train/loss 0.3088  val/f1 0.8317  val/accuracy 0.8270  (best so far)"


def submission(
    directory: Path, number: int, state: State, *, detail: str = "", origin: str = "new", log: str = ""
) -> Submission:
    words = ("seed=1", f"model.learning_rate={number}e-3", "data.batch_size=64")
    job = Job(
        number, words, OmegaConf.create(), SageMakerLauncherConf(), directory / str(number), distinguishing_overrides=words
    )
    job.job_dir.mkdir(parents=True)
    if log:
        (job.job_dir / "output.log").write_text(log + "\n", encoding="utf-8")
    return Submission(job, f"{NAME}{number}", origin, Status(state, detail))


@pytest.fixture
def jobs(tmp_path: Path) -> list[Submission]:
    return [
        submission(tmp_path, 0, State.COMPLETED, origin=REUSED, log=f"{LINE}\n/runs/0\n│ accuracy │ 0.9945 │"),
        submission(tmp_path, 1, State.RUNNING, log=LINE),
        submission(tmp_path, 2, State.FAILED, detail="the account allows no more of these machines today " * 3),
        submission(tmp_path, 3, State.WAITING),
    ]


def drawn(jobs: list[Submission], width: int) -> list[str]:
    console = Console(width=width, height=30, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(LiveTable(jobs, console).table())
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_what_matters_is_readable_on_any_terminal(width: int, jobs: list[Submission]) -> None:
    lines = drawn(jobs, width)
    assert max(map(len, lines)) <= width
    header, reused, running, failed, waiting, *below = lines
    assert header.split()[:5] == ["job", "overrides", "state", "time", "metric"]
    assert reused.startswith("0 ") and " completed" in reused and "val/accuracy 0.8270" in reused
    assert running.startswith("1 ") and " running " in running and " 0:00 " in running and "val/accuracy 0.8270" in running
    assert failed.startswith("2 ") and " failed" in failed and waiting.startswith("3 ") and " waiting" in waiting
    assert all(line[header.index("overrides") :].startswith("seed=1") for line in (reused, running, failed, waiting))
    times_and_counts = "0:00:00 so far, ETA after the first job; 1 completed, 1 running, 1 failed, 1 waiting"
    assert " ".join(below) == times_and_counts


def test_a_wide_terminal_shows_the_last_line_without_its_time(jobs: list[Submission]) -> None:
    lines = drawn(jobs, 200)
    assert "seed=1 learning_rate=1e-3 batch_size=64" in lines[2] and lines[2].endswith("(best so far)")
    assert "epoch 1.00  step 782" in lines[2] and "21:45:32" not in lines[2]
    assert lines[1].endswith(f"{NAME}0")


def test_many_jobs_are_one_screen(tmp_path: Path) -> None:
    lines = drawn([submission(tmp_path, number, State.WAITING) for number in range(200)], 80)
    assert len(lines) == 1 + 23 + 1 and lines[-1].endswith("; 200 waiting")


def test_the_eta_follows_from_the_jobs_that_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(live_table.time, "monotonic", lambda: now)
    jobs = [submission(tmp_path, number, State.WAITING) for number in range(5)]
    table = LiveTable(jobs, Console(width=80))

    def change(number: int, state: State) -> None:
        jobs[number].status = Status(state)
        table.changed(jobs[number])

    change(0, State.RUNNING)
    change(1, State.RUNNING)
    now += 60
    change(0, State.COMPLETED)
    change(2, State.RUNNING)
    assert table._times() == "0:01:00 so far, ETA 0:01:30"  # 0 s, 60 s, 60 s and 60 s of work for two at a time
    now += 1_000
    assert table._times() == "0:17:40 so far, ETA 0:01:00"
    for number in range(1, 5):
        change(number, State.COMPLETED)
    assert table._times() == "0:17:40 so far"


@pytest.mark.parametrize(
    ("line", "metric"),
    [
        ("epoch 2  loss 0.25  val/accuracy 0.91 (best so far)", "val/accuracy 0.91"),
        ("{'eval_loss': 0.25, 'lr=0.5'", "lr 0.5"),
        ("eval/f1: 1.5e-3", "eval/f1 1.5e-3"),
        ("epoch 2: 50.5% done, 12.5s left", ""),
        ("validation/a_very_long_name_of_a_metric 0.1234", "…me_of_a_metric 0.1234"),
        ("step 3 of 10", ""),
    ],
)  # fmt: skip
def test_the_latest_metric(line: str, metric: str) -> None:
    assert latest_metric(["loss 1.5", line]) == (metric or "loss 1.5")
    assert latest_metric([line]) == metric


def test_progress_bars_are_lines_of_their_own(tmp_path: Path) -> None:
    job = submission(
        tmp_path, 0, State.RUNNING, log="[2026-11-29 21:45:32,123][root][INFO] a\r 50%|██ | 1/2\r100%|████| 2/2\n\n"
    )
    assert last_lines(job)[-1] == "100%|████| 2/2"
    assert short_override("+model.optimizer.lr=1e-3") == "lr=1e-3" and short_override("seed=1") == "seed=1"


def test_log_lines_stand_above_the_table(tmp_path: Path) -> None:
    """A line of the log, written while the table is shown, is neither glued to it nor drawn over."""
    program = """
        import logging, sys
        from pathlib import Path
        sys.path[:0] = sys.argv[2:]
        from hydra_sagemaker.display.live_table import shown
        from test_live_table import State, submission
        logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s", level=logging.INFO)
        with shown([submission(Path(sys.argv[1]), 0, State.RUNNING)]):
            logging.info("one line")
        logging.info("the end")
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path), *sys.path]
    lines = [line.strip() for line in written_to_terminal(command).splitlines()]
    assert "INFO one line" in lines and lines[-1] == "INFO the end"
    assert "seed=1" in lines[lines.index("INFO one line") + 2]
