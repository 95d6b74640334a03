"""The results that a study writes, from records as runs write them; and the index of the repository's experiments."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_study import ablation, planned

from checking import write
from commands import ROOT
from figures import texts
from paraphrase_lab.errors import RunError
from paraphrase_lab.plots.comparison import plot_curve
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.studies.index import index
from paraphrase_lab.studies.outcome import StudyOutcome, judge
from paraphrase_lab.studies.plan import PlannedRun, Study
from paraphrase_lab.studies.results import results_directory, write_results
from written_runs import pair_table, write_run

COMMAND = "paraphrase study ablation=mine"


def fill(run: PlannedRun, share: float, of_group: str = "", **values: Any) -> None:
    """The finished run of a job whose answers are right to about this share; `of_group`: the source of every second pair."""
    table = pair_table()
    if of_group:
        table = replace(table, groups=[of_group if number % 2 else "other" for number in range(len(table))])
    write_run(run.directory, share + 0.01 * run.seed, seed=run.seed, config={"seed": run.seed}, table=table)
    record = RunRecord.read(run.directory)
    parts = {"configuration": run.configuration, "code": run.code}
    record.note(
        **{
            "fingerprint": f"{run.number:064x}", "fingerprint_parts": parts, "seconds": {"training": 60.0},
            "metrics": {"test/accuracy": share, "test/flip_rate": 0.1 + run.number / 1000, "val_fitted/accuracy": 1 - share},
            "git": {"commit": "0123456789abcdef", "dirty": run.number == 0}, "versions": {"torch": "2.13.0"},
            "device": {"kind": "cpu", "name": "A CPU", "count": 1}, "precision": {"used": "bf16-mixed"},
            "baselines": {"test": {"majority": {"accuracy": 0.5}, "bigrams": {"accuracy": 0.6 + run.number / 100}}},
            "ended": "2026-01-02T00:00:00+00:00", **values,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    directory = tmp_path_factory.mktemp("study")
    more = "baseline: [model.num_layers=2]\nreport: [flip_rate]"
    ablation(directory, more=more, params=("model.num_layers: 1,2,3", "seed: 0,1,2"))
    return planned(directory, sweep=directory / "runs" / "mine")


@pytest.fixture(scope="module")
def outcome(study: Study) -> StudyOutcome:
    shares = {"num_layers=1": 0.6, "num_layers=2": 0.8, "num_layers=3": 0.805}
    for run in study.runs:
        fill(run, shares[run.arm.name])
    return judge(study)


def test_the_verdict_is_one_sentence_about_test(outcome: StudyOutcome) -> None:
    assert outcome.comparison.question == "recipes" and outcome.comparison.split == "test"
    assert outcome.verdict.startswith("In accuracy, compared with num_layers=2: num_layers=1 is worse by ")
    assert "; num_layers=3: undecided: " in outcome.verdict and outcome.verdict.endswith(".")
    assert [one.name for one in outcome.comparison.candidates] == ["num_layers=1", "num_layers=2", "num_layers=3"]
    assert outcome.notes == () and outcome.minutes == pytest.approx(9)


def test_the_page(outcome: StudyOutcome, tmp_path: Path) -> None:
    files = write_results(outcome, tmp_path / "results", COMMAND)
    assert [file.name for file in files] == ["mine.md", "mine.csv", "mine.png"]
    page = files[0].read_text(encoding="utf-8")
    assert page.startswith("# mine\n\n**Question.** How deep?\n\n**Hypothesis.** deeper\n\n**Verdict.** In accuracy, ")
    assert "| num_layers=2 | 3 | 80.00 ± 0.00 | 0.1040 ± 0.0010 | 20.00 ± 0.00 | 1.0 |" in page
    assert "there num_layers=1 is best, val_fitted/accuracy 40.00 on average" in page, "validation decides, not test"
    floors = "Floors on the same test pairs, the best of all trainings' pairs, test/accuracy, points"
    assert f"\n\n{floors}: majority 50.00, bigrams 68.00.\n\n" in page
    assert "p is corrected for the number of questions (Holm). Better: p below 0.05. Equal: shown " in page
    assert "600 test pairs in 200 clusters" in page and "over the seeds 0, 1, 2." in page
    assert "| num_layers=1 - num_layers=2 | test/flip_rate | -0.0030 | " in page
    assert (
        "\n\nThe verdict is about accuracy only. Without a verdict, in the first table; below, their differences from the "
        "baseline: flip_rate.\n\n" in page
    )
    assert f"| command | `{COMMAND}` |" in page
    assert "| commit | 0123456789ab, with uncommitted changes; 0123456789ab |" in page
    assert "| machine | A CPU, 1 x cpu, bf16-mixed |" in page
    assert (
        "| time | 9.0 minutes of the 5 planned for 1 CPU core, all runs one after the other; 2026-01-01 to 2026-01-02 |" in page
    )
    assert f"| test data | fingerprint {outcome.comparison.fingerprint[:12]} |" in page
    assert "| num_layers=1 | 0 | 60.00 | 60 | `mine/0` | 000000000000 |" in page, "no path of this machine"
    assert str(tmp_path.parent) not in page


def test_the_verdict_is_about_the_pairs_that_are_named(tmp_path: Path) -> None:
    """A source of a mixture; a metric of other pairs stands beside it."""
    ablation(tmp_path, more="baseline: [model.num_layers=2]", params=("model.num_layers: 1,2", "seed: 0,1,2"))
    study = planned(tmp_path, sweep=tmp_path / "runs" / "mine")
    study = replace(study, split="test_paws", report=("checklist_test/accuracy", "nll"))
    for run in study.runs:
        named = {
            "test_paws/accuracy": 0.7,
            "test_paws/nll": 0.5,
            "checklist_test/accuracy": 0.8,
            "val_fitted_paws/accuracy": 0.6,
        }
        fill(run, 0.8 if run.arm.name == "num_layers=2" else 0.6, metrics=named, of_group="paws")
    found = judge(study)
    assert (found.comparison.split, found.comparison.pairs) == ("test_paws", 300)
    (file, *_) = write_results(found, tmp_path / "results", COMMAND)
    page = file.read_text(encoding="utf-8")
    assert (
        "test_paws/accuracy, points | checklist_test/accuracy, points | test_paws/nll | val_fitted_paws/accuracy, points"
        in page
    )
    assert "300 test_paws pairs in " in page and "| num_layers=2 | 3 | 70.00 ± 0.00 | 80.00 ± 0.00 | 0.5000 ± 0.0000 |" in page
    assert "The verdict is about test_paws/accuracy only. Without a verdict, in the first table" in page


def test_the_table_has_a_row_per_run(outcome: StudyOutcome, tmp_path: Path) -> None:
    write_results(outcome, tmp_path, COMMAND)
    with (tmp_path / "mine.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    last = rows[-1]
    assert (last["study"], last["arm"], last["model.num_layers"], last["seed"]) == ("mine", "num_layers=3", "3", "2")
    assert float(last["test/accuracy"]) == 0.805 and last["fingerprint"] == f"{8:064x}"
    assert (last["commit"], last["dirty"], last["test_data"]) == ("0123456789abcdef", "False", outcome.comparison.fingerprint)


def test_a_number_that_was_varied_gives_a_curve(outcome: StudyOutcome, tmp_path: Path, drawn: list[Figure]) -> None:
    write_results(outcome, tmp_path, COMMAND)
    (figure,) = drawn
    assert "accuracy on test over model.num_layers" in texts(figure)
    means = [line for line in figure.axes[0].get_lines() if line.get_marker() == "D"]
    assert [np.asarray(line.get_xdata()).tolist() for line in means] == [[1, 2, 3]]
    assert [np.asarray(line.get_ydata()).tolist() for line in means] == [pytest.approx([60, 80, 80.5])]


def test_wide_numbers_stand_on_a_logarithmic_axis(tmp_path: Path, drawn: list[Figure]) -> None:
    for values in ({1e-4: [0.5], 1e-2: [0.6]}, {1.0: [0.5], 2.0: [0.6]}):
        plot_curve(values, tmp_path / "x.png", key="optimizer.lr", metric="nll", split="test")
    assert [figure.axes[0].get_xscale() for figure in drawn] == ["log", "linear"]


def test_other_arms_give_a_picture_of_the_differences(tmp_path: Path, drawn: list[Figure]) -> None:
    ablation(tmp_path, params=("model: '{dropout:0.0},{layer_decay:0.9}'", "seed: 0,1,2"))
    study = planned(tmp_path, sweep=tmp_path / "sweep")
    for run in study.runs:
        fill(run, {"dropout=0.0": 0.6, "layer_decay=0.9": 0.8}[run.arm.name])
    found = judge(study)
    assert found.verdict.startswith("In accuracy, compared with dropout=0.0: layer_decay=0.9 is better by ")
    write_results(found, tmp_path / "out", COMMAND)
    assert "Difference in accuracy on 600 test pairs" in texts(drawn[0])


def test_what_has_not_finished_is_named(study: Study, outcome: StudyOutcome, tmp_path: Path) -> None:
    ablation(tmp_path, more="baseline: [model.num_layers=2]", params=("model.num_layers: 1,2,3", "seed: 0,1,2"))
    mine = planned(tmp_path, sweep=tmp_path / "sweep")
    for run in mine.runs[:3]:
        fill(run, 0.6)
    with pytest.raises(
        RunError,
        match="3 of 9 runs of mine have finished: nothing to compare yet\nnum_layers=2 with seed 0 .job 3. has not run",
    ):
        judge(mine)
    for run in mine.runs[6:]:
        fill(run, 0.8)
    RunRecord.read(mine.runs[8].directory).note(status="failed", error="TrainingError: no")
    found = judge(mine)
    assert "num_layers=3 with seed 2 (job 8) is failed: TrainingError: no" in found.notes
    assert "num_layers=2, the baseline, has no finished run, so each is compared with each." in found.notes
    assert "num_layers=2 with seed 1 (job 4) has not run." in found.notes
    write_results(found, tmp_path, COMMAND)
    assert "is failed: TrainingError: no" in (tmp_path / "mine.md").read_text(encoding="utf-8")


def test_where_results_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from paraphrase_lab.studies import results

    assert results_directory(ROOT / "experiments/ablation/x.yaml") == ROOT / "experiments/results"
    assert results_directory(tmp_path / "ablation/x.yaml") == tmp_path / "results"
    monkeypatch.setattr(results, "SOURCE_ROOT", None)
    assert results_directory(ROOT / "experiments/ablation/x.yaml") == Path("experiments/results")
    assert results_directory(tmp_path / "ablation/x.yaml") == tmp_path / "results"


def notes(**fields: str) -> str:
    return "# @package _global_\n" + "".join(f"# {name}: {text}\n" for name, text in fields.items()) + "{}\n"


def test_the_index_tells_what_was_run(outcome: StudyOutcome, tmp_path: Path) -> None:
    files: Mapping[str, str] = {
        "ablation/mine.yaml": notes(Question="How deep?", Command=COMMAND),
        "ablation/other.yaml": notes(Question="Or | not?", Command="paraphrase study ablation=other"),
        "experiment/alone.yaml": notes(Question="One?", Command="paraphrase train", Result="99 %"),
    }
    for name, text in files.items():
        write(tmp_path, name, text)
    write_results(outcome, tmp_path / "results", COMMAND)
    lines = index(tmp_path).splitlines()
    assert (
        f"| [mine](ablation/mine.yaml) | How deep? | `{COMMAND}` | 9 | {outcome.verdict} [Results](results/mine.md) |" in lines
    )
    assert "| [other](ablation/other.yaml) | Or \\| not? | `paraphrase study ablation=other` |  | not run yet |" in lines
    assert "| [alone](experiment/alone.yaml) | One? | `paraphrase train` |  | 99 % |" in lines


def test_the_index_of_the_repository_is_what_the_generator_makes() -> None:
    written = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
    assert written == index(ROOT / "experiments"), "paraphrase study --index"
