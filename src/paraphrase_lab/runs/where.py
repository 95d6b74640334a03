"""The condition of `paraphrase runs --where`: 'model=tiny and test/f1>0.9', with and, or, not and parentheses."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from paraphrase_lab.errors import UserError
from paraphrase_lab.runs.fields import Fields
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.short import shown

Condition = Callable[[RunRow], bool]
ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
OPERATORS = ("==", "!=", ">=", "<=", "=", ">", "<", "~")
TOKEN = re.compile(
    r"""\s*(?:(?P<bracket>[()])|(?P<operator>==|!=|>=|<=|=|>|<|~)|'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<word>[^\s()=!<>~'"]+))"""
)
WORDS = ("and", "or", "not")
EXAMPLE = "for example: --where 'model=tiny and (test/f1>0.9 or not status=finished)'"


class Token(NamedTuple):
    kind: str
    """bracket, operator, word, or quoted"""
    text: str

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.text.lower() == word


def where(condition: str, rows: Sequence[RunRow], fields: Fields) -> list[RunRow]:
    """The rows for which the condition holds.

    A comparison is KEY OPERATOR VALUE: `=` or `==`, `!=`, `>`, `>=`, `<`, `<=`, and `~` for "contains". Numbers compare
    as numbers (1e-3 = 0.001), everything else as text, which also orders times. A run without the key has the value null,
    which is smaller or larger than nothing and contains nothing.

    Raises:
        UserError: a condition that cannot be read, and a key that no run has.
    """
    holds = _Reader(condition, fields).whole()
    return [row for row in rows if holds(row)]


class _Reader:
    """Reads from left to right; `or` binds weaker than `and`, and that weaker than `not`."""

    def __init__(self, condition: str, fields: Fields) -> None:
        self.condition, self.fields = condition, fields
        self.tokens = _tokens(condition)
        self.position = 0

    def whole(self) -> Condition:
        condition = self._any()
        if (token := self._next()) is not None:
            raise _error(self.condition, f"{token.text!r} is one too many")
        return condition

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._take_word("or"):
            parts.append(self._all())
        return lambda row: any(part(row) for part in parts)

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._take_word("and"):
            parts.append(self._one())
        return lambda row: all(part(row) for part in parts)

    def _one(self) -> Condition:
        if self._take_word("not"):
            inner = self._one()
            return lambda row: not inner(row)
        if (token := self._next()) is not None and token == Token("bracket", "("):
            inner = self._any()
            if self._next() != Token("bracket", ")"):
                raise _error(self.condition, "a parenthesis is not closed")
            return inner
        return self._comparison(token)

    def _comparison(self, key: Token | None) -> Condition:
        if key is None or key.kind not in ("word", "quoted") or (key.kind == "word" and key.text.lower() in WORDS):
            raise _error(self.condition, f"a key should stand {_before(key)}")
        sign = self._next()
        if sign is None or sign.kind != "operator":
            raise _error(self.condition, f"{key.text} needs one of {' '.join(OPERATORS)} and a value")
        value = self._next()
        if value is None or value.kind not in ("word", "quoted"):
            raise _error(
                self.condition, f"a value should stand after {key.text}{sign.text}; in quotes if it holds one of ()=!<>~"
            )
        return _comparison(self.fields, self.fields.find(key.text), sign.text, value.text)

    def _next(self) -> Token | None:
        self.position += 1
        return self.tokens[self.position - 1] if self.position <= len(self.tokens) else None

    def _take_word(self, word: str) -> bool:
        if self.position < len(self.tokens) and self.tokens[self.position].is_word(word):
            self.position += 1
            return True
        return False


def _tokens(condition: str) -> list[Token]:
    tokens, position = [], 0
    while condition[position:].strip():
        match = TOKEN.match(condition, position)
        if match is None:
            raise _error(condition, f"{condition[position:].strip()!r} cannot be read")
        kind = str(match.lastgroup)
        tokens.append(Token("quoted" if kind in ("single", "double") else kind, match[kind]))
        position = match.end()
    return tokens


def _comparison(fields: Fields, name: str, sign: str, wanted: str) -> Condition:
    if sign in ORDERINGS:
        return lambda row: _ordered(fields.value(row, name), ORDERINGS[sign], wanted, name)
    if sign == "~":
        return lambda row: (value := fields.value(row, name)) is not None and wanted.lower() in shown(value).lower()
    if sign == "!=":
        return lambda row: not _equal(fields.value(row, name), wanted)
    return lambda row: _equal(fields.value(row, name), wanted)


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


def _before(token: Token | None) -> str:
    return "at the end" if token is None else f"before {token.text!r}"


def _error(condition: str, problem: str) -> UserError:
    return UserError(
        f"--where {condition!r}: {problem}", valid=f"KEY OPERATOR VALUE, operators {' '.join(OPERATORS)}", hint=EXAMPLE
    )
