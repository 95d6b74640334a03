"""The secrets of a job: read from Secrets Manager before the task begins, and taken out of all that its processes print.

`python -m hydra_sagemaker.container.secrets` reads them: boto3 may just have been installed, which only a new process finds.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from hydra_sagemaker.secret_names import redactor

END_OF_LINE = re.compile(rb"(?<=[\r\n])")
LOG_AT_MOST = 50_000_000


def read(spec: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Return variable and value of each of the job's secrets.

    Raises:
        RuntimeError: boto3 is missing, or a secret is: not there, not text, not allowed.
    """
    if not spec.get("secrets"):
        return {}
    safe = ["-P"] if sys.version_info >= (3, 11) else []
    command = [sys.executable, *safe, "-m", __name__]
    asked = json.dumps({"secrets": spec["secrets"], "region": spec.get("region")})
    done = subprocess.run(command, input=asked, capture_output=True, text=True, env=dict(environment))
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode} from {' '.join(command)}")
    return json.loads(done.stdout)


def segments(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what a process prints up to each line feed or carriage return, as it comes: a progress bar moves on."""
    held: list[bytes] = []
    while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
        first, *others = END_OF_LINE.split(chunk)
        held.append(first)
        if others:
            yield b"".join(held)
            yield from others[:-1]
            held = others[-1:]
    if any(held):
        yield b"".join(held)


def masking(secrets: Mapping[str, str]) -> Callable[[bytes], bytes]:
    """Return a function that puts the names of secrets in place of their values; other bytes stay, whatever they are."""
    if not secrets:
        return lambda text: text
    masked = redactor(secrets)
    return lambda text: masked(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def mask_logs(directory: Path, secrets: Mapping[str, str]) -> None:
    """Take the secrets out of the log files that the job has written beside its results."""
    mask = masking(secrets)
    for file in sorted(directory.rglob("*.log")) if secrets else ():
        if file.is_file() and not file.is_symlink() and file.stat().st_size <= LOG_AT_MOST:
            text = file.read_bytes()
            if (shown := mask(text)) != text:
                file.write_bytes(shown)


def main() -> int:
    asked = json.load(sys.stdin)
    try:
        import boto3
    except ImportError:
        print("hydra.launcher.secrets needs boto3 in the job: add it to the requirements", file=sys.stderr)
        return 1
    client = boto3.client("secretsmanager", region_name=asked["region"] or os.environ.get("AWS_REGION"))
    found = {}
    for variable, secret in asked["secrets"].items():
        try:
            found[variable] = client.get_secret_value(SecretId=secret)["SecretString"]
        except Exception as error:  # not there, not text, not allowed: the name helps, whatever it is
            message = " ".join(str(error).split())
            print(f"hydra.launcher.secrets.{variable}={secret}: {type(error).__name__}: {message}", file=sys.stderr)
            return 1
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
