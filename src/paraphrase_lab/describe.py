"""What a data set holds, before anything is trained on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from paraphrase_lab import build
from paraphrase_lab.data.encoding import encode
from paraphrase_lab.data.rows import write_bad_rows
from paraphrase_lab.data.statistics import SplitPairs, describe
from paraphrase_lab.paths import cache_dir
from paraphrase_lab.plots import plot_data
from paraphrase_lab.third_party import quiet_libraries


class Description(NamedTuple):
    report: dict[str, Any]
    notes: list[str]
    directory: Path


def describe_data(config: DictConfig, directory: Path) -> Description:
    """Writes report.json and data.png, and bad_rows.csv where rows were skipped."""
    quiet_libraries()
    tables = build.build_tables(config)
    tokenizer = build.build_tokenizer(build.build_recipe(config), tables)
    max_length = config.data.max_length
    splits = {}
    for name, table in tables.splits.items():
        encoded = encode(table, tokenizer, max_length, cache=cache_dir(), name=name)
        splits[name] = SplitPairs(table.sentence1, table.sentence2, table.labels, encoded.full_lengths)
    report = describe(splits, max_length)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    plot_data(report, directory / "data.png")
    notes = list(tables.notes)
    if tables.bad_rows:
        write_bad_rows(directory / "bad_rows.csv", tables.bad_rows)
        notes.append(f"{len(tables.bad_rows):,} rows cannot be used: see {directory / 'bad_rows.csv'}")
    return Description(report, notes, directory)
