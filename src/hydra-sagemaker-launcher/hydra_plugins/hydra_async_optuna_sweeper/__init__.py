"""The files that Hydra scans for `hydra/sweeper=async_optuna`; the sweeper itself is in `hydra_sagemaker.search`."""
