"""A stand-in for the part of the Hub's API that takes uploads: strict in what it accepts, it keeps what was committed."""

from __future__ import annotations

import base64
import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_" + "a1b2" * 9
LFS_FROM = 10_000
"""Bytes from which a file goes to the large file storage."""


class Repository(ThreadingHTTPServer):
    """One repository, `owner/name`, that only TOKEN may write."""

    def __init__(self, *, exists_public: bool = False, status: int | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.visibility = "public" if exists_public else None
        self.status = status
        """Refuses everything with this status."""
        self.objects: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.commits: list[str] = []
        self.strange: list[str] = []
        """Requests that it does not know, or that are not as they should be."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Repository

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._is_allowed():
            return
        routes = {
            "/api/repos/create": self._create,
            "/api/validate-yaml": lambda given: (200, {"errors": [], "warnings": []}),
            "/api/models/owner/name/preupload/main": self._modes,
            "/owner/name.git/info/lfs/objects/batch": self._batch,
        }
        if self.path == "/api/models/owner/name/commit/main":
            return self._answer(*self._commit([json.loads(line) for line in body.splitlines()]))
        if self.path not in routes:
            return self._strange(f"POST {self.path}")
        self._answer(*routes[self.path](json.loads(body)))

    def do_GET(self) -> None:
        if not self._is_allowed():
            return
        if self.path.partition("?")[0] != "/api/models/owner/name":
            return self._strange(f"GET {self.path}")
        self._answer(200, {"id": "owner/name", "private": self.server.visibility == "private", "siblings": []})

    def do_PUT(self) -> None:
        oid, content = self.path.rpartition("/")[2], self.rfile.read(int(self.headers["Content-Length"]))
        if hashlib.sha256(content).hexdigest() != oid or "Authorization" in self.headers:
            return self._strange(f"PUT {self.path}")
        self.server.objects[oid] = content
        self._answer(200, {})

    def _is_allowed(self) -> bool:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": "Invalid credentials"})
        elif self.server.status is not None:
            self._answer(self.server.status, {"error": f"no, {TOKEN}"})
        else:
            return True
        return False

    def _create(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if given.get("name") != "name" or given.get("organization") != "owner":
            return 400, {"error": "another name"}
        if self.server.visibility is not None:
            return 409, {"error": "exists", "url": f"{self.server.url}/owner/name"}
        is_private = given.get("private") is True or given.get("visibility") == "private"  # in older releases, in newer ones
        self.server.visibility = "private" if is_private else "public"
        return 200, {"url": f"{self.server.url}/owner/name", "name": "owner/name", "id": "1"}

    def _modes(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        for one in given["files"]:
            assert len(base64.b64decode(one["sample"])) <= 512 and isinstance(one["size"], int)
        modes = {one["path"]: "lfs" if one["size"] >= LFS_FROM else "regular" for one in given["files"]}
        return 200, {"files": [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]}

    def _batch(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if given["operation"] != "upload" or "basic" not in given["transfers"] or given["hash_algo"] != "sha256":
            return 400, {"error": "not as it should be"}
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.server.url}/storage/{one['oid']}"}}} for one in given["objects"]
        ]
        return 200, {"transfer": "basic", "objects": objects}

    def _commit(self, lines: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        header, *files = lines
        if header["key"] != "header" or not header["value"]["summary"]:
            return 400, {"error": "no header"}
        for one in files:
            value = one["value"]
            if one["key"] == "file" and value["encoding"] == "base64":
                self.server.files[value["path"]] = base64.b64decode(value["content"])
            elif one["key"] == "lfsFile" and len(self.server.objects.get(value["oid"], b"")) == value["size"]:
                self.server.files[value["path"]] = self.server.objects[value["oid"]]
            else:
                return 400, {"error": f"{one['key']} was not uploaded"}
        self.server.commits.append(header["value"]["summary"])
        return 200, {"commitUrl": f"{self.server.url}/owner/name/commit/abc", "commitOid": "abc", "success": True}

    def _strange(self, what: str) -> None:
        self.server.strange.append(what)
        self._answer(400, {"error": what})

    def _answer(self, status: int, given: dict[str, Any]) -> None:
        body = json.dumps(given).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...
