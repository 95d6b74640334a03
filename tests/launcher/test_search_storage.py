"""Storages of a search: files that are no journal, several searches in one storage, two processes in one directory."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hydra_apps import LOCAL, App

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: E402

from hydra_sagemaker.code.own_outputs import search_files  # noqa: E402
from hydra_sagemaker.errors import LauncherError  # noqa: E402
from hydra_sagemaker.search.search import Limits, Search  # noqa: E402
from hydra_sagemaker.search.settings import OnChange  # noqa: E402
from hydra_sagemaker.search.study import IDENTITY, OWNER, open_storage, open_study, unfinished  # noqa: E402
from hydra_sagemaker.sweep.lock import locked  # noqa: E402
from hydra_sagemaker.sweep.manifest_file import add_jobs, read_values, write_values  # noqa: E402
from simulated_trials import SimulatedJobs, draw, study_in  # noqa: E402

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

SEARCH = ("-m", "hydra.sweep.dir=sweep", "hydra/sweeper=async_optuna", "hydra.sweeper.sampler.seed=0")
BEGUN: dict[str, Any] = {"space": {"x": "1,2"}, "directions": ["minimize"]}


def test_a_file_that_is_no_journal_stays_as_it_is(tmp_path: Path) -> None:
    pages = sqlite3.connect(tmp_path / "search.db")
    pages.execute("create table t(a text)")
    pages.executemany("insert into t values(?)", [(f"line\n{number}",) for number in range(300)])
    pages.commit()
    pages.close()
    (tmp_path / "notes.json").write_text('{"one": "line"}')
    (tmp_path / "app.py").write_text("import hydra\n\nprint(1)")
    (tmp_path / "records.json").write_text('{"op": 3}\n{"op":')
    for file in sorted(tmp_path.iterdir()):
        before = file.read_bytes()
        with pytest.raises(LauncherError, match="is no journal of Optuna's; a database is written sqlite:///"):
            open_storage(str(file), tmp_path)
        assert file.read_bytes() == before
    with pytest.raises(LauncherError, match="no journal of Optuna's; a database is written sqlite:///"):
        open_storage(str(tmp_path / "new.db"), tmp_path)
    with pytest.raises(LauncherError, match=r"storage=sqlite:/x.db: the address of a database begins with sqlite://"):
        open_storage("sqlite:/x.db", tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["app.py", "notes.json", "records.json", "search.db"]


def opened(directory: Path, identity: dict[str, Any], on_change: OnChange, space: dict[str, BaseDistribution]) -> Study:
    sampler, pruner = optuna.samplers.RandomSampler(seed=0), optuna.pruners.NopPruner()
    return open_study(open_storage(None, directory), "study", sampler, pruner, identity, on_change, 0, space)


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (
            CategoricalDistribution([1, 2, 3]),
            "x: the choices 1, 2 are now 1, 2, 3, and trials with other choices cannot be kept",
        ),
        (IntDistribution(1, 2), "x is another kind of range than before"),
    ],
)
def test_trials_with_other_choices_are_not_kept(tmp_path: Path, now: BaseDistribution, message: str) -> None:
    space: dict[str, BaseDistribution] = {"x": CategoricalDistribution([1, 2])}
    study = opened(tmp_path, BEGUN, OnChange.refuse, space)
    study.tell(study.ask(space), 1.0)
    changed = BEGUN | {"space": {"x": "1,2,3"}}
    for on_change in (OnChange.keep, OnChange.refuse):
        with pytest.raises(LauncherError, match=message) as error:
            opened(tmp_path, changed, on_change, {"x": now})
        assert "on_change=new_study begins a new one" in str(error.value) and "keep counts" not in str(error.value)
    assert opened(tmp_path, BEGUN, OnChange.refuse, space).user_attrs[IDENTITY] == BEGUN
    turned = BEGUN | {"directions": ["maximize"]}
    with pytest.raises(LauncherError, match="trials with direction=minimize cannot be kept") as error:
        opened(tmp_path, turned, OnChange.keep, space)
    assert "keep counts" not in str(error.value)
    assert opened(tmp_path, changed, OnChange.new_study, {"x": now}).study_name == "study-2"


def test_other_ends_of_a_range_are_kept(tmp_path: Path) -> None:
    study = opened(tmp_path, BEGUN, OnChange.refuse, {"x": FloatDistribution(0, 1)})
    study.tell(study.ask({"x": FloatDistribution(0, 1)}), 1.0)
    wider = BEGUN | {"space": {"x": "interval(0,2)"}}
    assert len(opened(tmp_path, wider, OnChange.keep, {"x": FloatDistribution(0, 2)}).trials) == 1


def test_trials_in_a_shared_storage_are_counted_before_each_and_left_to_their_owner() -> None:
    study = study_in()
    study.ask()  # another process, between this and its mark
    study.ask().set_user_attr(OWNER, "ours")
    assert [one.number for one in unfinished(study, "ours")] == [1]
    assert [one.number for one in unfinished(study, None)] == [0, 1], "a storage of one's own knows no others"
    jobs = SimulatedJobs(1, lambda number: 1.0)
    found = Search(study, jobs, draw, Limits(6, 0.5), "ours", is_shared=True, now=jobs.now)
    other = study.ask
    jobs.value = lambda number: float(other().number)  # the others begin a trial whenever one of ours ends
    found.run()
    assert jobs.submitted == [1, 3, 5]


def test_the_launches_of_a_sweeper_share_its_lock(tmp_path: Path) -> None:
    with locked(tmp_path, for_process=True):
        with locked(tmp_path):
            pass
        with locked(tmp_path):
            pass
    with locked(tmp_path), pytest.raises(LauncherError, match="another launcher"), locked(tmp_path):
        pass


def test_two_searches_in_one_directory(app: App) -> None:
    """With Hydra's own launcher, which knows no lock."""
    first = app.start(*SEARCH, "x=int(interval(0,1000))", "do=wait", "hydra.sweeper.n_trials=2")
    app.await_marks(1)
    written = (app.sweep_dir / "multirun.yaml").read_bytes()
    second = app.run(*SEARCH, "x=int(interval(0,1000))", "hydra.sweeper.n_trials=7")
    assert second.code == 1 and f"another launcher (process {first.pid}) works in {app.sweep_dir}" in second.output
    assert (app.sweep_dir / "multirun.yaml").read_bytes() == written and "Traceback" not in second.output
    app.let_go()
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 0, output
    assert len(app.marks()) == 2


