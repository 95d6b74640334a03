"""Submits jobs of an application one by one, as many as fit, and takes their results as they come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, setup_globals
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from hydra_sagemaker.api.job import Job
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.compose_once import compose_once
from hydra_sagemaker.job.task import without_hydra_main
from hydra_sagemaker.settings import Mode
from hydra_sagemaker.sweep.launch import event_loop, leave, plan
from hydra_sagemaker.sweep.lock import locked
from hydra_sagemaker.sweep.sweep import Sweep
from hydra_sagemaker.sweep.warm_machines import end_pools

log = logging.getLogger(__name__)


class Executor:
    """Submits jobs of one application, one by one. Its arguments are those of a Hydra sweeper's `setup`.

    Holds the lock of the sweep's directory until `close`, or the end of a `with` block. Jobs that still run then continue;
    after an exception, jobs of mode local are stopped.

    Raises:
        LauncherError: another launcher works in hydra.sweep.dir, or the mode is dry_run.

    Example:
        >>> with Executor.for_app(train, "conf", ["hydra.launcher.mode=local"]) as executor:
        ...     for lr in (1e-3, 1e-4):
        ...         executor.submit(f"lr={lr}")
        ...     [job.result() for job in executor.collect()]
        [0.81, 0.84]
    """

    def __init__(self, context: HydraContext, task: Callable[..., Any], config: DictConfig) -> None:
        setup_globals()
        compose_once(context.config_loader)
        self._sweep = Sweep(context, without_hydra_main(task), config)
        if self._sweep.settings.mode == Mode.dry_run:
            raise LauncherError(
                "hydra.launcher.mode=dry_run: an Executor submits jobs; the same sweep on the command line (-m) shows its plan"
            )
        self._sweep.directory.mkdir(parents=True, exist_ok=True)
        self._loop = event_loop(self._sweep)
        self._sweep.tracker.keeper.pools.expects_more = True
        self._reported: set[int] = set()
        self._next_number = 0
        self.jobs: list[Job] = []
        """In the order of `submit`."""
        self._lock = ExitStack()
        self._lock.enter_context(locked(self._sweep.directory))

    @classmethod
    def for_app(
        cls, task: Callable[..., Any], config_dir: str | Path, overrides: Sequence[str] = (), config_name: str = "config"
    ) -> Executor:
        """Compose an application's configuration and make its executor; `task` may be the function under `hydra.main`.

        Example:
            >>> executor = Executor.for_app(train, "conf", ["hydra.sweep.dir=sweeps/1", "hydra.launcher.max_parallel=8"])
        """
        launcher = [] if any(word.startswith("hydra/launcher=") for word in overrides) else ["hydra/launcher=sagemaker"]
        with initialize_config_dir(str(Path(config_dir).absolute()), job_name=task.__name__, version_base="1.3"):
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
            config = hydra.config_loader.load_configuration(config_name, [*launcher, *overrides], RunMode.MULTIRUN)
            return cls(HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(config)), task, config)

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            leave(self._sweep)
        self.close()

    def close(self) -> None:
        """Release the lock; jobs that run continue, and `attach` finds them again.

        Machines of ended jobs are given back; those of jobs that run stay warm after it, and a message says for how long.

        Example:
            >>> executor.close()
        """
        end_pools(self._sweep)
        self._sweep.changes.write()
        self._lock.close()

    @property
    def jobs_per_machine(self) -> int:
        """The number of queued jobs that share a machine; 1 in mode local."""
        return self._loop.scheduler.jobs_per_machine

    @property
    def free_slots(self) -> int:
        """The number of jobs that would start at once, as far as hydra.launcher.max_parallel goes; others wait in the queue.

        With hydra.launcher.jobs_per_machine each free machine counts that many times.

        Example:
            >>> while executor.free_slots:
            ...     executor.submit(*next_overrides())
        """
        return self._loop.scheduler.free_slots

    def submit(self, *overrides: str, number: int | None = None) -> Job:
        """Queue a job and start it if a slot is free. A job that is completed already is reused, one that runs attached to.

        Args:
            number: of the job within the sweep; null: the next one.

        Raises:
            SubmissionRefused: with every problem of the job, before anything is sent.

        Example:
            >>> job = executor.submit("x=3", "optimizer.lr=1e-3")
        """
        job = self.queue(*overrides, number=number)
        self._loop.step()
        return job

    def queue(self, *overrides: str, number: int | None = None) -> Job:
        """Queue a job as `submit` does, and leave it to the next `step` or `poll`: jobs that are queued together can share a
        machine (hydra.launcher.jobs_per_machine), and one that `submit` starts at once has its own.

        Raises:
            SubmissionRefused: with every problem of the job, before anything is sent.

        Example:
            >>> jobs = [executor.queue(f"x={x}") for x in range(4)]
            >>> executor.collect()
        """
        number = self._next_number if number is None else number
        [submission] = plan(self._sweep, self._sweep.jobs([list(overrides)], number))
        self._next_number = max(self._next_number, number + 1)
        if others := self._sweep.other_versions.sentence([submission]):
            log.warning("%s: %s", submission.job, others)
        self._loop.add(submission)
        self.jobs.append(Job(submission, self._loop, lambda: self._sweep.backend, nullcontext))
        return self.jobs[-1]

    def poll(self) -> list[Job]:
        """Return the jobs that have ended since the last call, at once; the service is asked when a poll is due.

        Example:
            >>> for job in executor.poll():
            ...     study.tell(job.overrides, job.result())
        """
        self.step()
        ended = [job for job in self.jobs if job.done and job.number not in self._reported]
        self._reported.update(job.number for job in ended)
        return ended

    def step(self) -> float | None:
        """Do what is due now; return the seconds until something else may be, None when nothing is left.

        Example:
            >>> while not job.done and (seconds := executor.step()) is not None:
            ...     time.sleep(seconds)
        """
        return self._loop.step()

    def forget(self, job: Job) -> tuple[JobReturn, dict[str, Any]]:
        """Return what came of a job that is `done`, and its record; free its memory, for a search of thousands.

        Example:
            >>> returned, record = executor.forget(job)
            >>> record["seconds"]
            12.1
        """
        submission = job._submission
        assert submission.returned is not None, "a job that has not ended"
        self._loop.forget(submission)
        self._sweep.changes.forget(submission.job)
        self._reported.discard(job.number)
        self.jobs.remove(job)
        return submission.returned, submission.outcome.record if submission.outcome is not None else {}

    def collect(self) -> list[Job]:
        """Wait until every submitted job has ended; return all of them, in the order of `submit`.

        Example:
            >>> values = [job.result() for job in executor.collect()]
        """
        with self._expecting_none():
            while (seconds := self.step()) is not None:
                time.sleep(seconds)
        return list(self.jobs)

    def expect_no_more(self) -> None:
        """Say that no more jobs will be submitted: machines that are kept warm are given back when their job ends.

        Example:
            >>> executor.expect_no_more()
        """
        self._sweep.tracker.keeper.pools.expects_more = False

    @contextmanager
    def _expecting_none(self) -> Iterator[None]:
        pools = self._sweep.tracker.keeper.pools
        before, pools.expects_more = pools.expects_more, False
        try:
            yield
        finally:
            pools.expects_more = before
