"""The words of a problem: what is wrong, what was probably meant, what is valid."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, ListConfig

from paraphrase_lab.configuration.hydra_internals import child, is_absent
from paraphrase_lab.configuration.renamed import RENAMED
from paraphrase_lab.configuration.schema import SCHEMAS

HIDDEN_KEYS = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")
OTHER_LIBRARIES = {
    "hidden": "hidden_size", "dim": "hidden_size", "num_hidden_layers": "num_layers", "depth": "num_layers",
    "num_attention_heads": "num_heads", "max_seq_length": "max_length", "per_device_train_batch_size": "batch_size",
    "num_train_epochs": "max_epochs", "gradient_accumulation_steps": "accumulate_grad_batches",
    "max_grad_norm": "gradient_clip_val", "warmup_ratio": "warmup_fraction", "learning_rate": "lr", "r": "rank",
}  # fmt: skip
"""The names of other libraries for a key, with ours."""


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is spelt nearly so, or that another library calls nearly so."""
    candidates = list(candidates)
    if matches := difflib.get_close_matches(word, candidates, n=1, cutoff=0.6):
        return matches[0]
    parent, _, leaf = word.rpartition(".")
    prefix = f"{parent}." if parent else ""
    known = [name for name, ours in OTHER_LIBRARIES.items() if f"{prefix}{ours}" in candidates]
    matches = difflib.get_close_matches(leaf, known, n=1, cutoff=0.8)
    return f"{prefix}{OTHER_LIBRARIES[matches[0]]}" if matches else None


def meant_or_valid(near: str | None, valid: str) -> str:
    """Return " Did you mean 'x'?", or what is valid where nothing is near."""
    return did_you_mean(near) or f" {valid}"


def did_you_mean(*words: str | None) -> str:
    """Return a sentence with a leading blank, or nothing."""
    given = [f"'{word}'" for word in words if word]
    return f" Did you mean {' or '.join(given)}?" if given else ""


def listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def shown(value: Any) -> str:
    """Format a value as it would be typed."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple, ListConfig)):
        return f"[{','.join(shown(item) for item in value)}]"
    return str(value)


def names_in(node: Any) -> list[str]:
    is_mapping = isinstance(node, DictConfig) and not is_absent(node)
    return [str(key) for key in node.keys() if key not in HIDDEN_KEYS] if is_mapping else []


def dotted_keys(node: Any, prefix: str = "") -> Iterator[str]:
    """Yield every key of the configuration but those of the hydra node."""
    for name in names_in(node):
        if prefix or name != "hydra":
            yield f"{prefix}{name}"
            yield from dotted_keys(child(node, name), f"{prefix}{name}.")


def first_missing(config: DictConfig, parts: Sequence[str]) -> tuple[Any, int]:
    """Return the deepest existing node on the way to a key, and how many parts of the key lead to it."""
    node: Any = config
    for depth, part in enumerate(parts):
        below = child(node, part)
        if below is None:
            return node, depth
        node = below
    return node, len(parts)


def no_such_key(config: DictConfig, key: str, *, typed: str = "", groups: Sequence[str] = ()) -> str:
    """Tell of a key that is not there; `typed` is the override that named it, `groups` may be meant at the top."""
    parts = key.split(".")
    if key in RENAMED and first_missing(config, RENAMED[key].split("."))[1] == 2:
        return f"{key} was renamed: type {RENAMED[key]}=…"
    parent, depth = first_missing(config, parts[:-1])
    place, part = ".".join(parts[:depth]), parts[depth]
    subject = f"{typed}: " if typed and typed != key else ""
    if not isinstance(parent, (DictConfig, ListConfig)):
        return f"{subject}{place} is a value and has no keys, so there is no '{key}'."
    siblings = [name for name in names_in(parent) if name != part]
    near = closest(part, [*siblings, *groups] if not place else siblings)
    if len(parts) > 1 and (ends := [known for known in dotted_keys(config) if known.endswith(f".{key}")]):
        meant = ends[:3]
    elif near:
        meant = [_corrected(config, place, near, parts[depth + 1 :])]
    else:
        meant = _same_name_below_another_key(config, parts[-1])
    problem = f"{subject}there is no key '{key}'."
    if depth == 1 and (others := _options_with(parts)):
        return f"{problem} {listed(f'{parts[0]}={name}' for name in others)} has it."
    if meant:
        return f"{problem}{did_you_mean(*meant)}"
    valid = listed(name for name in siblings if place or name != "hydra")
    also = f"; groups: {listed(group for group in groups if group not in siblings)}" if groups and not place else ""
    return f"{problem} {f'Keys of {place}' if place else 'Keys at the top'}: {valid}{also}."


def _options_with(parts: Sequence[str]) -> list[str]:
    """Name the options of the group in which the key, which this one lacks, is known by the schema."""
    return [name for name, schema in SCHEMAS.get(parts[0], {}).items() if parts[1] in {entry.name for entry in fields(schema)}]


def _corrected(config: DictConfig, place: str, near: str, rest: Sequence[str]) -> str:
    corrected = f"{place}.{near}" if place else near
    whole = [*corrected.split("."), *rest]
    return ".".join(whole) if first_missing(config, whole)[1] == len(whole) else corrected


def _same_name_below_another_key(config: DictConfig, name: str) -> list[str]:
    known = list(dotted_keys(config))
    same = [key for key in known if key.rpartition(".")[2] == name]
    if not same:
        near = difflib.get_close_matches(name, {key.rpartition(".")[2] for key in known}, n=1, cutoff=0.8)
        same = [key for key in known if near and key.rpartition(".")[2] == near[0]]
    return same[:3]
