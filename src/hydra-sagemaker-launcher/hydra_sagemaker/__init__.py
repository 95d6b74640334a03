"""Runs every job of a Hydra sweep as an Amazon SageMaker training job, or as a local process by the same path.

`Executor`, `Job` and `attach` submit and find jobs from Python, `report` tells a search of a value on the way. They are
imported when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydra_sagemaker.api import Executor, Job, attach
    from hydra_sagemaker.reports import Pruned, report

__version__ = "0.1.0"
__all__ = ["Executor", "Job", "Pruned", "__version__", "attach", "report"]


def __getattr__(name: str) -> Any:
    if name in ("Executor", "Job", "attach"):
        return getattr(import_module("hydra_sagemaker.api"), name)
    if name in ("Pruned", "report"):
        return getattr(import_module("hydra_sagemaker.reports"), name)
    raise AttributeError(f"module 'hydra_sagemaker' has no attribute {name!r}")
