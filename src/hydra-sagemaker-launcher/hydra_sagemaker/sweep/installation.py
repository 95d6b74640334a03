"""Two versions of the launcher in one environment: other wheels may bundle it, and pip lets one overwrite the other."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import hydra_sagemaker

DISTRIBUTION = "hydra-sagemaker-launcher"


def version_conflict() -> str | None:
    """Return what is wrong and what to type, None where the installed distribution is the imported code or there is none."""
    try:
        installed = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return None
    if installed.version == hydra_sagemaker.__version__:
        return None
    bundlers = {*metadata.packages_distributions().get("hydra_sagemaker", ())} - {DISTRIBUTION}
    return (
        f"{DISTRIBUTION} {installed.version} is installed in {installed.locate_file('')}, but version "
        f"{hydra_sagemaker.__version__} is imported from {Path(hydra_sagemaker.__file__).parent}: files of both may be mixed. "
        f"Type `pip uninstall {DISTRIBUTION}`, then install {' and '.join(sorted(bundlers)) or DISTRIBUTION} again "
        "from the place it came from, with --force-reinstall --no-deps"
    )
