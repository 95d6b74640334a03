"""Batches of pairs of about the same length: little padding, another mixture every epoch, always the same number of batches.

Lightning 2.6 keeps the number of batches of the first epoch and silently drops what a later epoch has more, so where one
batch ends and the next begins is decided once, on lengths rounded up to a few bucket lengths; an epoch only shuffles the pairs
within a bucket, and the order of the batches.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Self

import numpy as np
from torch.utils.data import Sampler

from paraphrase_lab.errors import UserError

MOST_PADDING = 0.03


class BatchPlan:
    """Decides which of the length-sorted pairs form a batch.

    Args:
        lengths: tokens of each pair, [pairs].
        batch_size: pairs of an average batch; or
        batch_tokens: tokens of a batch, padding included.
        multiple_of: the number of batches is a multiple of this (devices x accumulated batches), where there are enough pairs.
        groups: pairs with the same number stay in the same batch, [pairs]; groups larger than a batch are cut.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        *,
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        multiple_of: int = 1,
        groups: np.ndarray | None = None,
    ) -> None:
        if (batch_size is None) == (batch_tokens is None):
            raise ValueError("one of batch_size and batch_tokens")
        self.lengths = np.asarray(lengths, dtype=np.int64)
        group_of_pair = np.arange(len(lengths))
        if groups is not None:
            group_of_pair = _cut_groups(groups, self.lengths, batch_size, batch_tokens)
        self.sizes = np.bincount(group_of_pair)  # [groups], as are all below; without groups each pair is one of its own
        self._members = np.split(np.argsort(group_of_pair, kind="stable"), np.cumsum(self.sizes)[:-1])
        longest = np.zeros(len(self.sizes), dtype=np.int64)
        np.maximum.at(longest, group_of_pair, self.lengths)
        for tolerance in (0.85, 0.9, 0.93, 0.95, 0.97, 1.0):
            self.bucket_lengths = _rounded_up(longest, tolerance)
            self.cuts = _cuts(*self._sorted(), batch_size, batch_tokens, multiple_of)
            if self.padding_fraction() <= MOST_PADDING:
                break

    def __len__(self) -> int:
        return len(self.cuts) - 1

    @property
    def mean_pairs(self) -> float:
        return len(self.lengths) / len(self)

    def padding_fraction(self) -> float:
        """Return an upper bound of padding tokens / computed tokens: every batch as long as its longest bucket."""
        bucket_lengths, sizes = self._sorted()
        computed = sum(int(bucket_lengths[end - 1]) * int(sizes[start:end].sum()) for start, end in pairwise(self.cuts))
        return (computed - int(self.lengths.sum())) / computed

    def epoch(self, seed: int, epoch: int) -> list[np.ndarray]:
        """Return the batches of an epoch, as indices of pairs: the same for the same seed and epoch."""
        random = np.random.default_rng([seed, epoch])
        batches = self._batches(random.random(len(self.sizes)))
        return [batches[i] for i in random.permutation(len(batches))]

    def in_order(self) -> list[np.ndarray]:
        """Return the batches without any shuffling, for evaluation."""
        return self._batches(np.arange(len(self.sizes)))

    def _batches(self, ties: np.ndarray) -> list[np.ndarray]:
        order = np.lexsort((ties, self.sizes, self.bucket_lengths))
        return [np.concatenate([self._members[group] for group in groups]) for groups in np.split(order, self.cuts[1:-1])]

    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """Return bucket lengths and sizes [groups] in an epoch's order, which no shuffling of equal groups changes."""
        order = np.lexsort((self.sizes, self.bucket_lengths))
        return self.bucket_lengths[order], self.sizes[order]


class EpochBatches(Sampler[list[int]]):
    """One device's share of every epoch's batches.

    `start` batches are left out once, after a resume; `len` stays that of the whole epoch. Lightning looks for `set_epoch`
    on `batch_sampler.sampler`, hence the property of that name.
    """

    def __init__(self, plan: BatchPlan, seed: int, *, rank: int = 0, world_size: int = 1) -> None:
        if len(plan) % world_size:
            raise UserError(
                f"{len(plan)} batches cannot be shared evenly by {world_size} devices",
                hint="more training pairs, fewer devices or a smaller trainer.accumulate_grad_batches",
            )
        self.plan, self.seed, self.rank, self.world_size = plan, seed, rank, world_size
        self.epoch = 0
        self.start = 0

    @property
    def sampler(self) -> Self:
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


