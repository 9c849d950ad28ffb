"""Calls on the console's pages, in real Chromium between two real stations: what officers see and press. How the sound
arrives is looked at in test_call_sound.py.

Spec: spec/17-calls.md.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, ViewportSize

from openline.kernel.terms import Policy
from tests.e2e.accessible import faults
from tests.e2e.browser import Room, Seat, floor
from tests.e2e.call_sound.floors import voice_message
from tests.e2e.console_rig import with_console
from tests.e2e.fits import misfits
from tests.e2e.homes import Home, in_service, join, new_home, running
from tests.waiting import until

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("console-calls")]
DEVICES = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
"""A microphone that beeps, and nobody who is asked for it."""
HEARD = "[...document.querySelectorAll('audio[data-seat]')].filter((each) => each.srcObject && !each.muted && each.currentTime > 0).length"
VIEWED = "document.querySelector('.view-call .callhead h1') && document.querySelector('.hints button')"
"""The view of calls stands there, and takes keys."""
OFFICER = ("watch-officer",)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Home]]:
    """Two stations with a line, whose floors are attended."""
    folder = tmp_path_factory.mktemp("calls")
    made = [with_console(new_home(folder, name)) for name in ("ALPHA", "BRAVO")]
    join(made, Policy(title="Northern sector", languages=("en", "ru")))
    with running(*made):
        in_service(*made, deadline_s=90)
        for home in made:
            with home.client() as station:
                station.post("lines/relay/entries", {"kind": "watch", "attended": True, "sign": "W1"})
        yield made


@pytest.fixture(scope="module")
def chromium(homes: list[Home]) -> Iterator[Room]:
    """A browser before both consoles."""
    with floor(*homes, flags=(DEVICES,)) as opened:
        yield opened


@pytest.fixture
def room(homes: list[Home], chromium: Room) -> Iterator[Room]:
    """Its seats of one test, which end with it, as does a call that the test has left open."""
    opened = Room(*chromium.browsers)
    try:
        yield opened
        for home in homes:
            end_calls(home)
        for home in homes:
            until(lambda home=home: not standing(home), deadline_s=120)  # type: ignore[misc]
        opened.check()
    finally:
        for seat in opened.seats:
            seat.context.close()


def end_calls(home: Home) -> None:
    """Hang up what stands there: what the other side rings for is the other side's to withdraw."""
    for call in standing(home):
        if call["mine"] or call["state"] == "open":
            with home.client() as station:
                station.post(f"lines/relay/calls/{call['place']}/hang-up", {})


def standing(home: Home) -> list[dict[str, Any]]:
    """The calls that are not over."""
    with home.client() as station:
        return [call for call in station.get("lines/relay/calls")["calls"] if call["state"] in {"ringing", "open"}]


def sit(room: Room, home: Home, sign: str, *roles: str) -> Seat:
    """An officer before the view of calls."""
    seat = room.seat(home, sign, *roles)
    seat.allow(r"status of (404|409) .*/calls/.*/(signal|connected|ways)")  # said of a call that has just ended
    seat.allow(
        r"status of (404|409) .*/calls/.*/(alive|seat)"
    )  # of a console that a loaded machine did not let speak for six seconds
    later = seat.page.get_by_role("button", name="Not now")
    if later.count():
        later.click()
    seat.open("#/call/relay")
    seat.until(VIEWED)
    return seat


def pair(room: Room, homes: list[Home]) -> tuple[Seat, Seat]:
    """An officer at each side."""
    return sit(room, homes[0], "A2", *OFFICER), sit(room, homes[1], "B4", *OFFICER)


def button(seat: Seat, name: str) -> Locator:
    """In the view or a dialog: the key bar has others of that name."""
    return seat.page.locator("main, dialog[open]").get_by_role("button", name=name).first


def ring(caller: Seat, called: Seat) -> None:
    """Call, and wait until it rings."""
    button(caller, "Call now").click()
    called.until("document.querySelector('dialog.ringwall[open]')")


