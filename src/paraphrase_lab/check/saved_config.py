"""The configuration a run was saved with, and what an evaluation may change of it."""

import difflib
import shlex
from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from paraphrase_lab.check import check_request, typed
from paraphrase_lab.check.values import value_problems
from paraphrase_lab.configuration.composition import Composer, Request
from paraphrase_lab.configuration.later_keys import LATER_GROUPS, TOP_LEVEL, defaults_of
from paraphrase_lab.configuration.renamed import renamed_config
from paraphrase_lab.configuration.schema import GROUP_BASES, DataConfig
from paraphrase_lab.configuration.without_effect import LOCAL_MODELS, is_place_of_data, places_of_data
from paraphrase_lab.data.options import READING, ReadOptions, kept_hint, kept_quoting
from paraphrase_lab.errors import ConfigError, RunError
from paraphrase_lab.paths import is_there, user_path
from paraphrase_lab.runs import own_code
from paraphrase_lab.runs.record import RunRecord

CHANGEABLE = ("data", "metrics")
COLUMNS = ("sentence1", "sentence2", "label", "labels")
ENCODING = ("max_length", "on_truncation", "evaluation_batch_tokens")
KEPT = (*ENCODING, "on_bad_rows", *COLUMNS, *READING)
"""Keys of data that say how pairs are read and encoded: `data=pairs` of an evaluation keeps those of the run, and another
data set, whose file says how it is read, keeps ENCODING."""
CUTS = ("validation_fraction", "test_fraction", "split_seed", "folds", "fold", "train_limit")
"""Keys of data that decide how pairs are cut into splits."""
SHOWN = ("group",)
"""Keys of data that change what is shown of the pairs, not the pairs."""


def saved_config(run_dir: Path) -> DictConfig:
    """Read the configuration of a run, under today's names; a relative path is that of the training's directory.

    Raises:
        RunError: no run there, or one that broke off before its configuration was written.
    """
    record = RunRecord.read(run_dir)
    path = run_dir / "config.yaml"
    if not path.is_file():
        raise RunError(f"{run_dir} has no config.yaml: it broke off before training began")
    own_code.make_importable(run_dir)
    saved = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert isinstance(saved, dict)
    later = {**TOP_LEVEL, **{group: {} for group in LATER_GROUPS}}
    config = OmegaConf.create(renamed_config({**later, **{str(key): value for key, value in saved.items()}}))
    for group in (*GROUP_BASES, "trainer", *LATER_GROUPS):
        for key, value in defaults_of(group, config[group].get("_target_")):
            parent, _, name = key.rpartition(".")
            if name not in (OmegaConf.select(config, parent) or ()):
                OmegaConf.update(config, key, value, force_add=True)
    if working_dir := record.values.get("working_dir"):
        for key in (*places_of_data(config.data), *LOCAL_MODELS):
            file = OmegaConf.select(config, key)
            is_here = key in LOCAL_MODELS and isinstance(file, str) and is_there(Path(file))  # its text names the recipe
            if isinstance(file, str) and not is_here and is_there(from_there := Path(working_dir, file)):
                OmegaConf.update(config, key, str(from_there))
    return config


def with_overrides(saved: DictConfig, request: Request, changeable: Collection[str] | None = CHANGEABLE) -> DictConfig:
    """Change the run's configuration: `data=pairs` chooses other data, `data.max_length=64` changes one key.

    Args:
        changeable: what may change, by the first part of its key; None: everything, for a run that trains again.

    Raises:
        ConfigError: keys that are not there, values out of range, and what may not change.
    """
    config = OmegaConf.merge(saved)
    assert isinstance(config, DictConfig)
    with Composer(request) as composer:
        request = replace(request, overrides=_readable(request.overrides, saved, composer, evaluates=changeable is not None))
        keys = {text: composer.parse(text).key_or_group for text in request.overrides}
        allowed = {str(name) for name in config} if changeable is None else changeable
        fixed = [key for key in keys.values() if key.partition(".")[0] not in allowed]
        if fixed and changeable is None:
            valid = f"valid: {', '.join(sorted(allowed))}, and keys below them"
            raise ConfigError([f"{key}: the run's configuration has no such key or group; {valid}" for key in fixed])
        if fixed:
            raise ConfigError([f"{key}: an evaluation changes data and metrics, the rest made the weights" for key in fixed])
        groups = [keys[text] for text in keys if composer.chooses_files(composer.parse(text))]
        inside = tuple(text for text, key in keys.items() if key.partition(".")[0] in groups)
        if groups:
            today = check_request(replace(request, overrides=inside)).jobs[0].config
            for name in groups:
                config[name] = today[name]
            if "data" in groups:
                is_plain = any(keys[text] == "data" and composer.parse(text).value() == "pairs" for text in inside)
                given = {keys[text].removeprefix("data.") for text in inside}
                _keep(saved.data, config.data, given, KEPT if is_plain else ENCODING)
        problems = [problem for text in keys if text not in inside and (problem := _set(config, composer.parse(text)))]
    if not problems:
        known = set(value_problems(saved))  # of an older release, say
        problems = [problem for problem in value_problems(config) if problem not in known]
    if problems:
        raise ConfigError(problems)
    return config


