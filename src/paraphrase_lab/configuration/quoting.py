"""The quotes that an override's value needs: Hydra's grammar reads `= , ( ) [ ] { } # ~` and more as its own."""

import re

from paraphrase_lab.paths import with_home

_QUOTES = "\"'"
_PLAIN = re.compile(r"[A-Za-z0-9_./@+%:-]+")
_TILDE_ELEMENT = re.compile(r"(?:(?<=^)|(?<=,))~[^,]*")


def quoted(text: str) -> str:
    r"""Quote a text as the value of an override; a backslash counts only before a quote, and there it is doubled."""
    return '"' + re.sub(r'(\\*)("|$)', lambda match: match[1] * 2 + (match[2] and r"\""), text) + '"'


def expand_home(override: str) -> str:
    """Return the override with the user's home in place of a `~` that begins a value, or one of a sweep's values.

    A shell leaves the `~` behind a `=` alone, and Hydra's grammar has no such letter outside quotes.
    """
    key, sign, value = override.partition("=")
    if value[:1] in _QUOTES and value[1:2] == "~":
        return f"{key}{sign}{value[0]}{with_home(value[1:])}"
    return f"{key}{sign}{_TILDE_ELEMENT.sub(lambda match: _element(match[0]), value)}"


def _element(text: str) -> str:
    path = with_home(text)
    return path if path == text or _PLAIN.fullmatch(path) else quoted(path)


def named_in_mixture(text: str, place: str) -> str:
    """Return the text about a data set with its keys, as data.labels, where they stand in a mixture: below the place."""
    return re.sub(r"(?<![\w/.-])data\.(?=\w)", f"{place}.", text)
