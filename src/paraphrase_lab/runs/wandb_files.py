"""The files that the W&B client has left of an earlier process, read with its own reader."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

log = logging.getLogger(__name__)
STEP = "trainer/global_step"
"""The key of the optimiser step in every row; what Lightning calls it."""


def last_step(attempt: Path) -> int:
    """Return the last optimiser step in what an earlier process has written; -1 where that cannot be read."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(attempt)]
    own_log = {**os.environ, "WANDB_DIR": str(attempt.parent.parent)}  # else it makes a directory where the user stands
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=own_log)
        records = [json.loads(line) for line in done.stdout.splitlines()]
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        log.debug("%s cannot be read: %s", attempt, error)
        return -1
    steps = [record["history"]["item"].get(STEP, -1) for record in records if record.get("type") == "history"]
    return max((int(step) for step in steps), default=-1)


def upload_failed(attempt: Path) -> bool:
    """Look into the log of W&B's client, which tells nobody else that a server has refused what it sent."""
    file = attempt / "logs" / "debug-internal.log"
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return "fatal error" in text.lower()
