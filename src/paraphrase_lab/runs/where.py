"""The condition of `paraphrase runs --where`: 'model=tiny and test/f1>0.9', with and, or, not and parentheses."""

import ast
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from paraphrase_lab.errors import UserError
from paraphrase_lab.runs.fields import Fields
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.short import shown

Condition = Callable[[RunRow], bool]
ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
TEXT = r"""(?:'[^']*'|"[^"]*"|[^\s()=!<>~'"]+)"""
PART = re.compile(
    rf"(?P<logic>[()]|(?:and|or|not)(?=[\s()]|$))|(?P<key>{TEXT})\s*(?P<sign>[=!<>]=|[=<>~])\s*(?P<value>{TEXT})|(?P<rest>\S+)",
    re.IGNORECASE,
)
LOGIC = (ast.Expression, ast.BoolOp, ast.boolop, ast.UnaryOp, ast.Not, ast.Constant)
EXAMPLE = "for example: --where 'model=tiny and (test/f1>0.9 or not status=finished)'"
VALID = "KEY OPERATOR VALUE, operators == != >= <= = > < ~; a value with a space or one of ()=!<>~ stands in quotes"


def where(condition: str, rows: Sequence[RunRow], fields: Fields) -> list[RunRow]:
    """Return the rows for which the condition holds.

    A comparison is KEY OPERATOR VALUE: `=` or `==`, `!=`, `>`, `>=`, `<`, `<=`, and `~` for "contains". Numbers compare
    as numbers (1e-3 = 0.001), everything else as text, which also orders times. A run without the key has the value null,
    which is neither smaller nor larger than anything and contains nothing. `and`, `or`, `not` and parentheses are Python's.

    Raises:
        UserError: a condition that cannot be read, and a key that no run has.
    """
    comparisons: list[Condition] = []
    logic = []  # the comparisons' numbers stand in their place, so that Python can parse the rest
    for part in PART.finditer(condition):
        if part["rest"]:
            raise _error(condition, f"{part['rest']!r} is no comparison")
        logic.append(part["logic"].lower() if part["logic"] else str(len(comparisons)))
        if part["key"]:
            key, value = (text[1:-1] if text[0] in "'\"" else text for text in (part["key"], part["value"]))
            comparisons.append(_comparison(fields, fields.find(key), part["sign"], value))
    try:
        tree = ast.parse(" ".join(logic), mode="eval")
    except SyntaxError:
        tree = None
    if tree is None or not all(isinstance(node, LOGIC) for node in ast.walk(tree)):
        raise _error(condition, "a comparison, 'and', 'or' or a parenthesis is missing or misplaced")
    return [row for row in rows if _holds(tree.body, row, comparisons)]


def _holds(node: ast.expr, row: RunRow, comparisons: Sequence[Condition]) -> bool:
    if isinstance(node, ast.BoolOp):
        several = all if isinstance(node.op, ast.And) else any
        return several(_holds(one, row, comparisons) for one in node.values)
    if isinstance(node, ast.UnaryOp):
        return not _holds(node.operand, row, comparisons)
    assert isinstance(node, ast.Constant) and isinstance(node.value, int)
    return comparisons[node.value](row)


def _comparison(fields: Fields, name: str, sign: str, wanted: str) -> Condition:
    if sign in ORDERINGS:
        return lambda row: _ordered(fields.value(row, name), ORDERINGS[sign], wanted, name)
    if sign == "~":
        return lambda row: (value := fields.value(row, name)) is not None and wanted.lower() in shown(value).lower()
    return lambda row: _equal(fields.value(row, name), wanted) == (sign != "!=")


def _equal(value: Any, wanted: str) -> bool:
    number = _number(wanted)
    if isinstance(value, int | float) and not isinstance(value, bool) and number is not None:
        return value == number
    return shown(value).lower() == wanted.lower()


def _ordered(value: Any, order: Callable[[Any, Any], bool], wanted: str, name: str) -> bool:
    if value is None:
        return False
    if isinstance(value, int | float):
        if (number := _number(wanted)) is None:
            raise UserError(f"{name} is a number, {wanted!r} is none", hint=EXAMPLE)
        return order(value, number)
    return order(shown(value), wanted)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _error(condition: str, problem: str) -> UserError:
    return UserError(f"--where {condition!r}: {problem}", valid=VALID, hint=EXAMPLE)
