"""The console's pages in real Chromium: the way in, the floor, the line, the lock; hostile texts; a station that goes away."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Route

from openline.cli import inert
from tests.e2e.browser import Room, Seat, floor
from tests.e2e.console_rig import link_for, with_console
from tests.e2e.homes import Home, in_service, join, new_home, running
from tests.ports import free_port
from tests.waiting import until

pytestmark = pytest.mark.full

HOSTILE = (
    "Wait for \u202e0430Z\u202c before you tell the\u200b unit. Call sign LIM\u0410. <img src=x onerror=alert(1)> "
    + "W" * 2_000
)
NAMES = ("ALPHA", "BRAVO")


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Home]]:
    folder = tmp_path_factory.mktemp("pages")
    made = [with_console(new_home(folder, name)) for name in NAMES]
    join(made)
    with running(*made):
        yield made


@pytest.fixture
def room(homes: list[Home]) -> Iterator[Room]:
    with floor(*homes) as opened:
        yield opened


def say(home: Home, **entry: object) -> dict[str, Any]:
    """Say something on the line, at the station itself; where it stands."""
    with home.client() as station:
        said: dict[str, Any] = station.post("lines/relay/entries", entry)["ref"]
    return said


def on_watch(room: Room, home: Home, sign: str, view: str = "#/floor") -> Seat:
    """An officer who came by a link and makes no passkey now."""
    seat = room.seat(home, sign, "watch-officer")
    seat.page.get_by_role("button", name="Not now").click()
    seat.shows("Waits for this watch")
    if view != "#/floor":
        seat.open(view)
    return seat


def status(home: Home, ref: dict[str, Any], party: str) -> dict[str, Any]:
    """Where a message stands with a party."""
    with home.client() as station:
        path = f"lines/relay/entries/{ref['lane']}/{ref['generation']}/{ref['index']}"
        found: dict[str, Any] = station.get(path)["status"][party]
    return found


def linked(home: Home) -> None:
    def works() -> bool:
        with home.client() as station:
            return bool(station.get("lines/relay")["state"] == "in service")

    until(works, deadline_s=60)


def test_the_first_officer_comes_by_a_link_makes_a_passkey_and_comes_back_by_it(room: Room, homes: list[Home]) -> None:
    seat = room.stranger(homes[0])
    seat.open()
    seat.shows("Sign in with your passkey")
    seat.page.goto(link_for(homes[0], "K7", "watch-officer", "administrator"))
    seat.shows("Welcome to ALPHA, K7.")
    assert seat.page.evaluate("location.hash") == "#/floor"  # the link stays in no history
    seat.authenticator()
    seat.page.get_by_role("button", name="Make my passkey").click()
    seat.shows("Your recovery codes")
    codes = seat.page.locator(".codes li").all_inner_texts()
    assert len(codes) == 10
    seat.page.get_by_role("button", name="I have them").click()
    seat.shows("Waits for this watch")
    seat.page.get_by_role("button", name="sign out").click()
    seat.page.get_by_role("button", name="Sign in with your passkey").click()
    seat.shows("Waits for this watch")
    seat.page.keyboard.press("l")
    seat.shows("K7 has locked this console")
    seat.shows("IN SERVICE")
    assert seat.call("GET", "/v1/lines/relay/entries")["status"] == 423
    seat.page.keyboard.press("Enter")
    seat.shows("Waits for this watch")
    seat.page.get_by_role("button", name="sign out").click()
    seat.page.get_by_text("Recovery code", exact=True).click()
    seat.page.get_by_label("Your sign").fill("K7")
    seat.page.get_by_label("One of your recovery codes").fill(codes[0])
    seat.page.get_by_role("button", name="Sign in with the code").click()
    seat.shows("Waits for this watch")


def test_a_link_that_was_used_is_refused_in_plain_words(room: Room, homes: list[Home]) -> None:
    seat = room.stranger(homes[0])
    seat.allow("status of 403")
    link = link_for(homes[0], "K8", "watch-officer")
    seat.enter(link)
    other = room.stranger(homes[0])
    other.allow("status of 403")
    other.page.goto(link)
    other.shows("That was not taken.")
    assert "one-time link" in other.text()


def watches(homes: list[Home]) -> None:
    for home in homes:
        linked(home)
        say(home, kind="watch", attended=True)


def test_a_message_is_presented_by_being_seen_and_read_by_being_said_so(room: Room, homes: list[Home]) -> None:
    watches(homes)
    alpha, bravo = homes
    ref = say(alpha, kind="message", text="A tug is adrift.", precedence="immediate")
    seat = on_watch(room, bravo, "P2")
    seat.shows("A tug is adrift.")
    assert not status(bravo, ref, "BRAVO")["presented"]
    seat.page.keyboard.press("o")
    seat.until("location.hash.startsWith('#/line/')")
    until(lambda: status(alpha, ref, "BRAVO")["presented"], deadline_s=60)
    assert not status(alpha, ref, "BRAVO")["read"]
    seat.until("document.activeElement?.matches('.message')")
    seat.page.keyboard.press("r")
    until(lambda: status(alpha, ref, "BRAVO")["read"], deadline_s=60)
    seat.until(
        "[...document.querySelectorAll('.message')].at(-1)?.querySelectorAll('.ladder > span:not(.not)').length === 3"
    )
    seat.page.keyboard.press("i")
    seat.page.get_by_label("In how many minutes").fill("20")
    seat.page.get_by_role("button", name="Promise it").click()
    until(lambda: status(alpha, ref, "BRAVO")["interim_until"] is not None, deadline_s=60)
    seat.shows("INTERIM")


def test_nothing_is_presented_on_a_floor_that_nobody_attends(room: Room, homes: list[Home]) -> None:
    watches(homes)
    alpha, bravo = homes
    say(bravo, kind="watch", attended=False)
    ref = say(alpha, kind="message", text="Is anybody there?")
    seat = on_watch(room, bravo, "N2", "#/line/relay")
    seat.shows("Is anybody there?")
    other = on_watch(room, alpha, "N7")
    other.shows("UNATTENDED")
    assert not status(bravo, ref, "BRAVO")["presented"]
    say(bravo, kind="watch", attended=True)  # it still stands on the screen, which is attended from now on
    other.shows("IN SERVICE")
    until(lambda: status(alpha, ref, "BRAVO")["presented"], deadline_s=60)


def test_hostile_texts_are_shown_inert_and_flagged(room: Room, homes: list[Home]) -> None:
    watches(homes)
    alpha, bravo = homes
    say(bravo, kind="message", text=HOSTILE, subject="\u2066<b>bold</b>\u2069")
    seat = on_watch(room, alpha, "H7", "#/line/relay")
    seat.shows("onerror=alert(1)")
    text = seat.text()
    for shown in ("U+202E", "U+202C", "U+200B", "U+2066", "LIMА (А is Cyrillic)", "<b>bold</b>"):
        assert shown in text, shown
    assert not any(hidden in text for hidden in "\u202e\u202c\u200b\u2066\u2069")
    assert seat.page.locator(".message img").count() == 0
    assert seat.page.locator(".flagged").count() == 1
    assert seat.page.evaluate(
        "document.querySelector('.scroll').scrollWidth <= document.querySelector('.scroll').clientWidth"
    )
    seat.open("#/floor")
    seat.shows("U+2066")


@pytest.mark.parametrize(
    "language, said", [("fr", "En attente pour cette veille"), ("ru", "Ждёт этой вахты"), ("ar", "ينتظر هذه المناوبة")]
)
def test_each_officer_chooses_a_language(room: Room, homes: list[Home], language: str, said: str) -> None:
    seat = on_watch(room, homes[0], "L7")
    assert seat.call("PUT", "/console/me", {"language": language})["status"] == 200
    seat.page.reload()
    seat.shows(said)
    direction = "rtl" if language == "ar" else "ltr"
    assert seat.page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == [language, direction]
    assert seat.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert seat.call("PUT", "/console/me", {"language": "en"})["status"] == 200


def test_the_watch_is_taken_with_every_clock_by_its_own_tick(room: Room, homes: list[Home]) -> None:
    watches(homes)
    alpha, bravo = homes
    ref = say(alpha, kind="message", text="Whose tug is it?", precedence="immediate")
    until(lambda: status(alpha, ref, "BRAVO")["held"], deadline_s=60)  # from here on its clock is open over there
    say(bravo, kind="watch", attended=False)
    seat = on_watch(room, bravo, "T2")
    seat.shows("Nobody here is on watch")
    seat.page.keyboard.press("w")
    take = seat.page.locator("dialog").get_by_role("button", name="Take the watch")
    take.wait_for()
    assert take.is_disabled()
    for box in seat.page.locator("dialog input[type=checkbox]").all():
        box.check()
    take.click()
    seat.shows("sign T2")
    assert "Nobody here is on watch" not in seat.text()
    on_watch(room, alpha, "T7").shows("sign T2")


def test_a_page_says_that_its_station_is_lost_and_finds_it_again(tmp_path: Path) -> None:
    homes = [with_console(new_home(tmp_path, name)) for name in NAMES]
    homes[0].change('[console]\nlisten = "127.0.0.1:0"', f'[console]\nlisten = "127.0.0.1:{free_port()}"')
    join(homes)
    with running(*homes) as (station, _):
        in_service(*homes, deadline_s=60)
        with floor(homes[0]) as room:
            seat = on_watch(room, homes[0], "K7", "#/line/relay")
            seat.allow(r"Failed to load resource|net::ERR")
            seat.shows("Nothing has been said on this line yet")
            station.kill()
            seat.shows("The console has lost its station")
            with running(homes[0]):
                in_service(*homes, deadline_s=60)
                say(homes[1], kind="message", text="Said while nobody looked.")
                seat.shows("Said while nobody looked.")
                seat.until("!document.body.innerText.includes('lost its station')")


def test_a_part_that_did_not_load_is_tried_again_until_it_does(room: Room, homes: list[Home]) -> None:
    """As when the station goes away in the moment in which a page opens: no FLASH and no ring may be missed for it."""
    seat = on_watch(room, homes[0], "K8", "#/floor")
    seat.allow(r"Failed to load resource|net::ERR|Failed to fetch dynamically imported module")
    seat.page.route("**/js/overlays/ring.js", lambda route: route.abort())
    seat.page.route("**/js/call/turns.js", lambda route: route.abort())
    seat.page.reload()
    seat.shows("A part of the console did not load")
    seat.page.unroute_all()
    seat.until("!document.body.innerText.includes('did not load')")


TRANSCRIPT_LATE = """() => {
    const fetched = fetch;
    const gate = new Promise((resolve) => Object.assign(window, {letThrough: resolve}));
    window.fetch = async (path, ...more) => {
        const answer = await fetched(path, ...more);
        if (!/\\/entries\\?.*before=/.test(path)) return answer;
        window.held = true;
        await gate;
        return answer;
    };
}"""
"""The station's answer with a transcript is held, until letThrough()."""


