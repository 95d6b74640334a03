"""The files of each split in a directory: train.csv beside test.csv, a snapshot of the Hub, or what `save_to_disk` wrote."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from paraphrase_lab.data.formats import FORMATS, named_format
from paraphrase_lab.data.pair_table import SPLITS
from paraphrase_lab.errors import UserError

Names = Mapping[str, Sequence[str]]
"""The names that each split may have: those of files without their endings, or those of the Hub."""
ALIASES: Names = {"train": ("train",), "validation": ("validation", "dev", "valid", "val"), "test": ("test",)}
"""The names that need not be given."""


def split_names(given: Mapping[str, Any] | None) -> Names:
    """Return the names of each split where a user has given a name, several of which the first counts that is there, or null.

    Raises:
        UserError: another split than train, validation and test, or a name that is no text.
    """
    names = dict(ALIASES)
    for split, value in (given or {}).items():
        chosen = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
        if split not in SPLITS or not all(isinstance(name, str) and name for name in chosen):
            raise UserError(
                f"data.splits={{{split}:{value}}} does not name a split",
                valid="train, validation and test, each with the name of a file without its ending, or of a split of the Hub",
                hint="as in 'data.splits={validation:dev_matched,test:null}', where null does without a split",
            )
        names[split] = tuple(chosen)
    return names


def split_of(name: str, names: Names = ALIASES) -> str | None:
    return next((split for split, known in names.items() if name in known), None)


def refuse_missing_splits(found: Collection[str], names: Names, place: str, present: Iterable[str]) -> None:
    """Raise UserError where no file or Hub split has any of the names that a user has given for one."""
    for split in [split for split in SPLITS if names[split] not in (ALIASES[split], ())]:
        if split not in found:
            raise UserError(
                f"{place} has no split named {' or '.join(names[split])}",
                valid=f"its splits and files: {', '.join(sorted(present)) or 'none'}",
                hint=f"data.splits.{split}=NAME names another, data.splits.{split}=null does without",
            )


def split_files(
    directory: Path, splits: Sequence[str] = SPLITS, subset: str | None = None, names: Names = ALIASES
) -> dict[str, list[Path]]:
    """Return the files of each split that is there; those of a split with several parts in order.

    Raises:
        UserError: no file of pairs, two files for one split, or several configurations and none chosen by `subset`; none has
            a name that was given.
    """
    found = (
        _saved_to_disk(directory, names)
        or _named_in_readme(directory, subset, names)
        or _by_name(directory, splits, subset, names)
    )
    if not found and tuple(splits) == SPLITS:
        folders = sorted(entry.name for entry in directory.iterdir() if entry.is_dir() and _by_name(entry, splits, None, names))
        raise UserError(
            f"{directory} has no file of pairs",
            valid=f"{', '.join(f'{name}.*' for name in _first(names))} with one of {', '.join(FORMATS)}",
            hint=f"data.subset={folders[0]} reads the folder of that name" if folders else _naming(directory),
        )
    refuse_missing_splits([*found, *(set(SPLITS) - set(splits))], names, str(directory), _present(directory / (subset or "")))
    return {split: files for split, files in found.items() if split in splits}


def _first(names: Names) -> list[str]:
    return [names[split][0] for split in SPLITS if names[split]]


def _naming(directory: Path) -> str:
    """Return how to say which split a file is, where there are files that may be of pairs."""
    files = [name for name in _present(directory) if Path(name).suffix == ".txt" or named_format(Path(name))]
    return f"its files: {', '.join(sorted(files)[:10])}; 'data.splits={{train:NAME}}' says which is train" if files else ""


def _present(directory: Path) -> list[str]:
    return [entry.name for entry in directory.iterdir()] if directory.is_dir() else []


def _by_name(directory: Path, splits: Sequence[str], subset: str | None, names: Names) -> dict[str, list[Path]]:
    places = [place for place in (directory / (subset or ""), directory / (subset or "") / "data") if place.is_dir()]
    found: dict[str, list[Path]] = {}
    for split in splits:
        for place, stem in ((place, stem) for place in places for stem in names[split]):
            named = sorted(file for file in place.iterdir() if file.is_file() and stem in _stems(file))
            # A .txt may be anything, unless its name was given.
            files = [file for file in named if named_format(file)] or [
                file for file in named if file.suffix == ".txt" and names[split] is not ALIASES[split]
            ]
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


def _stems(file: Path) -> tuple[str, str]:
    """Return the name before the first dot, and before its last ending: of multinli_1.0_train.jsonl only the second is one."""
    return _stem(file), file.stem


def _is_part(file: Path) -> bool:
    return re.search(r"-\d{5}", file.name) is not None


def _refuse_missing_parts(parts: Sequence[Path]) -> None:
    counts = {int(match[1]) for file in parts if (match := re.search(r"-of-(\d{5})", file.name))}
    if counts and counts != {len(parts)}:
        whole = f"{parts[0].parent} has {len(parts)} of {max(counts)} parts of {_stem(parts[0])}"
        raise UserError(f"{whole}: {', '.join(file.name for file in parts)}", hint="download or copy the missing ones")


def _saved_to_disk(directory: Path, names: Names) -> dict[str, list[Path]]:
    """Return the files of `Dataset.save_to_disk`, whose order stands in state.json, and of a DatasetDict."""
    if (directory / "state.json").is_file():
        return {"train": _state_files(directory)}
    if not (directory / "dataset_dict.json").is_file():
        return {}
    folders = {
        split: entry for entry in sorted(directory.iterdir()) if entry.is_dir() and (split := split_of(entry.name, names))
    }
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


def _named_in_readme(directory: Path, subset: str | None, names: Names) -> dict[str, list[Path]]:
    """Return the files that a data set's card names for the chosen configuration; empty where there is none, or no file."""
    configs = [entry for entry in _card(directory).get("configs") or [] if isinstance(entry, dict) and "data_files" in entry]
    subsets = [str(entry.get("config_name", "default")) for entry in configs]
    if subset is not None:
        configs = [entry for entry, name in zip(configs, subsets, strict=True) if name == subset]
    if len(configs) > 1:
        configs = [entry for entry in configs if entry.get("default")] or configs
    if len(configs) > 1:
        raise UserError(
            f"{directory} holds several data sets: {', '.join(subsets)}",
            hint=f"data.subset={subsets[0]} reads the first of them",
        )
    found: dict[str, list[Path]] = {}
    for entry in configs[0]["data_files"] if configs and isinstance(configs[0]["data_files"], list) else []:
        split = split_of(str(entry.get("split")), names)
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
