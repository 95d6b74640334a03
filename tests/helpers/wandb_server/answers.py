"""Answers to GraphQL queries: which operations there are, and the shapes that several of them share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from wandb_server.state import State, global_id

Variables = dict[str, Any]
Answer = dict[str, Any]


class Call(NamedTuple):
    """One GraphQL request: `variables` are merged with those under `input`."""

    state: State
    variables: Variables
    url: str
    """The address of this server, with which those of files begin."""

    @property
    def project(self) -> str:
        names = ("project", "projectName", "modelName")
        return next((self.variables[name] for name in names if self.variables.get(name)), "uncategorized")

    @property
    def entity_is_ours(self) -> bool:
        given = next((self.variables[name] for name in ("entity", "entityName") if self.variables.get(name)), None)
        return given in (None, self.state.entity)

    @property
    def project_exists(self) -> bool:
        return self.entity_is_ours and self.project in self.state.projects


class Operation(NamedTuple):
    answer: Callable[[Call], Answer]
    variables: frozenset[str]


class Unanswerable(Exception):
    """A request whose operation is known but which asks something this server does not do."""


class Refused(Exception):
    """What the real server would refuse too: answered with status 404 and this message."""


class Opaque(dict[str, Any]):
    """A JSON value: its keys are not fields that a query selects."""


OPERATIONS: dict[str, Operation] = {}


def operation(names: str, variables: str = "") -> Callable[[Callable[[Call], Answer]], Callable[[Call], Answer]]:
    """Registers the answer to the operations `names`, which may come with `variables` (both separated by spaces)."""

    def register(answer: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        for name in names.split():
            OPERATIONS[name] = Operation(answer, frozenset(variables.split()))
        return answer

    return register


def selected(answer: Any, query: str) -> Any:
    """Without the fields that the query does not name: a client must ask for what it reads."""
    words = set(re.findall(r"\w+", query))

    def keep(value: Any) -> Any:
        if isinstance(value, dict) and not isinstance(value, Opaque):
            return {key: keep(inner) for key, inner in value.items() if key in words}
        return [keep(inner) for inner in value] if isinstance(value, list) else value

    return keep(answer)


def page(nodes: Sequence[Answer], call: Call, default_size: int = 50, cursor: str = "cursor") -> Answer:
    """One page of a connection; the cursor is the position of its last node."""
    given = call.variables.get(cursor)
    start = int(given) + 1 if given else 0
    size = next((call.variables[name] for name in ("perPage", "reportLimit") if call.variables.get(name)), default_size)
    shown = list(enumerate(nodes))[start : start + size]
    return {
        "edges": [{"node": node, "cursor": str(index)} for index, node in shown],
        "pageInfo": {
            "__typename": "PageInfo",
            "endCursor": str(shown[-1][0]) if shown else None,
            "hasNextPage": start + size < len(nodes),
        },
    }


def project_node(state: State, name: str) -> Answer:
    return {
        "__typename": "Project", "id": global_id("Project", name), "internalId": "1", "name": name, "entityName": state.entity,
        "createdAt": state.projects.get(name), "isBenchmark": False, "user": None, "description": "", "access": "PRIVATE",
        "views": "{}", "entity": {"id": global_id("Entity", state.entity), "name": state.entity},
    }  # fmt: skip
