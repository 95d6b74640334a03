"""Scores of sentence pairs with a run's model: the same loop and calibration as in its evaluation."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.special import expit

from paraphrase_lab.data.batching import BatchPlan, ordered_batches
from paraphrase_lab.data.beyond_training import COLUMN, any_beyond, beyond_training
from paraphrase_lab.data.collate import PaddingCollator, PairDataset
from paraphrase_lab.data.encoding import EncodedPairs, encode
from paraphrase_lab.data.known_input import KnownInput
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.model.export import MODEL_DIR, TrainedModel
from paraphrase_lab.model.inference import score
from paraphrase_lab.runs.fingerprint import combine
from paraphrase_lab.runtime.hardware import free_memory


class RunScorer:
    """
    Args:
        precision: Lightning's name, 32-true for the scores that the run's own evaluation gave.
        batch_tokens: tokens of a batch, padding included.
    """

    def __init__(self, run_dir: Path, model: TrainedModel, *, precision: str = "32-true", batch_tokens: int = 16_384) -> None:
        self.weights = run_dir / MODEL_DIR / "model.safetensors"
        self.model, self.precision, self.batch_tokens = model, precision, batch_tokens
        self.known = KnownInput.read(run_dir / MODEL_DIR)
        """The input of the training; None: a run of an earlier release, which has it not on record."""
        self.without_record = [run_dir] if self.known is None else []
        self._encoded: tuple[Sequence[tuple[str, str]], EncodedPairs] | None = None
        self.advance: Callable[[int], None] = lambda pairs: None

    @property
    def threshold(self) -> float:
        return self.model.calibration.threshold

    @property
    def fingerprint(self) -> str:
        """A hash of the weights, which it reads; asked for once per file."""
        digest = hashlib.sha256(f"{self.model.calibration}|{self.precision}|{self.model.max_length}|{COLUMN}".encode())
        with self.weights.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return P(paraphrase), float64 [pairs]."""
        return expit(self.logits(pairs))

    def logits(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return logit(P(paraphrase)), float64 [pairs]."""
        if not pairs:
            return np.empty(0)
        encoded = self._encode(pairs)
        dataset = PairDataset([encoded], np.zeros(len(pairs), dtype=np.int64))
        collate = PaddingCollator(self.model.tokenizer)
        batches = ordered_batches(BatchPlan(encoded.lengths, batch_tokens=self.batch_tokens))
        differences = score(
            self.model.encoder,
            (collate([dataset[i] for i in batch]) for batch in batches),
            len(pairs),
            precision=self.precision,
            advance=self.advance,
        )
        return self.model.calibration.logits(self.model.margins(differences))

    def beyond_training(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """Return what of each pair the training never had, as in "new words: quagga"; empty where nothing."""
        return beyond_training(pairs, self._encode(pairs), self.known, self.model.tokenizer) if pairs else []

    @property
    def truncated(self) -> int:
        """The number of pairs, of those scored last, that are longer than the model takes."""
        return 0 if self._encoded is None else self._encoded[1].truncated

    def _encode(self, pairs: Sequence[tuple[str, str]]) -> EncodedPairs:
        if self._encoded is None or self._encoded[0] is not pairs:  # scored and looked at one after the other
            first, second = (list(column) for column in zip(*pairs, strict=True))
            table = PairTable([""] * len(pairs), first, second, np.zeros(len(pairs), dtype=np.int64))
            self._encoded = pairs, encode(table, self.model.tokenizer, self.model.max_length, quiet=True)
        return self._encoded[1]


class EnsembleScorer:
    """Scores with the mean of the calibrated probabilities of several runs (Lakshminarayanan et al., NeurIPS 2017).

    Probabilities are averaged, not margins: the mean of calibrated probabilities is a probability again, whatever the scale of
    each model's margins. A pair is a paraphrase from the mean of the runs' thresholds on, which is 0.5 unless they were fitted.

    Args:
        loaders: load the scorer of one run each.
        keep_models: hold all models in memory; else one at a time, which each `score` loads anew.
    """

    def __init__(self, loaders: Sequence[Callable[[], RunScorer]], *, keep_models: bool) -> None:
        self._loaders, self._kept, self._keeps = loaders, list[RunScorer](), keep_models
        self.advance: Callable[[int], None] = lambda pairs: None
        self._beyond: list[str] = []
        thresholds, fingerprints, self.without_record = [], [], list[Path]()
        for scorer in self._scorers():
            thresholds.append(scorer.threshold)
            fingerprints.append(scorer.fingerprint)
            self.without_record += scorer.without_record
            del scorer
        self.threshold, self.fingerprint = float(np.mean(thresholds)), combine({"runs": fingerprints})

    def _scorers(self) -> Iterator[RunScorer]:
        if self._kept:
            yield from self._kept
            return
        for load in self._loaders:
            scorer = load()
            if self._keeps:
                self._kept.append(scorer)
            yield scorer
            del scorer  # before the next one takes as much memory

    def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return P(paraphrase), float64 [pairs]."""
        total, texts, scored = np.zeros(len(pairs)), [], 0

        def advance(more: int) -> None:
            nonlocal scored
            before, scored = scored, scored + more
            self.advance(scored // len(self._loaders) - before // len(self._loaders))

        for scorer in self._scorers():
            scorer.advance = advance
            total += scorer.score(pairs)
            texts.append(scorer.beyond_training(pairs))
            del scorer
        self._beyond = [any_beyond(of_pair) for of_pair in zip(*texts, strict=True)]
        return total / len(self._loaders)

    def beyond_training(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """Return what of each of the pairs that were just scored at least one of the trainings never had."""
        return self._beyond


def fit_into_memory(run_dirs: Iterable[Path]) -> bool:
    """Tell whether the weights of all runs together take at most half of the memory that is free on the device."""
    free = free_memory()
    weights = sum(file.stat().st_size for run_dir in run_dirs for file in (run_dir / MODEL_DIR).glob("*.safetensors"))
    return free is None or weights <= free / 2
