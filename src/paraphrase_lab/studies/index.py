"""experiments/README.md: every experiment and ablation with its question, its command and its verdict."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from paraphrase_lab.markdown import markdown_table
from paraphrase_lab.studies.lab_notes import lab_note
from paraphrase_lab.studies.results import RESULTS

NAME = "README.md"
NOT_RUN = "not run yet"
_VERDICT = re.compile(r"^\*\*Verdict\.\*\* (.+)$", re.MULTILINE)
INTRODUCTION = """\
# Experiments

Written by `paraphrase study --index` from the notes at the head of the files and from `results/`; do not edit.
How a study is described, run and judged: [docs/studies.md](../docs/studies.md).
"""


def index(experiments: Path) -> str:
    """Return the page.

    Args:
        experiments: the directory that holds experiment/ and ablation/.
    """
    parts = [INTRODUCTION]
    for group, title in (("ablation", "Ablation studies"), ("experiment", "Single experiments")):
        files = sorted((experiments / group).glob("*.yaml"))
        if files:
            parts.append(f"## {title}\n\n{_table(experiments, files)}")
    return "\n".join(parts)


def _table(experiments: Path, files: Sequence[Path]) -> str:
    rows = []
    for file in files:
        note = lab_note(file)
        runs, verdict = _found(experiments / RESULTS / f"{file.stem}.md")
        link = f"[{file.stem}]({file.parent.name}/{file.name})"
        rows.append(
            [link, note.get("Question", ""), f"`{note.get('Command', '')}`", runs, verdict or note.get("Result", NOT_RUN)]
        )
    return markdown_table(["", "question", "command", "runs", "verdict"], rows) + "\n"


def _found(page: Path) -> tuple[str, str]:
    """Return the number of runs and the verdict with a link to its page; empty texts if there are no results."""
    if not page.is_file():
        return "", ""
    match = _VERDICT.search(page.read_text(encoding="utf-8"))
    with page.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        runs = sum(1 for _ in csv.DictReader(file))
    return str(runs), f"{match[1] if match else ''} [Results]({RESULTS}/{page.name})"
