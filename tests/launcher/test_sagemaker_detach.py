"""A sweep whose launcher goes away before its jobs: on purpose, by Ctrl-C, and how one comes back to it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from gate import Gate

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
pytestmark = pytest.mark.slow

WAITING = ("x=1,2", "do=wait")


def running(cloud: Cloud) -> subprocess.Popen[str]:
    process = cloud.start(*WAITING)
    cloud.app.await_marks(2)
    return process


def finish(cloud: Cloud, process: subprocess.Popen[str], code: int) -> str:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code, output
    assert "Traceback" not in output
    return output


def test_detached_jobs_are_collected_by_the_same_command(cloud: Cloud) -> None:
    output = cloud.sweep(*WAITING, "hydra.launcher.wait=false")
    assert "2 jobs continue in SageMaker" in output and f"collect {cloud.output(0).parent}" in output
    assert [one["status"] for one in cloud.returns()] == ["COMPLETED"] * 2, "Hydra knows no other word"
    assert cloud.count("CreateTrainingJob") == 2
    assert cloud.count("DescribeTrainingJob") == 2, "whether they were there, and nothing afterwards"
    assert len(cloud.names("InProgress")) == 2
    cloud.app.let_go()
    assert "2 jobs: " in cloud.sweep(*WAITING)
    assert [one["value"] for one in cloud.returns()] == [10, 20] and cloud.count("CreateTrainingJob") == 0


def test_wait_false_is_refused_where_it_cannot_work(cloud: Cloud) -> None:
    cloud.app.write(
        "hydra_plugins/asking_sweeper.py",
        """\
        from hydra.core.config_store import ConfigStore
        from hydra.plugins.sweeper import Sweeper


        class AskingSweeper(Sweeper):
            def setup(self, *, hydra_context, task_function, config):
                from hydra.core.plugins import Plugins
                self.launcher = Plugins.instance().instantiate_launcher(
                    hydra_context=hydra_context, task_function=task_function, config=config
                )

            def sweep(self, arguments):
                return self.launcher.launch([["x=1"], ["x=2"]], initial_job_idx=0)


        ConfigStore.instance().store(
            group="hydra/sweeper", name="asking", node={"_target_": "hydra_plugins.asking_sweeper.AskingSweeper"}
        )
        """,
    )
    output = cloud.sweep("hydra/sweeper=asking", "hydra.launcher.wait=false", "hydra.launcher.max_parallel=1", code=1)
    assert "AskingSweeper needs the value of each job before it chooses the next one: hydra.launcher.wait=true" in output
    assert (
        "2 jobs, max_parallel=1 submits only some at once, and nobody stays to submit the others: hydra.launcher.max_parallel=2"
        in output
    )
    assert cloud.names() == [] and cloud.count("PutObject") == 0


def test_ctrl_c_where_nobody_can_be_asked_leaves_the_jobs_alone(cloud: Cloud) -> None:
    process = running(cloud)
    process.send_signal(signal.SIGINT)
    output = finish(cloud, process, 130)
    assert "nothing more is submitted; 2 jobs, $0.23 an hour" in output
    assert "detaching in 3 s; Ctrl-C again stops all jobs" in output and "2 jobs continue in SageMaker" in output
    assert len(cloud.names("InProgress")) == 2 and cloud.count("StopTrainingJob") == 0
    cloud.app.let_go()
    assert "2 jobs: 2 " in cloud.sweep(*WAITING) and cloud.count("CreateTrainingJob") == 0
    assert [one["value"] for one in cloud.returns()] == [10, 20]


def test_a_second_ctrl_c_stops_all_jobs(cloud: Cloud) -> None:
    process = running(cloud)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    while "Ctrl-C again" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert "stopping 2 jobs; run the same command to continue" in finish(cloud, process, 130)
    cloud.app.await_(lambda: len(cloud.names("Stopped")) == 2)


def test_what_to_do_at_ctrl_c_can_be_said_before(cloud: Cloud) -> None:
    process = cloud.start(*WAITING, "hydra.launcher.on_interrupt=stop")
    cloud.app.await_marks(2)
    process.send_signal(signal.SIGINT)
    assert "stopping 2 jobs" in finish(cloud, process, 130)
    cloud.app.await_(lambda: len(cloud.names("Stopped")) == 2)


class Terminal:
    """The launcher on a terminal of its own, and somebody who types."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.here, there = pty.openpty()
        environment = {**os.environ, **cloud.env, "MARKS": str(cloud.app.marks_file), "TERM": "dumb", "COLUMNS": "200"}
        self.process = subprocess.Popen(
            [sys.executable, "app.py", *cloud.words, *WAITING],
            cwd=cloud.app.root, env=environment, stdin=there, stdout=there, stderr=there, start_new_session=True,
        )  # fmt: skip
        os.close(there)
        self.shown = ""

    def read_until(self, text: str) -> None:
        while text not in self.shown:
            try:
                self.shown += os.read(self.here, 4096).decode(errors="replace")
            except OSError:  # the other end is closed
                raise AssertionError(self.shown) from None

    def interrupt(self) -> None:
        self.cloud.app.await_marks(2)
        self.process.send_signal(signal.SIGINT)
        self.read_until("ontinue waiting? ")

    def type(self, text: str) -> None:
        os.write(self.here, text.encode())

    def end(self) -> int:
        while True:
            try:
                self.shown += os.read(self.here, 4096).decode(errors="replace")
            except OSError:
                return self.process.wait(30)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.here)


