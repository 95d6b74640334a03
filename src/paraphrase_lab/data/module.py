"""The LightningDataModule: encodes the splits once, and hands out the same batches after a resume as without one."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from paraphrase_lab.data.batching import BatchPlan, EpochBatches, ordered_batches
from paraphrase_lab.data.clusters import sentence_clusters
from paraphrase_lab.data.collate import PaddingCollator, PairDataset
from paraphrase_lab.data.encoding import EncodedPairs, encode, refuse_truncation
from paraphrase_lab.data.pair_table import PairTable, PairTables


class PairDataModule(pl.LightningDataModule):
    """
    Args:
        swap: "none", "augment" (both orders of a pair, as two examples) or "paired" (as one example, for the consistency loss).
        batches_multiple_of: devices x accumulated batches, so that every optimiser step is a full one.
        clusters_together: training pairs that share a sentence stay in the same batch.
        max_length_of_group: tokens of a pair of a group at most, where that is not `max_length`.
        teacher: a teacher's margins [pairs] for the training pairs, in each order in which they are trained.
    """

    def __init__(
        self,
        tables: PairTables,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_length: int,
        batch_size: int | None,
        batch_tokens: int | None,
        evaluation_batch_tokens: int,
        seed: int,
        swap: str = "none",
        on_truncation: str = "warn",
        batches_multiple_of: int = 1,
        clusters_together: bool = False,
        num_workers: int = 0,
        cache: Path | None = None,
        max_length_of_group: Mapping[str, int] | None = None,
        teacher: Sequence[np.ndarray] = (),
    ) -> None:
        super().__init__()
        self.teacher = teacher
        self.tables, self.tokenizer, self.max_length = tables, tokenizer, max_length
        self.batch_size, self.batch_tokens = batch_size, batch_tokens
        self.evaluation_batch_tokens, self.seed, self.swap = evaluation_batch_tokens, seed, swap
        self.num_workers, self.cache = num_workers, cache
        self.max_length_of_group = dict(max_length_of_group or {})
        self.encoded = {split: self._encode(split) for split in tables.splits}
        limit, more = f"data.max_length={max_length} tokens", "data.max_length"
        if self.max_length_of_group:
            limit, more = "the max_length of their sources", "data.sources.NAME.max_length"
        self.truncation_notes = refuse_truncation(self.encoded, limit, on_truncation, more)
        self.batches_multiple_of, self.clusters_together = batches_multiple_of, clusters_together
        self._position = {"epoch": 0, "completed": 0}
        self._batches: EpochBatches | None = None

    @cached_property
    def train_dataset(self) -> PairDataset:
        orders = [self.encoded["train"]]
        if self.swap != "none":
            orders.append(self._encode("train", swapped=True))
        return PairDataset(orders, self.tables.splits["train"].labels, together=self.swap == "paired", teacher=self.teacher)

    @cached_property
    def plan(self) -> BatchPlan:
        clusters = None
        if self.clusters_together:
            train = self.tables.splits["train"]
            clusters = np.tile(sentence_clusters(train.sentence1, train.sentence2), len(self.train_dataset) // len(train))
        return BatchPlan(
            self.train_dataset.lengths,
            batch_size=self.batch_size,
            batch_tokens=self.batch_tokens,
            multiple_of=self.batches_multiple_of,
            groups=clusters,  # both orders of a pair are in the same cluster
        )

    def train_dataloader(self) -> DataLoader:
        self._batches = EpochBatches(self.plan, self.seed, **self._share())
        self._batches.epoch, self._batches.start = self._position["epoch"], self._position["completed"]
        return self._loader(self.train_dataset, self._batches)

    def val_dataloader(self) -> DataLoader:
        return self._evaluation_loader(self.encoded["validation"], self.tables.splits["validation"].labels, **self._share())

    def evaluation_loader(self, split: str, *, swapped: bool = False) -> DataLoader:
        """Return a loader of every pair of a split, `swapped` with the second sentence first."""
        encoded = self._encode(split, swapped=True) if swapped else self.encoded[split]
        return self._evaluation_loader(encoded, self.tables.splits[split].labels)

    def probe_loader(self, table: PairTable) -> DataLoader:
        """Return a loader of pairs that are in no split."""
        return self._evaluation_loader(encode(table, self.tokenizer, self.max_length), table.labels)

    def state_dict(self) -> dict[str, int]:
        """Return the position: Lightning starts the loaders before it sets the epoch, so the sampler must know it itself."""
        trainer = self.trainer
        assert trainer is not None
        progress: Any = trainer.fit_loop.epoch_loop.batch_progress
        epochs: Any = trainer.fit_loop.epoch_progress
        if progress.is_last_batch:
            return {"epoch": epochs.current.processed + 1, "completed": 0}
        # Within on_train_batch_end the batch is processed, but not yet counted as completed.
        return {"epoch": epochs.current.processed, "completed": progress.current.processed}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._position = dict(state_dict)
        if self._batches is not None:
            self._batches.epoch, self._batches.start = state_dict["epoch"], state_dict["completed"]

    def _encode(self, split: str, *, swapped: bool = False) -> EncodedPairs:
        table = self.tables.splits[split]
        limits = self._max_lengths(table)
        return encode(table, self.tokenizer, limits, swapped=swapped, cache=self.cache, name=split)

    def _max_lengths(self, table: PairTable) -> int | np.ndarray:
        """Return max_length, or that of each pair's group [pairs] where groups have their own."""
        if not self.max_length_of_group or table.groups is None:
            return self.max_length
        return np.array([self.max_length_of_group.get(str(group), self.max_length) for group in table.groups])

    def _evaluation_loader(self, encoded: EncodedPairs, labels: np.ndarray, rank: int = 0, world_size: int = 1) -> DataLoader:
        plan = BatchPlan(encoded.lengths, batch_tokens=self.evaluation_batch_tokens, multiple_of=world_size)
        return self._loader(PairDataset([encoded], labels), ordered_batches(plan, rank=rank, world_size=world_size))

    def _share(self) -> dict[str, int]:
        if self.trainer is None:
            return {"rank": 0, "world_size": 1}
        return {"rank": self.trainer.global_rank, "world_size": self.trainer.world_size}

    def _loader(self, dataset: PairDataset, batches: Any) -> DataLoader:
        # A generator of its own: otherwise the loader draws from the global random state, and a resume is not exact.
        return DataLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=PaddingCollator(self.tokenizer),
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator().manual_seed(0),
        )
