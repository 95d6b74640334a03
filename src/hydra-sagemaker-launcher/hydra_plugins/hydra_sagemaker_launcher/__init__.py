"""The files that Hydra scans for its plugins; the launcher itself is in `hydra_sagemaker`."""

from hydra_sagemaker import __version__

__all__ = ["__version__"]
