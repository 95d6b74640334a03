"""Two ways to give a job its /opt/ml: named by a variable, or mounted in a namespace where it is also pid 1."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Literal

from sagemaker_local.account import CONTAINER_BASE
from sagemaker_local.errors import LocalSageMakerError

Isolation = Literal["environment", "namespace"]
ISOLATIONS: tuple[Isolation, ...] = ("environment", "namespace")
CONTAINER_PATH = re.compile(re.escape(CONTAINER_BASE) + r"(?![\w.-])")
NAMESPACE_SCRIPT = """
set -e
tree=$1 scratch=$2 host=$3
shift 3
mount -t tmpfs tmpfs "$scratch"
mkdir "$scratch/upper" "$scratch/work"
mount -t overlay overlay -o "lowerdir=/opt,upperdir=$scratch/upper,workdir=$scratch/work" /opt
mkdir -p /opt/ml
mount --bind "$tree" /opt/ml
mount --bind "$tree/../hosts" /etc/hosts
hostname "$host"
cd /
exec "$@"
"""
"""Mounts an overlay, since /opt/ml need not exist and the host's /opt must not change."""


def host_names(isolation: Isolation, count: int) -> list[str]:
    """Return names that resolve: a namespace has its own /etc/hosts, without one several hosts have loopback addresses."""
    if isolation == "namespace":
        return [f"algo-{number}" for number in range(1, count + 1)]
    return [_own_name()] if count == 1 else [f"127.0.0.{number}" for number in range(1, count + 1)]


def _own_name() -> str:
    with suppress(OSError):
        socket.gethostbyname(name := socket.gethostname())
        return name
    return "localhost"


def with_tree(text: str, tree: Path) -> str:
    return CONTAINER_PATH.sub(lambda _: str(tree), text)


def namespace_command(command: list[str], *, tree: Path, host: str, hosts: list[str]) -> list[str]:
    scratch = tree.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    (tree.parent / "hosts").write_text(f"127.0.0.1 localhost {' '.join(hosts)}\n", encoding="utf-8")
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    options = [*as_root, *"--mount --pid --uts --fork --kill-child --mount-proc --propagation private".split()]
    return ["unshare", *options, "bash", "-c", NAMESPACE_SCRIPT, "bash", str(tree), str(scratch), host, *command]


def check_namespaces(directory: Path) -> None:
    """Raise LocalSageMakerError if the kernel refuses this user namespaces."""
    tree = directory / "namespace-check" / "opt_ml"
    tree.mkdir(parents=True, exist_ok=True)
    problem = "there is no `unshare` (package util-linux)"
    if directory.resolve().is_relative_to("/opt"):
        problem = f"{directory} is under /opt, which jobs get their own of"
    elif shutil.which("unshare"):
        command = namespace_command(["true"], tree=tree, host="algo-1", hosts=["algo-1"])
        tried = subprocess.run(command, capture_output=True, text=True)
        problem = tried.stderr.strip() if tried.returncode else ""
    shutil.rmtree(tree.parent, ignore_errors=True)
    if problem:
        raise LocalSageMakerError(
            f"isolation=namespace is not available on this machine: {problem}\n"
            "use isolation=environment, which needs no privileges"
        )
