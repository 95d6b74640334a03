"""Trials whose jobs have no result here, although nothing is wrong with them: a later launch ends them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus

from hydra_apps import LOCAL, App

optuna = pytest.importorskip("optuna", reason='needs pip install "hydra-sagemaker-launcher[search]"')

from hydra_sagemaker.backends.base import Outcome, State, Status  # noqa: E402
from hydra_sagemaker.errors import Cause, Failure, LauncherError, RemoteJobError  # noqa: E402
from hydra_sagemaker.search.jobs import Ended, Left, _ended  # noqa: E402
from hydra_sagemaker.search.study import HOURS, open_storage  # noqa: E402
from simulated_trials import SimulatedJobs, search, study_in  # noqa: E402

WORDS = (*LOCAL, "hydra/sweeper=async_optuna", "x=int(interval(0,1000000))", "hydra.launcher.max_parallel=1")


class Leaving(SimulatedJobs):
    """Some jobs end without a result, in their first attempt."""

    def __init__(self, left: dict[int, Left], n_jobs: int = 1) -> None:
        super().__init__(n_jobs, lambda number: 1.0)
        self.left = left

    def end_one(self) -> list[Ended]:
        [one] = super().end_one()
        if (why := self.left.pop(one.number, None)) is None:
            return [one]
        failed = JobReturn(status=JobStatus.FAILED, _return_value=RemoteJobError(why.value))
        return [one._replace(returned=failed, left=why)]


def states(study: Any) -> list[str]:
    return [trial.state.name for trial in study.trials]


def test_a_job_that_was_stopped_ends_the_search_and_is_trained_by_the_next_one(caplog: pytest.LogCaptureFixture) -> None:
    study, jobs = study_in(), Leaving({2: Left.STOPPED}, n_jobs=2)
    found = search(jobs, 8, study)
    found.run()
    assert states(study) == ["COMPLETE", "COMPLETE", "RUNNING", "COMPLETE"] and found.last_failed is None
    assert found.stopped_because == "trial 2: it was stopped, by a person or another program; no further trial is begun"
    assert "1 trial without a result" in caplog.text and found.progress.usd == 2.0, "what it has cost is counted"
    more = Leaving({}, n_jobs=2)
    again = search(more, 8, study)
    again.run()
    assert more.submitted == [2, 4, 5, 6, 7] and states(study) == ["COMPLETE"] * 8 and again.progress.usd == 4.0


def test_results_that_could_not_be_downloaded_are_no_failures(caplog: pytest.LogCaptureFixture) -> None:
    study = study_in()
    search(Leaving({1: Left.AWAY}), 6, study).run()
    assert states(study) == ["COMPLETE", "RUNNING"] + ["COMPLETE"] * 4
    assert "1 trial without a result, the first of them trial 1: its results could not be downloaded" in caplog.text
    more = Leaving({})
    search(more, 6, study).run()
    assert more.submitted == [1] and states(study) == ["COMPLETE"] * 6


def test_where_hardly_anything_can_be_downloaded_the_search_ends() -> None:
    study = study_in()
    with pytest.raises(RemoteJobError, match="could not be downloaded"):
        search(Leaving(dict.fromkeys(range(1, 20), Left.AWAY)), 20, study).run()
    assert states(study) == ["COMPLETE"] + ["RUNNING"] * 3


def test_limits_hold_for_unfinished_trials_too() -> None:
    study = study_in()
    study.ask()
    study.set_user_attr(HOURS, 5.0)
    jobs = SimulatedJobs(1, lambda number: 1.0)
    found = search(jobs, 5, study, hours=1.0)
    found.run()
    assert not jobs.submitted and found.stopped_because.startswith("hydra.sweeper.max_hours=1 is over")


def test_the_hours_of_a_launch_that_is_interrupted_count() -> None:
    study, jobs = study_in(), SimulatedJobs(1, lambda number: 1.0)

    def interrupted() -> list[Ended]:
        jobs.clock += 3600
        raise KeyboardInterrupt

    jobs.wait = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        search(jobs, 5, study).run()
    assert study.user_attrs[HOURS] == 1.0


def test_a_full_disk_is_a_sentence() -> None:
    study, jobs = study_in(), SimulatedJobs(1, lambda number: 1.0)
    jobs.refuse = lambda number: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    with pytest.raises(LauncherError, match="No space left on device. What has ended is kept; mend that and run the same"):
        search(jobs, 5, study).run()


def test_an_error_of_a_job_about_its_own_files_stays_as_it_is() -> None:
    def value(number: int) -> object:
        raise FileNotFoundError("data.csv")

    with pytest.raises(FileNotFoundError, match="data.csv"):
        search(SimulatedJobs(1, lambda number: 1.0, value), 5).run()


def job(failure: Failure | None, record: dict[str, Any], **more: bool) -> Any:
    """Return a job as the executor has it once it has ended."""
    outcome = Outcome(Status(State.STOPPED), None, failure, record=record)
    flags = {"is_pruned": False, "is_skipped": False, "is_reused": False, **more}
    submission = SimpleNamespace(returned=JobReturn(), outcome=outcome, **flags)
    return SimpleNamespace(_submission=submission, number=3, name="job-3", reports=dict)


STOPPED = Failure(Cause.STOPPED, "it was stopped", "again")
CODE = Failure(Cause.CODE, "KeyError", "mend it")


@pytest.mark.parametrize(
    ("failure", "record", "more", "left"),
    [
        (STOPPED, {}, {}, Left.STOPPED),
        (STOPPED, {}, {"is_pruned": True}, None),
        (STOPPED, {}, {"is_reused": True}, None),
        (STOPPED, {}, {"is_skipped": True}, Left.SKIPPED),
        (CODE, {"is_downloaded": False}, {}, Left.AWAY),
        (CODE, {}, {}, None),
        (None, {}, {}, None),
    ],
)
def test_which_jobs_are_left(failure: Failure | None, record: dict[str, Any], more: dict[str, bool], left: Left | None) -> None:
    assert _ended(job(failure, record, **more), []).left == left


def test_a_trial_costs_what_all_of_its_attempts_cost() -> None:
    earlier = [{"name": "a", "cost": {"cost_usd": 0.25}}, {"name": "b"}, {"name": "c", "cost": {"cost_usd": None}}]
    assert _ended(job(None, {"cost": {"cost_usd": 0.5}, "earlier_attempts": earlier}), []).usd == 0.75
    assert _ended(job(CODE, {"earlier_attempts": earlier}), []).usd == 0.25
    assert _ended(job(None, {}), []).usd is None, "on this machine"


def trials(app: App) -> list[Any]:
    storage = open_storage(None, app.sweep_dir)
    return optuna.load_study(study_name="app", storage=storage).trials


BROKEN = """\
import os
from pathlib import Path

