"""The launcher from Python: submit jobs one by one, ask for their state, take results as they come, attach to an earlier sweep.

Everything runs on the caller's thread, in these calls: between them nothing is submitted, polled or collected.
"""

from hydra_sagemaker.api.executor import Executor
from hydra_sagemaker.api.job import Job, attach

__all__ = ["Executor", "Job", "attach"]
