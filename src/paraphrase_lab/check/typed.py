"""The first stage on single words: Hydra refuses some, and reads some as another value than the text that was typed."""

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException
from omegaconf import AnyNode, DictConfig, OmegaConf, StringNode
from omegaconf.errors import GrammarParseError

from paraphrase_lab.check.fields import key_at
from paraphrase_lab.check.suggestions import first_missing, shown
from paraphrase_lab.configuration.composition import Composer
from paraphrase_lab.configuration.hydra_internals import split_key
from paraphrase_lab.configuration.quoting import quoted
from paraphrase_lab.paths import user_path

READ_OTHERWISE = "Hydra reads"
_QUOTED_KEY = re.compile(r"""(?<=[{,])\s*(["'])([^"'{}\[\]:,]+)\1\s*(?=:)""")


class Refused(NamedTuple):
    """A word that Hydra's grammar refuses."""

    text: str
    reason: str


class Words(NamedTuple):
    """The overrides that can be used, and the problems of the others."""

    overrides: list[str]
    problems: list[str]


def parsed(texts: Sequence[str], composer: Composer) -> tuple[list[str | Refused], list[str]]:
    """Return the overrides in their order, the refused ones too, and the problems of others."""
    found: list[str | Refused] = []
    problems = []
    for text in texts:
        try:
            override = composer.parse(text)
        except OverrideParseException as error:
            reason = error.message.partition("\nSee ")[0].splitlines()[-1].strip()
            found.append(Refused(text, "it has no '='" if "missing EQUAL" in reason else reason))
            continue
        if not override.key_or_group:
            problems.append(f"{text}: there is no key before the '='.")
        elif override.is_sweep_override() and override.is_hydra_override():
            meant = shlex.quote(as_text(text))
            problems.append(f"{text}: Hydra's own keys cannot be swept. A text with a comma is quoted: {meant}")
        else:
            found.append(text)
    return found, problems


def corrected(texts: Sequence[str | Refused], config: DictConfig | None, composer: Composer) -> Words:
    """Put what was probably meant in place of the words that Hydra refuses, or does not read as the text that they are.

    Args:
        config: what the other words compose, with Hydra's own keys: it knows which keys hold a text.
    """
    words = Words([], [])
    for text in texts:
        typed = text.text if isinstance(text, Refused) else text
        meant = _meant(typed, config, composer, strictly=not isinstance(text, Refused))
        if isinstance(text, Refused):
            if meant is None and (meant := _with_bare_keys(typed, composer)) is not None:
                words.problems.append(f"{typed}: Hydra's grammar has no quotes around a key. Type {shlex.quote(meant)}")
            elif meant is None:
                problem = f"this is not an override ({text.reason}). Valid: key=value, group=option, +key=value, ~key."
                words.problems.append(f"{typed}: {problem}")
                continue
            else:
                words.problems.append(f"{typed}: Hydra's grammar refuses this value. Quote it: {shlex.quote(meant)}")
        elif meant is None or (problem := _read_otherwise(typed, composer.parse(typed))) is None:
            meant = typed
        else:
            words.problems.append(f"{typed}: {problem} {shlex.quote(meant)}")
        words.overrides.append(meant)
    return words


def is_superseded(problem: str, found: Sequence[str]) -> bool:
    """Tell whether quoting would not help, since the text itself is none that the key can have."""
    text, read_otherwise, _ = problem.partition(f": {READ_OTHERWISE}")
    return bool(read_otherwise) and any(other.startswith(f"{text} ") for other in found)


def as_text(override: str) -> str:
    """Return the override with everything behind its first '=' as a text."""
    key, sign, value = override.partition("=")
    try:
        OmegaConf.create({"value": value})
    except GrammarParseError:  # a "${" that begins no interpolation
        value = value.replace("${", "\\${")
    return f"{key}{sign}{quoted(value)}"


def holds_text(config: DictConfig, key: str, *, strictly: bool = True) -> bool:
    """Tell whether a key of the schema holds a text of any content; not strictly, also where nothing is known of the key."""
    parts = [str(part) for part in split_key(key)]
    node, depth = first_missing(config, parts)
    if depth < len(parts) or type(node) is AnyNode:
        return not strictly
    known = key_at(config, key)
    return isinstance(node, StringNode) and not (known is not None and known.metadata.get("choices"))


def _meant(text: str, config: DictConfig | None, composer: Composer, *, strictly: bool) -> str | None:
    """Return the override that sets its key to the text as typed; None where a text is not what was meant."""
    meant = as_text(text)
    try:
        key = composer.parse(meant).key_or_group
    except OverrideParseException:
        return None
    value = text.partition("=")[2]
    if config is None or not value or composer.is_group(key):
        return None
    return meant if holds_text(config, key, strictly=strictly or value.startswith(("{", "["))) else None


def _with_bare_keys(text: str, composer: Composer) -> str | None:
    """Return the override without the quotes around the keys inside its braces; None where these are not what is wrong."""
    meant = _QUOTED_KEY.sub(r"\2", text)
    try:
        composer.parse(meant)
    except OverrideParseException:
        return None
    return meant


def _read_otherwise(text: str, override: Override) -> str | None:
    """Return what Hydra makes of a text that stands without quotes, where that is another value."""
    typed, value = text.partition("=")[2], override.value()
    if override.is_delete() or override.is_sweep_override() or value is None:
        return None
    if str(value) == typed or isinstance(value, str) and not user_path(typed).exists():
        return None
    return f"{READ_OTHERWISE} '{shown(value)}' here. Quote the value if it is a text:"
