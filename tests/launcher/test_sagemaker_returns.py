"""Values that JSON cannot hold, tasks that leave without one, and the numbers of threads that they computed with."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from hydra_apps import App

if TYPE_CHECKING:
    from sagemaker_fixtures import Cloud

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]

VANISHING = """\
import os
import sys

import hydra


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    print("nearly done", flush=True)
    os._exit(0) if config.x == 1 else os.execv(sys.executable, [sys.executable, "-c", "pass"])


if __name__ == "__main__":
    main()
"""
RETURNING = """\
import hydra


class Score:
    def __repr__(self):
        return "Score(0.5)\\x1b[2J"


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    if config.x == 3:
        import numpy

        return numpy.array([[1.0, 2.0], [0.5, 0.25]])
    return Score()


if __name__ == "__main__":
    main()
"""
DEMANDING = """
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper


class Demanding(Sweeper):
    def setup(self, *, hydra_context, task_function, config):
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments):
        for one in self.launcher.launch([["x=1"]], initial_job_idx=0):
            one.return_value


node = {"_target_": "hydra_plugins.demanding.Demanding"}
ConfigStore.instance().store(group="hydra/sweeper", name="demanding", node=node)
"""


@pytest.mark.slow
def test_a_task_that_leaves_without_a_result_is_not_tried_again(cloud: Cloud) -> None:
    cloud.app.write("app.py", VANISHING)
    output = cloud.sweep("x=1,2", "hydra.launcher.retry_seconds=0.1", code=1)
    assert len(cloud.created()) == 2
    for number in (0, 1):
        failure = cloud.record(number)["failure"]
        assert failure["cause"] == "code"
        assert "ended with exit code 0 and left no result: it calls os._exit" in failure["message"]
        assert "nearly done" in failure["message"]
    assert "2 of 2 jobs failed" in output


def test_a_value_that_json_cannot_hold_is_named(cloud: Cloud) -> None:
    cloud.app.write("app.py", RETURNING)
    output = cloud.sweep("x=1,3")
    assert "its return value was not downloaded, since JSON cannot hold it: Score(0.5)\n" in output and "\x1b" not in output
    assert [one["value"] for one in cloud.returns()] == [None, [[1.0, 2.0], [0.5, 0.25]]]
    assert output.count("was not downloaded") == 1


@pytest.mark.slow
def test_a_sweeper_that_needs_the_value_gets_a_failure(app: App) -> None:
    app.write("app.py", RETURNING)
    app.write("hydra_plugins/demanding.py", DEMANDING)
    for origin in ("1 new", "1 reused"):
        output = app.sweep("hydra/sweeper=demanding", code=1)
        assert f"1 job: {origin}" in output
        assert "Demanding needs the value: return a number, or a list of numbers" in output


@pytest.mark.slow
@pytest.mark.parametrize("own, threads", [({}, "3"), ({"hydra.launcher.env.OMP_NUM_THREADS": "2"}, "2")])
def test_jobs_compute_with_the_threads_of_the_submitting_shell(cloud: Cloud, own: dict[str, str], threads: str) -> None:
    cloud.sweep("x=1", *(f"+{name}='{value}'" for name, value in own.items()), env={"OMP_NUM_THREADS": "3"})
    result = json.loads((cloud.output(0) / ".job/result.json").read_text(encoding="utf-8"))
    assert result["threads"] == {"cores": len(os.sched_getaffinity(0)), "OMP_NUM_THREADS": threads}
