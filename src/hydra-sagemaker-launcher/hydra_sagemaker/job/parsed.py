"""Parses the words of a job once: composing it, looking for secrets in it and writing its specification read the same ones."""

from __future__ import annotations

from functools import lru_cache

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override


@lru_cache(maxsize=1000)  # a search never types the same word twice
def parsed(word: str) -> Override:
    """Return what `key=value` says; not to be changed, since every job with this word has it.

    Raises:
        HydraException: the word is no override.
    """
    return _parser().parse_overrides([word])[0]


@lru_cache(maxsize=1)
def _parser() -> OverridesParser:
    return OverridesParser.create()