def speak(caller: Seat, called: Seat) -> None:
    """Call, answer, and wait until each hears the other."""
    ring(caller, called)
    button(called, "Answer").click()
    for seat in (caller, called):
        seat.until(f"{HEARD} === 1")
        seat.until("document.querySelector('.callacts [data-act=mute]')")  # as soon as it stands there, keys act
        focus(seat)


def by_turns(seat: Seat) -> None:
    """Wait until that page knows that it is spoken by turns: then the space bar asks for the floor."""
    seat.until("document.querySelector('.callacts [data-act=floor]')")


def focus(seat: Seat) -> None:
    """Where single keys act."""
    seat.page.locator("main h1").focus()


def seat_says(seat: Seat, party: int, number: int, words: str) -> None:
    """Wait until that seat of the call is shown so."""
    box = seat.page.locator(f'.seat[data-party="{party}"][data-seat="{number}"]')
    until(lambda: words in box.inner_text(), deadline_s=60)


def parties(seat: Seat) -> tuple[int, int]:
    """The numbers of this side and of the other."""
    call = seat.call("GET", "/v1/lines/relay/calls?limit=1")["answer"]["calls"][0]
    (mine,) = [party["party"] for party in call["parties"] if party["me"]]
    (theirs,) = [party["party"] for party in call["parties"] if not party["me"]]
    return mine, theirs


def test_17_50_a_call_is_answered_protected_checked_typed_and_ended_and_both_sign_it(
    room: Room, homes: list[Home]
) -> None:
    """17.51: and people are shown in words how the sound is protected."""
    caller, called = pair(room, homes)
    caller.page.get_by_label("What about").fill("The bridge at kilometre 11")
    ring(caller, called)
    called.shows("The bridge at kilometre 11")
    assert faults(called) == []
    button(called, "Answer").click()
    for seat in (caller, called):
        seat.until(f"{HEARD} === 1")
        seat.shows("Sealed between the consoles with DTLS 1.3")
        assert faults(seat) == []
    read, heard = (figures(seat) for seat in (caller, called))
    assert read == heard[::-1]
    focus(caller)
    caller.page.keyboard.press("b")
    called.shows("Heard and matched by A2")
    caller.page.keyboard.press("w")
    caller.page.keyboard.type("54-12.4 N 019-47.1 E")
    caller.page.keyboard.press("Enter")
    called.shows("54-12.4 N 019-47.1 E")
    focus(caller)
    caller.page.keyboard.press("Control+End")
    for seat in (caller, called):
        seat.shows("is over. It lasted")
        seat.shows("Both sides signed the same start and end.")
        seat.shows("This call has no agreed minutes.")
        seat.until("!document.querySelector('audio[data-seat]')")
        assert faults(seat) == []
    caller.open("#/line/relay")
    for words in ("CALL", "ANSWERED", "TYPED IN A CALL", "CALL ENDED"):
        caller.shows(words)


def figures(seat: Seat) -> list[str]:
    """What is read aloud, and what must be heard."""
    return seat.page.locator('[data-panel="check"] .figures').all_inner_texts()


def test_17_54_the_floor_goes_by_turns_and_everybody_sees_who_has_it(room: Room, homes: list[Home]) -> None:
    caller, called = pair(room, homes)
    speak(caller, called)
    mine, theirs = parties(caller)
    caller.page.keyboard.press("m")
    seat_says(called, mine, 0, "muted")
    caller.page.keyboard.press("m")
    caller.page.keyboard.press("h")
    seat_says(called, mine, 0, "on hold")
    caller.until("[...document.querySelectorAll('audio[data-seat]')].every((each) => each.muted)")
    caller.page.keyboard.press("h")
    caller.until(f"{HEARD} === 1")
    caller.page.keyboard.press("t")
    called.shows("The floor is free")
    for seat in (caller, called):
        by_turns(seat)
    caller.page.keyboard.down(" ")
    seat_says(called, mine, 0, "HAS THE FLOOR")
    called.page.keyboard.down(" ")
    seat_says(caller, theirs, 0, "asks for the floor")
    caller.page.keyboard.up(" ")
    seat_says(caller, theirs, 0, "HAS THE FLOOR")
    seat_says(called, theirs, 0, "HAS THE FLOOR")
    called.page.keyboard.up(" ")
    called.shows("The floor is free")


