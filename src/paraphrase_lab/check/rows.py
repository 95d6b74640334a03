"""The second stage on the rows of local files, before the jobs of a sweep all meet the same bad one."""

import json
from collections.abc import Iterable
from typing import Any

from paraphrase_lab.check.targets import INJECTED
from paraphrase_lab.check.training import data_source
from paraphrase_lab.configuration.without_effect import places_of_data
from paraphrase_lab.data.tables import READING_ARGUMENTS, load_tables
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import user_path
from paraphrase_lab.runs.configuration import flat

READ_AT_MOST_BYTES = 200_000_000
"""Larger files take too long to be read once more."""
READ_ALIKE = INJECTED["data"].not_passed - {"on_bad_rows", "validation_fraction", "test_fraction", "folds"}
"""Keys of data that change nothing of what can be read: jobs that differ only there share one reading."""


def row_problems(data_of_jobs: Iterable[dict[str, Any]]) -> list[str]:
    """Read the pairs as the jobs will, those of each data set once; return what would end the jobs that train on them."""
    alike: dict[str, dict[str, Any]] = {}
    for data in data_of_jobs:
        alike.setdefault(reading_of(data), data)
    return [problem for data in alike.values() if (problem := _problem(data)) is not None]


def reading_of(data: dict[str, Any]) -> str:
    """Return the keys that decide what is read; it is equal where one reading is enough."""
    return json.dumps({key: value for key, value in data.items() if key not in READ_ALIKE}, sort_keys=True, default=str)


def _problem(data: dict[str, Any]) -> str | None:
    given = flat({"data": data})
    places = [user_path(place) for key in places_of_data(data) if isinstance(place := given.get(key), str)]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file()]
    if not files or sum(file.stat().st_size for file in files) > READ_AT_MOST_BYTES:
        return None
    try:
        source = data_source({"data": data})
        if getattr(source, "hub_name", None) is None:
            load_tables(source, **{name: data[name] for name in READING_ARGUMENTS})
    except UserError as error:
        return f"data: {error}"
    return None
