"""Short forms of dotted keys, long values and amounts of money."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any


def short_names(keys: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return the shortest ending of each dotted key that means no other key: model.num_layers -> num_layers."""
    keys = list(keys)
    owners = Counter(ending for key in {*known, *keys} for ending in _endings(key))
    return {key: next(name for name in _endings(key) if name == key or owners[name] == 1) for key in keys}


def _endings(key: str) -> list[str]:
    """Return the endings of a dotted key, the shortest first."""
    parts = key.split(".")
    return [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]


def shown(value: Any) -> str:
    """Format a value as it is typed: null, true, 0.001, [1,2]."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)


def cut_in_the_middle(text: str, longest: int) -> str:
    """Shorten a text and keep both ends, such as the top of a path and its name."""
    if len(text) <= longest:
        return text
    head = (longest - 1) // 2
    return f"{text[:head]}…{text[len(text) - (longest - 1 - head) :]}"


def brief_names(names: Sequence[str]) -> list[str]:
    """Drop year, seconds and microseconds of names such as 2026-11-24/01-07-33-022599_sweep/0 if they stay unique."""
    briefest = list(names)
    for moment in (r"\1/\2-\3-\4", r"\1/\2-\3"):
        shorter = [re.sub(r"\b\d{4}-(\d\d-\d\d)/(\d\d)-(\d\d)-(\d\d)-\d{6}", moment, name) for name in names]
        if len(set(shorter)) == len(set(names)):
            briefest = shorter
    return briefest


def money(usd: float | None) -> str:
    if usd is None:
        return ""
    return "<$0.01" if 0 < usd < 0.01 else f"${usd:,.2f}"