def test_17_11_an_interpreter_comes_in_and_is_next_and_leaves(room: Room, homes: list[Home]) -> None:
    caller, called = pair(room, homes)
    speak(caller, called)
    mine, theirs = parties(caller)
    interpreter = sit(room, homes[0], "X3", "interpreter")
    interpreter.shows("This console is not in it.")
    button(interpreter, "Come in as interpreter or adviser").click()
    interpreter.until(f"{HEARD} === 2")
    seat_says(called, mine, 1, "Interpreter")
    seat_says(called, mine, 1, "of the other side")
    focus(interpreter)
    interpreter.page.keyboard.press("t")
    called.shows("The floor is free")
    by_turns(called)
    called.page.keyboard.down(" ")
    seat_says(interpreter, theirs, 0, "HAS THE FLOOR")
    interpreter.shows("Then you.")
    called.page.keyboard.up(" ")
    seat_says(caller, mine, 1, "HAS THE FLOOR")
    seat_says(caller, mine, 0, "next")
    seat_says(interpreter, mine, 1, "HAS THE FLOOR")  # what it does not have it cannot give
    interpreter.page.keyboard.press("g")
    seat_says(called, mine, 0, "HAS THE FLOOR")
    interpreter.page.keyboard.press("Control+End")
    seat_says(called, mine, 1, "has left")
    caller.until(f"{HEARD} === 1")


SIZES: tuple[ViewportSize, ...] = (
    {"width": 1366, "height": 768},
    {"width": 1920, "height": 1080},
    {"width": 390, "height": 844},
)


def test_no_word_of_a_call_is_cut_in_any_language(room: Room, homes: list[Home]) -> None:
    seats = [sit(room, homes[place % 2], sign, role) for place, (sign, role) in enumerate(WHO)]
    for seat, language in zip(seats, ("ru", "ar", "fr", "en"), strict=True):
        assert seat.call("PUT", "/console/me", {"language": language})["status"] == 200
        seat.page.reload()
        seat.until(f"document.documentElement.lang === '{language}' && {VIEWED}")
    caller, called, *others = seats
    caller.page.keyboard.press("Control+Enter")
    called.until("document.querySelector('dialog.ringwall[open]')")
    assert cut(called) == []
    assert cut(caller) == []
    called.page.locator("dialog.ringwall .main").click()
    for seat in (caller, called):
        seat.until(f"{HEARD} === 1")
    for seat in others:
        seat.until("document.querySelector('main [role=alert] button')")
        focus(seat)
        seat.page.keyboard.press("j")
    for seat in seats:
        seat.until(f"{HEARD} === 3", deadline_s=120)  # twelve paths at once
    focus(caller)
    caller.page.keyboard.press("t")
    by_turns(caller)
    caller.page.keyboard.down(" ")
    for seat in seats:
        seat.until("document.querySelectorAll('.seat').length === 4 && document.querySelector('.seat.speaks')")
        assert cut(seat) == []
    caller.page.keyboard.up(" ")
    focus(caller)
    caller.page.keyboard.press("Control+End")
    for seat in seats:
        seat.until("document.querySelector('[data-panel=record]')")
        assert cut(seat) == []


WHO = (("D1", "watch-officer"), ("D2", "watch-officer"), ("D3", "interpreter"), ("D4", "interpreter"))


