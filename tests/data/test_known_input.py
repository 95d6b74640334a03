"""What a training has had, and which pairs go beyond it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from paraphrase_lab.data import known_input
from paraphrase_lab.data.beyond_training import FlagCounts, beyond_training, unknown_token
from paraphrase_lab.data.encoding import EncodedPairs
from paraphrase_lab.data.known_input import FILE_NAME, KnownInput, words_of

SENTENCES = ("Ann follows Bob.", "Bob's 2 DOGS sleep!")
KNOWN = KnownInput.of(SENTENCES, 12, with_words=True)


def encoded(full: list[int], kept: list[int] | None = None, tokens: list[int] | None = None) -> EncodedPairs:
    offsets = np.concatenate([[0], np.cumsum(kept or full)])
    ids = np.array(tokens if tokens is not None else [7] * int(offsets[-1]), dtype=np.int32)
    return EncodedPairs(ids, None, offsets, np.array(full, dtype=np.int32))


def tokenizer_with(**special: str) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel({"?": 0, "a": 1}, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    return PreTrainedTokenizerFast(tokenizer_object=backend, **special)


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("Ann's  dogs, DON’T!", ["ann", "s", "dogs", "don", "t"]),
        ("Straße Ｆｕｌｌ ﬁne 12.5", ["strasse", "full", "fine", "12", "5"]),
        ("猫が好き cats", ["猫", "が", "好", "き", "cats"]),  # no spaces between words: letter by letter
        ("?! …", []),
    ],
)
def test_words(sentence: str, words: list[str]) -> None:
    assert words_of(sentence) == words


@pytest.mark.parametrize(
    ("pair", "tokens", "text"),
    [
        (("ann FOLLOWS bob", "bob's dogs"), 12, ""),
        (("Ann likes Bob", "Bob likes Ann"), 12, "new words: likes"),
        (("a b c d", "e f g"), 9, "new words: a, b, c, d, e, and 2 more"),
        (("Bob", "Боб"), 9, "new words: боб; new script: Cyrillic"),
        (("Ann", "Bob"), 13, "longer: 13 tokens"),
        (("é ann", "β"), 13, "new words: é, β; new script: Greek; longer: 13 tokens"),
    ],
)
def test_what_is_beyond_the_training(pair: tuple[str, str], tokens: int, text: str) -> None:
    assert beyond_training([pair], encoded([tokens]), KNOWN, tokenizer_with()) == [text]


def test_words_are_not_claimed_of_an_encoder_that_brings_its_own() -> None:
    known = KnownInput.of(SENTENCES, 12, with_words=False)
    pairs = [("quagga", "zebra"), ("зебра", "zebra"), ("quagga", "zebra")]
    assert beyond_training(pairs, encoded([9, 9, 20]), known, tokenizer_with()) == [
        "",
        "new script: Cyrillic",
        "longer: 20 tokens",
    ]


def test_a_run_without_a_record_says_what_it_knows() -> None:
    pairs = [("quagga", "зебра"), ("x", "y"), ("z", "w")]
    given = encoded([9, 3, 3], [4, 3, 3], tokens=[1, 5, 5, 2, 1, 0, 0, 1, 3, 2])
    assert beyond_training(pairs, given, None, tokenizer_with(unk_token="?")) == [
        "truncated: 9 tokens",
        "unknown tokens: 2",
        "",
    ]


@pytest.mark.parametrize(
    ("special", "number"), [({"unk_token": "?"}, 0), ({"unk_token": "?", "eos_token": "?"}, None), ({}, None)]
)
def test_the_token_of_what_a_tokenizer_does_not_know(special: dict[str, str], number: int | None) -> None:
    assert unknown_token(tokenizer_with(**special)) == number


def test_a_script_that_is_a_speck_in_the_training_is_new() -> None:
    known = KnownInput.of(["a" * 5_000, "я"], 9, with_words=False)
    assert known.new_scripts(("ж", "z")) == ["Cyrillic"]
    assert KnownInput.of(["a" * 500, "я"], 9, with_words=False).new_scripts(("ж", "z")) == []


def test_it_survives_being_written(tmp_path: Path) -> None:
    KNOWN.write(tmp_path)
    again = KnownInput.read(tmp_path)
    assert again is not None and again.longest_pair == 12 and again.scripts == KNOWN.scripts
    assert again.new_words(("Ann quagga", "sleep")) == ["quagga"]
    text = (tmp_path / FILE_NAME).read_text()
    assert json.loads(text)["words"] == 7 and "follows" not in text  # hashes, not the words


@pytest.mark.parametrize("content", [None, "{", "{}", '{"longest_pair_tokens": 3, "letters": 4, "word_hashes": "!"}', "[]"])
def test_a_record_that_is_missing_or_damaged(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_text(content)
    assert KnownInput.read(tmp_path) is None


def test_too_many_words_are_not_recorded_and_none_is_called_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_input, "WORDS_AT_MOST", 6)
    known = KnownInput.of(SENTENCES, 12, with_words=True)
    assert known.word_hashes is None and known.new_words(("quagga", "zebra")) == []


def test_a_second_training_knows_the_words_of_the_first() -> None:
    second = KnownInput.of(["Cats chase mice"], 5, with_words=True)
    both = second.after(KNOWN)
    assert both.new_words(("Ann chase", "quagga")) == ["quagga"] and both.longest_pair == 12
    assert second.after(KnownInput.of(SENTENCES, 3, with_words=False)).word_hashes is None


def test_one_line_about_many_pairs() -> None:
    counts = FlagCounts()
    counts.add(["", "new words: stock, market, a, b, c, and 3 more; longer: 93 tokens", None, "new words: market"])
    assert counts.line() == (
        "2 of 3 pairs go beyond the training, and their answers are guesses: 2 with words that it never had "
        "(market, stock, a, b, c); 1 longer than each of its pairs"
    )
    counts.add(["truncated: 300 tokens"])
    assert counts.line().endswith("; 1 longer than each of its pairs; 1 longer than the model takes and truncated")
    fine = FlagCounts()
    fine.add(["", ""])
    assert fine.line() == ""
