"""The stored study: a journal that a killed process left, databases, and searches that changed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from optuna.study import Study  # noqa: E402

from hydra_sagemaker.errors import LauncherError  # noqa: E402
from hydra_sagemaker.search.samplers import make_pruner, make_sampler  # noqa: E402
from hydra_sagemaker.search.settings import PRUNERS, SAMPLERS, OnChange  # noqa: E402
from hydra_sagemaker.search.study import FILE, FIRST_JOB, differences, open_storage, open_study  # noqa: E402

IDENTITY: dict[str, Any] = {
    "space": {"lr": "interval(0,1)"}, "fixed": {"seed": "0"}, "directions": ["minimize"], "task": "train",
    "code": {"app.py": "1", "model.py": "2"},
}  # fmt: skip


def opened(directory: Path, identity: dict[str, Any] = IDENTITY, on_change: OnChange = OnChange.refuse, job: int = 0) -> Study:
    sampler, pruner = optuna.samplers.RandomSampler(seed=0), optuna.pruners.NopPruner()
    return open_study(open_storage(None, directory), "study", sampler, pruner, identity, on_change, job)


def test_a_journal_whose_last_line_was_cut_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = opened(tmp_path)
    for value in range(3):
        study.tell(study.ask(), value)
    file = tmp_path / FILE
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / f"{FILE}.lock").symlink_to(file)  # of the process that was killed
    file.write_bytes(b"".join(lines) + lines[-1][:20])
    with caplog.at_level(logging.WARNING):
        again = opened(tmp_path)
    assert "search.journal: its last line was not written to the end" in caplog.text
    assert [trial.value for trial in again.trials] == [0.0, 1.0, 2.0] and file.read_bytes() == whole
    again.tell(again.ask(), 3.0)
    assert len(opened(tmp_path).trials) == 4


def test_every_prefix_of_a_journal_can_be_opened(tmp_path: Path) -> None:
    study = opened(tmp_path)
    for value in range(2):
        trial = study.ask()
        trial.suggest_float("lr", 0, 1)
        study.tell(trial, value)
    whole = (tmp_path / FILE).read_bytes()
    for length in range(0, len(whole), 7):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / FILE).write_bytes(whole[:length])
        found = opened(folder, on_change=OnChange.keep)  # the identity may not have been written
        found.tell(found.ask(), 5.0)
        assert len(opened(folder, on_change=OnChange.keep).trials) in (1, 2, 3)


def test_the_differences_of_two_searches() -> None:
    other = {
        "space": {"lr": "interval(0,2)", "layers": "choice(1,2)"}, "fixed": {}, "directions": ["maximize"], "task": "fit",
        "code": {"app.py": "7", "loss.py": "3"},
    }  # fmt: skip
    assert differences(IDENTITY, IDENTITY) == []
    assert differences(IDENTITY, other) == [
        "layers=absent is now choice(1,2)", "lr=interval(0,1) is now interval(0,2)", "seed=0 is now absent",
        "direction=minimize is now maximize", "the task train is now fit",
        "app.py has changed", "loss.py is new", "model.py is gone",
    ]  # fmt: skip


def test_another_search_is_refused_kept_or_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = opened(tmp_path)
    study.tell(study.ask(), 1.0)
    changed = IDENTITY | {"space": {"lr": "interval(0,2)"}}
    with pytest.raises(
        LauncherError, match=r"the study study has 1 trials of another search: lr=interval\(0,1\) is now"
    ) as error:
        opened(tmp_path, changed)
    assert "hydra.sweeper.on_change=new_study begins a new one beside it, keep counts its trials" in str(error.value)
    with caplog.at_level(logging.WARNING):
        kept = opened(tmp_path, changed, OnChange.keep)
    assert len(kept.trials) == 1 and "the trials of before are kept, although lr=" in caplog.text
    assert len(opened(tmp_path, changed).trials) == 1, "from now on it is this search's"
    new = opened(tmp_path, IDENTITY, OnChange.new_study, job=7)
    assert (new.study_name, len(new.trials), new.user_attrs[FIRST_JOB]) == ("study-2", 0, 7)
    assert opened(tmp_path).study_name == "study-2", "the newest is continued"
    assert opened(tmp_path, changed, OnChange.new_study).study_name == "study-3"
    turned = changed | {"directions": ["maximize"]}
    with pytest.raises(LauncherError, match="direction=minimize is now maximize"):
        opened(tmp_path, turned, OnChange.keep)


def test_a_study_that_another_sweeper_made(tmp_path: Path) -> None:
    made = optuna.create_study(study_name="study", storage=open_storage(None, tmp_path))
    made.tell(made.ask(), 1.0)
    with pytest.raises(LauncherError, match="the study study has 1 trials of another search: lr=absent is now"):
        opened(tmp_path, job=3)
    kept = opened(tmp_path, on_change=OnChange.keep, job=3)
    assert kept.user_attrs[FIRST_JOB] == 3 and len(kept.trials) == 1


def test_databases(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    address = f"sqlite:///{tmp_path / 'search.db'}"
    sampler, pruner = optuna.samplers.RandomSampler(), optuna.pruners.NopPruner()
    for count in range(2):
        study = open_study(open_storage(address, tmp_path), "study", sampler, pruner, IDENTITY, OnChange.refuse, 0)
        assert len(study.trials) == count
        study.tell(study.ask(), 1.0)
    for wrong in ("nosql://x", f"sqlite:///{tmp_path}/no/such/folder/x.db"):
        with pytest.raises(LauncherError, match=f"^hydra.sweeper.storage={wrong}: "):
            open_storage(wrong, tmp_path)
    with pytest.raises(LauncherError, match="hydra.sweeper.storage="):
        open_storage(str(tmp_path), tmp_path)
    assert open_storage(str(tmp_path / "mine" / "own.journal"), tmp_path) and (tmp_path / "mine" / "own.journal").is_file()


def node(of: type) -> dict[str, Any]:
    return {name: field.default for name, field in of.__dataclass_fields__.items()}


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers(name: str) -> None:
    if name == "cmaes":
        pytest.importorskip("cmaes")
    study = optuna.create_study(directions=["minimize"] * (2 if name == "nsgaii" else 1))
    study.sampler = make_sampler(node(SAMPLERS[name]) | {"seed": 3}, study)
    for value in range(3):
        trial = study.ask()
        trial.suggest_float("lr", 0, 1)
        study.tell(trial, [float(value)] * len(study.directions))
    assert len(study.trials) == 3


def test_a_search_that_continues_does_not_draw_the_same_numbers_again() -> None:
    def first(seed: int | None, trials: int) -> float:
        study = optuna.create_study()
        for value in range(trials):
            study.tell(study.ask(), value)
        study.sampler = make_sampler({"_target_": "optuna.samplers.RandomSampler", "seed": seed}, study)
        return study.ask().suggest_float("lr", 0, 1)

    assert first(0, 0) == first(0, 0) and first(0, 8) == first(0, 8) != first(0, 0) and first(1, 8) != first(0, 8)
    assert first(None, 0) != first(None, 0)


@pytest.mark.parametrize("name", PRUNERS)
def test_pruners(name: str) -> None:
    assert isinstance(make_pruner(node(PRUNERS[name])), optuna.pruners.BasePruner)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "choose one with hydra/sweeper/sampler=NAME"),
        ({"_target_": "optuna.samplers.Nothing"}, "hydra.sweeper.sampler._target_=optuna.samplers.Nothing: "),
        ({"_target_": "optuna.pruners.NopPruner"}, "_target_=optuna.pruners.NopPruner is no sampler of Optuna's"),
        (
            {"_target_": "optuna.samplers.TPESampler", "n_startup": 3},
            "TPESampler has no argument 'n_startup'. Did you mean 'n_startup_trials'?",
        ),
        ({"_target_": "optuna.samplers.QMCSampler", "qmc_type": "x"}, "hydra.sweeper.sampler: QMCSampler: "),
    ],
)
def test_what_is_no_sampler(given: Any, message: str) -> None:
    with pytest.raises(LauncherError, match=message):
        make_sampler(given, optuna.create_study())
