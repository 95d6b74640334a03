"""Draws the README's two pictures, docs/images/report.png and compare.png, from six runs of this repository.

    python scripts/make_pictures.py [--runs DIR]

Trains them first where DIR (default: runs/depth) has none: five to ten minutes on 2 cores. Needs Chromium or Chrome.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
TRAIN = (
    "train", "-m", "experiment=word_order_tiny", "seed=0,1,2", "model.num_layers=1,2", "data.train_pairs=20000",
    "trainer.max_epochs=3",
)  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
COLUMNS = 96
CHARACTER, LINE = 12.2, 24.4
"""Pixels of a character and of a line in rich's SVG of a terminal."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/depth"), help="the sweep's directory (default: runs/depth)")
    runs = parser.parse_args().runs
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        parser.error(f"no browser; install one of {', '.join(BROWSERS)}")
    if not runs.exists():
        paraphrase(*TRAIN, f"hydra.sweep.dir={runs}")
    IMAGES.mkdir(parents=True, exist_ok=True)
    paraphrase("report", str(runs))
    screenshot(browser, runs / "report.html", IMAGES / "report.png", 1280, 830)
    with tempfile.TemporaryDirectory() as directory:
        drawing = Path(directory) / "compare.svg"
        lines = draw_terminal(paraphrase("compare", str(runs)), f"paraphrase compare {runs}", drawing)
        screenshot(browser, drawing, IMAGES / "compare.png", round(COLUMNS * CHARACTER) + 20, round(lines * LINE) + 64)


def paraphrase(*words: str) -> str:
    """Run the command in colour, `COLUMNS` wide, and return what it printed; what it says on stderr is shown.

    Raises:
        subprocess.CalledProcessError: It ended with another code than 0.
    """
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1"}
    command = [sys.executable, "-m", "paraphrase_lab", *words]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def draw_terminal(printed: str, title: str, file: Path) -> int:
    """Write an SVG of a terminal with this text in it, and return the number of its lines."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    text = Text.from_ansi(printed.rstrip())
    console.print(text)
    console.save_svg(str(file), title=title)
    return len(console.render_lines(text))


def screenshot(browser: str, page: Path, picture: Path, width: int, height: int) -> None:
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{height}")
    command = [browser, *flags, f"--screenshot={picture}", page.absolute().as_uri()]
    subprocess.run(command, check=True, capture_output=True)
    print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
