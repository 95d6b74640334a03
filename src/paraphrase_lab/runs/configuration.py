"""The settings of a run as one flat mapping: dotted keys, resolved values, and the option chosen of each group."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paraphrase_lab.configuration.renamed import renamed_record

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
    """
    record = dict(record)
    if "choices" not in record and run_dir is not None:
        record |= typed_and_chosen(run_dir)
    if "config" not in record and run_dir is not None:
        record |= _saved(run_dir)
    record = renamed_record(record)
    return {**record.get("choices", {}), **record.get("config", {})}, record


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
