"""The page of `paraphrase report` as a browser shows it: on a phone and a desktop, light and dark, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Browser, find_browser
from commands import paraphrase
from reported_runs import write_reported_sweep

PHONE, DESKTOP = (390, 844), (1280, 900)
WIDER_THAN_THE_WINDOW = """
[...document.querySelectorAll("body *")]
  .filter((one) => !one.closest(".scroll") && !one.closest("svg") && one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 80))
"""
CONTRASTS = r"""
(() => {
  const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (one) => {
    const colour = getComputedStyle(one).backgroundColor;
    return one.parentElement && parts(colour)[3] === 0 ? behind(one.parentElement) : colour;
  };
  const found = {};
  for (const one of document.querySelectorAll("h1, h2, p, a, li, td, th button, summary, .note, .facts, svg text")) {
    const style = getComputedStyle(one);
    const [a, b] = [one.closest("svg") ? style.fill : style.color, behind(one.closest("svg") ?? one)].map(parts).map(light);
    found[one.tagName + "." + one.className] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }
  return found;
})()
"""
"""Contrast of text and what is behind it, as WCAG 2 defines it: 4.5 is asked for."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium or Chrome on this machine")
    with Browser(program) as one:
        yield one


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sweep = write_reported_sweep(tmp_path_factory.mktemp("browser") / "sweep")
    assert paraphrase("report", str(sweep)) == 0
    return sweep / "report.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_can_be_read(size: tuple[int, int], dark: bool, browser: Browser, file: Path) -> None:
    browser.open(file, *size, dark=dark)
    assert browser.messages == [] and browser.requests == [file.as_uri()]
    assert browser.evaluate("innerWidth") == size[0]
    assert browser.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert browser.evaluate(WIDER_THAN_THE_WINDOW) == []
    assert browser.evaluate("[...document.querySelectorAll('section')].filter((one) => one.offsetHeight < 60).length") == 0
    assert browser.evaluate("document.querySelectorAll('section').length") == 11
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 23, 28)" if dark else "rgb(255, 255, 255)")
    contrasts = browser.evaluate(CONTRASTS)
    assert len(contrasts) > 8 and {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_short_names_are_not_broken(size: tuple[int, int], browser: Browser, file: Path) -> None:
    browser.open(file, *size, dark=False)
    heights = """
    [...document.querySelectorAll("td:first-child")].filter((one) => one.textContent.trim() === "num_layers=1")
      .map((one) => one.getClientRects()[0].height)
    """
    found = browser.evaluate(heights)
    assert found and max(found) < 40  # one line of text and the space around it


def test_a_wide_table_scrolls_by_itself(browser: Browser, file: Path) -> None:
    browser.open(file, *PHONE, dark=False)
    widths = "[...document.querySelectorAll('#differences .scroll')].map((one) => [one.scrollWidth, one.clientWidth])"
    ((whole, shown),) = browser.evaluate(widths)
    assert whole > shown and shown <= PHONE[0]


def test_a_click_sorts_a_table(browser: Browser, file: Path) -> None:
    browser.open(file, *DESKTOP, dark=False)
    table = "#runs div.block:last-of-type table"
    names = browser.evaluate(f"[...document.querySelectorAll('{table} th')].map((one) => one.textContent)")
    column = names.index("test/accuracy") + 1
    read = f"[...document.querySelectorAll('{table} td:nth-child({column})')].map((one) => Number(one.textContent))"
    before = browser.evaluate(read)
    for expected in (sorted(before), sorted(before, reverse=True)):
        browser.click(f"{table} th:nth-child({column}) button")
        assert browser.evaluate(read) == expected
    assert before != sorted(before, reverse=True)
    assert browser.evaluate(f"document.querySelectorAll('{table} [aria-sort=descending]').length") == 1
    assert browser.messages == []


def test_the_reader_chooses_light_or_dark(browser: Browser, file: Path) -> None:
    browser.open(file, *PHONE, dark=True)
    assert browser.evaluate("document.getElementById('theme').textContent") == "Light"
    browser.click("#theme")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_what_a_mark_stands_for_is_said_under_the_finger(browser: Browser, file: Path) -> None:
    browser.open(file, *PHONE, dark=False)
    browser.click("#runs svg .marker")
    assert "(seed 0): 0.7000" in browser.evaluate("document.getElementById('tip').innerText")
    assert browser.evaluate("document.getElementById('tip').getBoundingClientRect().right") <= PHONE[0]


def test_a_script_that_is_not_the_pages_own_does_not_run(browser: Browser, file: Path, tmp_path: Path) -> None:
    """The policy holds even if a sentence were not escaped."""
    text = file.read_text(encoding="utf-8")
    copy = tmp_path / "copy.html"
    copy.write_text(text.replace("<main>", "<main><script>window.ran = true</script><img src='other.png'>"), encoding="utf-8")
    browser.open(copy, *PHONE, dark=False)
    assert browser.evaluate("window.ran") is None
    assert len(browser.messages) == 2 and all("Content Security Policy" in message for message in browser.messages)
