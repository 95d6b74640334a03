"""`paraphrase report … --to wandb`: a W&B report and a saved workspace of some runs, made once and then kept up to date."""

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from paraphrase_lab.metrics.names import PREFIX
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.wandb_access import NoProject, WandbError, connect, in_sentences, runs_of
from paraphrase_lab.statistics.comparison import Comparison
from paraphrase_lab.tracking.wandb_directories import shown_folder

log = logging.getLogger(__name__)
MARK = "Made by `paraphrase report`, which overwrites it when it is called again."
"""Marks our reports: one that was written by hand is never changed, whatever its title."""
TITLE_CHARACTERS = 128
SHOWN_NAMES = 5


class Uploaded(NamedTuple):
    """The runs of a report that W&B has, and the names of runs that were never recorded for it."""

    rows: list[RunRow]
    ids: list[str]
    left_out: list[str]


def publish(
    rows: Sequence[RunRow],
    comparison: Comparison | None,
    *,
    project: str | None = None,
    entity: str | None = None,
    title: str | None = None,
    group: str | None = None,
    metric: str | None = None,
) -> tuple[str, str]:
    """Publish both and return the addresses of report and workspace; a report of the same title is updated.

    Args:
        project, entity, group: where the runs are, if their records do not name it.
        metric: a summary key such as test/accuracy; else that of the comparison, else what the runs have.

    Raises:
        WandbError: no key, no such project, runs that are not uploaded, or no answer.
    """
    api = connect()
    tracked = _tracked(rows)
    entity = entity or _shared(tracked, "entity") or _default_entity(api)
    project = project or _shared(tracked, "project")
    if project is None:
        raise WandbError("the runs are in different projects of W&B", hint="--project ENTITY/PROJECT chooses one")
    uploaded = _uploaded(api, entity, project, rows, tracked)
    group = group or _shared(uploaded.rows, "group")
    named = f"Sweep {group}" if group else f"{len(uploaded.rows)} runs, {uploaded.rows[0].name} the first"
    title = (title or named)[:TITLE_CHARACTERS]
    from paraphrase_lab.tracking import wandb_panels as panels

    swept, log_axes = panels.swept_keys(uploaded.rows)
    metric = metric or _metric(uploaded.rows, comparison)
    curves = tuple(dict.fromkeys((_monitor(uploaded.rows), *panels.LOSSES)))
    filters = _filters(api, entity, project, group, uploaded.ids)
    subject = panels.Subject(entity, project, title, filters, swept, log_axes, metric, curves)
    with in_sentences():
        report = _save_report(api, subject, panels.blocks(subject, comparison, uploaded.left_out), len(uploaded.ids))
        return report, _save_workspace(panels.workspace(subject))


def _tracked(rows: Sequence[RunRow]) -> list[RunRow]:
    tracked = [row for row in rows if _known(row).get("id")]
    if not tracked:
        raise WandbError(
            "none of these runs was recorded for W&B",
            hint="logger=wandb (the default) records a run for it, without an account too; `--to html` needs no W&B",
        )
    return tracked


def _shared(rows: Sequence[RunRow], key: str) -> str | None:
    """Return the value that all these runs recorded, if it is the same one."""
    values = {_known(row).get(key) for row in rows} - {None}
    return values.pop() if len(values) == 1 else None


def _known(row: RunRow) -> dict[str, Any]:
    return (row.record.get("tracking") or {}).get("wandb") or {}


def _default_entity(api: Any) -> str:
    with in_sentences():
        return api.default_entity


def _uploaded(api: Any, entity: str, project: str, rows: Sequence[RunRow], tracked: Sequence[RunRow]) -> Uploaded:
    ids = [_known(row)["id"] for row in tracked]
    try:
        there = {run.id for run in runs_of(api, entity, project, {"name": {"$in": ids}})}
    except NoProject:
        if project != _shared(tracked, "project"):  # it was typed, and may be a slip
            raise
        there = set()
    if missing := [row for row in tracked if _known(row)["id"] not in there]:
        names = ", ".join(row.name for row in missing[:SHOWN_NAMES])
        more = f" and {len(missing) - SHOWN_NAMES} more" if len(missing) > SHOWN_NAMES else ""
        count = f"{len(missing)} of {len(tracked)} runs {'is' if len(missing) == 1 else 'are'}"
        raise WandbError(
            f"{count} not uploaded to W&B project {entity}/{project} yet: {names}{more}",
            hint=f"{sync_command(missing, entity, project)} uploads them; then run this command again",
        )
    return Uploaded(list(tracked), ids, [row.name for row in rows if row not in tracked])


def sync_command(rows: Sequence[RunRow], entity: str, project: str) -> str:
    """Return the command that uploads these runs: one shared directory for those of a sweep."""
    folders = dict.fromkeys(shown_folder(row.path) for row in rows if isinstance(row.path, Path))
    places = " ".join(f"{folder}/offline-run-*" for folder in folders) or "DIRECTORY"
    return f"`wandb sync --entity {entity} --project {project} {places}`"


def _metric(rows: Sequence[RunRow], comparison: Comparison | None) -> str:
    """Choose a metric that all of the runs have, if there is one: test before validation."""
    asked = [f"{PREFIX[comparison.split]}/{comparison.metric}"] if comparison else []
    wanted = [*asked, "test/accuracy", _monitor(rows)]
    return next((name for name in wanted if all(name in row.metrics for row in rows)), wanted[0])


def _monitor(rows: Sequence[RunRow]) -> str:
    return str(rows[0].config.get("monitor") or "val/accuracy")


def _filters(api: Any, entity: str, project: str, group: str | None, ids: Sequence[str]) -> str:
    """Filter by group if it holds exactly these runs, so that later ones of the sweep appear too; else by id."""
    if group is not None and {run.id for run in runs_of(api, entity, project, {"group": group})} == set(ids):
        return f"Group = {json.dumps(group)}"
    return f"ID in {json.dumps(list(ids))}"


def _save_report(api: Any, subject: Any, blocks: list[Any], runs: int) -> str:
    from wandb_workspaces.reports.v2 import interface as reports

    report = reports.Report(
        entity=subject.entity, project=subject.project, title=subject.title, blocks=blocks, width="fluid",
        description=f"{runs} run{'s' if runs != 1 else ''}, {subject.metric}. {MARK}",
    )  # fmt: skip
    ours = [
        one for one in api.reports(f"{subject.entity}/{subject.project}")
        if one.display_name == subject.title and MARK in (one.description or "")
    ]  # fmt: skip
    if ours:
        report.id = ours[0].id
    report.save()
    return report.url


def _save_workspace(workspace: Any) -> str:
    """Save it under a name in W&B that follows from project and title, so that the next call finds it."""
    import wandb_workspaces.workspaces as workspaces

    named = f"{workspace.entity}/{workspace.project}/{workspace.name}"
    digest = hashlib.sha256(named.encode()).hexdigest()[:11]
    workspace._internal_name = f"nw-{digest}-v"
    try:
        workspace._internal_id = workspaces.Workspace.from_url(workspace.url)._internal_id
    except ValueError as error:
        if "not found in project" not in str(error):
            raise
    workspace.save()
    return workspace.url
