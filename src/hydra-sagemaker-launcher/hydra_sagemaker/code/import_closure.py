"""Finds the modules below the code's root that a task can import, from their sources alone: nothing is imported for that."""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath

DOTTED = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
"""Names of modules and their members, as after `_target_` in a configuration."""
IMPORTERS = frozenset(("import_module", "__import__", "walk_packages", "iter_modules", "spec_from_file_location", "run_path"))


class Imports:
    """The modules among some files, and what each of them imports.

    Args:
        files: paths below `root`; others are no modules.
        python_path: directories below `root` from which is imported, relative to it.
    """

    def __init__(self, root: Path, files: Iterable[PurePosixPath], python_path: Iterable[str]) -> None:
        self.root = root
        self.files = {file.as_posix() for file in files if file.suffix == ".py"}
        self.bases = list(dict.fromkeys(PurePosixPath(base) for base in (*python_path, ".")))
        self._named: dict[str, frozenset[str]] = {}

    def reached(self, starts: Iterable[str], texts: Iterable[str] = ()) -> set[str]:
        """Return files that the modules in the files `starts`, and modules named in `texts`, can import; all where in doubt."""
        waiting = {file for file in starts if file in self.files}
        waiting |= {file for text in texts for name in DOTTED.findall(text) for file in self._of(name)}
        found: set[str] = set()
        while waiting:
            file = waiting.pop()
            found.add(file)
            if (imported := self._imported(file)) is None:
                return self.files
            waiting |= imported - found
        return found

    def _of(self, name: str) -> frozenset[str]:
        """Return the files of the module of that name and of its packages; of a member of a module, that module's."""
        if name not in self._named:
            parts = name.split(".")
            paths = [base.joinpath(*parts[: length + 1]) for length in range(len(parts)) for base in self.bases]
            names = {text for path in paths for text in (f"{path}.py", f"{path}/__init__.py")}
            self._named[name] = frozenset(names & self.files)
        return self._named[name]

    @cache  # noqa: B019 (it lives as long as the sweep)
    def _imported(self, file: str) -> frozenset[str] | None:
        """Return the files that a module imports; None where that is decided when it runs."""
        try:
            tree = ast.parse((self.root / file).read_bytes())
        except (OSError, SyntaxError, ValueError):
            return None
        names: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _called(node) in IMPORTERS and not _is_literal(node):
                return None
            names.update(_names(node, self._packages(file)))
        own = (f"{folder}/__init__.py" for folder in PurePosixPath(file).parents)
        return frozenset(name for dotted in names for name in self._of(dotted)) | (frozenset(own) & self.files)

    def _packages(self, file: str) -> list[list[str]]:
        """Return the possible names of the package that holds a module."""
        folder = PurePosixPath(file).parent
        return [list(folder.relative_to(base).parts) for base in self.bases if folder.is_relative_to(base)]


def source_sha256(source: bytes) -> str:
    """Return a hash of a module in which comments and layout do not count; its text where that is no Python."""
    try:
        text = f"{sys.version_info[:2]} {ast.dump(ast.parse(source))}".encode()
    except (SyntaxError, ValueError):
        text = source
    return hashlib.sha256(text).hexdigest()


def _names(node: ast.AST, packages: list[list[str]]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = node.module.split(".") if node.module else []
        outer = packages if node.level else [[]]
        for package in outer:
            parts = [*package[: len(package) - node.level + 1 if node.level else 0], *module]
            yield ".".join(parts)
            yield from (".".join([*parts, alias.name]) for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from DOTTED.findall(node.value)


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def _is_literal(node: ast.Call) -> bool:
    return bool(node.args) and isinstance(node.args[0], ast.Constant)
