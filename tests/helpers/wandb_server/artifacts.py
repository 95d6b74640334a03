"""Artifacts: versions of a collection, their files, which runs made and used them."""

from __future__ import annotations

import urllib.parse

from wandb_server.answers import Answer, Call, Refused, operation, page, project_node
from wandb_server.runs import run_node
from wandb_server.state import Artifact, State, global_id, now


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _in_collection(state: State, project: str, collection: str) -> list[Artifact]:
    return [one for one in state.artifacts.values() if (one.project, one.collection) == (project, collection)]


def _find(state: State, project: str, name: str) -> Artifact | None:
    """By `collection:alias` or `collection:v2`; entity and project before it may be given too."""
    collection, _, alias = name.rpartition("/")[2].partition(":")
    for artifact in _in_collection(state, project, collection):
        if artifact.state == "COMMITTED" and (alias or "latest") in (*artifact.aliases, f"v{artifact.version}"):
            return artifact
    return None


def _node(state: State, artifact: Artifact) -> Answer:
    given = artifact.request
    sequence = {"__typename": "ArtifactSequence", "name": artifact.collection, "project": project_node(state, artifact.project)}
    aliases = [
        {
            "__typename": "ArtifactAlias",
            "id": global_id("Alias", artifact.id, alias),
            "alias": alias,
            "artifactCollection": sequence,
        }
        for alias in artifact.aliases
    ]
    return {
        "__typename": "Artifact", "id": artifact.id, "artifactSequence": sequence, "versionIndex": artifact.version,
        "artifactType": {"name": artifact.type}, "description": given.get("description"), "metadata": given.get("metadata"),
        "ttlDurationSeconds": -2, "ttlIsInherited": False, "tags": [], "historyStep": None, "state": artifact.state, "size": 1,
        "digest": artifact.digest, "digestAlgorithm": given.get("digestAlgorithm") or "MANIFEST_MD5", "commitHash": "c",
        "fileCount": len(artifact.files), "createdAt": now(), "updatedAt": now(), "aliases": aliases,
    }  # fmt: skip


@operation(
    "CreateArtifact",
    "entityName projectName runName artifactTypeName artifactCollectionName artifactCollectionNames digest digestAlgorithm "
    "description metadata aliases tags clientID sequenceClientID labels ttlDurationSeconds historyStep "
    "enableDigestDeduplication distributedID storageRegion clientMutationId",
)
def create_artifact(call: Call) -> Answer:
    """A new version, or the newest one if it has the same content."""
    given, state = call.variables, call.state
    collection = given.get("artifactCollectionName") or given["artifactCollectionNames"][0]
    versions = _in_collection(state, call.project, collection)
    latest = versions[-1] if versions else None
    aliases = [alias["alias"] for alias in given.get("aliases") or []]
    if latest and latest.digest == given["digest"] and latest.state == "COMMITTED":
        artifact = latest
        artifact.wanted_aliases = aliases
        _take_aliases(state, artifact)
    else:
        artifact = Artifact(
            global_id("Artifact", call.project, collection, len(versions)), call.project, collection, given["artifactTypeName"],
            len(versions), given["digest"], "PENDING", dict(given), aliases, logged_by=given.get("runName"),
        )  # fmt: skip
        state.artifacts[artifact.id] = artifact
    sequence = {
        "id": global_id("Sequence", collection),
        "latestArtifact": {"id": latest.id, "versionIndex": latest.version} if latest else None,
    }
    return {"createArtifact": {"artifact": {"id": artifact.id, "state": artifact.state, "artifactSequence": sequence}}}


def _take_aliases(state: State, artifact: Artifact) -> None:
    """An alias names one version of a collection; the newest version is always `latest`."""
    for alias in dict.fromkeys((*artifact.wanted_aliases, "latest")):
        for other in _in_collection(state, artifact.project, artifact.collection):
            if alias in other.aliases:
                other.aliases.remove(alias)
        artifact.aliases.append(alias)


@operation(
    "CreateArtifactManifest UpdateArtifactManifest",
    "artifactID artifactManifestID baseArtifactID name digest entityName projectName runName manifestType includeUpload",
)
def artifact_manifest(call: Call) -> Answer:
    artifact_id = call.variables.get("artifactID") or call.variables["artifactManifestID"].removeprefix("manifest:")
    file = {
        "id": f"file:{artifact_id}",
        "uploadHeaders": [],
        "uploadUrl": f"{call.url}/storage/manifests/{_quoted(artifact_id)}",
    }
    manifest = {"artifactManifest": {"id": f"manifest:{artifact_id}", "file": file}}
    return {"createArtifactManifest": manifest, "updateArtifactManifest": manifest}


