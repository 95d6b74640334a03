"""Drawings for the report: SVG whose colours are classes of the page's style sheet, so that they follow light and dark."""

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from markupsafe import Markup
from matplotlib.ticker import LogLocator, MaxNLocator

SERIES = 6
"""Styles of series that the style sheet tells apart by colour and dash: s1, s2, …"""
SHAPES = {2: (4, math.pi / 4), 3: (3, -math.pi / 2), 4: (4, 0.0), 5: (3, math.pi / 2), 6: (6, 0.0)}
"""Corners of a series' marker, and the angle of the first one."""


class Drawing:
    """`width` x `height` units that grow with their box; `label` is what a screen reader says instead."""

    def __init__(self, width: float, height: float, label: str) -> None:
        self.width, self.height = width, height
        size = {"viewBox": f"0 0 {width:g} {height:g}", "width": f"{width:g}", "height": f"{height:g}"}
        self._root = ET.Element("svg", size | {"role": "img", "aria-label": label})

    def add(self, tag: str, style: str = "", *, tip: str = "", words: str = "", **attributes: float | str) -> None:
        """`tip` is shown under the pointer; `text_anchor=` becomes text-anchor."""
        values = {name.replace("_", "-"): _written(value) for name, value in attributes.items()}
        element = ET.SubElement(self._root, tag, ({"class": style} if style else {}) | values)
        if words:
            element.text = words
        if tip:
            ET.SubElement(element, "title").text = tip

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str, tip: str = "") -> None:
        self.add("line", style, tip=tip, x1=x1, y1=y1, x2=x2, y2=y2)

    def path(self, points: Sequence[tuple[float, float]], style: str, tip: str = "") -> None:
        self.add("polyline", style, tip=tip, points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))

    def text(self, x: float, y: float, words: str, style: str = "", anchor: str = "start") -> None:
        self.add("text", style, words=words, x=x, y=y, text_anchor=anchor)

    def marker(self, x: float, y: float, series: int, tip: str = "", size: float = 3.5) -> None:
        """Draw the series' own shape: disc, square, triangle, diamond, triangle downwards, hexagon."""
        if series == 1:
            self.add("circle", "marker s1", tip=tip, cx=x, cy=y, r=size)
        else:
            self.add("path", f"marker s{series}", tip=tip, d=_polygon(x, y, *SHAPES[series], size * 1.25))

    def markup(self) -> Markup:
        return Markup(ET.tostring(self._root, encoding="unicode"))


def _polygon(x: float, y: float, corners: int, turn: float, reach: float) -> str:
    angles = [turn + 2 * math.pi * corner / corners for corner in range(corners)]
    return "M" + "L".join(f"{x + reach * math.cos(angle):.1f} {y + reach * math.sin(angle):.1f}" for angle in angles) + "Z"


@dataclass(frozen=True)
class Scale:
    """Maps a value to a place on the drawing."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float, margin: float = 0.06) -> Self:
        """Make a scale with a margin on both sides, also where all values are equal."""
        low, high = min(values), max(values)
        room = (high - low) * margin or abs(high) * 0.05 or 0.5
        return cls(low - room, high + room, start, end)

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        locator = LogLocator(numticks=most) if self.logarithmic else MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])
        reach = (self.high - self.low) * 1e-9
        ticks = [float(tick) for tick in locator.tick_values(self.low, self.high)]
        return [tick for tick in ticks if self.low - reach <= tick <= self.high + reach]


def short(value: float) -> str:
    """Format a number in few characters: 1.5M, 20k, 0.001."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:g}k"
    return f"{0.0 if abs(value) < 1e-12 else value:.4g}"


def frame(drawing: Drawing, x: Scale, y: Scale, x_label: str, y_label: str = "") -> None:
    """Draw grid, numbers and names of both axes."""
    left, right, bottom, top = x.start, x.end, y.start, y.end
    for tick in y.ticks():
        drawing.line(left, y(tick), right, y(tick), "grid")
        drawing.text(left - 5, y(tick) + 4, short(tick), anchor="end")
    for tick in x.ticks():
        drawing.line(x(tick), bottom, x(tick), bottom + 4, "axis")
        drawing.text(x(tick), bottom + 17, short(tick), anchor="middle")
    drawing.line(left, bottom, right, bottom, "axis")
    drawing.text(right, bottom + 33, x_label, "name", anchor="end")
    drawing.text(left - 5, top - 9, y_label, "name")


def _written(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
