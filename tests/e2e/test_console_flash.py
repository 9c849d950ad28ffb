"""A FLASH at the consoles of the receiving station, in real Chromium: its pixels, its sound, its end; alarms beside it."""

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from openline.kernel.terms import Policy
from tests.e2e.browser import Room, Seat, floor
from tests.e2e.console_rig import with_console
from tests.e2e.homes import Home, in_service, join, new_home, running
from tests.e2e.test_console_pages import HOSTILE, on_watch, say, status
from tests.waiting import until

pytestmark = pytest.mark.full

NAMES = ("ALPHA", "BRAVO")
WALL = "dialog.flashwall[open]"
TELEPHONE = {"width": 390, "height": 844}
_COLOUR = """async (png) => {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    const drawing = canvas.getContext("2d");
    drawing.drawImage(image, 0, 0);
    return [...drawing.getImageData(image.width / 2, image.height / 2, 1, 1).data].slice(0, 3);
}"""


def stations(folder: Path, policy: Policy) -> list[Home]:
    homes = [with_console(new_home(folder, name)) for name in NAMES]
    join(homes, policy)
    return homes


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[list[Home]]:
    """Two stations with a line in service, whose floors are attended."""
    made = stations(folder, Policy(title="North strait"))
    with running(*made):
        in_service(*made, deadline_s=60)
        for home in made:
            say(home, kind="watch", attended=True)
        yield made


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Home]]:
    with watched(tmp_path_factory.mktemp("flash")) as made:
        yield made


@pytest.fixture
def room(homes: list[Home]) -> Iterator[Room]:
    with floor(*homes) as opened:
        yield opened


def flash(home: Home, text: str) -> dict[str, Any]:
    """Send a FLASH; where it stands."""
    return say(home, kind="message", text=text, precedence="flash")


