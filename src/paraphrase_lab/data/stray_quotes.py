"""Finds quotes that open a cell by chance: read as quotes, they would make one cell of several rows."""

from collections.abc import Sequence

RECORDS = 200
"""Rows from which the few values of a column, such as a label, are learnt."""
REPEATED = 3
"""Rows for each value of a column from which it is one of few values."""
MOST = 0.8


class StrayQuotes:
    """Watches the records of one csv file, the header first."""

    def __init__(self, separator: str) -> None:
        self._separator = separator
        self._width = 0
        self._records = 0
        self._values: list[set[str]] = []

    def swallows(self, lines: Sequence[bytes], fields: Sequence[str]) -> bool:
        """Tell whether a record of these lines is several: nearly every line looks like a whole row, quotes aside.

        Each has as many cells as the header, and columns of few values hold one of those. Without such a column it takes
        three lines, since a sentence with line breaks and commas may look like two rows.
        """
        if len(lines) == 1:
            self._learn(fields)
            return False
        rows = [line.decode("utf-8", "replace").rstrip("\r\n").split(self._separator) for line in lines]
        coded = [place for place, values in enumerate(self._values) if 0 < REPEATED * len(values) <= self._records]
        whole = [
            len(row) == self._width and all(row[place].strip('"') in self._values[place] for place in coded) for row in rows
        ]
        return len(rows) >= (2 if coded else 3) and sum(whole) >= MOST * len(rows)

    def _learn(self, fields: Sequence[str]) -> None:
        if not self._width:
            self._width, self._values = len(fields), [set() for _ in fields]
        elif self._records < RECORDS and len(fields) == self._width:
            self._records += 1
            for values, field in zip(self._values, fields, strict=True):
                values.add(field)
