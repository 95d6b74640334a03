"""What CreateTrainingJob would refuse, all of it at once and in words, before anything is sent.

Fields, lengths, ranges, patterns and enumerations are read from botocore's service model; the rules after the walk are those that
the model states in its texts only.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from botocore.model import Shape

_SECONDS_PER_DAY = 24 * 3600
_DEFAULT_RUNTIME_SECONDS = _SECONDS_PER_DAY
_MAX_RUNTIME_SECONDS = 28 * _SECONDS_PER_DAY
_LONGEST_SHOWN = 60
_VALUES_NOT_SHOWN = ("Environment[", "HyperParameters[")
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
_LINE_BREAK = re.compile("[\n\r\x85\u2028\u2029]")
_INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+")
_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|arn:.+")


class Findings(NamedTuple):
    problems: list[str]
    warnings: list[str]


def request_problems(request: Mapping[str, Any]) -> Findings:
    """No text holds the value of an environment variable or a hyperparameter."""
    walk = _Walk()
    walk.check(_request_shape(), request, "")
    walk.problems += [text for rule in (_sections, _instances, _stopping, _channels, _tags) for text in rule(request)]
    walk.warnings += _without_effect(request)
    return Findings(walk.problems, walk.warnings)


@lru_cache(maxsize=1)
def _request_shape() -> Shape:
    import botocore.session

    shape = botocore.session.Session().get_service_model("sagemaker").operation_model("CreateTrainingJob").input_shape
    assert shape
    return shape


class _Walk:
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
            self.check(shape.key, name, f"the name {name!r} in {path}")
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
            self.problems.append(
                f"{path} {_shown(value)} names no possible bucket: 3 to 63 lowercase letters, digits, hyphens and dots, as in s3://BUCKET/PREFIX"
            )

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
    r"""As the service reads a pattern: ASCII classes, and Java's \p{L} for what Python's `re` does not have."""

    def members(match: re.Match[str]) -> str:
        if match[1] == "Alnum":
            return "a-zA-Z0-9"
        return "".join(re.escape(letter) for letter in sorted(set(value)) if unicodedata.category(letter).startswith(match[1]))

    return re.fullmatch(re.sub(r"\\p\{(\w+)\}", members, pattern), value, re.ASCII) is not None


def _misfit(shape_name: str, pattern: str, value: str, path: str) -> str:
    if pattern in (".*", ".+") and _LINE_BREAK.search(value):
        return f"{path} holds a line break: put text of several lines into a file that travels with the code"
    shown = "" if path.startswith((*_VALUES_NOT_SHOWN, "the name ")) else f" {_shown(value)}"
    strangers = [repr(letter) for letter in sorted(set(value)) if not _matches(pattern, letter)]
    wrong = (
        f"holds {' '.join(strangers)}"
        if strangers and _CHARACTER_CLASS.fullmatch(pattern)
        else "has another form than is valid"
    )
    return f"{path}{shown} {wrong}: {_IN_WORDS.get(shape_name, 'valid is')} ({pattern})"


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
    """The model leaves these open for the sake of serverless jobs."""
    if "ServerlessJobConfig" in request:
        return
    for name in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if name not in request:
            yield f"{name} is missing"
    given = [name for name in ("TrainingImage", "AlgorithmName") if _section(request, "AlgorithmSpecification").get(name)]
    if "AlgorithmSpecification" in request and len(given) != 1:
        yield f"AlgorithmSpecification has {'both' if given else 'neither'} TrainingImage {'and' if given else 'nor'} AlgorithmName: give one"


def _instances(request: Mapping[str, Any]) -> Iterator[str]:
    resources = _section(request, "ResourceConfig")
    if not resources:
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


def _stopping(request: Mapping[str, Any]) -> Iterator[str]:
    stopping = _section(request, "StoppingCondition")
    runtime = _seconds(stopping, "MaxRuntimeInSeconds", _DEFAULT_RUNTIME_SECONDS)
    wait = _seconds(stopping, "MaxWaitTimeInSeconds")
    if runtime is not None and runtime > _MAX_RUNTIME_SECONDS:
        yield f"StoppingCondition.MaxRuntimeInSeconds is {runtime}: at most {_MAX_RUNTIME_SECONDS} (28 days)"
    if not request.get("EnableManagedSpotTraining"):
        return
    if "MaxWaitTimeInSeconds" not in stopping:
        yield f"StoppingCondition.MaxWaitTimeInSeconds is missing: spot needs at least MaxRuntimeInSeconds ({runtime})"
    elif wait is not None and runtime is not None and wait < runtime:
        yield f"StoppingCondition.MaxWaitTimeInSeconds is {wait}: at least MaxRuntimeInSeconds ({runtime}), for it counts the run, too"


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
