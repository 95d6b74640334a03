"""The dataclasses behind the configuration files of data sets: see schema.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional  # Optional: OmegaConf 2.3 does not read "X | None" from string annotations

from paraphrase_lab.configuration.schema_fields import MISSING, chosen, limited, open_mapping, path_of


@dataclass
class DataConfig:
    """Keys every data set has; what `_target_` itself takes stands in its subclasses."""

    _target_: str = MISSING
    max_length: int = limited(128, minimum=8, maximum=8192)
    """Tokens of an encoded pair; longer pairs are truncated, and counted."""
    on_truncation: str = chosen("warn", "warn", "error")
    on_bad_rows: str = chosen("error", "error", "skip")
    batch_size: Optional[int] = limited("${model.batch_size}", minimum=1)
    """Pairs of an average training batch on one device; pairs of a batch have about the same length."""
    batch_tokens: Optional[int] = limited(None, minimum=16)
    """Instead of batch_size: tokens of a training batch on one device, padding included."""
    clusters_together: bool = False
    """Training pairs that share a sentence stand in the same batch, as far as it holds them: every step sees their contrast."""
    evaluation_batch_tokens: int = limited(16_384, minimum=16)
    validation_fraction: float = limited(0.1, above=0.0, maximum=0.5)
    """Share of all pairs cut off train, by clusters of shared sentences, when there is no validation split."""
    test_fraction: float = limited(0.1, minimum=0.0, maximum=0.5)
    """Share of all pairs cut off train in the same way, when there is no other split, as in a single file; 0: no test split."""
    folds: Optional[int] = limited(None, minimum=2, maximum=1000)
    """Cross-validation: train and validation are put together and cut into this many folds, by clusters of shared sentences."""
    fold: int = limited(0, minimum=0)
    """The fold that is the validation split, 0 is the first; training has the others."""
    split_seed: int = limited(0, minimum=0)
    train_limit: Optional[int] = limited(None, minimum=1)
    """Train on this many pairs, drawn with split_seed."""
    evaluation_limit: Optional[int] = limited(None, minimum=1)
    """Number of pairs, the first ones, of validation and of test: for debugging, never for reported numbers."""
    num_workers: int = limited(0, minimum=0, maximum=64)
    epochs: int = limited(3, minimum=1)
    """Default of trainer.max_epochs for this data set."""


@dataclass
class WordOrderConfig(DataConfig):
    _target_: str = "paraphrase_lab.data.sources.WordOrder"
    train_pairs: int = limited(50_000, minimum=100)
    validation_pairs: int = limited(2_000, minimum=100)
    test_pairs: int = limited(2_000, minimum=100)
    seed: int = limited(0, minimum=0)
    reworded_share: float = limited(0.0, minimum=0.0, maximum=1.0)
    """Share of the pairs whose paraphrases use other words: synonyms, converses as in sold and bought, active and passive."""
    replaced_share: float = limited(0.0, minimum=0.0, maximum=1.0)
    """Share of the pairs whose non-paraphrases have another name, number, noun, verb or time in one place."""
    negated_share: float = limited(0.0, minimum=0.0, maximum=1.0)
    """Share of the pairs whose non-paraphrases say the opposite, mostly with "not"."""
    unrelated_share: float = limited(0.0, minimum=0.0, maximum=1.0)
    """Share of the pairs whose non-paraphrases are unrelated sentences. What the four shares leave are exchanges of words."""
    test_constructions: str = chosen("trained", "trained", "held_out")
    """held_out: the test pairs are of constructions that no training pair has, such as questions; trained: of the same ones."""
    train_kinds: Optional[list[str]] = None
    """Train on these kinds alone, in as many pairs: some of order, reworded, replaced, negated and unrelated; null: on all."""
    evaluation_kinds: Optional[list[str]] = None
    """Validation and test of these kinds alone, in as many pairs; null: of all."""


@dataclass
class PawsConfig(DataConfig):
    _target_: str = "paraphrase_lab.data.sources.Paws"
    path: Optional[str] = path_of()
    """A directory with train.tsv, validation.tsv (or dev.tsv) and test.tsv; null: from the Hub."""
    revision: str = "161ece9501cf0a11f3e48bd356eaa82de46d6a09"


@dataclass
class ChecklistConfig(DataConfig):
    _target_: str = "paraphrase_lab.data.checklist.Checklist"


@dataclass
class MixtureConfig(DataConfig):
    _target_: str = "paraphrase_lab.data.mixture.Mixture"
    sources: dict[str, Any] = open_mapping()
    """Data sets by names of your own: `+data@data.sources.NAME=pairs` adds one, `~data@data.sources.NAME` drops one. Batches,
    epochs and the largest max_length are those of the mixture."""
    weights: dict[str, float] = open_mapping()
    """How often each training pair of a source comes in an epoch; 1 where nothing is said, 0.5: half of the pairs."""


@dataclass
class PairsConfig(DataConfig):
    _target_: str = "paraphrase_lab.data.sources.Pairs"
    path: Optional[str] = None
    """One file, a directory with train.*, validation.*, test.*, one that save_to_disk or a download from the Hub left, or the
    name of a Hub data set."""
    subset: Optional[str] = None
    revision: Optional[str] = None
    train: Optional[str] = path_of()
    validation: Optional[str] = path_of()
    test: Optional[str] = path_of()
    sentence1: str = "sentence1"
    sentence2: str = "sentence2"
    label: str = "label"
    group: Optional[str] = None
    """A column with the kind, source or domain of a pair: results are also shown for each of them."""
    labels: dict[Any, Optional[int]] = open_mapping()
    """From the value in the file to 0 (other meaning), 1 (paraphrase) or null (pairs with it are left out); empty: the values
    are 0 and 1, or false and true."""
    positive_from: Optional[float] = None
    """Labels are scores, and from this one on a pair is a paraphrase; null: labels are classes."""
    score_range: Optional[list[float]] = None
    """The lowest and the highest score, with positive_from: another number is no score."""
    placeholders: list[str] = field(default_factory=list)
    """Texts that stand for a sentence that is missing: pairs with one are left out."""
    python_bytes: bool = False
    """Sentences are written as Python prints bytes, b'...'."""
    splits: dict[str, Any] = open_mapping()
    """From train, validation and test to the name of a file in the directory, without its ending, or of a split of the Hub; a
    list: the first that is there; null: without this split. What is not said has one of the usual names."""
    format: Optional[str] = chosen(None, "csv", "tsv", "jsonl", "json", "parquet", "arrow")
    """null: by the ending of a file (.gz, .bz2, .xz and .zst may follow), or by its content where the ending says nothing."""
    delimiter: Optional[str] = None
    """One character, or comma, semicolon, tab or pipe; null: a comma, and a tab in tsv."""
    quoting: str = chosen("auto", "auto", "none", "standard", "backslash", "single")
    """Cells in quotes: none, standard ("a ""b"" c"), backslash ("a \\"b\\" c") or single ('a'); auto: none in tsv, standard in
    csv, and a file that is written in another way is refused."""
    encoding: str = "utf-8"
    columns: list[str] = field(default_factory=list)
    """Names of the columns of a file without a header."""
