"""The capability checklist after a training: the dev half with validation, the test half with test."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paraphrase_lab.data.checklist import SPLIT_NAMES, checklist_table
from paraphrase_lab.data.module import PairDataModule
from paraphrase_lab.lifecycle.evaluation import ScoredSplit
from paraphrase_lab.model.export import TrainedModel
from paraphrase_lab.model.inference import score
from paraphrase_lab.runs.seen_pairs import seen_by

log = logging.getLogger(__name__)


def score_checklist(
    run_dir: Path, model: TrainedModel, datamodule: PairDataModule, splits: Sequence[str]
) -> dict[str, ScoredSplit]:
    """Score the half of each split, by the half's name in SPLIT_NAMES; pairs that the run has seen are left out."""
    scored = {}
    for split in [split for split in splits if split in SPLIT_NAMES]:
        table = checklist_table(split)
        seen = seen_by(run_dir, table).any
        if seen.any():
            log.warning(
                "the training data hold %d of the %d pairs of the checklist's %s half, which are left out there: "
                "it is meant for pairs that no training has seen", seen.sum(), len(table), SPLIT_NAMES[split],
            )  # fmt: skip
            table = table.select(np.flatnonzero(~seen))
        train = datamodule.tables.splits["train"].sentence_hashes
        if shared := int(np.isin(table.sentence_hashes, train).any(axis=1).sum()):
            log.info("%s: %d of %d pairs share a sentence with training pairs", SPLIT_NAMES[split], shared, len(table))
        if len(table):
            margins = model.margins(score(model.encoder, datamodule.probe_loader(table), len(table)))
            scored[SPLIT_NAMES[split]] = ScoredSplit(table, margins)
    return scored
