"""Checks requests against botocore's own service model, and refuses them in the service's words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from hydra_sagemaker.aws.request_limits import Path, Violation, request_shape, violations
from sagemaker_local.errors import ApiError, invalid

log = logging.getLogger("sagemaker_local")


def validate(operation: str, request: Any) -> None:
    """Check a request.

    Raises SerializationException for unknown fields and wrong types, ValidationException with every broken constraint.
    """
    found = list(violations(request_shape(operation), request))
    for one in found:
        if one.kind in ("type", "unknown"):
            raise ApiError("SerializationException", _not_readable(one))
    if broken := [sentence for one in found if (sentence := _sentence(one)) is not None]:
        raise validation_error(broken)


def validation_error(broken: list[str]) -> ApiError:
    plural = "" if len(broken) == 1 else "s"
    return invalid(f"{len(broken)} validation error{plural} detected: {'; '.join(broken)}")


def null_violation(path: str) -> str:
    return f"Value null at '{path}' failed to satisfy constraint: Member must not be null"


def _not_readable(one: Violation) -> str:
    if one.kind == "unknown":
        name, holder = one.path[-1][1], _dotted(one.path[:-1])
        return f"{f'{holder}.' if holder else ''}{name} is no field of {one.shape.name}: {', '.join(one.shape.members)}"
    found = "null" if one.value is None else type(one.value).__name__
    return f"{_dotted(one.path) or 'The request'} must be a {one.shape.type_name}, not {found}"


def _sentence(one: Violation) -> str | None:
    """Return what is wrong with a value; None for what the service accepts."""
    path, value, rules = _dotted(one.path), one.value, one.shape.metadata
    match one.kind:
        case "missing" | "null":
            return null_violation(path) if one.path[-1][1] in one.shape.required_members else None
        case "min" | "max":
            is_number = isinstance(value, (int, float))
            value = f"{len(value)} entries" if isinstance(value, (dict, list)) else value
            order = "less" if one.kind == "max" else "greater"
            rule = f"have {'value' if is_number else 'length'} {order} than or equal to {rules[one.kind]}"
        case "pattern":
            rule = f"satisfy regular expression pattern: {rules['pattern']}"
        case "enum" if one.shape.name.endswith("InstanceType"):  # AWS has new types before botocore knows them
            log.warning("%s: botocore does not know the instance type %s; accepted", path, value)
            return None
        case "enum":
            rule = f"satisfy enum value set: [{', '.join(rules['enum'])}]"
        case _:
            return None
    return f"Value '{value}' at '{path}' failed to satisfy constraint: Member must {rule}"


def _dotted(path: Path) -> str:
    """Write a path as the service does: `tags.1.member.value`."""
    steps: dict[str, Callable[[Any], str]] = {
        "field": lambda name: name[0].lower() + name[1:],
        "item": lambda index: f"{index + 1}.member",
        "key": lambda _: "key",
        "value": lambda name: f"{name}.member",
    }
    return ".".join(steps[kind](name) for kind, name in path)
