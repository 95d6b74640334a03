"""The local files that a job gets as channels: their places here, in S3 and in the job."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra_sagemaker.job.parsed import parsed

BASE = "/opt/ml"
CHANNELS = f"{BASE}/input/data"


@dataclass(frozen=True)
class Input:
    key: str
    """The configuration key whose value names it."""
    path: str
    """Absolute, on this machine."""
    channel: str
    sha256: str
    """Hash of the content; inputs of the same content share their place in S3."""
    files: tuple[str, ...] = ()
    """Relative to the directory that holds `path`; only known where they are uploaded."""

    @property
    def name(self) -> str:
        """The name in S3 and in the job, in characters that need no quoting."""
        return re.sub(r"[^\w.-]", "_", Path(self.path).name, flags=re.ASCII)

    @property
    def in_job(self) -> str:
        return f"{CHANNELS}/{self.channel}/{self.name}"

    def uri(self, prefix: str) -> str:
        return f"{prefix}/inputs/{self.sha256}/"


def keys_of(config: Mapping[Any, Any], patterns: Iterable[str]) -> list[str]:
    """Return the keys, and for each with a `*` the keys of the configuration that it stands for."""
    found: list[str] = []
    for pattern in patterns:
        before, star, after = pattern.partition(".*.")
        if not star:
            found.append(pattern)
            continue
        node: Any = config
        for part in before.split("."):
            node = node.get(part) if isinstance(node, Mapping) else None
        if isinstance(node, Mapping):
            found += keys_of(config, (f"{before}.{name}.{after}" for name in node))
    return list(dict.fromkeys(found))


def overridden(words: Sequence[str], inputs: Iterable[Input]) -> list[str]:
    """Return a job's overrides with the places of its inputs there, in place of the local ones."""
    values = {one.key: one.in_job for one in inputs}
    if not values:
        return list(words)
    found = []
    for word in words:
        key = parsed(word).key_or_group
        prefix = word[: len(word) - len(word.lstrip("+"))]
        found.append(f"{prefix}{key}='{values[key]}'" if key in values else word)
        values = values if key not in values else {name: value for name, value in values.items() if name != key}
    return [*found, *(f"++{key}='{value}'" for key, value in values.items())]


def in_container(path: str) -> str:
    """Return where a path below `/opt/ml/input/data` is; a local SageMaker names another directory for `/opt/ml`."""
    base = os.environ.get("SAGEMAKER_BASE_DIR", BASE)
    is_below = path == CHANNELS or path.startswith(f"{CHANNELS}/")
    return base + path.removeprefix(BASE) if is_below else path


def replaced(node: Any, places: Mapping[str, str]) -> Any:
    """Return a tree of plain values with paths, and paths below them, replaced in its texts."""
    if isinstance(node, Mapping):
        return {key: replaced(value, places) for key, value in node.items()}
    if isinstance(node, list):
        return [replaced(value, places) for value in node]
    if isinstance(node, str):
        for there, here in places.items():
            node = node.replace(there, here)
    return node