def cut(seat: Seat) -> list[str]:
    """What does not fit, in each size."""
    found = []
    for size in SIZES:
        seat.page.set_viewport_size(size)
        found += [f"{size['width']}: {each}" for each in misfits(seat, size["width"])]
    return found


def test_17_13_a_page_that_is_loaded_anew_takes_its_call_over_and_is_heard_again(room: Room, homes: list[Home]) -> None:
    caller, called = pair(room, homes)
    speak(caller, called)
    focus(called)
    called.page.keyboard.press("b")
    called.shows("Heard and matched by")
    caller.page.reload()
    caller.shows("No console of yours is in this call now.")
    button(caller, "Take the call over at this console").click()
    for seat in (caller, called):
        seat.until(f"{HEARD} === 1")
        seat.shows("matched earlier figures")
        assert "Heard and matched by" not in seat.text(), "the figures are others now"
    assert button(called, "They matched").is_visible()


def keyed(room: Room, home: Home, sign: str) -> Seat:
    """An officer with a passkey before the call's view."""
    seat = room.seat(home, sign, *OFFICER)
    seat.allow(r"status of (404|409) .*/calls/.*/(signal|connected|ways|alive|seat)")
    seat.authenticator()
    seat.page.get_by_role("button", name="Make my passkey").click()
    seat.page.get_by_role("button", name="I have them").click()
    seat.open("#/call/relay")
    seat.until(
        "document.querySelector('[data-panel=place], [data-panel=record]') && document.querySelector('.hints button')"
    )
    return seat


def lock(seat: Seat) -> None:
    """As its officer does who stands up in mid-call."""
    focus(seat)
    seat.page.keyboard.press("l")
    seat.shows("has locked this console")
    seat.shows("A call is open on line")


_SENDS = """async () => {
    const { session } = await import("/static/js/call/calls.js");
    return Boolean(session()?.microphone.track?.enabled);
}"""


def test_17_13_a_lock_in_mid_call_holds_it_and_whoever_passes_by_neither_hears_nor_is_heard(
    room: Room, homes: list[Home]
) -> None:
    caller, called = keyed(room, homes[0], "K2"), sit(room, homes[1], "B4", *OFFICER)
    caller.page.get_by_label("What about").fill("The bridge at kilometre 11")
    speak(caller, called)
    mine, _ = parties(caller)
    caller.until(_SENDS)
    lock(caller)
    seat_says(called, mine, 0, "on hold")
    assert caller.page.evaluate(_SENDS) is False
    assert caller.page.evaluate(HEARD) == 0
    for words in ("kilometre 11", "B4"):
        assert words not in caller.text(), "a locked page says nothing that anybody wrote, and names nobody"
    assert faults(caller) == []
    for _ in range(5):  # two seconds each: a console that said nothing would count as lost after six
        with caller.page.expect_response(lambda answer: answer.url.endswith("/alive")) as answered:
            pass
        assert answered.value.status == 200
    seat_says(called, mine, 0, "on hold")
    caller.page.keyboard.press("Enter")
    caller.until(f"{HEARD} === 1")
    caller.shows("Your microphone is off.")
    assert caller.page.evaluate(_SENDS) is False, "she speaks again when she says so, and not before"
    seat_says(called, mine, 0, "muted")
    focus(caller)
    caller.page.keyboard.press("m")
    seat_says(called, mine, 0, "may speak")
    assert caller.page.evaluate(_SENDS) is True


def test_17_13_while_one_console_is_locked_the_other_side_may_take_its_own_seat_over(
    room: Room, homes: list[Home]
) -> None:
    caller, called = keyed(room, homes[0], "K3"), sit(room, homes[1], "B4", *OFFICER)
    speak(caller, called)
    mine, _ = parties(caller)
    lock(caller)
    called.page.reload()
    called.shows("No console of yours is in this call now.")
    button(called, "Take the call over at this console").click()
    called.until(f"{HEARD} === 1")
    seat_says(called, mine, 0, "on hold")
    assert caller.page.evaluate(HEARD) == 0
    caller.page.keyboard.press("Enter")
    caller.until(f"{HEARD} === 1")


