"""Keeps the configurations of thousands of jobs small in memory."""

from __future__ import annotations

import pickle
import zlib
from typing import Any

from omegaconf import DictConfig

FAST = 1
NOT_PICKLED = (pickle.PicklingError, AttributeError, TypeError)
"""Raised for a dataclass within a function, or an open file, in a configuration."""


class PackedConfig:
    """A field of a dataclass: what is set is kept as some 5 kB instead of the 140 kB of a configuration with its hydra node.

    What is read is a copy, or what was set last, until another job's is read or set: changes to it are lost. Nothing leaves
    the process.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_packed_{name}"

    def __set__(self, instance: Any, config: DictConfig) -> None:
        try:
            kept: Any = zlib.compress(pickle.dumps(config), FAST)
        except NOT_PICKLED:
            kept = config
        vars(instance)[self._name] = kept
        _last[:] = [kept, config]

    def __get__(self, instance: Any, owner: type) -> DictConfig:
        if instance is None:
            raise AttributeError("this field has no default")  # as dataclasses ask
        kept = vars(instance)[self._name]
        if _last[0] is not kept:
            _last[:] = [kept, pickle.loads(zlib.decompress(kept)) if isinstance(kept, bytes) else kept]
        return _last[1]


_last: list[Any] = [None, None]
"""What is kept of the configuration that was read or set last, and the configuration."""
