"""Sweeps of real processes: what runs, what is reused, what is collected."""

from __future__ import annotations

import json
import shutil

import pytest

from hydra_apps import APP, App


@pytest.mark.slow
def test_jobs_that_die_leave_the_others_intact_and_alone_run_again(app: App) -> None:
    said = app.sweep("x=0,1,2,3,4,5", code=1, env={"DO_2": "kill", "DO_4": "raise", "DO_5": "terminate"})
    assert "6 jobs: 6 new" in said
    for words in (
        "job 2 (x=2) failed as app-",
        "killed by SIGKILL",
        "the same command runs it again",
        "job 4 (x=4) failed as app-",
        'raise Broken(f"x={config.x} is broken")',
        "Broken: x=4 is broken",
        f"its files: {app.sweep_dir / '4'}",
        "it was stopped (exit code 143)",
        "3 of 6 jobs failed, 3 completed; the same command runs only the failed ones again",
    ):
        assert words in said, said
    assert sorted(app.marks()) == list("012345")
    assert [app.result(number)["return_value"] for number in (0, 1, 3)] == [0, 10, 30]
    assert app.result(4)["exception"]["type"] == "Broken"
    assert "Broken: x=4 is broken" in (app.sweep_dir / "4/.job/output.log").read_text()
    assert not (app.sweep_dir / "2/.job/result.json").exists()

    app.marks_file.unlink()
    assert "6 jobs: 3 new, 3 reused" in app.sweep("x=0,1,2,3,4,5")
    assert sorted(app.marks()) == ["2", "4", "5"]
    assert [app.result(number)["return_value"] for number in range(6)] == [0, 10, 20, 30, 40, 50]


@pytest.mark.slow
def test_what_happens_to_jobs_that_ran_before(app: App) -> None:
    assert "2 jobs: 2 new" in app.sweep("x=1,2", code=1, env={"DO_2": "raise"})
    app.marks_file.unlink()
    said = app.sweep("x=1,2", "hydra.launcher.on_existing=fail", code=1)
    assert "job 0 (x=1) exists as app-" in said
    assert "hydra.launcher.on_existing=retry_failed continues with them" in said
    said = app.sweep("x=1,2", "hydra.launcher.on_existing=reuse", code=1)
    assert "2 jobs: 2 reused" in said
    assert "Broken: x=2 is broken" in said
    assert app.marks() == []
    assert "2 jobs: 1 new, 1 reused" in app.sweep("x=1,2")
    assert app.marks() == ["2"]
    assert "2 jobs: 2 new" in app.sweep("x=1,2", "hydra.launcher.on_existing=rerun")
    assert sorted(app.marks()) == ["1", "2", "2"]