def test_a_locked_page_takes_no_part_in_its_call_but_may_end_it_and_the_record_says_so(
    room: Room, homes: list[Home]
) -> None:
    caller, called = keyed(room, homes[0], "K4"), sit(room, homes[1], "B4", *OFFICER)
    speak(caller, called)
    path = f"/v1/lines/relay/calls/{standing(homes[0])[0]['place']}"
    console = next(seat["console"] for seat in standing(homes[0])[0]["seats"] if seat["me"])
    lock(caller)
    caller.allow("status of 4")
    for rest, body in (
        ("/typed", {"text": "MARKED"}),
        ("/check", {"console": console, "matched": True}),
        ("/pick-up", {"console": console, "fingerprint": "ab" * 32}),
    ):
        assert caller.call("POST", path + rest, body)["status"] == 423
    for body in ({"console": "cd" * 16, "act": "takes-over", "fingerprint": "ab" * 32}, {"act": "leaves"}):
        assert caller.call("POST", path + "/seat", body)["status"] == 400
    assert caller.call("GET", path)["status"] == 423
    assert caller.call("POST", path + "/hang-up", {"console": "cd" * 16})["status"] == 404
    button(caller, "End the call").click()
    caller.page.locator("dialog[open]").get_by_role("button", name="End the call").click()
    caller.shows("is over.")
    called.shows("is over. It lasted")
    called.shows("Ended at a locked console.")


def test_17_13_who_signs_out_has_left_the_call_at_once_also_at_a_locked_page(room: Room, homes: list[Home]) -> None:
    caller, called = keyed(room, homes[0], "K6"), sit(room, homes[1], "B4", *OFFICER)
    speak(caller, called)
    mine, theirs = parties(caller)
    lock(caller)
    button(caller, "Sign out: somebody else takes over").click()
    seat_says(called, mine, 0, "has left")
    called.shows("No officer of ALPHA is at a console now.")
    other = sit(room, homes[0], "A2", *OFFICER)
    button(other, "Take the call over at this console").click()
    other.until(f"{HEARD} === 1")
    called.page.get_by_role("button", name="sign out").click()
    seat_says(other, theirs, 0, "has left")


def test_a_call_that_still_rings_is_withdrawn_when_its_console_is_locked(room: Room, homes: list[Home]) -> None:
    caller, called = keyed(room, homes[0], "K5"), sit(room, homes[1], "B4", *OFFICER)
    ring(caller, called)
    focus(caller)
    caller.page.keyboard.press("l")
    caller.shows("has locked this console")
    called.until("!document.querySelector('dialog.ringwall')")
    called.shows("rang, and withdrew the call.")


def test_beside_the_call_a_band_says_whether_one_is_heard_and_mutes(room: Room, homes: list[Home]) -> None:
    caller, called = pair(room, homes)
    speak(caller, called)
    mine, _ = parties(caller)
    caller.page.evaluate("location.hash = '#/floor'")
    caller.shows("They hear you.")
    assert faults(caller) == []
    caller.page.locator(".bands").get_by_role("button", name="mute").click()
    caller.shows("Your microphone is off.")
    seat_says(called, mine, 0, "muted")
    caller.page.locator(".bands").get_by_role("link", name="to the call").click()
    caller.until(f"{HEARD} === 1")


def test_17_13_an_officer_who_has_left_is_told_of_until_another_console_takes_over(
    room: Room, homes: list[Home]
) -> None:
    caller, called = pair(room, homes)
    speak(caller, called)
    called.page.reload()
    caller.shows("No officer of BRAVO is at a console now.")
    button(called, "Take the call over at this console").click()
    for seat in (caller, called):
        seat.until(f"{HEARD} === 1")
    caller.until("!document.body.innerText.includes('No officer of')")


