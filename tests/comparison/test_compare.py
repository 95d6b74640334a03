"""`paraphrase compare` on records written as a run writes them, and once on runs that were really trained."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import FEW_PAIRS, paraphrase
from paraphrase_lab.build import build_tables
from paraphrase_lab.check import check_request
from paraphrase_lab.comparison.candidates import versus_of
from paraphrase_lab.comparison.compare import compare_runs
from paraphrase_lab.configuration.composition import Request
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.errors import RunError, UserError
from paraphrase_lab.lifecycle.evaluation import ScoredSplit, write_predictions
from paraphrase_lab.metrics.binary import binary_metrics
from paraphrase_lab.runs.listing import read_runs
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.statistics.comparison import Comparison
from written_runs import CALIBRATION, margins, pair_table, write_run, write_sweep


def compared(*places: Path, **options: Any) -> Comparison:
    rows = [row for place in places for row in read_runs([str(place)])]
    return compare_runs(rows, **{"resamples": 2_000, "by_slice": False, **options})


def test_two_models(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", 0.7, config={"model.num_layers": 1})
    b = write_run(tmp_path / "b", 0.85, config={"model.num_layers": 2})
    found = compared(a, b, metrics=("accuracy", "nll"))
    assert (found.question, found.pairs, found.clusters) == ("models", 600, 200)
    assert [one.name for one in found.candidates] == ["num_layers=1", "num_layers=2"]
    accuracy, nll = found.differences
    table = pair_table()
    for one, share, seed in zip(found.candidates, (0.7, 0.85), (0, 0), strict=True):
        values = binary_metrics(table.labels, CALIBRATION.probabilities(margins(table, share, seed)), CALIBRATION.threshold)
        assert one.values == pytest.approx(values)
        assert one.spread == {}
    assert accuracy.difference == pytest.approx(found.candidates[1].values["accuracy"] - found.candidates[0].values["accuracy"])
    assert accuracy.low < accuracy.difference < accuracy.high
    assert (accuracy.better, nll.better) == ("num_layers=2", "num_layers=2")
    assert accuracy.verdict.startswith(f"num_layers=2 is better by {100 * accuracy.difference:.1f} points (")
    assert nll.verdict.startswith("num_layers=2 is better: nll lower by 0.")
    assert nll.difference < 0
    assert accuracy.seeds_low is None
    assert "Nothing is known about other seeds: that needs 3 runs or more of each recipe." in found.notes


def test_folds_are_repetitions_of_a_recipe(tmp_path: Path) -> None:
    for layers, share in ((1, 0.7), (2, 0.85)):
        for fold in range(3):
            config = {"model.num_layers": layers, "data.folds": 3, "data.fold": fold}
            run = write_run(tmp_path / f"{layers}-{fold}", share + 0.01 * fold, seed=0, config=config)
            record = json.loads((run / "run.json").read_text())
            record["fingerprint_parts"] = {"data": {"train": f"{fold}", "validation": f"{fold}", "test": "t"}}
            (run / "run.json").write_text(json.dumps(record))
    found = compared(tmp_path)
    assert [(one.name, len(one.runs)) for one in found.candidates] == [("num_layers=1", 3), ("num_layers=2", 3)]
    assert found.question == "recipes" and not any("Not only the seed" in note for note in found.notes)
    assert any(note.startswith("Folds share most of their training pairs") for note in found.notes)
    alone = compared(*(tmp_path / f"1-{fold}" for fold in range(3)))
    assert [one.name for one in alone.candidates] == ["fold=0", "fold=1", "fold=2"]


def test_the_interval_is_that_of_clusters(tmp_path: Path) -> None:
    """Every pair three times over, in one cluster: as wide as from a third of the pairs, however many rows there are."""
    table = pair_table()
    once = table.select(range(0, 600, 3))
    thrice = PairTable(
        table.ids, table.sentence1, [f"pair {number // 3} again" for number in range(600)], np.repeat(table.labels[::3], 3)
    )
    widths = []
    for name, share_table, repeats in (("once", once, 1), ("thrice", thrice, 3)):
        for run, (share, seed) in {"a": (0.75, 1), "b": (0.8, 2)}.items():
            directory = write_run(tmp_path / name / run, share, table=share_table, config={"model.num_layers": seed})
            scored = ScoredSplit(share_table, np.repeat(margins(once, share, seed), repeats))
            write_predictions({"test": scored}, CALIBRATION, directory / "predictions.parquet")
        one = compared(tmp_path / name, resamples=10_000).differences[0]
        widths.append(one.high - one.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.05)


def test_two_recipes(tmp_path: Path) -> None:
    found = compared(write_sweep(tmp_path, {1: 0.7, 2: 0.85}, range(3), spread=0.01))
    assert found.question == "recipes"
    assert [(one.name, one.seeds) for one in found.candidates] == [("num_layers=1", (0, 1, 2)), ("num_layers=2", (0, 1, 2))]
    assert all(0 < one.spread["accuracy"] < 0.03 for one in found.candidates)
    one = found.differences[0]
    assert one.seeds_low is not None and one.seeds_high is not None
    assert one.seeds_low < one.difference < one.seeds_high
    assert one.better == "num_layers=2"
    assert ", seeds alone ± " in one.verdict


def test_recipes_that_differ_less_than_their_seeds_do(tmp_path: Path) -> None:
    """The pairs alone would be sure: six models, of which three happen to be better."""
    found = compared(write_sweep(tmp_path, {1: 0.72, 2: 0.78}, range(3), spread=0.09))
    one = found.differences[0]
    assert one.pairs_low > 0 > one.low
    assert (one.outcome, one.better) == ("undecided", None)
    assert re.search(r"^undecided: .* These seeds and pairs can show .* points; about \d+ seeds of each would", one.verdict)
    assert one.p_adjusted >= one.p_value > 0.05 and one.ahead == pytest.approx(7 / 9, abs=0.25)


def test_too_few_seeds_to_speak_of_a_recipe(tmp_path: Path) -> None:
    found = compared(write_sweep(tmp_path, {1: 0.7, 2: 0.85}, range(2)))
    one = found.differences[0]
    assert (found.question, one.better, one.seeds_low) == ("recipes", None, None)
    assert one.verdict.startswith(
        "too few seeds to compare the recipes (2, need 3); for these two models: num_layers=2 is better"
    )
    assert "Too few seeds to compare the recipe, below 3: num_layers=1, num_layers=2." in found.notes


def test_one_recipe_only_is_compared_as_models(tmp_path: Path) -> None:
    found = compared(write_sweep(tmp_path, {1: 0.8}, range(3)))
    assert found.question == "models"
    assert [one.name for one in found.candidates] == ["seed=0", "seed=1", "seed=2"]
    assert len(found.differences) == 2 * 3
    assert "All these runs are one recipe, so they are compared as models." in found.notes


def test_a_seed_that_was_run_twice_counts_once(tmp_path: Path) -> None:
    write_sweep(tmp_path / "sweep", {1: 0.7, 2: 0.8}, range(3))
    again = write_run(tmp_path / "again", 0.7, config={"seed": 0, "model.num_layers": 1})
    found = compared(tmp_path / "sweep", again)
    assert [len(one.runs) for one in found.candidates] == [3, 3]
    assert f"{again} is left out: same recipe and seed as {tmp_path / 'sweep' / '0'}." in found.notes


def test_correction_grows_with_the_comparisons_and_not_with_the_slices(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path, {1: 0.78, 2: 0.8, 3: 0.82}, [0])
    alone = compared(sweep, metrics=("accuracy",), baseline="num_layers=1")
    every = compared(sweep, metrics=("accuracy",))
    sliced = compared(sweep, metrics=("accuracy",), by_slice=True)
    assert [(one.a, one.b) for one in alone.differences] == [("num_layers=1", "num_layers=2"), ("num_layers=1", "num_layers=3")]
    assert len(every.differences) == 3
    least = min(every.differences, key=lambda one: one.p_value)
    assert least.p_adjusted == pytest.approx(min(1.0, 3 * least.p_value))
    whole = [one for one in sliced.differences if one.slice == "all"]
    assert [one.p_adjusted for one in whole] == [one.p_adjusted for one in every.differences]
    parts = {one.slice: one.pairs for one in sliced.differences if one.slice != "all"}
    assert set(parts.values()) == {300} and len(parts) >= 2


def test_the_same_command_gives_the_same_numbers(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path, {1: 0.78, 2: 0.8}, [0])
    assert compared(sweep).to_dict() == compared(sweep).to_dict()
    assert compared(sweep, seed=1).differences[0].p_value != compared(sweep).differences[0].p_value


def test_other_test_data_are_refused(tmp_path: Path) -> None:
    ours, other = pair_table(), pair_table(300, seed=1)
    a = write_run(tmp_path / "a", 0.7, table=ours, config={"data.path": "pairs", "data.evaluation_limit": None})
    other_config = {"model.num_layers": 2, "data.path": "other.csv", "data.evaluation_limit": 300, "data.train_limit": 9}
    b = write_run(tmp_path / "b", 0.8, table=other, config=other_config)
    with pytest.raises(RunError, match="scored on different test pairs") as refused:
        compared(a, b)
    text = str(refused.value)
    assert f"{ours.fingerprint[:8]} (600 pairs): {a}" in text
    assert f"{other.fingerprint[:8]} (300 pairs): {b}" in text
    words = "data.path=pairs data.evaluation_limit=null"
    assert f"`paraphrase evaluate {b} {words}` scores it on the pairs of {a}" in text


def test_the_way_to_the_data_of_another_set(tmp_path: Path) -> None:
    """A limit that came from debug=fast was not typed, and is named nevertheless."""
    a = write_run(tmp_path / "a", 0.7, config={"data.path": "pairs", "data.evaluation_limit": 200})
    b = write_run(tmp_path / "b", 0.8, table=pair_table(300, seed=1), config={"data": "paws", "model.num_layers": 2})
    with pytest.raises(RunError, match=r"b data=pairs data\.path=pairs\.csv data\.evaluation_limit=200` scores it"):
        compared(a, b)


def test_a_test_split_that_was_cut_from_a_file_is_in_no_file_of_its_own(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", 0.7, config={"data.path": "pairs.csv"})
    b = write_run(tmp_path / "b", 0.8, table=pair_table(300, seed=1), config={"data.path": "other.csv"})
    with pytest.raises(RunError, match="no file holds those alone of") as refused:
        compared(a, b)
    assert "`paraphrase evaluate RUN data=pairs data.path=FILE` scores each on such pairs" in str(refused.value)


@pytest.fixture
def two_runs(tmp_path: Path) -> list[Path]:
    return [write_run(tmp_path / name, 0.8, config={"model.num_layers": name}) for name in "ab"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metrics": ("accuracy", "f2")}, "no metric f2\nmetrics: accuracy, f1"),
        ({"baseline": "c"}, "no candidate 'c'\ncandidates: num_layers=a, num_layers=b"),
        ({"split": "validation"}, "no predictions for validation"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_that_do_not_fit(two_runs: list[Path], options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        compared(*two_runs, **options)


def test_one_run_is_too_few(two_runs: list[Path]) -> None:
    with pytest.raises(RunError, match="two runs at least, found only .*a"):
        compared(two_runs[0])


def test_a_remote_run_cannot_be_compared(two_runs: list[Path]) -> None:
    remote = RunRow("s3://bucket/run", "run", "finished", {}, {}, {})
    with pytest.raises(RunError, match="s3://bucket/run is not on this machine"):
        compare_runs([remote, *read_runs([str(two_runs[0])])])


def test_an_unfinished_run_cannot_be_compared(two_runs: list[Path]) -> None:
    RunRecord.read(two_runs[1]).update(status="interrupted")
    with pytest.raises(RunError, match=r"b is not finished: it is interrupted\n.*resume=.*--where status=finished"):
        compared(*two_runs)


def test_a_run_without_predictions_cannot_be_compared(two_runs: list[Path]) -> None:
    (two_runs[1] / "predictions.parquet").unlink()
    with pytest.raises(RunError, match="b has no predictions"):
        compared(*two_runs)


def test_nothing_but_equal_answers(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, 0.8, config={"model.num_layers": name}) for name in "ab"]
    one = compared(*runs).differences[0]
    assert (one.difference, one.low, one.high, one.p_value, one.better) == (0, 0, 0, 1, None)


def test_too_many_to_compare_each_with_each() -> None:
    names = [str(number) for number in range(41)]
    with pytest.raises(UserError, match="41 candidates are 820 comparisons.*\\n.*up to 40.*\\n--baseline NAME"):
        versus_of(names, None)
    assert len(versus_of(names, "7")) == 40


def test_remarks_about_small_sets_and_few_resamples(tmp_path: Path) -> None:
    table = pair_table(90)
    for layers in range(5):
        write_run(tmp_path / str(layers), 0.8, seed=layers, table=table, config={"seed": 0, "model.num_layers": layers})
    notes = compared(tmp_path, resamples=200).notes
    assert "Only 30 clusters of pairs: the intervals are rough." in notes
    assert "200 resamples are too few for 20 comparisons: no p-value can become small enough." in notes


@pytest.mark.parametrize("width", [80, 140])
def test_on_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    sweep = write_sweep(tmp_path / "sweep", {1: 0.7, 2: 0.85}, range(3), spread=0.01)
    assert paraphrase("compare", str(sweep), "--resamples", "500", "--metric", "accuracy,average_precision,nll") == 0
    text = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    words = " ".join(text.split())
    assert words.startswith("Question: are these recipes different, whatever the seed?")
    assert "600 test pairs" in words and "200 clusters" in words
    assert "accuracy: num_layers=2 is better by" in words
    of_slices = words.partition("accuracy, points, by slice")[2].partition("accuracy: ")[0]
    assert "B - A 95 %" in of_slices, "what decides is shown"
    assert ("pairs alone seeds alone ahead" in of_slices) == (width > 80), "the parts only where there is room"
    assert "…" not in text


def test_forms_for_programs_and_the_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = write_sweep(tmp_path / "sweep", {1: 0.7, 2: 0.85}, range(3))
    words = ("compare", str(sweep), "--resamples", "500")
    assert paraphrase(*words, "--json", "--plot", str(tmp_path / "differences.png")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["question"] == "recipes"
    assert found["candidates"][0]["runs"] == [str(sweep / str(job)) for job in range(3)]
    assert (tmp_path / "differences.png").read_bytes().startswith(b"\x89PNG")
    assert paraphrase(*words, "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["difference"]) for row in rows] == pytest.approx([one["difference"] for one in found["differences"]])
    assert {row["fingerprint"] for row in rows} == {found["fingerprint"]}


def test_a_metric_that_these_labels_do_not_define(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pair_table(300)
    table = PairTable(table.ids, table.sentence1, table.sentence2, np.ones(300, dtype=np.int64))
    for layers in (1, 2):
        write_run(tmp_path / str(layers), 0.8, seed=layers, table=table, config={"seed": 0, "model.num_layers": layers})
    words = ("compare", str(tmp_path), "--metric", "roc_auc", "--resamples", "500")
    assert paraphrase(*words, "--plot", str(tmp_path / "empty.png")) == 0
    assert "roc_auc cannot be compared on these pairs" in " ".join(capsys.readouterr().out.split())
    assert paraphrase(*words, "--csv") == 0
    assert capsys.readouterr().out == "question,split,fingerprint\n"
    assert paraphrase(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["candidates"][0]["values"]["roc_auc"] is None


def test_where_and_the_same_recipe_in_two_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sweep(tmp_path / "before", {1: 0.7, 2: 0.8}, range(3))
    write_sweep(tmp_path / "after", {1: 0.85, 2: 0.8}, range(3))
    places = (str(tmp_path / "before"), str(tmp_path / "after"))
    assert paraphrase("compare", *places, "--where", "num_layers=1", "--resamples", "500", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["candidates"]] == list(places)
    assert found["differences"][0]["better"] == places[1]
    assert paraphrase("compare", places[0], "--where", "num_layers=3") == 2
    assert "a comparison needs two runs at least, found none" in capsys.readouterr().err


def test_unfinished_runs_of_a_directory_are_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = write_sweep(tmp_path / "sweep", {1: 0.7, 2: 0.85}, range(4))
    RunRecord.read(sweep / "0").update(status="failed", error="RuntimeError: CUDA out of memory")
    RunRecord.read(sweep / "7").update(status="interrupted")
    assert paraphrase("compare", str(sweep), "--resamples", "500", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["seeds"] for one in found["candidates"]] == [[1, 2, 3], [0, 1, 2]]
    assert found["notes"][:2] == [
        f"Left out, since not finished: {sweep / '0'} (failed), {sweep / '7'} (interrupted).",
        "Where some seeds of a recipe fail, the others flatter it.",
    ]
    assert paraphrase("compare", str(sweep), "--resamples", "500", "--where", "status=finished", "--json") == 0
    assert not any("Left out" in note for note in json.loads(capsys.readouterr().out)["notes"])


def test_an_unfinished_run_that_was_named_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = write_sweep(tmp_path / "sweep", {1: 0.7, 2: 0.85}, [0])
    RunRecord.read(sweep / "0").update(status="failed", error="RuntimeError: CUDA out of memory")
    assert paraphrase("compare", str(sweep / "0"), str(sweep / "1")) == 2
    assert f"{sweep / '0'} is not finished: it is failed" in capsys.readouterr().err
    assert paraphrase("compare", str(sweep)) == 2
    said = capsys.readouterr().err
    assert (
        f"two finished runs at least, found only {sweep / '1'}\nLeft out, since not finished: {sweep / '0'} (failed)." in said
    )


def test_the_same_recipes_and_seeds_with_other_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two sweeps, before and after a change: their places tell them apart. Without the change one of them is a repetition."""
    places = [tmp_path / "before", tmp_path / "after"]
    for place, share in zip(places, (0.7, 0.85), strict=True):
        for run in write_sweep(place, {1: share, 2: share}, range(3)).iterdir():
            RunRecord.read(run).update(
                fingerprint=f"{run.name} {place.name}", fingerprint_parts={"code": place.name, "data": {}}
            )
    words = ("--resamples", "500", "--json")
    assert paraphrase("compare", *map(str, places), *words) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["candidates"]] == [
        f"{place} num_layers={layers}" for place in places for layers in (1, 2)
    ]
    assert paraphrase("compare", str(tmp_path), *words) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    again, first = places[0] / "0", places[1] / "0"
    assert any(
        note.startswith(f"{again} is left out: same recipe and seed as {first}, but not with the same code: ") for note in notes
    )
    for run in places[1].iterdir():
        RunRecord.read(run).update(fingerprint=f"{run.name} before")
    assert paraphrase("compare", *map(str, places), *words) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["candidates"]] == ["num_layers=1", "num_layers=2"]


