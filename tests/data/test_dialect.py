"""A file that is written in another way than it would be read is refused with the option that reads it."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from paraphrase_lab.data.files import RowReader, count_rows
from paraphrase_lab.data.options import ReadOptions
from paraphrase_lab.data.rows import BadRow, Row
from paraphrase_lab.errors import UserError

TEXTS = [('she said "no"', "x", "0"), ("plain", "y", "1"), ("a, b", "it's", "0")]


def file_with(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def cells_of(path: Path, options: ReadOptions) -> list[tuple]:
    rows = list(RowReader(path, options))
    assert not [row for row in rows if isinstance(row, BadRow)]
    return [tuple(row.values.values()) for row in rows if isinstance(row, Row)]


DIALECTS = {
    "pandas tsv": ("a.tsv", 's\tt\tl\n"she said ""no"""\tx\t0\nplain\ty\t1\na, b\tit\'s\t0\n', "quoting", "standard"),
    "all quoted": (
        "a.tsv", '"s"\t"t"\t"l"\n"she said ""no"""\t"x"\t"0"\n"plain"\t"y"\t"1"\n"a, b"\t"it\'s"\t"0"\n',
        "quoting", "standard",
    ),
    "quoted texts": (
        "a.tsv", 's\tt\tl\n"she said ""no"""\t"x"\t0\n"plain"\t"y"\t1\n"a, b"\t"it\'s"\t0\n', "quoting", "standard",
    ),
    "R, MySQL": ("a.tsv", 's\tt\tl\n"she said \\"no\\""\tx\t0\n"plain"\ty\t1\n"a, b"\tit\'s\t0\n', "quoting", "backslash"),
    "Spark": ("a.csv", 's,t,l\n"she said \\"no\\"",x,0\nplain,y,1\n"a, b",it\'s,0\n', "quoting", "backslash"),
    "single": ("a.csv", "'s','t','l'\n'she said \"no\"','x','0'\n'plain','y','1'\n'a, b','it''s','0'\n", "quoting", "single"),
    "single, bare header": (
        "a.csv",
        "s,t,l\n'she said \"no\"','x',0\n'plain','y',1\n'a, b','it''s',0\n",
        "quoting",
        "single",
    ),
    "semicolon": ("a.csv", 's;t;l\n"she said ""no""";x;0\nplain;y;1\na, b;it\'s;0\n', "delimiter", "semicolon"),
    "pipe": ("a.csv", 's|t|l\n"she said ""no"""|x|0\nplain|y|1\na, b|it\'s|0\n', "delimiter", "pipe"),
    "csv named tsv": ("a.tsv", 's,t,l\n"she said ""no""",x,0\nplain,y,1\n"a, b",it\'s,0\n', "delimiter", "comma"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "option", "value"), DIALECTS.values(), ids=DIALECTS)
def test_another_dialect_is_refused_and_read_with_the_option_of_the_message(
    tmp_path: Path, name: str, content: str, option: str, value: str
) -> None:
    path = file_with(tmp_path, name, content)
    for flags, typed in ((False, f"data.{option}={value}"), (True, f"--{option} {value}")):
        with pytest.raises(UserError) as caught:
            RowReader(path, ReadOptions(flags=flags))
        assert str(path) in caught.value.problem and f"{typed} reads" in caught.value.hint
    typed_options: dict[str, Any] = {option: value}
    assert cells_of(path, ReadOptions(**typed_options)) == TEXTS


