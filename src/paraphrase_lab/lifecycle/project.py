"""The git repository that a run's code belongs to: its commit, and the changes that are in no commit."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paraphrase_lab.files import atomic_write
from paraphrase_lab.paths import SOURCE_ROOT
from paraphrase_lab.runs.record import NO_SOURCE, git_state
from paraphrase_lab.tracking.redaction import redacted_text

DIFF_FILE = "uncommitted.diff"
LONGEST_DIFF = 200_000
"""Characters that are kept of a diff."""


def write_project_state(modules: Mapping[str, Path], run_dir: Path) -> dict[str, Any]:
    """Return commit and dirty for run.json; write the uncommitted changes beside it, without secrets, and name the file.

    The project is the checkout of this package, else the repository of the first of `modules` that lies in one.
    """
    state, root = git_state(), SOURCE_ROOT
    for path in modules.values() if state["commit"] is None else ():
        root = path.parent if path.is_file() else path
        if (state := git_state(root))["commit"] is not None:
            break
    (run_dir / DIFF_FILE).unlink(missing_ok=True)  # of an interrupted attempt
    if not state["dirty"] or root is None or not (diff := _diff(root)):
        return state
    text = redacted_text(diff)
    if len(text) > LONGEST_DIFF:
        text = f"{text[:LONGEST_DIFF]}\n… cut here: only the first {LONGEST_DIFF:,} characters of the changes are kept\n"
    with atomic_write(run_dir / DIFF_FILE) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    return {**state, "diff": DIFF_FILE}


def _diff(root: Path) -> str:
    """Return the changes of tracked files below `root` since its last commit; empty where nothing below it is tracked."""
    words = ["diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv", "--relative", "--", "."]
    words += [f":(exclude){path}" for path in NO_SOURCE]
    try:
        with subprocess.Popen(
            ["git", "-C", str(root), *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            found = process.stdout.read(4 * LONGEST_DIFF + 1)
            process.kill()  # of a longer one no more is read
    except OSError:
        return ""
    return found.decode("utf-8", errors="replace")
