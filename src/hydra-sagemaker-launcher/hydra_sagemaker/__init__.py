"""Runs every job of a Hydra sweep as an Amazon SageMaker training job, or as a local process by the same path."""

__version__ = "0.1.0"
