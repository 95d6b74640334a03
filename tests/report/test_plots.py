import csv
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from figures import reaches_the_edge, texts
from paraphrase_lab.data.description import SplitPairs, describe
from paraphrase_lab.metrics.binary import decide
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.plots import (
    plot_confusion,
    plot_data,
    plot_lengths,
    plot_precision_recall,
    plot_reliability,
    plot_scores,
    plot_training,
)

ONE, TWO = np.array([1]), np.array([0, 1])


def scored_pairs(pairs: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = (random.random(pairs) < 0.44).astype(np.int64)
    return labels, np.where(labels == 1, 7.0, -7.0) + random.normal(scale=4, size=pairs)


def metrics_csv(path: Path, steps: int, every: int) -> list[dict[str, float | str]]:
    """Rows as a training run writes them: training and validation on rows of their own, empty cells between."""
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8", newline="") as handle:
        columns = ["step", "epoch", "train/loss", "train/lr", "val/nll", "val/accuracy", "val/f1"]
        writer = csv.DictWriter(handle, columns)
        writer.writeheader()
        for step in range(1, steps + 1):
            writer.writerow({"step": step, "train/loss": 0.7 / step + 0.1 * random.random(), "train/lr": 2e-5})
            if step % every == 0:
                scores = {"val/nll": 0.7 / step + 0.1, "val/accuracy": 0.95 - 0.4 / step, "val/f1": 0.9 - 0.4 / step}
                writer.writerow({"step": step, "epoch": step // every, **scores})
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def small_report(splits: tuple[str, ...] = ("train", "validation", "test"), lengths: np.ndarray | None = ONE * 40):
    return describe({name: SplitPairs(["a b"], ["b a"], ONE, lengths) for name in splits}, max_length=128)


def assert_good_png(path: Path) -> None:
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert 500 < image.width < 1400 and 400 < image.height < 1000
        assert len(image.convert("L").getcolors() or ()) > 20
    assert path.stat().st_size < 150_000


@pytest.mark.slow
def test_every_plot_of_a_full_sized_run(tmp_path):
    labels, margin = scored_pairs(8000)
    calibration = Calibration.fit(margin, labels)
    probabilities, raw = calibration.probabilities(margin), 1 / (1 + np.exp(-margin))
    lengths = np.random.default_rng(0).integers(10, 110, size=8000)
    splits = {name: SplitPairs(["a b c"] * 8000, ["a c b"] * 8000, labels, lengths) for name in ("train", "test")}
    plot_training(metrics_csv(tmp_path / "metrics.csv", 5000, 250), tmp_path / "training.png", majority_accuracy=0.56)
    plot_confusion(labels, decide(probabilities, calibration.threshold), tmp_path / "confusion.png")
    plot_precision_recall(labels, probabilities, calibration.threshold, tmp_path / "precision_recall.png")
    plot_reliability(labels, raw, probabilities, tmp_path / "reliability.png")
    plot_scores(labels, probabilities, calibration.threshold, tmp_path / "scores.png")
    plot_lengths({"train": lengths, "test": lengths}, 128, tmp_path / "lengths.png")
    plot_data(describe(splits, max_length=128), tmp_path / "data.png")
    pictures = sorted(tmp_path.glob("*.png"))
    assert len(pictures) == 7
    for picture in pictures:
        assert_good_png(picture)


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: plot_training([], path),
        lambda path: plot_training([{"step": 1, "train/loss": 0.7, "val/nll": "", "val/accuracy": 0.5}], path),
        lambda path: plot_training([{"step": "3", "train/loss": "nan", "val/nll": "inf"}, {"epoch": 1.0}], path),
        lambda path: plot_confusion(ONE, ONE, path),
        lambda path: plot_confusion(TWO, 1 - TWO, path),
        lambda path: plot_precision_recall(ONE, ONE * 0.9, 0.5, path),
        lambda path: plot_precision_recall(ONE - 1, ONE * 0.9, 0.5, path),
        lambda path: plot_precision_recall(ONE, ONE * 0.1, 0.5, path),
        lambda path: plot_reliability(ONE, ONE * 0.9, ONE * 1.0, path),
        lambda path: plot_reliability(ONE - 1, ONE * 0.0, ONE * 0.5, path),
        lambda path: plot_scores(ONE, ONE * 0.9, 0.5, path),
        lambda path: plot_scores(ONE - 1, ONE * 1.0, np.nextafter(1, 2), path),
        lambda path: plot_lengths({}, 128, path),
        lambda path: plot_lengths({"train": ONE * 200, "test": np.array([], dtype=int)}, 128, path),
        lambda path: plot_data(small_report(("train",), lengths=None), path),
        lambda path: plot_data(small_report(tuple("abcdefgh")), path),
        lambda path: plot_data(describe({"empty": SplitPairs([], [], np.array([], dtype=int))}), path),
        lambda path: plot_data(describe({}), path),
    ],
)
def test_degenerate_input_is_drawn(draw, tmp_path):
    draw(tmp_path / "new" / "plot.png")
    with Image.open(tmp_path / "new" / "plot.png") as image:
        assert image.format == "PNG"


def test_training_shows_the_best_values_and_the_baseline(tmp_path, drawn):
    rows = metrics_csv(tmp_path / "metrics.csv", 100, 20)
    plot_training(rows, tmp_path / "training.png", majority_accuracy=0.558)
    shown = texts(drawn[0])
    assert "train/loss, mean of 4 logged values" in shown
    assert "val/nll, lowest 0.107 at step 100" in shown
    assert "accuracy, best 94.6% at step 100" in shown
    assert "F1, best 89.6% at step 100" in shown
    assert "accuracy 55.8%" in shown
    loss, score = drawn[0].axes
    assert [line.get_xdata().size for line in loss.lines[:3]] == [100, 100, 5]  # type: ignore[union-attr]
    assert score.lines[0].get_xdata().tolist() == [20, 40, 60, 80, 100]  # type: ignore[union-attr]


def test_smoothing_keeps_a_straight_line_at_both_ends(tmp_path, drawn):
    plot_training([{"step": step, "train/loss": 0.5} for step in range(200)], tmp_path / "training.png")
    assert drawn[0].axes[0].lines[1].get_ydata() == pytest.approx(np.full(200, 0.5))


def test_confusion_shows_counts_and_shares_of_the_label(tmp_path, drawn):
    plot_confusion(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1]), tmp_path / "confusion.png")
    cells = [text.get_text() for text in drawn[0].axes[0].texts]
    assert cells == ["2", "66.7% of the row", "1", "33.3% of the row", "0", "0.0% of the row", "2", "100.0% of the row"]
    assert "80.0% of 5 pairs right" in texts(drawn[0])
    assert "labelled\nnot a paraphrase\n3 pairs" in texts(drawn[0])


