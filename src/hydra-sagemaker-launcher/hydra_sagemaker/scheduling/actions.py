"""The next steps that the scheduler may decide on."""

from __future__ import annotations

from typing import NamedTuple


class Submit(NamedTuple):
    index: int


class Collect(NamedTuple):
    index: int


class Poll(NamedTuple):
    pass


class Tend(NamedTuple):
    """Look at machines that are kept warm, and give back the ones that no job needs."""


class Sleep(NamedTuple):
    seconds: float


Action = Submit | Collect | Poll | Tend | Sleep
