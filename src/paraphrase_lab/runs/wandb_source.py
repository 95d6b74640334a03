"""Runs that lie in W&B as rows beside those of this machine: `wandb:entity/project/group`."""

import math
from collections.abc import Mapping
from typing import Any

from paraphrase_lab.configuration.later_keys import completed
from paraphrase_lab.metrics.names import FITTED, HISTORY
from paraphrase_lab.runs.configuration import flat
from paraphrase_lab.runs.record import upgraded
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.wandb_access import WandbError, connect, runs_of

PREFIX = "wandb:"
CHOICES = "choices"
"""The key of the uploaded configuration that holds the option chosen of each group."""
FACTS = "run"
"""The key that holds what run.json says beside it: versions, commit, device, data."""
STATUS = {
    "running": "running", "pending": "running", "finished": "finished", "failed": "failed", "crashed": "interrupted",
    "killed": "interrupted", "preempting": "interrupted", "preempted": "interrupted",
}  # fmt: skip
SPLITS = (FITTED, "test", "train", "checklist_dev", "checklist_test")


def read_wandb(place: str) -> list[RunRow]:
    """Return the runs of `wandb:entity/project`, of one group of it, or the one run of that id; the oldest first.

    Raises:
        WandbError: no such project, group or run; no key, or no answer.
    """
    words = place.removeprefix(PREFIX).strip("/").split("/")
    if not 2 <= len(words) <= 3 or not all(words):
        raise WandbError(f"{place} names no runs in W&B", valid="wandb:entity/project, wandb:entity/project/group")
    entity, project, *rest = words
    group = rest[0] if rest else ""
    api = connect()
    filters = {"$or": [{"group": group}, {"name": group}]} if group else {}
    runs = runs_of(api, entity, project, filters)
    if not runs and not group:
        raise WandbError(f"the W&B project {entity}/{project} has no runs", hint="`wandb sync` uploads those of this machine")
    if not runs:
        groups = dict.fromkeys(run.group for run in reversed(runs_of(api, entity, project, {})) if run.group)
        newest = f"newest groups: {', '.join(list(groups)[:5]) or 'none'}"
        raise WandbError(f"the W&B project {entity}/{project} has no group or run {group}", valid=newest)
    return [_row(run, entity, project) for run in runs]


def _row(run: Any, entity: str, project: str) -> RunRow:
    given = dict(run.config)
    chosen, facts = (value if isinstance(value := given.pop(key, None), Mapping) else {} for key in (CHOICES, FACTS))
    choices = {str(name): option for name, option in chosen.items()}
    config = flat(given)
    metrics = upgraded({"metrics": _metrics(dict(run.summary), str(config.get("monitor", "")))})["metrics"]
    record = {
        **upgraded(facts), "status": STATUS.get(run.state, "failed"), "started": run.created_at, "seed": config.get("seed"),
        "config": config, "choices": choices,
        "metrics": {name: value for name, value in metrics.items() if name != "best"},
        "tracking": {"wandb": {
            "id": run.id, "entity": entity, "project": project, "group": run.group, "name": run.name, "url": run.url,
        }},
    }  # fmt: skip
    if "best" in metrics:
        record["best"] = {"monitor": config.get("monitor"), "value": metrics["best"]}
    path = f"{PREFIX}{entity}/{project}/{run.id}"
    return RunRow(path, run.name or run.id, record["status"], {**choices, **completed(config)}, metrics, record)


def _metrics(summary: Mapping[str, Any], monitor: str) -> dict[str, float]:
    """Return the numbers of the splits, and `best`, the chosen checkpoint's value of `monitor`."""
    known = {name: value for name, value in summary.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    numbers = {name: float(value) for name, value in known.items() if math.isfinite(value)}
    if not any(name.startswith(f"{FITTED}/") for name in numbers):  # a run of an earlier release
        numbers |= {name.replace(HISTORY, FITTED, 1): numbers[name] for name in numbers if name.startswith(f"{HISTORY}/")}
    metrics = {name: value for name, value in numbers.items() if name.partition("/")[0] in SPLITS}
    names = (f"best/{monitor}", f"best/{monitor.replace('/', '_')}", "best")
    best = next((numbers[name] for name in names if name in numbers), None)
    return metrics if best is None else {**metrics, "best": best}
