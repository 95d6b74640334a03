"""Suites: several data sets, each by the overrides that choose it, on which a model is evaluated at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import user_path

OF_ONE_SET = ("data.", "data=", "metrics.", "metrics=")
"""Begin what follows the name of a set and a dot."""
SHIPPED = Path(__file__).with_name("suites")


def read_suite(name: str, config_dir: str | None = None) -> dict[str, list[str]]:
    """Return the overrides of each set of a suite, by the set's name.

    Args:
        name: of a file in suites/ of `config_dir` or of the project, or the path of a .yaml file.

    Raises:
        UserError: no such suite, or a file that is none.
    """
    path = _path(name, config_dir)
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    sets = given.get("sets") if isinstance(given, dict) else None
    if not isinstance(sets, dict) or not sets:
        raise UserError(f"{path} has no sets", valid="sets: {NAME: [data=paws], OTHER: [data=pairs, data.path=FILE]}")
    for set_name, overrides in sets.items():
        if not isinstance(overrides, list) or not all(isinstance(word, str) for word in overrides):
            raise UserError(
                f"{path}: the set {set_name} is no list of overrides", valid=f"{set_name}: [data=pairs, data.path=FILE]"
            )
    return {str(set_name): list(overrides) for set_name, overrides in sets.items()}


def overrides_of_sets(sets: dict[str, list[str]], typed: Sequence[str]) -> dict[str, list[str]]:
    """Add what was typed: NAME.KEY=VALUE to the set NAME, KEY=VALUE to every set. Raises UserError for a NAME that is none."""
    found = {name: list(overrides) for name, overrides in sets.items()}
    for word in typed:
        name, dot, rest = word.lstrip("+~").partition(".")
        if rest.startswith(OF_ONE_SET) and name not in sets:
            raise UserError(f"{word}: the suite has no set '{name}'", valid=f"sets: {', '.join(sets)}")
        for set_name in [name] if dot and name in sets else list(sets):
            found[set_name].append(f"{word[: -len(word.lstrip('+~'))]}{rest}" if dot and name in sets else word)
    return found


def _path(name: str, config_dir: str | None) -> Path:
    if name.endswith((".yaml", ".yml")):
        return user_path(name)
    folders = [*([user_path(config_dir) / SHIPPED.name] if config_dir else []), SHIPPED]
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
    raise UserError(f"there is no suite '{name}'", valid=f"suites: {', '.join(known)}; or the path of a .yaml file")
