"""A disk too small for the output of a scoring: said before it starts, and nothing scored is lost."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from hash_scorer import HashScorer, pairs_csv
from paraphrase_lab.errors import TrainingError
from paraphrase_lab.scoring import stream
from paraphrase_lab.scoring.stream import score_file


def test_little_space_is_warned_of_before_scoring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = pairs_csv(tmp_path / "a.csv", 25)
    bytes_of_input = source.stat().st_size
    score_file(HashScorer(), source, tmp_path / "b.csv")
    assert caplog.messages == []
    monkeypatch.setattr("paraphrase_lab.scoring.task.free_bytes", lambda directory: bytes_of_input - 1)
    score_file(HashScorer(), source, tmp_path / "c.csv")
    score_file(HashScorer(), source, tmp_path / "c.parquet")  # compressed: nobody knows its size beforehand
    assert caplog.messages == [f"{tmp_path} has 1.4 kB of free space; the output takes more than the input, 1.4 kB"]


def test_a_full_disk_keeps_the_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, output = pairs_csv(tmp_path / "a.csv", 25), tmp_path / "b.csv"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(output))

    with monkeypatch.context() as patch:
        patch.setattr(stream, "write_output", full)
        with pytest.raises(TrainingError, match=r"the disk is full, .* are left; the same command continues with the scores"):
            score_file(HashScorer(), source, output, chunk_rows=5)
    assert not output.exists()
    assert score_file(HashScorer(), source, output, chunk_rows=5).resumed_from_row == 25
