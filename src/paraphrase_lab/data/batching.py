"""Batches of pairs of about the same length: little padding, another mixture every epoch, the same number of batches every epoch.

Lightning 2.6 keeps the number of batches of the first epoch and silently drops what a later epoch has more, so where one
batch ends and the next begins is decided once, on lengths rounded up to a few widths; an epoch only shuffles the pairs within
a width, and the order of the batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from torch.utils.data import Sampler

MINIMUM_REAL_TOKENS = 0.97


class BatchPlan:
    """Which positions of the length-sorted pairs form a batch.

    Args:
        lengths: tokens of each pair, [pairs].
        batch_size: pairs of an average batch; or
        batch_tokens: tokens of a batch, padding included.
        multiple_of: the number of batches is a multiple of this (devices x accumulated batches), where there are enough pairs.
    """

    def __init__(
        self, lengths: np.ndarray, *, batch_size: int | None = None, batch_tokens: int | None = None, multiple_of: int = 1
    ) -> None:
        if (batch_size is None) == (batch_tokens is None):
            raise ValueError("one of batch_size and batch_tokens")
        self.lengths = np.asarray(lengths, dtype=np.int64)
        for tolerance in (0.85, 0.9, 0.93, 0.95, 0.97, 1.0):
            self.widths = _rounded_up(self.lengths, tolerance)
            self.cuts = _cuts(np.sort(self.widths), batch_size, batch_tokens, multiple_of)
            if self.real_token_share() >= MINIMUM_REAL_TOKENS:
                break

    def __len__(self) -> int:
        return len(self.cuts) - 1

    @property
    def mean_pairs(self) -> float:
        return len(self.lengths) / len(self)

    def real_token_share(self) -> float:
        """Real tokens / computed tokens if every batch were as wide as its widest width: a lower bound."""
        ordered = np.sort(self.widths)
        computed = sum(int(ordered[end - 1]) * (end - start) for start, end in pairwise(self.cuts))
        return float(self.lengths.sum() / computed)

    def epoch(self, seed: int, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, as indices of pairs: the same for the same seed and epoch."""
        random = np.random.default_rng([seed, epoch])
        order = np.lexsort((random.random(len(self.widths)), self.widths))
        batches = np.split(order, self.cuts[1:-1])
        return [batches[i] for i in random.permutation(len(batches))]

    def in_order(self) -> list[np.ndarray]:
        """The batches without any shuffling, for evaluation."""
        return np.split(np.argsort(self.widths, kind="stable"), self.cuts[1:-1])


class EpochBatches(Sampler[list[int]]):
    """One device's share of every epoch's batches.

    `start` batches are left out once, after a resume; `len` stays that of the whole epoch. Lightning looks for `set_epoch`
    on `batch_sampler.sampler`, hence the property of that name.
    """

    def __init__(self, plan: BatchPlan, seed: int, *, rank: int = 0, world_size: int = 1) -> None:
        self.plan, self.seed, self.rank, self.world_size = plan, seed, rank, world_size
        self.epoch = 0
        self.start = 0

    @property
    def sampler(self) -> EpochBatches:
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.plan) // self.world_size

    def __iter__(self) -> Iterator[list[int]]:
        batches = self.plan.epoch(self.seed, self.epoch)[self.rank :: self.world_size]
        start, self.start = self.start, 0
        for batch in batches[start : len(self)]:
            yield batch.tolist()


class OrderedBatches(Sampler[list[int]]):
    """One device's share of the evaluation batches, in the order of length."""

    def __init__(self, plan: BatchPlan, *, rank: int = 0, world_size: int = 1) -> None:
        self.batches = plan.in_order()[rank::world_size]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            yield batch.tolist()


def _rounded_up(lengths: np.ndarray, tolerance: float) -> np.ndarray:
    """Each length raised to the top of its width: a width spans the lengths above `tolerance` of its top."""
    widths = np.empty_like(lengths)
    remaining = np.unique(lengths)
    while len(remaining):
        top = remaining[-1]
        bottom = remaining[remaining >= tolerance * top][0]
        widths[(lengths >= bottom) & (lengths <= top)] = top
        remaining = remaining[remaining < bottom]
    return widths


def _cuts(ordered: np.ndarray, batch_size: int | None, batch_tokens: int | None, multiple_of: int) -> list[int]:
    """Boundaries [0, …, pairs] of the batches of length-sorted pairs."""
    pairs = len(ordered)
    if batch_tokens is not None:
        cuts = _greedy(ordered, batch_tokens)
        wanted = len(cuts) - 1
    else:
        assert batch_size is not None
        wanted = -(-pairs // batch_size)
    wanted = min(pairs, -(-wanted // multiple_of) * multiple_of)
    if batch_tokens is None:
        low, high = int(ordered[-1]), int(ordered[-1]) * pairs
        while low < high:  # the smallest budget that needs no more than the wanted number of batches
            middle = (low + high) // 2
            low, high = (low, middle) if len(_greedy(ordered, middle)) - 1 <= wanted else (middle + 1, high)
        cuts = _greedy(ordered, low)
    while len(cuts) - 1 < wanted:
        largest = int(np.argmax(np.diff(cuts)))
        cuts.insert(largest + 1, (cuts[largest] + cuts[largest + 1]) // 2)
    return cuts


def _greedy(ordered: np.ndarray, budget: int) -> list[int]:
    """Cuts batches of at most `budget` tokens (but at least one pair) off the sorted lengths."""
    cuts, pairs = [0], len(ordered)
    while (start := cuts[-1]) < pairs:
        reach = min(pairs, start + max(1, budget // int(ordered[start])))
        sizes = ordered[start:reach] * np.arange(1, reach - start + 1)
        cuts.append(start + max(1, int(np.searchsorted(sizes, budget, side="right"))))
    return cuts
