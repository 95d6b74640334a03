"""A researcher's own modules, named by `_target_`: found, fingerprinted, copied into the run and importable from there."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paraphrase_lab.paths import PACKAGE_DIR

CODE_DIR = "code"


def nodes_with_target(node: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every node of a plain configuration that has a `_target_`, and its dotted key."""
    if isinstance(node, Mapping):
        if isinstance(node.get("_target_"), str):
            yield place, node
        for name, below in node.items():
            yield from nodes_with_target(below, f"{place}.{name}" if place else str(name))
    elif isinstance(node, list):
        for index, below in enumerate(node):
            yield from nodes_with_target(below, f"{place}[{index}]")


def own_modules(config: Any) -> dict[str, Path]:
    """Return file or package directory of the modules that no installed distribution provides, by their top-level names."""
    found = {}
    for name in sorted({node["_target_"].partition(".")[0] for _, node in nodes_with_target(config)}):
        path = _location(name)
        if path is not None and path != PACKAGE_DIR and not _is_installed(path):
            found[name] = path
    return found


def source_files(modules: Mapping[str, Path]) -> list[Path]:
    """List code and configuration, and nothing else that may lie beside them."""
    found: list[Path] = []
    for path in modules.values():
        found += [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.yaml")])
    return found


def copy_code(modules: Mapping[str, Path], run_dir: Path) -> None:
    """Copy the modules into the run, which can then be evaluated where they are not installed."""
    for path in modules.values():
        for file in source_files({path.name: path}):
            target = run_dir / CODE_DIR / file.relative_to(path.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)


def make_importable(run_dir: Path) -> None:
    """Put the run's copy of its own code last on the path: what is installed comes first."""
    code = run_dir / CODE_DIR
    if code.is_dir() and str(code) not in sys.path:
        sys.path.append(str(code))


def _location(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None


def _is_installed(path: Path) -> bool:
    standard_library = Path(importlib.util.__file__).resolve().parent.parent
    parts = path.resolve().parts
    return "site-packages" in parts or "dist-packages" in parts or standard_library in path.resolve().parents
