"""A SageMaker on this machine: the API of training jobs and endpoints, with jobs that really run. An emulator, no sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sagemaker_local.errors import LocalSageMakerError
    from sagemaker_local.faults import Faults
    from sagemaker_local.server import LocalSageMaker

__all__ = ["Faults", "LocalSageMaker", "LocalSageMakerError"]

_MODULES = {"Faults": "faults", "LocalSageMaker": "server", "LocalSageMakerError": "errors"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