def _readable(texts: Sequence[str], saved: DictConfig, composer: Composer, *, evaluates: bool) -> tuple[str, ...]:
    """Return the overrides. Raises ConfigError where Hydra does not read one value, or where one sets none."""
    words, problems = typed.parsed(texts, composer)
    readable, found = typed.corrected(words, saved, composer)
    if problems := [*problems, *found]:
        raise ConfigError(problems)
    for text in readable:
        if composer.parse(text).is_sweep_override():
            meant = shlex.quote(typed.as_text(text))
            why = "--also evaluates on more data" if evaluates else "a saved run has one value of each key"
            raise ConfigError([f"{text} is a sweep: {why}. A text with a comma is quoted: {meant}"])
        if composer.parse(text).is_delete():
            raise ConfigError([f"{text}: a key of a saved run is set, not deleted"])
    return tuple(readable)


def _keep(saved: DictConfig, chosen: DictConfig, given: Collection[str], kept: Sequence[str]) -> None:
    """Give newly chosen data the run's own values of the keys `kept`, except where keys were `given`.

    The same files are also cut into splits as they were, with their groups.
    """
    is_same = _source(saved) == _source(chosen)
    for name in (*kept, *((*CUTS, *SHOWN) if is_same else ())):
        if name in saved and name in chosen and name not in given:
            chosen[name] = kept_quoting(saved[name]) if name == "quoting" and not is_same else saved[name]


def reading_hint(saved: DictConfig, config: DictConfig, overrides: Collection[str]) -> str:
    """Return a hint for other data that cannot be read: how they were read as the run's own, and what to type instead."""
    data = config.data
    if not set(READING) <= set(data) or _source(saved.data) == _source(data):
        return ""
    given = {text.lstrip("+").partition("=")[0].removeprefix("data.") for text in overrides}
    changed = [name for name in READING if data[name] != saved.data.get(name)]
    values = {name: data[name] for name in READING if name != "columns"}
    return kept_hint(ReadOptions(**values, columns=tuple(data.columns or ())), [*given, *changed])


def same_pairs(saved: DictConfig, config: DictConfig) -> bool:
    """Return whether both configurations mean the same pairs, cut into the same splits."""
    is_equal = all(saved.data.get(name) == config.data.get(name) for name in (*CUTS, *COLUMNS, *READING))
    return is_equal and _source(saved.data) == _source(config.data)


def _source(data: DictConfig) -> dict[str, Any]:
    """Return what decides where pairs come from, with absolute paths."""
    shared = {field.name for field in fields(DataConfig)} - {"_target_"}
    return _without_shown({name: value for name, value in _absolute(data).items() if name not in shared and name not in KEPT})


def _without_shown(node: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of `data` without the keys SHOWN, also in the sources of a mixture."""
    kept = {name: value for name, value in node.items() if name not in SHOWN}
    if isinstance(sources := kept.get("sources"), dict):
        kept["sources"] = {name: _without_shown(one) if isinstance(one, dict) else one for name, one in sources.items()}
    return kept


def _absolute(data: DictConfig) -> dict[str, Any]:
    plain = OmegaConf.to_container(data, resolve=True)
    assert isinstance(plain, dict)
    return _with_absolute({"data": plain})["data"]


def _with_absolute(node: dict[Any, Any], above: str = "") -> dict[str, Any]:
    """Return a copy in which places of data are absolute, those of the sources of a mixture among them."""
    found: dict[str, Any] = {}
    for name, value in node.items():
        key = f"{above}{name}"
        if isinstance(value, dict):
            found[str(name)] = _with_absolute(value, f"{key}.")
        else:
            found[str(name)] = str(user_path(value).absolute()) if value and is_place_of_data(key) else value
    return found


def same_files(saved: DictConfig, config: DictConfig, name: str) -> list[str]:
    """Return a note where the files of the training were typed for an evaluation of the same pairs."""
    typed_anew = any(OmegaConf.select(saved, key) != OmegaConf.select(config, key) for key in places_of_data(config.data))
    return [f"these are the files of the training: the run's own {name} split is scored"] if typed_anew else []


def data_differences(saved: DictConfig, config: DictConfig) -> list[str]:
    """Return a note of the keys in which the data of an evaluation differ from those of the training."""
    before, now = (_without_shown(_absolute(one.data)) for one in (saved, config))
    names = [name for name in now if name in (*KEPT, *CUTS) or name not in {field.name for field in fields(DataConfig)}]
    changed = [name for name in names if name in before and now[name] != before[name]]
    found = [f"data.{name}={config.data[name]} ({saved.data[name]})" for name in changed]
    source = f"{now['_target_'].rpartition('.')[2]} instead of {before['_target_'].rpartition('.')[2]}"
    found = [*([source] if now["_target_"] != before["_target_"] else []), *found]
    return [f"other data than in the training (in brackets what it had): {', '.join(found)}"] if found else []


def _set(config: DictConfig, override: Any) -> str | None:
    """Set one key of the saved configuration; return a sentence when that is not possible."""
    key = override.key_or_group
    parent, _, leaf = key.rpartition(".")
    is_open = parent == "metrics" or override.is_add()
    try:
        node = OmegaConf.select(config, parent) if parent else config
        if not isinstance(node, DictConfig) or not (leaf in node or is_open):
            keys = [str(name) for name in node] if isinstance(node, DictConfig) else [str(name) for name in config]
            close = difflib.get_close_matches(leaf, keys, 1)
            return f"{key}: the run's configuration has no such key; " + (
                f"did you mean {parent + '.' if parent else ''}{close[0]}?" if close else f"valid: {', '.join(keys)}"
            )
        OmegaConf.update(config, key, override.value(), force_add=is_open)
    except OmegaConfBaseException as error:
        return f"{override.input_line}: {str(error).splitlines()[0]}"
    return None
