"""The filters and the order of a run listing, in the MongoDB dialect that W&B takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from wandb_server.answers import Unanswerable
from wandb_server.state import Run

FIELDS: dict[str, Callable[[Run], Any]] = {
    "name": lambda run: run.id,
    "display_name": lambda run: run.display_name,
    "displayName": lambda run: run.display_name,
    "group": lambda run: run.group,
    "jobType": lambda run: run.job_type,
    "job_type": lambda run: run.job_type,
    "tags": lambda run: run.tags,
    "state": lambda run: run.state,
    "created_at": lambda run: run.created,
    "createdAt": lambda run: run.created,
}


def value_of(run: Run, key: str) -> Any:
    """Return a field, `config.a.b` (also `config.a.value.b` and `config.a.b.value`), or `summary_metrics.KEY` of a run."""
    if key.startswith("config."):
        parts = [part for part in key.split(".")[1:] if part != "value"]
        found: Any = run.config
        if ".".join(parts) in run.config:
            return run.config[".".join(parts)]
        for part in parts:
            found = found.get(part) if isinstance(found, dict) else None
        return found
    if key.startswith("summary_metrics."):
        return run.summary.get(key.removeprefix("summary_metrics."))
    if key not in FIELDS:
        raise Unanswerable(f"filter or order by {key}")
    return FIELDS[key](run)


def _compares(have: Any, want: Any, holds: Callable[[Any, Any], bool]) -> bool:
    return isinstance(have, int | float | str) and type(have) in (type(want), int, float) and holds(have, want)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda have, want: want in have if isinstance(have, list) else have == want,
    "$ne": lambda have, want: want not in have if isinstance(have, list) else have != want,
    "$in": lambda have, want: bool(set(have) & set(want)) if isinstance(have, list) else have in want,
    "$nin": lambda have, want: not set(have) & set(want) if isinstance(have, list) else have not in want,
    "$gt": lambda have, want: _compares(have, want, lambda a, b: a > b),
    "$gte": lambda have, want: _compares(have, want, lambda a, b: a >= b),
    "$lt": lambda have, want: _compares(have, want, lambda a, b: a < b),
    "$lte": lambda have, want: _compares(have, want, lambda a, b: a <= b),
    "$exists": lambda have, want: (have is not None) == want,
    "$regex": lambda have, want: isinstance(have, str) and re.search(want, have) is not None,
}


def matches(run: Run, filters: dict[str, Any]) -> bool:
    """
    Raises:
        Unanswerable: a field or an operator that this server does not know.
    """
    return all(_one(run, key, want) for key, want in filters.items())


def _one(run: Run, key: str, want: Any) -> bool:
    if key == "$and":
        return all(matches(run, part) for part in want)
    if key == "$or":
        return any(matches(run, part) for part in want)
    conditions = want if isinstance(want, dict) else {"$eq": want}
    have = value_of(run, key)
    for name, operand in conditions.items():
        if name not in OPERATORS:
            raise Unanswerable(f"operator {name} in a filter")
        if not OPERATORS[name](have, operand):
            return False
    return True


def in_order(runs: list[Run], order: str | None) -> list[Run]:
    """`+key` or `-key`; runs without the value come last."""
    order = order or "+created_at"
    key, descending = order.lstrip("+-"), order.startswith("-")
    present = [run for run in runs if value_of(run, key) is not None]
    absent = [run for run in runs if value_of(run, key) is None]
    return sorted(present, key=lambda run: value_of(run, key), reverse=descending) + absent