@pytest.mark.slow
def test_identical_jobs_share_one_run_and_both_have_its_files(app: App) -> None:
    app.sweep("x=1,1,2", "+note=a", "hydra.launcher.key_exclude=[note]")
    assert sorted(app.marks()) == ["1", "2"]
    assert [app.result(number)["return_value"] for number in range(3)] == [10, 10, 20]
    names = {"app.log"} | {f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")}
    names |= {f".job/{name}" for name in ("output.log", "record.json", "result.json", "spec.json", "started.json")}
    assert app.files(0) == app.files(1) == app.files(2) == names
    assert (app.sweep_dir / "1/.job/output.log").read_text() == "x is 1\n"
    assert (app.sweep_dir / "2/.hydra/overrides.yaml").read_text() == "- x=2\n- +note=a\n"
    record = json.loads((app.sweep_dir / "2/.job/record.json").read_text())
    assert (record["mode"], record["state"], record["name"]) == ("local", "completed", app.result(2)["name"])
    assert "1 job: 1 reused" in app.sweep("x=2", "+note=b", "hydra.launcher.key_exclude=[note]")


BROKEN = "Broken('x=2 is broken')"
SWEEPER = """
    import json
    from dataclasses import dataclass
    from pathlib import Path

    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins
    from hydra.plugins.sweeper import Sweeper


    @dataclass
    class Settings:
        _target_: str = "hydra_plugins.reporting_sweeper.reporting.Reporting"
        batches: list[list[int]] | None = None


    ConfigStore.instance().store(group="hydra/sweeper", name="reporting", node=Settings)


    class Reporting(Sweeper):
        def __init__(self, batches):
            self.batches = batches

        def setup(self, *, hydra_context, task_function, config):
            self.launcher = Plugins.instance().instantiate_launcher(
                hydra_context=hydra_context, task_function=task_function, config=config
            )

        def sweep(self, arguments):
            told, number = [], 5
            for batch in self.batches:
                returns = self.launcher.launch([[f"x={x}"] for x in batch], initial_job_idx=number)
                number += len(batch)
                for one in returns:
                    value = one._return_value
                    told.append({
                        "overrides": list(one.overrides),
                        "status": one.status.name,
                        "value": repr(value),
                        "class": type(value).__module__ + "." + type(value).__name__,
                        "cause": str(getattr(value, "__cause__", "")),
                        "x": one.cfg.x,
                        "number": one.hydra_cfg.hydra.job.num,
                        "output_dir": one.hydra_cfg.hydra.runtime.output_dir,
                        "task_name": one.task_name,
                    })
            Path("told.json").write_text(json.dumps(told))
"""


@pytest.mark.slow
def test_a_sweeper_gets_its_returns_in_its_order(app: App) -> None:
    app.write("hydra_plugins/reporting_sweeper/reporting.py", SWEEPER).with_name("__init__.py").touch()
    words = ("hydra/sweeper=reporting", "hydra.sweeper.batches=[[3,2,1,2],[1,9]]")
    said = app.sweep(*words, env={"DO_3": "nap", "DO_2": "raise"})
    told = json.loads((app.root / "told.json").read_text())
    assert [one["overrides"] for one in told] == [["x=3"], ["x=2"], ["x=1"], ["x=2"], ["x=1"], ["x=9"]]
    assert [one["x"] for one in told] == [3, 2, 1, 2, 1, 9]
    assert [one["number"] for one in told] == [5, 6, 7, 8, 9, 10]
    assert [one["value"] for one in told] == ["30", BROKEN, "10", BROKEN, "10", "90"]
    assert [one["output_dir"] for one in told] == [str(app.sweep_dir / str(number)) for number in range(5, 11)]
    assert {one["task_name"] for one in told} == {"app"}
    assert [number for number, one in enumerate(told) if one["status"] == "FAILED"] == [1, 3]
    assert told[1]["class"] == "__main__.Broken"
    assert 'raise Broken(f"x={config.x} is broken")' in told[1]["cause"]
    assert "2 of 4 jobs failed, 2 completed" in said
    assert sorted(app.marks()) == ["1", "2", "3", "9"], "the second batch knows the first one's jobs"


@pytest.mark.slow
def test_batches_of_the_basic_sweeper(app: App) -> None:
    said = app.sweep("x=1,2,3", "hydra.sweeper.max_batch_size=2")
    assert "2 jobs: 2 new" in said
    assert "1 job: 1 new" in said
    assert [app.result(number)["return_value"] for number in range(3)] == [10, 20, 30]


@pytest.mark.slow
def test_another_sweep_directory_gets_the_files_that_are_still_there(app: App) -> None:
    app.sweep("x=1,2")
    shutil.rmtree(app.sweep_dir / "0")
    assert "2 jobs: 1 new, 1 reused" in app.sweep("x=1,2", "hydra.sweep.dir=other")
    assert sorted(app.marks()) == ["1", "1", "2"]
    assert app.files(1, "other") == app.files(1)
    assert app.result(1, "other") == app.result(1)
    record = json.loads((app.root / "other/1/.job/record.json").read_text())
    assert record["first_run_in"] == str(app.sweep_dir / "1")


@pytest.mark.slow
def test_edited_code_runs_again_and_edited_outputs_do_not(app: App) -> None:
    app.write(".gitignore", "*.txt\n")
    app.sweep("x=1")
    app.write("notes.txt", "ignored")
    (app.sweep_dir / "0/plot.png").touch()
    (app.sweep_dir / "0/app.log").write_text("edited")
    (app.sweep_dir / "multirun.yaml").write_text("edited: true")
    assert "1 job: 1 reused" in app.sweep("x=1")
    app.write("helper.py", "")
    assert "1 job: 1 new" in app.sweep("x=1")


@pytest.mark.slow
def test_no_more_jobs_at_a_time_than_asked(app: App) -> None:
    app.sweep("x=1,2,3,4", "do=nap", "hydra.launcher.max_parallel=2")
    events = sorted((float(seconds), 1 if word == "start" else -1) for word, _, seconds, _ in app.all_marks())
    running = [sum(change for _, change in events[: count + 1]) for count in range(len(events))]
    assert max(running) == 2


def test_a_time_that_the_sweep_has_read_is_the_same_in_its_jobs(app: App) -> None:
    app.sweep("x=${now:%f}", "hydra.sweep.dir=times/${now:%f}")
    [directory] = (app.root / "times").iterdir()
    assert app.marks() == [directory.name]


def test_a_file_of_the_working_directory_stands_for_no_module_of_python(app: App) -> None:
    """As it is with `python sub/app.py`, which looks for modules beside the script."""
    app.write("queue.py", "raise AssertionError('not this one')\n")
    (app.root / "sub").mkdir()
    for name in ("app.py", "conf"):
        (app.root / name).rename(app.root / "sub" / name)
    app.sweep("x=1", script="sub/app.py")
    assert app.marks() == ["1"]


def test_a_jobs_own_python_path_counts(app: App) -> None:
    app.write("app.py", APP.replace('f"x is {config.x}"', 'os.environ["PYTHONPATH"]'))
    app.sweep("x=1", "+hydra.launcher.env.PYTHONPATH=/of/the/job", env={"PYTHONPATH": "/of/the/launcher"})
    assert (app.sweep_dir / "0/.job/output.log").read_text().startswith("/of/the/job:")


@pytest.mark.parametrize(
    ("words", "env", "seen"),
    [
        ((), {}, "1000"),
        pytest.param((), {"GOMP_SPINCOUNT": "7"}, "7", marks=pytest.mark.slow),
        pytest.param((), {"OMP_WAIT_POLICY": "active"}, "None", marks=pytest.mark.slow),
        pytest.param(("+hydra.launcher.env.OMP_WAIT_POLICY=active",), {"GOMP_SPINCOUNT": "7"}, "None", marks=pytest.mark.slow),
    ],
)
def test_threads_of_jobs_that_share_cores_do_not_wait_awake(
    app: App, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], env: dict[str, str], seen: str
) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    app.write("app.py", APP.replace('f"x is {config.x}"', 'os.environ.get("GOMP_SPINCOUNT")'))
    app.sweep("x=1", *words, env=env)
    assert (app.sweep_dir / "0/.job/output.log").read_text().splitlines()[0] == seen
