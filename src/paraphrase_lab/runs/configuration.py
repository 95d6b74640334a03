"""The settings of a run as one flat mapping: dotted keys, resolved values, and the option chosen of each group."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paraphrase_lab.configuration.later_keys import completed
from paraphrase_lab.configuration.renamed import renamed_record
from paraphrase_lab.configuration.without_effect import LOCAL_MODELS, WITHOUT_EFFECT, is_place_of_data
from paraphrase_lab.paths import is_there
from paraphrase_lab.runs.short import shown

log = logging.getLogger(__name__)
GROUPS = (
    "experiment", "ablation", "data", "model", "loss", "metrics", "optimizer", "scheduler", "trainer", "callbacks", "logger",
    "compute", "debug", "hparams_search",
)  # fmt: skip


def flat(config: Mapping[Any, Any], above: str = "") -> dict[str, Any]:
    """Turn {"model": {"num_layers": 2}} into {"model.num_layers": 2}; an empty mapping is no key."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        key = f"{above}.{name}" if above else str(name)
        found |= flat(value, key) if isinstance(value, Mapping) else {key: value}
    return found


def followed(value: Any) -> str:
    """Return the key of a value that stands as ${key}; else an empty text."""
    match = re.fullmatch(r"\$\{([\w.]+)\}", value) if isinstance(value, str) else None
    return match[1] if match else ""


def follows(config: Mapping[Any, Any]) -> dict[str, str]:
    """Return the keys that stand as ${another.key} in an unresolved configuration, and that key."""
    return {key: source for key, value in flat(config).items() if (source := followed(value))}


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any], working_dir: str | None = None) -> list[str]:
    """Return the keys that can change a result and have another value now, as in "seed=1 (0)", in brackets the former value.

    A key that only one of the two configurations has is left out: it belongs to another release.

    Args:
        before: flat; its relative paths are those of `working_dir`.
        now: flat; its relative paths are those of the current directory.
    """

    def value(config: Mapping[str, Any], key: str, base: str) -> str:
        found = config[key]
        is_place = is_place_of_data(key) or (key in LOCAL_MODELS and is_there(Path(base, str(found))))
        if not isinstance(found, str) or not is_place:
            return shown(found)
        return str(Path(base, Path(found).expanduser()).absolute())

    def has_effect(key: str) -> bool:
        return is_place_of_data(key) or not any(key == name or key.startswith(f"{name}.") for name in WITHOUT_EFFECT)

    shared = [key for key in now if key in before and has_effect(key)]
    changed = [key for key in shared if value(before, key, working_dir or ".") != value(now, key, ".")]
    return [f"{key}={shown(now[key])} ({shown(before[key])})" for key in changed]


def typed_and_chosen(run_dir: Path) -> dict[str, Any]:
    """Read what Hydra wrote: {"choices": option of each group, "overrides": what was typed}; empty without Hydra."""
    directory = Path(run_dir) / ".hydra"
    choices, overrides = {}, []
    if (directory / "hydra.yaml").is_file():
        hydra = _read(directory / "hydra.yaml")["hydra"]
        choices = {group: hydra["runtime"]["choices"].get(group) for group in GROUPS}
        typed = directory / "overrides.yaml"
        overrides = (_read(typed) or []) if typed.is_file() else []
    return {"choices": {group: option for group, option in choices.items() if option}, "overrides": overrides}


def configuration_of(record: Mapping[str, Any], run_dir: Path | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the flat configuration with the chosen options under their groups' names; the record with choices and overrides.

    They come from the record itself; of a record that does not hold them yet, from config.yaml and .hydra/ beside it.
    The flat configuration has also the keys that came later, with what the run did without them.
    """
    record = dict(record)
    if "choices" not in record and run_dir is not None:
        record |= typed_and_chosen(run_dir)
    if "config" not in record and run_dir is not None:
        record |= _saved(run_dir)
    record = renamed_record(record)
    return {**record.get("choices", {}), **completed(record.get("config", {}))}, record


def _saved(run_dir: Path) -> dict[str, Any]:
    path = Path(run_dir) / "config.yaml"
    if not path.is_file():
        return {}
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    raw = _read(path)
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(raw), resolve=True)
    except OmegaConfBaseException as error:
        log.warning("%s is shown as it stands: %s", path, str(error).splitlines()[0])
        resolved = raw
    assert isinstance(resolved, dict)
    return {"config": flat({str(key): value for key, value in resolved.items()}), "follows": follows(raw)}


def _read(path: Path) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
