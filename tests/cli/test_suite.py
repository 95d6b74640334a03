"""`paraphrase evaluate RUN --suite`, and a training on a mixture with the checklist behind it."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from checking import built, problems, write
from commands import TINY, paraphrase, record
from paraphrase_lab.configuration.suite_files import overrides_of_sets, read_suite
from paraphrase_lab.errors import UserError

SMALL = ("train_pairs=400", "validation_pairs=100", "test_pairs=100")


def write_pairs(path: Path, count: int = 40, animal: str = "cat") -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        rows = [(f"the {i} {animal}", f"a {animal} {i}", i % 2, "cats" if i < count // 2 else "dogs") for i in range(count)]
        csv.writer(handle).writerows([("sentence1", "sentence2", "label", "topic"), *rows])
    return path


@pytest.fixture(scope="module")
def mixed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    pairs = write_pairs(folder / "pairs.csv", 200)
    sources = ["data@data.sources.paws=pairs", f"data.sources.paws.path={pairs}"]
    sizes = [f"data.sources.word_order.{size}" for size in SMALL]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARAPHRASE_CACHE_DIR", str(folder / "cache"))
        words = (*TINY, "data=mixture", *sources, *sizes, "data.weights.paws=2", "data.evaluation_limit=null")
        words = (*words, "data.sources.word_order.max_length=16")
        assert paraphrase("train", *words, "monitor=val_paws/accuracy", f"hydra.run.dir={folder / 'run'}") == 0
    return folder / "run"


def test_a_mixture_has_results_for_each_source(mixed_run: Path) -> None:
    made = record(mixed_run)
    assert made["best"]["monitor"] == "val_paws/accuracy"
    assert {name: one["pairs"] for name, one in made["groups"]["test"].items()} == {"paws": 20, "word_order": 100}
    assert made["data"]["train"]["pairs"] == 2 * 160 + 400
    names = ("test_paws/accuracy", "test_word_order/accuracy")
    shares = [made["metrics"][name] for name in names]
    assert shares == pytest.approx([made["groups"]["test"][name]["accuracy"] for name in ("paws", "word_order")])
    assert made["metrics"]["test/accuracy"] == pytest.approx((20 * shares[0] + 100 * shares[1]) / 120)
    assert made["baselines"]["test_paws"]["majority"]["accuracy"] >= 0.5
    of_sources = [made["baselines"][name]["bag_of_words"]["accuracy"] for name in ("test_paws", "test_word_order")]
    assert made["baselines"]["test"]["bag_of_words"]["accuracy"] == pytest.approx(
        (20 * of_sources[0] + 100 * of_sources[1]) / 120
    )
    rows = pq.read_table(mixed_run / "predictions.parquet", filters=[("split", "==", "test")])
    assert rows.column("group").to_pylist().count("paws") == 20
    header = (mixed_run / "metrics.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {"val_paws/f1", "val_word_order/nll"} <= set(header)
    assert "are longer than the max_length of their sources" in (mixed_run / "train.log").read_text(encoding="utf-8")


def test_a_source_of_a_mixture_is_compared_alone(mixed_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its name, or with a run that has no other pairs."""
    again, alone = shutil.copytree(mixed_run, tmp_path / "again"), tmp_path / "alone"
    assert paraphrase("compare", str(mixed_run), str(again), "--split", "test_paws") == 0
    assert "20 test_paws pairs" in capsys.readouterr().out
    assert paraphrase("compare", str(mixed_run), str(again), "--split", "test_pawz") == 2
    assert "has no predictions for test_pawz\nsplits it scored: validation, test, checklist" in capsys.readouterr().err
    pairs = mixed_run.parent / "pairs.csv"
    assert paraphrase("train", *TINY, "data=pairs", f"data.path={pairs}", f"hydra.run.dir={alone}") == 0
    capsys.readouterr()
    assert paraphrase("compare", str(alone), str(mixed_run)) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "20 test pairs" in shown
    assert f"Only a part of the test pairs is compared, which all runs have scored: of {mixed_run} (test_paws)." in shown


