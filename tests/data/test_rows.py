from __future__ import annotations

import csv
from pathlib import Path

import pytest

from paraphrase_lab.data.files import RowReader
from paraphrase_lab.data.rows import BadRow, bad_rows_error, write_bad_rows
from paraphrase_lab.errors import BadRowsError


def test_the_error_lists_the_first_twenty_and_counts_all() -> None:
    with pytest.raises(BadRowsError) as caught:
        raise bad_rows_error(BadRow("f.csv", line, "not UTF-8", "x\ty") for line in range(1, 1301))
    lines = str(caught.value).splitlines()
    assert lines[0] == "1,300 rows cannot be used:"
    assert lines[1] == r"  f.csv:1: not UTF-8: 'x\ty'" and lines[20].startswith("  f.csv:20:")
    assert lines[21] == "  and 1,280 more"
    assert lines[22] == "data.on_bad_rows=skip leaves them out and lists them in bad_rows.csv"
    assert str(bad_rows_error([BadRow("f", 1, "p", "")])).startswith("1 row cannot be used:\n  f:1: p: ''\n")


def test_bad_rows_file(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_bytes(b'a,b\n1\n\xff,"2\n,3"\n')
    path = tmp_path / "bad_rows.csv"
    write_bad_rows(path, (item for item in RowReader(source) if isinstance(item, BadRow)))
    with path.open(newline="", encoding="utf-8") as handle:
        assert list(csv.reader(handle)) == [
            ["file", "line", "problem", "value"],
            [str(source), "2", "ragged line: 1 fields, the header has 2", "1"],
            [str(source), "3", "not UTF-8", '\\xff,"2'],
        ]
