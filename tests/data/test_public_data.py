"""Public data sets from small copies of the layouts in which they are distributed: read as they are meant, and trained on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from checking import check
from commands import ROOT, TINY, paraphrase, record
from paraphrase_lab.check.training import data_source
from paraphrase_lab.data.tables import load_tables

ROWS = {"train": 120, "validation": 20, "test": 20}


def sentences(split: str, number: int) -> tuple[str, str]:
    """A pair that no other split has, with quotes as tsv files have them."""
    return f'"{split} {number}" said the man to Ann', f"Ann was told {number} by the man of {split}"


def rows(split: str, first: str, second: str, **cells: Callable[[int], Any]) -> list[dict[str, Any]]:
    """Rows with two columns of sentences and the given ones beside them."""
    return [
        {first: one, second: other, **{name: cell(number) for name, cell in cells.items()}}
        for number in range(ROWS[split])
        for one, other in [sentences(split, number)]
    ]


def tsv(path: Path, table: list[dict[str, Any]], *broken: str, mark: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(table[0]), *("\t".join(map(str, row.values())) for row in table), *broken]
    path.write_text(mark + "\r\n".join(lines) + "\r\n", encoding="utf-8")


def parquet(folder: Path, tables: dict[str, list[dict[str, Any]]], names: list[str] | None = None) -> None:
    """Files as the Hub has them, with the names of the labels."""
    folder.mkdir(parents=True)
    for split, table in tables.items():
        columns = pa.Table.from_pylist(table)
        if names:
            features = {"label": {"names": names, "_type": "ClassLabel"}}
            columns = columns.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        pq.write_table(columns, folder / f"{split}-00000-of-00001.parquet")


def half(number: int) -> int:
    return number % 2


def hidden(number: int) -> int:
    return -1


def paws_qqp(folder: Path) -> None:
    for split, name in (("train", "train"), ("test", "dev_and_test")):
        table = rows(split, "sentence1", "sentence2", label=half)
        printed = [
            {"id": number, **row, "sentence1": str(row["sentence1"].encode()), "sentence2": str(row["sentence2"].encode())}
            for number, row in enumerate(table)
        ]
        tsv(folder / f"{name}.tsv", printed)


def paws_x(folder: Path) -> None:
    for split, name in (("train", "translated_train"), ("validation", "dev_2k"), ("test", "test_2k")):
        table = [{"id": number, **row} for number, row in enumerate(rows(split, "sentence1", "sentence2", label=half))]
        tsv(folder / "de" / f"{name}.tsv", table, *(["9\tNS\tNS\t0", "10\tein Satz\tNS\t1"] if split != "train" else []))


def paws_x_parquet(folder: Path) -> None:
    parquet(folder / "de", {split: rows(split, "sentence1", "sentence2", label=half) for split in ROWS}, ["0", "1"])


def mrpc(folder: Path) -> None:
    tables = {split: rows(split, "sentence1", "sentence2", label=half, idx=int) for split in ROWS}
    parquet(folder / "mrpc", tables, ["not_equivalent", "equivalent"])


def msr(folder: Path) -> None:
    for split in ("train", "test"):
        table = [
            {"Quality": number % 2, "#1 ID": number, "#2 ID": number + 1, "#1 String": one, "#2 String": other}
            for number in range(ROWS[split])
            for one, other in [sentences(split, number)]
        ]
        tsv(folder / f"msr_paraphrase_{split}.txt", table, mark="\ufeff")


def qqp(folder: Path) -> None:
    tables = {
        split: rows(split, "question1", "question2", label=hidden if split == "test" else half, idx=int) for split in ROWS
    }
    parquet(folder / "qqp", tables, ["not_duplicate", "duplicate"])


def qqp_tsv(folder: Path) -> None:
    for split, name in (("train", "train"), ("validation", "dev")):
        table = [
            {"id": number, "qid1": 1, "qid2": 2, **row}
            for number, row in enumerate(rows(split, "question1", "question2", is_duplicate=half))
        ]
        tsv(folder / f"{name}.tsv", table, *(["7\t1\t2\tHow is that"] if split == "train" else []))
    tsv(folder / "test.tsv", [{"id": 0, **row} for row in rows("test", "question1", "question2")])


def stsb(folder: Path) -> None:
    tables = {
        split: rows(split, "sentence1", "sentence2", score=lambda number: [0.0, 0.8, 0.79, 1.0][number % 4]) for split in ROWS
    }
    parquet(folder / "data", tables)


def stsb_tsv(folder: Path) -> None:
    for split, name in (("train", "train"), ("validation", "dev"), ("test", "test")):
        scores = {} if split == "test" else {"score": lambda number: ["0.000", "4.000", "3.999", "5.000"][number % 4]}
        tsv(
            folder / f"{name}.tsv",
            [{"index": 0, "genre": "news", **row} for row in rows(split, "sentence1", "sentence2", **scores)],
        )


NLI = ["neutral", "entailment", "contradiction", "entailment"]


def mnli(folder: Path) -> None:
    names = ["entailment", "neutral", "contradiction"]
    splits = {"train": "train", "validation": "validation_matched", "test": "validation_mismatched"}
    tables = {
        name: rows(split, "premise", "hypothesis", label=lambda number: names.index(NLI[number % 4]), promptID=int)
        for split, name in splits.items()
    }
    parquet(folder / "data", tables, names)


def multinli(folder: Path) -> None:
    splits = {"train": "train", "validation": "dev_matched", "test": "dev_mismatched"}
    for split, name in splits.items():
        table = rows(split, "sentence1", "sentence2", gold_label=lambda number: NLI[number % 4])
        extra = [{**row, "gold_label": "-"} for row in table[:3]] if split != "train" else []
        (folder / f"multinli_1.0_{name}.jsonl").write_text("\n".join(map(json.dumps, [*table, *extra])), encoding="utf-8")
        tsv(folder / f"multinli_1.0_{name}.txt", table)  # the download has both


def mnli_glue(folder: Path) -> None:
    for split, name in (("train", "train"), ("validation", "dev_matched"), ("test", "dev_mismatched")):
        tsv(
            folder / f"{name}.tsv", rows(split, "sentence1", "sentence2", label1=int, gold_label=lambda number: NLI[number % 4])
        )


class Layout(NamedTuple):
    data: str
    """The option, with overrides behind it."""
    write: Callable[[Path], None]
    splits: tuple[int, ...]
    """The sizes of train, validation and test; a missing one is left out."""
    notes: tuple[str, ...] = ()
    bad_rows: int = 0


HIDDEN = "all 20 labels of test are {}: training leaves it out, `paraphrase predict` scores it"
NS = tuple(f"2 pairs of {split} left out: a sentence is 'NS'" for split in ("validation", "test"))
NO_MAJORITY = tuple(f"3 pairs of {split} left out: their label is '-'" for split in ("validation", "test"))
LAYOUTS = [
    Layout("paws_qqp", paws_qqp, (108, 12, 20)),
    Layout("paws_x data.subset=de", paws_x, (120, 20, 20), NS),
    Layout("paws_x data.subset=de", paws_x_parquet, (120, 20, 20)),
    Layout("mrpc", mrpc, (120, 20, 20)),
    Layout("mrpc_tsv", msr, (108, 12, 20)),
    Layout("qqp", qqp, (120, 20), (HIDDEN.format("hidden ('-1')"),)),
    Layout("qqp_tsv", qqp_tsv, (120, 20), (HIDDEN.format("missing"),), bad_rows=1),
    Layout("stsb", stsb, (120, 20, 20)),
    Layout("stsb_tsv", stsb_tsv, (120, 20), (HIDDEN.format("missing"),)),
    Layout("mnli", mnli, (120, 20, 20)),
    Layout("mnli_tsv", multinli, (120, 20, 20), NO_MAJORITY),
    Layout("mnli_tsv", mnli_glue, (120, 20, 20)),
]


def names(layout: Layout) -> str:
    return layout.write.__name__


def test_every_public_data_set_has_a_layout() -> None:
    files = {file.stem for file in (ROOT / "conf" / "data").glob("*.yaml") if "/schema/data/pairs@" in file.read_text("utf-8")}
    assert files - {"pairs"} == {layout.data.partition(" ")[0] for layout in LAYOUTS}


@pytest.fixture(params=LAYOUTS, ids=names)
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Layout]:
    request.param.write(tmp_path)
    yield request.param


def test_a_layout_is_read_as_it_is_meant(layout: Layout, tmp_path: Path) -> None:
    data: Any = OmegaConf.to_container(
        check(*f"data={layout.data} data.path={tmp_path}".split()).jobs[0].config.data, resolve=True
    )
    tables = load_tables(data_source({"data": data}), on_bad_rows=data["on_bad_rows"])
    assert tuple(map(len, tables.splits.values())) == layout.splits and len(tables.bad_rows) == layout.bad_rows
    assert set(layout.notes) == {note for note in tables.notes if "left out" in note or "leaves it out" in note}
    for split, table in tables.splits.items():
        for first, second, label in zip(table.sentence1, table.sentence2, table.labels, strict=True):
            number = int(second.split()[3])
            origin = "train" if split == "validation" and layout.splits[0] < 120 else split
            assert (first, second) == sentences(origin, number) and label == number % 2


@pytest.mark.slow
def test_twenty_steps_on_a_layout(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    words = [word for word in TINY if not word.startswith("trainer.max_steps")]
    assert paraphrase(
        "train", *f"data={layout.data} data.path={tmp_path} hydra.run.dir={tmp_path}/runs/one trainer.max_steps=20".split(),
        *words, "trainer.max_epochs=10", "logger=none",
    ) == 0  # fmt: skip
    assert record(tmp_path / "runs" / "one")["status"] == "finished"
