"""Keys that the schema has got since a run was saved: what the run did without them, so that it compares as what it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import asdict, fields, is_dataclass
from functools import lru_cache
from typing import Any

from paraphrase_lab.configuration.schema import GROUP_BASES, SCHEMAS
from paraphrase_lab.configuration.schema_fields import MISSING

BEFORE = {
    "data.test_fraction": 0.0,
    "model.compare_from_start": False,  # their keys equalled their queries, and nothing else was compared
}
"""What runs did that were saved before a key existed, where that is not its default."""

LATER_GROUPS = ("distil",)
"""Groups that runs have got since; they did what the defaults say."""
TOP_LEVEL = {"threshold": "0.5", "checklist": False}
"""Keys of no group that runs have got since, with what runs did before."""


def _schema_of(group: str, target: Any) -> type | None:
    """Return the schema of a group's keys by its `_target_`: of a class of a researcher's own, the keys that all share."""
    known = SCHEMAS.get(group, {}).values()
    by_target = {one.default: schema for schema in known for one in fields(schema) if one.name == "_target_"}
    only = next(iter(known)) if len(SCHEMAS.get(group, {})) == 1 and by_target.keys() <= {MISSING} else None
    return by_target.get(target, GROUP_BASES.get(group, only))


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a flat, resolved configuration with the keys it lacks; one that is not whole is returned as it is."""
    if not all(f"{group}._target_" in config for group in GROUP_BASES):
        return dict(config)
    groups = {key.partition(".")[0] for key in config if "." in key} & SCHEMAS.keys() | set(LATER_GROUPS)
    added: dict[str, Any] = {}
    for group in groups - {"study"}:
        added |= {key: value for key, value in defaults_of(group, config.get(f"{group}._target_")) if key not in config}
    whole = {**TOP_LEVEL, **config, **added}
    for key, value in added.items():
        while isinstance(value, str) and value.startswith("${"):
            value = whole.get(value[2:-1])
        whole[key] = value
    return whole


@lru_cache
def defaults_of(group: str, target: Any) -> tuple[tuple[str, Any], ...]:
    """Return the flat keys of a group with what runs did before they existed."""
    found = []
    schema = _schema_of(group, target)
    for one in fields(schema) if schema is not None else ():
        value = one.default_factory() if one.default_factory is not NO_DEFAULT else one.default
        if value != MISSING and not isinstance(value, Mapping):  # an empty mapping is no key
            key = f"{group}.{one.name}"
            below = asdict(value) if is_dataclass(value) and not isinstance(value, type) else None
            found += [(f"{key}.{name}", inner) for name, inner in below.items()] if below else [(key, BEFORE.get(key, value))]
    return tuple(found)
