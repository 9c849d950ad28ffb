"""Pictures of every view of the console, in every language and at three sizes, for looking at and for the documents.

.venv/bin/python -m tests.e2e.pictures FOLDER [VIEW ...] [LANGUAGE ...]     all, or these; FOLDER/VIEW-LANGUAGE-WIDTH.png

Three real stations on a real clock: ALPHA, whose floor is shown, with two lines; what is said on them is invented.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.sync_api import ViewportSize

from openline.kernel.terms import Policy
from openline.protocol.contact_entries import Medium
from openline.protocol.contacts import RegularContact, with_contacts
from tests.e2e.browser import Room, Seat, floor
from tests.e2e.console_rig import with_console
from tests.e2e.homes import Home, in_service, join, new_home, running

LANGUAGES = ("en", "fr", "ru", "ar")
SIZES: tuple[ViewportSize, ...] = (
    {"width": 1366, "height": 768},
    {"width": 1920, "height": 1080},
    {"width": 390, "height": 844},
)
VIEWS = {
    "floor": "#/floor", "line": "#/line/BRAVO", "compose": "#/compose/BRAVO", "contacts": "#/contacts/BRAVO",
    "search": "#/search?q=convoy", "record": "#/record/BRAVO", "settings": "#/settings", "log": "#/log",
    "signs": "#/signs", "lock": "#/floor", "flash": "#/floor",
}  # fmt: skip
_THERE = dict.fromkeys(VIEWS, "h1") | {"flash": "dialog.flashwall[open]"}
ROLES = ("watch-officer", "auditor", "administrator", "technician")
MINUTE = 60_000
CALL = RegularContact(
    name="Duty officers' call", rule="FREQ=WEEKLY;BYDAY=TU,FR;BYHOUR=9", start="20260101T090000", zone="Europe/Zurich",
    medium=Medium.CALL, tolerance_minutes=20, begins="BRAVO", also=("Asia/Seoul",),
)  # fmt: skip
LETTER = replace(CALL, name="Weekly summary", rule="FREQ=WEEKLY;BYDAY=MO;BYHOUR=15", medium=Medium.MESSAGE, also=())
POLICY = with_contacts(Policy(title="Northern sector", languages=("en", "fr", "ru", "ar")), [CALL, LETTER])


def stations(folder: Path) -> list[Home]:
    """ALPHA with its two lines, and the two at their other ends."""
    alpha, bravo, charlie = (with_console(new_home(folder, name)) for name in ("ALPHA", "BRAVO", "CHARLIE"))
    for home, sign in ((alpha, "A2"), (bravo, "B4"), (charlie, "C1")):
        home.change('sign = "W1"', f'sign = "{sign}"')
    join([alpha, bravo], POLICY, "BRAVO")
    join([alpha, charlie], Policy(title="Power grid"), "CHARLIE")
    return [alpha, bravo, charlie]


def say(home: Home, line: str, ago: int, **entry: object) -> dict[str, Any]:
    """Say something that was said some minutes ago; its reference, once the other side holds it."""
    with home.client() as station:
        at = int(time.time() * 1_000) - ago * MINUTE
        if entry["kind"] == "receipt":
            entry["at"] = at
        ref: dict[str, Any] = station.post(f"lines/{line}/entries", {**entry, "time": at})["ref"]
        place = {name: ref[name] for name in ("lane", "generation", "index")}
        station.get(f"lines/{line}/wait", **place, **{"for": "held"}, timeout_ms=20_000)
    return {**place, "leaf": ref["leaf"]}


def play(alpha: Home, bravo: Home, charlie: Home) -> None:
    """What was said on the two lines before anybody looks."""
    now = int(time.time() * 1_000)
    say(alpha, "BRAVO", 186, kind="watch", attended=True, sign="A2")
    say(bravo, "BRAVO", 185, kind="watch", attended=True, sign="B4")
    say(alpha, "CHARLIE", 184, kind="watch", attended=True, sign="A2")
    say(charlie, "CHARLIE", 183, kind="watch", attended=False, sign="C1")
    asked = say(
        bravo, "BRAVO", 122, kind="message", precedence="priority", subject="Convoy on the northern road", lang="en",
        text="Twelve lorries and two escort vehicles of ours will use the northern road between 1400Z and 1700Z."
        " They carry winter supplies. Please tell your posts at kilometres 11 and 18, and confirm.",
    )  # fmt: skip
    for ago, step in ((121, "presented"), (119, "read")):
        say(alpha, "BRAVO", ago, kind="receipt", of=asked, step=step, sign="A2")
    say(alpha, "BRAVO", 117, kind="receipt", of=asked, step="relayed", relayed_to="principal", sign="A2")
    say(
        alpha,
        "BRAVO",
        115,
        kind="interim",
        of=asked,
        until=now + 45 * MINUTE,
        text="We are asking the posts.",
        sign="A2",
    )
    told = say(
        alpha, "BRAVO", 64, kind="message", precedence="priority", subject="Convoy: post 11 is told", lang="en",
        text="Post 11 expects the convoy. Post 18 changes its watch at 1500Z: let the drivers stop at the barrier.",
        answers=asked,
    )  # fmt: skip
    for ago, step in ((63, "presented"), (61, "read")):
        say(bravo, "BRAVO", ago, kind="receipt", of=told, step=step, sign="B4")
    say(bravo, "BRAVO", 38, kind="service", text="Modem line will be tested at the half hour.", lang="en")
    say(
        bravo, "BRAVO", 21, kind="message", precedence="immediate", subject="Колонна задерживается", lang="ru",
        text="Колонна задерживается на час: снег у километра 9. Просим подтвердить новое время.",
        answer_by=now + 25 * MINUTE,
    )  # fmt: skip
    say(
        charlie, "CHARLIE", 12, kind="message", precedence="routine", subject="Frequency bulletin", lang="en",
        text="50.01 Hz mean over the last hour. Interconnector at 410 MW.",
    )  # fmt: skip


class Photographer:
    """Takes the pictures of one floor."""

    def __init__(self, room: Room, homes: Sequence[Home], folder: Path) -> None:
        self.room, self.alpha, self.bravo = room, homes[0], homes[1]
        self.folder = folder
        self.seat = self._officer("A2", ROLES)

    def _officer(self, sign: str, roles: Sequence[str]) -> Seat:
        seat = self.room.seat(self.alpha, sign, *roles, color_scheme="dark")
        seat.page.get_by_role("button", name="Not now").click()
        seat.shows("Waits for this watch")
        return seat

    def take(self, view: str, languages: Sequence[str]) -> None:
        """One view in these languages, in every size."""
        seat = self.seat
        if view == "flash":
            say(
                self.bravo, "BRAVO", 0, kind="message", precedence="flash", subject="Shots at kilometre 18", lang="en",
                text="Shots are reported near our convoy at kilometre 18. We hold fire. Tell your post at once.",
            )  # fmt: skip
        for language in languages:
            if view == "lock":  # nothing opens it again but a passkey
                seat = self._officer(f"L{LANGUAGES.index(language) + 1}", ["watch-officer"])
            assert seat.call("PUT", "/console/me", {"language": language})["status"] == 200
            if view == "lock":
                seat.call("POST", "/console/lock")
            for size in SIZES:
                seat.page.set_viewport_size(size)
                seat.page.goto("about:blank")
                seat.open(VIEWS[view])
                seat.until(
                    f"document.documentElement.lang === '{language}' && document.querySelector('{_THERE[view]}')"
                )
                self._shoot(seat, f"{view}-{language}-{size['width']}", size["width"])

    def _shoot(self, seat: Seat, name: str, width: int) -> None:
        page = seat.page
        seat.until("document.fonts.ready.then(() => true)")
        if not name.startswith("flash"):
            page.mouse.click(2, 2)  # beside everything: a browser plays sound once somebody has clicked
        page.wait_for_timeout(600)  # the view arranges itself: nothing tells when it has
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            print(f"{name}: wider than the screen, {wide}")
        page.screenshot(path=str(self.folder / f"{name}.png"))


def main(folder: Path, chosen: Sequence[str]) -> None:
    """Take them. A FLASH comes last: it stands over whatever comes after it."""
    views = [view for view in VIEWS if view in chosen] or list(VIEWS)
    languages = [language for language in LANGUAGES if language in chosen] or LANGUAGES
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        homes = stations(Path(data))
        with running(*homes):
            in_service(*homes, deadline_s=60)
            play(*homes)
            with floor(*homes) as room:
                at = Photographer(room, homes, folder)
                for view in views:
                    at.take(view, languages)
                for seat in room.seats:
                    seat.allow(".")  # pictures, not a test


if __name__ == "__main__":
    os.umask(0o022)
    main(Path(sys.argv[1]), sys.argv[2:])