def with_parts(run: Path, *, train: str = "t" * 64, **parts: Any) -> None:
    known = {"data": {"train": train, "validation": "v" * 64, "test": "e" * 64}, "code": "c", "libraries": {"torch": "2"}}
    RunRecord.read(run).note(fingerprint_parts={**known, "device": {"kind": "cpu", "count": 1}, **parts})


def test_other_training_data_make_another_recipe(tmp_path: Path) -> None:
    """A file that was changed in its place between two sweeps: no key of the configuration tells."""
    for run in write_sweep(tmp_path, {1: 0.7, 2: 0.85}, range(6)).iterdir():
        is_new = RunRecord.read(run).values["seed"] % 10 >= 3
        with_parts(run, train=("b" if is_new and int(run.name) < 6 else "a") * 64)
    found = compared(tmp_path)
    assert {one.name: len(one.runs) for one in found.candidates} == {
        "num_layers=1 training data aaaaaaaa": 3, "num_layers=1 training data bbbbbbbb": 3, "num_layers=2": 6,
    }  # fmt: skip
    assert not any("Not only the seed differs" in note for note in found.notes)


def test_the_seed_alone_does_not_change_the_data() -> None:
    """Or else every seed would be a recipe of its own."""
    jobs = check_request(Request(("data=word_order", *FEW_PAIRS, "seed=0,1"), multirun=True)).jobs
    first, second = (build_tables(job.config).fingerprints for job in jobs)
    assert first == second and set(first) == {"train", "validation", "test"}


