"""Runs: started, resumed, listed, read back."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from wandb_server.answers import Answer, Call, Opaque, Refused, Unanswerable, operation, page, project_node
from wandb_server.filters import in_order, matches
from wandb_server.state import Run, State, global_id, now

UPSERTED = {
    "displayName": "display_name", "display_name": "display_name", "groupName": "group", "jobType": "job_type", "tags": "tags",
    "notes": "notes", "host": "host", "program": "program", "commit": "commit", "repo": "repo",
}  # fmt: skip


def run_node(state: State, run: Run) -> Answer:
    keys = {key: {"typeCounts": [{"type": "number"}]} for row in run.history for key in row}
    last_step = run.history[-1].get("_step", -1) if run.history else -1
    return {
        "id": global_id("Run", run.project, run.id), "name": run.id, "displayName": run.display_name, "state": run.state,
        "group": run.group, "jobType": run.job_type, "tags": run.tags, "notes": run.notes, "description": run.notes,
        "commit": run.commit, "readOnly": False, "createdAt": run.created, "heartbeatAt": now(), "sweepName": None,
        "projectId": 1, "stopped": False, "user": {"name": state.user, "username": state.user},
        "config": json.dumps(run.raw_config), "summaryMetrics": json.dumps(run.summary), "systemMetrics": "{}",
        "historyLineCount": len(run.history), "eventsLineCount": len(run.events), "logLineCount": len(run.log),
        "historyTail": json.dumps([json.dumps(row) for row in run.history[-1:]]),
        "eventsTail": json.dumps([json.dumps(row) for row in run.events[-1:]]),
        "historyKeys": Opaque(keys=keys, lastStep=last_step, sets=[]),
        "wandbConfig": json.dumps({"t": 1}) if run.raw_config else None, "project": project_node(state, run.project),
    }  # fmt: skip


@operation(
    "UpsertBucket",
    "id name project entity groupName description displayName display_name notes commit config host debug program repo jobType "
    "state sweep tags summaryMetrics",
)
def upsert_run(call: Call) -> Answer:
    given = call.variables
    if not call.entity_is_ours:
        raise Refused("permission denied")
    run = _upserted(call)
    if inserted := run is None:
        run = call.state.add_run(call.project, given["name"])
    elif run.resume_asked:
        run.starts_again()
    for name, attribute in UPSERTED.items():
        if given.get(name) is not None:
            setattr(run, attribute, given[name])
    if given.get("config"):
        run.raw_config = json.loads(given["config"])
    if given.get("summaryMetrics"):
        run.summary |= json.loads(given["summaryMetrics"])
    return {"upsertBucket": {"bucket": run_node(call.state, run), "inserted": inserted}}


def _upserted(call: Call) -> Run | None:
    if by_id := call.variables.get("id"):
        return next((run for run in call.state.runs.values() if global_id("Run", run.project, run.id) == by_id), None)
    return call.state.run(call.project, call.variables["name"])


@operation("RunResumeStatus", "project entity name")
def resume_status(call: Call) -> Answer:
    run = call.state.run(call.project, call.variables["name"]) if call.entity_is_ours else None
    if run:
        run.resume_asked = True
    return {"model": project_node(call.state, call.project) | {"bucket": run_node(call.state, run) if run else None}}


@operation("CreateRunFiles", "entity project run files")
def create_run_files(call: Call) -> Answer:
    run = call.variables["run"]
    place = f"{call.url}/storage/runs/{urllib.parse.quote(call.project)}/{urllib.parse.quote(run)}"
    files = [{"name": name, "uploadUrl": f"{place}/{urllib.parse.quote(name)}"} for name in call.variables["files"]]
    return {"createRunFiles": {"runID": global_id("Run", call.project, run), "uploadHeaders": [], "files": files}}


@operation("MarkRunFilesUploaded", "entity project run files")
def mark_files_uploaded(call: Call) -> Answer:
    return {"markRunFilesUploaded": {"success": True}}


@operation("NotifyScriptableRunAlert", "entityName projectName runName title text severity waitDuration")
def alert(call: Call) -> Answer:
    call.state.alerts.append(dict(call.variables))
    return {"notifyScriptableRunAlert": {"success": True}}


@operation("Runs", "project entity cursor perPage order filters")
def list_runs(call: Call) -> Answer:
    if not call.project_exists:
        return {"project": None}
    filters = json.loads(call.variables.get("filters") or "{}")
    found = [run for run in call.state.runs.values() if run.project == call.project and matches(run, filters)]
    nodes = [run_node(call.state, run) for run in in_order(found, call.variables.get("order"))]
    return {
        "project": project_node(call.state, call.project)
        | {"runCount": len(nodes), "readOnly": False, "runs": page(nodes, call)}
    }


def _read(call: Call, **extra: Any) -> Answer:
    name = next((call.variables[key] for key in ("name", "run", "runName") if call.variables.get(key)), "")
    run = call.state.run(call.project, name) if call.entity_is_ours else None
    if not call.project_exists:
        return {"project": None}
    if run is None:
        return {"project": {"run": None}}
    fields = {key: value(run) if callable(value) else value for key, value in extra.items()}
    return {"project": project_node(call.state, call.project) | {"run": run_node(call.state, run) | fields}}


@operation("Run RunState RunHistoryKeys QueryRunInfo", "project entity name run")
def one_run(call: Call) -> Answer:
    return _read(call)


@operation("RunFullHistory", "project entity name samples")
def full_history(call: Call) -> Answer:
    samples = call.variables.get("samples") or 500
    return _read(
        call,
        history=lambda run: [json.dumps(row) for row in run.history[:samples]],
        events=lambda run: [json.dumps(row) for row in run.events[:samples]],
    )


@operation("HistoryPage", "project entity run minStep maxStep pageSize")
def history_page(call: Call) -> Answer:
    low, high = call.variables["minStep"], call.variables["maxStep"]
    return _read(call, history=lambda run: [json.dumps(row) for row in run.history if low <= row.get("_step", 0) < high])


@operation("RunSampledHistory SampledHistoryPage", "project entity name run spec specs")
def sampled_history(call: Call) -> Answer:
    given = call.variables.get("specs") or [call.variables["spec"]]
    specs = [json.loads(spec) for spec in given]
    if unknown := {key for spec in specs for key in spec} - {"keys", "samples", "minStep", "maxStep"}:
        raise Unanswerable(f"history sampled by {sorted(unknown)}")
    return _read(call, sampledHistory=lambda run: [_sample(run, spec) for spec in specs])


def _sample(run: Run, spec: dict[str, Any]) -> list[Opaque]:
    low, high = spec.get("minStep", 0), spec.get("maxStep", float("inf"))
    rows = [row for row in run.history if low <= row.get("_step", 0) < high and all(key in row for key in spec["keys"])]
    every = -(-len(rows) // spec.get("samples", 500)) or 1
    return [Opaque({key: row[key] for key in spec["keys"]}) for row in rows[::every]]


@operation("RunParquetHistory", "project entity runName liveKeys")
def parquet_history(call: Call) -> Answer:
    """Nothing has been turned into parquet yet: all rows are live."""
    return _read(call, parquetHistory=lambda run: {"parquetUrls": [], "liveData": [Opaque(row) for row in run.history]})
