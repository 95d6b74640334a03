"""A scorer that costs nothing, and files for it to score; shared by the tests of scoring."""

from __future__ import annotations

import csv
import json
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq


class HashScorer:
    """A probability from the words; counts the pairs that it is asked for."""

    threshold = 0.5
    fingerprint = "hash of the words"

    def __init__(self, seconds_per_call: float = 0.0) -> None:
        self.seconds_per_call = seconds_per_call
        self.pairs_scored = 0
        self.advance: Callable[[int], None] = lambda pairs: None

    def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        time.sleep(self.seconds_per_call)
        self.pairs_scored += len(pairs)
        self.advance(len(pairs))
        return np.array([probability(*pair) for pair in pairs])

    def beyond_training(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        return ["new words: mat" if "mat" in first else "" for first, _ in pairs]


def probability(first: str, second: str) -> float:
    return zlib.crc32(f"{first}\n{second}".encode()) / 2**32


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pairs_csv(path: Path, rows: int) -> Path:
    lines = (f"{row},the cat number {row} sat on the mat,on the mat sat cat {row % 7}\n" for row in range(rows))
    return write(path, "id,sentence1,sentence2\n" + "".join(lines))


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    text = path.read_bytes().decode()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.split("\n")[:-1]]
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle, strict=True))
    header, *records = [line.split("\t") for line in text.split("\n")[:-1]]
    return [dict(zip(header, record, strict=True)) for record in records]
