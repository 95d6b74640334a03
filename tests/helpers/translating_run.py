"""Runs a sweep of training jobs, then says output.txt in this machine's words: a job names its code's root and its output
directory as they are in its container. Usage: translating_run.py COMMAND..."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def translations(here: Path) -> dict[str, str]:
    found = {}
    for file in here.glob("**/.job/started.json"):
        base, _, _ = json.loads(file.read_text(encoding="utf-8"))["output_dir"].partition("/output/data/")
        sweep_dir = json.loads(file.with_name("spec.json").read_text(encoding="utf-8"))["sweep_dir"]
        found |= {f"{base}/output/data": sweep_dir, f"{base}/code": str(here)}
    return found


def main() -> int:
    code = subprocess.call(sys.argv[1:])
    file = Path("output.txt")
    if file.is_file():
        text = file.read_text(encoding="utf-8")
        for theirs, ours in translations(Path.cwd()).items():
            text = text.replace(theirs, ours)
        file.write_text(text, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
