"""Keys of the model `Tiny` that were renamed after 0.1.0: old names are refused with the new one, and old runs are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TARGET = "paraphrase_lab.model.encoder.Tiny"
"""A model of a researcher's own keeps its arguments, whatever they are called."""
RENAMED = {
    "model.layers": "model.num_layers",
    "model.width": "model.hidden_size",
    "model.heads": "model.num_heads",
    "model.vocabulary": "model.vocab_size",
    "model.window": "model.local_attention",
    "model.initial_scale": "model.initializer_range",
}


def renamed_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a nested configuration of any release with today's keys."""
    model = config.get("model")
    if not isinstance(model, Mapping) or model.get("_target_") != TARGET:
        return dict(config)
    return {**config, "model": {_renamed(f"model.{key}").partition(".")[2]: value for key, value in model.items()}}


def renamed_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run.json of any release with today's keys in `config`, `follows` and `overrides`."""
    config = record.get("config") or {}
    if config.get("model._target_") != TARGET:
        return dict(record)
    follows, words = record.get("follows") or {}, record.get("overrides") or []
    split = [str(word).partition("=") for word in words]
    return {
        **record,
        "config": {_renamed(key): value for key, value in config.items()},
        "follows": {_renamed(key): _renamed(source) for key, source in follows.items()},
        "overrides": [f"{_renamed(key)}{sign}{value}" for key, sign, value in split],
    }


def _renamed(key: str) -> str:
    """Return today's name; an override's key may begin with + or ~."""
    name = key.lstrip("+~")
    return f"{key.removesuffix(name)}{RENAMED.get(name, name)}"
