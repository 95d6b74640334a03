"""An evaluation never calls pairs a test that the run has trained on, or chosen its checkpoint on."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from commands import TINY, paraphrase, record
from paraphrase_lab.data.sources import Pairs
from paraphrase_lab.data.tables import load_tables
from paraphrase_lab.runs.seen_pairs import write_seen_pairs

PAIRS = [
    (f"the {word} {n} sees a dog", f"a dog sees the {word} {n}", str(n % 2))
    for n in range(60)
    for word in ("cat", "cow", "hen")
]


def write(path: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("sentence1", "sentence2", "label", "animal")[: len(rows[0])], *rows])
    return path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one.csv and a run that was trained on it, by a relative path."""
    directory = tmp_path_factory.mktemp("seen")
    write(directory / "one.csv", [(*pair, ("cat", "cow", "hen")[number % 3]) for number, pair in enumerate(PAIRS)])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("PARAPHRASE_CACHE_DIR", str(directory / "cache"))
        assert paraphrase("train", *TINY, "data=pairs", "data.path=one.csv", "hydra.run.dir=run") == 0
    return directory


@pytest.fixture
def run(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run; the directory of the test is another one than that of the training."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(project / "run", tmp_path / "run")
    return Path("run")


def sentences(run: Path, split: str) -> set[str]:
    import pyarrow.parquet as pq

    (file,) = (run / "evaluations").glob(f"{split}-*/predictions.parquet")
    return set(pq.read_table(file).column("sentence1").to_pylist())


def test_one_file_has_three_splits(project: Path) -> None:
    values = record(project / "run")
    assert {name: split["pairs"] for name, split in values["data"].items()} == {"train": 144, "validation": 18, "test": 18}
    assert {name.partition("/")[0] for name in values["metrics"]} == {
        "val_fitted", "test", "checklist_dev", "checklist_test",
    }  # fmt: skip
    log = (project / "run" / "train.log").read_text()
    assert "180 pairs were cut by clusters of shared sentences: 144 train, 18 validation, 18 test; the largest" in log


def test_its_own_test_split_is_scored_wherever_one_stands(run: Path, project: Path) -> None:
    write(Path("one.csv"), [("another", "file", "1"), ("of the same", "name", "0")])
    assert paraphrase("evaluate", str(run)) == 0
    (file,) = (run / "evaluations").glob("test-*/metrics.json")
    assert json.loads(file.read_text())["fingerprint"] == record(run)["data"]["test"]["fingerprint"]


def test_the_training_file_named_anew_is_cut_as_in_the_training(run: Path, project: Path) -> None:
    assert paraphrase("evaluate", str(run), "data=pairs", f"data.path={project / 'one.csv'}", "data.evaluation_limit=100") == 0
    (file,) = (run / "evaluations").glob("test-*/metrics.json")
    assert json.loads(file.read_text())["fingerprint"] == record(run)["data"]["test"]["fingerprint"]


@pytest.mark.parametrize("words", [["data.group=animal"], ["data=pairs", "data.path=one.csv", "data.group=animal"]])
def test_groups_may_be_asked_for_later(
    run: Path, project: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = run.absolute()
    monkeypatch.chdir(project)
    assert paraphrase("evaluate", str(directory), *words) == 0
    (file,) = (directory / "evaluations").glob("test-*/metrics.json")
    assert json.loads(file.read_text())["fingerprint"] == record(directory)["data"]["test"]["fingerprint"]
    said = capsys.readouterr().out
    assert {"cat", "cow", "hen"} <= set(said.split()) and "other data" not in said


@pytest.mark.slow
def test_the_training_file_is_recognised_by_a_relative_path_and_with_other_limits(project: Path, tmp_path: Path) -> None:
    run = shutil.copytree(project / "run", tmp_path / "run")
    saved = OmegaConf.load(run / "config.yaml")
    saved.data.update({"train_limit": 1000, "split_seed": 0})  # as debug=fast does
    OmegaConf.save(saved, run / "config.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        assert paraphrase("evaluate", str(run), "data=pairs", "data.path=one.csv", "--split", "train") == 0
    (file,) = (run / "evaluations").glob("train-*/metrics.json")
    assert json.loads(file.read_text())["fingerprint"] == record(run)["data"]["train"]["fingerprint"]


def test_a_copy_of_the_training_file_is_no_test_set(run: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = shutil.copy(project / "one.csv", "copy.csv")
    assert paraphrase("evaluate", str(run), "data=pairs", f"data.path={copy}") == 2
    said = capsys.readouterr().err
    assert "run has trained on 144 of these 180 pairs and chosen its checkpoint on 18: their scores would not be" in said
    assert "--seen drop leaves the seen pairs out" in said and not (run / "evaluations").exists()


@pytest.mark.slow
def test_seen_pairs_are_known_in_any_order_and_case(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swapped = [(f" {second.upper()}", first, label) for first, second, label in PAIRS[:30]]
    other = write(Path("other.csv"), [("new", "pair", "1"), ("one more", "of them", "0"), *swapped])
    words = ("evaluate", str(run), "data=pairs", f"data.path={other.absolute()}")
    assert paraphrase(*words) == 2
    found = re.search(
        r"run has trained on (\d+) of these 32 pairs and chosen its checkpoint on (\d+):", capsys.readouterr().err
    )
    assert found is not None and int(found[1]) > 15
    unseen = 32 - int(found[1]) - int(found[2])
    assert paraphrase(*words, "--seen", "drop") == 0
    assert f"these are left out, {unseen} pairs are scored" in capsys.readouterr().out
    assert {"new", "one more"} <= sentences(run, "test") and len(sentences(run, "test")) == unseen
    assert paraphrase(*words, "--seen", "keep") == 0
    assert "hence the name seen_in_training" in capsys.readouterr().out
    (file,) = (run / "evaluations").glob("seen_in_training-*/metrics.json")
    report = json.loads(file.read_text())
    assert report["split"] == "seen_in_training" and report["pairs"] == 32
    assert {name.partition("/")[0] for name in report["metrics"]} == {"seen_in_training"}


def test_new_pairs_are_a_test(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write(Path("other.csv"), [("new", "pair", "1"), ("one more", "of them", "0")])
    assert paraphrase("evaluate", str(run), "data=pairs", f"data.path={other.absolute()}") == 0
    assert "trained on" not in capsys.readouterr().out


@pytest.mark.parametrize("split", ["train", "validation"])
def test_its_own_other_splits_say_what_they_are(run: Path, split: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("evaluate", str(run), "--split", split, "data.evaluation_limit=null") == 0
    assert "their scores say little about new pairs" in capsys.readouterr().out
    (file,) = (run / "evaluations").glob(f"{split}-*/metrics.json")
    assert json.loads(file.read_text())["fingerprint"] == record(run)["data"][split]["fingerprint"]


def test_a_file_that_has_changed_since_the_training(run: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = record(run)
    values["working_dir"] = str(Path.cwd())
    (run / "run.json").write_text(json.dumps(values))
    write(Path("one.csv"), [*PAIRS[30:], *((f"new {n}", f"text {n}", str(n % 2)) for n in range(30))])
    assert paraphrase("evaluate", str(run)) == 2
    said = capsys.readouterr().err
    assert "run has trained on" in said and "test has changed since run was trained: its fingerprint is " in said
    assert "scores its own test split" not in said
    assert paraphrase("evaluate", str(run), "data.evaluation_limit=null") == 2, "with another limit, too"
    assert "run has trained on" in capsys.readouterr().err
    assert paraphrase("evaluate", str(run), "--seen", "drop") == 0
    old, said = values["data"]["test"]["fingerprint"], capsys.readouterr().out
    assert "test has changed since run was trained: its fingerprint is " in said and f"and was {old[:8]}" in said


def test_an_older_run_reads_its_training_pairs_again(run: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "seen_pairs.npz").unlink()
    copy = shutil.copy(project / "one.csv", "copy.csv")
    assert paraphrase("evaluate", str(run), "data=pairs", f"data.path={copy}") == 2
    assert "run has trained on 144 of these 180 pairs and chosen its checkpoint on 18" in capsys.readouterr().err
    assert paraphrase("evaluate", str(run), "data=pairs", f"data.path={copy}", "--seen", "drop") == 0
    assert "these are left out, 18 pairs are scored" in capsys.readouterr().out


@pytest.mark.slow
def test_an_older_run_whose_training_pairs_are_gone(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "seen_pairs.npz").unlink()
    values = record(run)
    (run / "run.json").write_text(json.dumps({**values, "working_dir": str(Path.cwd())}))
    write(Path("other.csv"), [("new", "pair", "1"), ("one more", "of them", "0")])
    assert paraphrase("evaluate", str(run), "data=pairs", "data.path=other.csv") == 0
    assert "whether it has trained on some of these is not known" in capsys.readouterr().out
    assert evaluated(run)["seen"]["is_known"] is False
    write(Path("all.csv"), PAIRS)
    for mode in ("refuse", "drop"):
        assert paraphrase("evaluate", str(run), "data=pairs", "data.path=all.csv", "--seen", mode) == 2
        said = capsys.readouterr().err
        assert "has chosen its checkpoint on 18 of these 180 pairs, and on how many it has trained is not known" in said
        assert "--seen drop" not in said and "--seen keep" in said


def evaluated(run: Path, split: str = "test") -> dict[str, Any]:
    files = sorted((run / "evaluations").glob(f"{split}-*/metrics.json"), key=lambda file: file.stat().st_mtime_ns)
    return json.loads(files[-1].read_text())


@pytest.mark.slow
def test_what_is_left_out_and_what_shares_a_sentence_is_recorded(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    related = [(first, f"quite another text {number}", "0") for number, (first, _, _) in enumerate(PAIRS[:40])]
    write(Path("other.csv"), [*PAIRS[:40], *related, ("new", "pair", "1")])
    assert paraphrase("evaluate", str(run), "data=pairs", "data.path=other.csv", "--seen", "drop") == 0
    values = evaluated(run)
    seen = values["seen"]
    assert seen["left_out"] == seen["trained"] + seen["chosen"] > 30 and seen["is_known"] is True
    assert seen["sharing_a_sentence"] == seen["left_out"] and values["pairs"] == 81 - seen["left_out"]
    leak = f"leak: {seen['left_out']} of {values['pairs']} pairs"
    assert any(note.startswith(leak) for note in values["notes"]) and leak in capsys.readouterr().out


@pytest.mark.slow
def test_its_own_test_split_under_another_limit(run: Path, project: Path) -> None:
    """The pairs that a test split repeats of train were said in the training: they are no reason to refuse it later."""
    table = load_tables(Pairs(str(project / "one.csv"))).splits["test"]
    write_seen_pairs(run, table.select([0, 1]), None)
    for limit in ("5", "null"):
        assert paraphrase("evaluate", str(run), f"data.evaluation_limit={limit}") == 0
        assert (evaluated(run)["pairs"], evaluated(run)["seen"]["trained"]) == ((18 if limit == "null" else 5), 2)


@pytest.mark.slow
def test_the_files_of_the_training_typed_again(run: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied = run.absolute()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        assert paraphrase("evaluate", str(copied), "data=pairs", "data.path=one.csv", "--seen", "drop") == 0
    said = capsys.readouterr().out
    assert "other data than" not in said and "--seen is about other data" in said
    assert "these are the files of the training: the run's own test split is scored" in said


@pytest.mark.slow
def test_other_data_are_read_and_encoded_as_the_runs_own(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = OmegaConf.load(run / "config.yaml")
    mine = {"max_length": 12, "sentence1": "a", "labels": {"no": 0, "yes": 1}, "on_bad_rows": "skip"}
    saved.data.update(mine)
    OmegaConf.save(saved, run / "config.yaml")
    other = Path("other.csv")
    other.write_text("a,sentence2,label\nnew,pair,yes\none more,of them,no\n,empty,no\n")
    words = ("evaluate", str(run), "data=pairs", f"data.path={other.absolute()}")
    assert paraphrase(*words) == 0
    said = capsys.readouterr().out
    assert "other data than in the training (in brackets what it had): data.path=" in said and "max_length=12 (" not in said
    assert "1 row could not be used: see " in said
    (file,) = (run / "evaluations").glob("test-*/config.yaml")
    data = OmegaConf.load(file).data
    assert {name: data[name] for name in mine} == mine
    assert paraphrase(*words, "data.max_length=64") == 0
    assert "data.max_length=64 (12)" in capsys.readouterr().out


@pytest.mark.slow
def test_what_the_starting_run_has_seen_is_said_and_kept(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    new = [(f"new {first}", f"new {second}", label) for first, second, label in PAIRS]
    for name, rows in (("train", new[:60]), ("validation", new[60:100]), ("test", [*PAIRS[:150], *new[100:]])):
        write(tmp_path / "other" / f"{name}.csv", rows)
    start = ("model=pretrained", "model.name=run", *(word for word in TINY if not word.startswith("model.")))
    assert paraphrase("train", *start, "data=pairs", "data.path=other", "logger=none", "hydra.run.dir=second") == 0
    count = record(Path("second"))["data"]["test"]["shared"]["run"]["pairs"]
    assert f"leak: {count} of 100 test pairs were seen by run, whose model training starts from" in capsys.readouterr().out
    write(tmp_path / "new.csv", PAIRS)
    assert paraphrase("evaluate", "second", "data=pairs", "data.path=new.csv") == 2
    assert re.search(r"second has trained on \d+ of these 180 pairs", capsys.readouterr().err)


def test_quoting_none_of_a_run_is_not_kept_for_a_quoted_file(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = OmegaConf.load(run / "config.yaml")
    saved.data.update({"quoting": "none", "columns": []})
    OmegaConf.save(saved, run / "config.yaml")
    Path("other.tsv").write_text('sentence1\tsentence2\tlabel\n"a ""b"""\t"c d"\t1\n"e"\t"f"\t0\n', encoding="utf-8")
    words = ("evaluate", str(run), "data=pairs", "data.path=other.tsv")
    assert paraphrase(*words) == 2
    assert "data.quoting=standard reads such a file" in capsys.readouterr().err
    assert paraphrase(*words, "data.quoting=none") == 0


def test_labels_that_may_mean_the_opposite_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run was trained with the labels of NLI; another file has 0 and 1 alone."""
    saved = OmegaConf.load(run / "config.yaml")
    saved.data.labels = {"0": 1, "1": 0, "2": 0}
    OmegaConf.save(saved, run / "config.yaml")
    write(Path("new.csv"), [("quite", "new", "0"), ("and", "another", "1")])
    words = ["evaluate", str(run), "data=pairs", "data.path=new.csv"]
    assert paraphrase(*words) == 2
    printed = capsys.readouterr().err
    assert "the labels of these pairs are 0 (1), 1 (1) alone: by the run's own data.labels" in printed
    for typed in ("data.labels={0:1,1:0,2:0}", "data.labels={0:0,1:1}"):
        assert f"'{typed}'" in printed
        assert paraphrase(*words, typed) == 0
    write(Path("three.csv"), [("quite", "new", "0"), ("and", "another", "1"), ("one", "more", "2")])
    assert paraphrase("evaluate", str(run), "data=pairs", "data.path=three.csv") == 0
