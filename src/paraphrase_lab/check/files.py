"""The reasons that the chosen files do not compose, in sentences that name the file."""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from hydra.core.default_element import GroupDefault
from hydra.errors import MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from paraphrase_lab.check.fields import described, key_at
from paraphrase_lab.check.suggestions import closest, listed, meant_or_valid, no_such_key, shown
from paraphrase_lab.configuration.composition import Composer
from paraphrase_lab.configuration.hydra_internals import root_of
from paraphrase_lab.paths import as_typed

_IN_FILE = re.compile(r"In '([^']+)'")


def composition_problem(error: Exception, choices: Sequence[str], composer: Composer) -> str:
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__ or error.__context__
    match = _IN_FILE.search(str(error))
    config_path = match.group(1) if match else ""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_file(str(error.missing_cfg_file), config_path, choices, composer)
    if isinstance(error, yaml.YAMLError):
        return f"a configuration file is not YAML: {_one_line(error)}."
    if isinstance(cause, OmegaConfBaseException) and match:
        return f"{_file(config_path, composer)}: {_key_of_a_file(cause, composer)}"
    groups = composer.groups()
    if unused := re.search(r"Could not override '([^']+)'", str(error)):
        place = f"{_file(config_path, composer)}: " if match else ""
        name = unused.group(1)
        near = closest(name, groups)
        also = "" if match else f" If no file chooses it yet, write +{name}=OPTION."
        return f"{place}there is no group '{name}' to choose from.{meant_or_valid(near, f'Groups: {listed(groups)}.{also}')}"
    if repeated := re.search(r"Multiple values for ([^.\s]+)\.", str(error)):
        name = repeated.group(1)
        return f"{name} is chosen twice: write {name}=OPTION without a '+', or 'override' in the file."
    return f"{_file(config_path, composer)}: {_one_line(error)}." if match else f"{_one_line(error)}."


def _missing_file(missing: str, config_path: str, choices: Sequence[str], composer: Composer) -> str:
    group, _, option = missing.rpartition("/")
    options = composer.group_options(group) if group else []
    file = _file(_file_that_asks(option, choices, composer) or config_path, composer)
    if not group or not options:
        return f"{file}: its defaults list names '{missing}', which is no file: correct that line."
    meant = meant_or_valid(closest(option, options), f"Options of {group}: {listed(options)}.")
    return f"{file}: {group} has no option '{option}'.{meant}"


def _file_that_asks(option: str, choices: Sequence[str], composer: Composer) -> str | None:
    """Return the chosen file whose defaults list names the option."""
    for override in map(composer.parse, choices):
        value = override.value()
        for name in value if isinstance(value, list) else [value]:
            path = f"{override.key_or_group}/{name}"
            loaded = composer.repository.load_config(path)
            defaults = (loaded.defaults_list if loaded is not None else None) or []
            if any(isinstance(default, GroupDefault) and default.value == option for default in defaults):
                return path
    return None


def _key_of_a_file(cause: OmegaConfBaseException, composer: Composer) -> str:
    key = str(cause.full_key or "")
    parent = cause.parent_node
    root = root_of(parent) if parent is not None else None
    if isinstance(root, DictConfig):
        if isinstance(cause, (ConfigKeyError, ConfigAttributeError)):
            return no_such_key(root, key)
        known = key_at(root, key)
        if isinstance(cause, ValidationError) and known is not None:
            return f"{key}={shown(cause.value)} must be {described(known)}."
    return f"{key}: {_one_line(cause)}." if key else f"{_one_line(cause)}."


def _file(config_path: str, composer: Composer) -> str:
    """Return the path of the file as far as Hydra tells where it read it."""
    loaded = composer.repository.load_config(config_path) if config_path else None
    if loaded is None or not loaded.path.startswith("file://"):
        return f"{config_path}.yaml" if config_path else "a configuration file"
    return str(as_typed(Path(loaded.path.removeprefix("file://")) / f"{config_path}.yaml"))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split("\nConfig search path")[0].split("full_key:")[0].split()).rstrip(".")
