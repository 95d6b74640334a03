"""Installs what a job requires, before anything of it is imported: standard library only.

Never what belongs to the image, such as torch: what requires that has to accept the image's version.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from hydra_sagemaker.container import secrets

OF_THE_IMAGE = re.compile(r"(torch|torchvision|torchaudio|triton|nvidia-.*-cu\d+|cuda-.*)$")
"""Built for the image's driver: never installed, and what requires them has to accept the image's versions."""
FAILURE_CHARACTERS = 1024
OPTION_OF_PIP = re.compile(r"\s*(--(?!editable|constraint|requirement)|-f|-i)")
"""A line that installs nothing itself."""
REQUIREMENTS, OWN, PINS = "requirements.txt", "own_requirements.txt", "versions.txt"
"""Files beside the bundled code: the project's requirements, the launcher's, and the versions of the submitting machine."""


def install(code: Path, job_dir: Path, spec: Mapping[str, Any]) -> str:
    """Install the requirements that are bundled with the code; return what was done.

    Raises:
        RuntimeError: pip failed, with its own words, a secret cannot be read, or the image lacks what is never installed.
    """
    lines, own, pins = (_lines(code / ".launcher" / name) for name in (REQUIREMENTS, OWN, PINS))
    missing = [line for line in (*lines, *own) if not _is_satisfied(line)]
    pins = _without_conflicts_of_the_image(pins)
    differing = [pin for pin in pins if _installed(pin) not in (None, pin.partition("==")[2])]
    if not missing and not differing:
        return "the image satisfies them"
    here = {
        name: found.version
        for found in metadata.distributions()
        if OF_THE_IMAGE.match(name := (found.metadata["Name"] or "").lower())
    }
    if absent := [line for line in missing if OF_THE_IMAGE.match(_name(line)) and _name(line) not in here]:
        raise RuntimeError(
            f"the image has no {', '.join(absent)}, and the launcher never installs it: choose an image that has it"
        )
    kept = [f"{name}=={version}" for name, version in sorted(here.items())] + ([] if "torch" in here else ["torch<0"])
    installed = ", ".join(missing or differing) + " installed"
    if any("--hash=" in line for line in lines):  # then pip wants hashes of all that it is given: a call of its own
        _pip(code, job_dir, own, [*kept, *pins])
        _pip(code, job_dir, lines, kept, _variables(code, lines, spec))  # the file itself says which versions
        return installed
    needed = _variables_named(lines, spec)
    if needed and importlib.util.find_spec("boto3") is None:
        _pip(code, job_dir, own, [*kept, *pins])  # boto3 is among them
    _pip(code, job_dir, [*lines, *own], [*kept, *pins], _variables(code, lines, spec), has_pins=bool(pins))
    return installed


def _pip(
    code: Path,
    job_dir: Path,
    lines: Sequence[str],
    constraints: Sequence[str],
    variables: Mapping[str, str] = {},
    *,
    has_pins: bool = False,
) -> None:
    """Run pip on `lines`; `variables` are secrets that it needs, and that are masked in what it prints."""
    (job_dir / "constraints.txt").write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
    at_root = code / ".launcher-requirements.txt"  # where `./package` and `-c constraints.txt` mean what they meant
    at_root.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "-c", str(job_dir / "constraints.txt"), "-r", str(at_root)],
        cwd=code,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output = secrets.masking(variables)(done.stdout).decode(errors="replace")
    print(output, flush=True)
    if done.returncode:
        error = re.search(r"^ *error:.*", output, re.IGNORECASE | re.MULTILINE | re.DOTALL)
        message = error[0] if error else output[-FAILURE_CHARACTERS:]
        way = (
            "\nThe versions are those of the submitting machine: hydra.launcher.versions=any lets pip choose"
            if has_pins
            else ""
        )
        raise RuntimeError(f"pip could not install the requirements: {message.rstrip()[: FAILURE_CHARACTERS - 200]}{way}")


def _variables(code: Path, lines: Sequence[str], spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the secrets that pip needs: the token of a private index."""
    named = _variables_named(lines, spec)
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(code / ".launcher/path")]))
    return secrets.read({"secrets": named, "region": spec.get("region")}, {**os.environ, "PYTHONPATH": path})


def _variables_named(lines: Sequence[str], spec: Mapping[str, Any]) -> dict[str, str]:
    named = {name for line in lines for name in re.findall(r"\$\{([A-Z0-9_]+)\}", line)}
    return {name: secret for name, secret in spec.get("secrets", {}).items() if name in named or name.startswith("PIP_")}


def _without_conflicts_of_the_image(pins: Sequence[str]) -> list[str]:
    """Leave out the versions that the image's torch and the like cannot work with."""
    try:
        from pip._vendor.packaging.requirements import Requirement
    except ImportError:
        return list(pins)
    wanted: dict[str, list[Any]] = {}
    for found in metadata.distributions():
        if OF_THE_IMAGE.match((found.metadata["Name"] or "").lower()):
            for text in found.requires or ():
                need = Requirement(text)
                if need.marker is None or need.marker.evaluate({"extra": ""}):
                    wanted.setdefault(_name(need.name), []).append(need.specifier)
    versions = {pin: pin.partition("==")[2] for pin in pins}
    return [pin for pin, version in versions.items() if all(one.contains(version, True) for one in wanted.get(_name(pin), ()))]


def _lines(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _name(line: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line.strip())
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


def _installed(line: str) -> str | None:
    try:
        return metadata.version(_name(line))
    except metadata.PackageNotFoundError:
        return None


def _is_satisfied(line: str) -> bool:
    """Return whether the image satisfies a requirement; False when in doubt: then pip decides."""
    if OPTION_OF_PIP.match(line):
        return True
    try:
        from pip._vendor.packaging.requirements import Requirement

        wanted = Requirement(re.split(r" #| --hash", line, maxsplit=1)[0].strip().rstrip("\\").strip())
        if wanted.marker is not None and not wanted.marker.evaluate():
            return True
        return (
            not wanted.url and not wanted.extras and wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
        )
    except Exception:  # no pip, an option such as -e, a package that is not there
        return False
