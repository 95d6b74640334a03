"""Hashes of everything that can change the result of a run: configuration, data, code and library versions."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from paraphrase_lab.configuration.without_effect import WITHOUT_EFFECT, is_place_of_data
from paraphrase_lab.paths import PACKAGE_DIR

LIBRARIES = ("torch", "transformers", "tokenizers", "pytorch-lightning", "numpy", "scikit-learn", "hydra-core", "omegaconf")


def config_fingerprint(config: Mapping[str, Any]) -> str:
    """Hash a resolved configuration, without the keys that cannot change a result."""
    return combine(_with_effect(config))


def code_fingerprint(own_files: Iterable[Path] = ()) -> str:
    """Hash this package's sources and a researcher's own modules."""
    digest = hashlib.sha256()
    for file in [*sorted(PACKAGE_DIR.rglob("*.py")), *sorted(own_files)]:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def library_versions(also: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of the libraries that every run uses; `also`: further ones that this one uses."""
    from importlib.metadata import PackageNotFoundError, version  # lists of runs do without it

    found = {}
    for library in (*LIBRARIES, *also, "paraphrase-lab"):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def combine(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def differences(parts: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """Return the names of the parts that are not equal."""
    return [name for name in parts if parts[name] != others.get(name)]


def _with_effect(config: Mapping[Any, Any], above: str = "") -> dict[str, Any]:
    """Leave out the keys without effect; every key becomes text, since a label true or 1 does not sort among texts."""
    kept: dict[str, Any] = {}
    for name, value in config.items():
        key = f"{above}{name}"
        if key not in WITHOUT_EFFECT and not is_place_of_data(key):
            kept[str(name)] = _with_effect(value, f"{key}.") if isinstance(value, Mapping) else value
    return kept
