"""Finds the distributions that a process has imported, so that its result says with which versions it was computed."""

from __future__ import annotations

import sys
from importlib import metadata

from packaging.utils import canonicalize_name


def imported_versions() -> dict[str, str]:
    """Return the version of each distribution of which a module is imported, by its canonical name.

    The list of a distribution's files is read only where neither its name nor `top_level.txt` names what is imported:
    all lists together take half a second.
    """
    modules = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names
    found: dict[str, str] = {}
    without_names: list[metadata.Distribution] = []
    named: set[str] = set()
    for distribution in metadata.distributions():
        name = canonicalize_name(distribution.metadata["Name"] or "")
        listed = (distribution.read_text("top_level.txt") or "").split()
        if own := modules.intersection(listed or [name.replace("-", "_")]):
            found.setdefault(name, distribution.version)
            named |= own
        elif not listed:
            without_names.append(distribution)
    missing = {name for name in modules - named if getattr(sys.modules.get(name), "__file__", None)}
    for distribution in without_names if missing else ():
        files = distribution.read_text("RECORD") or ""
        if any(f"\n{name}/" in f"\n{files}" or f"\n{name}.py," in f"\n{files}" for name in missing):
            found.setdefault(canonicalize_name(distribution.metadata["Name"] or ""), distribution.version)
    return found
