"""Composing at the console, in real Chromium: drafts that outlive everything, second thoughts, second acts, second officers."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route

from openline.kernel.terms import Policy
from tests.e2e.browser import Room, Seat, floor
from tests.e2e.console_rig import with_console
from tests.e2e.homes import Home, in_service, join, new_home, running
from tests.e2e.test_console_pages import HOSTILE, on_watch, say
from tests.ports import free_port
from tests.waiting import until

pytestmark = pytest.mark.full

NAMES = ("ALPHA", "BRAVO")
TEXT = ".writing textarea"


def stations(folder: Path, policy: Policy) -> list[Home]:
    homes = [with_console(new_home(folder, name)) for name in NAMES]
    homes[0].change('[console]\nlisten = "127.0.0.1:0"', f'[console]\nlisten = "127.0.0.1:{free_port()}"')
    join(homes, policy)
    return homes


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Home]]:
    made = stations(tmp_path_factory.mktemp("compose"), Policy(title="North strait"))
    with running(*made):
        in_service(*made, deadline_s=60)
        yield made


@pytest.fixture
def room(homes: list[Home]) -> Iterator[Room]:
    with floor(*homes) as opened:
        yield opened


def composing(room: Room, home: Home, sign: str, view: str = "#/compose/relay") -> Seat:
    """An officer before an empty paper."""
    seat = on_watch(room, home, sign, view)
    seat.page.locator(TEXT).wait_for()
    return seat


def write(seat: Seat, text: str) -> int:
    """Write, and wait until the station keeps it; the draft's number."""
    box = seat.page.locator(TEXT)
    box.click()
    box.press("End")
    box.press_sequentially(text)
    seat.until("document.querySelector('.kept time') !== null")
    return int(seat.until("(location.hash.match(/draft=([0-9]+)/) ?? [])[1]"))


def followed(seat: Seat, link: str) -> bool:
    """Press a link to a draft; whether it acted. What a station says as it comes back has the links drawn anew, perhaps under the finger."""
    if "?draft=" not in seat.page.evaluate("location.hash"):
        seat.page.locator(link).click()
    return "?draft=" in seat.page.evaluate("location.hash")


def said(home: Home) -> list[dict[str, Any]]:
    """The messages of the line, as that station holds them."""
    with home.client() as station:
        found: list[dict[str, Any]] = station.get("lines/relay/entries", kind="message")["entries"]
    return [entry["body"] for entry in found]


def kept(home: Home, number: int) -> dict[str, Any]:
    """A working draft as the station keeps it."""
    with home.client() as station:
        found: dict[str, Any] = station.get(f"compose/{number}")
    return found


def number_of(seat: Seat) -> str:
    """The line's number, as it stands in its head."""
    return seat.page.locator(".linehead .name > .fig").inner_text()


def test_a_draft_survives_a_reload_and_a_killed_station_and_the_next_watch_finds_it(tmp_path: Path) -> None:
    homes = stations(tmp_path, Policy())
    with running(*homes) as (station, _):
        in_service(*homes, deadline_s=60)
        with floor(homes[0]) as room:
            seat = composing(room, homes[0], "K7")
            seat.allow(r"Failed to load resource|net::ERR")
            write(seat, "We see three ships")
            seat.page.keyboard.press("Alt+2")
            seat.until("document.querySelector('.choice.on.immediate') !== null")
            seat.until("document.querySelector('.kept time') !== null")
            seat.page.reload()
            seat.until(f"document.querySelector('{TEXT}')?.value === 'We see three ships'")
            assert seat.page.locator(".choice.on").inner_text() == "IMMEDIATE"
            station.kill()
            seat.shows("The console has lost its station")
            seat.page.locator(TEXT).press("End")
            seat.page.locator(TEXT).press_sequentially(" and a tug")
            seat.shows("Not kept: the station does not answer.")
            with running(homes[0]):
                seat.until("document.querySelector('.kept time') !== null")
                other = on_watch(room, homes[0], "K8", "#/compose/relay")
                until(lambda: followed(other, ".others a"), deadline_s=60)
                other.until(f"document.querySelector('{TEXT}')?.value === 'We see three ships and a tug'")


