"""Measures a checkout: sizes of files and functions, and how modules and folders import each other.

    python scripts/structure.py [--root DIR]

Needs the standard library alone and imports nothing of the checkout, so that it also measures an old one (`git worktree add`).
A unit is a folder or a loose module directly below a package. Levels: how many units the longest chain of imports has, where
units in a circle count as one. Upward edges: the fewest imports between units without which there is no circle.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from statistics import median

NAMESPACE = "hydra_plugins"
"""Its folders are packages of their own."""
PERMUTED_AT_MOST = 7
Graph = dict[str, set[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--root", type=Path, default=Path(__file__).resolve().parents[1], help="the checkout (default: this one)"
    )
    root = parser.parse_args().root
    if not (root / "src").is_dir():
        parser.error(f"{root} has no folder src; name the root of a checkout")
    print(table(measure(root)))
    print(f"\nlines of src {lines_of(root / 'src'):,}, of tests {lines_of(root / 'tests'):,}")


def measure(root: Path) -> dict[str, dict[str, object]]:
    """Return the measures of each package with more than three modules, and of all together, by package name."""
    files = module_files(root / "src")
    trees = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in files.items()}
    graph = {name: set(imported(tree, name, files)) - {name} for name, tree in trees.items()}
    packages: dict[str, list[str]] = {}
    for name in files:
        packages.setdefault(package_of(name), []).append(name)
    found = {package: names for package, names in packages.items() if len(names) > 3}
    return {
        label: {**sizes(names, files, trees), **(edges(names, graph) if label != "all" else {})}
        for label, names in {**found, "all": list(files)}.items()
    }


def module_files(source: Path) -> dict[str, Path]:
    """Map dotted names to files; a folder of `source` with a pyproject.toml is a root of imports too."""
    roots = [file.parent for file in source.glob("*/pyproject.toml")] + [source]
    files = {}
    for file in sorted(source.rglob("*.py")):
        parts = file.relative_to(next(root for root in roots if file.is_relative_to(root))).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return files


def package_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] == NAMESPACE else 1])


def imported(tree: ast.Module, name: str, files: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of `files` that `name` imports, in functions too, but not under TYPE_CHECKING."""
    hidden = {id(node) for branch in ast.walk(tree) if _only_for_types(branch) for node in ast.walk(branch)}
    package = name if files[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        if isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                yield from [one for one in (f"{base}.{alias.name}", base) if one in files][:1]


def _only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def sizes(names: list[str], files: dict[str, Path], trees: dict[str, ast.Module]) -> dict[str, object]:
    lines = {name: len(files[name].read_text(encoding="utf-8").splitlines()) for name in names}
    functions = {
        f"{name}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name in names
        for node in ast.walk(trees[name])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    longest_file, longest_function = max(lines, key=lines.__getitem__), max(functions, key=functions.__getitem__)
    return {
        "modules": len(names),
        "lines": sum(lines.values()),
        "median file": round(median(lines.values())),
        "longest file": lines[longest_file],
        "which file": longest_file.rpartition(".")[2],
        "functions": len(functions),
        "median function": round(median(functions.values())),
        "longest function": functions[longest_function],
        "which function": longest_function.rpartition(".")[2],
    }


def edges(names: list[str], graph: Graph) -> dict[str, object]:
    """Return levels and edges between the modules of one package, and between its units."""
    modules = {name: graph[name] & set(names) for name in names}
    depth = package_of(names[0]).count(".") + 1

    def unit(name: str) -> str:
        return ".".join(name.split(".")[: depth + 1])

    units: Graph = {unit(name): set() for name in names}
    for name, others in modules.items():
        units[unit(name)] |= {unit(other) for other in others} - {unit(name)}
    return {
        "module levels": levels(modules),
        "module edges": sum(map(len, modules.values())),
        "units": len(units),
        "unit levels": levels(units),
        "unit edges": sum(map(len, units.values())),
        "upward edges": len(found := [edge for group in circles(units) for edge in upward(group, units)]),
        "which edges": " ".join(f"{one.split('.')[-1]}>{other.split('.')[-1]}" for one, other in sorted(found)),
    }


def reached(graph: Graph, start: str) -> set[str]:
    """Return `start` and everything that it imports, directly or not."""
    found, waiting = {start}, [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def circles(graph: Graph) -> list[frozenset[str]]:
    """Return the groups of nodes that import each other; a node in no circle is a group of its own."""
    below = {name: reached(graph, name) for name in graph}
    return list({frozenset(other for other in below[name] if name in below[other]) for name in graph})


def levels(graph: Graph) -> int:
    group_of = {name: group for group in circles(graph) for name in group}
    height: dict[frozenset[str], int] = {}

    def climb(group: frozenset[str]) -> int:
        if group not in height:
            lower = {group_of[other] for name in group for other in graph[name]} - {group}
            height[group] = 1 + max(map(climb, lower), default=0)
        return height[group]

    return max(map(climb, group_of.values()))


def upward(group: frozenset[str], graph: Graph) -> list[tuple[str, str]]:
    """Return the edges of a circle that point up, in the order of its units in which the fewest do.

    Every order is tried of up to 7 units; of more the one by imports received less imports made, which may count too many.
    """
    few = sorted(group, key=lambda name: len(graph[name] & group) - len([other for other in group if name in graph[other]]))
    orders = permutations(few) if len(few) <= PERMUTED_AT_MOST else [tuple(few)]
    return min(
        (
            [(name, other) for place, name in enumerate(order) for other in order[place + 1 :] if other in graph[name]]
            for order in orders
        ),
        key=len,
    )


def lines_of(folder: Path) -> int:
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in folder.rglob("*.py"))


def table(columns: dict[str, dict[str, object]]) -> str:
    """Return a markdown table, one column a package."""
    rows = list(max(columns.values(), key=len))
    cells = [["", *columns], *([row, *(str(column.get(row, "")) for column in columns.values())] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(cells[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
