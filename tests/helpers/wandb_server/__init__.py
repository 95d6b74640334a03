"""A W&B server on 127.0.0.1 for tests: as much of the backend as the client uses here, and strict about all else."""

from wandb_server.server import WandbServer
from wandb_server.state import Artifact, Request, Run, View

__all__ = ["Artifact", "Request", "Run", "View", "WandbServer"]
