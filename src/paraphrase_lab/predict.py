"""Scores of sentence pairs with a run's model: the same loop and calibration as in its evaluation."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from paraphrase_lab.data.batching import BatchPlan, ordered_batches
from paraphrase_lab.data.beyond_training import COLUMN, beyond_training
from paraphrase_lab.data.collate import PaddingCollator, PairDataset
from paraphrase_lab.data.encoding import EncodedPairs, encode
from paraphrase_lab.data.known_input import KnownInput
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.model.export import MODEL_DIR, TrainedModel
from paraphrase_lab.model.inference import score


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
        return self.model.calibration.probabilities(self.model.margins(differences))

    def beyond_training(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """Return what of each pair the training never had, as in "new words: quagga"; empty where nothing."""
        return beyond_training(pairs, self._encode(pairs), self.known, self.model.tokenizer) if pairs else []

    def _encode(self, pairs: Sequence[tuple[str, str]]) -> EncodedPairs:
        if self._encoded is None or self._encoded[0] is not pairs:  # scored and looked at one after the other
            first, second = (list(column) for column in zip(*pairs, strict=True))
            table = PairTable([""] * len(pairs), first, second, np.zeros(len(pairs), dtype=np.int64))
            self._encoded = pairs, encode(table, self.model.tokenizer, self.model.max_length, quiet=True)
        return self._encoded[1]