def test_seeds_that_draw_their_own_data_are_one_recipe(tmp_path: Path) -> None:
    for run in write_sweep(tmp_path, {1: 0.7, 2: 0.85}, range(3)).iterdir():
        with_parts(run, train=run.name * 64)
        RunRecord.read(run).note(follows={"data.seed": "seed"})
    assert [(one.name, len(one.runs)) for one in compared(tmp_path).candidates] == [("num_layers=1", 3), ("num_layers=2", 3)]


def test_what_differs_beside_the_seed_is_said(tmp_path: Path) -> None:
    for run in write_sweep(tmp_path, {1: 0.7, 2: 0.75, 3: 0.8}, range(3)).iterdir():
        with_parts(run)
        if run.name == "1":
            with_parts(run, code="changed", libraries={"torch": "3"})
        if run.name == "4":
            with_parts(run, device={"kind": "cuda", "count": 1})
    notes = [note for note in compared(tmp_path).notes if "Not only the seed" in note]
    assert notes == [
        "Not only the seed differs among the runs of num_layers=1: code and libraries (torch) too.",
        "Not only the seed differs among the runs of num_layers=2: device (kind) too.",
    ]


def test_a_given_name_keeps_runs_together_and_what_differs_is_said(tmp_path: Path) -> None:
    rows = read_runs([str(write_sweep(tmp_path, {1: 0.7, 2: 0.85}, range(3)))])
    for row in rows:
        assert isinstance(row.path, Path)
        with_parts(row.path, train=("b" if row.name == "0" else "a") * 64)
    rows = read_runs([str(tmp_path)])
    found = compare_runs(rows, resamples=200, by_slice=False, names=["x"] * 3 + ["y"] * 3)
    assert [one.name for one in found.candidates] == ["x", "y"]
    assert "Not only the seed differs among the runs of x: data (train) too." in found.notes