def test_precision_recall_shows_the_threshold_and_the_baseline(tmp_path, drawn):
    plot_precision_recall(np.array([1, 0, 1, 0]), np.array([0.9, 0.6, 0.4, 0.1]), 0.5, tmp_path / "curve.png")
    shown = texts(drawn[0])
    assert "average precision 0.833" in shown
    assert "threshold 0.500: precision 50.0%, recall 50.0%" in shown
    assert "always positive: precision 50.0%" in shown


def test_reliability_shows_filled_bins_and_both_errors(tmp_path, drawn):
    labels, raw, calibrated = np.array([1, 0, 1, 0]), np.array([0.99, 0.98, 0.97, 0.01]), np.array([0.5, 0.5, 0.5, 0.0])
    plot_reliability(labels, raw, calibrated, tmp_path / "reliability.png")
    assert "before calibration: ECE 23.8%" in texts(drawn[0])
    assert "after calibration: ECE 12.5%" in texts(drawn[0])
    _, before, _, after, *_ = drawn[0].axes[0].lines
    assert before.get_xydata().tolist() == pytest.approx(np.array([[0.01, 0], [0.98, 2 / 3]]))  # type: ignore[union-attr]
    assert after.get_xydata().tolist() == pytest.approx(np.array([[0, 0], [0.5, 2 / 3]]))  # type: ignore[union-attr]