def test_a_transcript_stands_there_until_the_station_that_was_away_has_answered(room: Room, homes: list[Home]) -> None:
    say(homes[1], kind="message", text="Before the gap.")
    seat = on_watch(room, homes[0], "G9", "#/line/relay")
    seat.allow(r"Failed to load resource|net::ERR")
    seat.shows("Before the gap.")
    seat.context.set_offline(True)
    seat.shows("The console has lost its station")
    seat.page.evaluate(TRANSCRIPT_LATE)
    seat.context.set_offline(False)
    seat.until("window.held")
    assert "Before the gap." in seat.text()
    seat.page.evaluate("letThrough()")
    seat.until("!document.body.innerText.includes('lost its station')")
    assert "Before the gap." in seat.text()


def test_what_comes_while_the_transcript_is_on_its_way_is_shown(room: Room, homes: list[Home]) -> None:
    """The station's answer is from before, and its event comes first: a transcript without that message would stay so."""
    seat = on_watch(room, homes[0], "K9", "#/floor")
    seat.page.evaluate(TRANSCRIPT_LATE)
    seat.page.evaluate("location.hash = '#/line/relay'")
    seat.until("window.held")
    say(homes[1], kind="message", text="Between the answer and the page.")
    seat.shows("A message has come")
    seat.page.evaluate("letThrough()")
    seat.shows("Between the answer and the page.")


