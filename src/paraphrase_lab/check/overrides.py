"""The first stage on what was typed: every override on its own, so that one mistake does not hide the next."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from paraphrase_lab.check.fields import described, fitting, key_at
from paraphrase_lab.check.files import composition_problem
from paraphrase_lab.check.mixture import key_without_effect
from paraphrase_lab.check.suggestions import closest, first_missing, listed, meant_or_valid, names_in, no_such_key
from paraphrase_lab.configuration.composition import Composer, note_overrides
from paraphrase_lab.configuration.hydra_internals import apply_override, child, is_open, schema_type, split_key

FILES_OF_EVERYTHING = ("experiment", "ablation", "hparams_search", "debug", "compute")
"""Groups whose files may choose any other group's."""


@dataclass
class Composed:
    """The part of a configuration that the typed overrides allow; `config` is None when its files do not compose."""

    config: DictConfig | None
    problems: list[str] = field(default_factory=list)
    hydra_problems: list[str] = field(default_factory=list)
    """Those of Hydra's own keys and groups, which do not differ between the jobs of a sweep."""
    uncertain: list[str] = field(default_factory=list)
    """Sections whose keys are unknown, since it is unknown which file was meant."""

    def add(self, override: Override, problem: str) -> None:
        (self.hydra_problems if override.is_hydra_override() else self.problems).append(problem)


def compose(texts: Sequence[str], composer: Composer, *, with_hydra: bool = False) -> Composed:
    """Apply what can be applied. Sweeps are left out, as in Hydra's own first composition of a sweep."""
    overrides = [override for override in map(composer.parse, texts) if not override.is_sweep_override()]
    composed = Composed(None)
    choices = _choices(overrides, composer, composed)
    try:
        config = composed.config = composer.base(choices, with_hydra=with_hydra)
    except Exception as error:  # Hydra's, OmegaConf's and the YAML parser's have no common base
        composed.problems.append(composition_problem(error, choices, composer))
        return composed
    for override in overrides:
        if composer.chooses_files(override) or (override.is_hydra_override() and not with_hydra):
            continue
        if override.key_or_group.partition(".")[0] in composed.uncertain:
            continue
        problem = _key_problem(config, override, composer)
        if problem is None:
            try:
                apply_override(config, override)
            except (HydraException, OmegaConfBaseException) as error:
                problem = _value_problem(config, override, error)
        if problem is not None:
            composed.add(override, problem)
    if with_hydra:
        note_overrides(config, [composer.parse(text) for text in texts])
    return composed


def _choices(overrides: Sequence[Override], composer: Composer, composed: Composed) -> list[str]:
    """Return the overrides that choose files, with what was probably meant in place of unknown options."""
    choices = []
    for override in overrides:
        if not composer.chooses_files(override):
            continue
        problem, meant = choice_problem(override, composer)
        if problem is None:
            choices.append(override.input_line or "")
            continue
        composed.add(override, problem)
        if meant is not None:
            choices.append(meant)
        elif override.key_or_group in FILES_OF_EVERYTHING:
            composed.uncertain += composer.groups()
        else:
            composed.uncertain.append(override.key_or_group)
    return choices


def choice_problem(override: Override, composer: Composer) -> tuple[str | None, str | None]:
    """Return what is wrong with `group=option`, and the override that was probably meant."""
    group, text, value = override.key_or_group, override.input_line or "", override.value()
    if group == "hydra.searchpath" or override.is_delete():
        return None, None
    options = composer.group_options(group)
    valid = f"Options of {group}: {listed(options)}."
    if override.is_force_add():
        return f"{text}: a file is chosen without '++', as in {text.removeprefix('++')}.", text.removeprefix("++")
    if not isinstance(value, (str, list)) or not value:
        advice = "leave it out" if group in FILES_OF_EVERYTHING else "choose one"
        return f"{text} chooses no file: {advice}. {valid}", None
    names = [str(name) for name in value] if isinstance(value, list) else [value]
    unknown = [name for name in names if not composer.repository.config_exists(f"{group}/{name}")]
    if not unknown:
        return None, None
    near = {name: closest(name, options) for name in unknown}
    meant = f"{override.get_key_element()}={near[unknown[0]]}" if all(near.values()) and not isinstance(value, list) else None
    return f"{text}: {group} has no option '{unknown[0]}'.{meant_or_valid(near[unknown[0]], valid)}", meant


def _key_problem(config: DictConfig, override: Override, composer: Composer) -> str | None:
    text, key = override.input_line or "", override.key_or_group
    if "/" in key or override.package is not None:
        near = closest(key, composer.groups())
        return f"{text}: there is no group '{key}'.{meant_or_valid(near, f'Groups: {listed(composer.groups())}.')}"
    parts = [str(part) for part in split_key(key)]
    parent, depth = first_missing(config, parts)
    if depth == len(parts):
        if override.is_add() and not isinstance(override.value(), (dict, list)) and OmegaConf.select(config, key) is not None:
            return f"{text}: {key} is there already, so write it without the '+': {text.removeprefix('+')}."
        return key_without_effect(config, parts, text)
    adds = override.is_add() or override.is_force_add()
    needs_no_plus = is_open(parent) and "_target_" not in parent  # the schema's open mappings
    if adds and _takes_new_keys(parent) or needs_no_plus and not override.is_delete() and override.value() is not None:
        return None
    typed = text if adds or override.is_delete() else ""
    problem = no_such_key(config, ".".join(parts), typed=typed, groups=composer.groups())
    if isinstance(parent, DictConfig) and "_target_" in parent and not override.is_delete() and _takes_new_keys(parent):
        problem += f" A further argument of {child(parent, '_target_')} is added with '+': +{text}."
    return problem


def _takes_new_keys(node: Any) -> bool:
    """Tell whether no dataclass fixes the keys of a mapping; a `_target_` meets its signature in the second stage."""
    return isinstance(node, DictConfig) and not dataclasses.is_dataclass(schema_type(node))


def _value_problem(config: DictConfig, override: Override, error: Exception) -> str:
    cause = error.__cause__ or error.__context__ or error
    text, key = override.input_line or "", override.key_or_group
    full_key = str(getattr(cause, "full_key", None) or key)
    if isinstance(cause, (ConfigKeyError, ConfigAttributeError)):
        return no_such_key(config, full_key, typed=text)
    inside = names_in(first_missing(config, key.split("."))[0])
    if override.is_delete():
        if inside or key_at(config, key) is not None:
            return f"{text}: {key} cannot be left out, every configuration has it. Set it to another value."
        return f"{text}: {str(error).splitlines()[0]}"
    known = key_at(config, full_key)
    if isinstance(cause, ValidationError) and known is not None:
        problem = fitting(known, override.value())[1] if full_key == key else None
        return f"{text} {problem or f'must be {described(known)}.'}"
    if inside:
        return f"{text}: {key} is a mapping with the keys {listed(inside)}."
    return f"{text}: {str(cause).splitlines()[0].rstrip('.')}."
