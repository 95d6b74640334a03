"""Keeps downloads on machines that are kept warm, for the next job there: standard library only.

https://docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools.html
"""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

CACHE_VARIABLE = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"
CACHES = {"PIP_CACHE_DIR": "pip", "HF_HOME": "huggingface"}
"""Variable to directory. HF_HOME holds models and data sets of the Hub; HF_HUB_CACHE, where it is set, wins over it."""


def use_kept_directory(environment: MutableMapping[str, str]) -> list[str]:
    """Let pip and Hugging Face's libraries keep downloads in SageMaker's directory; return the variables that were set.

    Variables that are set already stay as they are.
    """
    if not (directory := environment.get(CACHE_VARIABLE)):
        return []
    missing = {name: str(Path(directory) / folder) for name, folder in CACHES.items() if not environment.get(name)}
    environment.update(missing)
    return list(missing)
