"""What a job prints reaches its log as it comes, without the values of its secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from hydra_sagemaker.container.secrets import mask_logs, masking, segments
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.settings import SageMakerLauncherConf

SECRET = {"KEY": 'correct-"horse"/battery', "PIN": "1234"}
HIDDEN = b"[hydra.launcher.secrets.KEY]"


def test_a_progress_bar_arrives_while_it_moves() -> None:
    program = (
        "import sys; sys.stdout.write('10%\\r'); sys.stdout.flush(); input(); print('20%\\rready\\n'); print('end', end='')"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        found = segments(process.stdout)
        assert next(found) == b"10%\r"  # it waits for a line now
        process.stdin.write(b"\n")
        process.stdin.close()
        assert list(found) == [b"20%\r", b"ready\n", b"\n", b"end"]


def test_long_lines_and_bytes_that_are_no_text_stay_as_they_are() -> None:
    read, write = os.pipe()
    text = b"\xff\xfe" + b"a" * 60_000 + "é\r\n".encode() + b"b"
    os.write(write, text)
    os.close(write)
    with open(read, "rb") as stream:
        assert b"".join(map(masking(SECRET), segments(stream))) == text


@pytest.mark.parametrize(
    "form",
    ['correct-"horse"/battery', r"correct-\"horse\"/battery", "correct-%22horse%22%2Fbattery"],
    ids=["as it is", "JSON", "URL"],
)
def test_a_secret_in_the_forms_in_which_programs_print_it(form: str) -> None:
    mask = masking(SECRET)
    assert mask(b"\xff 50%\r the key: " + form.encode() + b" 1234\n") == b"\xff 50%\r the key: " + HIDDEN + b" 1234\n"
    assert masking({})(form.encode()) == form.encode()


def test_log_files_beside_the_results(tmp_path: Path) -> None:
    for name in ("0/app.log", "0/rows.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"a {SECRET['KEY']}\n", encoding="utf-8")
    mask_logs(tmp_path, SECRET)
    assert (tmp_path / "0/app.log").read_bytes() == b"a " + HIDDEN + b"\n"
    assert SECRET["KEY"] in (tmp_path / "0/rows.csv").read_text(encoding="utf-8")


def test_a_job_is_named_without_the_secrets_in_its_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET["KEY"])
    words = ("x=1", "tracker.api_key=planted", f"note=use {SECRET['KEY']}", "a=hf_" + "aB3d" * 9)
    job = Job(0, words, OmegaConf.create(), SageMakerLauncherConf(), Path(), distinguishing_overrides=words)
    assert str(job) == "job 0 (x=1 tracker.api_key=… note=… a=…)"
