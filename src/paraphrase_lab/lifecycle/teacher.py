"""The answers of a teacher to the training pairs: computed once before training, kept in the cache."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from omegaconf import DictConfig
from pytorch_lightning.utilities.seed import isolate_rng
from scipy.special import log_expit, logsumexp

from paraphrase_lab.build import order_mode
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.errors import UserError
from paraphrase_lab.files import atomic_write
from paraphrase_lab.lifecycle.trained import load_run
from paraphrase_lab.paths import user_path
from paraphrase_lab.predict import RunScorer
from paraphrase_lab.runs.teacher import teacher_fingerprint, teacher_runs
from paraphrase_lab.runtime.progress import shown_progress

log = logging.getLogger(__name__)
FORMAT_VERSION = 2


class Teacher(NamedTuple):
    """The runs whose answers training copies, and the hash of all that their answers depend on."""

    name: str
    runs: list[Path]
    fingerprint: str

    @classmethod
    def of(cls, config: DictConfig, student: Path) -> "Teacher | None":
        """Return the teacher of the run whose directory is `student`. Raises UserError where there is none, or it is one."""
        if (name := config.distil.teacher) is None:
            return None
        if student.resolve().is_relative_to(user_path(name).resolve()):
            raise UserError(
                f"{student} lies below distil.teacher={name}: the next student would learn from it, too",
                hint="hydra.run.dir=DIRECTORY, or hydra.sweep.dir=DIRECTORY, elsewhere",
            )
        if not (runs := teacher_runs(name)):
            raise UserError(f"distil.teacher={name} is not there: the training job has no such input")
        return cls(name, runs, teacher_fingerprint(runs))

    def margins(self, config: DictConfig, train: PairTable, precision: str, accelerator: str, cache: Path) -> list[np.ndarray]:
        """Return logit(P(paraphrase)), float64 [pairs], for each order in which training pairs are trained.

        P is calibrated; of several runs it is the mean. The random state stays as it is.

        Args:
            precision: Lightning's name; accelerator: cpu, gpu or mps; both those of the student's training.
            cache: the directory that keeps them.
        """
        both = order_mode(config) != "none"
        parts = (FORMAT_VERSION, train.fingerprint, self.fingerprint, precision, accelerator, both)
        file = cache / "teachers" / f"{hashlib.sha256('|'.join(map(str, parts)).encode()).hexdigest()}.npz"
        if (found := _load(file)) is None:
            with isolate_rng():
                scored = [self._scored(run, train, precision, accelerator, both=both) for run in self.runs]
            found = mean_logits([logits for logits, _ in scored]), np.array([cut for _, cut in scored])
            _save(file, *found)
        margins, cuts = found
        for run, cut in zip(self.runs, cuts.tolist(), strict=True):
            if cut:
                log.warning(
                    "teacher %s is given %s of %s training pairs cut to its length, and answers to what is left",
                    run, f"{cut:,}", f"{len(train):,}",
                )  # fmt: skip
        agree = float(((margins[0] >= 0) == (train.labels == 1)).mean())
        log.info("teacher %s: its answer is the label of %.1f %% of the training pairs", self.name, 100 * agree)
        return list(margins)

    def _scored(self, run: Path, train: PairTable, precision: str, accelerator: str, *, both: bool) -> tuple[np.ndarray, int]:
        """Return the logits of one run [orders, pairs], and the number of pairs that are longer than it takes."""
        scorer = RunScorer(run, load_run(run, accelerator)[1], precision=precision)
        columns = [(train.sentence1, train.sentence2), (train.sentence2, train.sentence1)][: 1 + both]
        done = 0
        with shown_progress(f"scoring train with {run}", len(train) * len(columns)) as shown:

            def advance(pairs: int) -> None:
                nonlocal done
                done += pairs
                shown.update(done, f"{done:,} pairs")

            scorer.advance = advance
            logits = np.stack([scorer.logits(list(zip(*texts, strict=True))) for texts in columns])
        return logits, scorer.truncated


def mean_logits(logits: Sequence[np.ndarray]) -> np.ndarray:
    """Return the logit of the mean of the probabilities whose logits are given, also where they are next to 0 or 1."""
    if len(logits) == 1:
        return logits[0]
    stacked = np.stack(logits)
    return logsumexp(log_expit(stacked), axis=0) - logsumexp(log_expit(-stacked), axis=0)


def _load(file: Path) -> tuple[np.ndarray, np.ndarray] | None:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return arrays["margins"], arrays["cuts"]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None


def _save(file: Path, margins: np.ndarray, cuts: np.ndarray) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file, shared=True) as unfinished, unfinished.open("wb") as stream:
            np.savez(stream, margins=margins, cuts=cuts)
    except OSError as error:  # a full or read-only disk costs time later, not the run
        log.warning("the teacher's answers were not cached: %s; PARAPHRASE_CACHE_DIR names another place", error)
