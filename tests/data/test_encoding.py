from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import ByT5Tokenizer, DataCollatorWithPadding

from encoders import FAMILIES, SENTENCES, tokenizer_of
from generated_pairs import generate
from paraphrase_lab.data import encoding
from paraphrase_lab.data.collate import PaddingCollator, PairDataset
from paraphrase_lab.data.encoding import EncodedPairs, encode, refuse_truncation, tokenizer_fingerprint
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.errors import UserError
from paraphrase_lab.model.tokenizer import train_tokenizer


def table_of(pairs: list[tuple[str, str]]) -> PairTable:
    first, second = map(list, zip(*pairs, strict=True))
    return PairTable([str(i) for i in range(len(pairs))], first, second, np.arange(len(pairs)) % 2)


TABLE = table_of([("Ann saw Bob", "Bob was seen by Ann"), ("héllo Wörld 👋", "x"), ("word " * 60, "other"), ("a b", "c " * 50)])


def same(one: EncodedPairs, other: EncodedPairs) -> bool:
    if (one.segments is None) != (other.segments is None):
        return False
    arrays = ((vars(one)[name], vars(other)[name]) for name in vars(one) if vars(one)[name] is not None)
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in arrays)


@pytest.mark.parametrize("max_length", [24, 512])
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("family", [*FAMILIES, "tiny", "byt5"])
def test_pairs_are_encoded_as_the_tokenizer_does(
    family: str, swapped: bool, max_length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "CHUNK_PAIRS", 3)
    tokenizer: Any = {"tiny": lambda: train_tokenizer(SENTENCES, 500), "byt5": ByT5Tokenizer}.get(
        family, lambda: tokenizer_of(family)
    )()
    encoded = encode(TABLE, tokenizer, max_length, swapped=swapped)
    assert len(encoded) == 4
    for index, (first, second) in enumerate(zip(TABLE.sentence1, TABLE.sentence2, strict=True)):
        pair = (second, first) if swapped else (first, second)
        expected = tokenizer(*pair, truncation="longest_first", max_length=max_length)
        tokens, segments = encoded.row(index)
        assert tokens.tolist() == expected["input_ids"] and len(tokens) <= max_length
        assert (segments is not None) == (family in ("bert", "deberta-v2")) == ("token_type_ids" in expected)
        if segments is not None:
            assert segments.tolist() == expected["token_type_ids"] and {0, 1} == set(segments.tolist())
        assert encoded.full_lengths[index] == len(tokenizer(*pair, verbose=False)["input_ids"])
    assert encoded.truncated == sum(length > max_length for length in encoded.full_lengths)
    assert encoded.lengths.sum() == len(encoded.tokens)


def test_each_pair_may_have_a_max_length_of_its_own(tmp_path: Path) -> None:
    tokenizer, limits = tokenizer_of("bert"), np.array([512, 512, 24, 30])
    encoded = encode(TABLE, tokenizer, limits, cache=tmp_path)
    for index, limit in enumerate(limits.tolist()):
        expected = tokenizer(TABLE.sentence1[index], TABLE.sentence2[index], truncation="longest_first", max_length=limit)
        assert encoded.row(index)[0].tolist() == expected["input_ids"]
    assert encoded.lengths[2:].tolist() == [24, 30]
    assert encode(TABLE, tokenizer, np.array([512, 512, 24, 24]), cache=tmp_path).lengths[3] == 24  # not that of the cache


def test_truncation_is_counted_reported_or_refused() -> None:
    tokenizer = tokenizer_of("bert")
    pairs = {"train": encode(TABLE, tokenizer, 24), "test": encode(table_of([("a", "b")]), tokenizer, 24)}
    longest = len(tokenizer(TABLE.sentence1[2], TABLE.sentence2[2])["input_ids"])
    assert pairs["train"].lengths.max() == 24 and pairs["train"].truncated == 2
    assert refuse_truncation(pairs, "data.max_length=24 tokens", "warn") == [
        f"train: 2 of 4 pairs (50.0%) are longer than data.max_length=24 tokens (the longest has {longest}) and were truncated"
    ]
    refusal = r"^train: 2 of 4 pairs \(50\.0%\) .*\ndata\.max_length=… takes more; data\.on_truncation=warn accepts it$"
    with pytest.raises(UserError, match=refusal):
        refuse_truncation(pairs, "data.max_length=24 tokens", "error")
    assert refuse_truncation({"test": pairs["test"]}, "data.max_length=24 tokens", "error") == []
    with pytest.raises(UserError, match=r"data\.sources\.NAME\.max_length=… takes more"):
        refuse_truncation(pairs, "the max_length of their sources", "error", "data.sources.NAME.max_length")


