"""The report as text for a README: its sentences and tables."""

from collections.abc import Sequence

from paraphrase_lab.markdown import escaped, markdown_table
from paraphrase_lab.report.blocks import Cell, Items, Section, Table, Text

SECTIONS = ("verdict", "runs", "differences", "slices", "symmetry")
"""The others are pictures, or too long for a README."""


def render_markdown(title: str, made: str, sections: Sequence[Section]) -> str:
    parts = [f"# {escaped(title)}", escaped(made)]
    for section in sections:
        if section.key not in SECTIONS:
            continue
        blocks = [text for block in section.blocks if (text := _block(block))]
        if blocks:
            parts += [f"## {section.heading}", *blocks]
    return "\n\n".join(parts) + "\n"


def _block(block: object) -> str:
    if isinstance(block, Text):
        return escaped(block.words)
    if isinstance(block, Items):
        return "\n".join(f"- {escaped(sentence)}" for sentence in block.sentences)
    if isinstance(block, Table) and not block.folded:
        return _table(block)
    return ""


def _table(table: Table) -> str:
    numeric = [all(row[column].value is not None for row in table.rows) for column in range(len(table.columns))]
    head = f"**{escaped(table.caption)}**" + (f": {escaped(table.note)}" if table.note else "")
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    return f"{head}\n\n{markdown_table(list(map(escaped, table.columns)), rows, right=numeric)}"


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    return f"**{text}**" if cell.strong and text else text
