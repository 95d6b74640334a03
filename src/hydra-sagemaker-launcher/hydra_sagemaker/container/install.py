"""Installs what a job requires, before anything of it is imported: standard library only.

Never what belongs to the image, such as torch: what requires that has to accept the image's version.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

OF_THE_IMAGE = re.compile(r"(torch|torchvision|torchaudio|triton|nvidia-.*-cu\d+|cuda-.*)$")
"""Built for the image's driver: never installed, and what requires them has to accept the image's versions."""
FAILURE_CHARACTERS = 1024


def install(code: Path, job_dir: Path) -> str:
    """Install the requirements that are bundled with the code; return what was done.

    Raises:
        RuntimeError: pip failed, with its own words, or the image lacks what is never installed.
    """
    requirements = code / ".launcher/requirements.txt"
    lines = [
        line for line in requirements.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")
    ]
    if not (missing := [line for line in lines if not _is_satisfied(line)]):
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
    pins = [f"{name}=={version}\n" for name, version in sorted(here.items())]
    constraints = job_dir / "constraints.txt"
    constraints.write_text("".join(pins) if "torch" in here else "".join([*pins, "torch<0\n"]), encoding="utf-8")
    at_root = code / ".launcher-requirements.txt"  # where `./package` and `-c constraints.txt` mean what they meant
    at_root.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "-c", str(constraints)]
    done = subprocess.run(
        [*pip, "-r", str(at_root)], cwd=code, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    print(done.stdout, flush=True)
    if done.returncode:
        error = re.search(r"^ *error:.*", done.stdout, re.IGNORECASE | re.MULTILINE | re.DOTALL)
        message = error[0] if error else done.stdout[-FAILURE_CHARACTERS:]
        raise RuntimeError(f"pip could not install the requirements: {message}")
    return f"{', '.join(missing)} installed"


def _name(line: str) -> str:
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line.strip())
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


def _is_satisfied(line: str) -> bool:
    """Return whether the image satisfies a requirement; False when in doubt: then pip decides."""
    try:
        from pip._vendor.packaging.requirements import Requirement

        wanted = Requirement(line.partition(" #")[0].strip())
        if wanted.marker is not None and not wanted.marker.evaluate():
            return True
        return (
            not wanted.url and not wanted.extras and wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
        )
    except Exception:  # no pip, an option such as -e, a package that is not there
        return False