@operation("CreateArtifactFiles", "artifactFiles storageLayout cloudRegionID clientMutationId")
def artifact_files(call: Call) -> Answer:
    edges = []
    for file in call.variables["artifactFiles"]:
        call.state.artifacts[file["artifactID"]].files.append(file["name"])
        url = f"{call.url}/storage/artifacts/{_quoted(file['artifactID'])}/{urllib.parse.quote(file['name'])}"
        node = {
            "storagePath": f"artifact/{file['name']}", "uploadUrl": url, "uploadHeaders": [], "uploadMultipartUrls": None,
            "artifact": {"id": file["artifactID"]},
        }  # fmt: skip
        edges.append({"node": node})
    return {"createArtifactFiles": {"files": {"edges": edges}}}


@operation("CommitArtifact", "artifactID")
def commit_artifact(call: Call) -> Answer:
    artifact = call.state.artifacts[call.variables["artifactID"]]
    artifact.state = "COMMITTED"
    _take_aliases(call.state, artifact)
    return {"commitArtifact": {"artifact": {"id": artifact.id, "digest": artifact.digest}}}


@operation(
    "UseArtifact", "entityName projectName runName artifactID usedAs artifactEntityName artifactProjectName clientMutationId"
)
def use_artifact(call: Call) -> Answer:
    artifact = call.state.artifacts[call.variables["artifactID"]]
    if (user := call.variables["runName"]) not in artifact.used_by:
        artifact.used_by.append(user)
    return {"useArtifact": {"artifact": _node(call.state, artifact)}}


@operation("ClientIDMapping", "clientID")
def client_id(call: Call) -> Answer:
    wanted = call.variables["clientID"]
    found = next((one for one in call.state.artifacts.values() if one.request.get("clientID") == wanted), None)
    return {"clientIDMapping": {"serverID": found.id} if found else None}


@operation("ArtifactByID", "id includeAliases")
def artifact_by_id(call: Call) -> Answer:
    artifact = call.state.artifacts.get(call.variables["id"])
    return {"artifact": _node(call.state, artifact) if artifact else None}


@operation("ArtifactMembershipByName", "entity project name includeAliases")
def artifact_by_name(call: Call) -> Answer:
    if not call.project_exists:
        return {"project": None}
    artifact = _find(call.state, call.project, call.variables["name"])
    if artifact is None:
        return {"project": {"artifactCollectionMembership": None}}
    node = _node(call.state, artifact)
    membership = {
        "__typename": "ArtifactCollectionMembership", "id": global_id("Membership", artifact.id), "createdAt": now(),
        "versionIndex": artifact.version, "artifactCollection": node["artifactSequence"], "aliases": node["aliases"],
        "artifact": node,
    }  # fmt: skip
    return {"project": {"artifactCollectionMembership": membership}}


@operation("ArtifactType", "entity project name")
def artifact_type(call: Call) -> Answer:
    artifact = _find(call.state, call.project, call.variables["name"]) if call.project_exists else None
    return {"project": {"artifact": _node(call.state, artifact) if artifact else None}}


@operation("FetchArtifactManifest ArtifactManifest", "id artifact_id")
def fetch_manifest(call: Call) -> Answer:
    artifact_id = call.variables.get("id") or call.variables["artifact_id"]
    url = f"{call.url}/storage/manifests/{_quoted(artifact_id)}"
    return {"artifact": {"currentManifest": {"__typename": "ArtifactManifest", "file": {"directUrl": url}}}}


@operation("GetArtifactMembershipFileUrls", "entity project collection alias cursor perPage")
def file_urls(call: Call) -> Answer:
    artifact = _find(call.state, call.project, f"{call.variables['collection']}:{call.variables['alias']}")
    if artifact is None:
        raise Refused(f"artifact {call.variables['collection']} not found")
    place = f"{call.url}/storage/artifacts/{_quoted(artifact.id)}"
    nodes = [
        {"__typename": "File", "name": name, "directUrl": f"{place}/{urllib.parse.quote(name)}"} for name in artifact.files
    ]
    membership = {"files": page(nodes, call)}
    return {"project": {"artifactCollection": {"__typename": "ArtifactSequence", "artifactMembership": membership}}}


OF_A_RUN = "entity project run cursor perPage includeAliases"


def _of_run(call: Call, chosen: list[Artifact]) -> Answer:
    run = call.state.run(call.project, call.variables["run"])
    if run is None:
        return {"project": {"run": None}}
    connection = {"totalCount": len(chosen)} | page([_node(call.state, artifact) for artifact in chosen], call)
    return {"project": {"run": run_node(call.state, run) | {"artifacts": connection}}}


@operation("RunInputArtifacts", OF_A_RUN)
def artifacts_used(call: Call) -> Answer:
    return _of_run(call, [one for one in call.state.artifacts.values() if call.variables["run"] in one.used_by])


@operation("RunOutputArtifacts", OF_A_RUN)
def artifacts_logged(call: Call) -> Answer:
    return _of_run(call, [one for one in call.state.artifacts.values() if call.variables["run"] == one.logged_by])
