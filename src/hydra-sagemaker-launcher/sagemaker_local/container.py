"""One host of a job or of an endpoint: its tree, its Python environment and its process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagemaker_local import supervisor
from sagemaker_local.account import CONTAINER_BASE
from sagemaker_local.environment import Environments, job_variables
from sagemaker_local.isolation import Isolation, namespace_command, with_tree

DIRECTORIES = ("input/config", "input/data", "model", "output/data", "checkpoints")


class Container:
    def __init__(self, directory: Path, *, isolation: Isolation, host: str, hosts: list[str]) -> None:
        self.tree = directory / "opt_ml"
        self.log_file = directory.parent / f"{directory.name}.log"
        self.directory, self.isolation, self.host, self.hosts = directory, isolation, host, hosts
        self._process: subprocess.Popen[bytes] | None = None
        for name in DIRECTORIES:
            (self.tree / name).mkdir(parents=True)

    def path(self, container_path: str) -> Path:
        """Return the path on this machine of a path under /opt/ml."""
        return self.tree / container_path.removeprefix(CONTAINER_BASE).lstrip("/")

    def write_json(self, name: str, content: Any) -> None:
        (self.tree / "input" / "config" / name).write_text(json.dumps(content), encoding="utf-8")

    def start(
        self, command: list[str], variables: Mapping[str, str], environments: Environments, credentials: Mapping[str, str]
    ) -> None:
        path = environments.create(self.directory / "environment")
        requested = dict(variables)
        if self.isolation == "environment":
            command = [with_tree(word, self.tree) for word in command]
            requested = {name: with_tree(value, self.tree) for name, value in requested.items()}
            requested["SAGEMAKER_BASE_DIR"] = str(self.tree)
        else:
            command = namespace_command(command, tree=self.tree, host=self.host, hosts=self.hosts)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, self.isolation, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.tree,
                env=job_variables(credentials, path, requested),
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """The exit code as a shell gives it; None while it runs."""
        code = self._process.poll() if self._process else None
        return 128 - code if code is not None and code < 0 else code

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds: float) -> None:
        if self._process:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def terminate(self) -> None:
        """Send SIGTERM, to the first process only."""
        self._order(b"T")

    def kill(self) -> None:
        self._order(b"K")

    def _order(self, order: bytes) -> None:
        if self._process and self._process.stdin:
            with suppress(BrokenPipeError, ValueError):  # it has ended
                self._process.stdin.write(order)
                self._process.stdin.flush()

    def close(self) -> None:
        """End all of its processes."""
        if self._process is None:
            return
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