def test_the_checklist_is_scored_after_a_training(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = record(tiny_run)
    assert {half: one["pairs"] for half, one in made["checklist"].items()} == {"checklist_dev": 252, "checklist_test": 252}
    assert len(made["groups"]["checklist_test"]) == 21
    right = sum(one["accuracy"] * one["pairs"] for one in made["groups"]["checklist_test"].values())
    assert made["metrics"]["checklist_test/accuracy"] == pytest.approx(right / 252)
    assert (tiny_run / "plots" / "checklist_test.png").is_file()
    assert paraphrase("evaluate", str(tiny_run), "data=checklist") == 0
    shown = capsys.readouterr().out
    assert "role_swap" in shown
    assert f"floors of test, accuracy: counts {made['checklist']['checklist_test']['floor']:.4f}" in shown


def test_pairs_of_the_checklist_in_the_training_are_left_out_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from paraphrase_lab.data.checklist import checklist_table

    table, pairs = checklist_table("test"), write_pairs(tmp_path / "pairs.csv", 200)
    with pairs.open("a", newline="", encoding="utf-8") as handle:
        rows = zip(table.sentence2, table.sentence1, table.labels.tolist(), ["x"] * len(table), strict=True)
        csv.writer(handle).writerows([*list(rows)[:12], (table.sentence1[20], "a sentence of another text", "0", "x")])
    words = (*TINY, "data=pairs", f"data.train={pairs}", f"data.test={write_pairs(tmp_path / 'test.csv', animal='dog')}")
    assert paraphrase("train", *words, f"hydra.run.dir={tmp_path / 'run'}") == 0
    values = record(tmp_path / "run")["checklist"]["checklist_test"]
    assert values["pairs"] == 240 and (values["floor"] * 240).is_integer(), "of the pairs that are left"
    said = capsys.readouterr().out
    assert "hold 12 of the 252 pairs of the checklist's checklist_test half" in said
    assert "checklist_test: 2 of 240 pairs share a sentence with training pairs" in said
    assert (
        f"floors of checklist_test, accuracy: chance 0.5000, counts {values['floor']:.4f} (learned from the other half)" in said
    )


def test_a_suite_is_one_table_and_what_cannot_be_scored_hides_nothing(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = write_pairs(tmp_path / "pairs.csv")
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "sets:\n  gone: [data=pairs, data.path=gone.csv]\n  mine: [data=pairs, data.group=topic]\n  hub: [data=paws]\n"
        "  turned: [data=pairs, 'data.labels={0:1,1:0}']\n  checklist: [data=checklist]\n"
    )
    named = (f"mine.data.path={pairs}", f"turned.data.path={pairs}")
    words = ("evaluate", str(tiny_run), "--suite", str(suite), *named, "--output", str(tmp_path / "out"))
    assert paraphrase(*words) == 2
    shown = capsys.readouterr().out
    assert re.search(r"floors of checklist, accuracy: counts 0\.6\d{3}\n", shown), "of other sets none is known"
    assert shown.count("floors of") == 1
    assert "hub was not scored: the data set google-research-datasets/paws could not be loaded" in shown
    written = list(csv.DictReader((tmp_path / "out" / "suite-mine" / "results.csv").read_text(encoding="utf-8").splitlines()))
    sizes = {"gone": "", "mine": "40", "hub": "", "turned": "40", "checklist": "252"}
    assert {row["set"]: row["pairs"] for row in written} == sizes
    by_name = {row["set"]: row for row in written}
    assert float(by_name["mine"]["accuracy"]) + float(by_name["turned"]["accuracy"]) == pytest.approx(1)
    assert (tmp_path / "out" / "suite-mine" / "results.png").is_file()
    mine = by_name["mine"]
    assert float(mine["low"]) < float(mine["accuracy"]) < float(mine["high"])


def test_suites_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no suite 'both'\nsuites: both_ends; or the path of a .yaml file"):
        read_suite("both")
    for text, message in (
        ("sets: {}", "has no sets"),
        ("sets: {a: data=paws}", "the set a is no list of overrides"),
        ("sets: [", "cannot be read"),
    ):
        (tmp_path / "x.yaml").write_text(text)
        with pytest.raises(UserError, match=message):
            read_suite(str(tmp_path / "x.yaml"))


def test_mistakes_are_named_before_anything_is_scored(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("evaluate", str(tiny_run), "--suite", "both_ends", "--output", str(tmp_path / "out"))
    assert paraphrase(*words, "pws.data.path=x") == 2
    said = capsys.readouterr().err
    assert "pws.data.path=x: the suite has no set 'pws'\nsets: paws, word_order, held_out, checklist" in said
    assert paraphrase(*words, "paws.data.pth=x", "checklist.data.max_lenght=9") == 2
    said = capsys.readouterr().err
    assert "paws: there is no key 'data.pth'. Did you mean 'data.path'?" in said and "checklist: there is no key" in said
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_what_is_typed_goes_to_one_set_or_to_all() -> None:
    sets = {"a": ["data=paws"], "b": ["data=pairs"]}
    typed = ["a.data.path=here", "+a.data.labels.x=1", "data.max_length=64"]
    assert overrides_of_sets(sets, typed) == {
        "a": ["data=paws", "data.path=here", "+data.labels.x=1", "data.max_length=64"],
        "b": ["data=pairs", "data.max_length=64"],
    }


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.weights.word_orde=0.1"], "data.weights.word_orde: there is no such source. Sources: paws, word_order."),
        (["data.weights.paws=-1"], "data.weights.paws=-1.0 must be 0 or more: how often a pair comes in an epoch."),
        (
            ["data.weights={paws:0,word_order:0}"],
            "data.weights are 0 for all sources, which leaves nothing to train on: one of them must be above 0.",
        ),
        (["data.sources.paws.max_length=200"], "data.sources.paws.max_length=200 is more than data.max_length=128"),
        (["data.sources.word_order.train_pair=3"], "Did you mean 'data.sources.word_order.train_pairs'?"),
        (["data.sources.word_order.test_pairs=3"], "data.sources.word_order.test_pairs=3 must be a whole number, 100 or more."),
        (
            ["+data@data.sources.mine=pairs", "data.sources.mine.path=.", "data.sources.mine.labels={no:0,yes:2}"],
            "data.sources.mine.labels={no:0,yes:2} must lead to 0 (another meaning) and 1 (a paraphrase)",
        ),
        (
            ["data.sources.word_order.folds=5", "data.sources.word_order.fold=7"],
            "data.sources.word_order.fold=7 is none of data.sources.word_order.folds=5",
        ),
        (["data.sources.paws.batch_size=8"], "data.sources.paws.batch_size=8 has no effect: it is set for all sources"),
        (
            ["+data@data.sources.mine=pairs", "data.sources.mine.path=.", "data.sources.mine.group=topic"],
            "data.sources.mine.group=topic has no effect: in a mixture the group of a pair is its source",
        ),
        (["data.folds=5"], "data.folds=5 has no effect in a mixture, whose sources are read and cut one by one: data"),
        (
            ["+data.sources.mine.path=x"],
            "data.sources.mine is no data set: +data@data.sources.mine=NAME chooses a file of data",
        ),
    ],
)
def test_mistakes_in_a_mixture(overrides: list[str], message: str) -> None:
    (found,) = problems("data=mixture", *overrides)
    assert message in found


