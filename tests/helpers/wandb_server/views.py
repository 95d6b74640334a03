"""Reports and saved workspaces: both are views, told apart by their type."""

from __future__ import annotations

import json

from wandb_server.answers import Answer, Call, Refused, operation, page, project_node
from wandb_server.state import View, global_id, now


def _node(call: Call, view: View) -> Answer:
    return {
        "id": view.id, "type": view.type, "name": view.name, "displayName": view.display_name, "description": view.description,
        "spec": view.spec, "createdAt": view.created, "updatedAt": view.updated,
        "project": project_node(call.state, view.project),
        "user": {"username": call.state.user, "photoUrl": None, "email": None},
    }  # fmt: skip


@operation("upsertView UpsertView2", "id entityName projectName type name displayName description spec locked")
def upsert_view(call: Call) -> Answer:
    given, views = call.variables, call.state.views
    if not call.project_exists:
        raise Refused(f"project {call.project} not found")
    json.loads(given["spec"])
    view_id = given.get("id")
    if inserted := not view_id:
        view_id = global_id("View", len(views))
        views[view_id] = View(
            view_id, call.project, given["type"], given["name"], given["displayName"], given["description"], given["spec"]
        )
    elif view_id not in views:
        raise Refused(f"view {view_id} not found")
    else:
        view = views[view_id]
        view.display_name, view.description, view.spec = given["displayName"], given["description"], given["spec"]
        view.updated, view.saved = now(), view.saved + 1
    return {"upsertView": {"view": _node(call, views[view_id]), "inserted": inserted}}


@operation("SpecificReport", "reportId")
def report(call: Call) -> Answer:
    view = call.state.views.get(call.variables["reportId"])
    return {"view": _node(call, view) if view else None}


@operation("View", "entityName project projectName name viewType userName viewName")
@operation("ProjectViews", "entity project viewType viewName reportCursor reportLimit")
def views_of_project(call: Call) -> Answer:
    if not call.project_exists:
        return {"project": None}
    kind, name = call.variables.get("viewType", "runs"), call.variables.get("viewName")
    found = [view for view in call.state.views.values() if view.project == call.project and view.type == kind]
    nodes = [_node(call, view) for view in found if name in (None, view.name)]
    return {"project": {"allViews": page(nodes, call, cursor="reportCursor")}}
