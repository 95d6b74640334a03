"""The second stage on the rows of local files, before the jobs of a sweep all meet the same bad one."""

import json
from collections.abc import Sequence
from typing import Any

from paraphrase_lab.check.training import data_source
from paraphrase_lab.configuration.without_effect import PLACES_OF_DATA
from paraphrase_lab.data.tables import load_tables
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import user_path

READ_AT_MOST_BYTES = 200_000_000
"""Larger files take too long to be read once more."""
CUTS = ("on_bad_rows", "validation_fraction", "test_fraction", "split_seed", "train_limit", "evaluation_limit")


def row_problems(data_of_jobs: Sequence[dict[str, Any]]) -> list[str]:
    """Read the pairs as the jobs will, those of each data set once; return what would end the jobs that train on them."""
    distinct = {json.dumps(data, sort_keys=True, default=str): data for data in data_of_jobs}
    return [problem for data in distinct.values() if (problem := _problem(data)) is not None]


def _problem(data: dict[str, Any]) -> str | None:
    places = [user_path(place) for key in PLACES_OF_DATA if isinstance(place := data.get(key.removeprefix("data.")), str)]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file()]
    if not files or sum(file.stat().st_size for file in files) > READ_AT_MOST_BYTES:
        return None
    try:
        source = data_source({"data": data})
        if getattr(source, "hub_name", None) is None:
            load_tables(source, **{name: data[name] for name in CUTS})
    except UserError as error:
        return f"data: {error}"
    return None
