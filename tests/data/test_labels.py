"""Labels as files write them, and what the message says to type where none fits."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from paraphrase_lab.data.labels import ZERO_ONE, is_hidden, label_hint, label_mapping, meaning
from paraphrase_lab.data.sources import Pairs
from paraphrase_lab.data.tables import load_tables
from paraphrase_lab.errors import BadRowsError, UserError


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        *((label, 1) for label in (1, 1.0, "1", "1.0", " 1 ", "1.", True, "TRUE", "True", "true")),
        *((label, 0) for label in (0, 0.0, "0.0", "-0.0", False, "FALSE", "false")),
        *((label, None) for label in (2, -1, 0.5, "0.5", "", None, "yes", "nan", float("nan"), float("inf"), [1])),
    ],
    ids=repr,
)
def test_the_meaning_of_a_label_without_a_mapping(label: Any, expected: int | None) -> None:
    assert meaning(label, ZERO_ONE) == expected


def test_a_mapping_is_read_as_yaml_and_files_write_it() -> None:
    labels = label_mapping({True: 1, False: 0})  # `yes: 1` in a YAML file
    assert [meaning(label, labels) for label in ("yes", "no", "True", "FALSE", 1, 0)] == [1, 0, 1, 0, None, None]
    assert meaning("Yes ", label_mapping({"yes": 1, "no": 0})) == 1
    assert meaning("A", label_mapping({"A": 1, "a": 0})) == 1
    assert meaning(4.0, label_mapping({4: 1, 1: 0})) == 1


TYPED = {
    "known words": ({"no": 60, "yes": 40}, {"no": 0, "yes": 1}),
    "blanks": ({"paraphrase": 2, "not a paraphrase": 1}, {"not a paraphrase": 0, "paraphrase": 1}),
    "underscores": ({"not_duplicate": 2, "duplicate": 1}, {"not_duplicate": 0, "duplicate": 1}),
    "NLI": ({"neutral": 3, "entailment": 2, "contradiction": 1}, {"neutral": 0, "contradiction": 0, "entailment": 1}),
    "NLI as numbers": ({"0": 3, "1": 3, "2": 3}, {"0": 1, "1": 0, "2": 0}),
    "RTE": ({"entailment": 3, "not_entailment": 3}, {"not_entailment": 0, "entailment": 1}),
    "of a perceptron": ({"-1": 3, "1": 3}, {"-1": 0, "1": 1}),
    "two numbers": ({"1": 3, "2": 3}, {"2": 0, "1": 1}),
    "unknown words": ({"B": 3, "A": 3}, {"A": 0, "B": 1}),
    "other signs": ({"yes, sure": 3, "l'autre (être)": 1, "是": 1}, {"l'autre (être)": 0, "yes, sure": 0, "是": 1}),
    "signs of a shell": ({"$HOME": 3, "`x` {a: b}": 3}, {"$HOME": 0, "`x` {a: b}": 1}),
}


@pytest.mark.parametrize(("found", "mapping"), TYPED.values(), ids=TYPED)
def test_the_mapping_of_the_message_can_be_pasted_into_a_shell(found: dict[str, int], mapping: dict[str, int]) -> None:
    said, typed = label_hint(Counter(found), ZERO_ONE).split("\n")
    assert ("' or 'data.labels=" in typed) == (list(mapping) in ([*"AB"], [*"21"], ["$HOME", "`x` {a: b}"])), (
        "nothing tells which"
    )
    assert all(f"{value!r} ({count})" in said for value, count in found.items())
    word = shlex.split(typed)[0]
    given = OverridesParser.create().parse_override(word).value()
    assert isinstance(given, dict)
    labels = label_mapping(given)
    assert {value: meaning(value, labels) for value in found} == mapping


def test_the_message_where_no_mapping_would_help() -> None:
    assert label_hint(Counter({"": 3, "-1": 2}), ZERO_ONE) == "labels found: '' (3), '-1' (2): there are none to train on"
    said = "They look like scores: 'data.score_range={}' data.positive_from=NUMBER makes paraphrases of those from NUMBER on, "
    for few, scale in (
        ({"0.0": 1, "1.0": 1, "2.0": 2, "5.0": 3}, "[0,5]"),
        ({"0": 5, "0.5": 5, "1": 5}, "[0,1]"),
        ({"-0.5": 5, "0.5": 5, "1": 5}, "[-0.5,1]"),
        ({"250": 5, "7,5": 5}, "[0,250]"),
    ):
        assert said.format(scale) in label_hint(Counter(few), ZERO_ONE)
    scores = Counter({f"{number / 7:.3f}": 1 for number in range(40)})
    assert f"and 28 others. {said.format('[0,10]')}" in label_hint(scores, ZERO_ONE)
    words = Counter({f"word{number}": 1 for number in range(40)})
    assert label_hint(words, ZERO_ONE).endswith("scores: make labels of them, 0 (other meaning) and 1 (paraphrase)")
    assert label_hint(Counter({"0": 3, "1": 3, "-1": 1}), ZERO_ONE) == "labels found: '0' (3), '1' (3), '-1' (1)"


def test_hidden_labels() -> None:
    assert all(is_hidden({label: 9}, ZERO_ONE) for label in ("-1", "-1.0", "", "None", "nan", "?"))
    assert not is_hidden({"-1": 9, "1": 1}, ZERO_ONE) and not is_hidden({"0": 3}, ZERO_ONE) and not is_hidden({}, ZERO_ONE)
    assert not is_hidden({"-1": 9}, {"-1": 0, "1": 1}), "the user gave it a meaning"


def pairs_file(path: Path, labels: list[Any]) -> Path:
    rows = [{"sentence1": f"a {i} {path.stem}", "sentence2": f"b {i} {path.stem}"} for i in range(len(labels))]
    rows = [row if label is ... else {**row, "label": label} for row, label in zip(rows, labels, strict=True)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_mixed_json_types_are_labels(tmp_path: Path) -> None:
    path = pairs_file(tmp_path / "a.jsonl", [True, False, 1, 0, "1", "0", 1.0, 0.0, "true", "FALSE"] * 3)
    assert sum(map(len, load_tables(Pairs(str(path))).splits.values())) == 30


@pytest.mark.parametrize("on_bad_rows", ["error", "skip"])
def test_labels_that_do_not_fit_are_refused_whatever_becomes_of_bad_rows(tmp_path: Path, on_bad_rows: str) -> None:
    path = pairs_file(tmp_path / "a.jsonl", ["no", "yes"] * 30)
    with pytest.raises(BadRowsError) as caught:
        load_tables(Pairs(str(path)), on_bad_rows=on_bad_rows)
    assert "and 57 more" in caught.value.problem
    assert caught.value.hint == (
        "labels found: 'no' (30), 'yes' (30)\n'data.labels={no:0,yes:1}' fits: 0 is other meaning, 1 is paraphrase"
    )
    with pytest.raises(BadRowsError, match=r"'data\.labels=\{0:1,1:0,2:0\}' fits where 0, 1, 2 are entailment, neutral,"):
        load_tables(Pairs(str(pairs_file(path, [0, 1, 2] * 9))), on_bad_rows=on_bad_rows)
    with pytest.raises(BadRowsError, match=r"labels found: '' \(9\): there are none to train on"):
        load_tables(Pairs(str(pairs_file(path, [""] * 9))), on_bad_rows=on_bad_rows)


@pytest.mark.parametrize("hidden", [-1, "", None, ...], ids=["-1", "empty", "null", "no column"])
def test_a_test_split_with_hidden_labels_is_left_out(tmp_path: Path, hidden: Any) -> None:
    pairs_file(tmp_path / "train.jsonl", [0, 1] * 20)
    pairs_file(tmp_path / "test.jsonl", [hidden] * 8)
    tables = load_tables(Pairs(str(tmp_path)))
    assert list(tables.splits) == ["train", "validation"] and tables.bad_rows == []
    assert tables.notes[0].startswith("all 8 labels of test are ")
    assert tables.notes[0].endswith(": training leaves it out, `paraphrase predict` scores it")


def test_pairs_of_one_label_are_refused(tmp_path: Path) -> None:
    path = pairs_file(tmp_path / "a.jsonl", [1] * 30)
    with pytest.raises(
        UserError, match=r"^all 24 pairs of train have the label 1 \(paraphrase\): there is nothing to tell apart"
    ):
        load_tables(Pairs(str(path)))


def test_both_sentences_from_one_column_are_refused() -> None:
    with pytest.raises(UserError, match="the column 'a' is named twice by data.sentence1, data.sentence2 and data.label"):
        Pairs("x.csv", sentence1="a", sentence2="a")


def named_labels(path: Path, names: list[str], labels: list[int]) -> Path:
    """A parquet file as `datasets` writes it, with the names of its labels."""
    features = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    texts = {name: [f"{name} {number}".encode() for number in range(len(labels))] for name in ("sentence1", "sentence2")}
    table = pa.table({**texts, "label": labels})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), path)
    return path


def test_names_that_are_stored_with_the_numbers_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    labels = [0, 1, 1, 0]
    for names in (["0", "1"], ["not_equivalent", "equivalent"], ["a", "b"]):
        table = load_tables(Pairs(test=str(named_labels(path, names, labels)))).splits["test"]
        assert table.labels.tolist() == labels and table.sentence1[0] == "sentence1 0", "bytes are texts"
    named_labels(path, ["entailment", "not_entailment"], labels)
    with pytest.raises(
        UserError, match=r"the label 0 is named 'entailment' and 1 .*\n'data\.labels=\{not_entailment:0,entailment:1\}'"
    ):
        load_tables(Pairs(test=str(path)))
    given = {"entailment": 1, "not_entailment": 0}
    assert load_tables(Pairs(test=str(path), labels=given)).splits["test"].labels.tolist() == [1, 0, 0, 1]
    named_labels(path, ["entailment", "neutral", "contradiction"], [0, 1, 2, 0])
    with pytest.raises(BadRowsError, match="fits: of the three labels only entailment counts as paraphrase"):
        load_tables(Pairs(test=str(path)))


def test_whole_floats_of_parquet(tmp_path: Path) -> None:
    texts = {name: [f"{name} {number}" for number in range(4)] for name in ("sentence1", "sentence2")}
    pq.write_table(pa.table({**texts, "label": [0.0, 1.0, 1.0, 0.0]}), tmp_path / "a.parquet")
    assert load_tables(Pairs(test=str(tmp_path / "a.parquet"))).splits["test"].labels.tolist() == [0, 1, 1, 0]
