from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hash_scorer
import paraphrase_lab
from hash_scorer import HashScorer, pairs_csv, read, write
from paraphrase_lab.errors import BadRowsError, UserError
from paraphrase_lab.scoring.stream import score_file

PROCESS = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split(':')
from test_scoring_resume import HashScorer, SelfKillingScorer
from paraphrase_lab.scoring.stream import score_file
scorer = {"slow": lambda: HashScorer(0.04), "fast": HashScorer, "killed": SelfKillingScorer}[sys.argv[2]]()
score_file(scorer, Path(sys.argv[3]), Path(sys.argv[4]), chunk_rows=int(sys.argv[5]))
if sys.platform == "linux":
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


class SelfKillingScorer(HashScorer):
    """Kills the process once every pair is scored, just before the output is written."""

    @property
    def threshold(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        os.kill(os.getpid(), signal.SIGKILL)
        return 0.5


def start(kind: str, source: Path, output: Path, chunk_rows: int) -> subprocess.Popen[str]:
    package = str(Path(paraphrase_lab.__file__).parents[1])
    arguments = [
        f"{Path(__file__).parent}:{Path(hash_scorer.__file__).parent}",
        kind,
        str(source),
        str(output),
        str(chunk_rows),
    ]
    environment = {**os.environ, "PYTHONPATH": package}
    return subprocess.Popen([sys.executable, "-c", PROCESS, *arguments], env=environment, stdout=subprocess.PIPE, text=True)


def test_skip_continues_where_the_error_stopped(tmp_path: Path) -> None:
    source = pairs_csv(tmp_path / "a.csv", 25)
    source.write_text(source.read_text() + "25,,\n26,a,b\n")
    output = tmp_path / "b.csv"
    with pytest.raises(BadRowsError, match=rf"{source}:27: .*\n.*skip .*after the 20 rows .* kept in .*b.csv.partial"):
        score_file(HashScorer(), source, output, chunk_rows=10)
    scorer = HashScorer()
    summary = score_file(scorer, source, output, chunk_rows=10, on_bad_rows="skip")
    assert (summary.resumed_from_row, scorer.pairs_scored, summary.scored) == (20, 6, 26)
    score_file(HashScorer(), source, tmp_path / "whole.csv", chunk_rows=10, on_bad_rows="skip")
    assert output.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_error_is_an_error_too_where_skip_had_continued(tmp_path: Path) -> None:
    class Broken(HashScorer):
        def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
            if self.pairs_scored > 9:
                raise KeyboardInterrupt
            return super().score(pairs)

    source, output = write(tmp_path / "a.csv", "sentence1,sentence2\n,\n" + "a,b\n" * 30), tmp_path / "b.csv"
    with pytest.raises(KeyboardInterrupt):
        score_file(Broken(), source, output, chunk_rows=10, on_bad_rows="skip")
    with pytest.raises(BadRowsError, match="1 row cannot be used"):
        score_file(HashScorer(), source, output, chunk_rows=10)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_resumes_after_sigkill_with_the_same_bytes(tmp_path: Path, ending: str) -> None:
    source, output = pairs_csv(tmp_path / "a.csv", 395), tmp_path / f"b{ending}"
    process = start("slow", source, output, 10)
    deadline = time.monotonic() + 30
    while not (tmp_path / f"b{ending}.partial" / "part-000005.npy").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not output.exists()
    scorer = HashScorer()
    summary = score_file(scorer, source, output, chunk_rows=10)
    assert 60 <= summary.resumed_from_row < 395
    assert (scorer.pairs_scored, summary.rows) == (395 - summary.resumed_from_row, 395)
    score_file(HashScorer(), source, tmp_path / f"whole{ending}", chunk_rows=10)
    assert output.read_bytes() == (tmp_path / f"whole{ending}").read_bytes()
    assert not (tmp_path / f"b{ending}.partial").exists()


def test_killed_before_writing_nothing_is_scored_twice(tmp_path: Path) -> None:
    source, output = pairs_csv(tmp_path / "a.csv", 95), tmp_path / "b.jsonl"
    process = start("killed", source, output, 10)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not output.exists()
    write(tmp_path / "b.jsonl.tmp", "left by a process that was killed while writing")
    scorer = HashScorer()
    assert score_file(scorer, source, output, chunk_rows=10).resumed_from_row == 95
    assert scorer.pairs_scored == 0 and len(read(output)) == 95


class Interrupted(HashScorer):
    def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        if self.pairs_scored >= 20:
            raise KeyboardInterrupt
        return super().score(pairs)


def interrupted_scoring(tmp_path: Path) -> tuple[Path, Path]:
    source, output = pairs_csv(tmp_path / "a.csv", 50), tmp_path / "b.csv"
    with pytest.raises(KeyboardInterrupt):
        score_file(Interrupted(), source, output, chunk_rows=10)
    return source, output


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("chunk_rows", "chunk_rows: was 10, is now 11"),
        ("columns", r"columns: was \['sentence1', 'sentence2'\], is now \['sentence2', 'sentence1'\]"),
        ("fingerprint", "fingerprint of the model: was 'hash of the words', is now 'other weights'"),
        ("content", r"input size in bytes: was \d+, is now \d+"),
        ("time", r"input modified at, in ns: was \d+, is now 1000000000"),
        ("input", r"input: was .*a.csv', is now .*c.csv'"),
    ],
)
def test_what_changed_is_named_and_overwrite_starts_over(tmp_path: Path, change: str, match: str) -> None:
    source, output = interrupted_scoring(tmp_path)
    scorer = HashScorer()
    options: dict[str, Any] = {"chunk_rows": 10}
    if change == "chunk_rows":
        options["chunk_rows"] = 11
    elif change == "columns":
        options["columns"] = ("sentence2", "sentence1")
    elif change == "fingerprint":
        scorer.fingerprint = "other weights"
    elif change == "content":
        source.write_text(source.read_text() + "50,a,b\n")
    elif change == "time":
        os.utime(source, ns=(10**9, 10**9))
    else:
        source = source.rename(tmp_path / "c.csv")
    with pytest.raises(UserError, match=f"(?s)b.csv.partial holds .* cannot continue; what changed:.*{match}") as caught:
        score_file(scorer, source, output, **options)
    assert "add --overwrite to start over" in caught.value.hint and scorer.pairs_scored == 0
    summary = score_file(scorer, source, output, overwrite=True, **options)
    assert summary.resumed_from_row == 0 and scorer.pairs_scored == summary.rows >= 50