def ordered_batches(plan: BatchPlan, *, rank: int = 0, world_size: int = 1) -> list[list[int]]:
    """Return one device's share of the evaluation batches, in the order of length."""
    if len(plan) < world_size:  # a device without a batch would skip the metrics, for which the others wait
        raise UserError(f"{len(plan)} evaluation batches are too few for {world_size} devices", hint="fewer devices")
    return [batch.tolist() for batch in plan.in_order()[rank::world_size]]


def _cut_groups(groups: np.ndarray, lengths: np.ndarray, batch_size: int | None, batch_tokens: int | None) -> np.ndarray:
    """Return the group of each pair [pairs], numbered from 0: those larger than a batch are cut, once, into equal parts."""
    _, group_of_pair = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group_of_pair)
    longest = np.zeros(len(sizes), dtype=np.int64)
    np.maximum.at(longest, group_of_pair, lengths)
    most = np.full(len(sizes), batch_size) if batch_tokens is None else np.maximum(1, batch_tokens // longest)
    parts = -(-sizes // most)
    order = np.lexsort((lengths, group_of_pair))  # a part holds pairs of about the same length
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    part = place * parts[group_of_pair] // sizes[group_of_pair]
    return (np.cumsum(parts) - parts)[group_of_pair] + part


def _rounded_up(lengths: np.ndarray, tolerance: float) -> np.ndarray:
    """Raise each length to the longest of its bucket, which spans the lengths above `tolerance` of that."""
    rounded = np.empty_like(lengths)
    remaining = np.unique(lengths)
    while len(remaining):
        top = remaining[-1]
        bottom = remaining[remaining >= tolerance * top][0]
        rounded[(lengths >= bottom) & (lengths <= top)] = top
        remaining = remaining[remaining < bottom]
    return rounded


def _cuts(
    lengths: np.ndarray, sizes: np.ndarray, batch_size: int | None, batch_tokens: int | None, multiple_of: int
) -> list[int]:
    """Return the boundaries [0, …, groups] of the batches of length-sorted groups."""
    pairs, groups = int(sizes.sum()), len(sizes)
    cuts = _greedy(lengths, sizes, batch_tokens) if batch_tokens is not None else []
    wanted = len(cuts) - 1 if batch_size is None else -(-pairs // batch_size)
    most = groups // multiple_of * multiple_of or groups
    wanted = min(most, -(-wanted // multiple_of) * multiple_of)
    if not cuts or len(cuts) - 1 > wanted:
        low, high = int(lengths[-1]), int(lengths[-1]) * pairs
        while low < high:  # the smallest budget that needs no more than the wanted number of batches
            middle = (low + high) // 2
            low, high = (low, middle) if len(_greedy(lengths, sizes, middle)) - 1 <= wanted else (middle + 1, high)
        cuts = _greedy(lengths, sizes, low)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    while len(cuts) - 1 < wanted:
        divisible = np.diff(cuts) > 1
        largest = int(np.argmax(np.diff(ends[cuts]) * divisible))
        cuts.insert(largest + 1, (cuts[largest] + cuts[largest + 1]) // 2)
    return cuts


def _greedy(lengths: np.ndarray, sizes: np.ndarray, budget: int) -> list[int]:
    """Cut batches of at most `budget` tokens (but at least one group) off the sorted groups."""
    ends = np.cumsum(sizes)
    cuts, groups, before = [0], len(sizes), 0
    while (start := cuts[-1]) < groups:
        reach = min(groups, start + max(1, budget // int(lengths[start])))
        tokens = lengths[start:reach] * (ends[start:reach] - before)
        cuts.append(start + max(1, int(np.searchsorted(tokens, budget, side="right"))))
        before = int(ends[cuts[-1] - 1])
    return cuts
