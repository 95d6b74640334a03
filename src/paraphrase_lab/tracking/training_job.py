"""Which training job on SageMaker this process runs in."""

import json
import os
from pathlib import Path
from typing import Any

JOB_VARIABLE, BASE_VARIABLE = "TRAINING_JOB_NAME", "SAGEMAKER_BASE_DIR"


def sagemaker_job() -> dict[str, Any]:
    """Name and instance of the training job that this process runs in; empty elsewhere."""
    name = os.environ.get(JOB_VARIABLE)
    if not name:
        return {}
    file = Path(os.environ.get(BASE_VARIABLE, "/opt/ml")) / "input" / "config" / "resourceconfig.json"
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        described = {}
    kind, machines = described.get("current_instance_type"), len(described.get("hosts", ()))
    return {"name": name} | ({"instance_type": kind} if kind else {}) | ({"instances": machines} if machines else {})