def colour(seat: Seat) -> tuple[int, int, int]:
    """The colour of the screen's upper edge, in its middle: what an eye across the room sees."""
    size = seat.page.viewport_size
    assert size is not None
    clip = {"x": size["width"] // 2, "y": 2, "width": 4, "height": 4}
    png = base64.b64encode(seat.page.screenshot(clip=clip)).decode()  # type: ignore[arg-type]
    red, green, blue = seat.page.evaluate(_COLOUR, png)
    return red, green, blue


def alarming(seat: Seat) -> bool:
    """Whether the screen wears the colour of a FLASH."""
    red, green, blue = colour(seat)
    return red > 150 and red > 2 * green and red > 2 * blue


def sound(seat: Seat, of: str) -> Any:
    """What the sound of that page says."""
    return seat.page.evaluate(f"import('/static/js/sound.js').then((sound) => sound.{of}())")


def read(seat: Seat, text: str) -> None:
    """Press what stops the sound, until the keys are taken; not again while it may act, or the view behind would have the key."""
    words = seat.page.locator(WALL).get_by_text(text)
    words.wait_for()

    def gone() -> bool:
        seat.page.keyboard.press("Control+Enter")
        with contextlib.suppress(PlaywrightTimeoutError):
            words.wait_for(state="hidden", timeout=400)
        return not words.is_visible()

    until(gone, deadline_s=60)


def drawn_anew(seat: Seat, part: str) -> None:
    """Have the console lose its station and find it again, after which it draws that part anew."""
    seat.allow(r"Failed to load resource|net::ERR")
    seat.page.evaluate("(part) => document.querySelector(part).classList.add('of-before')", part)
    seat.context.set_offline(True)
    seat.shows("The console has lost its station")
    seat.context.set_offline(False)
    seat.until(f"document.querySelector('{part}:not(.of-before)')")


def test_a_flash_fills_every_open_console_rings_and_ends_on_all_when_one_officer_reads_it(
    room: Room, homes: list[Home]
) -> None:
    alpha, bravo = homes
    seats = [
        on_watch(room, bravo, "M2", "#/search"),
        on_watch(room, bravo, "M3", "#/line/relay"),
        room.seat(bravo, "M4", "watch-officer", viewport=TELEPHONE),
    ]
    seats[2].page.reload()
    seats[2].shows("Waits for this watch")
    titles = [seat.page.title() for seat in seats]
    assert not any(alarming(seat) for seat in seats)
    ref = flash(alpha, "Hold your fire.")
    for seat in seats:
        seat.page.locator(WALL).get_by_text("Hold your fire.").wait_for()
        assert alarming(seat)
        assert sound(seat, "isRinging")
        seat.until("document.title.startsWith('FLASH from ALPHA')")
        assert seat.page.locator("link[rel=icon]").get_attribute("href") == "/static/icon-flash.svg"
    until(lambda: status(alpha, ref, "BRAVO")["presented"], deadline_s=60)
    assert not status(alpha, ref, "BRAVO")["read"]
    first = seats[0]
    first.page.keyboard.press("Escape")
    first.page.keyboard.press("Escape")
    assert first.page.locator(WALL).is_visible()
    first.page.keyboard.press("s")
    first.shows("Quiet: it rings again in")
    assert sound(first, "quietUntil") > 0
    read(first, "Hold your fire.")
    for seat, title in zip(seats, titles, strict=True):
        seat.until(f"document.querySelector('{WALL}') === null")
        seat.shows("was read by M2.")
        assert not sound(seat, "isRinging")
        seat.until(f"document.title === {title!r}")
    until(lambda: status(alpha, ref, "BRAVO")["read"], deadline_s=60)


def test_several_flashes_wait_for_each_other_survive_a_reload_and_are_inert(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    seat = on_watch(room, bravo, "S2")
    flash(alpha, f"The first. {HOSTILE}")
    wall = seat.page.locator(WALL)
    wall.get_by_text("The first.").wait_for()
    assert wall.locator(".codepoint").count() >= 1
    assert wall.locator("img").count() == 0
    flash(alpha, "The second.")
    seat.shows("1 more FLASH waits behind this one.")
    assert not wall.get_by_text("The second.").is_visible()
    seat.page.reload()
    wall.get_by_text("The first.").wait_for()
    seat.shows("1 more FLASH waits behind this one.")
    read(seat, "The first.")
    wall.get_by_text("The second.").wait_for()
    assert alarming(seat)
    read(seat, "The second.")
    seat.until(f"document.querySelector('{WALL}') === null")


def test_an_officer_who_is_writing_loses_nothing_to_a_flash(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    seat = on_watch(room, bravo, "W2", "#/compose/relay")
    box = seat.page.locator(".writing textarea")
    box.press_sequentially("Half a sent")
    flash(alpha, "Answer at once.")
    seat.page.locator(WALL).wait_for()
    read(seat, "Answer at once.")
    seat.until("document.activeElement?.matches('.writing textarea')")
    seat.page.keyboard.type("ence")
    assert box.input_value() == "Half a sentence"


def test_a_drill_is_said_to_be_one_and_nothing_rings(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    seat = on_watch(room, bravo, "D2")
    seat.until("localStorage.getItem('openline.there') !== null")  # every part of the page listens
    with alpha.client() as station:
        station.post("lines/relay/test", {"drill": True})
    seat.shows("DRILL")
    seat.shows("It is not live.")
    assert seat.page.locator(WALL).count() == 0
    assert not alarming(seat)
    assert not sound(seat, "isRinging")


def test_a_flash_of_an_exercise_line_wears_stripes_and_not_the_colour_of_a_live_one(tmp_path: Path) -> None:
    homes = stations(tmp_path, Policy(title="North strait", exercise=True))
    with running(*homes), floor(*homes) as room:
        in_service(*homes, deadline_s=60)
        seat = on_watch(room, homes[1], "M2")
        flash(homes[0], "Hold your fire.")
        wall = seat.page.locator(WALL)
        wall.get_by_text("Hold your fire.").wait_for()
        assert "EXERCISE" in wall.inner_text()
        assert not alarming(seat)
        seat.until("document.title.startsWith('EXERCISE: FLASH from ALPHA')")


def test_an_open_alarm_stands_over_every_view_until_somebody_takes_it(tmp_path: Path) -> None:
    homes = stations(tmp_path, Policy(title="North strait"))
    alpha, bravo = homes
    with running(*homes), floor(*homes) as room:
        in_service(*homes, deadline_s=60)
        seat = on_watch(room, bravo, "M2", "#/search")
        flash(alpha, "Is anybody there?")
        seat.page.locator(WALL).wait_for()
        read(seat, "Is anybody there?")
        seat.shows("Something has come, and nobody is on watch")
        seat.page.keyboard.press("Alt+a")
        seat.page.locator("dialog[open]").get_by_text("I take it").wait_for()
        drawn_anew(seat, "dialog[open] .alarms li")
        seat.page.keyboard.press("Enter")  # and the key acts all the same
        seat.shows("taken by M2")
        seat.page.keyboard.press("Escape")
        seat.until("document.querySelector('.alarms-band') === null")
        with bravo.client() as station:
            found = station.get("alarms")
        assert [alarm["sign"] for alarm in found["open"] + found["standing"]] == ["M2"]
