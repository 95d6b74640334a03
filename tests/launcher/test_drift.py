"""Jobs that run where something is not what it was when they were submitted."""

from __future__ import annotations

import json
from pathlib import Path

import hydra
import pytest

from hydra_apps import LOCAL, App, Elsewhere


@pytest.fixture(scope="module")
def submitted(shared_app: App, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    shared_app.write("conf/config.yaml", "x: 0\ndo: a\nlist: [1, 2]\n")
    elsewhere = Elsewhere(shared_app, tmp_path_factory.mktemp("other"))
    elsewhere.submit("x=1,2")
    return elsewhere


@pytest.mark.parametrize(
    "here, said",
    [
        ("x: 0\ndo: b\nlist: [1, 2]\n", "do: 'a' was submitted, 'b' is composed here"),
        ("x: 0\ndo: a\nlist: [1, 2]\nmore: {deep: null}\n", "more.deep: nothing was submitted, None is composed here"),
        ("x: 0\ndo: a\n", "list: [1, 2] was submitted, nothing is composed here"),
        ("x: 0\ndo: a\nlist: [1, 2.0]\n", "list: [1, 2] was submitted, [1, 2.0] is composed here"),
        ("x: 0\ndo: ${x}\nlist: [1, 2]\n", "do: 'a' was submitted, '${x}' is composed here"),
    ],
)
def test_another_configuration_is_refused_by_name(submitted: Elsewhere, here: str, said: str) -> None:
    (submitted.root / "conf/config.yaml").write_text(here)
    assert said in submitted.run(1)
    result = submitted.result()
    assert (result["status"], result["exit_code"]) == ("failed", 1)
    assert result["exception"]["type"] == "LauncherError"
    assert result["exception"]["message"].count(" was submitted, ") == 1
    assert "the code or an installed package differs" in result["exception"]["message"]
    assert submitted.app.marks() == []


@pytest.mark.slow
def test_a_file_edited_during_a_local_sweep(app: App) -> None:
    sweep = app.start(*LOCAL, "x=1,2", "hydra.launcher.max_parallel=1", env={"DO_1": "wait"})
    app.await_marks(1)
    app.write("conf/config.yaml", "x: 0\ndo: ${oc.env:DO_${x},something}\n")
    app.let_go()
    said, _ = sweep.communicate(timeout=60)
    assert sweep.returncode == 1
    assert "job 1 (x=2) failed" in said
    assert "do: '${oc.env:DO_${x},nothing}' was submitted, '${oc.env:DO_${x},something}' is composed here" in said
    assert app.marks() == ["1"]


def test_other_versions_and_other_defaults_of_what_an_override_gives(elsewhere: Elsewhere) -> None:
    elsewhere.submit("x=1")
    (elsewhere.root / "conf/config.yaml").write_text("x: 7\ndo: ${oc.env:DO_${x},nothing}\n")
    spec = json.loads(elsewhere.spec().read_text())
    spec["versions"] |= {"hydra-core": "1.3.2", "lightning": "9"}
    elsewhere.spec().write_text(json.dumps(spec))
    said = elsewhere.run(MARKS=str(elsewhere.app.marks_file))
    [skew] = elsewhere.result()["version_skew"]
    assert skew == f"hydra-core {hydra.__version__} here, 1.3.2 where the sweep was submitted"
    assert f"version skew: {skew}" in said
    assert elsewhere.result()["return_value"] == 10


SWEEPER = """
    from dataclasses import dataclass

    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.config_store import ConfigStore


    @dataclass
    class Settings:
        _target_: str = "hydra_plugins.absent_sweeper.absent.Absent"
        trials: int = 1


    ConfigStore.instance().store(group="hydra/sweeper", name="absent", node=Settings)


    class Absent(BasicSweeper):
        def __init__(self, trials):
            super().__init__(None, {"x": "1,2"})
"""


@pytest.mark.slow
def test_a_sweeper_that_is_not_installed_where_the_job_runs(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.app.write("../only_here/hydra_plugins/absent_sweeper/absent.py", SWEEPER).with_name("__init__.py").touch()
    words = ("hydra/sweeper=absent", "hydra.sweeper.trials=3")
    elsewhere.submit(*words, env={"PYTHONPATH": str(tmp_path / "only_here")})
    elsewhere.run(1, MARKS=str(elsewhere.app.marks_file))
    assert elsewhere.result()["return_value"] == 20
    assert "trials: 3" in (elsewhere.output / "1/.hydra/hydra.yaml").read_text()


PACKAGE = """
    import os
    from pathlib import Path

    import hydra
    from hydra.core.hydra_config import HydraConfig

    from my_app.helper import times_ten


    class Broken(Exception):
        pass


    @hydra.main(version_base=None, config_path="conf", config_name="config")
    def main(config):
        if config.x == 3:
            raise Broken("x is 3")
        assert HydraConfig.get().job.num == config.x
        return [times_ten(config.x), str(Path.cwd()), os.environ.get("FROM_HYDRA")]


    if __name__ == "__main__":
        main()
"""


@pytest.fixture
def package(elsewhere: Elsewhere) -> Elsewhere:
    """Run by its name, from a source layout."""
    for name, text in (("train.py", PACKAGE), ("helper.py", "def times_ten(x):\n    return 10 * x\n"), ("__init__.py", "")):
        elsewhere.app.write(f"src/my_app/{name}", text)
    elsewhere.app.write("src/my_app/conf/config.yaml", "x: 0\n")
    return elsewhere


@pytest.mark.slow
def test_a_package_elsewhere(package: Elsewhere) -> None:
    source = {"PYTHONPATH": str(package.app.root / "src")}
    words = ("hydra.job.chdir=true", "+hydra.job.env_set.FROM_HYDRA=set", "x=0,1")
    package.submit(*words, script="-m my_app.train", env=source)
    package.run(1)
    assert package.result()["return_value"] == [10, str(package.output / "1"), "set"]


@pytest.mark.slow
def test_a_package_in_local_mode(package: Elsewhere) -> None:
    source = {"PYTHONPATH": str(package.app.root / "src")}
    said = package.app.sweep("x=0,3", script="-m my_app.train", env=source, code=1)
    assert package.app.result(0)["return_value"] == [0, str(package.app.root), None]
    assert "my_app.train.Broken: x is 3" in said
    assert "RemoteJobError" not in said


CALLBACKS = """
    import os
    from hydra.experimental.callback import Callback


    class Marks(Callback):
        def mark(self, what):
            with open(os.environ["MARKS"], "a") as marks:
                marks.write(f"{what} 0 0 {os.getpid()}\\n")

        def on_multirun_start(self, config, **kwargs):
            self.mark("multirun_start")

        def on_multirun_end(self, config, **kwargs):
            self.mark("multirun_end")

        def on_job_start(self, config, **kwargs):
            self.mark("job_start")

        def on_job_end(self, config, job_return, **kwargs):
            assert job_return.return_value == 10
            self.mark("job_end")
"""


def test_hydras_callbacks_are_called_where_they_belong(app: App) -> None:
    app.write("callbacks.py", CALLBACKS)
    app.sweep("x=1", "+hydra.callbacks.marks._target_=callbacks.Marks")
    marks = app.all_marks()
    assert [word for word, *_ in marks] == ["multirun_start", "job_start", "start", "end", "job_end", "multirun_end"]
    launcher, job = marks[0][3], marks[1][3]
    assert [process for *_, process in marks] == [launcher, job, job, job, job, launcher]
    assert launcher != job
