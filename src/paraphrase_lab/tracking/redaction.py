"""A configuration as it may leave this machine: what looks like a secret is gone, and so is the user's home directory."""

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

REDACTED = "[redacted]"
SHORTEST_SECRET = 6
"""Characters of an environment variable's value that is looked for in the configuration."""
_NAME = re.compile(
    r"(?:^|[_.\-])(?:pass(?:word|wd|phrase|code)?|pwd|secrets?|token|(?:api|access|private|signing|secret|hf|wandb)_?keys?|credentials?"
    r"|authorization|bearer)(?:$|[_.\-])"
)
_PART_OF_A_VOCABULARY = re.compile(r"(?:^|[_.\-])(?:pad|eos|bos|sos|cls|sep|unk|mask|special|start|end|stop)_token(?:_id)?$")
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_VALUES = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}|\bhf_[A-Za-z0-9]{20,}"
    r"|(?<![\w-])sk-[\w-]{20,}|\bAIza[\w-]{35}|\bxox[abeoprs]-[\w-]{10,}|\bpypi-AgE[\w-]{20,}|\bwandb_v\d+_\w{20,}"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}|-----BEGIN [A-Z ]*PRIVATE KEY[\s\S]*"
)
_IN_URL = re.compile(r"(://)(?:[^/\s@]+|[^/\s:@]+:[^\s@]+)@")
_SPOKEN = re.compile(r"((?i:authorization\s*:\s*basic)\s+|\bBearer\s+|(?i:\b(?:password|passwd|pwd)\s*=)\s*)[^\s;,&]+")
"""A header, or a part of a connection string."""
_IN_QUERY = re.compile(r"([?&](?:[\w-]*[_-])?(?:token|key|secret|password|signature|credential|sig)=)[^&\s#]+", re.IGNORECASE)

_ASSIGNED = re.compile(
    r"([A-Za-z_][\w.\-]*)([\"']?[^\S\n]*[:=][^\S\n]*)(\"[^\"\n]*\"|'[^'\n]*'|[\w+/=.\-]{6,}(?=[\s,;})]|$))", re.MULTILINE
)
"""A name, what assigns, and a quoted text or a long word."""


def is_secret_name(name: str) -> bool:
    """Return whether a name is a secret's: `hub.api_key`, `dbPassword`, `HF_TOKEN`, but not `tokenizer` or `pad_token`."""
    words = _CAPITAL.sub("_", name).lower()
    return bool(_NAME.search(words)) and not _PART_OF_A_VOCABULARY.search(words)


def redacted(value: Any, name: str = "", known: Iterable[str] | None = None) -> Any:
    """Return a copy of nested mappings, lists, texts and numbers. True, false and null are no secrets.

    Args:
        known: texts that are secret whatever they look like; those of the environment unless given.
    """
    known = _secrets_of_the_environment() if known is None else known
    if isinstance(value, Mapping):
        secret = is_secret_name(name)
        return {str(key): redacted(below, name if secret else str(key), known) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(below, name, known) for below in value]
    if value is None or isinstance(value, bool):
        return value
    if value != "" and is_secret_name(name):
        return REDACTED
    if not isinstance(value, str):
        return value
    text = value
    for secret in known:
        text = text.replace(secret, REDACTED)
    text = _SPOKEN.sub(rf"\g<1>{REDACTED}", text)
    text = _IN_QUERY.sub(rf"\g<1>{REDACTED}", _IN_URL.sub(rf"\g<1>{REDACTED}@", _VALUES.sub(REDACTED, text)))
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def redacted_words(words: Iterable[str]) -> str:
    """Return the words of a command line as one would type them, without secrets; `key=value` is judged by its key too."""
    shown = []
    for word in words:
        key, equals, value = word.partition("=")
        shown.append(f"{key}={redacted(value, key)}" if equals and is_secret_name(key) else redacted_text(word))
    return shlex.join(shown)


def redacted_text(text: str) -> str:
    """Return source code or words without what looks like a secret, also where it is assigned to a name like a secret's."""

    def judged(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}{REDACTED}" if is_secret_name(found[1]) else found[0]

    return redacted(_ASSIGNED.sub(judged, text))


def _secrets_of_the_environment() -> list[str]:
    """Return what a `${oc.env:…}` may have brought into the configuration; the longest first."""
    found = {value.strip() for name, value in os.environ.items() if is_secret_name(name)}
    return sorted((value for value in found if len(value) >= SHORTEST_SECRET), key=len, reverse=True)
