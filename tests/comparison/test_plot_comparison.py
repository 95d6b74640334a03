"""The picture of a comparison: what stands in it, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from commands import paraphrase
from figures import reaches_the_edge, texts
from paraphrase_lab.plots.comparison import plot_comparison, plot_curve
from paraphrase_lab.statistics.comparison import Comparison, Difference


def difference(
    a: str, b: str, *, part: str = "all", metric: str = "accuracy", middle: float = 0.02, **values: Any
) -> Difference:
    ends = {"low": middle - 0.01, "high": middle + 0.01}
    known = {
        "metric": metric, "slice": part, "a": a, "b": b, "value_a": 0.5, "value_b": 0.5 + middle, "difference": middle,
        **ends, "pairs_low": ends["low"], "pairs_high": ends["high"], "p_value": 0.2, "p_adjusted": 0.2, "pairs": 2_000,
    }  # fmt: skip
    return Difference(**{**known, **values})


def comparison(*differences: Difference, metric: str = "accuracy") -> Comparison:
    return Comparison("models", "test", "f" * 64, 2_000, 500, 4, 1_000, metric, (), differences, ())


def lines(figure: Figure) -> list[tuple[list[float], list[float]]]:
    """Ends (x, y) of every interval."""
    drawn_lines = [line for line in figure.axes[0].get_lines() if line.get_linewidth() == 2]
    return [(np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()) for line in drawn_lines]


def marks(figure: Figure) -> list[Any]:
    return [line for line in figure.axes[0].get_lines() if line.get_marker() == "o"]


def test_two_candidates_on_the_whole_set_and_by_slice(tmp_path: Path, drawn: list[Figure]) -> None:
    sure = difference("one", "two", seeds_low=-0.01, seeds_high=0.05, better="two")
    plot_comparison(comparison(sure, difference("one", "two", part="same bag", middle=-0.03, pairs=500)), tmp_path / "plot.png")
    (figure,) = drawn
    said = texts(figure)
    assert "Difference in accuracy on 2,000 test pairs: two - one" in said
    assert "all (2,000)" in said and "same bag (500)" in said
    assert "accuracy, points; right of 0 the first one named is better" in said
    assert all(name in said for name in ("95 % over pairs and seeds", "pairs alone", "seeds alone"))
    ends = [xs for xs, _ in lines(figure)]
    assert ends[0] == pytest.approx([1, 3]) and ends[1] == pytest.approx([1, 3]) and ends[2] == pytest.approx([-1, 5])
    assert ends[3] == pytest.approx([-4, -2])
    assert [mark.get_markerfacecolor() != "white" for mark in marks(figure)] == [True, False]
    with Image.open(tmp_path / "plot.png") as image:
        assert image.format == "PNG" and 500 < image.width < 1400


def test_several_candidates_stand_in_groups(tmp_path: Path, drawn: list[Figure]) -> None:
    given = [difference(a, b, part=part) for part in ("all", "<6 words") for a, b in (("one", "two"), ("one", "x" * 60))]
    plot_comparison(comparison(*given), tmp_path / "plot.png")
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["", "all (2,000)", "<6 words (2,000)"] * 2
    assert [(text.get_text(), text.get_position()[1]) for text in axes.texts] == [
        ("two - one", 0), (f"{'x' * 60}\n- one", 3),
    ]  # fmt: skip
    assert sorted(y for _, (y, _) in lines(drawn[0])) == [1, 2, 4, 5]  # below the names, not beside them


def test_a_metric_where_less_is_better(tmp_path: Path, drawn: list[Figure]) -> None:
    given = [difference("one", "two"), difference("one", "two", metric="nll", middle=-0.2)]
    plot_comparison(comparison(*given, metric="nll"), tmp_path / "plot.png")
    assert "nll; left of 0 the first one named is better" in texts(drawn[0])
    assert [xs for xs, _ in lines(drawn[0])] == [pytest.approx([-0.21, -0.19])]  # as it is, not in points
    assert "over seeds" not in texts(drawn[0])


def test_nothing_to_draw(tmp_path: Path, drawn: list[Figure]) -> None:
    plot_comparison(comparison(), tmp_path / "below" / "plot.png")
    assert "no differences" in texts(drawn[0]) and (tmp_path / "below" / "plot.png").is_file()


A = "model=modernbert_base learning_rate=2e-05 batch_size=16"
B = "model=roberta_large learning_rate=1e-05 batch_size=32 label_smoothing=0.1"


@pytest.mark.parametrize("versus", [((A, B),), ((A, B), (A, "c" * 90), (B, "short"))], ids=["two", "four"])
def test_long_names_are_not_cut(versus: tuple[tuple[str, str], ...], tmp_path: Path, drawn: list[Figure]) -> None:
    parts = ("all", "overlap 0.45-0.58", "same bag of words")
    given = [difference(a, b, part=part, seeds_low=-0.02, seeds_high=0.05) for a, b in versus for part in parts]
    plot_comparison(comparison(*given), tmp_path / "plot.png")
    assert not reaches_the_edge(tmp_path / "plot.png")
    assert f"{B[:59]}…\n- {A}" in texts(drawn[0])


def test_long_keys_of_a_curve_are_not_cut(tmp_path: Path) -> None:
    key = "callbacks.weight_averaging.a_long_name.decay_of_the_average"
    plot_curve({1e-5: [0.5, 0.6], 1e-3: [0.4]}, tmp_path / "curve.png", key=key, metric="accuracy", split="validation")
    assert not reaches_the_edge(tmp_path / "curve.png")


@pytest.mark.parametrize(("name", "begins"), [("a.pdf", b"%PDF"), ("a.svg", b"<?xml"), ("a.PNG", b"\x89PNG")])
def test_the_ending_chooses_the_format(name: str, begins: bytes, tmp_path: Path) -> None:
    plot_comparison(comparison(difference("one", "two")), tmp_path / name)
    written = (tmp_path / name).read_bytes()
    plot_comparison(comparison(difference("one", "two")), tmp_path / name)
    assert written.startswith(begins) and (tmp_path / name).read_bytes() == written


@pytest.mark.parametrize("name", ["a.jpeg", "a", "a.png.txt"])
def test_another_ending_is_refused_before_anything_is_computed(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paraphrase("compare", str(tmp_path / "no-run"), "--plot", str(tmp_path / name)) == 2
    said = capsys.readouterr().err
    assert "has no ending of a picture" in said and ".png, .pdf, .svg" in said and "no-run" not in said
