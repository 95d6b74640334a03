"""Runs a limited number of jobs at once, the others in the order of their arrival."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from sagemaker_local.training_job import TrainingJob

JOIN_SECONDS = 15
THREAD_NAME = "sagemaker-local-job"


class Scheduler:
    def __init__(self, max_running: int, closing: threading.Event, run: Callable[[TrainingJob], None]) -> None:
        self._run, self._closing = run, closing
        self._queue: queue.SimpleQueue[TrainingJob | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=THREAD_NAME, daemon=True) for _ in range(max_running)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: TrainingJob) -> None:
        self._queue.put(job)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None and not self._closing.is_set():
            self._run(job)

    def close(self) -> None:
        """Wait for the jobs, which end once `closing` is set; a thread that does not end in time is a daemon."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
