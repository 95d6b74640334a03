"""Finds the files and directories of this machine that a job's configuration names by their paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_sagemaker.job.inputs import BASE
from hydra_sagemaker.job.job import Job, hydra_config

LIKE_A_PATH = re.compile(r"/|\.\w{1,10}$")
ANOTHER_KEY = re.compile(r"\$\{[\w.\[\]]+\}")
"""What this refers to is looked at where it stands."""
IN_THE_CODE = re.compile(r"\$\{\s*hydra\s*:\s*runtime\.cwd\s*\}/*")
"""The job resolves this to its own copy of the code."""
OF_THE_SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", BASE)
"""An image has files of its own there."""


class Named(NamedTuple):
    key: str
    """Dotted, with the numbers of list items."""
    text: str
    """The value, as the job would read it."""
    path: Path


class NamedFiles:
    """Asks once for each value whether that exists here."""

    def __init__(self, working_dir: Path) -> None:
        self.working_dir = working_dir
        self._paths: dict[str, Path | None] = {}

    def of(self, job: Job, without: Sequence[str]) -> Iterator[Named]:
        """Yield what values of the task's configuration name and what exists here, but for keys and all that is below them."""
        config = job.config
        for name in config:
            if name == "hydra":
                continue
            node = config._get_node(name)
            plain = OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node._value()  # type: ignore
            for key, text in _texts(plain, str(name)):
                if any(key == one or key.startswith(f"{one}.") for one in without):
                    continue
                value = _resolved(key, text, config)
                if value is not None and (path := self._existing(value)) is not None:
                    yield Named(key, value, path)

    def _existing(self, text: str) -> Path | None:
        if text not in self._paths:
            self._paths[text] = None
            with suppress(OSError, ValueError, RuntimeError):  # too long, a zero byte, ~nobody
                path = Path(os.path.abspath(self.working_dir / Path(text).expanduser()))
                if path.exists() and not any(path.is_relative_to(place) for place in OF_THE_SYSTEM):
                    self._paths[text] = path
        return self._paths[text]


def _texts(node: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _texts(value, f"{key}.{name}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _texts(value, f"{key}.{index}")
    elif isinstance(node, str | Path) and LIKE_A_PATH.search(text := str(node)) and "\n" not in text and "://" not in text:
        if not ANOTHER_KEY.fullmatch(text):
            yield key, text


def _resolved(key: str, text: str, config: DictConfig) -> str | None:
    text = IN_THE_CODE.sub("", text)
    if "${" not in text:
        return text or None
    with suppress(OmegaConfBaseException), hydra_config(config):
        return str(OmegaConf.create({"value": text}, parent=config)["value"])
    return None
