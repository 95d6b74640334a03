"""Cross-validation: the splits of a data set cut anew, one fold as validation."""

import numpy as np

from paraphrase_lab.data.clusters import folds_by_clusters, split_by_clusters
from paraphrase_lab.data.pair_table import PairTable, joined
from paraphrase_lab.errors import UserError


def cut_fold(
    splits: dict[str, PairTable], folds: int, fold: int, test_fraction: float, seed: int
) -> tuple[dict[str, PairTable], list[str]]:
    """Cut test off a single file, as without folds; then cut all but test into folds."""
    cut, notes = dict(splits), []
    if test_fraction:
        train = cut["train"]
        kept, held_out = split_by_clusters(train.sentence1, train.sentence2, train.labels, test_fraction, seed)
        cut |= {"train": train.select(kept), "test": train.select(held_out)}
    if "validation" in cut:
        notes.append(f"data.folds={folds} puts train and the given validation split together")
    pool = joined([cut[name] for name in ("train", "validation") if name in cut])
    if not 0 <= fold < folds:
        raise UserError(f"data.fold={fold} is none of data.folds={folds}", valid=f"0 to {folds - 1}")
    fold_of = folds_by_clusters(pool.sentence1, pool.sentence2, pool.labels, folds, seed)
    if one_label := [number for number in range(folds) if len(np.unique(pool.labels[fold_of == number])) < 2]:
        notes.append(f"one label only in fold {', '.join(map(str, one_label))}: its accuracy says little, fewer folds say more")
    cut |= {"train": pool.select(np.flatnonzero(fold_of != fold)), "validation": pool.select(np.flatnonzero(fold_of == fold))}
    sizes = ", ".join(f"{size:,}" for size in np.bincount(fold_of))
    notes.append(
        f"{len(pool):,} pairs are in {folds} folds by clusters of shared sentences ({sizes} pairs); fold {fold} is validation "
        f"(data.split_seed={seed})"
    )
    return cut, notes
