"""Every word of every view in every language stands in its box, on a desk, a wall and a telephone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.e2e.browser import CHROMIUM
from tests.e2e.fits import FINDS, misfits
from tests.e2e.stage import LANGUAGES, PHONE, SIZES, VIEWS, staged

pytestmark = pytest.mark.full


def test_no_word_is_cut_leaves_its_box_or_stands_over_another(tmp_path: Path) -> None:
    found = []
    with staged(tmp_path) as stage:
        last = ("trouble", "alarms", "flash")  # they stand over whatever comes after them
        calm = [(language, view) for language in LANGUAGES for view in VIEWS if view not in last]
        for language, view in calm + [(language, view) for view in last for language in LANGUAGES]:
            desk = stage.show(view, language)
            for size in (*SIZES, PHONE):
                desk.page.set_viewport_size(size)
                desk.until(f"innerWidth === {size['width']}")
                found += [(view, language, size["width"], each) for each in misfits(desk, size["width"])]
    assert found == []


@pytest.fixture(scope="module")
def tablet() -> Iterator[Page]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(viewport=PHONE)
        browser.close()


@pytest.mark.parametrize(
    "page, what",
    [
        ("<p style='width: 90px; overflow: hidden; white-space: nowrap'>Silence is a link fault</p>", "is cut"),
        ("<p style='width: 90px; white-space: nowrap'>Silence is a link fault</p>", "leaves its box"),
        ("<p style='position: absolute; left: 330px; white-space: nowrap'>Silence is no refusal</p>", "wider than"),
        ("<p>Silence</p><p style='margin-top: -34px'>is a link fault</p>", "stands over other words"),
        ("<select style='width: 90px'><option>Silence is a link fault</select>", "is longer than its field"),
        ("<input style='width: 90px' placeholder='Silence is a link fault'>", "is longer than its field"),
        (
            "<div style='width: 60px'><b style='display: inline-block; white-space: nowrap'>+00:01:54, yours</b></div>",
            "its place",
        ),
        ("<div style='width: 90px; overflow: auto'><pre>Silence is a link fault</pre></div>", "scrolls sideways"),
    ],
)
def test_what_does_not_fit_is_found(tablet: Page, page: str, what: str) -> None:
    tablet.set_content(f"<!doctype html><meta name=viewport content='width=device-width'>{page}")
    found: list[str] = tablet.evaluate(FINDS, PHONE["width"])
    assert any(what in each for each in found), found


def test_what_fits_is_left_alone(tablet: Page) -> None:
    tablet.set_content(
        "<!doctype html><p>Silence is a link fault, not a refusal.</p><input value=convoy><p>Nothing waits.</p>"
    )
    assert tablet.evaluate(FINDS, PHONE["width"]) == []
