"""The project speaks in the field's terms: no private word where there is a usual one, and docstrings name their subject."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from commands import ROOT

BANNED = {
    r"(comes?|came|coming|brought|brings?|is|are|was) home": "collected, downloaded",
    r"at home": "collected, downloaded; on this machine",
    r"to be had": "available",
    r"all the same(?! to)": "nevertheless, anyway, equal",
    r"so many": "that many",
    r"(goes|gone) on(?! (one|the|a) )": "continues, resumes",
    r"whoever": "anyone who, users",
    r"those that": "the NOUN that",
    r"what is said": "the message",
    r"adopt(s|ed|ing)?": "attaches to",
    r"telling": "distinguishing",
    r"farewell": "detach message",
    r"twins?": "duplicate",
    r"speechless": "without a record",
    r"last words": "final description",
    r"left behind": "detached, left over",
    r"travel(s|led|ling)": "is bundled, is copied",
}
"""Regular expressions for whole words, in identifiers too, in any case, over line ends; and the words to use instead."""
PLACES = {
    "src": (".py", ".md", ".yaml", ".html", ".css", ".js", ".toml"), "tests": (".py",), "docs": (".md",), "conf": (".yaml",),
    "experiments": (".yaml",), "scripts": (".py",),
}  # fmt: skip
SUBJECTS = {"src", "tests", "scripts"}
"""Where docstrings are looked at."""


def files() -> list[Path]:
    listed = [
        file
        for place, suffixes in PLACES.items()
        for file in sorted((ROOT / place).rglob("*"))
        if file.suffix in suffixes and file != Path(__file__).resolve() and file.parent.name != "word_order"  # its sentences
    ]
    return [*listed, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile"]


def docstrings(file: Path) -> list[tuple[int, str]]:
    """Return line and text of every docstring of a module, and of the strings under its constants and fields."""
    found = [
        (node.value.lineno, node.value.value)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    return [(line, text.strip()) for line, text in found]


def test_no_private_words() -> None:
    words = re.compile(rf"(?<![a-z])(?:{'|'.join(BANNED)})(?![a-z])".replace(" ", r"(?:_|\s+(?:#\s+)?)"), re.IGNORECASE)
    found = []
    for file in files():
        text = file.read_text(encoding="utf-8")
        found += [
            f"{file.relative_to(ROOT)}:{text.count(chr(10), 0, hit.start()) + 1}: {hit[0]}" for hit in words.finditer(text)
        ]
    assert found == [], "\n".join(found)


def test_docstrings_name_their_subject() -> None:
    """A docstring that begins with "Of" makes its reader look for the noun in the line above."""
    python = [file for file in files() if file.suffix == ".py" and file.relative_to(ROOT).parts[0] in SUBJECTS]
    found = [
        f"{file.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for file in python
        for line, text in docstrings(file)
        if re.match(r"Of\b", text)
    ]
    assert found == [], "\n".join(found)


def test_docstrings_are_main_clauses() -> None:
    """A docstring begins with what the code does or is; "What a job wrote." is the beginning of a sentence."""
    clause = re.compile(r"(?:What|Where|Which|How|As|Whether|If|When|Unless|Until|While|From|At|By)\b")
    found = []
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and clause.match(ast.get_docstring(node) or ""):
                found.append(f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}: {ast.get_docstring(node)}")
    assert found == [], "\n".join(found)
