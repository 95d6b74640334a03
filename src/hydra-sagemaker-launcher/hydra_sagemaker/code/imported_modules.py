"""Finds the imported modules below the code's root: the task needs them where it runs, too."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import cache
from pathlib import Path
from types import ModuleType

from hydra_sagemaker.job.task import TaskReference

OWN_PACKAGE = __name__.partition(".")[0]
"""The launcher: bundled separately."""


def loaded_files(root: Path) -> dict[str, list[str]]:
    """Map a module to the paths of its file below `root`, two where one goes through a link. Installed modules do not count."""
    found: dict[str, list[str]] = {}
    for name, module in list(sys.modules.items()):
        file = _file(module)
        if file is None or name == OWN_PACKAGE or name.startswith(f"{OWN_PACKAGE}."):
            continue
        if _is_installed(file) or _is_installed(real := os.path.realpath(file)):
            continue
        inside = [path for path in dict.fromkeys((file, real)) if path.startswith(f"{str(root).rstrip('/')}/")]
        if inside and os.path.isfile(file):
            found[name] = [os.path.relpath(path, root).replace(os.sep, "/") for path in inside]
    return found


def without_entry_point(loaded: dict[str, list[str]], task: TaskReference | None) -> dict[str, list[str]]:
    """Leave out the script that started this process, unless it holds the task: no job imports it.

    It may have several names: libraries of multiprocessing give it a second one, __mp_main__.
    """
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    is_task = task is None or task.script is not None or (spec is not None and spec.name == task.module)
    return loaded if is_task else {name: paths for name, paths in loaded.items() if sys.modules.get(name) is not main}


def task_file(task: TaskReference | None, root: Path) -> Path | None:
    if task is None:
        return None
    if task.script is not None:
        return root / task.script
    main = sys.modules["__main__"]
    is_main = getattr(getattr(main, "__spec__", None), "name", None) == task.module
    file = _file(main if is_main else sys.modules.get(task.module or ""))
    return Path(file) if file else None


def _file(module: object) -> str | None:
    """Read `__file__` without getattr, which makes lazy modules import their parts."""
    file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
    return os.path.abspath(file) if isinstance(file, str) else None


def _is_installed(path: str) -> bool:
    parts = path.split(os.sep)
    return "site-packages" in parts or "dist-packages" in parts or path.startswith(_standard_library())


@cache
def _standard_library() -> tuple[str, ...]:
    """Return the paths of the standard library, which may lie below the root with a virtual environment."""
    found = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    return tuple(f"{directory}{os.sep}" for path in found for directory in {path, os.path.realpath(path)})