import hydra
import optuna
from hydra_sagemaker import Pruned


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    if config.x in (0, 1):
        raise [Pruned, optuna.TrialPruned][config.x]("not worth its time")
    if config.x in (3, 4) and not Path(os.environ["MARKS"]).exists():
        raise RuntimeError("broken")
    return config.x


if __name__ == "__main__":
    main()
"""


def test_the_launchers_own_limit_of_failures_ends_the_search(app: App) -> None:
    """Trials that are pruned, by themselves too, are no failures; one that was not submitted is left as it is."""
    app.write("app.py", BROKEN)
    first = "hydra.sweeper.enqueue=[{x: 0},{x: 1},{x: 2},{x: 3},{x: 4},{x: 5},{x: 6}]"
    words = (*WORDS, first, "hydra.sweeper.n_trials=7", "hydra.launcher.max_failures=2", "hydra.launcher.retries.task=0")
    stopped = app.run(*words, "hydra.sweeper.max_failure_rate=0.9")
    assert stopped.code == 1 and "RuntimeError: broken" in stopped.output, stopped.output
    assert "trial 5: hydra.launcher.max_failures is reached; no further trial is begun" in stopped.output
    ended = ["PRUNED", "PRUNED", "COMPLETE", "FAIL", "FAIL"]
    assert [trial.state.name for trial in trials(app)][:6] == [*ended, "RUNNING"]
    again = app.run(*words)
    assert again.code == 0, again.output
    assert [trial.state.name for trial in trials(app)] == [*ended, "COMPLETE", "COMPLETE"]


def test_a_job_that_is_stopped_by_hand_is_trained_by_the_next_command(app: App) -> None:
    stops = 'import signal\n    if not __import__("pathlib").Path("../once").exists():\n        open("../once", "w")\n'
    app.write(
        "app.py", BROKEN.replace("    if config.x in (0, 1):", f"    {stops}        os.kill(os.getpid(), 15)\n    if False:")
    )
    words = (*WORDS, "hydra.sweeper.n_trials=2")
    stopped = app.run(*words)
    assert "trial 0: it was stopped, by a person or another program; no further trial is begun" in stopped.output
    assert [trial.state.name for trial in trials(app)] == ["RUNNING"]
    assert app.run(*words).code == 0 and [trial.state.name for trial in trials(app)] == ["COMPLETE"] * 2


def test_ctrl_c_ends_a_search_in_this_process_with_a_sentence(app: App) -> None:
    app.write("app.py", BROKEN.replace("    if config.x in (0, 1):", "    raise KeyboardInterrupt\n    if False:"))
    done = app.run("-m", "hydra.sweep.dir=sweep", "hydra/sweeper=async_optuna", "x=int(interval(0,9))")
    assert done.code == 130 and "interrupted; the same command continues the search" in done.output, done.output
    assert "Traceback" not in done.output
