"""Batches of pairs of about the same length: little padding, another mixture every epoch, always the same number of batches.

Lightning 2.6 keeps the number of batches of the first epoch and silently drops what a later epoch has more, so where one
batch ends and the next begins is decided once, on lengths rounded up to a few widths; an epoch only shuffles the pairs within
a width, and the order of the batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from torch.utils.data import Sampler

from paraphrase_lab.errors import UserError

MINIMUM_REAL_TOKENS = 0.97


class BatchPlan:
    """Which positions of the length-sorted pairs form a batch.

    Args:
        lengths: tokens of each pair, [pairs].
        batch_size: pairs of an average batch; or
        batch_tokens: tokens of a batch, padding included.
        multiple_of: the number of batches is a multiple of this (devices x accumulated batches), where there are enough pairs.
        groups: pairs with the same number stay in the same batch, [pairs].
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
        self.units = _Units(self.lengths, np.arange(len(self.lengths)) if groups is None else groups)
        for tolerance in (0.85, 0.9, 0.93, 0.95, 0.97, 1.0):
            self.units.round_up(tolerance)
            widths, sizes = self.units.in_order()
            self.cuts = _cuts(widths, sizes, batch_size, batch_tokens, multiple_of)
            if self.real_token_share() >= MINIMUM_REAL_TOKENS:
                break

    def __len__(self) -> int:
        return len(self.cuts) - 1

    @property
    def widths(self) -> np.ndarray:
        """Of each pair, at least its length."""
        return self.units.widths[self.units.unit_of_pair]

    @property
    def mean_pairs(self) -> float:
        return len(self.lengths) / len(self)

    def real_token_share(self) -> float:
        """Real tokens / computed tokens if every batch were as wide as its widest width: a lower bound."""
        widths, sizes = self.units.in_order()
        computed = sum(int(widths[end - 1]) * int(sizes[start:end].sum()) for start, end in pairwise(self.cuts))
        return float(self.lengths.sum() / computed)

    def epoch(self, seed: int, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, as indices of pairs: the same for the same seed and epoch."""
        random = np.random.default_rng([seed, epoch])
        batches = self._batches(random.random(len(self.units)))
        return [batches[i] for i in random.permutation(len(batches))]

    def in_order(self) -> list[np.ndarray]:
        """The batches without any shuffling, for evaluation."""
        return self._batches(np.arange(len(self.units)))

    def _batches(self, ties: np.ndarray) -> list[np.ndarray]:
        order = np.lexsort((ties, self.units.sizes, self.units.widths))
        return [self.units.pairs(units) for units in np.split(order, self.cuts[1:-1])]


class _Units:
    """What is never parted: single pairs, or groups of pairs."""

    def __init__(self, lengths: np.ndarray, groups: np.ndarray) -> None:
        _, self.unit_of_pair = np.unique(groups, return_inverse=True)
        self.sizes = np.bincount(self.unit_of_pair)
        self.longest = np.zeros(len(self.sizes), dtype=np.int64)
        np.maximum.at(self.longest, self.unit_of_pair, lengths)
        self._members = np.split(np.argsort(self.unit_of_pair, kind="stable"), np.cumsum(self.sizes)[:-1])
        self.widths = self.longest

    def __len__(self) -> int:
        return len(self.sizes)

    def round_up(self, tolerance: float) -> None:
        """Each length raised to the top of its width: a width spans the lengths above `tolerance` of its top."""
        self.widths = np.empty_like(self.longest)
        remaining = np.unique(self.longest)
        while len(remaining):
            top = remaining[-1]
            bottom = remaining[remaining >= tolerance * top][0]
            self.widths[(self.longest >= bottom) & (self.longest <= top)] = top
            remaining = remaining[remaining < bottom]

    def in_order(self) -> tuple[np.ndarray, np.ndarray]:
        """Widths and sizes as an epoch sorts them: where a batch is cut does not depend on how equal units are shuffled."""
        order = np.lexsort((self.sizes, self.widths))
        return self.widths[order], self.sizes[order]

    def pairs(self, units: np.ndarray) -> np.ndarray:
        return np.concatenate([self._members[unit] for unit in units])


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
        if len(plan) < world_size:  # a device without a batch would skip the metrics, for which the others wait
            raise UserError(f"{len(plan)} evaluation batches are too few for {world_size} devices", hint="fewer devices")
        self.batches = plan.in_order()[rank::world_size]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            yield batch.tolist()


def _cuts(
    widths: np.ndarray, sizes: np.ndarray, batch_size: int | None, batch_tokens: int | None, multiple_of: int
) -> list[int]:
    """Boundaries [0, …, units] of the batches of length-sorted units."""
    pairs, units = int(sizes.sum()), len(sizes)
    cuts = _greedy(widths, sizes, batch_tokens) if batch_tokens is not None else []
    wanted = len(cuts) - 1 if batch_size is None else -(-pairs // batch_size)
    most = units // multiple_of * multiple_of or units
    wanted = min(most, -(-wanted // multiple_of) * multiple_of)
    if not cuts or len(cuts) - 1 > wanted:
        low, high = int(widths[-1]), int(widths[-1]) * pairs
        while low < high:  # the smallest budget that needs no more than the wanted number of batches
            middle = (low + high) // 2
            low, high = (low, middle) if len(_greedy(widths, sizes, middle)) - 1 <= wanted else (middle + 1, high)
        cuts = _greedy(widths, sizes, low)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    while len(cuts) - 1 < wanted:
        divisible = np.diff(cuts) > 1
        largest = int(np.argmax(np.diff(ends[cuts]) * divisible))
        cuts.insert(largest + 1, (cuts[largest] + cuts[largest + 1]) // 2)
    return cuts


def _greedy(widths: np.ndarray, sizes: np.ndarray, budget: int) -> list[int]:
    """Cuts batches of at most `budget` tokens (but at least one unit) off the sorted units."""
    ends = np.cumsum(sizes)
    cuts, units, before = [0], len(sizes), 0
    while (start := cuts[-1]) < units:
        reach = min(units, start + max(1, budget // int(widths[start])))
        tokens = widths[start:reach] * (ends[start:reach] - before)
        cuts.append(start + max(1, int(np.searchsorted(tokens, budget, side="right"))))
        before = int(ends[cuts[-1] - 1])
    return cuts
