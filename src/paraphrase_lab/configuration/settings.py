"""A run's configuration, resolved once where it enters: everything behind takes it from here."""

from __future__ import annotations

import copy
import re
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf, read_write

from paraphrase_lab.configuration.hydra_internals import child, leaves, raw_value
from paraphrase_lab.paths import with_home

FRAMEWORK_RESOLVERS = ("${hydra:", "${now:")
"""Known only once a run has started."""
STAND_IN = "known-once-the-run-starts"


class Settings(NamedTuple):
    composed: DictConfig
    """As Hydra composed it, with its `${…}`: what config.yaml keeps."""
    plain: dict[str, Any]
    """Resolved, with a stand-in for what differs from one start to the next: run.json and fingerprints are made of it."""
    config: DictConfig
    """Resolved: what a run is built from."""


def resolved(config: DictConfig) -> Settings:
    """Resolve the configuration of a run that Hydra has started."""
    plain = plain_config(config)
    live: Any = OmegaConf.create(_escaped(plain))
    for dotted, parent, name in list(leaves(live)):
        if isinstance(parent[name], str) and STAND_IN in parent[name]:
            parent[name] = OmegaConf.select(config, dotted)
    return Settings(config, plain, live)


def _escaped(value: Any) -> Any:
    r"""Escape resolved text, which may hold `${`, from `\${` or the environment."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value


def plain_config(config: DictConfig) -> dict[str, Any]:
    """Return the configuration resolved, as nested dicts and lists, with STAND_IN for `${hydra:…}` and `${now:…}`."""
    config = expand_home(copy.deepcopy(config))
    for _, parent, name in leaves(config):
        text = raw_value(child(parent, name))
        if isinstance(text, str) and any(resolver in text for resolver in FRAMEWORK_RESOLVERS):
            with read_write(parent):
                parent[name] = STAND_IN
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def expand_home(config: DictConfig) -> DictConfig:
    """Put the user's home in place of a `~` that begins a value, in place: libraries would make a directory named "~"."""
    for _, parent, name in leaves(config):
        text = raw_value(child(parent, name))
        if isinstance(text, str) and text.startswith("~") and (path := with_home(text)) != text:
            with read_write(parent):
                parent[name] = path
    return config
