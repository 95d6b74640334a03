"""The first stage on a composed configuration: every key known, given, of its type and in its range. No torch."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationToMissingValueError, OmegaConfBaseException
from omegaconf.errors import InterpolationValidationError as WrongTypeThere

from paraphrase_lab.check.fields import Key, described, fitting, inner_schema, key_at, keys_of, schema_of
from paraphrase_lab.check.mixture import mixture_problems
from paraphrase_lab.check.rules import RULES
from paraphrase_lab.check.suggestions import HIDDEN_KEYS, closest, did_you_mean, dotted_keys, names_in, no_such_key, shown
from paraphrase_lab.configuration.hydra_internals import child, is_absent, leaves, raw_value, root_of
from paraphrase_lab.configuration.schema import TrainConfig
from paraphrase_lab.configuration.settings import FRAMEWORK_RESOLVERS
from paraphrase_lab.runs.configuration import followed

SECTIONS = ("data", "model", "loss", "optimizer", "scheduler", "trainer", "distil")
OPEN_MAPPINGS = ("metrics", "callbacks", "logger")
STUDY = "study"


class Problem(NamedTuple):
    sentence: str
    keys: tuple[str, ...] = ()
    """Those it is about."""
    follows: str = ""
    """The key whose value was taken by `${key}`: when that one has a problem itself, this one says nothing new."""


def value_problems(config: DictConfig) -> list[str]:
    problems = [*broken_interpolations(config)]
    values: dict[str, Any] = {}
    if unknown := [key for key in names_in(config) if key not in keys_of(TrainConfig)]:
        known = OmegaConf.masked_copy(config, [str(key) for key in config.keys() if key not in unknown])  # what to suggest
        problems += [Problem(no_such_key(known, key)) for key in unknown]
    top = [key for name, key in keys_of(TrainConfig).items() if name not in (*SECTIONS, *OPEN_MAPPINGS, STUDY)]
    problems += _fields(config, "", config, top, values)
    study = child(config, STUDY)
    has_study = isinstance(study, DictConfig) and not is_absent(study)  # of an ablation, since there are studies
    for group in (*SECTIONS, STUDY) if has_study else SECTIONS:
        problems += _section(config, group, values)
    for group in OPEN_MAPPINGS:
        problems += _open_mapping(config, group)
    problems += [Problem(sentence) for sentence in mixture_problems(config)]
    blamed = {key for problem in problems for key in problem.keys}
    first = [problem.sentence for problem in problems if problem.follows not in blamed]
    return list(dict.fromkeys([*first, *(sentence for rule in RULES for sentence in rule(values))]))


def _section(config: DictConfig, group: str, values: dict[str, Any]) -> Iterator[Problem]:
    node = child(config, group)
    if not isinstance(node, DictConfig) or is_absent(node):
        yield Problem(f"{group} is empty: choose one of its files with {group}=NAME.", (group,))
        return
    schema, has_free_keys = schema_of(config, group)
    known = keys_of(schema) if schema is not None else {}
    if has_free_keys and not isinstance(node.get("_target_"), str):
        start = f"begin its file with 'defaults: [/schema/{group}/own@_here_, _self_]' and " if known else ""
        yield Problem(f"{group} has no _target_: {start}name the class or function with _target_: package.module.Name.")
    if not has_free_keys:
        for name in names_in(node):
            if name not in known:
                yield Problem(no_such_key(config, f"{group}.{name}"))
    absent = [name for name in known if child(node, name) is None and name not in HIDDEN_KEYS]
    if absent and has_free_keys:
        yield Problem(
            f"{group} lacks the keys that every {group} has ({', '.join(absent)}): "
            f"begin its file with 'defaults: [/schema/{group}/own@_here_, _self_]'.",
            tuple(f"{group}.{name}" for name in absent),
        )
        known = {name: key for name, key in known.items() if name not in (*absent, "_target_")}
    yield from _fields(config, group, node, list(known.values()), values)
    if has_free_keys:
        for name in names_in(node):
            if name not in known and OmegaConf.is_missing(node, name):
                yield Problem(f"{group}.{name} has no value yet: give it with {group}.{name}=VALUE.", (f"{group}.{name}",))


def _fields(config: DictConfig, group: str, node: DictConfig, known: list[Key], values: dict[str, Any]) -> Iterator[Problem]:
    for key in known:
        dotted = f"{group}.{key.name}" if group else key.name
        if child(node, key.name) is None:
            yield Problem(f"{dotted} is not there: it must be {described(key)}.", (dotted,))
        elif OmegaConf.is_missing(node, key.name):
            yield Problem(f"{dotted} has no value yet: give it with {dotted}=VALUE ({described(key)}).", (dotted,))
        elif (inner := inner_schema(key)) is not None:
            yield from _inner(config, dotted, child(node, key.name), inner, values)
        else:
            try:
                value = node[key.name]
                value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            except OmegaConfBaseException:
                continue  # it was reported elsewhere
            value, problem = fitting(key, value)
            if problem is None:
                values[dotted] = value
            else:
                yield Problem(f"{dotted}={shown(value)} {problem}", (dotted,), followed(raw_value(child(node, key.name))))


def _inner(config: DictConfig, dotted: str, node: Any, schema: type, values: dict[str, Any]) -> Iterator[Problem]:
    known = keys_of(schema)
    if not isinstance(node, DictConfig) or is_absent(node):
        yield Problem(f"{dotted} must be a mapping with the keys {', '.join(known)}.", (dotted,))
        return
    yield from (Problem(no_such_key(config, f"{dotted}.{name}")) for name in names_in(node) if name not in known)
    yield from _fields(config, dotted, node, list(known.values()), values)


def _open_mapping(config: DictConfig, group: str) -> Iterator[Problem]:
    node = child(config, group)
    if not isinstance(node, DictConfig):
        yield Problem(f"{group} is not there: choose one of its files with {group}=NAME.")
        return
    for name in names_in(node):
        entry = child(node, name)
        if group != "metrics" and entry is not None and raw_value(entry) is None:
            continue
        if not isinstance(entry, DictConfig) or "_target_" not in entry:
            near = closest(name, [other for other in names_in(node) if other != name])
            meant = did_you_mean(f"{group}.{near}" if near else None)
            yield Problem(f"{group}.{name} has no _target_, which names its class or function as package.module.Name.{meant}")


def broken_interpolations(config: DictConfig, prefix: str = "") -> Iterator[Problem]:
    """Find the `${…}` that lead nowhere, anywhere below `config`."""
    root = root_of(config)
    for dotted, parent, name in leaves(config, prefix):
        text = raw_value(child(parent, name))
        if not isinstance(text, str) or not OmegaConf.is_interpolation(parent, name):
            continue
        if any(resolver in text for resolver in FRAMEWORK_RESOLVERS):
            continue
        if (sentence := _unresolved(root, dotted, parent, name, text)) is not None:
            yield Problem(sentence, (dotted,), followed(text))


def _unresolved(root: Any, dotted: str, parent: Any, name: Any, text: str) -> str | None:
    try:
        parent[name]
    except InterpolationToMissingValueError:
        return None  # the key that misses its value is reported itself
    except InterpolationKeyError as error:
        meant = closest(text.removeprefix("${").removesuffix("}"), set(dotted_keys(root)) - {dotted})
        return f"{dotted}={text}: {_reason(error)}.{did_you_mean('${' + meant + '}' if meant else None)}"
    except WrongTypeThere as error:
        key = key_at(root, dotted)
        must = f"must be {described(key)}" if key is not None else _reason(error)
        return f"{dotted}={text}: what it points at does not fit; {dotted} {must}."
    except (OmegaConfBaseException, RecursionError) as error:
        return f"{dotted}={text}: {_reason(error)}."
    return None


def _reason(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it points at itself"
    return str(error).splitlines()[0].rstrip(".")
