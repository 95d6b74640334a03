"""What is compared with what: single models, or recipes with their seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from paraphrase_lab.comparison.common_pairs import Answered
from paraphrase_lab.errors import RunError, UserError
from paraphrase_lab.metrics.binary import METRIC_NAMES, binary_metrics
from paraphrase_lab.runs.fingerprint import differences
from paraphrase_lab.runs.listing import RunRow, recipe_names

MOST_WITHOUT_BASELINE = 40
UNFINISHED_SHOWN = 5
FINISHED, FAILED = "finished", "failed"
PARTS = ("data", "code", "libraries", "device")
"""Of a run's fingerprint, beside its configuration."""


class Group(NamedTuple):
    """The runs of one recipe, one per seed, or a single model."""

    name: str
    rows: list[RunRow]


@dataclass(frozen=True)
class Candidate:
    """What is compared: one model, or one recipe with its runs, one per seed.

    `values` and `spread` hold mean and standard deviation over the runs of every metric; `spread` is empty for one run.
    """

    name: str
    runs: tuple[Path, ...]
    seeds: tuple[int, ...]
    values: dict[str, float]
    spread: dict[str, float]


def group_runs(rows: Sequence[RunRow], names: Sequence[str] | None = None) -> tuple[list[Group], list[str]]:
    """Groups in the order of the runs, and what there is to say about it.

    Args:
        names: of the group of each run, where its configuration shall not decide.

    Raises:
        RunError: fewer than two runs, one that is not finished, or one that is not on this machine.
    """
    for row in rows:
        _check(row)
    groups: dict[str, list[RunRow]] = {}
    notes: list[str] = []
    for name, row in zip(names or recipe_names(rows), rows, strict=True):
        groups.setdefault(name, []).append(row)
    if len(groups) == 1 and len(rows) > 1:
        notes.append("All these runs are one recipe, so they are compared as models.")
        notes += _differ_in_more_than_the_seed(groups)
        return [Group(name, [row]) for name, row in zip(_names_of_repetitions(rows), rows, strict=True)], notes
    if len(rows) < 2:
        found = f"only {rows[0].path}" if rows else "none"
        raise RunError(f"a comparison needs two runs at least, found {found}", hint="`paraphrase runs` lists what there is")
    for name, members in groups.items():
        groups[name] = _once_per_seed(members, notes)
    notes += _differ_in_more_than_the_seed(groups)
    return [Group(name, members) for name, members in groups.items()], notes


def without_unfinished(rows: Sequence[RunRow]) -> tuple[list[RunRow], list[str]]:
    """The finished runs, and remarks about the others: for runs that nobody named one by one."""
    others = [row for row in rows if row.status != FINISHED]
    if not others:
        return list(rows), []
    shown = ", ".join(f"{row.path} ({row.status})" for row in others[:UNFINISHED_SHOWN])
    more = f" and {len(others) - UNFINISHED_SHOWN} more" if len(others) > UNFINISHED_SHOWN else ""
    notes = [f"Left out, since not finished: {shown}{more}."]
    if any(row.status == FAILED for row in others):
        notes.append("Where some seeds of a recipe fail, the others flatter it.")
    return [row for row in rows if row.status == FINISHED], notes


def seed_of(row: RunRow) -> int:
    known = (seed for seed in (row.config.get("seed"), row.record.get("seed")) if seed is not None)
    return int(next(known, 0))


def _check(row: RunRow) -> None:
    if not isinstance(row.path, Path):
        raise RunError(f"{row.path} is not on this machine, and its predictions are needed", hint="copy the run here first")
    if row.status != FINISHED:
        raise RunError(
            f"{row.path} is not finished: it is {row.status}",
            hint=f"`paraphrase train … resume={row.path}` goes on with it; `--where status=finished` leaves such runs out",
        )


def _names_of_repetitions(rows: Sequence[RunRow]) -> list[str]:
    for names in ([f"seed={seed_of(row)}" for row in rows], [row.name for row in rows]):
        if len(set(names)) == len(names):
            return names
    return [str(row.path) for row in rows]