def test_a_damaged_state_file(tmp_path: Path) -> None:
    source, output = interrupted_scoring(tmp_path)
    (tmp_path / "b.csv.partial" / "state.json").write_text("[")
    with pytest.raises(UserError, match=r"(?s)state.json cannot be read.*--overwrite"):
        score_file(HashScorer(), source, output, chunk_rows=10)


def test_a_partial_folder_without_scores_binds_nobody(tmp_path: Path) -> None:
    source, output = write(tmp_path / "a.csv", "sentence1,sentence2\n,b\n"), tmp_path / "b.csv"
    with pytest.raises(BadRowsError):
        score_file(HashScorer(), source, output)
    pairs_csv(source, 3)
    assert score_file(HashScorer(), source, output).rows == 3


def test_a_file_that_changes_while_it_is_scored(tmp_path: Path) -> None:
    source = pairs_csv(tmp_path / "a.csv", 3)

    class Changing(HashScorer):
        def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
            os.utime(source, ns=(1, 1))
            return super().score(pairs)

    with pytest.raises(UserError, match="a.csv was changed while it was being scored"):
        score_file(Changing(), source, tmp_path / "b.csv")
    assert not (tmp_path / "b.csv").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of one process from /proc")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """VmHWM, not ru_maxrss: the latter starts at the peak of the process that forked this one."""
    processes = [
        start("fast", pairs_csv(tmp_path / f"a{rows}.csv", rows), tmp_path / f"b{rows}.csv", 2000) for rows in (20_000, 200_000)
    ]
    small_kib, large_kib = [int(process.communicate()[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert large_kib - small_kib < 20 * 1024