def test_slices_are_computed_where_they_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = write_sweep(tmp_path / "four", dict.fromkeys(range(4), 0.8), [0])
    words = ("compare", str(sweep), "--resamples", "200")

    def shown(*more: str) -> str:
        assert paraphrase(*words, *more) == 0
        return " ".join(capsys.readouterr().out.split())

    said = "No slices, since these are more than 3 comparisons: --slices compares them."
    assert said in shown()
    assert "by slice" in (asked := shown("--slices")) and said not in asked
    assert "No slices" not in shown("--no-slices")
    assert len({one["slice"] for one in json.loads(shown("--json"))["differences"]}) > 1


def test_slices_that_were_asked_for_of_too_many_comparisons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = write_sweep(tmp_path / "eleven", dict.fromkeys(range(11), 0.8), [0])
    assert paraphrase("compare", str(sweep), "--resamples", "200", "--slices") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert (
        "No slices: these are 55 comparisons, and more than 50 are compared as a whole only." in text and "by slice" not in text
    )


def test_metrics_may_be_typed_with_spaces_and_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = write_sweep(tmp_path / "sweep", {1: 0.7, 2: 0.85}, [0])
    assert paraphrase("compare", str(sweep), "--resamples", "500", "--metric", "nll, accuracy,nll", "--csv", "--no-slices") == 0
    assert [row["metric"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))] == ["nll", "accuracy"]
    assert paraphrase("compare", str(sweep), "--metric", "acuracy") == 2
    assert "no metric acuracy\nmetrics: accuracy, f1" in capsys.readouterr().err


