"""The pairs of a split: as a source delivers them, and checked; unusable ones are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from paraphrase_lab.data.group_column import refuse_many_groups
from paraphrase_lab.data.labels import are_more_classes, label_hint, meaning, shown_label
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.data.rows import SKIP_HINT, BadRow, bad_rows_error, is_blank, shortened
from paraphrase_lab.errors import UserError

MANY_UNFIT = 0.1
"""Share of labels without a meaning from which the mapping of labels is in doubt, and not the rows."""


class RawPair(NamedTuple):
    """A row as a source delivers it, not yet checked."""

    sentence1: Any
    sentence2: Any
    label: Any
    id: str
    file: str
    line: int
    group: str | None = None
    """The kind, source or domain that its results are also counted in."""


class LeftOut(NamedTuple):
    """A row that the configuration leaves out; the reason completes "3 pairs of train left out: "."""

    reason: str


class CheckedPairs(NamedTuple):
    table: PairTable
    problems: list[BadRow]
    labels: Counter[str]
    """How often each label was found, as text."""
    left_out: Counter[str]
    """How often each reason to leave a row out was found."""


def check_pairs(rows: Iterable[RawPair | BadRow | LeftOut], labels: dict[str, int]) -> CheckedPairs:
    ids, first, second, answers, groups = [], [], [], [], []
    problems: list[BadRow] = []
    found: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for row in rows:
        if isinstance(row, LeftOut):
            left_out[row.reason] += 1
            continue
        if isinstance(row, BadRow):
            problems.append(row)
            continue
        found[shown_label(row.label)] += 1
        if bad := _problem(row, labels):
            problems.append(bad)
        else:
            ids.append(row.id)
            first.append(row.sentence1)
            second.append(row.sentence2)
            answers.append(meaning(row.label, labels))
            groups.append(row.group)
    refuse_many_groups(groups)
    table = PairTable(ids, first, second, np.asarray(answers, dtype=np.int64), groups if any(groups) else None)
    return CheckedPairs(table, problems, found, left_out)


def _problem(row: RawPair, labels: dict[str, int]) -> BadRow | None:
    for name, text in (("first", row.sentence1), ("second", row.sentence2)):
        if text is None or (isinstance(text, str) and is_blank(text)):
            return BadRow(row.file, row.line, f"the {name} sentence is empty or missing", shortened(text or ""))
        if not isinstance(text, str):
            return BadRow(row.file, row.line, f"the {name} sentence is not text", shortened(text))
    if meaning(row.label, labels) is None:
        return BadRow(row.file, row.line, f"the label is none of {', '.join(labels)}", shown_label(row.label))
    return None


def unusable_rows(read: Sequence[CheckedPairs], labels: dict[str, int], on_bad_rows: str) -> list[BadRow]:
    """Return the rows to leave out. Raises BadRowsError where there may be none, or the labels are others than thought."""
    problems = [bad for one in read for bad in one.problems]
    found = sum((one.labels for one in read), Counter())
    unfit = Counter({value: count for value, count in found.items() if meaning(value, labels) is None})
    all_unfit, many_unfit = bool(unfit) and unfit == found, unfit.total() >= MANY_UNFIT * found.total()
    more_classes = are_more_classes(unfit, found, labels)
    if problems and (on_bad_rows == "error" or all_unfit or more_classes):
        hints = [*([label_hint(found, labels)] if unfit else []), *([] if all_unfit or more_classes else [SKIP_HINT])]
        hints = hints if many_unfit else hints[::-1]
        raise bad_rows_error(problems, limit=3 if all_unfit or more_classes else 20, hint="\n".join(hints))
    return problems


def left_out_notes(read: Mapping[str, CheckedPairs]) -> list[str]:
    """Return what is left out of each split, and why."""
    return [
        f"{count:,} pair{'s' if count > 1 else ''} of {split} left out: {reason}"
        for split, one in read.items()
        for reason, count in one.left_out.items()
    ]


def refuse_one_label(splits: dict[str, PairTable], labels: dict[str, int]) -> None:
    train = splits.get("train")
    if train is None or len(present := np.unique(train.labels)) > 1:
        return
    meant = "paraphrase" if present[0] else "other meaning"
    raise UserError(
        f"all {len(train):,} pairs of train have the label {present[0]} ({meant}): there is nothing to tell apart",
        valid="training needs pairs of both labels",
        hint=f"is data.labels={{{','.join(f'{name}:{value}' for name, value in labels.items())}}} what was meant?",
    )
