"""Where a sweep's configuration comes from, in words that hold on the machine of the job."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from hydra_sagemaker.job import spec

SEARCH_PATH = re.compile(r"\+{0,2}hydra\.searchpath=")


def search_path(context: HydraContext, config: DictConfig, root: Path, *, is_local: bool) -> list[tuple[str, str]]:
    """
    Raises:
        LauncherError: a directory that does not travel.
    """
    entries = context.config_loader.get_search_path().get_path()
    paths = [(entry.provider, entry.path) for entry in entries]
    if is_local:
        return paths
    last = len(paths) - 1 if paths and paths[-1][0] == "schema" else len(paths)
    paths[last:last] = [("hydra.searchpath", str(path)) for path in _typed_search_path(config)]
    return [(provider, spec.portable(path, root)) for provider, path in paths]


def hydra_overrides(config: DictConfig, *, is_local: bool) -> list[str]:
    texts = unresolved(config.hydra.overrides.hydra)
    return texts if is_local else [text for text in texts if not SEARCH_PATH.match(text)]


def chosen(config: DictConfig, group: str) -> dict[str, Any]:
    name = config.hydra.runtime.choices.get(f"hydra/{group}")
    return {"name": name, "values": OmegaConf.to_container(config.hydra[group], resolve=False, enum_to_str=True)}


def unresolved(node: Any) -> list[str]:
    values = OmegaConf.to_container(node, resolve=False)
    assert isinstance(values, list)
    return [str(value) for value in values]


def _typed_search_path(config: DictConfig) -> list[str]:
    """Typed on the command line it may name directories of this machine; the configuration's own is composed in the job."""
    typed = any(SEARCH_PATH.match(text) for text in unresolved(config.hydra.overrides.hydra))
    return list(config.hydra.searchpath) if typed else []