def test_wrong_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("compare", "--help") == 0
    assert "--baseline" in capsys.readouterr().out
    assert paraphrase("compare", "runs", "--resamples", "5") == 2
    assert "'5' is not a number of 100 or more" in capsys.readouterr().err
    assert paraphrase("compare", "no/such/run") == 2
    assert "no/such/run does not exist" in capsys.readouterr().err


def test_equal_predictions_under_other_seeds_count_once(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", {1: 0.7, 2: 0.85}, range(3))
    shutil.copy(sweep / "0" / "predictions.parquet", sweep / "1" / "predictions.parquet")
    found = compared(sweep)
    assert [len(one.runs) for one in found.candidates] == [2, 3]
    assert f"{sweep / '1'} counts once with {sweep / '0'}: equal predictions, under another seed." in found.notes
    assert found.differences[0].verdict.startswith("too few seeds to compare the recipes (2, need 3)")


@pytest.mark.parametrize(("each_metric", "questions"), [(False, 1), (True, 2)])
def test_accuracy_and_f1_are_one_question_unless_asked(tmp_path: Path, each_metric: bool, questions: int) -> None:
    sweep = write_sweep(tmp_path, {1: 0.80, 2: 0.82}, [0])
    found = compare_runs(read_runs([str(sweep)]), resamples=500, by_slice=False, each_metric=each_metric)
    smaller, larger = sorted(found.whole, key=lambda one: one.p_value)
    assert smaller.p_adjusted == pytest.approx(questions * smaller.p_value)
    assert larger.p_adjusted >= larger.p_value


def test_what_counts_as_equal_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = write_sweep(tmp_path / "sweep", {1: 0.82, 2: 0.83}, range(3), spread=0.002)
    for margin, outcome in (("0.2", "equal within 20.0 points: "), ("0.0001", "undecided: ")):
        assert paraphrase("compare", str(sweep), "--resamples", "500", "--equal-within", margin) == 0
        assert f"accuracy: {outcome}" in " ".join(capsys.readouterr().out.split())
    assert paraphrase("compare", str(sweep), "--equal-within", "1.5") == 2
    assert "'1.5' is not a number between 0 and 1, such as 0.005 for half a point" in capsys.readouterr().err


def test_one_cluster_and_a_large_one_are_named(tmp_path: Path) -> None:
    table = pair_table(300)
    one, most = ["hub", *table.sentence1[1:]], 200
    for number, (first, expected) in enumerate([
        (["hub"] * 300, "accuracy cannot be compared on these pairs: shared sentences connect all of them into one cluster"),
        (["hub"] * most + one[most:], "One cluster holds 67% of the pairs: the intervals hang on it, and are rough."),
    ]):  # fmt: skip
        of_hub = PairTable(table.ids, first, table.sentence2, table.labels)
        runs = [
            write_run(tmp_path / f"{number}{name}", 0.8, table=of_hub, config={"model.num_layers": name}) for name in (1, 2)
        ]
        found = compared(*runs)
        assert any(note.startswith(expected) for note in found.notes), found.notes
        assert "(the largest holds " in found.scope


def test_paired_seeds_find_what_the_spread_over_seeds_hides(tmp_path: Path) -> None:
    """Both recipes go well and badly with the same seeds, and one is always ahead."""
    runs = [
        write_run(
            tmp_path / f"{layers}{seed}", base + 0.05 * seed, seed=seed, config={"seed": seed, "model.num_layers": layers}
        )
        for layers, base in ((1, 0.70), (2, 0.74))
        for seed in (range(4) if layers == 1 else reversed(range(1, 5)))
    ]
    apart, paired = (compared(*runs, paired_seeds=kind) for kind in (False, True))
    assert [one.seeds for one in paired.candidates] == [(1, 2, 3), (1, 2, 3)]
    assert (apart.differences[0].ahead or 1.0) < (paired.differences[0].ahead or 0.0) == 1.0
    widths = [one.differences[0].high - one.differences[0].low for one in (paired, apart)]
    assert widths[0] < widths[1] / 2
    assert "Left out, since not all have them: seeds 0 of num_layers=1." in paired.notes
    with pytest.raises(UserError, match="compares seed by seed, and the recipes have no seed in common"):
        compared(*runs[:1], *runs[4:5], paired_seeds=True)
