"""The ends of a search that are nobody's mistake: Ctrl-C, a full disk, a database that is away. Each is a sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.sweep.launch import INTERRUPTED

log = logging.getLogger(__name__)


@contextmanager
def interruptible() -> Iterator[None]:
    """End the process with exit code 130 and a sentence at Ctrl-C, where nothing nearer has an answer to it."""
    try:
        yield
    except KeyboardInterrupt:
        log.warning("interrupted; the same command continues the search")
        raise SystemExit(INTERRUPTED) from None


@contextmanager
def kept(store: Callable[[], None]) -> Iterator[None]:
    """Call `store` at the end, whatever it is.

    Raises:
        LauncherError: instead of the disk's or the database's own errors.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError) and not type(error).__module__.startswith(("sqlalchemy", "optuna.exceptions")):
            raise
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise LauncherError(f"{line}. What has ended is kept; mend that and run the same command") from error
    finally:
        with suppress(Exception):
            store()
