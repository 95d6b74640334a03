"""Says which files, named by the configuration and no part of a job's key, have changed since a reused job ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra_sagemaker.files import read_json
from hydra_sagemaker.scheduling.tracker import Submission

if TYPE_CHECKING:
    from hydra_sagemaker.sweep.sweep import Sweep


def changed_data(sweep: Sweep, submissions: Sequence[Submission]) -> str | None:
    """Return a sentence with the way to count them; of jobs on this machine: others cannot read such files."""
    changed: dict[str, str] = {}
    if not sweep.is_local:
        return None
    for one in submissions:
        if one.is_reused:
            result = read_json(sweep.backend.records_of(one.job, one.name) / "result.json")
            ended = result.get("ended") if isinstance(result, dict) and result.get("name") == one.name else None
            if isinstance(ended, int | float):
                changed |= {named.key: named.text for named in sweep.local_data.changed_since(one.job, ended)}
    if not changed:
        return None
    settings = sweep.settings
    words = ", ".join(f"{key}={text}" for key, text in changed.items())
    return (
        f"What the configuration names has changed since, and is reused nevertheless: {words}; "
        f"hydra.launcher.inputs=[{','.join([*settings.inputs, *changed])}] makes its content count, "
        f"hydra.launcher.key_exclude=[{','.join([*settings.key_exclude, *changed])}] says that jobs do not read it"
    )
