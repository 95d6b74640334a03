"""`paraphrase jobs`: the launcher's verbs under the project's own command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import FEW_PAIRS, TINY, paraphrase


def test_help_completion_and_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paraphrase("jobs", "--help") == 0
    assert "usage: paraphrase jobs" in (said := capsys.readouterr().out) and "download the results" in said
    assert paraphrase("jobs") == 2
    assert "the following arguments are required: list|logs|stop|collect" in capsys.readouterr().err
    assert paraphrase("jobs", "list", str(tmp_path)) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"paraphrase jobs list: {tmp_path} is not the directory of a sweep that this launcher submitted")
    for line, expected in {
        "paraphrase jo": "jobs",
        "paraphrase jobs ": "list logs stop collect prices bootstrap",
        "paraphrase jobs l": "list logs",
    }.items():
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setenv("COMP_POINT", str(len(line)))
        assert paraphrase("-sc", "query=bash") == 0
        assert capsys.readouterr().out.strip() == expected


@pytest.mark.slow
def test_collect_ends_in_the_table_of_the_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (*TINY, *FEW_PAIRS, "compute=local", "seed=0,1", "hydra.sweep.dir=runs/sweep")
    assert paraphrase("train", "-m", *words) == 0
    table = capsys.readouterr().out
    assert paraphrase("jobs", "collect", "runs/sweep") == 0
    output = capsys.readouterr().out
    assert "completed" in output and output.count("finished") == 2 and output.endswith(table[table.rindex("runs/sweep") :])
    assert paraphrase("jobs", "collect", "runs/sweep", "--json") == 0
    assert [row["state"] for row in json.loads(capsys.readouterr().out)] == ["completed", "completed"]
