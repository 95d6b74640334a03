"""The words, scripts and lengths that a training has had, and pairs that go beyond them: a model's answer to these is a guess.

A word is a run of letters and digits after NFKC and case folding; of scripts that put no spaces between words, a letter.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Self
from unicodedata import category, name, normalize

import numpy as np

from paraphrase_lab.files import write_json

FILE_NAME = "training_input.json"
"""Lies beside the weights of an exported model."""
WORDS_AT_MOST = 500_000
"""Distinct words on record; of a training with more none are, and none are called new."""
LEAST_SHARE = 0.001
"""Share of the training's letters from which a script counts as known."""
WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
WORD = re.compile(r"\w+")


def words_of(sentence: str) -> list[str]:
    """Return the words of a sentence in its order."""
    found: list[str] = []
    for word in WORD.findall(normalize("NFKC", sentence).casefold()):
        if word.isascii() or not any(script_of(sign) in WITHOUT_SPACES for sign in word):
            found.append(word)
        else:
            found.extend(sign for sign in word if script_of(sign) is not None)
    return found


@lru_cache(maxsize=100_000)
def script_of(sign: str) -> str | None:
    """Return the script of a letter as Unicode names it, such as LATIN or CYRILLIC; None for what is no letter."""
    if category(sign)[0] != "L" or category(sign) == "Lm":
        return None
    return name(sign, "").partition(" ")[0] or None


def letters_by_script(sentences: Iterable[str]) -> Counter[str]:
    signs: Counter[str] = Counter()
    for sentence in sentences:
        signs.update(normalize("NFKC", sentence))
    scripts: Counter[str] = Counter()
    for sign, count in signs.items():
        if (script := script_of(sign)) is not None:
            scripts[script] += count
    return scripts


@lru_cache(maxsize=100_000)
def word_hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest())


@dataclass(frozen=True, eq=False)
class KnownInput:
    """The input that a training has had."""

    longest_pair: int
    """Tokens, special ones included, before truncation."""
    scripts: Counter[str]
    """Letters of each script."""
    word_hashes: np.ndarray | None
    """uint32, ascending; None: not on record, since the tokenizer and its vocabulary come from elsewhere, or of too many."""

    @classmethod
    def of(cls, sentences: Sequence[str], longest_pair: int, *, with_words: bool) -> Self:
        """Return what the sentences of a training hold."""
        words = {word for sentence in sentences for word in words_of(sentence)} if with_words else None
        return cls(longest_pair, letters_by_script(sentences), _sorted_hashes(words) if words is not None else None)

    def after(self, earlier: Self) -> Self:
        """Return what both trainings have had: this one started from the weights of the earlier one."""
        parts = [one.word_hashes for one in (self, earlier) if one.word_hashes is not None]
        hashes = np.union1d(*parts) if len(parts) == 2 else None
        return type(self)(max(self.longest_pair, earlier.longest_pair), self.scripts + earlier.scripts, hashes)

    def write(self, directory: Path) -> None:
        hashes = None if self.word_hashes is None else self.word_hashes.astype("<u4")
        write_json(directory / FILE_NAME, {
            "format": 1, "longest_pair_tokens": self.longest_pair, "letters": dict(self.scripts.most_common()),
            "words": None if hashes is None else len(hashes),
            "word_hashes": None if hashes is None else base64.b64encode(hashes.tobytes()).decode("ascii"),
        })  # fmt: skip

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """Return the record beside an exported model; None where an earlier release has written none, or it is damaged."""
        try:
            values = json.loads((directory / FILE_NAME).read_text(encoding="utf-8"))
            given = values["word_hashes"]
            hashes = None if given is None else np.frombuffer(base64.b64decode(given), dtype="<u4").astype(np.uint32)
            return cls(int(values["longest_pair_tokens"]), Counter(values["letters"]), hashes)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def new_words(self, pair: Sequence[str]) -> list[str]:
        """Return the words of a pair that the training never had, each once; none where words are not on record."""
        if self.word_hashes is None:
            return []
        words = dict.fromkeys(word for sentence in pair for word in words_of(sentence))
        return [word for word in words if word_hash(word) not in self._hashes]

    def new_scripts(self, pair: Sequence[str]) -> list[str]:
        """Return the scripts of a pair that (almost) no letter of the training was in, as in Cyrillic."""
        signs = dict.fromkeys(normalize("NFKC", " ".join(pair)))
        scripts = dict.fromkeys(script for sign in signs if (script := script_of(sign)) is not None)
        return [script.capitalize() for script in scripts if self.scripts[script] < self._least_letters]

    @cached_property
    def _hashes(self) -> frozenset[int]:
        return frozenset(() if self.word_hashes is None else self.word_hashes.tolist())

    @cached_property
    def _least_letters(self) -> float:
        return max(1, LEAST_SHARE * self.scripts.total())


def _sorted_hashes(words: set[str]) -> np.ndarray | None:
    if len(words) > WORDS_AT_MOST:
        return None
    return np.unique(np.fromiter((word_hash(word) for word in words), dtype=np.uint32, count=len(words)))
