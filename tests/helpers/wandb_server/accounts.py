"""Who is asking, what the server can do, which projects there are."""

from __future__ import annotations

from typing import Any

from wandb_server.answers import Answer, Call, operation, page, project_node
from wandb_server.state import global_id


@operation("Viewer GetViewer GetDefaultEntity")
def viewer(call: Call) -> Answer:
    state = call.state
    node: dict[str, Any] = {
        "id": global_id("User", state.user), "entity": state.entity, "username": state.user, "name": state.user,
        "email": "user@example.com", "flags": "{}", "admin": False, "deletedAt": None, "apiKeys": {"edges": []},
        "teams": {"edges": [{"node": {"name": state.entity}}]},
    }  # fmt: skip
    return {"viewer": node}


@operation("ServerFeaturesQuery")
def server_features(call: Call) -> Answer:
    return {"serverInfo": {"features": []}}


@operation("OrganizationCoreWeaveOrganizationID", "entityName")
def organization(call: Call) -> Answer:
    return {"entity": {"organization": {"coreWeaveOrganizationId": ""}}}


@operation("GetProjects", "entity cursor perPage")
def projects(call: Call) -> Answer:
    names = sorted(call.state.projects) if call.entity_is_ours else []
    return {"models": page([project_node(call.state, name) for name in names], call)}


@operation("GetProject", "entity name")
def project(call: Call) -> Answer:
    name = call.variables["name"]
    exists = call.entity_is_ours and name in call.state.projects
    return {"project": project_node(call.state, name) if exists else None}


@operation("ProjectInternalId", "entityName projectName")
def project_internal_id(call: Call) -> Answer:
    return {"project": project_node(call.state, call.project) if call.project_exists else None}


@operation("CreateProject", "entityName name")
def create_project(call: Call) -> Answer:
    name = call.variables["name"]
    inserted = name not in call.state.projects
    call.state.add_project(name)
    node = project_node(call.state, name)
    return {"result": {"project": node, "model": node, "inserted": inserted}}