def test_17_13_a_console_that_was_not_heard_of_for_a_while_takes_its_own_seat_again_once(
    room: Room, homes: list[Home]
) -> None:
    caller, called = pair(room, homes)
    caller.allow("ERR_FAILED|status of 404")
    speak(caller, called)
    mine, _ = parties(caller)

    def seat() -> dict[str, Any]:
        (found,) = [each for each in standing(homes[0])[0]["seats"] if each["me"]]
        return dict(found)

    until(lambda: seat()["protection"] is not None, deadline_s=60)
    before = seat()
    caller.page.route("**/alive", lambda route: route.abort())
    seat_says(called, mine, 0, "lost since")
    held: list[Route] = []
    caller.page.route("**/seat", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks the function it is given
    caller.page.unroute("**/alive")
    until(lambda: caller.page.evaluate("true") and held, deadline_s=60)
    for _ in range(2):  # beats that come while the station is slow to answer the first one
        with caller.page.expect_response(lambda answer: answer.url.endswith("/alive") and answer.status == 404):
            pass
    assert len(held) == 1
    for each in held:
        each.continue_()
    caller.page.unroute("**/seat")
    seat_says(called, mine, 0, "may speak")
    caller.until(f"{HEARD} === 1")
    until(lambda: seat()["protection"] == before["protection"], deadline_s=60)
    assert (seat()["lang"], seat()["console"]) == (before["lang"], before["console"])


def test_17_2_a_ring_is_declined_with_a_reason_that_the_caller_reads(room: Room, homes: list[Home]) -> None:
    caller, called = pair(room, homes)
    ring(caller, called)
    button(called, "Decline").click()
    button(called, "Decline the call").click()
    called.shows("A reason is needed")
    called.page.get_by_label("Why not now?").fill("Our interpreter comes at noon.")
    assert faults(called) == []
    button(called, "Decline the call").click()
    caller.shows("declined the call.")
    caller.shows("Our interpreter comes at noon.")
    called.until("!document.querySelector('dialog.ringwall')")


def test_a_ring_that_is_withdrawn_rings_no_more_and_a_locked_page_names_nobody(room: Room, homes: list[Home]) -> None:
    caller, called = pair(room, homes)
    other = sit(room, homes[1], "B5", *OFFICER)
    other.call("POST", "/console/lock")
    with other.page.expect_response(lambda answer: "/v1/events" in answer.url):
        other.page.reload()
    other.shows("has locked this console")
    ring(caller, called)
    other.shows("A call rings")
    assert "A2" not in other.text()
    assert "ALPHA calls" not in other.text()
    assert faults(other) == []
    caller.page.keyboard.press("Control+End")
    called.until("!document.querySelector('dialog.ringwall')")
    other.until("document.querySelector('.lockcall').hidden")


def test_17_17_minutes_are_drafted_differed_from_replaced_and_agreed(room: Room, homes: list[Home]) -> None:
    caller, called = pair(room, homes)
    speak(caller, called)
    caller.page.keyboard.press("Control+End")
    caller.shows("is over. It lasted")
    called.shows("is over. It lasted")
    draft(caller, "Both posts hold fire.", "Оба поста не стреляют.")
    called.shows("Both posts hold fire.")
    panel = called.page.locator('[data-panel="minutes"]')
    panel.get_by_role("radio", name="differs").check()
    panel.get_by_label("How it differs").fill("Until 0600Z only.")
    agree = panel.locator("[data-act=agree]")
    assert agree.is_hidden(), "who differs from a clause does not agree to every clause by mistake"
    focus(called)
    called.page.keyboard.press("g")
    panel.get_by_role("button", name="Sign my word on each clause").click()
    caller.shows("The sides differ.")
    caller.shows("Until 0600Z only.")
    assert faults(called) == []
    draft(caller, "Both posts hold fire until 0600Z.", "Оба поста не стреляют до 0600Z.")
    called.shows("until 0600Z.")
    button(called, "Agree to every clause").click()
    for seat in (caller, called):
        seat.shows("Agreed by ")
        seat.shows("minutes agreed")


def draft(seat: Seat, *texts: str) -> None:
    """Draft one clause in two languages, and sign it."""
    focus(seat)
    seat.page.keyboard.press("n")
    areas = seat.page.locator(".minutesform textarea")
    for place, text in enumerate(texts):
        areas.nth(place).fill(text)
    button(seat, "Sign these minutes").click()
    areas.first.wait_for(state="detached")


def test_a_voice_message_is_recorded_sent_and_heard(room: Room, homes: list[Home]) -> None:
    caller, called = pair(room, homes)
    speak(caller, called)
    button(caller, "voice message").wait_for()  # until the microphone is open
    caller.page.keyboard.press("r")
    caller.until("parseInt(document.querySelector('.voice [role=timer]')?.textContent) >= 2")
    caller.page.keyboard.press("r")
    until(lambda: voice_message(homes[1]))
    button(called, "hear it").click()
    called.until("document.querySelector('.typedlines audio')?.currentTime > 0")


def test_who_has_no_microphone_is_told_what_to_do_and_still_hears(room: Room, homes: list[Home]) -> None:
    caller = sit(room, homes[0], "A2", *OFFICER)
    called = sit(room, homes[1], "B4", *OFFICER)
    called.page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError')); }"
    )
    ring(caller, called)
    button(called, "Answer").click()
    called.until(f"{HEARD} === 1")
    called.shows("The browser may not use the microphone.")
    called.shows("you hear them")


