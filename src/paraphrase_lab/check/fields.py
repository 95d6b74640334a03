"""The values that a key may hold, read off the schema: its type, range and choices, and whether a value fits them."""

import dataclasses
import math
import operator
import types
import typing
from functools import cache
from typing import Any, NamedTuple, Union

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ValidationError

from paraphrase_lab.check.suggestions import closest, did_you_mean, shown
from paraphrase_lab.configuration.hydra_internals import child, is_absent
from paraphrase_lab.configuration.schema import GROUP_BASES, SCHEMAS, SchedulerConfig, TrainConfig
from paraphrase_lab.paths import absence, can_exist

LIMITS = {"minimum": operator.ge, "maximum": operator.le, "above": operator.gt}


class Key(NamedTuple):
    """A field of a schema with its evaluated type."""

    name: str
    hint: Any
    metadata: dict[str, Any]


@cache
def keys_of(schema: type) -> dict[str, Key]:
    hints = typing.get_type_hints(schema)
    return {entry.name: Key(entry.name, hints[entry.name], dict(entry.metadata)) for entry in dataclasses.fields(schema)}


def schema_of(config: DictConfig, group: str) -> tuple[type | None, bool]:
    """Find the schema of a section, by the types of a composed configuration and by the `_target_` of a saved one.

    Returns:
        The schema; whether the `_target_` is a researcher's own, whose arguments stand beside the keys of the schema.
    """
    return schema_of_node(child(config, group), group)


def schema_of_node(node: Any, group: str) -> tuple[type | None, bool]:
    """Find the schema of a node that stands where a file of the group was chosen: see `schema_of`."""
    known = OmegaConf.get_type(node) if isinstance(node, DictConfig) else None
    if known is not None and dataclasses.is_dataclass(known):
        return typing.cast(type, known), False
    target = node.get("_target_") if isinstance(node, DictConfig) and not is_absent(node) else None
    for schema in SCHEMAS.get(group, {}).values():
        if "_target_" not in keys_of(schema) or (target is not None and target == getattr(schema, "_target_", None)):
            return schema, False
    if group == "scheduler" and str(target).startswith("paraphrase_lab.training.optimisation."):
        return SchedulerConfig, False
    return GROUP_BASES.get(group), True


def key_at(config: DictConfig, dotted: str) -> Key | None:
    """Return the key of a value; None where the schema has none, or keys below it."""
    *above, name = dotted.partition("[")[0].split(".")
    schema = schema_of(config, above[0])[0] if above else TrainConfig
    for part in above[1:]:
        schema = inner_schema(keys_of(schema).get(part)) if schema is not None else None
    found = keys_of(schema).get(name) if schema is not None else None
    return None if inner_schema(found) else found


def inner_schema(key: Key | None) -> type | None:
    """Return the schema of the keys below a key, as of model.lora; None where it holds a value."""
    return key.hint if key is not None and isinstance(key.hint, type) and dataclasses.is_dataclass(key.hint) else None


def described(key: Key) -> str:
    """Complete "must be …"."""
    hint, optional = _without_none(key.hint)
    metadata = key.metadata
    if metadata.get("choices"):
        text = "one of " + ", ".join(shown(choice) for choice in metadata["choices"] if choice is not None)
    elif metadata.get("path"):
        text = "an existing file or directory"
    else:
        text = f"{_noun(hint)}{_range(metadata)}"
    return f"{text}, or null" if optional else text


def fitting(key: Key, value: Any) -> tuple[Any, str | None]:
    """Return the value in its type, and what is wrong with it (completing "KEY=VALUE …")."""
    hint, optional = _without_none(key.hint)
    if value is None and optional or hint is Any:
        return value, None
    try:
        value = _converted(hint, value)
    except ValidationError:
        return value, f"must be {described(key)}."
    choices = key.metadata.get("choices")
    if choices and value not in choices:
        return value, f"must be {described(key)}.{did_you_mean(closest(str(value), [c for c in choices if c]))}"
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not _in_range(value, key.metadata):
        return value, f"must be {described(key)}."
    if key.metadata.get("path") and not can_exist(str(value)):
        return value, absence(str(value))
    return value, None


@cache
def _scratch(hint: Any) -> DictConfig:
    holder = dataclasses.make_dataclass("Holder", [("value", hint, dataclasses.field(default="???"))])
    return OmegaConf.structured(holder)


def _converted(hint: Any, value: Any) -> Any:
    if type(value) is hint:
        return value
    scratch = _scratch(hint)
    scratch.value = value
    converted = scratch.value
    return OmegaConf.to_container(converted) if OmegaConf.is_config(converted) else converted


def _in_range(value: float, metadata: dict[str, Any]) -> bool:
    limits = ((holds, metadata.get(name)) for name, holds in LIMITS.items())
    return math.isfinite(value) and all(limit is None or holds(value, limit) for holds, limit in limits)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) in (Union, types.UnionType) and type(None) in typing.get_args(hint):
        return next(kind for kind in typing.get_args(hint) if kind is not type(None)), True
    return hint, False


def _noun(hint: Any) -> str:
    nouns = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    if typing.get_origin(hint) is list:
        return "a list of numbers" if typing.get_args(hint) == (float,) else "a list, [name,name]"
    if typing.get_origin(hint) is dict:
        return "a mapping, {name:value}"
    return nouns.get(hint, "a value")


def _range(metadata: dict[str, Any]) -> str:
    minimum, maximum, above = (metadata.get(name) for name in ("minimum", "maximum", "above"))
    if minimum is not None:
        return f" from {minimum:.10g} to {maximum:.10g}" if maximum is not None else f", {minimum:.10g} or more"
    if above is not None:
        return f" above {above:.10g}" + (f" and at most {maximum:.10g}" if maximum is not None else "")
    return f", at most {maximum:.10g}" if maximum is not None else ""
