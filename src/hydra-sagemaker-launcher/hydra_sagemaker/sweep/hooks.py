"""Functions that an application names in hydra.launcher, by their dotted names."""

from __future__ import annotations

import importlib
import json
import logging
from typing import Any

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.job import Job

log = logging.getLogger(__name__)


def imported(name: str, key: str, what: str = "a function, as my_app.checks.check") -> Any:
    """Return what a dotted name leads to. Raises LauncherError, which names the key of the configuration."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise LauncherError(f"{key}={name}: {error}. It is the dotted name of {what}") from None


def call_collected(name: str | None, job: Job) -> None:
    """Call the function that `hydra.launcher.collected` names; its errors are logged, the results are kept."""
    if name is None:
        return
    record = json.loads((job.job_dir / "record.json").read_text(encoding="utf-8"))
    try:
        imported(name, "hydra.launcher.collected")(job.output_dir, record)
    except Exception as error:  # an application's own
        log.warning("%s: hydra.launcher.collected=%s: %s: %s", job, name, type(error).__name__, error)
