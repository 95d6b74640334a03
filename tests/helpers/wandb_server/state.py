"""What the server knows: projects, runs, artifacts, views and every request it was sent."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

INTERNAL_KEYS = ("_wandb", "wandb_version")
"""Keys of a config that the client writes there for itself."""
KILLED_EXIT_CODE = 255
"""What the client's exit hook reports after Ctrl-C."""


def global_id(kind: str, *parts: object) -> str:
    """An opaque id, the same for the same thing."""
    return base64.b64encode(":".join((kind, *map(str, parts))).encode()).decode()


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Request:
    """One request as it came in; `headers` are without the key, `body` is unpacked."""

    method: str
    path: str
    operation: str | None
    variables: dict[str, Any]
    body: bytes
    headers: dict[str, str]
    status: int = 0
    """The status of the answer; 0 while there is none, and when the connection was dropped."""


@dataclass
class Run:
    project: str
    id: str
    display_name: str
    silent_seconds: float
    """W&B takes a running run for crashed after this long without a word."""
    group: str | None = None
    job_type: str | None = None
    tags: list[str] = field(default_factory=list)
    notes: str | None = None
    host: str | None = None
    program: str | None = None
    commit: str | None = None
    repo: str | None = None
    raw_config: dict[str, Any] = field(default_factory=dict)
    """As the client sends it: {key: {"value": …}}, with its own keys."""
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    exit_code: int | None = None
    preempting: bool = False
    resumed: int = 0
    """Times a client found the run and went on with it."""
    resume_asked: bool = False
    created: str = field(default_factory=now)
    last_heard: float = field(default_factory=time.monotonic)

    @property
    def config(self) -> dict[str, Any]:
        """What was passed to init, without the client's own keys."""
        values = {key: value for key, value in self.raw_config.items() if key not in INTERNAL_KEYS}
        return {key: value["value"] if isinstance(value, dict) and "value" in value else value for key, value in values.items()}

    @property
    def state(self) -> str:
        """running, preempting, crashed; after the end finished, failed, killed or preempted."""
        if self.exit_code is None:
            if time.monotonic() - self.last_heard > self.silent_seconds:
                return "crashed"
            return "preempting" if self.preempting else "running"
        if self.exit_code == 0:
            return "finished"
        if self.preempting:
            return "preempted"
        return "killed" if self.exit_code == KILLED_EXIT_CODE else "failed"

    def starts_again(self) -> None:
        self.exit_code, self.preempting, self.resume_asked = None, False, False
        self.resumed += 1


@dataclass
class Artifact:
    id: str
    project: str
    collection: str
    type: str
    version: int
    digest: str
    state: str
    """PENDING until all files are there, then COMMITTED."""
    request: dict[str, Any]
    """The input of CreateArtifact."""
    wanted_aliases: list[str]
    aliases: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    logged_by: str | None = None
    used_by: list[str] = field(default_factory=list)
    """Ids of runs."""

    @property
    def name(self) -> str:
        return f"{self.collection}:v{self.version}"


@dataclass
class View:
    """A report (type "runs") or a saved workspace (type "project-view")."""

    id: str
    project: str
    type: str
    name: str
    display_name: str
    description: str
    spec: str
    """JSON."""
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    saved: int = 1


class State:
    def __init__(self, entity: str, user: str, silent_seconds: float) -> None:
        self.entity, self.user, self.silent_seconds = entity, user, silent_seconds
        self.projects: dict[str, str] = {}
        """Name to time of creation."""
        self.runs: dict[tuple[str, str], Run] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.views: dict[str, View] = {}
        self.files: dict[str, bytes] = {}
        """Uploaded bytes by path below /storage/."""
        self.alerts: list[dict[str, Any]] = []
        self.requests: list[Request] = []
        self.unknown: list[str] = []
        """Everything a client asked that this server does not know; a test with such a request fails."""
        self.lock = threading.RLock()

    def add_project(self, name: str) -> None:
        self.projects.setdefault(name, now())

    def run(self, project: str, run_id: str) -> Run | None:
        return self.runs.get((project, run_id))

    def add_run(self, project: str, run_id: str) -> Run:
        self.add_project(project)
        run = self.runs[project, run_id] = Run(project, run_id, run_id, self.silent_seconds)
        return run
