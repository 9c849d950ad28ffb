"""Many tabs of one officer's browser, in real Chromium: one stream for all of them, whatever becomes of the tab that has it."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, Request, Route

from openline.kernel.terms import Policy
from tests.e2e.browser import Room, Seat, floor
from tests.e2e.homes import Home, in_service, running
from tests.e2e.test_console_flash import WALL, flash, read, stations, watched
from tests.e2e.test_console_pages import on_watch, status
from tests.ports import free_port
from tests.waiting import until

pytestmark = pytest.mark.full

TABS = 12
"""Twice as many as a browser opens connections to one host."""
SEVEN = 7
"""One more than that: enough where the question is what becomes of one of them."""
HANG = """(path) => void setTimeout(() => {
    const call = new XMLHttpRequest();
    call.open("GET", path, false);
    call.send();
})"""
"""The page stands still, from the next moment until its call is answered."""
CONNECTED = "document.body.dataset.lost === undefined && document.querySelector('.topbar') !== null"


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Home]]:
    with watched(tmp_path_factory.mktemp("tabs")) as made:
        yield made


@pytest.fixture
def room(homes: list[Home]) -> Iterator[Room]:
    with floor(*homes) as opened:
        yield opened


class Tabs:
    """All tabs of one seat, and which of them asked for the stream last."""

    def __init__(self, seat: Seat, count: int = SEVEN) -> None:
        self.seat, self.asked = seat, list[Page]()
        seat.context.on("request", self._request)
        seat.page.reload()
        self.pages = [seat.page]
        until(lambda: seat.page.evaluate("true") and self.asked)  # playwright tells of requests while it is asked
        for _ in range(count - 1):
            page = seat.context.new_page()
            page.goto(f"{seat.url}/#/floor", wait_until="load")
            self.pages.append(page)
        for page in self.pages:
            shows(page, "Waits for this watch")

    def _request(self, request: Request) -> None:
        if "/v1/events" in request.url:
            self.asked.append(request.frame.page)

    @property
    def holder(self) -> Page:
        """The tab that has the stream."""
        return self.asked[-1]


def locks(tabs: Tabs, sign: str) -> list[int]:
    """How many tabs have the stream, and how many wait for it."""
    script = """async (name) => {
        const { held, pending } = await navigator.locks.query();
        return [held, pending].map((each) => each.filter((lock) => lock.name === name).length);
    }"""
    found: list[int] = tabs.pages[0].evaluate(script, f"openline.stream.{sign}")
    return found


def shows(page: Page, words: str) -> None:
    page.get_by_text(words).first.wait_for()


def seen_by_all(pages: list[Page], home: Home, text: str) -> dict[str, Any]:
    """Send a FLASH from that station; every tab shows it over all else."""
    ref = flash(home, text)
    for page in pages:
        page.locator(WALL).get_by_text(text).wait_for()
    return ref


def read_in(tabs: Tabs, page: Page, text: str) -> None:
    """Read it in one tab; it goes from all."""
    tabs.seat.page = page
    page.bring_to_front()
    read(tabs.seat, text)
    for each in tabs.pages:
        each.locator(WALL).wait_for(state="detached")


def test_twelve_tabs_share_one_stream_and_each_shows_a_flash(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    tabs = Tabs(on_watch(room, bravo, "T2"), TABS)
    until(lambda: locks(tabs, "T2") == [1, TABS - 1], deadline_s=60)
    ref = seen_by_all(tabs.pages, alpha, "Hold your fire.")
    until(lambda: status(alpha, ref, "BRAVO")["presented"], deadline_s=60)
    read_in(tabs, tabs.pages[-1], "Hold your fire.")
    until(lambda: status(alpha, ref, "BRAVO")["read"], deadline_s=60)
    assert len(tabs.asked) < TABS  # on a machine that stands still for seconds another tab may have taken over


def test_another_tab_takes_over_at_once_when_the_one_with_the_stream_is_closed(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    tabs = Tabs(on_watch(room, bravo, "C2"))
    for number in (1, 2):
        gone = tabs.holder
        tabs.pages.remove(gone)
        gone.close()
        seen_by_all(tabs.pages, alpha, f"After the close {number}.")
        assert tabs.holder is not gone
        read_in(tabs, tabs.pages[-1], f"After the close {number}.")
    assert len(tabs.asked) >= 3


def test_another_tab_takes_over_when_the_one_with_the_stream_is_killed(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    seat = on_watch(room, bravo, "K2")
    tabs = Tabs(seat)
    seat.allow("the page crashed|to another host: chrome://")
    killed = tabs.holder
    with pytest.raises(PlaywrightError):
        killed.goto("chrome://crash")
    tabs.pages.remove(killed)
    seen_by_all(tabs.pages, alpha, "After the kill.")
    read_in(tabs, tabs.pages[-1], "After the kill.")


def test_another_tab_takes_over_when_the_one_with_the_stream_is_frozen_and_that_one_comes_back(
    room: Room, homes: list[Home]
) -> None:
    """Chromium freezes no page that can be seen: the events are its own, the sleep is not."""
    alpha, bravo = homes
    tabs = Tabs(on_watch(room, bravo, "F2"))
    sleeper = tabs.holder
    sleeper.evaluate("document.dispatchEvent(new Event('freeze'))")
    awake = [page for page in tabs.pages if page is not sleeper]
    seen_by_all(awake, alpha, "While it slept.")
    assert tabs.holder is not sleeper
    assert sleeper.locator(WALL).count() == 0
    sleeper.evaluate("document.dispatchEvent(new Event('resume'))")
    sleeper.locator(WALL).get_by_text("While it slept.").wait_for()
    read_in(tabs, tabs.pages[-1], "While it slept.")


def test_a_tab_that_hangs_is_robbed_of_the_stream(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    tabs = Tabs(on_watch(room, bravo, "H2"))
    stuck = tabs.holder
    awake = [page for page in tabs.pages if page is not stuck]
    waits = list[Route]()
    stuck.route("**/answered-late", lambda route: waits.append(route))  # noqa: PLW0108 - a builtin it does not take
    stuck.evaluate(HANG, f"{tabs.seat.url}/answered-late")
    until(lambda: awake[0].evaluate("true") and waits, deadline_s=60)
    seen_by_all(awake, alpha, "While it hung.")
    assert tabs.holder is not stuck
    waits[0].fulfill(body="")
    shows(stuck, "While it hung.")  # it has come to itself, and hears from the others
    read_in(tabs, awake[-1], "While it hung.")
    until(lambda: locks(tabs, "H2") == [1, SEVEN - 1], deadline_s=60)


def test_all_tabs_say_that_the_station_is_away_and_follow_again_when_it_is_back(tmp_path_factory: Any) -> None:
    made = stations(tmp_path_factory.mktemp("away"), Policy(title="North strait"))
    alpha, bravo = made
    bravo.change('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{free_port()}"')
    with running(*made) as (_, theirs):
        in_service(*made, deadline_s=60)
        with floor(*made) as room:
            seat = on_watch(room, bravo, "A2")
            seat.allow(r"ERR_|Failed to load resource")
            tabs = Tabs(seat)
            theirs.kill()
            for page in tabs.pages:
                shows(page, "The console has lost its station")
            with running(bravo):
                in_service(*made, deadline_s=60)
                for page in tabs.pages:
                    until(partial(page.evaluate, CONNECTED), deadline_s=60)
                seen_by_all(tabs.pages, alpha, "Back again.")
