"""The Python environment and the variables of a job: it installs for itself only, and sees no secret of the host."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sagemaker_local.account import REGION
from sagemaker_local.errors import LocalSageMakerError

HOST_VARIABLES = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
PIP_DESTINATIONS = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_PYTHON")
"""Variables that would make pip in a job install outside the job's own environment."""
DESCRIBE_PYTHON = """
import importlib.util, json, site, sysconfig
folders = site.getsitepackages() + ([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])
print(json.dumps([folders, sysconfig.get_path("scripts"), importlib.util.find_spec("pip") is not None]))
"""


class Environments:
    """Makes virtual environments over one Python: its packages count as installed, pip writes to the new one only."""

    def __init__(self, python: str, directory: Path) -> None:
        self.template = directory / "environment"
        try:
            described = subprocess.run([python, "-c", DESCRIBE_PYTHON], capture_output=True, text=True, check=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as error:
            raise LocalSageMakerError(f"{python} is not a Python that can run jobs: {error}") from error
        folders, self.scripts, has_pip = json.loads(described.stdout)
        shutil.rmtree(self.template, ignore_errors=True)
        options = ["--without-pip"] if has_pip else []
        subprocess.run([python, "-m", "venv", *options, str(self.template)], check=True, capture_output=True)
        self._copy_scripts(Path(self.scripts))
        (packages,) = self.template.glob("lib/python*/site-packages")
        lines = [f"import site; site.addsitedir({folder!r})" for folder in folders]  # editable installs are .pth files there
        (packages / "_base_environment.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _copy_scripts(self, scripts: Path) -> None:
        """Copy the base's commands, to run under the job's Python: `pip`, or AWS's `train`, must not install into the base."""
        bin_directory = self.template / "bin"
        for name in ("activate", "activate.csh", "activate.fish", "Activate.ps1"):
            (bin_directory / name).unlink(missing_ok=True)  # they hold the template's path
        for script in sorted(scripts.iterdir()) if scripts.is_dir() else []:
            text = _python_script(script)
            if text and not (bin_directory / script.name).exists():
                (bin_directory / script.name).write_bytes(text)
                (bin_directory / script.name).chmod(0o755)

    def create(self, directory: Path) -> str:
        """Make a new environment, and return the value of PATH that puts it first."""
        shutil.copytree(self.template, directory, symlinks=True)
        return os.pathsep.join([str(directory / "bin"), self.scripts, os.environ.get("PATH", os.defpath)])


def _python_script(script: Path) -> bytes | None:
    """Return the script with a first line for the first `python3` on PATH; None if it is no Python script."""
    if script.is_symlink() or not script.is_file():
        return None
    with script.open("rb") as file:
        if file.read(2) != b"#!":
            return None
    first, _, rest = script.read_bytes().partition(b"\n")
    if b"python" in first:
        return b"#!/usr/bin/env python3\n" + rest
    if first == b"#!/bin/sh" and rest.startswith(b"'''exec'"):  # pip's way to write paths too long for the first line
        return b"#!/usr/bin/env python3\n" + rest.split(b"\n", 2)[2]
    return None


def job_variables(credentials: Mapping[str, str], path: str, requested: Mapping[str, str]) -> dict[str, str]:
    """Return a few of the host's variables, the request's, and the address for AWS's clients; never the host's AWS keys."""
    host = {name: os.environ[name] for name in HOST_VARIABLES + PROXY_VARIABLES if name in os.environ}
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_") and name not in PIP_DESTINATIONS}
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1,localhost"]))
    here = {
        **credentials,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": direct,
        "no_proxy": direct,
    }
    # Jobs share this machine's cores: OpenMP threads that wait actively would slow the other jobs down.
    shared = {} if "OMP_WAIT_POLICY" in requested else {"GOMP_SPINCOUNT": "1000"}
    return {"LANG": "C.UTF-8", **shared, **host, **pip, "PATH": path, "PYTHONUNBUFFERED": "1", **requested, **here}
