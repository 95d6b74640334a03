"""The note at the head of an experiment's file: question, cost, expected result, command."""

import re
from pathlib import Path

_FIELD = re.compile(r"# ([A-Z]\w+): +(\S.*)")
_MORE = re.compile(r"#\s{2,}(\S.*)")


def lab_note(file: Path) -> dict[str, str]:
    """Read the text by field (Question, Cost, Expected, Source, Command, Result) on one line; of several commands the first."""
    fields: dict[str, list[str]] = {}
    name = None
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if match := _FIELD.match(line):
            name = match[1]
            fields[name] = [match[2].strip()]
        elif name is not None and (match := _MORE.match(line)):
            fields[name].append(match[1].strip())
    return {name: lines[0] if name == "Command" else " ".join(lines) for name, lines in fields.items()}
