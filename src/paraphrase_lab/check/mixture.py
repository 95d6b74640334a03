"""The first stage on the data sets of a mixture: each has the keys of its kind, with values that fit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from paraphrase_lab.check.fields import described, fitting, keys_of, schema_of_node
from paraphrase_lab.check.findings import Warned
from paraphrase_lab.check.rules import fold, labels, pairs
from paraphrase_lab.check.suggestions import listed, names_in, no_such_key, shown
from paraphrase_lab.configuration.hydra_internals import child, is_absent
from paraphrase_lab.configuration.quoting import named_in_mixture
from paraphrase_lab.configuration.schema_data import DataConfig

OF_THE_MIXTURE = (
    "on_truncation", "batch_size", "batch_tokens", "clusters_together", "evaluation_batch_tokens", "num_workers", "epochs",
)  # fmt: skip
"""Keys that every data set has, and that have no effect in a source: they are those of the mixture."""
OVERRULED = ("on_truncation", "batch_size", "batch_tokens", "evaluation_batch_tokens")
"""Keys of the mixture that a source's own file may have set for a reason."""
GROUP_OF_A_SOURCE = "has no effect: in a mixture the group of a pair is its source"
OF_THE_SOURCES = ("on_bad_rows", "validation_fraction", "test_fraction", "folds", "fold")
"""Keys that have no effect in the mixture: each source is read and cut by itself."""


def key_without_effect(config: DictConfig, parts: Sequence[str], text: str) -> str | None:
    """Return what is wrong with an override of a source's key, which has an effect as a key of the mixture alone."""
    is_of_source = len(parts) == 4 and list(parts[:2]) == ["data", "sources"] and parts[3] in OF_THE_MIXTURE
    if not is_of_source or text.startswith("~") or child(child(config, "data"), "sources") is None:
        return None
    return f"{text} has no effect: it is set for all sources together, as in data.{parts[3]}={text.partition('=')[2]}."


def mixture_problems(config: DictConfig) -> Iterator[str]:
    data = child(config, "data")
    sources = child(data, "sources") if isinstance(data, DictConfig) and not is_absent(data) else None
    if not isinstance(sources, DictConfig) or is_absent(sources):
        return
    for name in names_in(sources):
        yield from _source_problems(config, f"data.sources.{name}", child(sources, name))
    yield from _cuts_without_effect(data)
    weights = child(data, "weights")
    for name in names_in(weights):
        if name not in sources:
            yield f"data.weights.{name}: there is no such source. Sources: {listed(names_in(sources))}."
        elif not isinstance(weight := weights[name], int | float) or isinstance(weight, bool) or not weight >= 0:
            yield f"data.weights.{name}={shown(weight)} must be 0 or more: how often a pair comes in an epoch."
    if names_in(sources) and all(name in weights and weights[name] == 0 for name in names_in(sources)):
        yield "data.weights are 0 for all sources, which leaves nothing to train on: one of them must be above 0."


def overruled_findings(plain: Mapping[str, Any]) -> Iterator[Warned]:
    """Warn of values in the file of a source that the mixture overrules with its own."""
    data = plain["data"]
    usual = {field.name: field.default for field in fields(DataConfig)} | {"batch_size": plain["model"].get("batch_size")}
    for name, node in (data.get("sources") or {}).items():
        found = [key for key in OVERRULED if node.get(key) not in (usual[key], data[key])]
        if found:
            own = ", ".join(f"{key}={shown(node[key])}" for key in found)
            instead = ", ".join(f"data.{key}={shown(data[key])}" for key in found)
            yield Warned(f"data.sources.{name} has {own} in its file, which the mixture does not use: it has {instead}.")


def _cuts_without_effect(data: DictConfig) -> Iterator[str]:
    usual = {field.name: field.default for field in fields(DataConfig)}
    for name in OF_THE_SOURCES:
        if name in data and not OmegaConf.is_missing(data, name) and data[name] != usual[name]:
            yield (
                f"data.{name}={shown(data[name])} has no effect in a mixture, whose sources are read and cut one by one: "
                f"data.sources.NAME.{name}={shown(data[name])}."
            )


def _source_problems(config: DictConfig, place: str, node: object) -> Iterator[str]:
    if not isinstance(node, DictConfig) or is_absent(node) or "_target_" not in node:
        yield f"{place} is no data set: +data@{place}=NAME chooses a file of data, as in +data@{place}=pairs."
        return
    schema, has_free_keys = schema_of_node(node, "data")
    known = keys_of(schema) if schema is not None else {}
    values: dict[str, Any] = {}
    for name in names_in(node):
        if name not in known:
            if not has_free_keys:
                yield no_such_key(config, f"{place}.{name}")
            continue
        if OmegaConf.is_missing(node, name):
            yield f"{place}.{name} has no value yet: give it with {place}.{name}=VALUE ({described(known[name])})."
            continue
        try:
            value = node[name]
        except OmegaConfBaseException:
            continue  # it is reported with all interpolations
        plain = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        value, problem = fitting(known[name], plain)
        if problem is not None:
            yield f"{place}.{name}={shown(plain)} {problem}"
        else:
            values[f"data.{name}"] = value
    for rule in (labels, pairs, fold):
        yield from (named_in_mixture(sentence, place) for sentence in rule(values))
    if values.get("data.group") is not None:
        yield f"{place}.group={shown(node['group'])} {GROUP_OF_A_SOURCE}."
    own, longest = node.get("max_length"), config.data.get("max_length")
    if isinstance(own, int) and isinstance(longest, int) and own > longest:
        yield f"{place}.max_length={own} is more than data.max_length={longest}, which the model takes: data.max_length={own}."
