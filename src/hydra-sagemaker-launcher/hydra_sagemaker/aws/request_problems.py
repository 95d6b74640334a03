"""Finds what CreateTrainingJob would refuse, all of it at once and in words, before anything is sent.

The rules here stand in the texts of botocore's service model, not in its shapes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from hydra_sagemaker.aws.request_limits import Path, Violation, matches, request_shape, violations
from hydra_sagemaker.pricing.prices import DEFAULT_RUNTIME_SECONDS, SECONDS_PER_HOUR
from hydra_sagemaker.settings import LONGEST_WARM_MINUTES

MAX_RUNTIME_SECONDS = 28 * 24 * SECONDS_PER_HOUR
LONGEST_WARM_SECONDS = 60 * LONGEST_WARM_MINUTES
LONGEST_OF_THE_MODEL = 21_600  # beyond it the model itself refuses
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


class Findings(NamedTuple):
    problems: list[str]
    warnings: list[str]


def request_problems(request: Mapping[str, Any]) -> Findings:
    """Return problems and oddities; no text holds the value of a variable, a hyperparameter or an argument."""
    found = Findings([], [])
    for one in violations(request_shape(), request):
        (found.warnings if _is_new_instance_type(one) else found.problems).append(_wording(one))
    found.problems.extend(
        text for rule in (_sections, _instances, _warm_pool, _stopping, _channels, _tags) for text in rule(request)
    )
    found.warnings.extend(_without_effect(request))
    return found


def _section(request: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = request.get(name)
    return section if isinstance(section, dict) else {}


def _entries(request: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    entries = request.get(name)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, (list, tuple)) else []


def _seconds(stopping: Mapping[str, Any], name: str, default: int | None = None) -> int | None:
    value = stopping.get(name, default)
    return value if isinstance(value, int) else None


def _sections(request: Mapping[str, Any]) -> Iterator[str]:
    """The model makes these optional since there are serverless jobs."""
    if "ServerlessJobConfig" in request:
        return
    for name in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if name not in request:
            yield f"{name} is missing"
    given = [name for name in ("TrainingImage", "AlgorithmName") if _section(request, "AlgorithmSpecification").get(name)]
    if "AlgorithmSpecification" in request and len(given) != 1:
        yield f"AlgorithmSpecification has {' and '.join(given) or 'no image'}: give one of TrainingImage, AlgorithmName"


def _instances(request: Mapping[str, Any]) -> Iterator[str]:
    if not (resources := _section(request, "ResourceConfig")):
        return
    kinds = ("InstanceType", "InstanceGroups", "InstancePreferences")
    given = [name for name in kinds if resources.get(name)]
    if len(given) != 1:
        yield f"ResourceConfig has {' and '.join(given) or 'no instances'}: give one of {', '.join(kinds)}"
    count = resources.get("InstanceCount", 0 if "InstanceType" in given else 1)
    if isinstance(count, int) and count < 1:
        yield "ResourceConfig.InstanceCount is missing or 0: at least 1"
    if "InstancePreferences" in given and request.get("EnableManagedSpotTraining"):
        yield "EnableManagedSpotTraining is on with ResourceConfig.InstancePreferences: spot needs one InstanceType"
    if resources.get("VolumeSizeInGB") == 0:
        yield "ResourceConfig.VolumeSizeInGB is 0: at least 1, or leave it out for a type with disks of its own"
    for name in ("SelectedInstanceType", "SelectedInstanceCount"):
        if name in resources:
            yield f"ResourceConfig.{name} is what the service answers: it is not accepted in a request"


def _warm_pool(request: Mapping[str, Any]) -> Iterator[str]:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools.html"""
    resources = _section(request, "ResourceConfig")
    seconds = resources.get("KeepAlivePeriodInSeconds")
    if not isinstance(seconds, int) or seconds <= 0:
        return
    field, off = "ResourceConfig.KeepAlivePeriodInSeconds", "hydra.launcher.keep_warm_minutes=null"
    if LONGEST_WARM_SECONDS < seconds <= LONGEST_OF_THE_MODEL:
        yield f"{field} is {seconds}: at most {LONGEST_WARM_SECONDS} (60 minutes)"
    if request.get("EnableManagedSpotTraining"):
        yield f"{field} is {seconds} with spot: SageMaker keeps no spot machines warm: {off}, or hydra.launcher.spot=false"
    for several in ("InstanceGroups", "InstancePreferences"):
        if resources.get(several):
            yield f"{field} is {seconds} with {several}: SageMaker keeps machines of one type only: {off}"


def _stopping(request: Mapping[str, Any]) -> Iterator[str]:
    stopping = _section(request, "StoppingCondition")
    runtime = _seconds(stopping, "MaxRuntimeInSeconds", DEFAULT_RUNTIME_SECONDS)
    wait = _seconds(stopping, "MaxWaitTimeInSeconds")
    if runtime is not None and runtime > MAX_RUNTIME_SECONDS:
        yield f"StoppingCondition.MaxRuntimeInSeconds is {runtime}: at most {MAX_RUNTIME_SECONDS} (28 days)"
    if not request.get("EnableManagedSpotTraining"):
        return
    if "MaxWaitTimeInSeconds" not in stopping:
        yield f"StoppingCondition.MaxWaitTimeInSeconds is missing: spot needs at least MaxRuntimeInSeconds ({runtime})"
    elif wait is not None and runtime is not None and wait < runtime:
        yield f"StoppingCondition.MaxWaitTimeInSeconds is {wait}: at least MaxRuntimeInSeconds ({runtime}), which it includes"


def _channels(request: Mapping[str, Any]) -> Iterator[str]:
    channels = _entries(request, "InputDataConfig")
    names = Counter(str(channel.get("ChannelName")) for channel in channels)
    yield from (
        f"InputDataConfig has {count} channels named {name!r}: names must differ" for name, count in names.items() if count > 1
    )
    for index, channel in enumerate(channels):
        source = channel.get("DataSource")
        if isinstance(source, dict) and len(source) != 1:
            yield f"InputDataConfig[{index}].DataSource has {len(source)} sources: exactly one, such as S3DataSource"


def _tags(request: Mapping[str, Any]) -> Iterator[str]:
    keys = Counter(str(tag.get("Key")) for tag in _entries(request, "Tags"))
    yield from (f"Tags has {count} tags with the key {key!r}: keys must differ" for key, count in keys.items() if count > 1)
    yield from (
        f"Tags has the key {key!r}: keys that begin with aws: belong to AWS" for key in keys if key.lower().startswith("aws:")
    )


def _without_effect(request: Mapping[str, Any]) -> Iterator[str]:
    if "InstanceType" in _section(request, "ResourceConfig") and "VolumeSizeInGB" not in request["ResourceConfig"]:
        yield "ResourceConfig.VolumeSizeInGB is not set: an instance type without disks of its own (NVMe) needs it"
    if "MaxWaitTimeInSeconds" in _section(request, "StoppingCondition") and not request.get("EnableManagedSpotTraining"):
        yield "StoppingCondition.MaxWaitTimeInSeconds is set without EnableManagedSpotTraining: it is meant for spot training"


def _is_new_instance_type(one: Violation) -> bool:
    """Return whether AWS may know an instance type that the installed botocore does not."""
    return one.kind == "enum" and one.shape.name == "TrainingInstanceType" and bool(INSTANCE_TYPE.fullmatch(one.value))


def _wording(one: Violation) -> str:
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
            return f"{text}; a type newer than the installed botocore is accepted" if _is_new_instance_type(one) else text
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
