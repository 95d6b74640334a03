"""The files of each split in a directory: train.csv beside test.csv, a snapshot of the Hub, or what `save_to_disk` wrote."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from paraphrase_lab.data.formats import FORMATS, named_format
from paraphrase_lab.data.pair_table import SPLITS
from paraphrase_lab.errors import UserError

ALIASES = {"train": ("train",), "validation": ("validation", "dev", "valid", "val"), "test": ("test",)}


def split_of(name: str) -> str | None:
    return next((split for split, names in ALIASES.items() if name in names), None)


def split_files(directory: Path, splits: Sequence[str] = SPLITS, subset: str | None = None) -> dict[str, list[Path]]:
    """Return the files of each split that is there; those of a split with several parts in order.

    Raises:
        UserError: no file of pairs, two files for one split, or several configurations and none chosen by `subset`.
    """
    found = _saved_to_disk(directory) or _named_in_readme(directory, subset) or _by_name(directory, splits, subset)
    if not found and tuple(splits) == SPLITS:
        folders = sorted(entry.name for entry in directory.iterdir() if entry.is_dir() and _by_name(entry, splits, None))
        raise UserError(
            f"{directory} has no file of pairs",
            valid=f"train.*, validation.*, test.* with one of {', '.join(FORMATS)}",
            hint=f"data.subset={folders[0]} reads the folder of that name" if folders else "",
        )
    return {split: files for split, files in found.items() if split in splits}


def _by_name(directory: Path, splits: Sequence[str], subset: str | None) -> dict[str, list[Path]]:
    places = [place for place in (directory / (subset or ""), directory / (subset or "") / "data") if place.is_dir()]
    found: dict[str, list[Path]] = {}
    for split in splits:
        for place, stem in ((place, stem) for place in places for stem in ALIASES[split]):
            files = sorted(file for file in place.iterdir() if file.is_file() and named_format(file) and _stem(file) == stem)
            parts = [file for file in files if _is_part(file)]
            whole = [file for file in files if file not in parts]
            if len(whole) > 1 or (whole and parts):
                raise UserError(
                    f"{directory} has several files for {split}: {', '.join(file.name for file in files)}",
                    hint=f"data=pairs data.{split}=FILE names one",
                )
            if files:
                _refuse_missing_parts(parts)
                found[split] = files
                break
    return found


def _stem(file: Path) -> str:
    """Return the part of the name before its endings, and before -00000-of-00002."""
    return re.sub(r"-\d{5}(?:-of-\d{5}.*)?$", "", file.name.partition(".")[0])


def _is_part(file: Path) -> bool:
    return re.search(r"-\d{5}", file.name) is not None


def _refuse_missing_parts(parts: Sequence[Path]) -> None:
    counts = {int(match[1]) for file in parts if (match := re.search(r"-of-(\d{5})", file.name))}
    if counts and counts != {len(parts)}:
        whole = f"{parts[0].parent} has {len(parts)} of {max(counts)} parts of {_stem(parts[0])}"
        raise UserError(f"{whole}: {', '.join(file.name for file in parts)}", hint="download or copy the missing ones")


def _saved_to_disk(directory: Path) -> dict[str, list[Path]]:
    """Return the files of `Dataset.save_to_disk`, whose order stands in state.json, and of a DatasetDict."""
    if (directory / "state.json").is_file():
        return {"train": _state_files(directory)}
    if not (directory / "dataset_dict.json").is_file():
        return {}
    folders = {split: entry for entry in sorted(directory.iterdir()) if entry.is_dir() and (split := split_of(entry.name))}
    return {split: _state_files(folders[split]) for split in SPLITS if split in folders}


def _state_files(directory: Path) -> list[Path]:
    try:
        state = json.loads((directory / "state.json").read_text(encoding="utf-8"))
        files = [directory / file["filename"] for file in state["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{directory} cannot be read as a folder of save_to_disk: {error}") from error
    if state.get("_indices_data_files"):
        raise UserError(
            f"{directory} holds a selection of rows beside the rows", hint="call flatten_indices() before save_to_disk"
        )
    return files


def _named_in_readme(directory: Path, subset: str | None) -> dict[str, list[Path]]:
    """Return the files that a data set's card names for the chosen configuration; empty where there is none, or no file."""
    configs = [entry for entry in _card(directory).get("configs") or [] if isinstance(entry, dict) and "data_files" in entry]
    names = [str(entry.get("config_name", "default")) for entry in configs]
    if subset is not None:
        configs = [entry for entry, name in zip(configs, names, strict=True) if name == subset]
    if len(configs) > 1:
        configs = [entry for entry in configs if entry.get("default")] or configs
    if len(configs) > 1:
        raise UserError(
            f"{directory} holds several data sets: {', '.join(names)}", hint=f"data.subset={names[0]} reads the first of them"
        )
    found: dict[str, list[Path]] = {}
    for entry in configs[0]["data_files"] if configs and isinstance(configs[0]["data_files"], list) else []:
        split = split_of(str(entry.get("split")))
        patterns = entry.get("path")
        paths = [patterns] if isinstance(patterns, str) else patterns or []
        files = sorted(file for pattern in paths for file in directory.glob(pattern) if file.is_file())
        if split and files:
            found[split] = files
    return found


def _card(directory: Path) -> dict[str, Any]:
    try:
        text = (directory / "README.md").read_text(encoding="utf-8")
        front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
        card = yaml.safe_load(front[1]) if front else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return card if isinstance(card, dict) else {}
