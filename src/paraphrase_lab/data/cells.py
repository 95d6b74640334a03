"""The meaning of cells that a file writes in a way of its own: scores, classes to leave out, stand-ins for texts."""

import ast
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from paraphrase_lab.data.labels import ZERO_ONE, meaning, shown_label
from paraphrase_lab.data.pairs import LeftOut, RawPair
from paraphrase_lab.errors import UserError

_PRINTED_BYTES = re.compile(r"""b(['"]).*\1""", re.DOTALL)


class Cells:
    """Reads cells as the configuration says.

    Args:
        labels: as the user gives them; null for classes whose pairs are left out.
        positive_from: labels are scores, and from this one on they are paraphrases; None: labels are classes.
        score_range: the lowest and the highest score.
        placeholders: texts that stand in place of a sentence that is missing; pairs with one are left out.
        python_bytes: sentences are written as Python prints bytes, b'...'.

    Raises:
        UserError: scores without the ends of their scale, beside classes, or a `positive_from` outside the scale.
    """

    def __init__(
        self,
        labels: Mapping[Any, int | None],
        positive_from: float | None,
        score_range: Sequence[float] | None,
        placeholders: Sequence[str],
        python_bytes: bool,
    ) -> None:
        self._unwanted = {str(name): 1 for name, value in labels.items() if value is None}
        self._positive_from, self._scale = positive_from, _scale(labels, positive_from, score_range)
        self._placeholders = frozenset(text.strip() for text in placeholders)
        self._python_bytes = python_bytes

    def read(self, pair: RawPair) -> RawPair | LeftOut:
        """Return the pair with its sentences as text and a score as 0 or 1, or LeftOut in its place."""
        if meaning(pair.label, self._unwanted) is not None:
            return LeftOut(f"their label is {shown_label(pair.label)!r}")
        if self._python_bytes:
            pair = pair._replace(sentence1=_decoded(pair.sentence1), sentence2=_decoded(pair.sentence2))
        for text in (pair.sentence1, pair.sentence2):
            if isinstance(text, str) and text.strip() in self._placeholders:
                return LeftOut(f"a sentence is {text.strip()!r}")
        return pair if self._positive_from is None else self._scored(pair, self._positive_from)

    def _scored(self, pair: RawPair, positive_from: float) -> RawPair:
        """Return the pair with 0 or 1 for its score; a label that is no score stays, so that it is found and named as wrong."""
        low, high = self._scale
        score = _number(pair.label)
        if score is not None and low <= score <= high:
            return pair._replace(label=int(score >= positive_from))
        looks_like_a_class = meaning(pair.label, ZERO_ONE) is not None
        return pair._replace(label=f"{shown_label(pair.label)}, no score") if looks_like_a_class else pair


def _scale(
    labels: Mapping[Any, int | None], positive_from: float | None, score_range: Sequence[float] | None
) -> tuple[float, float]:
    if positive_from is None:
        if score_range is not None:
            raise UserError(
                f"data.score_range={_listed(score_range)}, but nothing says which score makes a paraphrase",
                hint="data.positive_from=NUMBER does",
            )
        return 0.0, 0.0
    if labels:
        raise UserError(
            f"data.positive_from={positive_from:g} is for scores, and data.labels for classes",
            valid="one of them",
            hint="data.positive_from=null reads classes",
        )
    if score_range is None:
        raise UserError(
            f"data.positive_from={positive_from:g} does not say of which scale",
            hint="'data.score_range=[0,5]' names its ends: other numbers, as -1 where scores are kept secret, are none",
        )
    low, high = score_range if len(score_range) == 2 else (0.0, 0.0)
    if not low < high:
        raise UserError(
            f"data.score_range={_listed(score_range)} is no scale", valid="the lowest and the highest score, as in [0,5]"
        )
    if not low < positive_from <= high:
        raise UserError(
            f"data.positive_from={positive_from:g} makes all pairs of data.score_range={_listed(score_range)} alike",
            valid=f"above {low:g}, at most {high:g}",
        )
    return low, high


def _listed(numbers: Sequence[float]) -> str:
    return f"[{','.join(f'{number:g}' for number in numbers)}]"


def _number(label: Any) -> float | None:
    try:
        number = float(label) if isinstance(label, int | float | str) and not isinstance(label, bool) else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _decoded(text: Any) -> Any:
    """Return the text in b'...', which Python prints for bytes; all else as it is."""
    if not isinstance(text, str) or not _PRINTED_BYTES.fullmatch(text):
        return text
    try:
        return ast.literal_eval(text).decode("utf-8")
    except (ValueError, SyntaxError):
        return text