def test_a_database_or_a_journal_in_the_project_is_no_code(app: App) -> None:
    pytest.importorskip("sqlalchemy")
    for storage in ("sqlite:///search.db", "mine.journal"):
        words = (
            *LOCAL,
            *SEARCH[2:],
            "x=int(interval(0,1000))",
            f"hydra.sweeper.storage={storage}",
            f"hydra.sweep.dir={storage[:4]}",
        )
        for count in (1, 2):
            done = app.run(*words, f"hydra.sweeper.n_trials={count}")
            assert done.code == 0, done.output
        assert "1 trials of before" in done.output and " new: " not in done.output, done.output


def test_the_files_of_a_storage(tmp_path: Path) -> None:
    def names(storage: str | None) -> set[str]:
        return {file.relative_to(tmp_path).as_posix() for file in search_files(storage, tmp_path / "sweep", tmp_path)}

    own = {"sweep/search.journal", "sweep/search.journal.lock", "sweep/optimization_results.yaml"}
    assert names(None) == names("mysql://host/search") == own
    for written, name in (("mine", "mine"), ("sqlite:///a/s.db?timeout=9", "a/s.db"), (f"sqlite:///{tmp_path}/s.db", "s.db")):
        assert names(written) == own | {f"{name}{one}" for one in ("", "-wal", "-shm", "-journal", ".lock")}


def test_a_line_of_the_manifest_that_was_cut_off(tmp_path: Path) -> None:
    values = dict.fromkeys(("settings", "state_dir", "root", "working_dir", "task_package", "hydra")) | {
        "format": 2,
        "jobs": {},
    }
    write_values(tmp_path, values)
    add_jobs(tmp_path, {"0": "first"})
    file = tmp_path / ".launcher" / "jobs.jsonl"
    file.write_text(file.read_text() + json.dumps({"1": "cut off"})[:-4])
    assert (read_values(tmp_path) or {})["jobs"] == {"0": "first"}
    add_jobs(tmp_path, {"2": "next"})
    assert (read_values(tmp_path) or {})["jobs"] == {"0": "first", "2": "next"}