def test_scores_count_each_label(tmp_path, drawn):
    plot_scores(np.array([0, 0, 1]), np.array([0.1, 0.2, 0.9]), 0.561, tmp_path / "scores.png")
    shown = texts(drawn[0])
    assert "labelled not a paraphrase: 2 pairs" in shown and "labelled paraphrase: 1 pairs" in shown
    assert "threshold 0.561" in shown


def test_lengths_count_what_is_cut(tmp_path, drawn):
    plot_lengths({"train": np.array([10, 20, 140]), "test": np.array([30])}, 128, tmp_path / "lengths.png")
    assert "train: 3 pairs, median 20 tokens, 1 cut" in texts(drawn[0])
    assert "max_length 128" in texts(drawn[0])
    assert len(drawn[0].axes[0].lines) == 1, "the limit is drawn where it is in sight"
    plot_lengths({"test": np.array([30])}, 128, tmp_path / "lengths.png")
    assert not drawn[1].axes[0].lines


def test_data_shows_the_report(tmp_path, drawn):
    plot_data(small_report(("train", "test")), tmp_path / "data.png")
    shown = texts(drawn[0])
    assert "train\n1 pairs" in shown and "yes 100.0%" in shown
    assert "same bag\n(part of =1)" in shown
    assert [bar.get_height() for bar in drawn[0].axes[2].patches[:7]] == [0, 0, 0, 0, 0, 1, 1]  # type: ignore[attr-defined]


def test_leaves_no_trace_in_matplotlib(tmp_path):
    before = dict(matplotlib.rcParams)
    plot_confusion(ONE, ONE, tmp_path / "confusion.png")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.slow
def test_works_without_display_pyplot_and_torch(tmp_path):
    code = (
        "import sys, pathlib, numpy\n"
        "from paraphrase_lab.plots import plot_scores\n"
        f"plot_scores(numpy.array([0, 1]), numpy.array([.1, .9]), .5, pathlib.Path({str(tmp_path / 'scores.png')!r}))\n"
        "print(sorted({'matplotlib.pyplot', 'torch', 'hydra', 'tkinter'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    assert (tmp_path / "scores.png").stat().st_size > 1000


def test_bins_with_few_pairs_are_hollow(tmp_path, drawn):
    labels = np.repeat([0, 1, 0, 1], [20, 3, 2, 15])
    probabilities = np.repeat([0.1, 0.5, 0.5, 0.9], [20, 3, 2, 15])
    plot_reliability(labels, probabilities, probabilities, tmp_path / "few.png")
    marks = [line for line in drawn[0].axes[0].get_lines() if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in marks] == [[0.5], [0.5]]
    assert "hollow: under 10 pairs" in texts(drawn[0])
    plot_reliability(labels[:20], probabilities[:20], probabilities[:20], tmp_path / "many.png")
    assert "hollow" not in texts(drawn[1])


def test_nothing_of_a_data_set_is_cut_or_hidden(tmp_path, drawn):
    names = ("train", "validation", "test", "matched_validation_of_2019")
    questions = SplitPairs(["a b c d e", "a b", "a b c"] * 20, ["a x y z w", "a c", "c b a"] * 20, np.tile([0, 1, 1], 20))
    plot_data(describe(dict.fromkeys(names, questions), max_length=128), tmp_path / "data.png")
    assert not reaches_the_edge(tmp_path / "data.png")
    bands = [axes for axes in drawn[0].axes if axes.get_title(loc="left") == "Pairs by word overlap"]
    assert bands[0].get_legend() is None and "<0.33" in texts(drawn[0])