@pytest.mark.parametrize("mark", ["sep={}\n", "sep={}\r\n", '"sep={}"\n', "\ufeffsep={}\n"])
@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t")])
def test_a_first_line_that_tells_excel_the_separator_is_no_header(tmp_path: Path, name: str, separator: str, mark: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        path = file_with(tmp_path, name, f"{mark.format(separator)}s{separator}t\nx y z\n1{separator}2\n".encode(encoding))
        plain = ReadOptions(encoding=encoding)
        if separator == ";":
            with pytest.raises(UserError, match=r"only, 's;t'\n.*data\.delimiter=semicolon reads it"):
                RowReader(path, plain)
        rows = list(RowReader(path, ReadOptions(encoding=encoding, delimiter="semicolon") if separator == ";" else plain))
        assert [type(row) for row in rows] == [BadRow, Row] and rows[0].line == 3, "lines are counted as an editor does"
        assert isinstance(rows[1], Row) and rows[1].values == {"s": "1", "t": "2"}


def test_quotes_are_found_under_a_first_line_for_excel(tmp_path: Path) -> None:
    single = file_with(tmp_path, "a.csv", "sep=,\n" + "s,t\n" + "'a b','c'\n" * 3)
    with pytest.raises(UserError, match=r"in single quotes\ndata\.quoting=single reads"):
        RowReader(single)
    with pytest.raises(UserError, match=r"a\.tsv:3: its cells are quoted"):
        RowReader(file_with(tmp_path, "a.tsv", 'sep=\t\ns\tt\n"a\nb"\tc\n'))


def test_a_line_break_in_a_tsv_cell(tmp_path: Path) -> None:
    path = file_with(tmp_path, "a.tsv", 's\tt\tl\n"a\nb"\tx\t0\nplain\ty\t1\n"c ""d""\n\ne"\tz\t0\n')
    with pytest.raises(UserError, match=r"a\.tsv:2: its cells are quoted\ndata\.quoting=standard reads such a file; "):
        RowReader(path)
    expected = [("a\nb", "x", "0"), ("plain", "y", "1"), ('c "d"\n\ne', "z", "0")]
    assert cells_of(path, ReadOptions(quoting="standard")) == expected


def test_one_quoted_cell_late_in_a_long_file_is_found(tmp_path: Path) -> None:
    lines = ["s\tt\tl", *(f"text {number}\tother\t0" for number in range(20_000)), '"a ""b"""\tc\t1', ""]
    with pytest.raises(UserError, match=r"a\.tsv:20002: its cells are quoted"):
        RowReader(file_with(tmp_path, "a.tsv", "\n".join(lines)))


@pytest.mark.parametrize(
    "cell",
    ['"" Foo "" is a song', 'the song " Foo "', '"Yes," he said, "I do"', "'' Foo '' is", '"'],
)
def test_unquoted_tsv_is_read_as_it_is(tmp_path: Path, cell: str) -> None:
    path = file_with(tmp_path, "a.tsv", f"s\tt\tl\n{cell}\tx\t0\nplain\ty\t1\n")
    assert cells_of(path, ReadOptions()) == [(cell, "x", "0"), ("plain", "y", "1")]


def test_a_spoken_line_among_other_quotes_does_not_make_a_file_quoted(tmp_path: Path) -> None:
    rows = [('"Come here."', "x", "0"), ('"Yes," he said, "no"', "y", "1"), ('he said "no"', "z", "0")]
    path = file_with(tmp_path, "a.tsv", "s\tt\tl\n" + "".join("\t".join(row) + "\n" for row in rows))
    assert cells_of(path, ReadOptions()) == rows
    (tmp_path / "b.tsv").write_text('s\tt\tl\n"Come here."\tx\t0\n', encoding="utf-8")
    assert cells_of(tmp_path / "b.tsv", ReadOptions(quoting="none")) == [('"Come here."', "x", "0")]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_another_encoding_is_refused_and_read_with_the_option_of_the_message(tmp_path: Path, encoding: str) -> None:
    text = "s,t\nMünchen,1\nKöln – ja,2\n" if encoding != "latin-1" else "s,t\nMünchen,1\nKöln,2\n"
    path = file_with(tmp_path, "a.csv", text.encode(encoding))
    with pytest.raises(UserError, match=rf"data\.encoding={encoding} reads it"):
        RowReader(path)
    assert [cell for cell, _ in cells_of(path, ReadOptions(encoding=encoding))] == [
        line.split(",")[0] for line in text.splitlines()[1:]
    ]
    assert count_rows(path, ReadOptions(encoding=encoding)) == 2


def test_utf8_is_not_read_as_another_encoding(tmp_path: Path) -> None:
    path = file_with(tmp_path, "a.csv", "s,t\nMünchen,1\nKöln,2\n")
    with pytest.raises(UserError, match=r"a\.csv is in UTF-8, not latin-1\ndata\.encoding=utf-8 reads it"):
        RowReader(path, ReadOptions(encoding="latin-1"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"encoding": "utf-99"}, r"^data\.encoding=utf-99: there is no such encoding\nfor example utf-8"),
        ({"delimiter": "::"}, r"data\.delimiter=\"::\"': this cannot separate columns\none character, or one of comma"),
        ({"delimiter": '"'}, "this cannot separate columns"),
    ],
)
def test_options_that_there_are_not(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        ReadOptions(**options)


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


CONTENTS = {
    "a.txt": b"s\tt\nx\t1\ny\t2\n",
    "b.txt": b"s,t\nx,1\ny,2\n",
    "no_ending": b'{"s": "x", "t": "1"}\n{"s": "y", "t": "2"}\n',
    "a.ndjson": b'{"s": "x", "t": "1"}\n{"s": "y", "t": "2"}\n',
    "lines.json": b'{"s": "x", "t": "1"}\n{"s": "y", "t": "2"}\n',
    "array.json": b'[\n {"s": "x", "t": "1"},\n {"s": "y", "t": "2"}]\n',
    "array.jsonl": b'[{"s": "x", "t": "1"}, {"s": "y", "t": "2"}]',
    "bom.json": codecs.BOM_UTF8 + b'[{"s": "x", "t": "1"}, {"s": "y", "t": "2"}]',
    "a.csv.gz": gzip.compress(b"s,t\nx,1\ny,2\n"),
    "a.tsv.bz2": bz2.compress(b"s\tt\nx\t1\ny\t2\n"),
    "a.csv.xz": lzma.compress(b"s,t\nx,1\ny,2\n"),
    "a.csv.zst": zstd(b"s,t\nx,1\ny,2\n"),
    "a.jsonl.gz": gzip.compress(b'{"s": "x", "t": "1"}\n{"s": "y", "t": "2"}\n'),
    "nameless.csv": b"s,t,,\nx,1,,\ny,2,,\n",
    "only_rows.csv": b"s,t\nx,1,,\ny,2,,\n",
}


@pytest.mark.parametrize("name", CONTENTS)
def test_the_format_by_ending_or_content(tmp_path: Path, name: str) -> None:
    reader = RowReader(file_with(tmp_path, name, CONTENTS[name]))
    assert [row.values for row in reader if isinstance(row, Row)] == [{"s": "x", "t": "1"}, {"s": "y", "t": "2"}]
    assert reader.fraction_read == 1.0


def test_a_format_and_columns_that_are_typed(tmp_path: Path) -> None:
    path = file_with(tmp_path, "a.data", b"x\t1\ny\t2\n")
    options = ReadOptions(format="tsv", columns=("s", "t"))
    assert [(row.line, row.values) for row in RowReader(path, options) if isinstance(row, Row)] == [
        (1, {"s": "x", "t": "1"}),
        (2, {"s": "y", "t": "2"}),
    ]
    assert count_rows(path, options) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"s": {"0": "x"}, "t": {"0": "1"}}', r"a\.json holds one JSON object, not rows\nan array of objects"),
        (b'{\n "data": []\n}', "holds one JSON object, not rows"),
        (b'[{"s": 1},\n {"s": 2},\n {"s": \n', r"a\.json:3: not valid JSON"),
        (b'[{"s": 1}', r"a\.json:1: not valid JSON"),
        (b"[1, 2]", "has no JSON object"),
    ],
)
def test_json_that_holds_no_rows(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        list(RowReader(file_with(tmp_path, "a.json", content)))


def test_compressed_files_cut_short(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"{number},{number * 7919 % 1000}\n" for number in range(9999)).encode())
    path = file_with(tmp_path, "a.csv.gz", whole[: len(whole) // 2])
    with pytest.raises(UserError, match=rf"{re.escape(str(path))} cannot be unpacked: "):
        list(RowReader(path))


def quoted_by_chance(rows: int) -> str:
    """Every tenth sentence begins with a quote, and one four lines later ends with one."""
    lines = []
    for number in range(rows):
        opens, closes = '"' * (number % 10 == 2), '"' * (number % 10 == 6)
        lines.append(f"{opens}the {number}th one{closes},or so,{number % 2}\n")
    return "s,t,l\n" + "".join(lines)


def test_a_quote_that_opens_by_chance_swallows_no_rows(tmp_path: Path) -> None:
    path = file_with(tmp_path, "a.csv", quoted_by_chance(40))
    rows = list(RowReader(path))
    bad = [(row.line, row.problem) for row in rows if isinstance(row, BadRow)]
    problem = "a quote opens here and closes in line {}, over whole rows; quoting=none takes quotes for characters"
    assert bad == [(line, problem.format(line + 4)) for line in (4, 14, 24, 34)]
    kept = [row.values["s"] for row in rows if isinstance(row, Row)]
    assert len(kept) == 36 and kept[2:6] == ["the 3th one", "the 4th one", "the 5th one", 'the 6th one"']
    assert len(cells_of(path, ReadOptions(quoting="none"))) == 40
    typed = cells_of(path, ReadOptions(quoting="standard"))
    assert len(typed) == 24 and typed[2][0].count("\n") == 4, "as somebody wanted it"


@pytest.mark.parametrize(
    "cell",
    ['"a, b\nc, d"', '"Is it?\nPS: thanks, all, 1"', '"one, 0\ntwo, 1\nthree, 0"', '"a,b,c\nd,e,f\ng,h,i"', '"a, b, c\nd"'],
)
def test_sentences_with_line_breaks_and_commas_are_read(tmp_path: Path, cell: str) -> None:
    plain = "".join(f"sentence {n},other,{n % 2}\n" for n in range(5))
    path = file_with(tmp_path, "a.csv", f"s,t,l\n{plain}{cell},x,0\n{plain}")
    assert cells_of(path, ReadOptions())[5] == (cell.strip('"'), "x", "0")


NAMELESS = ReadOptions(columns=("s", "t", "l"))


def test_a_header_is_not_read_as_a_pair(tmp_path: Path) -> None:
    pairs = "".join(f"the {n}th one,or another {n},{n % 2}\n" for n in range(4))
    path = file_with(tmp_path, "a.csv", f"frage,andere,gleich\n{pairs}")
    with pytest.raises(UserError, match=r"looks like a header.*: frage, andere, gleich\n.data\.columns=\[\]. reads it as one"):
        RowReader(path, NAMELESS)
    assert len(cells_of(file_with(tmp_path, "a.csv", pairs), NAMELESS)) == 4


@pytest.mark.parametrize(
    "content",
    [
        "Hello,Hi,yes\nHow are you,How do you do,yes\nWho is it,It is me,no\n",  # its label comes again
        "Hello,Hi,1\nHow are you,How do you do,1\nWho is it,It is me,0\n",
        "big,large,same\nred,green,other\n",
        "Hello,Hi,same\n",
    ],
)
def test_a_first_pair_of_single_words_is_no_header(tmp_path: Path, content: str) -> None:
    assert len(cells_of(file_with(tmp_path, "a.csv", content), NAMELESS)) == content.count("\n")


def test_another_separator_beside_a_comma_in_a_name(tmp_path: Path) -> None:
    path = file_with(tmp_path, "a.csv", "first, of two;second;label\na;b;1\n")
    with pytest.raises(UserError, match=r"has two columns only, .*\n.*data\.delimiter=semicolon reads it"):
        RowReader(path)
