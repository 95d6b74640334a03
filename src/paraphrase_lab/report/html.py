"""The report as one page that needs no network and no other file."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from paraphrase_lab.report.blocks import Cell, Section, Table
from paraphrase_lab.report.svg import SERIES, Drawing

TEMPLATES = Path(__file__).parent / "templates"
SHORT, LONG = 16, 40
"""Characters of a cell that stays on one line, and of one that needs a wide column."""


def render_html(title: str, made: str, sections: Sequence[Section]) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, script = (Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in ("report.css", "report.js"))
    return environment.get_template("report.html.jinja").render(
        title=title, made=made, sections=sections, style=style, script=script, policy=_policy(style, script),
        kind_of=lambda block: type(block).__name__, kind_of_cell=kind_of_cell, is_numeric=is_numeric, shapes=_shapes(),
    )  # fmt: skip


def is_numeric(table: Table, column: int) -> bool:
    """Tell whether every cell of the column is a number, or empty."""
    return bool(table.rows) and all(row[column].value is not None for row in table.rows)


def kind_of_cell(table: Table, column: int, cell: Cell) -> str:
    """Return the class that says how the cell may be broken into lines."""
    if is_numeric(table, column):
        return "number"
    return "short" if len(cell.text) <= SHORT else "long" if len(cell.text) > LONG else "text"


def _policy(style: str, script: str) -> str:
    """Let the browser load nothing, and run only the page's own style and script, whatever a sentence may hold."""
    own = f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _shapes() -> dict[str, Any]:
    """Draw markers for legends, by the style of their series."""
    found = {}
    for series in range(1, SERIES + 1):
        drawing = Drawing(26, 12, "")
        drawing.marker(13, 6, series)
        markup = str(drawing.markup())
        found[f"s{series}"] = Markup(markup[markup.index(">") + 1 : -len("</svg>")])
    return found
