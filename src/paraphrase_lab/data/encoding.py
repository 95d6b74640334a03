"""Pairs as tokens: encoded once, kept in the cache under the fingerprint of text and tokenizer, never truncated silently."""

import hashlib
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from rich.progress import track

from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.errors import UserError
from paraphrase_lab.files import atomic_write

log = logging.getLogger(__name__)
CHUNK_PAIRS = 5_000
FORMAT_VERSION = 1


@dataclass(frozen=True)
class EncodedPairs:
    """Token ids of all pairs of a split in one flat array.

    tokens: int32 [all tokens]; segments: uint8 [all tokens], or None for models without segment ids;
    offsets: int64 [pairs + 1]; full_lengths: int32 [pairs], before truncation.
    """

    tokens: np.ndarray
    segments: np.ndarray | None
    offsets: np.ndarray
    full_lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    @property
    def truncated(self) -> int:
        return int((self.full_lengths > self.lengths).sum())

    def row(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        span = slice(self.offsets[index], self.offsets[index + 1])
        return self.tokens[span], None if self.segments is None else self.segments[span]


def encode(
    table: PairTable,
    tokenizer: Any,
    max_length: int | np.ndarray,
    *,
    swapped: bool = False,
    cache: Path | None = None,
    name: str = "",
    quiet: bool = False,
) -> EncodedPairs:
    """Encode a split, or take it from `cache`.

    Args:
        max_length: tokens of a pair at most: one number, or one for each pair [pairs].
        swapped: the second sentence first.
    """
    first, second = (table.sentence2, table.sentence1) if swapped else (table.sentence1, table.sentence2)
    if cache is None:
        return _encode(first, second, tokenizer, max_length, name, quiet)
    limits = hashlib.sha256(max_length.tobytes()).hexdigest() if isinstance(max_length, np.ndarray) else max_length
    key = hashlib.sha256(
        f"{FORMAT_VERSION}|{table.fingerprint}|{tokenizer_fingerprint(tokenizer)}|{limits}|{swapped}".encode()
    ).hexdigest()
    file = cache / "encoded" / f"{key}.npz"
    if (cached := _load(file)) is not None:
        return cached
    encoded = _encode(first, second, tokenizer, max_length, name, quiet)
    arrays = {name: array for name, array in vars(encoded).items() if array is not None}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file, shared=True) as unfinished, unfinished.open("wb") as stream:  # by two jobs of a sweep
            np.savez(stream, **arrays)
    except OSError as error:  # a full or read-only disk costs time later, not the run
        log.warning("the encoded pairs were not cached: %s; PARAPHRASE_CACHE_DIR names another place", error)
    return encoded


def refuse_truncation(
    encoded: dict[str, EncodedPairs], limit: str, on_truncation: str, more: str = "data.max_length"
) -> list[str]:
    """Return one line per split with truncated pairs; an error when that is asked for.

    Args:
        limit: names the most tokens of a pair, as in "data.max_length=128 tokens".
        more: the key of that limit.
    """
    lines = [
        f"{split}: {pairs.truncated:,} of {len(pairs):,} pairs ({pairs.truncated / len(pairs):.1%}) are longer than "
        f"{limit} (the longest has {pairs.full_lengths.max()}) and were truncated"
        for split, pairs in encoded.items()
        if pairs.truncated
    ]
    if lines and on_truncation == "error":
        raise UserError("\n".join(lines), hint=f"{more}=… takes more; data.on_truncation=warn accepts it")
    return lines


def tokenizer_fingerprint(tokenizer: Any) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        copy = type(backend).from_str(backend.to_str())
        copy.no_truncation()
        copy.no_padding()
        text = copy.to_str()
    else:
        settings = {name: str(value) for name, value in tokenizer.init_kwargs.items() if name != "name_or_path"}
        text = repr((sorted(tokenizer.get_vocab().items()), sorted(settings.items())))
    parts = (type(tokenizer).__name__, tokenizer.model_input_names, tokenizer.truncation_side, text)
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _encode(
    first: list[str], second: list[str], tokenizer: Any, max_length: int | np.ndarray, name: str, quiet: bool
) -> EncodedPairs:
    limits = np.broadcast_to(max_length, len(first))
    with_segments = "token_type_ids" in tokenizer.model_input_names
    tokens, segments, full_lengths = [], [], []
    starts = range(0, len(first), CHUNK_PAIRS)
    quiet = quiet or len(first) < 2 * CHUNK_PAIRS or not sys.stdout.isatty()  # in a file the bar would be an empty line
    for start in track(starts, description=f"encoding {name}", disable=quiet, transient=True):
        chunk = (first[start : start + CHUNK_PAIRS], second[start : start + CHUNK_PAIRS])
        settings = dict(return_attention_mask=False, return_token_type_ids=with_segments, verbose=False)
        full = tokenizer(*chunk, truncation=False, **settings)
        full_lengths.extend(len(ids) for ids in full["input_ids"])
        lengths = np.array([len(ids) for ids in full["input_ids"]])
        cut = lengths > limits[start : start + CHUNK_PAIRS]
        for limit in np.unique(limits[start : start + CHUNK_PAIRS][cut]).tolist():
            rows = np.flatnonzero(cut & (limits[start : start + CHUNK_PAIRS] == limit)).tolist()
            texts = ([column[row] for row in rows] for column in chunk)
            shorter = tokenizer(*texts, truncation="longest_first", max_length=limit, **settings)
            for column in shorter.keys() & full.keys():
                for row, ids in zip(rows, shorter[column], strict=True):
                    full[column][row] = ids
        tokens.extend(np.asarray(ids, dtype=np.int32) for ids in full["input_ids"])
        if with_segments:
            segments.extend(np.asarray(ids, dtype=np.uint8) for ids in full["token_type_ids"])
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in tokens])]).astype(np.int64)
    return EncodedPairs(
        np.concatenate(tokens),
        np.concatenate(segments) if with_segments else None,
        offsets,
        np.asarray(full_lengths, dtype=np.int32),
    )


def _load(file: Path) -> EncodedPairs | None:
    """Return None where there is no such file, or a damaged one."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            segments = arrays["segments"] if "segments" in arrays else None
            return EncodedPairs(arrays["tokens"], segments, arrays["offsets"], arrays["full_lengths"])
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None
