"""Settings of the W&B client: whether a run goes online, and what may be sent."""

import logging
import os
from typing import Any

from paraphrase_lab.runs.wandb_access import has_key

log = logging.getLogger(__name__)
_BY_VARIABLE = {
    **{"online": "online", "run": "online", "shared": "online"},
    **{"offline": "offline", "dryrun": "offline", "disabled": "disabled"},
}


def resolved_mode(wanted: str) -> tuple[str, str]:
    """Return online, offline or disabled, and why. `auto`: as WANDB_MODE or `wandb offline` says, else online with a key."""
    if key := os.environ.get("WANDB_API_KEY"):
        os.environ["WANDB_API_KEY"] = key.strip()  # a secret that was stored from a file ends with a line break
    if (variable := os.environ.get("WANDB_MODE", "").strip()) and variable.lower() not in _BY_VARIABLE:
        os.environ["WANDB_MODE"] = "offline"  # W&B's own settings refuse the word, wherever they are read
        if wanted == "auto":
            log.warning("W&B: WANDB_MODE=%s is none of online, offline, disabled: the run is recorded offline", variable)
    mode, reason = _wanted_mode(wanted)
    if mode == "online" and not _has_key_here():  # W&B would ask for one, on a terminal
        return "offline", f"{reason}, but no API key"
    return mode, reason


def _wanted_mode(wanted: str) -> tuple[str, str]:
    if wanted != "auto":
        return wanted, f"logger.wandb.mode={wanted}"
    variable = os.environ.get("WANDB_MODE", "").strip().lower()
    if variable in _BY_VARIABLE:
        return _BY_VARIABLE[variable], f"WANDB_MODE={variable}"
    if os.environ.get("WANDB_DISABLED", "").lower() in ("true", "1"):
        return "disabled", "WANDB_DISABLED"
    import wandb

    said = wandb.setup().settings.mode
    if said in ("offline", "dryrun", "disabled"):
        return _BY_VARIABLE[said], f"`wandb {said}` was said here"
    return ("online", "there is an API key") if _has_key_here() else ("offline", "no API key")


def _has_key_here() -> bool:
    import wandb

    return has_key(wandb.setup().settings)


def client_settings(*, console: bool, machine: bool, code: bool, init_timeout_s: float, finish_timeout_s: float) -> Any:
    """Return a `wandb.Settings`. Names that begin with x_ are W&B's own and may change: tests look at what is really sent.

    Args:
        console, machine, code: whether the console's output, facts about this machine, and code are uploaded too.
    """
    import wandb

    hidden: dict[str, Any] = {"host": "", "program": "paraphrase", "program_relpath": "paraphrase", "username": ""}
    return wandb.Settings(
        sagemaker_disable=True,  # else W&B puts the training job's name in place of our id and group
        silent=True,
        symlink=False,
        init_timeout=init_timeout_s,
        finish_timeout=finish_timeout_s,  # else a server that has gone is waited for without end
        finish_timeout_raises=True,
        console="auto" if console else "off",
        save_code=code,
        disable_code=not code,
        disable_git=not code,
        x_disable_meta=not machine,
        x_disable_machine_info=not machine,
        x_save_requirements=machine,
        x_disable_stats=not machine,
        **({} if machine else hidden),
    )
