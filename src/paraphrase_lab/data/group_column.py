"""The column that data.group names: the kind, source or domain of each pair, which its results are also shown for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from paraphrase_lab.data.rows import as_text, is_blank, value_at
from paraphrase_lab.errors import UserError

MOST_GROUPS = 100
FEW = "a column of texts or numbers with few different values, such as a domain"


def no_group_column(place: str, column: str, columns: Iterable[str]) -> UserError:
    return UserError(f"{place} has no column '{column}', which data.group names", valid=f"its columns: {', '.join(columns)}")


def has_group(row: Mapping[str, Any], column: str) -> bool:
    """Tell whether a row of the Hub has the column, or the field inside one by a path with dots, of which any may be empty."""
    value: Any = row
    for part in [column] if column in row else column.split("."):
        if value is None or isinstance(value, list):
            return True
        if part not in value:
            return False
        value = value[part]
    return True


def group_name(values: Mapping[str, Any], column: str, place: str, line: int) -> str | None:
    """Return the group of a row; None where the cell is empty. Raises UserError for a list or an object."""
    value = as_text(value_at(values, column))
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        raise UserError(f"{place} line {line}: the value of data.group={column} is {kind}", valid=FEW)
    is_empty = value is None or value != value or is_blank(str(value))  # a number that is absent is not equal to itself
    return None if is_empty else str(value)


def refuse_many_groups(groups: Sequence[str | None]) -> None:
    """Raise UserError for more than MOST_GROUPS groups, as of a column of ids."""
    names = list(dict.fromkeys(name for name in groups if name is not None))
    if len(names) > MOST_GROUPS:
        first = ", ".join(f"'{name}'" for name in names[:3])
        raise UserError(
            f"data.group names a column with {len(names):,} different values ({first}, …), and each would have results",
            valid=f"{FEW}; {MOST_GROUPS} at most",
            hint="data.group=null shows no groups",
        )
