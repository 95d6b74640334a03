"""Requests against botocore's own service model, so that the limits are AWS's documented ones and follow its upgrades."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.model import ServiceModel

from sagemaker_local.errors import ApiError

log = logging.getLogger("sagemaker_local")

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}
UNICODE_CLASSES = {
    r"\p{Alnum}": "a-zA-Z0-9",
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
"""Java's names, as members of a Python character class; \\w is wider than both by marks of connection."""


@functools.cache
def service_model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("sagemaker")


def validate(operation: str, request: Any) -> None:
    """Raises SerializationException for unknown fields and wrong types, ValidationException with every broken constraint."""
    model: Any = service_model().operation_model(operation)
    broken = list(violations(model.input_shape, request))
    if broken:
        raise validation_error(broken)


def validation_error(broken: list[str]) -> ApiError:
    plural = "" if len(broken) == 1 else "s"
    return ApiError("ValidationException", f"{len(broken)} validation error{plural} detected: {'; '.join(broken)}")


def null_violation(path: str) -> str:
    return f"Value null at '{path}' failed to satisfy constraint: Member must not be null"


def violations(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    kind: str = shape.type_name
    is_bool = type(value) is bool
    if not isinstance(value, JSON_TYPES[kind]) or is_bool != (kind == "boolean"):
        raise ApiError("SerializationException", f"{path or 'The request'} must be a {kind}, not {_json_type(value)}")
    yield from _size_violations(shape, value, path)
    if kind == "string":
        yield from _text_violations(shape, value, path)
    elif kind == "structure":
        yield from _structure_violations(shape, value, path)
    elif kind == "list":
        for number, item in enumerate(value, start=1):
            yield from violations(shape.member, item, f"{path}.{number}.member")
    elif kind == "map":
        for key, item in value.items():
            yield from violations(shape.key, key, f"{path}.key")
            yield from violations(shape.value, item, f"{path}.{key}.member")


def _structure_violations(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    unknown = sorted(set(value) - set(shape.members))
    if unknown:
        raise ApiError(
            "SerializationException", f"{prefix}{unknown[0]} is no field of {shape.name}: {', '.join(shape.members)}"
        )
    for name in shape.required_members:
        if value.get(name) is None:
            yield null_violation(prefix + _lower(name))
    for name, item in value.items():
        if item is not None:
            yield from violations(shape.members[name], item, prefix + _lower(name))


def _size_violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    is_number = isinstance(value, (int, float))
    size = value if is_number else len(value)
    what = "value" if is_number else "length"
    for bound, wrong, words in (("max", float.__gt__, "less"), ("min", float.__lt__, "greater")):
        limit = shape.metadata.get(bound)
        if limit is not None and wrong(float(size), float(limit)):
            shown = value if isinstance(value, (int, float, str)) else _collection(value)
            yield (
                f"Value '{shown}' at '{path}' failed to satisfy constraint: "
                f"Member must have {what} {words} than or equal to {limit}"
            )


def _text_violations(shape: Any, value: str, path: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield (
            f"Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {pattern}"
        )
    values = shape.metadata.get("enum")
    if values and value not in values:
        if shape.name.endswith("InstanceType"):  # AWS has new types before botocore knows them
            log.warning("%s: botocore does not know the instance type %s; accepted", path, value)
            return
        yield (
            f"Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(values)}]"
        )


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in UNICODE_CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def _collection(value: Any) -> str:
    return f"{len(value)} entries"


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def _json_type(value: Any) -> str:
    return "null" if value is None else type(value).__name__
