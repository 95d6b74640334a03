"""JSON schemas of the configuration files, made from the dataclasses, so that editors complete keys and values."""

from __future__ import annotations

import ast
import inspect
import types
import typing
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from paraphrase_lab.configuration import schema, schema_data
from paraphrase_lab.configuration.schema import SCHEMAS, TrainConfig

INTERPOLATION = {"type": "string", "pattern": r"^\$\{.+\}$"}
SCALARS = {bool: "boolean", int: "integer", float: "number", str: "string"}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFAULTS = {"type": "array", "items": {"type": ["string", "object"]}, "description": "Hydra's defaults list."}


def file_schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of every kind of file: `train` for whole configurations, `GROUP.NAME` for a file of a group."""
    # The keys of conf/train.yaml, and of experiments, ablations, compute and debug files, which set any part of it.
    whole = _of_class(TrainConfig)
    whole["properties"]["hydra"] = {"type": "object", "description": "Hydra's own keys: hydra.launcher, hydra.sweeper, …"}
    found = {"train": whole}
    for group, known in SCHEMAS.items():
        whole["properties"][group] = {"anyOf": [_of_class(kind) for kind in known.values()]}
        found |= {f"{group}.{name}": _of_class(kind) for name, kind in known.items() if group != "study"}
    return {
        name: {"$schema": DIALECT, **one, "properties": {"defaults": DEFAULTS, **one["properties"]}}
        for name, one in found.items()
    }


def _of_class(kind: type) -> dict[str, Any]:
    hints, notes = typing.get_type_hints(kind), _attribute_docstrings(kind)
    properties = {}
    for one in fields(kind):
        described = {"description": notes[one.name]} if one.name in notes else {}
        default = {} if one.default in (NO_DEFAULT, None, "???") else {"default": one.default}
        properties[one.name] = {**described, **default, **_value(hints[one.name], one.metadata)}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _value(annotation: Any, limits: typing.Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a value of the type, or of `${…}`, which Hydra resolves."""
    if annotation is Any:
        return {}
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    options = [_one_type(one, limits) for one in (typing.get_args(annotation) if is_union else [annotation])]
    if {"type": "string"} not in options:
        options.append(INTERPOLATION)
    return options[0] if len(options) == 1 else {"anyOf": options}


def _one_type(kind: Any, limits: typing.Mapping[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is type(None):
        return {"type": "null"}
    if is_dataclass(kind):
        return _of_class(kind)  # type: ignore[arg-type]
    if origin is list:
        return {"type": "array", "items": _one_type(arguments[0], {})}
    if origin is dict:
        return {"type": "object"}
    if "choices" in limits:
        return {"enum": list(limits["choices"])}
    names = {"minimum": "minimum", "maximum": "maximum", "above": "exclusiveMinimum"}
    ranges = {names[name]: limit for name, limit in limits.items() if name in names and limit is not None}
    return {"type": SCALARS[kind], **ranges}


@cache
def _attribute_docstrings(kind: type) -> dict[str, str]:
    """Read the text below each field, base classes included."""
    classes = {
        one.name: one
        for module in (schema, schema_data)
        for one in ast.parse(inspect.getsource(module)).body
        if isinstance(one, ast.ClassDef)
    }
    notes: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        body = classes[base.__name__].body if base.__name__ in classes else []
        for field, text in zip(body, body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                notes[ast.unparse(field.target)] = " ".join(str(text.value.value).split())
    return notes
