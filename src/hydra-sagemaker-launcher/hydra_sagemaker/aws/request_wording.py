"""Describes violations of the CreateTrainingJob model in sentences: the field, its value, what is valid."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from hydra_sagemaker.aws.request_model import Path, Violation, matches

LONGEST_SHOWN = 60
VALUES_NOT_SHOWN = ("Environment", "HyperParameters", "AlgorithmSpecification.ContainerArguments")
TYPES = {
    "structure": "a mapping",
    "map": "a mapping",
    "list": "a list",
    "string": "text",
    "integer": "a whole number",
    "long": "a whole number",
    "boolean": "true or false",
}
FORMS = {
    "TrainingJobName": "letters, digits and hyphens, a letter or digit at both ends",
    "RoleArn": "arn:aws:iam::ACCOUNT:role/NAME, the account in 12 digits",
    "TrainingEnvironmentKey": "letters, digits and _, no digit at the beginning",
    "TagKey": "letters, digits, spaces and _ . : / = + - @",
    "TagValue": "letters, digits, spaces and _ . : / = + - @",
}
CHARACTER_CLASS = re.compile(r"\(?\[(?:[^\[\]\\]|\\.)+\][*+]\)?")
INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+")


def is_new_instance_type(one: Violation) -> bool:
    """Return whether AWS may know an instance type that the installed botocore does not."""
    return one.kind == "enum" and one.shape.name == "TrainingInstanceType" and bool(INSTANCE_TYPE.fullmatch(one.value))


def wording(one: Violation) -> str:
    path, shape, value = _shown_path(one.path), one.shape, one.value
    match one.kind:
        case "missing":
            return f"{path} is missing"
        case "unknown":
            return f"{path} is no field of CreateTrainingJob: {_suggestion(str(one.path[-1][1]), shape.members)}"
        case "null":
            return f"{path} is empty: give {TYPES.get(shape.members[one.path[-1][1]].type_name)} or leave it out"
        case "type" if value is None:
            return f"{path} is empty: give {TYPES.get(shape.type_name)} or leave it out"
        case "type":
            shown = "" if path.startswith(VALUES_NOT_SHOWN) or isinstance(value, (dict, list)) else f" {_shown(value)}"
            return f"{path} is {type(value).__name__}{shown}: it must be {TYPES.get(shape.type_name, shape.type_name)}"
        case "enum":
            text = f"{path} {_shown(value)} is not known: {_suggestion(value, shape.enum)}"
            return f"{text}; a type newer than the installed botocore is accepted" if is_new_instance_type(one) else text
        case "pattern":
            return _misfit(one, path)
        case "bucket":
            rule = "3 to 63 lowercase letters, digits, hyphens and dots, as in s3://BUCKET/PREFIX"
            return f"{path} {_shown(value)} names no possible bucket: {rule}"
    size = len(value) if isinstance(value, (str, dict, list, tuple)) else value
    unit = {"string": " characters long", "integer": "", "long": ""}.get(shape.type_name, " entries")
    verb = "has" if unit == " entries" else "is"
    return f"{path} {verb} {size}{unit}: at {'least' if one.kind == 'min' else 'most'} {shape.metadata[one.kind]}"


def _shown_path(path: Path) -> str:
    text = ""
    for kind, name in path:
        if kind == "field":
            text = f"{text}.{name}" if text else str(name)
        else:
            text = f"the name {_shown(name)} in {text}" if kind == "key" else f"{text}[{name!r}]"
    return text


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _suggestion(name: str, valid: Any) -> str:
    candidates = [*get_close_matches(name, valid, n=1), *get_close_matches(f"ml.{name}", valid, n=1, cutoff=0.9)]
    if candidates:
        return f"did you mean {candidates[-1]}?"
    return f"valid: {', '.join(sorted(valid)[:30])}{', ...' if len(valid) > 30 else ''}"


def _misfit(one: Violation, path: str) -> str:
    pattern = one.shape.metadata["pattern"]
    if pattern in (".*", ".+"):
        return f"{path} holds a line break: put text of several lines into a file that is bundled with the code"
    shown = "" if path.startswith((*VALUES_NOT_SHOWN, "the name ")) else f" {_shown(one.value)}"
    strangers = [repr(letter) for letter in sorted(set(one.value)) if not matches(pattern, letter)]
    wrong = "has another form than is valid"
    if strangers and CHARACTER_CLASS.fullmatch(pattern):
        wrong = f"holds {' '.join(strangers)}"
    return f"{path}{shown} {wrong}: {FORMS.get(one.shape.name, 'valid is')} ({pattern})"
