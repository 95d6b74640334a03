"""Names the task function so that another process can import it, and imports it there."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from hydra_sagemaker.errors import LauncherError

SCRIPT_MODULE = "__hydra_job__"
"""The name of a script while its task is imported: anything but __main__, so that it does not start itself."""


@dataclass(frozen=True)
class TaskReference:
    name: str
    """Qualified name within the module or script."""
    module: str | None = None
    script: str | None = None
    """Path relative to the code's root."""


def refuse_closure(task: Callable[..., Any], mode: str) -> None:
    """Refuse what no other machine can import.

    Raises:
        LauncherError: a closure, a lambda or an object with `__call__`, outside mode local.
    """
    if mode.rpartition(".")[2] != "local" and _module(task) is None:
        raise LauncherError(
            "the task is a closure or an object, which another machine cannot import: "
            "make it a function at the top of a module, or use hydra.launcher.mode=local."
        )


def reference_to(task: Callable[..., Any], root: Path) -> TaskReference | None:
    """Name a task; None for one that cannot be imported: a closure, a lambda, an object with `__call__`."""
    name, module = getattr(task, "__qualname__", ""), _module(task)
    if module is None:
        return None
    if module.__name__ != "__main__":
        return TaskReference(name, module=module.__name__)
    if (spec := getattr(module, "__spec__", None)) is not None:  # python -m package.module
        return TaskReference(name, module=spec.name)
    file = Path(getattr(module, "__file__", "") or "").resolve()
    if not file.is_file():  # a notebook, an interactive session
        return None
    if not file.is_relative_to(root):
        raise LauncherError(
            f"the script {file} is not below the code's root {root}: set hydra.launcher.code.root to a directory above both."
        )
    return TaskReference(name, script=file.relative_to(root).as_posix())


def _module(task: Callable[..., Any]) -> Any:
    """Return the module that has the task at its top; None where there is none."""
    name = getattr(task, "__qualname__", "")
    module = sys.modules.get(getattr(task, "__module__", None) or "")
    if module is None or not inspect.isfunction(task) or without_hydra_main(attribute(module, name)) is not task:
        return None
    return module


def load(reference: TaskReference, root: Path) -> Callable[..., Any]:
    """Import a task.

    Raises:
        LauncherError: the module has no such function.
    """
    where = reference.script or reference.module or ""
    if reference.script is None:
        module = importlib.import_module(where)
    else:
        script = root / where
        sys.path.insert(0, str(script.parent))
        loader = SourceFileLoader(SCRIPT_MODULE, str(script))
        spec = importlib.util.spec_from_file_location(SCRIPT_MODULE, script, loader=loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[SCRIPT_MODULE] = module  # pickle and type hints look there for the classes of the script
        loader.exec_module(module)
    found = attribute(module, reference.name)
    if not callable(found):
        raise LauncherError(f"{where} has no function {reference.name}")
    return without_hydra_main(found)


def attribute(found: Any, name: str) -> Any:
    """Return an attribute by its qualified name, None where there is none."""
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def without_hydra_main(found: Any) -> Any:
    """Return the task: `hydra.main` leaves a wrapper under the function's name; decorators below it belong to the task."""
    while getattr(found, "__globals__", {}).get("__name__") == "hydra.main" and hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return found
