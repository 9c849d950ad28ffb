"""Panels that events draw anew, in real Chromium: a press acts on what it began on, and the focus goes to nothing else."""

from pathlib import Path

import pytest

from tests.e2e.browser import floor
from tests.e2e.console_rig import console_home
from tests.e2e.homes import running

pytestmark = pytest.mark.full

PANEL = """async () => {
  const { redraw } = await import("/static/js/redrawn.js");
  const { el } = await import("/static/js/dom.js");
  const list = el("ul", { id: "panel" });
  const row = (name) => el("li", { "data-key": name }, name, el("details", null, el("summary", null, "more"), name),
    el("button", { type: "button", on: { click: () => pressed.push(name) } }, "take"));
  window.pressed = [];
  window.draw = (...names) => redraw(list, () => names.map(row));
  document.body.append(list);
  draw("a", "b");
}"""
ROWS = "[...document.querySelectorAll('#panel > li')].map((row) => row.dataset.key).join()"
WHERE = "document.activeElement.closest('[data-key]')?.dataset.key ?? document.activeElement.id"


def take(name: str) -> str:
    """The button of a row, as a selector."""
    return f"#panel > [data-key={name}] > button"


def test_a_press_acts_on_what_it_began_on_and_the_focus_goes_to_nothing_else(tmp_path: Path) -> None:
    home = console_home(tmp_path)
    with running(home), floor(home) as room:
        seat = room.stranger(home)
        seat.open()
        seat.until("document.querySelector('.view-entrance h1')")
        page = seat.page
        page.evaluate(PANEL)

        page.locator(take("b")).hover()
        page.mouse.down()
        page.evaluate("draw('c', 'a', 'b')")
        assert page.evaluate(ROWS) == "a,b"
        page.mouse.up()
        seat.until(f"{ROWS} === 'c,a,b'")
        assert page.evaluate("pressed") == ["b"]

        page.locator(take("b")).focus()
        page.keyboard.down(" ")
        page.evaluate("draw('b', 'd')")
        page.keyboard.up(" ")
        seat.until(f"{ROWS} === 'b,d'")
        assert page.evaluate("pressed") == ["b", "b"]
        assert page.evaluate(WHERE) == "b"

        page.evaluate("draw('d')")
        assert page.evaluate(WHERE) == "panel", "the next key would act on another row"
        page.evaluate("draw('d', 'b')")
        assert page.evaluate(WHERE) == "b"

        page.locator("#panel > [data-key=b] > details > summary").click()
        page.evaluate("draw('b', 'a')")
        assert page.evaluate(
            "[...document.querySelectorAll('details[open]')].map((each) => each.parentElement.dataset.key)"
        ) == ["b"]

        page.locator(take("a")).hover()
        page.mouse.down()
        page.evaluate("draw('a')")
        page.mouse.move(0, 0)
        page.mouse.up()
        seat.until(f"{ROWS} === 'a'")  # a press that was taken back holds nothing up
        assert page.evaluate("pressed") == ["b", "b"]
