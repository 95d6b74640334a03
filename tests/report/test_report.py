"""`paraphrase report` on records written as a sweep writes them: which text is where, and in which form."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import paraphrase
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.errors import UserError
from paraphrase_lab.lifecycle.evaluation import ScoredSplit, write_predictions
from paraphrase_lab.metrics.binary import decide
from paraphrase_lab.report import gather, render, sections_of
from paraphrase_lab.runs.listing import read_runs
from paraphrase_lab.runs.predictions import read_predictions
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.runs.row import RunRow
from reported_runs import write_reported_sweep
from written_runs import CALIBRATION, margins, pair_table, write_run

SECTIONS = (
    "verdict", "runs", "differences", "curves", "slices", "swept", "symmetry", "calibration", "hardest", "settings",
    "provenance",
)  # fmt: skip
HOSTILE = 'He said: <script>alert("1")</script> & <img src="https://example.com/x.png" onerror=alert(2)>'


class Page(HTMLParser):
    """Elements with their attributes, the text of sections, and what the page would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.sections: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._section = "head"
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"] or ""

    def handle_data(self, data: str) -> None:
        self.sections[self._section] = self.sections.get(self._section, "") + " ".join(data.split()) + " "

    def values(self, *attributes: str) -> list[str]:
        return [str(given[name]) for _, given in self.tags for name in attributes if name in given]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reported_sweep(tmp_path_factory.mktemp("report") / "sweep")


