"""The parts of the server that every job and endpoint uses."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_local.environment import Environments
from sagemaker_local.faults import FaultCounters
from sagemaker_local.isolation import Isolation


@dataclass(frozen=True)
class Services:
    url: str
    root: Path
    isolation: Isolation
    stop_grace_seconds: float
    serve_command: Sequence[str]
    s3: Any
    logs: Any
    sagemaker: Any
    iam: Any
    environments: Environments
    counters: FaultCounters
    ready: threading.Event
    """Set once the bucket, the role and the log groups exist; requests of clients wait for it."""
    closing: threading.Event
