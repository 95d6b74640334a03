"""A CreateTrainingJob request against botocore's service model: its fields, types, lengths, ranges, patterns and enumerations.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

_LONGEST_SHOWN = 60
_VALUES_NOT_SHOWN = ("Environment", "HyperParameters", "AlgorithmSpecification.ContainerArguments")
_PYTHON_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "structure": (dict, "a mapping"),
    "map": (dict, "a mapping"),
    "list": ((list, tuple), "a list"),
    "string": (str, "text"),
    "integer": (int, "a whole number"),
    "long": (int, "a whole number"),
    "boolean": (bool, "true or false"),
}
_IN_WORDS = {
    "TrainingJobName": "letters, digits and hyphens, a letter or digit at both ends",
    "RoleArn": "arn:aws:iam::ACCOUNT:role/NAME, the account in 12 digits",
    "TrainingEnvironmentKey": "letters, digits and _, no digit at the beginning",
    "TagKey": "letters, digits, spaces and _ . : / = + - @",
    "TagValue": "letters, digits, spaces and _ . : / = + - @",
}
_CHARACTER_CLASS = re.compile(r"\(?\[(?:[^\[\]\\]|\\.)+\][*+]\)?")
_NO_LETTER = "\uffff"  # no character of Unicode, so that a class never is empty
_LINE_BREAK = re.compile("[\n\r\x85\u2028\u2029]")
_INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+")
_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|arn:.+")


@lru_cache(maxsize=1)
def request_shape() -> Any:
    """botocore's StructureShape of the request; the first call reads the model, 0.3 s."""
    import botocore.session

    return botocore.session.Session().get_service_model("sagemaker").operation_model("CreateTrainingJob").input_shape


class Walk:
    """One pass over a request and the model's shapes side by side."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def check(self, shape: Any, value: Any, path: str) -> None:
        python_type, wanted = _PYTHON_TYPES.get(shape.type_name, (object, ""))
        if value is None:
            self.problems.append(f"{path} is empty: give {wanted} or leave it out")
        elif not isinstance(value, python_type) or (wanted == "a whole number" and isinstance(value, bool)):
            shown = "" if path.startswith(_VALUES_NOT_SHOWN) or isinstance(value, (dict, list)) else f" {_shown(value)}"
            self.problems.append(f"{path} is {type(value).__name__}{shown}: it must be {wanted}")
        else:
            self._check_size(shape, value, path)
            getattr(self, f"_check_{shape.type_name}", _accept)(shape, value, path)

    def _check_size(self, shape: Any, value: Any, path: str) -> None:
        size = len(value) if isinstance(value, (str, dict, list, tuple)) else value
        kind = {"string": " characters long", "integer": "", "long": ""}.get(shape.type_name, " entries")
        verb = "has" if kind == " entries" else "is"
        for limit, too_far in (("min", lambda bound: size < bound), ("max", lambda bound: size > bound)):
            bound = shape.metadata.get(limit)
            if bound is not None and too_far(bound):
                self.problems.append(f"{path} {verb} {size}{kind}: at {'least' if limit == 'min' else 'most'} {bound}")

    def _check_structure(self, shape: Any, value: dict[str, Any], path: str) -> None:
        prefix = f"{path}." if path else ""
        self.problems += [f"{prefix}{name} is missing" for name in shape.required_members if name not in value]
        for name, member in value.items():
            if name in shape.members:
                self.check(shape.members[name], member, f"{prefix}{name}")
            else:
                self.problems.append(
                    f"{prefix}{name} is no field of CreateTrainingJob: {_suggestion(str(name), shape.members)}"
                )

    def _check_map(self, shape: Any, value: dict[str, Any], path: str) -> None:
        for name, member in value.items():
            self.check(shape.key, name, f"the name {_shown(name)} in {path}")
            self.check(shape.value, member, f"{path}[{name!r}]")

    def _check_list(self, shape: Any, value: list[Any], path: str) -> None:
        for index, member in enumerate(value):
            self.check(shape.member, member, f"{path}[{index}]")

    def _check_string(self, shape: Any, value: str, path: str) -> None:
        if shape.enum:
            self._check_enum(shape, value, path)
        pattern = shape.metadata.get("pattern", "")
        if pattern and not _matches(pattern, value):
            self.problems.append(_misfit(shape.name, pattern, value, path))
        elif shape.name == "S3Uri" and value.startswith("s3://") and not _BUCKET.fullmatch(value[5:].partition("/")[0]):
            rule = "3 to 63 lowercase letters, digits, hyphens and dots, as in s3://BUCKET/PREFIX"
            self.problems.append(f"{path} {_shown(value)} names no possible bucket: {rule}")

    def _check_enum(self, shape: Any, value: str, path: str) -> None:
        if value in shape.enum:
            return
        text = f"{path} {_shown(value)} is not known: {_suggestion(value, shape.enum)}"
        if shape.name == "TrainingInstanceType" and _INSTANCE_TYPE.fullmatch(value):
            self.warnings.append(f"{text}; a type newer than the installed botocore is accepted")
        else:
            self.problems.append(text)


def _accept(*_: Any) -> None: ...


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _suggestion(name: str, valid: Any) -> str:
    candidates = [*get_close_matches(name, valid, n=1), *get_close_matches(f"ml.{name}", valid, n=1, cutoff=0.9)]
    if candidates:
        return f"did you mean {candidates[-1]}?"
    return f"valid: {', '.join(sorted(valid)[:30])}{', ...' if len(valid) > 30 else ''}"


def _matches(pattern: str, value: str) -> bool:
    """As the service, which is written in Java, reads a pattern; one that Python cannot read is left to the service."""
    if pattern in (".*", ".+"):
        return _LINE_BREAK.search(value) is None  # more of them than Python's dot leaves out; the length is checked elsewhere
    try:
        return re.fullmatch(python_pattern(pattern, value), value, re.ASCII) is not None
    except re.error:
        return True


def python_pattern(pattern: str, value: str) -> str:
    r"""With the letters of `value` in the place of Java's \p{L} and the like, which Python's `re` does not have."""

    def members(match: re.Match[str]) -> str:
        if match[1] == "Alnum":
            return "a-zA-Z0-9"
        letters = sorted(letter for letter in set(value) if unicodedata.category(letter).startswith(match[1]))
        return _NO_LETTER + "".join(map(re.escape, letters))

    return re.sub(r"\\p\{(\w+)\}", members, pattern)


def _misfit(shape_name: str, pattern: str, value: str, path: str) -> str:
    if pattern in (".*", ".+"):
        return f"{path} holds a line break: put text of several lines into a file that travels with the code"
    shown = "" if path.startswith((*_VALUES_NOT_SHOWN, "the name ")) else f" {_shown(value)}"
    strangers = [repr(letter) for letter in sorted(set(value)) if not _matches(pattern, letter)]
    wrong = (
        f"holds {' '.join(strangers)}"
        if strangers and _CHARACTER_CLASS.fullmatch(pattern)
        else "has another form than is valid"
    )
    return f"{path}{shown} {wrong}: {_IN_WORDS.get(shape_name, 'valid is')} ({pattern})"