def test_what_is_copied_carries_reference_precedence_receipts_and_the_word_copy(room: Room, homes: list[Home]) -> None:
    watches(homes)
    alpha, bravo = homes
    ref = say(bravo, kind="message", text="Two tugs at buoy 12.", precedence="priority")
    seat = on_watch(room, alpha, "C7", "#/line/relay")
    seat.shows("Two tugs at buoy 12.")
    until(lambda: status(bravo, ref, "ALPHA")["presented"], deadline_s=60)
    seat.until(
        "[...document.querySelectorAll('.message')].at(-1)?.querySelectorAll('.ladder > span:not(.not)').length === 2"
    )
    copied = seat.page.evaluate(
        """() => {
            getSelection().selectAllChildren([...document.querySelectorAll('.message .words')].at(-1));
            const event = new ClipboardEvent("copy", {clipboardData: new DataTransfer(), bubbles: true, cancelable: true});
            document.body.dispatchEvent(event);
            return event.clipboardData.getData("text/plain");
        }"""
    )
    head, reference, *rest = copied.split("\n")
    assert (head, reference) == ("COPY", f"PRIORITY {ref['reference']}")
    assert "> Two tugs at buoy 12." in rest
    assert rest[-1].startswith("ALPHA: held, presented ")
    assert rest[-1].endswith(" C7")


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(st.text(max_size=40), min_size=400, max_size=400))
def test_the_page_boxes_what_the_command_line_boxes(inert_seat: Seat, texts: list[str]) -> None:
    texts = [*(text for text in texts if not any(unicodedata.category(each) in {"Cn", "Cs"} for each in text)), HOSTILE]
    script = """async (texts) => {
        const { pieces, flags } = await import("/static/js/inert.js");
        return texts.map((text) => [pieces(text).map((each) => [each.text, each.boxed]), flags(text).hidden]);
    }"""
    there = inert_seat.page.evaluate(script, texts)
    here = [[[[each.text, each.boxed] for each in inert.pieces(text)], inert.flags(text).hidden] for text in texts]
    assert len(here) > 100
    assert there == here


