"""What can change the result of a run, as hashes: configuration, data, code and library versions."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from paraphrase_lab.configuration.without_effect import WITHOUT_EFFECT
from paraphrase_lab.paths import PACKAGE_DIR

LIBRARIES = ("torch", "transformers", "tokenizers", "pytorch-lightning", "numpy", "scikit-learn", "hydra-core", "omegaconf")


def config_fingerprint(config: Mapping[str, Any]) -> str:
    """Hash a resolved configuration, without the keys that cannot change a result."""
    return _hash(json.dumps(_with_text_keys(_without(config, WITHOUT_EFFECT)), sort_keys=True, default=str))


def code_fingerprint(own_files: Iterable[Path] = ()) -> str:
    """Hash this package's sources and a researcher's own modules."""
    digest = hashlib.sha256()
    for file in [*sorted(PACKAGE_DIR.rglob("*.py")), *sorted(own_files)]:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version  # lists of runs do without it

    found = {}
    for library in (*LIBRARIES, "paraphrase-lab"):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def combine(parts: Mapping[str, Any]) -> str:
    return _hash(json.dumps(parts, sort_keys=True, default=str))


def differences(parts: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """The names of the parts that are not equal."""
    return [name for name in parts if parts[name] != others.get(name)]


def _without(config: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key not in keys}
    nested: dict[str, list[str]] = {}
    for key in keys:
        head, _, rest = key.partition(".")
        if rest:
            nested.setdefault(head, []).append(rest)
    for head, rests in nested.items():
        if isinstance(kept.get(head), Mapping):
            kept[head] = _without(kept[head], rests)
    return kept


def _with_text_keys(value: Any) -> Any:
    """A label true or 1 is a key that does not sort among texts."""
    if isinstance(value, Mapping):
        return {str(key): _with_text_keys(below) for key, below in value.items()}
    return value


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