def test_what_is_cached_comes_back_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tokenizer in (tokenizer_of("bert"), tokenizer_of("roberta")):
        fresh = encode(TABLE, tokenizer, 24, cache=tmp_path)
        with monkeypatch.context() as patched:
            patched.setattr(encoding, "_encode", lambda *_: pytest.fail("not taken from the cache"))
            relabelled = replace(TABLE, ids=["other", "ids", "do", "not matter"])
            assert same(encode(relabelled, tokenizer, 24, cache=tmp_path), fresh)
        assert same(encode(TABLE, tokenizer, 24), fresh)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half a file", b"not a zip"])
def test_a_damaged_cache_file_is_written_anew(tmp_path: Path, damage: bytes) -> None:
    tokenizer = tokenizer_of("bert")
    fresh = encode(TABLE, tokenizer, 24, cache=tmp_path)
    (file,) = (tmp_path / "encoded").iterdir()
    file.write_bytes(damage)
    assert same(encode(TABLE, tokenizer, 24, cache=tmp_path), fresh)
    assert len(file.read_bytes()) > 100


def truncating_left(tokenizer: Any) -> Any:
    tokenizer.truncation_side = "left"
    return tokenizer


CHANGES: dict[str, tuple[PairTable, Any, int, bool]] = {
    "text": (table_of([("Ann saw Bob", "Bob was seen by Ann!"), *zip(TABLE.sentence1[1:], TABLE.sentence2[1:], strict=True)]),
             tokenizer_of("bert"), 24, False),
    "where the first sentence ends": (table_of([("Ann saw Bo", "bBob was seen by Ann"), ("héllo Wörld 👋", "x"),
                                                ("word " * 60, "other"), ("a b", "c " * 50)]), tokenizer_of("bert"), 24, False),
    "vocabulary": (TABLE, train_tokenizer(SENTENCES, 300), 24, False),
    "pair template": (TABLE, tokenizer_of("roberta"), 24, False),
    "segment ids": (TABLE, tokenizer_of("modernbert"), 24, False),
    "truncation side": (TABLE, truncating_left(tokenizer_of("bert")), 24, False),
    "max_length": (TABLE, tokenizer_of("bert"), 25, False),
    "order": (TABLE, tokenizer_of("bert"), 24, True),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_the_cache_tells_apart_what_is_encoded_differently(tmp_path: Path, change: str) -> None:
    encode(TABLE, tokenizer_of("bert"), 24, cache=tmp_path)
    table, tokenizer, max_length, swapped = CHANGES[change]
    cached = encode(table, tokenizer, max_length, swapped=swapped, cache=tmp_path)
    assert len(list((tmp_path / "encoded").iterdir())) == 2
    assert same(cached, encode(table, tokenizer, max_length, swapped=swapped))


def test_the_fingerprint_of_a_tokenizer_outlives_use_and_saving(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = tokenizer_of("bert")
    before = tokenizer_fingerprint(tokenizer)
    tokenizer(["a b c d e"], truncation=True, max_length=4, padding="max_length")
    tokenizer.save_pretrained(tmp_path)
    assert tokenizer_fingerprint(tokenizer) == before == tokenizer_fingerprint(AutoTokenizer.from_pretrained(tmp_path))
    slow, other = ByT5Tokenizer(), ByT5Tokenizer(eos_token="<end>")
    assert tokenizer_fingerprint(slow) == tokenizer_fingerprint(ByT5Tokenizer()) != tokenizer_fingerprint(other)


def test_concurrent_writers_leave_one_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = encode(TABLE, tokenizer_of("bert"), 24)
    barrier = threading.Barrier(8)
    write = np.savez

    def all_at_once(*arguments: Any, **arrays: Any) -> None:
        barrier.wait(20)
        write(*arguments, **arrays)

    monkeypatch.setattr(encoding.np, "savez", all_at_once)
    results: list[EncodedPairs] = []

    def job() -> None:
        results.append(encode(TABLE, tokenizer_of("bert"), 24, cache=tmp_path))

    threads = [threading.Thread(target=job) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8 and all(same(result, fresh) for result in results)
    assert [file.suffix for file in (tmp_path / "encoded").iterdir()] == [".npz"]
    assert same(encode(TABLE, tokenizer_of("bert"), 24, cache=tmp_path), fresh)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_batches_are_padded_as_transformers_does(family: str) -> None:
    tokenizer = tokenizer_of(family)
    dataset = PairDataset([encode(TABLE, tokenizer, 24)], TABLE.labels)
    batch = PaddingCollator(tokenizer)([dataset[3], dataset[0], dataset[1]])
    rows = [dict(tokenizer(TABLE.sentence1[i], TABLE.sentence2[i], truncation=True, max_length=24)) for i in (3, 0, 1)]
    expected = DataCollatorWithPadding(tokenizer)(rows)
    assert set(batch) == {*expected, "labels", "index"}
    assert all(batch[name].equal(expected[name]) and batch[name].dtype == expected[name].dtype for name in expected)
    assert batch["labels"].tolist() == [1, 0, 1] and batch["index"].tolist() == [3, 0, 1]
    assert (tokenizer.pad_token_id == 1) == (family == "roberta")


@pytest.mark.parametrize("together", [False, True])
def test_both_orders_of_a_pair(together: bool) -> None:
    tokenizer = tokenizer_of("bert")
    orders = [encode(TABLE, tokenizer, 64), encode(TABLE, tokenizer, 64, swapped=True)]
    dataset = PairDataset(orders, TABLE.labels, together=together)
    assert len(dataset) == len(dataset.lengths) == (4 if together else 8)
    if together:
        batch = PaddingCollator(tokenizer)([dataset[1], dataset[0]])
    else:
        batch = PaddingCollator(tokenizer)([dataset[i] for i in (1, 0, 5, 4)])
        assert batch["labels"].tolist() == [1, 0, 1, 0] and batch["index"].tolist() == [1, 0, 1, 0]
    pairs = [(TABLE.sentence1[i], TABLE.sentence2[i]) for i in (1, 0)]
    rows = [dict(tokenizer(*pair)) for pair in [*pairs, *((second, first) for first, second in pairs)]]
    assert batch["input_ids"].equal(DataCollatorWithPadding(tokenizer)(rows)["input_ids"])
    if together:
        assert batch["labels"].tolist() == [1, 0] and batch["index"].tolist() == [1, 0], "one label for both orders"
    for position, length in enumerate(dataset.lengths):
        assert length == max(len(tokens) for tokens, _ in dataset[position].encodings)


def trained() -> str:
    pairs = generate(3_000, 1, 1)["train"]
    return tokenizer_fingerprint(train_tokenizer((text for pair in pairs for text in (pair.sentence1, pair.sentence2)), 1_000))


@pytest.mark.slow
def test_a_trained_tokenizer_is_the_same_in_every_process() -> None:
    """Another order of hashes, and another number of threads."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    elsewhere = subprocess.run(
        [sys.executable, "-c", "from test_encoding import trained; print(trained())"],
        env={**os.environ, "PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": "3", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.strip() == trained()


def test_a_tokenizer_without_a_padding_token_is_refused() -> None:
    tokenizer = tokenizer_of("bert")
    tokenizer.pad_token = None
    with pytest.raises(UserError, match="PreTrainedTokenizerFast|TokenizersBackend") as caught:
        PaddingCollator(tokenizer)
    assert "has no padding token" in str(caught.value)


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "encoded").write_text("a file where the directory should be")
    table = PairTable(["1"], ["a b"], ["b a"], np.array([0]))
    encoded = encode(table, tokenizer_of("bert"), 32, cache=tmp_path)
    assert len(encoded) == 1 and "the encoded pairs were not cached" in caplog.text