def test_a_flash_is_placed_with_the_lines_number_alone(room: Room, homes: list[Home]) -> None:
    caller, called = pair(room, homes)
    caller.page.get_by_label("Precedence").select_option("flash")
    button(caller, "Call now").click()
    caller.shows("That is not the number of this line.")
    caller.page.get_by_label("A FLASH rings everywhere").fill(caller.page.locator(".linehead .fig").first.inner_text())
    button(caller, "Call now").click()
    called.until("document.querySelector('dialog.ringwall.flash[open]')")
    caller.page.keyboard.press("Control+End")
    called.until("!document.querySelector('dialog.ringwall')")


def test_microphone_and_loudspeaker_are_tested_before_a_call(room: Room, homes: list[Home]) -> None:
    seat = sit(room, homes[0], "A2", *OFFICER)
    button(seat, "Test microphone and loudspeaker").click()
    seat.shows("Level good.")
    assert faults(seat) == []
    button(seat, "Test: speak").click()
    seat.shows("Did you hear yourself?")
    seat.page.keyboard.press("Escape")
    seat.until("!document.querySelector('dialog[open]')")


_JUDGED = """async () => {
    const { judged, describes } = await import("/static/js/call/gate.js");
    const print = "ab".repeat(32), other = "cd".repeat(32);
    const line = (value) => `v=0\\r\\na=fingerprint:sha-256 ${value.toUpperCase().match(/../g).join(":")}\\r\\n`;
    const stats = (version, seen) => new Map([["T", {type: "transport", dtlsState: "connected", tlsVersion: version, remoteCertificateId: "C"}],
        ["C", {type: "certificate", fingerprint: seen, fingerprintAlgorithm: "sha-256"}]]);
    return {
        good: judged(stats("FEFC", print), print).fault, old: judged(stats("FEFD", print), print).fault,
        wrong: judged(stats("FEFC", other), print).fault, none: judged(new Map(), print).ready,
        named: describes(line(print), print), another: describes(line(print) + line(other), print), nothing: describes("v=0\\r\\n", print),
    };
}"""


