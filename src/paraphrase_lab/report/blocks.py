"""The blocks of a report, whether it becomes a page or a text."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup


class Text(NamedTuple):
    words: str
    note: bool = False
    """Less important: what is missing, how something was counted."""


class Items(NamedTuple):
    sentences: tuple[str, ...]


class Cell(NamedTuple):
    text: str
    value: float | None = None
    """Key by which a column is sorted; None sorts by the text."""
    strong: bool = False


class Table(NamedTuple):
    columns: tuple[str, ...]
    rows: list[list[Cell]]
    caption: str
    note: str = ""
    """Explains how to read the table."""
    folded: bool = False
    """Closed on the page until a reader opens it."""


class Mark(NamedTuple):
    """A line of a legend: the style of a series, and its name."""

    style: str
    label: str


class Figure(NamedTuple):
    title: str
    drawing: Markup
    wide: bool = False
    """Needs its own width and scrolls on a narrow screen."""


class Figures(NamedTuple):
    """Figures side by side, as many as fit, that share a legend."""

    figures: tuple[Figure, ...]
    legend: tuple[Mark, ...] = ()
    caption: str = ""


class Strip(NamedTuple):
    """One row of a chart whose labels are text of the page, so that long ones wrap."""

    label: str
    detail: str
    drawing: Markup


class Strips(NamedTuple):
    title: str
    rows: tuple[Strip, ...]
    axis: Markup
    legend: tuple[Mark, ...] = ()
    caption: str = ""


class Example(NamedTuple):
    sentence1: str
    sentence2: str
    label: str
    facts: str


class Examples(NamedTuple):
    pairs: tuple[Example, ...]


Block = Text | Items | Table | Figures | Strips | Examples


class Section(NamedTuple):
    key: str
    heading: str
    blocks: list[Block]


def number(value: float | None, digits: int = 4, *, strong: bool = False) -> Cell:
    """Return a cell with the number; an empty one for None and nan."""
    if value is None or value != value:
        return Cell("", float("-inf"))
    return Cell(f"{value:.{digits}f}", value, strong)


def integer(number: int) -> Cell:
    return Cell(f"{number:,}", number)


def counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Join names with commas; of many, the first ones and how many more."""
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more} more"
