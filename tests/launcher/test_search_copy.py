"""The copy of the journal in S3: kept by one process, found by the next machine, and never written by two."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sagemaker_local.account import BUCKET

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from optuna.storages import JournalStorage  # noqa: E402

from hydra_sagemaker.errors import LauncherError  # noqa: E402
from hydra_sagemaker.search.journal_copy import AnotherWrites, CopiedJournal, Copy, fetch  # noqa: E402
from hydra_sagemaker.settings import SageMakerLauncherConf  # noqa: E402

if TYPE_CHECKING:
    from sagemaker_fixtures import Account, Cloud

pytest_plugins = ["sagemaker_fixtures"]


def copy_of(account: Account, name: str) -> Copy:
    return Copy(account.s3, f"s3://{BUCKET}/tests/{name}", SageMakerLauncherConf())


def journal(file: Path, copy: Copy, seconds: float = 1000.0) -> CopiedJournal:
    """Its clock has moved that far at each look."""
    times = iter(range(10**6))
    return CopiedJournal(file, copy, lambda: seconds * next(times))


def search(backend: CopiedJournal, trials: int) -> None:
    storage = JournalStorage(backend)
    study = optuna.create_study(storage=storage, study_name="study", load_if_exists=True)
    for _ in range(trials):
        trial = study.ask()
        study.tell(trial, trial.suggest_float("x", 0, 1))


def test_another_machine_continues_from_the_copy(account: Account, tmp_path: Path) -> None:
    search(journal(tmp_path / "a", copy_of(account, "one")), 3)
    copy = copy_of(account, "one")
    fetch(copy, tmp_path / "there" / "b")
    assert (tmp_path / "there" / "b").read_bytes() == (tmp_path / "a").read_bytes()
    search(journal(tmp_path / "there" / "b", copy), 1)
    fetch(copy_of(account, "one"), tmp_path / "a")
    study = optuna.load_study(study_name=None, storage=JournalStorage(journal(tmp_path / "a", copy)))
    assert len(study.trials) == 4, "and the first machine has what the second added"


def test_it_is_copied_now_and_then_and_at_the_end(account: Account, tmp_path: Path) -> None:
    backend = journal(tmp_path / "a", copy := copy_of(account, "seldom"), seconds=0.0)
    search(backend, 3)
    assert len(copy.read()) < len((tmp_path / "a").read_bytes())
    backend.flush()
    assert copy.read() == (tmp_path / "a").read_bytes()
    puts = len([one for one in account.requests if one.operation == "PutObject"])
    backend.flush()
    assert len([one for one in account.requests if one.operation == "PutObject"]) == puts, "nothing new, nothing sent"


def test_two_processes_do_not_write_one_search(account: Account, tmp_path: Path) -> None:
    first = journal(tmp_path / "a", copy_of(account, "two"))
    search(first, 1)
    shutil.copy(tmp_path / "a", tmp_path / "b")
    copy = copy_of(account, "two")
    fetch(copy, tmp_path / "b")
    search(journal(tmp_path / "b", copy), 1)
    with pytest.raises(AnotherWrites, match="tests/two: another process continues this search; this one ends"):
        search(first, 1)


def test_a_write_whose_answer_was_lost_is_no_other_process(account: Account, tmp_path: Path) -> None:
    copy = copy_of(account, "lost")
    backend = journal(tmp_path / "a", copy)
    search(backend, 1)
    version = copy.version
    search(backend, 1)
    copy.version = version
    search(backend, 1)
    assert copy.read() == (tmp_path / "a").read_bytes()


def test_two_searches_are_not_mixed(account: Account, tmp_path: Path) -> None:
    search(journal(tmp_path / "a", copy_of(account, "mixed")), 1)
    search(CopiedJournal(tmp_path / "b", copy_of(account, "other")), 1)
    with pytest.raises(LauncherError, match="are of two searches, or two machines continued one: move one of them away"):
        fetch(copy_of(account, "mixed"), tmp_path / "b")


def test_without_a_connection_the_search_continues(
    account: Account, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = journal(tmp_path / "a", copy_of(account, "off"))

    def unreachable(**arguments: Any) -> None:
        from botocore.exceptions import EndpointConnectionError

        raise EndpointConnectionError(endpoint_url="http://127.0.0.1")

    with monkeypatch.context() as patch:
        patch.setattr(backend.copy.s3, "put_object", unreachable)
        search(backend, 2)
    assert caplog.text.count("the search is not copied to s3://") == 1
    search(backend, 1)
    assert backend.copy.read() == (tmp_path / "a").read_bytes()


@pytest.mark.slow
def test_a_search_whose_directory_is_lost_trains_nothing_twice(cloud: Cloud) -> None:
    words = (*cloud.words, "hydra/sweeper=async_optuna", "x=int(interval(0,1000000))", "hydra.launcher.max_parallel=2")
    words = (*words, f"hydra.sweeper.storage=s3://{BUCKET}/{cloud.prefix}/search.journal")
    assert cloud.app.run(*words, "hydra.sweeper.n_trials=3", env=cloud.env).code == 0
    os.rename(cloud.app.sweep_dir, cloud.app.root.parent / "lost")
    done = cloud.app.run(*words, "hydra.sweeper.n_trials=4", env=cloud.env)
    assert done.code == 0 and "3 trials of before" in done.output, done.output
    assert len(cloud.app.marks()) == 4
