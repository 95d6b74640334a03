"""The container's process 1 as a real process: its exit code, what it leaves for SageMaker, and signals."""

from __future__ import annotations

import io
import os
import signal
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from container_fixtures import Container

pytest_plugins = ["container_fixtures"]


def test_a_job_that_returns(container: Container) -> None:
    code, output = container.prepare("model", 5).run()
    assert code == 0, output
    assert "[launcher] code unpacked, " in output and "[launcher] requirements: the image satisfies them, 0." in output
    assert "the task's own line" in output and "the task's own line" in container.job("output.log")
    result = container.job("result.json")
    assert (result["status"], result["return_value"], result["model_files"]) == ("completed", 5, ["model.pt"])
    assert (container.base / "model/model.pt").read_text(encoding="utf-8") == "weights"
    located = container.base / "output/data/7"
    assert (located / "metrics.json").is_file() and (located / ".hydra/config.yaml").is_file()
    assert not (located / "model.pt").exists() and not (container.base / "output/failure").exists()


@pytest.mark.parametrize("length", [10, 3000])
def test_the_failure_file_begins_with_the_users_exception(container: Container, length: int) -> None:
    code, output = container.prepare("raise", length).run()
    assert code == 1 and "Broken: it is broken" in output
    assert container.failure.startswith("Broken: it is broken xxx") and len(container.failure) <= 1024
    assert ("Traceback" in container.failure) == (length == 10)
    assert container.job("result.json")["exception"]["message"] == "it is broken " + "x" * length


def test_a_killed_job_leaves_its_last_lines(container: Container) -> None:
    code, _ = container.prepare("kill").run()
    assert code == 128 + signal.SIGKILL
    assert container.failure.startswith("killed by signal 9: out of memory?; the last lines were\n")
    assert "the task's own line" in container.failure


def test_the_last_line_of_a_progress_bar_is_its_end(container: Container) -> None:
    container.prepare("bar").run()
    assert container.failure.endswith("the task's own line\n100%")
    assert "98%\r99%\r100%" in container.job("output.log").replace("\n", "\r")


def test_the_exit_code_is_the_tasks(container: Container) -> None:
    assert container.prepare("exit").run()[0] == 3
    assert container.failure.startswith("SystemExit: 3")


def test_sigterm_reaches_the_task_and_its_children_who_may_save(container: Container) -> None:
    process = container.prepare("save").start()
    container.await_log("child ready")
    assert (container.base / "parent").read_text(encoding="utf-8") == str(process.pid)  # bash has given way to the entry
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert (container.base / "checkpoints/last.ckpt").read_text(encoding="utf-8") == "saved"
    assert (container.base / "child").read_text(encoding="utf-8") == "told"
    assert container.job("result.json")["status"] == "interrupted"
    assert not (container.base / "output/failure").exists()


def test_a_task_that_fails_to_save_is_no_clean_stop(container: Container) -> None:
    process = container.prepare("fail to save").start()
    container.await_log("child ready")
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 1
    assert container.job("result.json")["exception"]["message"] == "the disk is full"


@pytest.mark.slow
def test_a_process_of_the_task_that_lives_on_does_not_keep_the_container(container: Container) -> None:
    process = container.prepare("orphan", 1).start()
    try:
        assert process.wait(timeout=30) == 0 and container.job("result.json")["return_value"] == 1
    finally:
        os.kill(int((container.base / "orphan").read_text(encoding="utf-8")), signal.SIGKILL)


def test_another_configuration_than_the_submitted_one_is_named(container: Container) -> None:
    code, _ = container.prepare("nothing", 1, config="x: 1\ndo: nothing\nbatch_size: 32\n").run()
    assert code == 1
    assert "batch_size: 32 was submitted, nothing is composed here" in container.failure


@pytest.mark.parametrize(
    "name, link, error", [("../../escaped", "", "OutsideDestinationError"), ("link", "/etc", "AbsoluteLinkError")]
)
def test_an_archive_that_leaves_its_place_is_refused(container: Container, name: str, link: str, error: str) -> None:
    container.prepare()
    with tarfile.open(container.archive) as packed:
        contents = [(member, io.BytesIO(packed.extractfile(member).read())) for member in packed]  # type: ignore[union-attr]
    hostile = tarfile.TarInfo(name)
    hostile.type, hostile.linkname = (tarfile.SYMTYPE, link) if link else (tarfile.REGTYPE, "")
    with tarfile.open(container.archive, "w:gz") as archive:
        for member, content in [*contents, (hostile, io.BytesIO())]:
            archive.addfile(member, content)
    code, output = container.run()
    assert code == 1 and "the task's own line" not in output
    assert container.failure.startswith(f"{error}: ") and name in container.failure
    assert not list(container.base.parent.rglob("escaped")) and not (container.base / "code/link").is_symlink()