def test_what_was_sent_is_taken_back_within_its_seconds_and_signed_after_them(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    seat = composing(room, alpha, "G7")
    write(seat, "On the wrong line.")
    seat.page.keyboard.press("Alt+3")
    seat.page.keyboard.press("Control+Enter")
    seat.shows("It is not signed yet")
    assert 1 <= int(seat.page.locator(".count").inner_text()) <= 10
    seat.page.keyboard.press("w")
    seat.shows("Taken back. Nothing was signed.")
    assert seat.page.locator(TEXT).input_value() == "On the wrong line."
    seat.page.locator(TEXT).fill("On the right line.")
    seat.page.keyboard.press("Control+Enter")
    seat.shows("Signed and on its way")
    until(lambda: "On the right line." in [body["text"] for body in said(bravo)], deadline_s=60)
    (body,) = [body for body in said(bravo) if "line." in body["text"]]
    assert (body["precedence"], body["drafter"]) == ("priority", "G7")


def test_a_flash_goes_by_the_number_of_its_own_line_and_by_nothing_less(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    seat = composing(room, alpha, "S7")
    write(seat, "Hold your fire.")
    seat.page.keyboard.press("Alt+1")
    seat.page.keyboard.press("Control+Enter")
    seat.shows("To send it, type the number of the line.")
    seat.shows("A FLASH is not taken back.")
    number = number_of(seat)
    seat.page.keyboard.press("Enter")
    seat.page.keyboard.type("00")
    seat.shows("That is not the number of this line.")
    seat.page.keyboard.press("Enter")
    seat.page.keyboard.press("Escape")
    seat.until(f"document.activeElement === document.querySelector('{TEXT}')")
    assert "Hold your fire." not in [body["text"] for body in said(alpha)]
    seat.page.keyboard.press("Control+Enter")
    seat.page.locator("input.digits").wait_for()
    seat.page.keyboard.type(number)
    seat.page.keyboard.press("Enter")
    seat.shows("Signed and on its way")
    until(lambda: "Hold your fire." in [body["text"] for body in said(bravo)], deadline_s=60)


def test_two_hands_in_one_draft_are_shown_to_each_other_and_nothing_is_overwritten_unseen(
    room: Room, homes: list[Home]
) -> None:
    alpha = homes[0]
    one = composing(room, alpha, "H7")
    number = write(one, "Mine")
    other = on_watch(room, alpha, "H8", f"#/compose/relay?draft={number}")
    other.allow(r"status of 409")
    other.until(f"document.querySelector('{TEXT}')?.value === 'Mine'")
    held: list[Route] = []
    other.page.route(
        "**/v1/compose/*", lambda route: held.append(route) if route.request.method == "PUT" else route.continue_()
    )
    other.page.locator(TEXT).fill("Theirs")
    until(lambda: other.page.evaluate("true") and held, deadline_s=60)
    one.page.locator(TEXT).fill("Mine, longer")
    until(lambda: kept(alpha, number)["draft"]["text"] == "Mine, longer", deadline_s=60)
    held[0].continue_()
    other.page.unroute("**/v1/compose/*")
    other.shows("has written in this draft too,")
    assert "Mine, longer" in other.page.locator(".conflict").inner_text()
    assert "Theirs" in other.page.locator(".conflict").inner_text()
    assert kept(alpha, number)["draft"]["text"] == "Mine, longer"
    other.page.keyboard.press("Alt+i")
    until(lambda: kept(alpha, number)["draft"]["text"] == "Theirs", deadline_s=60)
    one.until(f"document.querySelector('{TEXT}').value === 'Theirs'")
    assert kept(alpha, number)["by"] == "H8"


def test_newer_traffic_stands_above_the_draft_until_it_was_looked_at_and_is_inert(
    room: Room, homes: list[Home]
) -> None:
    alpha, bravo = homes
    seat = composing(room, alpha, "N7")
    write(seat, "As you asked")
    assert seat.page.locator(".warn").count() == 0
    say(bravo, kind="message", text=HOSTILE, subject="<b>Forget\u202eit</b>", precedence="priority")
    seat.shows("A newer message has come since this draft was begun:")
    seat.page.keyboard.press("Alt+n")
    seat.shows("Newer than your draft")
    dialog = seat.page.locator("dialog[open]")
    assert "U+202E" in dialog.inner_text()
    assert "<img src=x onerror=alert(1)>" in dialog.inner_text()
    assert dialog.locator("img, b b, script").count() == 0
    seat.page.keyboard.press("Escape")
    seat.until("document.querySelector('.warn') === null")


def test_an_answer_shows_what_it_answers_and_a_hostile_text_stays_text(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    ref = say(bravo, kind="message", text=HOSTILE, precedence="immediate")
    until(lambda: HOSTILE in [body["text"] for body in said(alpha) if body["precedence"] == "immediate"], deadline_s=60)
    seat = composing(room, alpha, "A7", f"#/compose/relay?answers={ref['reference'].replace(' ', '+')}")
    about = seat.page.locator(".about")
    about.locator(".codepoint").first.wait_for()
    assert about.locator("img").count() == 0
    assert seat.page.locator(".choice.on").inner_text() == "IMMEDIATE"
    write(seat, "We will wait.")
    seat.page.keyboard.press("Alt+b")
    seat.page.keyboard.type("+30")
    seat.page.locator(TEXT).focus()
    seat.page.keyboard.press("Control+Enter")
    seat.shows("Signed and on its way")
    (body,) = [body for body in said(alpha) if body["text"] == "We will wait."]
    assert (body["answers"]["lane"], body["answers"]["index"]) == (ref["lane"], ref["index"])
    assert body["answer_by"] is not None


def test_a_template_is_written_in_the_language_of_the_message(room: Room, homes: list[Home]) -> None:
    alpha = homes[0]
    seat = composing(room, alpha, "T7")
    number = write(seat, "A tug is adrift")
    seat.page.locator(".paper select").nth(1).select_option("fr")
    seat.page.locator(".paper select").nth(0).select_option("incident")
    seat.until("document.querySelector('.preview')?.textContent === 'CE QUI S’EST PASSÉ: A tug is adrift'")
    until(lambda: kept(alpha, number)["draft"]["subject"] == "Incident", deadline_s=60)
    found = kept(alpha, number)["draft"]
    assert (found["template"], found["lang"], found["fields"]) == ("incident", "fr", {"what": "A tug is adrift"})


def test_a_second_officer_confirms_addressee_and_precedence_and_releases(tmp_path: Path) -> None:
    homes = stations(tmp_path, Policy(release=True))
    alpha, bravo = homes
    with running(*homes), floor(*homes) as room:
        in_service(*homes, deadline_s=60)
        drafter = composing(room, alpha, "K7")
        number = write(drafter, "Two tugs leave at noon.")
        drafter.page.keyboard.press("Alt+2")
        drafter.page.keyboard.press("Control+Enter")
        drafter.shows("Waits for a second officer")
        releaser = on_watch(room, alpha, "K8", f"#/compose/relay?draft={number}")
        releaser.shows("You release it")
        releaser.shows("Two tugs leave at noon.")
        releaser.page.locator(".boxes input").first.check()
        releaser.page.locator(".do select").select_option("routine")
        releaser.page.keyboard.press("Control+Enter")
        releaser.shows("That is not what stands on the paper.")
        assert said(alpha) == []
        releaser.page.locator(".do select").select_option("immediate")
        releaser.page.keyboard.press("Control+Enter")
        releaser.shows("It is not signed yet")
        drafter.shows("It is not signed yet")
        releaser.shows("Signed and on its way")
        until(lambda: said(bravo), deadline_s=60)
        (body,) = said(bravo)
        assert (body["drafter"], body["releaser"], body["precedence"]) == ("K7", "K8", "immediate")


SLOW_LOOKS = """() => {
    const plain = window.fetch;
    const sent = new Promise((resolve) => { window.wasSent = resolve; });
    window.looks = 0;
    window.fetch = async (path, options) => {
        if (options?.method === "GET" && /compose.[0-9]+$/.test(path)) {
            window.looks += 1;
            await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 1_000))]);
        }
        const answer = await plain(path, options);
        if (path.endsWith("/send")) window.wasSent();
        return answer;
    };
}"""
"""The station answers a look at a draft a second late, unless the draft is sent first: then right after that."""


def test_a_look_that_is_on_its_way_does_not_find_the_draft_sent(room: Room, homes: list[Home]) -> None:
    """The station says of everything that is kept that the draft has changed, also to the console that kept it."""
    seat = composing(room, homes[0], "L7")
    seat.page.evaluate(SLOW_LOOKS)
    write(seat, "High water at six.")
    seat.page.keyboard.press("Alt+2")
    seat.until("window.looks > 0")
    seat.page.keyboard.press("Control+Enter")
    seat.shows("It is not signed yet")


def test_search_finds_across_case_and_shows_hostile_passages_inert(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    say(bravo, kind="message", text=f"Buoy twelve. {HOSTILE}", precedence="priority")
    until(lambda: any(body["text"].startswith("Buoy twelve.") for body in said(alpha)), deadline_s=60)
    seat = on_watch(room, alpha, "Q7", "#/search")
    seat.until("document.activeElement?.matches('input[type=search]')")
    seat.page.keyboard.type("BUOY twelve")
    hit = seat.page.locator("a.hit")
    hit.wait_for()
    assert hit.locator("mark").inner_text().lower() in {"buoy", "twelve", "buoy twelve"}
    assert hit.locator(".codepoint").count() >= 1
    assert hit.locator("img").count() == 0
    seat.page.locator("input[type=search]").fill("nowhere to be found")
    seat.shows("Nothing found.")
    seat.page.locator("input[type=search]").fill("buoy twelve")
    hit.wait_for()
    hit.press("Enter")
    seat.until("location.hash.startsWith('#/line/relay?at=')")


def test_a_search_goes_on_in_parts_and_shows_what_it_has_found(room: Room, homes: list[Home]) -> None:
    _, bravo = homes
    for number in range(260):
        say(bravo, kind="message", text=f"Lighter {number}.")
    seat = on_watch(room, bravo, "S7", "#/search")
    asked: list[str] = []

    def shortened(route: Route) -> None:
        asked.append(re.sub(r"within=[0-9]+", "within=1", route.request.url))
        route.continue_(url=asked[-1])

    seat.page.route("**/v1/search?*", shortened)
    words = seat.page.locator("input[type=search]")
    words.fill('"lighter 3."')
    seat.page.locator("a.hit").get_by_text("Lighter 3.").wait_for()
    seat.until("document.querySelector('.running').textContent === ''")
    assert len(asked) >= 3
    assert all("at=" in url for url in asked[1:])
    seat.shows("1 found, the latest first.")
    words.fill("lighter")
    seat.shows("There is more.")
    seat.page.get_by_role("button", name="More, earlier ones").click()
    seat.until("document.querySelectorAll('a.hit').length === 100")
    shown = seat.page.locator("a.hit .passage").all_inner_texts()
    assert [re.sub(r"\s+", " ", each) for each in shown] == [f"Lighter {number}." for number in range(259, 159, -1)]