@pytest.fixture
def inert_seat(room: Room, homes: list[Home]) -> Seat:
    return on_watch(room, homes[0], "I7")


def test_a_flash_rings_on_a_locked_page_and_is_not_shown_there(room: Room, homes: list[Home]) -> None:
    watches(homes)
    alpha, bravo = homes
    seat = on_watch(room, alpha, "F7")
    with seat.page.expect_response(lambda answer: "/v1/events" in answer.url):  # from here on the locked page hears
        seat.page.keyboard.press("l")
    seat.shows("F7 has locked this console")
    seat.until("document.querySelector('.lockline') !== null")
    words = "Stop the second tug."
    ref = say(bravo, kind="message", text=words, precedence="flash")
    seat.shows("Unlock to read it.")
    text = seat.text()
    assert words not in text
    assert "FLASH" in text
    assert not status(bravo, ref, "ALPHA")["presented"]
    later = say(bravo, kind="message", text="And the third.", precedence="flash")
    until(lambda: status(bravo, later, "ALPHA")["held"], deadline_s=60)  # and so it rings for both
    for each in (ref, later):
        assert seat.page.evaluate("!document.querySelector('.alarm').hidden"), "it rings until the last is read"
        say(alpha, kind="receipt", of={name: each[name] for name in ("lane", "generation", "index")}, step="read")
    seat.until("document.querySelector('.alarm').hidden")  # read elsewhere: no console rings on
    seat.until("!document.title.includes('FLASH')")


def test_a_flash_that_comes_before_a_locked_page_hears_rings_when_it_does(room: Room, homes: list[Home]) -> None:
    """No alarm is needed for that, which comes a minute later."""
    watches(homes)
    alpha, bravo = homes
    seat = on_watch(room, alpha, "F6")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    seat.page.route("**/v1/events*", hold)  # the locked page's stream is on its way
    seat.page.keyboard.press("l")
    seat.shows("F6 has locked this console")
    until(lambda: seat.text() and held, deadline_s=60)
    early = say(bravo, kind="message", text="Stop the tug.", precedence="flash")
    until(lambda: status(bravo, early, "ALPHA")["held"], deadline_s=60)
    for route in held:
        route.continue_()
    seat.page.unroute("**/v1/events*")
    seat.shows("Unlock to read it.", 45)
    say(alpha, kind="receipt", of={name: early[name] for name in ("lane", "generation", "index")}, step="read")
    seat.until("document.querySelector('.alarm').hidden")


def test_a_role_that_may_not_read_is_told_so_in_plain_words(room: Room, homes: list[Home]) -> None:
    watches(homes)
    seat = room.seat(homes[0], "R7", "technician")
    seat.allow("status of 403")
    seat.page.get_by_role("button", name="Not now").click()
    seat.shows("Your role does not read messages.")
    seat.shows("IN SERVICE")
    seat.page.keyboard.press("2")
    seat.shows("Your role may not do this.")
    assert "has failed" not in seat.text()


def test_on_a_telephone_the_name_of_the_view_that_is_open_stands_in_sight(room: Room, homes: list[Home]) -> None:
    seat = on_watch(room, homes[0], "T3")
    seat.page.set_viewport_size({"width": 390, "height": 844})
    for view in ("log", "floor"):  # the last name and the first
        seat.open(f"#/{view}")
        seat.until(f"""(() => {{
            const here = document.querySelector(".topbar nav [aria-current][href='#/{view}']")?.getBoundingClientRect();
            return here && here.left >= 0 && here.right <= innerWidth;
        }})()""")
