"""Texts as others may read them: without secrets, and of paths of this machine the last part only."""

import json
import re
from collections.abc import Iterable
from typing import Any

from paraphrase_lab.tracking.redaction import REDACTED, redacted_text

_PART = r"[\w.+@=~-]+"
PATH = re.compile(
    rf"file:///?{_PART}(?:/{_PART})*|(?<![\w/.<~-])(?:~|\.\.?)?(?:/{_PART}){{2,}}/?|(?<![\w:/.-])~[\w.-]*/{_PART}"
    rf"|(?<!\w)[A-Za-z]:(?:[\\/]{_PART}){{2,}}"
)
"""Paths with two parts at least, those with backslashes behind a drive's letter alone; no URL and no OWNER/NAME."""
TEMPLATE = ("{%", "{{")
"""Stand in a template, which would no longer run with something else in it."""


def without_private(text: str, known: Iterable[str] = ()) -> tuple[str, list[str]]:
    """Return the text, and what was replaced in it, secrets themselves left out.

    Args:
        known: paths that are private however they are written, as relative ones.
    """
    found: list[str] = []
    cleaned = redacted_text(text)  # before paths: a part of a secret may look like one
    secrets = cleaned.count(REDACTED) - text.count(REDACTED)

    def last_part(match: re.Match[str]) -> str:
        name = re.split(r"[/\\]", match[0].rstrip("/\\"))[-1]
        found.append(f"{match[0]} is {name}")
        return name

    for path in sorted(known, key=len, reverse=True):
        cleaned = re.sub(rf"(?<![\w/.-]){re.escape(path)}(?![\w/-])", last_part, cleaned)
    cleaned = PATH.sub(last_part, cleaned)
    return cleaned, [*dict.fromkeys(found), *([f"{secrets} secrets"] if secrets > 0 else [])]


def json_without_private(text: str, known: Iterable[str] = ()) -> tuple[str, list[str]]:
    """Return a JSON text with each string that is a value cleaned by itself, keys and templates as they are.

    Raises:
        ValueError: it is no JSON.
    """
    found: list[str] = []

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cleaned(one) for key, one in value.items()}
        if isinstance(value, list):
            return [cleaned(one) for one in value]
        if not isinstance(value, str) or any(mark in value for mark in TEMPLATE):
            return value
        shown, replaced = without_private(value, known)
        found.extend(replaced)
        return shown

    values = cleaned(json.loads(text))
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n" if found else text), list(dict.fromkeys(found))
