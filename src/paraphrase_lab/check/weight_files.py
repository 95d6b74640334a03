"""The weights in a model's directory, judged by their headers: no torch, and nothing is loaded."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

POINTER = b"version https://git-lfs"
SAFE, SAFE_INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
OF_OTHERS = {
    "tf_model.h5": "TensorFlow",
    "flax_model.msgpack": "Flax",
    "*.gguf": "GGUF",
    "*.onnx": "ONNX",
    "*.pt": "TorchScript",
}
HEADER_AT_MOST = 100_000_000
"""Bytes, as in the safetensors format."""


def is_pointer(file: Path) -> bool:
    """Tell whether Git LFS has left a pointer in place of the file."""
    with file.open("rb") as stream:
        return stream.read(len(POINTER)) == POINTER


def weight_problems(directory: Path) -> Iterator[str]:
    """Find weights that are not there, not whole, or not in a format that is read."""
    for index in (SAFE_INDEX, PICKLED_INDEX):
        if (directory / index).is_file() and not (directory / index.replace(".index.json", "")).is_file():
            yield from _shard_problems(directory, index)
            return
    for name, problem in ((SAFE, safetensors_problem), (PICKLED, pickled_problem)):
        if (directory / name).is_file():
            if (found := problem(directory / name)) is not None:
                yield found
            return
    others = [kind for pattern, kind in OF_OTHERS.items() if any(directory.glob(pattern))]
    only = f", only weights for {' and '.join(others)}" if others else ""
    yield f"has no weights ({SAFE}){only}: copy them there; or model.random_weights=true trains from scratch"


def _shard_problems(directory: Path, index: str) -> Iterator[str]:
    try:
        shards = sorted(set(json.loads((directory / index).read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        yield f"has a broken {index}: copy it again"
        return
    for shard in shards:
        file = directory / shard
        if not file.is_file():
            yield f"lacks {shard}, which {index} names: copy all {len(shards)} files of weights"
        elif (found := (safetensors_problem if index == SAFE_INDEX else pickled_problem)(file)) is not None:
            yield found


def safetensors_problem(file: Path) -> str | None:
    if is_pointer(file):
        return _pointer(file)
    size, header = file.stat().st_size, safetensors_header(file)
    if header is None:
        return f"has a {file.name} of {size:,} bytes that is no safetensors file, or only its beginning: copy it again"
    tensors = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    whole = _header_length(file) + max(tensors, default=0)
    if size < whole:
        return f"has only {size:,} of the {whole:,} bytes of {file.name}: copy it again"
    return None


def pickled_problem(file: Path) -> str | None:
    if is_pointer(file):
        return _pointer(file)
    with file.open("rb") as stream:
        is_archive = stream.read(2) == b"PK"
    if is_archive and not zipfile.is_zipfile(file):
        return f"has only the beginning of {file.name} ({file.stat().st_size:,} bytes): copy it again"
    return None


def safetensors_header(file: Path) -> dict[str, Any] | None:
    """Return {name: {"dtype", "shape", "data_offsets"}} of a file's tensors; None where its beginning is no such header."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length)) if 0 < length < HEADER_AT_MOST else None
    except (OSError, ValueError):
        return None
    return header if isinstance(header, dict) else None


def shapes(directory: Path) -> dict[str, list[int]]:
    """Return the shapes of the tensors in safetensors files, by name; empty for other formats."""
    headers = [safetensors_header(file) or {} for file in sorted(directory.glob("*.safetensors"))]
    return {name: entry["shape"] for header in headers for name, entry in header.items() if name != "__metadata__"}


def _header_length(file: Path) -> int:
    with file.open("rb") as stream:
        return 8 + int.from_bytes(stream.read(8), "little")


def _pointer(file: Path) -> str:
    return f"has a Git LFS pointer in place of {file.name}: type 'git lfs pull' where it was cloned"