def test_17_50_the_gate_judges_version_and_fingerprint(room: Room, homes: list[Home]) -> None:
    seat = sit(room, homes[0], "A2", *OFFICER)
    assert seat.page.evaluate(_JUDGED) == {
        "good": "", "old": "version", "wrong": "fingerprint", "none": False, "named": True, "another": False, "nothing": False,
    }  # fmt: skip


_TURNS = """async () => {
    const { Turns, following, understood } = await import("/static/js/call/turns.js");
    const made = ["0/0", "1/0", "1/1"].map((key) => [key, null]);
    const all = new Map(made);
    for (const [key] of made) {
        const [party, seat] = key.split("/").map(Number);
        all.set(key, new Turns({party, seat}, {tell: (message) => all.sent.push([key, message]), changed() {}, there: (each) => all.has(each), parties: () => [0, 1]}));
    }
    all.sent = [];
    all.get("1/0").mode("turns");
    all.get("0/0").mode("turns");  // at the same time
    all.get("1/0").ask();
    all.get("0/0").ask();
    for (let round = 0; round < 3; round += 1) {
        const sent = all.sent.splice(0).sort(() => round - 1);
        for (const [from, message] of sent) for (const [key, turns] of all) if (key !== from) turns.hear(from, understood(JSON.stringify(message)));
    }
    const there = (key) => all.has(key);
    return {
        holders: [...all.values()].map((turns) => turns.holder),
        order: [following("0/0", "0/0", [0, 1], there), following("1/1", "0/0", [0, 1], there), following("1/0", "1/0", [0, 1], there), following("1/1", "1/0", [0, 1], there)],
        nonsense: ["", "[]", "{}", '{"turn": {"number": 1.5}}', '{"turn": {"number": 1, "mode": "all", "holder": null, "officer": null, "by": "0/0"}}'].map(understood),
    };
}"""


def test_17_53_all_pages_agree_who_has_the_floor_whatever_order_things_come_in(room: Room, homes: list[Home]) -> None:
    seat = sit(room, homes[0], "A2", *OFFICER)
    found = seat.page.evaluate(_TURNS)
    assert found["holders"] == ["0/0"] * 3
    assert found["order"] == ["1/1", "1/0", "1/1", "0/0"]
    assert found["nonsense"] == [None] * 5


_PACE = """async () => {
    const { Pace, shaped, LEVELS } = await import("/static/js/call/pace.js");
    const levels = (looks) => { const pace = new Pace(); return looks.map(([at, room, lost, queue]) => pace.look(at * 1000, {room, lost, queue})); };
    const description = "m=audio 9 UDP/TLS/RTP/SAVPF 63 111 110\\r\\na=rtcp-mux\\r\\na=rtpmap:63 red/48000/2\\r\\n";
    return {
        wide: levels([[1, 300000, 0.2, 0], [20, 300000, 0.2, 0.1]]),
        narrow: levels([[1, 18000, 0, 0], [2, 18000, 0, 0], [3, 18000, 0, 0], [10, 18000, 0, 0], [34, 18000, 0, 0]]),
        rough: levels([[1, 30000, 0.2, 0], [2, 30000, 0.2, 0], [3, 30000, 0.2, 0], [5, 300000, 0.05, 0], [12, 300000, 0.2, 0], [20, 30000, 0.2, 0]]),
        thin: shaped(description, LEVELS[2]), back: shaped(shaped(description, LEVELS[2]), LEVELS[0]).includes("ptime"),
    };
}"""


def test_a_narrow_path_gets_less_sound_and_a_rough_one_gets_everything_twice(room: Room, homes: list[Home]) -> None:
    seat = sit(room, homes[0], "A2", *OFFICER)
    found = seat.page.evaluate(_PACE)
    assert found["wide"] == [0, 0]
    assert found["narrow"] == [0, 0, 2, 2, 0]
    assert found["rough"] == [0, 0, 1, 1, 0, 0]
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111 110 63\r\n" in found["thin"]
    assert "a=ptime:120\r\n" in found["thin"]
    assert not found["back"]