@pytest.fixture(scope="module")
def page(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    file = tmp_path_factory.mktemp("page") / "new" / "report.html"
    assert paraphrase("report", str(sweep), "--output", str(file)) == 0
    return Page(file.read_text(encoding="utf-8"))


def reported(rows: list[RunRow], form: str = "html", **options: Any) -> str:
    return render(gather(rows, title="runs", **options), form)


def test_every_section_is_there(page: Page) -> None:
    assert tuple(name for name in page.sections if name != "head") == SECTIONS
    assert page.values("href")[1:] == [f"#{name}" for name in SECTIONS]
    assert "num_layers=2 against num_layers=1: num_layers=2 is better by " in page.sections["verdict"]
    assert "2 recipes with 3 runs each, which differ in model.num_layers" in page.sections["verdict"]
    mean = "The highest mean of test/accuracy: 0.8600, num_layers=2; predicting the larger class always gets 0.5600."
    assert mean in page.sections["verdict"]
    assert "0.7100 ± 0.0100" in page.sections["runs"] and "always the larger class (0.5600)" in page.sections["runs"]
    assert "600 test pairs (" in page.sections["differences"]
    assert all(f"num_layers={layers}" in page.sections["curves"] for layers in (1, 2))
    assert all(slice_name in page.sections["slices"] for slice_name in ("all", "larger class"))
    assert "prediction changes when swapped" in page.sections["symmetry"]
    assert "nll before nll after brier before" in page.sections["calibration"]
    assert "ece before ece after ece if calibrated" in page.sections["calibration"]
    assert "wrong in at least one run" in page.sections["hardest"]
    assert "model.num_layers 1 3: 0, 1, 2" in page.sections["settings"] and "model.hidden_size 32" in page.sections["settings"]
    assert "2.13.0 (0, 2, 3, 5); 2.12.0 (1, 4)" in page.sections["provenance"]
    assert "01234567 with changes" in page.sections["provenance"] and "22.0" in page.sections["provenance"]


def test_the_hardest_pairs(sweep: Path, page: Page) -> None:
    given = [read_predictions(Path(row.path)) for row in read_runs([str(sweep)])]
    failures = np.sum([decide(one.probabilities, one.threshold) != one.labels for one in given], axis=0)
    text = page.sections["hardest"]
    assert f"{(failures > 0).sum()} pairs of 600 wrong in at least one run, {(failures == 6).sum()} in all 6." in text
    shown = re.findall(r"pair (\d+) [^·]*ends here", text)
    assert len(shown) == 20 and all(failures[int(pair)] == 6 for pair in shown)
    assert text.count("wrong in 6 of 6: every run") == 20


def test_the_page_needs_nothing_beside_itself(page: Page) -> None:
    assert set(page.values("src", "xlink:href", "action", "srcset", "poster")) == set()
    assert {value for value in page.values("href") if not value.startswith("#")} == {"data:,"}
    assert not {tag for tag, _ in page.tags} & {"img", "iframe", "object", "embed", "base", "form"}
    assert not [name for _, given in page.tags for name in given if name.startswith("on") or name == "style"]


def test_only_the_own_script_and_style_may_run(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("report", str(sweep), "--to", "html", "--output", "-") == 0
    text = capsys.readouterr().out
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[0].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        ((content),) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_sentences_are_text_whatever_they_hold(tmp_path: Path) -> None:
    table = PairTable(["0", "1"], [HOSTILE, "a | b"], ["x", "*y*"], np.array([1, 0]))
    directory = write_run(tmp_path / "run", 0.5, table=table, config={"model.name": HOSTILE})
    write_predictions({"test": ScoredSplit(table, np.array([-2.0, 2.0]))}, CALIBRATION, directory / "predictions.parquet")
    rows = read_runs([str(tmp_path)])
    page = Page(reported(rows))
    assert HOSTILE in page.sections["hardest"] and HOSTILE in page.sections["settings"]
    assert [tag for tag, _ in page.tags].count("script") == 1 and "img" not in {tag for tag, _ in page.tags}


def test_the_file_lies_beside_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_reported_sweep(tmp_path / "runs" / "sweep", seeds=1)
    (tmp_path / "runs" / "sweep" / "multirun.yaml").touch()
    write_run(tmp_path / "other", 0.8)
    for words, file in (
        (["runs/sweep"], "runs/sweep/report.html"),
        ([], "runs/sweep/report.html"),  # of the newest run the whole sweep
        (["latest"], "runs/sweep/1/report.html"),
        (["runs/sweep/0"], "runs/sweep/0/report.html"),
        (["runs/sweep", "other"], "paraphrase-report.html"),
    ):
        assert paraphrase("report", *words) == 0
        assert capsys.readouterr().out == f"{file}\n"
        (tmp_path / file).unlink()


def test_runs_of_several_places_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same recipe in two directories, as before and after a change of the code."""
    monkeypatch.chdir(tmp_path)
    for place, share in (("before", 0.7), ("after", 0.9)):
        write_reported_sweep(tmp_path / place, {1: share})
    assert paraphrase("report", "before", "after", "--output", "report.md") == 0
    text = Path("report.md").read_text(encoding="utf-8")
    assert text.startswith("# before, after\n") and "| before | 3 |" in text and "| after/2 |" in text
    assert re.search(r"^- after against before: after is better by \d", text, re.MULTILINE)


def test_markdown(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("report", str(sweep), "--to", "markdown", "--title", "Depth *and* more") == 0
    text = capsys.readouterr().out
    assert text.startswith("# Depth \\*and\\* more\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "In short",
        "Runs",
        "Differences",
        "By slice",
        "Symmetry and probes",
    ]
    for block in re.split(r"\n\n", text):
        if block.startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
    assert r"| num\_layers=2 | 3 | 0, 1, 2 | 0.8600 | 0.0100 |" in text


def test_absurd_probes_are_in_the_verdict(tmp_path: Path) -> None:
    write_reported_sweep(tmp_path, {2: 0.8}, seeds=2)
    for row in read_runs([str(tmp_path)]):
        record = RunRecord.read(Path(row.path))
        rates = {"test/random_positive_rate": 0.7 + 0.1 * row.seed, "test/identical_positive_rate": 1.0}
        record.update(metrics={**record.values["metrics"], **rates})
    verdict = Page(reported(read_runs([str(tmp_path)]))).sections["verdict"]
    assert "test: 75.0% of unrelated pairs are called paraphrases (random_positive_rate); training pairs of" in verdict
    assert "identical_positive_rate" not in verdict


def test_one_run(tmp_path: Path) -> None:
    write_reported_sweep(tmp_path, {2: 0.8}, seeds=1)
    page = Page(reported(read_runs([str(tmp_path)])))
    assert "test/accuracy 0.8000; predicting the larger class always gets 0.5600" in page.sections["verdict"]
    assert "No comparison: only one run has predictions for test here" in page.sections["differences"]
    assert set(page.sections) == {"head", *SECTIONS} - {"swept"}


def test_runs_on_different_data(tmp_path: Path) -> None:
    for name, layers, seed in (("a", 1, 0), ("b", 2, 0), ("c", 3, 5)):
        write_run(tmp_path / name, 0.8, table=pair_table(seed=seed), config={"model.num_layers": layers})
    page = Page(reported(read_runs([str(tmp_path)])))
    fingerprints = [pair_table(seed=seed).fingerprint[:8] for seed in (0, 5)]
    assert "were scored on different test pairs, so their figures cannot be compared." in page.sections["verdict"]
    assert "mean" not in page.sections["verdict"]
    assert all(one in page.sections["differences"] for one in fingerprints)
    assert f"c was evaluated on other data (fingerprint {fingerprints[1]}, not {fingerprints[0]})" in page.sections["runs"]
    assert "num_layers=3" not in page.sections["calibration"] and "num_layers=2" in page.sections["calibration"]


def test_unfinished_runs_are_listed_and_not_compared(tmp_path: Path) -> None:
    write_reported_sweep(tmp_path)
    RunRecord.read(tmp_path / "5").update(status="failed", error="loss is not finite", metrics={})
    (tmp_path / "5" / "predictions.parquet").unlink()
    page = Page(reported(read_runs([str(tmp_path)])))
    assert "6 runs (5 finished, 1 failed): 2 recipes with 2 to 3 runs each" in page.sections["verdict"]
    assert "failed: loss is not finite" in page.sections["runs"]
    assert "Where some seeds of a recipe fail, the others flatter it." in page.sections["runs"]
    assert "Too few seeds to compare the recipes (2, need 3): the following is about these models" in page.sections["verdict"]


def test_no_sentence_is_repeated_where_seeds_are_too_few(tmp_path: Path) -> None:
    write_reported_sweep(tmp_path, {1: 0.7, 2: 0.7, 3: 0.7}, seeds=2)
    said = Page(reported(read_runs([str(tmp_path)]))).sections["verdict"]
    assert said.count("oo few seeds to compare the recipes (2, need 3)") == 1
    assert "for these two models" not in said and "num_layers=2 against num_layers=1" in said
    assert "The highest mean of test/accuracy: 0.7050, num_layers=1, num_layers=2, num_layers=3" in said


def test_nothing_has_finished(tmp_path: Path) -> None:
    RunRecord(tmp_path / "0").update(status="failed", error="no such file", config={"seed": 0})
    page = Page(reported(read_runs([str(tmp_path)])))
    assert "1 run (1 failed); none of them has finished" in page.sections["verdict"].replace("0 finished, ", "")
    assert "failed: no such file" in page.sections["runs"]


def test_records_of_remote_runs(sweep: Path) -> None:
    """The records come from S3 or W&B, without any other file of the run."""
    rows = [replace(row, path=f"s3://bucket/sweep/{row.name}") for row in read_runs([str(sweep)])]
    page = Page(reported(rows))
    assert "0.7100 ± 0.0100" in page.sections["runs"] and "only its record is shown here" in page.sections["runs"]
    assert "no run has predictions for test here" in page.sections["differences"]
    assert "Parallel coordinates" in page.sections["swept"] and "No run has a metrics.csv here" in page.sections["curves"]


def test_a_metric_of_which_less_is_better(sweep: Path) -> None:
    page = Page(reported(read_runs([str(sweep)]), metrics=("nll",)))
    assert "Lower is better here." in page.sections["differences"]
    assert "num_layers=2 is better: nll lower by" in page.sections["verdict"]
    assert "The lowest mean of test/nll: 0.1400, num_layers=2" in page.sections["verdict"]
    assert "the runs with the lowest test/nll" in page.sections["swept"]


def test_a_search_is_reported_on_validation(tmp_path: Path) -> None:
    table = pair_table()
    for name, share in (("0", 0.7), ("1", 0.9)):
        directory = write_run(tmp_path / name, share, config={"model.num_layers": int(name) + 1})
        scored = ScoredSplit(table, margins(table, share, 0))
        write_predictions({"validation": scored}, CALIBRATION, directory / "predictions.parquet")
        RunRecord.read(directory).update(
            metrics={"val_fitted/accuracy": share}, data={"validation": {"pairs": 600, "fingerprint": table.fingerprint}}
        )
    page = Page(reported(read_runs([str(tmp_path)])))
    assert "evaluated on validation" in page.sections["head"]
    assert "were chosen on these very pairs" in page.sections["differences"]


def test_many_recipes_are_compared_with_one(tmp_path: Path) -> None:
    write_reported_sweep(tmp_path, {layers: 0.6 + 0.04 * layers for layers in range(1, 9)}, seeds=1)
    rows = read_runs([str(tmp_path)])
    material = gather(rows, title="many")
    assert material.comparison is not None and {one.a for one in material.comparison.differences} == {"num_layers=1"}
    text = str([section.blocks for section in sections_of(material)])
    assert "Each is compared with num_layers=1; --baseline NAME chooses another." in text
    chosen = gather(rows, title="many", baseline="num_layers=3").comparison
    assert chosen is not None and {one.a for one in chosen.differences} == {"num_layers=3"}


def test_many_seeds_of_one_recipe(tmp_path: Path) -> None:
    write_reported_sweep(tmp_path, {2: 0.8}, seeds=7)
    assert "all 7 runs are one recipe" in reported(read_runs([str(tmp_path)]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--baseline", "num_layers=9"), "there is no candidate 'num_layers=9'\ncandidates: num_layers=1, num_layers=2"),
        (("--metric", "bleu"), "no run has the metric test/bleu\nmetrics: accuracy, f1"),
        (("--where", "model.num_layers>5"), "no run to report on"),
        (("--to", "wandb", "--output", "x"), "--to wandb writes no file"),
        (("--project", "x"), "--project is a project in W&B"),
        (("--output", "/dev/null/report.html"), "/dev/null/report.html cannot be written: "),
    ],
)
def test_mistakes(words: tuple[str, ...], said: str, sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("report", str(sweep), *words) == 2
    assert f"paraphrase report: {said}" in capsys.readouterr().err


def test_a_baseline_that_nothing_can_be_compared_with(tmp_path: Path) -> None:
    write_run(tmp_path, 0.8, config={"model.num_layers": 2})
    with pytest.raises(UserError, match="only one run has predictions"):
        gather(read_runs([str(tmp_path)]), title="one", baseline="num_layers=2")


def test_only_some_runs(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("report", str(sweep), "--where", "seed<2", "--output", "-", "--to", "markdown") == 0
    assert "4 runs: 2 recipes with 2 runs each" in capsys.readouterr().out
