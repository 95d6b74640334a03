"""A small edition of scripts/bench/scale.py: hundreds of jobs against an account's limits, in a simulated clock."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hydra_sagemaker.scheduling.actions import Collect, Poll, Sleep, Submit
from hydra_sagemaker.scheduling.scheduler import Scheduler

pytest.importorskip("boto3", reason='needs pip install "paraphrase-lab[aws]"')
BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench"
needs_linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    import scale  # type: ignore[import-not-found]

    return scale


@needs_linux
@pytest.mark.slow
def test_three_hundred_jobs_on_a_hundred_slots(bench: ModuleType, tmp_path: Path) -> None:
    found = bench.simulated(bench.Scale(jobs=300), tmp_path)
    assert found.missed() == []
    assert found.growth_percent < 4, "a collected result keeps the task's configuration, and nothing of the hydra node's copy"
    assert (found.completed, found.failed) == (300, 0), "what capacity and AWS's own errors end is tried again"
    attempts = found.creates - found.refused
    assert attempts > 300 and found.describes == attempts, "a job is described once, when it has ended"
    assert found.throttled == {}
    assert found.refused < attempts / 6, "a full account is not asked again and again"
    assert found.lists < 3600 * found.sweep_hours / 20 + attempts / 100


@needs_linux
@pytest.mark.slow
def test_the_script_answers_with_its_exit_code(tmp_path: Path) -> None:
    """A submission in five minutes leaves the slots empty."""
    file = tmp_path / "figures.json"
    words = ["--jobs", "12", "--submits-per-second", "0.003", "--json", str(file)]
    process = subprocess.run([sys.executable, str(BENCH / "scale.py"), *words], capture_output=True, text=True)
    assert process.returncode == 1 and "missed: empty slots, %: 9" in process.stderr
    written = json.loads(file.read_text())
    assert written["figures"]["completed"] == 12 and written["scale"]["submits_per_second"] == 0.003


def test_a_job_that_has_ended_unseen_is_not_taken_for_a_larger_quota() -> None:
    """One of two ends every minute or so, and looks are 20 s apart: a full account is tried right after one, or not at all."""
    scheduler, dice = Scheduler(8, 20, random=random.Random(0)), random.Random(1)
    for _ in range(200):
        scheduler.add()
    ends: dict[int, float] = {}
    now, looked_at, refused = 0.0, 0.0, 0
    while (action := scheduler.next(now)) is not None:
        taken = sum(end > now for end in ends.values())
        match action:
            case Submit(index) if taken < 2:
                ends[index] = now + dice.uniform(60, 180)
                scheduler.submitted(index, now)
            case Submit(index):
                assert refused == 0 or now - looked_at < 1
                refused += 1
                scheduler.refused(index, now)
            case Poll():
                ended = [index for index in scheduler.running if ends[index] <= now]
                looked_at = now
                scheduler.polled(ended, now)
            case Collect(index):
                scheduler.collected(index)
            case Sleep(seconds):
                now += seconds
    assert len(ends) == 200 and refused < 60
