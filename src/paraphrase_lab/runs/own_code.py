"""A researcher's own modules, named by `_target_`: found, fingerprinted, copied into the run and importable from there."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paraphrase_lab.paths import PACKAGE_DIR

CODE_DIR = "code"


def targets(config: Any) -> Iterator[str]:
    """Every `_target_` anywhere in a plain configuration."""
    if isinstance(config, Mapping):
        if isinstance(config.get("_target_"), str):
            yield config["_target_"]
        for value in config.values():
            yield from targets(value)
    elif isinstance(config, list):
        for value in config:
            yield from targets(value)


def own_modules(config: Any) -> dict[str, Path]:
    """Top-level name -> file or package directory of the modules that no installed distribution provides."""
    found = {}
    for name in sorted({target.partition(".")[0] for target in targets(config)}):
        path = _location(name)
        if path is not None and path != PACKAGE_DIR and not _is_installed(path):
            found[name] = path
    return found


def source_files(modules: Mapping[str, Path]) -> list[Path]:
    """Code and configuration, and nothing else that may lie beside them."""
    found: list[Path] = []
    for path in modules.values():
        found += [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.yaml")])
    return found


def copy_code(modules: Mapping[str, Path], run_dir: Path) -> None:
    """So that the run can be evaluated where the module is not installed."""
    for path in modules.values():
        for file in source_files({path.name: path}):
            target = run_dir / CODE_DIR / file.relative_to(path.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)


def make_importable(run_dir: Path) -> None:
    """Puts the run's copy of its own code last on the path: what is installed comes first."""
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