@pytest.fixture
def terminal(cloud: Cloud) -> Iterator[Terminal]:
    terminal = Terminal(cloud)
    yield terminal
    terminal.close()


def test_on_a_terminal_one_is_asked_and_may_leave(terminal: Terminal) -> None:
    terminal.interrupt()
    assert "job 0 (x=1) runs as" in terminal.shown and "$0.12 an hour" in terminal.shown
    terminal.type("what?\nd\n")
    assert terminal.end() == 130 and "2 jobs continue in SageMaker" in terminal.shown, terminal.shown
    assert len(terminal.cloud.names("InProgress")) == 2


def test_on_a_terminal_one_may_stop_the_jobs(terminal: Terminal) -> None:
    terminal.interrupt()
    terminal.type("s\n")
    assert terminal.end() == 130
    terminal.cloud.app.await_(lambda: len(terminal.cloud.names("Stopped")) == 2)


def test_on_a_terminal_one_may_think_again(terminal: Terminal) -> None:
    terminal.interrupt()
    terminal.type("c\n")
    terminal.cloud.app.let_go()
    assert terminal.end() == 0, terminal.shown
    assert [one["value"] for one in terminal.cloud.returns()] == [10, 20]


def test_ctrl_c_instead_of_an_answer_stops_the_jobs(terminal: Terminal) -> None:
    terminal.interrupt()
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    terminal.cloud.app.await_(lambda: len(terminal.cloud.names("Stopped")) == 2)


def test_who_stops_the_jobs_of_a_living_launcher_is_told_of_it(cloud: Cloud) -> None:
    process = running(cloud)
    verb = [sys.executable, "-m", "hydra_sagemaker", "stop", "sweep", "--yes"]
    environment = {**os.environ, **cloud.env}
    done = subprocess.run(verb, cwd=cloud.app.root, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and f"a launcher works for this sweep (process {process.pid})" in done.stderr, done.stderr
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "it was stopped, by a person or another program" in output


def test_a_stop_that_was_not_allowed_is_no_success(cloud: Cloud) -> None:
    cloud.sweep("x=1", "do=wait", "hydra.launcher.wait=false")
    cloud.fault(denied_operations=["StopTrainingJob"])
    verb = [sys.executable, "-m", "hydra_sagemaker", "stop", "sweep", "--yes"]
    done = subprocess.run(verb, cwd=cloud.app.root, env={**os.environ, **cloud.env}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and f"1 not stopped: {cloud.names()[0]}" in done.stderr, done.stderr


def test_a_third_ctrl_c_says_what_may_still_run(cloud: Cloud) -> None:
    with Gate(cloud.server.url) as gate:
        cloud.env["AWS_ENDPOINT_URL"] = gate.url
        process = cloud.start(*WAITING, "hydra.launcher.on_interrupt=stop")
        cloud.app.await_marks(2)
        gate.close()
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        while "stopping 2 jobs" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output = finish(cloud, process, 130)
    assert "2 jobs may still run: " in output and f"stop {cloud.output(0).parent}" in output
    assert len(cloud.names("InProgress")) == 2
