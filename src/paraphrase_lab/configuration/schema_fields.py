"""Fields of the schema whose metadata say what they may hold; `check` enforces it."""

from __future__ import annotations

from dataclasses import field
from typing import Any

MISSING: Any = "???"
"""OmegaConf's sign for a value that has to be given; lists of runs read the schema without importing OmegaConf."""


def limited(default: Any, *, minimum: float | None = None, maximum: float | None = None, above: float | None = None) -> Any:
    """A number with a range: `minimum <= x <= maximum`, or `x > above`."""
    return field(default=default, metadata={"minimum": minimum, "maximum": maximum, "above": above})


def chosen(default: Any, *choices: str) -> Any:
    return field(default=default, metadata={"choices": choices})


def path_of(default: Any = None) -> Any:
    """A file or directory that must exist when it is given."""
    return field(default=default, metadata={"path": True})


def open_mapping() -> Any:
    """Free names, which need no `+` on the command line."""
    return field(default_factory=dict, metadata={"open": True})
