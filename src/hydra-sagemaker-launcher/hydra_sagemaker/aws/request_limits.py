"""Checks a request against botocore's service model: its fields, types, lengths, ranges, patterns and enumerations.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from botocore.model import ServiceModel

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list, tuple),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "boolean": (bool,),
}
NO_LETTER = "\uffff"  # no character of Unicode, so that a class is never empty
LINE_BREAK = re.compile("[\n\r\x85\u2028\u2029]")
BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|arn:.+")
Path = tuple[tuple[str, Any], ...]
"""Steps from the request to a value: ("field", name), ("item", index), ("key", name) or ("value", name) of a map."""


class Violation(NamedTuple):
    kind: str
    """missing, null or unknown (fields of a structure); type, min, max, enum, pattern, bucket (values)."""
    path: Path
    shape: Any
    """botocore's shape of the value; of a field that is missing, null or unknown, the structure that holds it."""
    value: Any = None


@cache
def service_model() -> ServiceModel:
    """Return botocore's model of SageMaker; the first call reads it, 0.3 s."""
    from botocore.loaders import create_loader
    from botocore.model import ServiceModel

    loader = create_loader(os.environ.get("AWS_DATA_PATH"))  # a session would want the profile of AWS_PROFILE
    return ServiceModel(loader.load_service_model("sagemaker", "service-2"), "sagemaker")


def request_shape(operation: str = "CreateTrainingJob") -> Any:
    return service_model().operation_model(operation).input_shape


def violations(shape: Any, value: Any, path: Path = ()) -> Iterator[Violation]:
    """Yield everything in `value` that the model does not allow; a value of a wrong type is not looked into."""
    kind = shape.type_name
    given: object = value
    if not isinstance(given, PYTHON_TYPES.get(kind, (object,))) or (isinstance(given, bool) and kind != "boolean"):
        yield Violation("type", path, shape, value)
        return
    size = len(given) if isinstance(given, (str, dict, list, tuple)) else value
    for limit, sign in (("min", 1), ("max", -1)):
        bound = shape.metadata.get(limit)
        if bound is not None and sign * size < sign * bound:
            yield Violation(limit, path, shape, value)
    if kind == "string":
        if shape.enum and value not in shape.enum:
            yield Violation("enum", path, shape, value)
        if not matches(shape.metadata.get("pattern", ""), value):
            yield Violation("pattern", path, shape, value)
        elif shape.name == "S3Uri" and value.startswith("s3://") and not BUCKET.fullmatch(value[5:].partition("/")[0]):
            yield Violation("bucket", path, shape, value)
    elif kind == "structure":
        yield from _field_violations(shape, value, path)
    elif kind == "list":
        for index, item in enumerate(value):
            yield from violations(shape.member, item, (*path, ("item", index)))
    elif kind == "map":
        for name, item in value.items():
            yield from violations(shape.key, name, (*path, ("key", name)))
            yield from violations(shape.value, item, (*path, ("value", name)))


def _field_violations(shape: Any, value: dict[str, Any], path: Path) -> Iterator[Violation]:
    for name in shape.required_members:
        if name not in value:
            yield Violation("missing", (*path, ("field", name)), shape)
    for name, item in value.items():
        place = (*path, ("field", name))
        if name not in shape.members:
            yield Violation("unknown", place, shape, item)
        elif item is None:
            yield Violation("null", place, shape)
        else:
            yield from violations(shape.members[name], item, place)


def matches(pattern: str, value: str) -> bool:
    """Return whether the service, written in Java, accepts `value`; a pattern that Python cannot read accepts everything."""
    if pattern in ("", ".*", ".+"):
        return not pattern or LINE_BREAK.search(value) is None  # more of them than Python's dot leaves out
    with suppress(re.error):
        return re.fullmatch(python_pattern(pattern, value), value, re.ASCII) is not None
    return True


def python_pattern(pattern: str, value: str) -> str:
    r"""Translate a pattern of Java's: `re` has no \p{L} and the like, so the letters of `value` stand in their place."""

    def members(match: re.Match[str]) -> str:
        if match[1] == "Alnum":
            return "a-zA-Z0-9"
        letters = sorted(letter for letter in set(value) if unicodedata.category(letter).startswith(match[1]))
        return NO_LETTER + "".join(map(re.escape, letters))

    return re.sub(r"\\p\{(\w+)\}", members, pattern)