def test_the_file_of_a_source_is_overruled_not_silently(tmp_path: Path) -> None:
    text = "defaults: [pairs, _self_]\nlabel: same\nbatch_size: 8\non_truncation: error\nepochs: 9\n"
    write(tmp_path, "data/mine.yaml", text)
    words = ("data=mixture", "+data@data.sources.mine=mine", f"data.sources.mine.path={tmp_path}", "data.batch_size=16")
    found = built(*words, config_dir=tmp_path).warnings
    assert (
        "data.sources.mine has on_truncation=error, batch_size=8 in its file, which the mixture does not use: "
        "it has data.on_truncation=warn, data.batch_size=16." in found
    )
    assert not any("does not use" in warning for warning in built("data=mixture", "data.batch_size=16").warnings)


def test_the_checklist_stands_in_report_card_and_comparison(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from paraphrase_lab.data.checklist import checklist_table
    from paraphrase_lab.metrics.checklist_floor import checklist_floor

    floor = record(tiny_run)["checklist"]["checklist_test"]["floor"]
    assert floor == checklist_floor("checklist_test", checklist_table("test")) and 0.5 < floor < 0.7, "it tells little"
    assert 0.5 < checklist_floor("checklist_dev", checklist_table("validation")) < 0.7
    card = (tiny_run / "model" / "README.md").read_text(encoding="utf-8")
    assert "## What it can do" in card and "All 252 pairs: " in card
    assert paraphrase("report", str(tiny_run), "--output", str(tmp_path / "report.html")) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Capability checklist" in page and "role_swap" in page and "all kinds" in page
    assert "floor: counts of words" in page
    capsys.readouterr()
    assert (
        paraphrase("compare", str(tiny_run), str(shutil.copytree(tiny_run, tmp_path / "again")), "--split", "checklist_test")
        == 0
    )
    assert "252" in capsys.readouterr().out