def _once_per_seed(rows: list[RunRow], notes: list[str]) -> list[RunRow]:
    """A seed that was run twice is no second opinion: the first one in the list stays."""
    kept: dict[int, RunRow] = {}
    for row in rows:
        first = kept.setdefault(seed_of(row), row)
        if first is not row:
            notes.append(f"{row.path} is left out: same recipe and seed as {first.path}{_what_else_differs(row, first)}.")
    return list(kept.values())


def _what_else_differs(row: RunRow, other: RunRow) -> str:
    parts, others = (one.record.get("fingerprint_parts") or {} for one in (row, other))
    changed = differences(parts, others) if parts and others else []
    if not changed:
        return ""
    return f", but not with the same {' and '.join(changed)}: name both directories to compare them"


def _differ_in_more_than_the_seed(groups: Mapping[str, Sequence[RunRow]]) -> list[str]:
    """What their configuration does not tell: seeds of a recipe that were run with other code, say."""
    names: dict[str, list[str]] = {}
    for name, rows in groups.items():
        if differing := _differing_parts(rows):
            names.setdefault(" and ".join(differing), []).append(name)
    return [f"Not only the seed differs among the runs of {', '.join(of)}: {parts} too." for parts, of in names.items()]


def _differing_parts(rows: Sequence[RunRow]) -> list[str]:
    """As in ["code", "libraries (torch)"]; of the data what is learned from, since test pairs have to be the same anyway."""
    recorded = [parts for row in rows if (parts := row.record.get("fingerprint_parts"))]
    found = []
    for part in PARTS:
        values = [parts[part] for parts in recorded if part in parts]
        changed = dict.fromkeys(one for value in values[1:] for one in _changed(value, values[0]) if one != "test")
        if isinstance(values[0] if values else None, Mapping):
            found += [f"{part} ({', '.join(changed)})"] if changed else []
        elif any(value != values[0] for value in values):
            found.append(part)
    return found


def _changed(value: Any, first: Any) -> list[str]:
    return differences(value, first) if isinstance(value, Mapping) and isinstance(first, Mapping) else []


def candidates_of(groups: Sequence[Group], answered: Answered) -> list[Candidate]:
    answers = zip(answered.scored.probabilities, answered.thresholds, strict=True)
    found = []
    for group in groups:
        of_runs = [binary_metrics(answered.scored.labels, *next(answers)) for _ in group.rows]
        columns = {name: np.array([values[name] for values in of_runs]) for name in METRIC_NAMES}
        spread = {name: float(column.std(ddof=1)) for name, column in columns.items()} if len(of_runs) > 1 else {}
        runs, seeds = tuple(Path(row.path) for row in group.rows), tuple(seed_of(row) for row in group.rows)
        means = {name: float(column.mean()) for name, column in columns.items()}
        found.append(Candidate(group.name, runs, seeds, means, spread))
    return found


def numbers_of(groups: Sequence[Group]) -> list[list[int]]:
    """The numbers of each group's runs."""
    ends = np.cumsum([len(group.rows) for group in groups])
    return [list(range(end - len(group.rows), end)) for group, end in zip(groups, ends, strict=True)]


def versus_of(names: Sequence[str], baseline: str | None) -> list[tuple[int, int]]:
    """(a, b) by number; b is compared with a.

    Raises:
        UserError: a baseline that is none of them, or more comparisons than anyone would read.
    """
    if baseline is None:
        if len(names) > MOST_WITHOUT_BASELINE:
            raise UserError(
                f"{len(names)} candidates are {len(names) * (len(names) - 1) // 2:,} comparisons of each with each",
                valid=f"up to {MOST_WITHOUT_BASELINE} without a baseline",
                hint="--baseline NAME compares the others with one; --where chooses among the runs",
            )
        return [(a, b) for a in range(len(names)) for b in range(a + 1, len(names))]
    if baseline not in names:
        raise UserError(f"there is no candidate {baseline!r}", valid=f"candidates: {', '.join(names)}")
    first = names.index(baseline)
    return [(first, other) for other in range(len(names)) if other != first]
