"""Verbs, exit codes, sweeps and completion, as typed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import FEW_PAIRS, TINY, paraphrase
from paraphrase_lab import __version__
from paraphrase_lab.cli import main


def test_unknown_verbs_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("tarin") == 2
    assert "there is no command 'tarin'" in (error := capsys.readouterr().err) and "did you mean `paraphrase train`?" in error
    assert paraphrase("check", "--multi") == 2
    assert "paraphrase check has no option --multi" in capsys.readouterr().err
    assert paraphrase("--version") == 0
    assert capsys.readouterr().out == f"paraphrase-lab {__version__}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_threads_do_not_wait_awake_unless_told_so(
    before: dict[str, str], after: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "is put back after the test")
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main(["--version"])
    assert os.environ.get("GOMP_SPINCOUNT") == after


def test_check_says_so_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("check", "-m", "seed=0,1", "model.num_layers=1,2") == 0
    assert "no problems found in 4 jobs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("paraphrase ev", {"evaluate"}),
        ("paraphrase train model=rob", {"model=roberta_base", "model=roberta_large"}),
        ("paraphrase check scheduler.warm", {"scheduler.warmup_steps=", "scheduler.warmup_fraction="}),
        ("paraphrase study ablation=enc", {"ablation=encoder_depth"}),
        ("paraphrase evaluate ru", {"runs/sweep", "runs/sweep/0"}),
        ("paraphrase evaluate l", {"latest"}),
        ("paraphrase compare runs/sweep/0 la", {"latest"}),
        ("paraphrase predict runs/sweep/0 ", set()),
        ("paraphrase predict runs/sweep/0 ru", {"runs/sweep", "runs/sweep/0"}),
        ("paraphrase evaluate runs/sweep/0 ru", {"runs/sweep", "runs/sweep/0"}),
        ("paraphrase evaluate runs/sweep/0 data=pairs data.pa", {"data.path="}),
        ("paraphrase evaluate runs/sweep/0 --prec", {"--precision"}),
        ("paraphrase train resume=", {"resume=auto", "resume=runs/sweep", "resume=runs/sweep/0"}),
        ("paraphrase train -m seed=0,1 --conf", {"--config-dir"}),
        ("paraphrase runs --s", {"--sort"}),
        ("paraphrase nothing --s", set()),
    ],
)
def test_completion(
    line: str, expected: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _a_sweep(tmp_path)
    monkeypatch.setenv("COMP_LINE", line)
    for shell in ("lines", "bash"):
        assert paraphrase("-sc", f"query={shell}") == 0
        output = capsys.readouterr().out
        assert set(output.split()) == expected
        assert output.count("\n") == (max(len(expected), 1) if shell == "lines" else 1)


def _a_sweep(directory: Path) -> None:
    sweep = directory / "runs" / "sweep"
    (sweep / "0").mkdir(parents=True)
    (sweep / "0" / "run.json").touch()
    (sweep / "multirun.yaml").touch()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("paraphrase ev", "evaluate"),
        ("paraphrase train model=rob", "roberta_base roberta_large"),
        ("paraphrase evaluate ru", "runs/sweep runs/sweep/0"),
        ("paraphrase check --rem", "--remote"),
    ],
)
def test_completion_in_bash(line: str, expected: str, tmp_path: Path) -> None:
    """Bash replaces what stands behind the last '=' of a word, so that the key must not come again."""
    _a_sweep(tmp_path)
    command = tmp_path / "bin" / "paraphrase"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m paraphrase_lab "$@"\n')
    command.chmod(0o755)
    script = f"""
eval "$(paraphrase --shell-completion install=bash)"
COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}
_paraphrase
echo "${{COMPREPLY[*]}}"
complete -p paraphrase
"""
    environment = {**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    completed, registered = done.stdout.splitlines()
    assert completed == expected and registered.endswith("-F _paraphrase paraphrase")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_scripts_of_other_shells(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("train", "--shell-completion", f"install={shell}") == 0
    script = capsys.readouterr().out
    assert "COMP_LINE" in script and "paraphrase --shell-completion query=lines" in script
    if found := shutil.which(shell):
        subprocess.run([found, "-n"], input=script, text=True, check=True)
    assert paraphrase("-sc", "install=tcsh") == 2
    assert "fish: paraphrase --shell-completion install=fish | source" in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_ends_in_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert paraphrase("train", "-m", *TINY, *FEW_PAIRS, "seed=0,1", "hydra.sweep.dir=runs/sweep") == 0
    output = capsys.readouterr().out
    records = {job: json.loads((tmp_path / "runs" / "sweep" / job / "run.json").read_text()) for job in ("0", "1")}
    assert [records[job]["seed"] for job in ("0", "1")] == [0, 1]
    assert records["0"]["fingerprint"] != records["1"]["fingerprint"]
    assert output.rstrip().splitlines()[-1].startswith("└") and output.count("finished") == 2


@pytest.mark.slow
def test_one_failed_job_does_not_stop_the_others_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (*TINY, *FEW_PAIRS, "data.on_truncation=error", "data.max_length=8,128", "hydra.sweep.dir=runs/sweep")
    assert paraphrase("train", "-m", *words) == 2
    output, error = capsys.readouterr()
    shown = output + error
    assert shown.count("data.max_length=… takes more; data.on_truncation=warn accepts it\n") == 1
    assert "Traceback" not in shown, "the problem is the user's, and said once"
    assert "failed" in output and "finished" in output
    log = (tmp_path / "runs" / "sweep" / "0" / "train.log").read_text()
    assert "are longer than data.max_length=8 tokens" in log


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], pytest.param(["check"], marks=pytest.mark.slow)])
def test_a_reader_that_leaves_early_is_no_error(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "paraphrase_lab", *words], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_argument_that_is_not_utf_8(capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("predict", "run", os.fsdecode(b"caf\xe9 one"), "coffee") == 2
    assert capsys.readouterr().err.startswith(r"paraphrase predict: the argument caf\xe9 one is not UTF-8")


@pytest.mark.slow
def test_a_run_in_the_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    for word, directory in {"~/one": "one", '"~/two ü"': "two ü"}.items():
        assert paraphrase("train", *TINY, *FEW_PAIRS, "logger=none", f"hydra.run.dir={word}") == 0
        assert json.loads((home / directory / "run.json").read_text())["status"] == "finished"
    write = here / "conf" / "experiment" / "there.yaml"
    write.parent.mkdir(parents=True)
    write.write_text("# @package _global_\nhydra:\n  run:\n    dir: ~/three\n")
    assert paraphrase("train", "--config-dir", "conf", "experiment=there", *TINY, *FEW_PAIRS, "logger=none") == 0
    assert (home / "three" / "model" / "model.safetensors").is_file()
    assert paraphrase("predict", "~/one", "a [bold]b[/bold] :smile:", "~/b") == 0
    assert not (here / "~").exists()
