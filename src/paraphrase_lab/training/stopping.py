"""SIGTERM (a reclaimed machine) and Ctrl-C: in training the next optimiser step is saved first, elsewhere they act at once."""

import logging
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

log = logging.getLogger(__name__)
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(BaseException):
    """A signal ended the run; exit code 128 + its number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.exit_code = 128 + number
        super().__init__(f"interrupted ({signal.Signals(number).name})")


class StopRequest:
    """Handles the signals while it is entered. The second signal always acts at once."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.deferred = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.getsignal(number) for number in SIGNALS}
        self.install()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._previous.items():
                signal.signal(number, handler)  # type: ignore[arg-type]

    def install(self) -> None:
        """Called again when training starts: Lightning puts a handler of its own in place that stops in mid-accumulation."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._received)

    def raise_if_requested(self) -> None:
        if self.number is not None:
            raise Interrupted(self.number)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if not self.deferred or self.number is not None:
            raise Interrupted(number)
        self.number = number
        log.warning("%s: saving at the next optimiser step, then stopping", signal.Signals(number).name)
