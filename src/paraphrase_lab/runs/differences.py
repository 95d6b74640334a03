"""The configuration keys in which runs differ, and which runs are one recipe with several seeds."""

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

from paraphrase_lab.configuration.without_effect import WITHOUT_EFFECT, is_place_of_data
from paraphrase_lab.runs.configuration import GROUPS
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.short import short_names, shown

SEED = "seed"
REPEATED = (SEED, "data.fold")
"""Keys in which the runs of a recipe differ."""
NOISE = tuple(key for key in WITHOUT_EFFECT if not is_place_of_data(key)) + ("logger", "compute", "trainer")
"""Keys, and groups under their own names, that do not affect a result; `trainer` only as the name of a file."""
MAPPINGS_OF_NOISE = ("logger.", "study.")
MISSING = object()
ABSENT = "absent"
DATA_WORDS = {"train": "training data", "validation": "validation data"}
Column = list[str]
"""The values of one key in all rows."""


def differing_keys(rows: Sequence[RunRow]) -> list[str]:
    """Return the config keys, groups first, that are not equal in all rows.

    Left out: what cannot change a result, where data lie unless the data differ too, keys that only repeat another
    one, as optimizer.lr does that stands as ${model.learning_rate} in the configuration, and a group whose options came
    to the same (an experiment that sets what is the default anyway).
    """
    return _differing(rows, _columns(rows))


def _differing(rows: Sequence[RunRow], columns: Mapping[str, Column]) -> list[str]:
    sources = {key: {(row.record.get("follows") or {}).get(key) for row in rows} for key in columns}
    own = [key for key in columns if not (len(sources[key]) == 1 and sources[key] <= columns.keys())]
    keys = [key for key in own if key not in GROUPS]
    own_columns = [columns[key] for key in keys if key != SEED]
    effect = [tuple(column[row] for column in own_columns) for row in range(len(rows))]
    groups = [key for key in own if key in GROUPS and _follows(columns[key], effect)]
    return sorted([*groups, *keys], key=[*GROUPS, *columns].index)


def distinguishing_keys(rows: Sequence[RunRow]) -> list[str]:
    """Return the fewest of `differing_keys` that distinguish the rows: without keys that follow from a group's option.

    A key that was typed for any of the runs always stays.
    """
    words = {str(word) for row in rows for word in row.record.get("overrides") or ()}
    typed = {word.lstrip("+~").partition("=")[0].partition("@")[0] for word in words}
    columns = _columns(rows)
    found: list[str] = []
    for key in _differing(rows, columns):
        chosen = [columns[group] for group in found if group in GROUPS]
        if key in typed or not any(_follows(columns[key], options) for options in chosen):
            found.append(key)
    return found


def recipe_names(rows: Sequence[RunRow], *, apart_by_data: bool = True) -> list[str]:
    """Name the recipe of each row; runs whose configuration differs in the seed or the fold only have the same one.

    Args:
        apart_by_data: the same configuration with other training or validation pairs is another recipe.
    """
    keys = [key for key in distinguishing_keys(rows) if key not in REPEATED]
    short = short_names(keys, [key for row in rows for key in row.config])
    names = [" ".join(f"{short[key]}={shown(row.config.get(key))}" for key in keys if key in row.config) for row in rows]
    if rows and not keys:
        config = rows[0].config
        parts = " on ".join(str(config[group]) for group in ("model", "data") if group in config)
        names = [str(config.get("experiment") or parts)] * len(rows)
    return with_data(names, rows) if apart_by_data else names


def with_data(names: Sequence[str], rows: Sequence[RunRow]) -> list[str]:
    """Add the fingerprint of the training pairs to names whose rows were not all trained on the same pairs."""
    names = list(names)
    for split, words in DATA_WORDS.items():
        pairs = [_pairs_of(row, split) for row in rows]
        known = Counter(name for name, one in set(zip(names, pairs, strict=True)) if one)
        names = [
            f"{name} {words} {one[:8]}" if one and known[name] > 1 else name for name, one in zip(names, pairs, strict=True)
        ]
    return names


def _pairs_of(row: RunRow, split: str) -> str | None:
    """Return the fingerprint of the pairs; None if it is not recorded, or if each seed or fold has its own pairs."""
    follows: Mapping[str, str] = row.record.get("follows") or {}
    if row.config.get("data.folds") or any(key.startswith("data.") and source == SEED for key, source in follows.items()):
        return None
    return ((row.record.get("fingerprint_parts") or {}).get("data") or {}).get(split)


def _columns(rows: Sequence[RunRow]) -> dict[str, Column]:
    """Collect the values of the keys that differ and matter."""
    data = {json.dumps((row.record.get("fingerprint_parts") or {}).get("data"), sort_keys=True) for row in rows}
    places, columns = len(data) > 1, {}
    for key in dict.fromkeys(key for row in rows for key in row.config):
        if key in NOISE or key.startswith(MAPPINGS_OF_NOISE) or (is_place_of_data(key) and not places):
            continue
        given = [row.config.get(key, MISSING) for row in rows]
        if all(value is given[0] or (value == given[0] and type(value) is type(given[0])) for value in given):
            continue  # most keys: writing all values of a thousand runs out would take a second
        values = [ABSENT if value is MISSING else shown(value) for value in given]
        if len(set(values)) > 1:
            columns[key] = values
    return columns


def _follows(column: Column, others: Sequence[Hashable]) -> bool:
    """Tell whether the value in the other column determines the one in this column, in every row."""
    values: dict[Hashable, str] = {}
    return all(values.setdefault(other, value) == value for other, value in zip(others, column, strict=True))
