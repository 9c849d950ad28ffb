"""Contacts, log, settings and record in real Chromium, over two real stations with a simulated clock."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import ViewportSize

from openline.archive.prove import ProofVerdict
from openline.archive.verify import check
from openline.kernel.terms import Policy
from openline.protocol.contact_entries import Medium
from openline.protocol.contacts import RegularContact, with_contacts
from openline.station.keystore import Keystore
from openline.station.places import Places
from openline.stores.sqlite import SqliteStore
from tests.e2e.accessible import faults
from tests.e2e.browser import WIDE, Room, Seat, floor
from tests.e2e.console_rig import Browser, with_console
from tests.e2e.homes import Home, in_service, join, new_home, running
from tests.waiting import until

pytestmark = pytest.mark.full

CALL = RegularContact(
    name="Noon call", rule="FREQ=DAILY", start="20260101T130000", zone="Europe/Paris", medium=Medium.CALL,
    begins="BRAVO", also=("Asia/Seoul",), tolerance_minutes=20,
)  # fmt: skip
POLICY = with_contacts(Policy(title="North Strait", test_minutes=0), [CALL])
ALL = ("watch-officer", "principal", "technician", "auditor", "administrator")
PARTS = ("contacts/relay", "log", "settings", "settings/people", "settings/bearers", "settings/alarms", "record/relay")
PHONE: ViewportSize = {"width": 390, "height": 8_000}
"""As wide as a telephone; tall, so that the bars that stay in sight cover nothing that one would scroll to."""


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[list[Home]]:
    made = [with_console(new_home(tmp_path, name, simulated_clock=True)) for name in ("ALPHA", "BRAVO")]
    join(made, POLICY)
    for home in made:
        places = Places(home.folder)
        keys = Keystore.open(places.keys, home.unlock, os.urandom)
        with contextlib.closing(SqliteStore.open(places.store, keys.data_key)) as store:
            store.put_setting("clock", b"%d" % ms("2026-11-23T11:30"))  # before that nothing can have been missed
    with running(*made):
        in_service(*made, deadline_s=60)
        for home in made:
            with home.client() as station:
                station.post("lines/relay/entries", {"kind": "watch", "attended": True})
        yield made


@pytest.fixture
def room(homes: list[Home]) -> Iterator[Room]:
    with floor(*homes) as opened:
        yield opened


def at(text: str, homes: list[Home]) -> None:
    for home in homes:
        with home.client() as station:
            station.post("clock", {"at": ms(text)})


def sit(room: Room, home: Home, sign: str, view: str, *roles: str) -> Seat:
    """An officer who came by a link and makes no passkey now, before a view. Nothing moves there: it stands at once as it will."""
    seat = room.seat(home, sign, *(roles or ("watch-officer",)), reduced_motion="reduce")
    seat.page.get_by_role("button", name="Not now").click()
    seat.until("document.querySelector('.view h1')")
    seat.open(f"#/{view}")
    return seat


def says(home: Home, **entry: object) -> None:
    with home.client() as station:
        station.post("lines/relay/entries", entry)


def standing(home: Home, day: str) -> str:
    """Where the noon call of a day stands at a station."""
    with home.client() as station:
        found = station.get("lines/relay/contacts", **{"from": ms(day), "to": ms(day) + 86_400_000})
    return str(found["occurrences"][0]["state"])


def stands(homes: list[Home], day: str, state: str) -> None:
    for home in homes:
        until(partial(_stands, home, day, state), deadline_s=60)


def _stands(home: Home, day: str, state: str) -> bool:
    return standing(home, day) == state


def scheduled(seat: Seat, name: str) -> bool:
    return name in seat.page.locator(".schedule").inner_text()


def watch_dialog(seat: Seat) -> bool:
    """Press the button of the watch; whether it acted. The panel in which it stands is drawn anew with whatever comes."""
    seat.page.get_by_role("button", name="Take or hand over the watch").first.click()
    return seat.page.get_by_role("dialog").count() == 1


def signs(seat: Seat, key: str, words: str, button: str) -> None:
    """Press a key of the view, write into the dialog that opens, and sign it."""
    seat.page.keyboard.press(key)
    dialog = seat.page.get_by_role("dialog")
    dialog.locator("textarea").fill(words)
    dialog.get_by_role("button", name=button, exact=True).click()
    dialog.wait_for(state="detached")


# --- every view ------------------------------------------------------------------------------------------------


def ready(seat: Seat, part: str) -> None:
    """The view stands, with what it asked the station for."""
    seat.open(f"#/{part}")
    wanted = {"contacts/relay": ".month", "log": ".side .duty", "settings": ".fields", "settings/people": ".people",
              "settings/bearers": ".bearers td", "settings/alarms": ".body .panel:nth-child(3)", "record/relay": ".standing td"}  # fmt: skip
    seat.until(f"document.querySelector('.view-{part.partition('/')[0]} {wanted[part]}')")
    seat.until("document.fonts.ready.then(() => true)")


@pytest.mark.parametrize("theme, language", [("dark", "en"), ("light", "ar"), ("dark", "ru"), ("light", "fr")])
def test_every_view_is_accessible_and_fits_a_desk_and_a_telephone(
    room: Room, homes: list[Home], theme: str, language: str
) -> None:
    alpha, bravo = homes
    says(bravo, kind="message", text="Convoy K-4 holds until 0330Z.", precedence="priority")
    says(bravo, kind="contact", medium="meeting", outcome="kept", at=ms("2026-11-23T11:00"), text="At the post.")
    seat = sit(room, alpha, "K7", "log", *ALL)
    assert seat.call("PUT", "/console/me", {"theme": theme, "language": language})["status"] == 200
    found = []
    for size in (WIDE, PHONE):
        seat.page.set_viewport_size(size)
        seat.page.reload()
        for part in PARTS:
            ready(seat, part)
            assert seat.page.evaluate("document.documentElement.lang") == language
            found += [(part, size["width"], fault) for fault in faults(seat)]
            if seat.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append((part, size["width"], {"wider than the screen": True}))
    assert found == []


# --- contacts --------------------------------------------------------------------------------------------------


def test_a_contact_is_kept_when_both_have_signed_and_a_missed_one_is_told_why_on_both_floors(
    room: Room, homes: list[Home]
) -> None:
    alpha, bravo = homes
    ours, theirs = (sit(room, home, sign, "contacts/relay") for home, sign in ((alpha, "K7"), (bravo, "M2")))
    at("2026-11-23T12:05", homes)
    stands(homes, "2026-11-23", "due")
    ours.page.reload()
    ours.shows("DUE NOW")
    for words in ("231200Z NOV 26", "2026-11-23 13:00", "2026-11-23 21:00", "Europe/Paris", "Asia/Seoul"):
        ours.shows(words)
    signs(ours, "t", "They rang on time.", "It took place")
    ours.shows("SAID BY ONE SIDE")
    ours.shows("Not signed yet by BRAVO.")
    theirs.shows("One word of theirs waits for your signature.")
    theirs.shows("They rang on time.")
    signs(theirs, "y", "", "It was so")
    for seat in (ours, theirs):
        seat.shows("Signed by all sides.")
        seat.page.get_by_role("button", name="Noon call, kept").wait_for()
        seat.shows("One contact was kept.")
    at("2026-11-24T12:21", homes)
    stands(homes, "2026-11-24", "missed")
    for seat in (ours, theirs):
        seat.shows("One was missed")  # on the page as it stands: the station tells it
        seat.page.reload()
        seat.shows("MISSED")
        seat.shows("Cause: ")
        seat.shows("No side has signed why yet.")
    signs(theirs, "w", "Our interpreter was ill.", "Why it was missed")
    ours.shows("Our interpreter was ill.")
    signs(ours, "x", "You had two.", "It was not so")
    for seat in (ours, theirs):
        seat.shows("ALPHA: it was not so.")
    assert standing(alpha, "2026-11-24") == "missed"


def test_a_meeting_is_recorded_and_countersigned_and_a_contact_declined_before_its_time(
    room: Room, homes: list[Home]
) -> None:
    alpha, bravo = homes
    ours, theirs = (sit(room, home, sign, "contacts/relay") for home, sign in ((alpha, "K7"), (bravo, "M2")))
    ours.shows("Next: Monday 12:00Z")
    ours.page.keyboard.press("r")
    dialog = ours.page.get_by_role("dialog")
    dialog.get_by_label("By", exact=True).select_option("meeting")
    when = dialog.get_by_label("When (UTC)")
    when.fill("tomorrow")
    dialog.get_by_text("Write 2026-11-22 14:30 or 221430Z NOV 26.").wait_for()
    when.fill("231015Z NOV 26")
    dialog.get_by_text("Monday", exact=True).wait_for()
    dialog.locator("textarea").fill("Two deputies at the post.")
    dialog.get_by_role("button", name="Sign it").click()
    dialog.wait_for(state="detached")
    theirs.shows("Two deputies at the post.")
    theirs.page.get_by_role("button", name="Countersign: it was so").click()
    theirs.page.get_by_role("dialog").get_by_role("button", name="It was so", exact=True).click()
    ours.shows("Signed by all sides.")
    signs(ours, "d", "A holiday.", "Decline this contact")
    theirs.shows("DECLINED")
    theirs.shows("A holiday.")
    assert standing(bravo, "2026-11-23") == "missed"


def test_a_calendar_address_is_shown_once_serves_the_schedule_and_ends(room: Room, homes: list[Home]) -> None:
    seat = sit(room, homes[0], "K7", "contacts/relay")
    seat.until("document.querySelector('.month')")
    seat.page.keyboard.press("v")
    dialog = seat.page.get_by_role("dialog")
    dialog.get_by_label("For whom or what").fill("duty telephone")
    dialog.get_by_role("button", name="Make an address").click()
    address = dialog.get_by_label("The address").input_value()
    plain = Browser(homes[0])
    got = plain.get(address.removeprefix(seat.url))
    assert got.status == 200
    assert b"Noon call" in got.data
    dialog.get_by_role("button", name="Revoke").click()
    dialog.get_by_text("No address is in force.").wait_for()
    assert plain.get(address.removeprefix(seat.url)).status == 404


def test_an_administrator_proposes_a_schedule_and_the_other_side_assents(room: Room, homes: list[Home]) -> None:
    ours, theirs = (
        sit(room, home, sign, "contacts/relay", *ALL) for home, sign in zip(homes, ("K7", "M2"), strict=True)
    )
    ours.shows("The schedule, as the terms have it")
    ours.page.keyboard.press("p")
    dialog = ours.page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Evening meeting")
    dialog.get_by_label("By", exact=True).select_option("meeting")
    dialog.get_by_role("button", name="Propose it").click()
    theirs.page.get_by_role("button", name="Assent to the proposed terms").click()
    for seat in (ours, theirs):
        until(partial(scheduled, seat, "Evening meeting"), deadline_s=60)
        assert scheduled(seat, "Noon call")


# --- log -------------------------------------------------------------------------------------------------------


def test_the_incoming_officer_accepts_every_open_clock_by_its_name(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    for text in ("Convoy K-4 holds.", "Where is K-5?"):
        says(bravo, kind="message", text=text, precedence="priority")
    out, incoming = (sit(room, alpha, sign, "log") for sign in ("K7", "K8"))
    out.page.get_by_label("A note for this floor; it never leaves the station").fill("The serial line was mended.")
    out.page.keyboard.press("Control+Enter")
    out.shows("The serial line was mended.")
    until(lambda: out.page.locator(".clocks li").count() == 2, deadline_s=60)
    out.page.keyboard.press("Escape")
    dialog = out.page.get_by_role("dialog")
    until(lambda: watch_dialog(out), deadline_s=60)
    dialog.get_by_text("Hand it over, or leave").click()
    dialog.get_by_label("What the next officer must know").fill("K-5 is late.")
    dialog.get_by_role("button", name="Offer the watch to the next officer").click()
    incoming.page.reload()
    incoming.shows("K7 offers the watch")
    incoming.shows("K-5 is late.")
    incoming.page.keyboard.press("w")
    dialog = incoming.page.get_by_role("dialog")
    take = dialog.get_by_role("button", name="Take the watch")
    boxes = dialog.get_by_role("checkbox")
    until(lambda: boxes.count() == 2, deadline_s=60)
    assert take.is_disabled()
    boxes.nth(0).check()
    assert take.is_disabled()  # there is no tick for all of them
    boxes.nth(1).check()
    take.click()
    incoming.shows("K7 handed the watch to K8")
    incoming.shows("2 clocks were accepted with it")
    with bravo.client() as station:
        until(
            lambda: (
                [each["watch_sign"] for each in station.get("lines/relay")["parties"] if each["name"] == "ALPHA"]
                == ["K8"]
            ),
            deadline_s=60,
        )


def test_a_press_on_a_panel_that_an_event_draws_anew_acts(room: Room, homes: list[Home]) -> None:
    """The click was lost: press and release fell on two buttons."""
    seat = sit(room, homes[0], "K7", "log")
    button = seat.page.get_by_role("button", name="Take or hand over the watch").first
    button.hover()
    seat.page.mouse.down()
    with seat.page.expect_response(lambda answer: answer.url.endswith("/v1/watch") and "relay: BRAVO" in answer.text()):
        says(homes[1], kind="message", text="Convoy K-4 holds.", precedence="priority")
    seat.until("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
    seat.page.mouse.up()
    seat.page.get_by_role("dialog").wait_for()
    seat.until("document.querySelectorAll('.clocks li').length === 1")


def test_only_an_auditor_sees_who_did_what_the_latest_first(room: Room, homes: list[Home]) -> None:
    auditor = sit(room, homes[0], "A1", "log", "auditor")
    auditor.until("document.querySelector('.tabs button')")
    auditor.page.keyboard.press("a")
    auditor.until("document.querySelectorAll('.audit tbody tr').length > 1")
    first = auditor.page.locator(".audit tbody tr").first.inner_text()
    assert "A1" in first
    officer = sit(room, homes[0], "K7", "log")
    officer.shows("Nothing stands in the log yet.")
    assert officer.page.get_by_role("button", name="Audit log").count() == 0


# --- settings --------------------------------------------------------------------------------------------------


def test_an_administrator_adds_an_officer_whose_link_signs_in_and_keeps_them_out_again(
    room: Room, homes: list[Home]
) -> None:
    boss = sit(room, homes[0], "K7", "settings/people", *ALL)
    boss.until("document.querySelector('.people')")
    boss.page.keyboard.press("n")
    dialog = boss.page.get_by_role("dialog")
    dialog.get_by_label("Sign", exact=True).fill("k9")
    dialog.get_by_role("button", name="Add", exact=True).click()
    link = boss.page.get_by_role("textbox", name="One-time link for K9").input_value()
    boss.page.get_by_role("dialog").get_by_role("button", name="Close").click()
    guest = room.stranger(homes[0])
    guest.enter(link)
    guest.shows("Welcome to ALPHA, K9.")
    boss.page.get_by_role("row").filter(has_text="K9").get_by_role("button", name="Keep out").click()
    boss.page.get_by_role("dialog").get_by_role("button", name="Keep out").click()
    boss.shows("kept out")
    guest.page.reload()
    guest.shows("Sign in with your passkey")


def test_preferences_are_kept_and_a_passkey_brings_recovery_codes(room: Room, homes: list[Home]) -> None:
    seat = sit(room, homes[0], "K7", "settings")
    seat.page.get_by_label("Looks").select_option("light")
    seat.until("document.documentElement.dataset.theme === 'light'")
    seat.page.get_by_label("Times").select_option("dtg")
    seat.page.get_by_label("Sounds").select_option("flash")
    wanted = {"theme": "light", "times": "dtg", "sounds": "flash"}  # each is kept by a call of its own
    until(lambda: wanted.items() <= seat.call("GET", "/console/me")["answer"].items(), deadline_s=60)
    seat.authenticator()
    seat.page.get_by_label("What it is called").fill("desk key")
    seat.page.get_by_role("button", name="Make a passkey").click()
    seat.until("document.querySelectorAll('dialog .codes li').length === 10")
    seat.page.get_by_role("dialog").get_by_role("button", name="Close").click()
    seat.shows("desk key")
    seat.shows("10 recovery codes are left.")
    seat.page.get_by_label("Language").select_option("fr")
    seat.until("document.documentElement.lang === 'fr' && document.querySelector('.view-settings .fields')")


def test_a_bearer_is_probed_alone_and_alarms_say_that_nobody_outside_is_called(room: Room, homes: list[Home]) -> None:
    seat = sit(room, homes[0], "T1", "settings/bearers", "technician")
    seat.page.get_by_role("button", name="Probe TLS to BRAVO").click()
    seat.shows("answered in")
    seat.page.keyboard.press("a")
    seat.shows("No path is set up")
    assert seat.page.get_by_role("button", name="People and roles").count() == 0


# --- record ----------------------------------------------------------------------------------------------------


def test_the_record_is_exported_one_entry_proved_and_paper_says_copy(room: Room, homes: list[Home]) -> None:
    alpha, bravo = homes
    says(bravo, kind="message", text="Convoy K-4 holds until 0330Z.", precedence="immediate")
    seat = sit(room, alpha, "A1", "record/relay", *ALL)
    seat.shows("held by BRAVO")
    with alpha.client() as station:
        until(lambda: station.get("lines/relay/find", reference="BRAVO 0001")["entries"], deadline_s=60)
    seat.page.get_by_label("Name of the folder, in the station’s folder exports").fill("first")
    seat.page.get_by_role("button", name="Export this line").click()
    seat.shows("openline verify first")
    verdict = check(alpha.folder / "exports" / "first")
    assert verdict.ok
    seat.page.get_by_label("Reference, or lane.generation:index").fill("BRAVO 0001")
    seat.page.get_by_role("button", name="Make the proof").click()
    file = alpha.folder.parent / "one.proof"
    file.write_text(seat.page.get_by_label("The proof", exact=True).input_value())
    proved = check(file)
    assert isinstance(proved, ProofVerdict)
    assert proved.ok
    seat.page.get_by_role("button", name="Show", exact=True).click()
    message = seat.page.locator(".sheet .message").first
    for words in ("COPY", "IMMEDIATE", "BRAVO 0001", "Convoy K-4 holds until 0330Z.", "held"):
        assert words in message.inner_text()
    watch = sit(room, alpha, "K7", "record/relay")
    watch.shows("Only an auditor takes the record out.")
