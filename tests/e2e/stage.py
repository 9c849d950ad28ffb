"""The console's views, staged: real stations with invented words on their lines, and every view opened in any language.

    with staged(folder) as stage:
        seat = stage.show("line", "ar")

The views stand in an order: an alarm, and after it a FLASH, stand over whatever is shown later.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import ViewportSize

from openline.kernel.terms import Policy
from openline.protocol.contact_entries import Medium
from openline.protocol.contacts import RegularContact, with_contacts
from tests.e2e.browser import Room, Seat, floor
from tests.e2e.console_rig import entered, link_for, with_console
from tests.e2e.homes import Home, in_service, join, new_home, running
from tests.waiting import until

LANGUAGES = ("en", "fr", "ru", "ar")
SIZES: tuple[ViewportSize, ...] = (
    {"width": 1366, "height": 768},
    {"width": 1920, "height": 1080},
    {"width": 2560, "height": 1440},
)
PHONE: ViewportSize = {"width": 390, "height": 844}
VIEWS = {
    "floor": ("#/floor", ".strip"),
    "line": ("#/line/BRAVO", ".message"),
    "compose": ("#/compose/BRAVO", "textarea"),
    "calls": ("#/call/BRAVO", "[data-panel=place]"),
    "contacts": ("#/contacts/BRAVO", ".month"),
    "search": ("#/search?q=convoy", ".found li"),
    "record": ("#/record/BRAVO", ".standing td"),
    "settings": ("#/settings", ".fields"),
    "people": ("#/settings/people", ".people"),
    "bearers": ("#/settings/bearers", ".bearers td"),
    "paths": ("#/settings/alarms", ".body .panel:nth-child(3)"),
    "log": ("#/log", ".side .duty"),
    "signs": ("#/signs", "main h1"),
    "pick": ("#/compose", ".pick"),
    "keys": ("#/floor", "dialog[open] .keysheet"),
    "watch": ("#/floor", "dialog[open]"),
    "meeting": ("#/contacts/BRAVO", "dialog[open] .date"),
    "propose": ("#/contacts/BRAVO", "dialog[open] fieldset"),
    "entrance": ("#/", "main.alone h1"),
    "welcome": ("#/", "main.alone h1"),
    "empty": ("#/floor", ".steps"),
    "lock": ("#/floor", ".lockline"),
    "trouble": ("#/floor", ".alarms-band"),
    "alarms": ("#/floor", "dialog[open] .alarms li"),
    "flash": ("#/floor", "dialog.flashwall[open]"),
}
"""Where each stands, and what stands there once it is ready."""
_KEYS = {
    "keys": ("Shift+?", ".hints button"),
    "watch": ("w", ".hints button"),
    "meeting": ("r", ".month"),
    "propose": ("p", ".month"),
    "alarms": ("Alt+a", ".alarms-band"),
}
"""The key that opens a view, and what stands on the page once it acts."""
ROLES = ("watch-officer", "auditor", "administrator", "technician")
MINUTE = 60_000
CALL = RegularContact(
    name="Duty officers' call", rule="FREQ=WEEKLY;BYDAY=TU,FR;BYHOUR=9", start="20260101T090000", zone="Europe/Zurich",
    medium=Medium.CALL, tolerance_minutes=20, begins="BRAVO", also=("Asia/Seoul",),
)  # fmt: skip
LETTER = replace(CALL, name="Weekly summary", rule="FREQ=WEEKLY;BYDAY=MO;BYHOUR=15", medium=Medium.MESSAGE, also=())
POLICY = with_contacts(Policy(title="Northern sector", languages=("en", "fr", "ru", "ar")), [CALL, LETTER])


def stations(folder: Path) -> list[Home]:
    """ALPHA with its two lines, the two at their other ends, and DELTA, which has none yet."""
    made = [with_console(new_home(folder, name)) for name in ("ALPHA", "BRAVO", "CHARLIE", "DELTA")]
    for home, sign in zip(made, ("A2", "B4", "C1", "D1"), strict=True):
        home.change('sign = "W1"', f'sign = "{sign}"')
    join(made[:2], POLICY, "BRAVO")
    join([made[0], made[2]], Policy(title="Power grid"), "CHARLIE")
    return made


def say(home: Home, line: str, ago: int, **entry: object) -> dict[str, Any]:
    """Say something that was said some minutes ago; its reference, once the other side holds it."""
    with home.client() as station:
        at = int(time.time() * 1_000) - ago * MINUTE
        if entry["kind"] == "receipt":
            entry["at"] = at
        ref: dict[str, Any] = station.post(f"lines/{line}/entries", {**entry, "time": at})["ref"]
        place = {name: ref[name] for name in ("lane", "generation", "index")}
        held = partial(station.get, f"lines/{line}/wait", **place, **{"for": "held"}, timeout_ms=5_000)
        until(lambda: held()["reached"] != "sent")
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


class Stage:
    """ALPHA's floor at a desk and on a telephone, a console where nobody is signed in, and DELTA's."""

    def __init__(self, room: Room, homes: Sequence[Home]) -> None:
        self.room = room
        self.alpha, self.bravo, self.charlie, self.delta = homes
        self._seats: dict[str, Seat] = {}
        self._worn: dict[str, tuple[str, str]] = {}
        self._happened: set[str] = set()

    def show(self, view: str, language: str, *, phone: bool = False, theme: str = "dark") -> Seat:
        """A view, ready to be looked at."""
        self._happens(view)
        fragment, there = VIEWS[view]
        who = view if view in {"entrance", "welcome", "lock", "empty"} else "floor"
        seat = self._seat(who, phone=phone)
        if view in {"welcome", "lock"}:
            self._enters_anew(seat, view, language, theme)
        else:
            if view == "pick":  # where a line was shown, none is asked for
                seat.page.evaluate("sessionStorage.removeItem('openline.line')")
            anew = self._wears(seat, f"{who} {phone}", language, theme)
            seat.open(fragment)
            if anew and view != "flash":
                seat.page.mouse.click(2, 2)  # beside everything: a browser plays sound once somebody has clicked
        seat.until(f"document.documentElement.lang === '{language}' && document.querySelector('main h1, .flashwall')")
        if who == "floor":  # the address is another at once; what stood there before stands until the view has come
            seat.until(f"document.querySelector('main > .view-{name_of(fragment)} h1')")
        if view in _KEYS and not seat.page.evaluate("document.querySelector('dialog[open]') !== null"):
            key, ready = _KEYS[view]
            seat.until(f"document.querySelector('{ready}')")
            seat.page.keyboard.press(key)
        seat.until(f"document.querySelector('{there}')")
        seat.until("document.fonts.ready.then(() => true)")
        return seat

    def _seat(self, who: str, *, phone: bool) -> Seat:
        """A browser profile; a telephone has a finger and neither mouse nor keyboard."""
        name = f"{who} {phone}"
        if name not in self._seats:
            look: dict[str, Any] = {"viewport": PHONE, "is_mobile": True, "has_touch": True} if phone else {}
            look["reduced_motion"] = "reduce"  # a page that is not in front may let what moves stand still half-way
            home = self.delta if who == "empty" else self.alpha
            if who in {"floor", "empty"}:
                seat = self.room.seat(home, "A2" if who == "floor" else "D1", *ROLES, **look)
                seat.page.locator(".right button:not(.main)").click()  # no passkey now
                seat.until("document.querySelector('.shell main h1')")
            else:
                seat = self.room.stranger(home, **look)
                seat.open()
                seat.until("document.querySelector('main h1')")
            self._seats[name] = seat
        seat = self._seats[name]
        seat.page.evaluate("document.querySelectorAll('dialog[open]:not(.flashwall)').forEach((each) => each.close())")
        return seat

    def _wears(self, seat: Seat, name: str, language: str, theme: str) -> bool:
        """Whether the page had to begin anew, to have this language and theme."""
        if self._worn.get(name) == (language, theme):
            return False
        if name.startswith("entrance"):
            kept = {"openline.language": language, "openline.theme": theme}
            seat.page.evaluate("(kept) => Object.assign(localStorage, kept)", kept)
        else:
            assert seat.call("PUT", "/console/me", {"language": language, "theme": theme})["status"] == 200
        seat.page.goto("about:blank")
        self._worn[name] = (language, theme)
        return True

    def _enters_anew(self, seat: Seat, view: str, language: str, theme: str) -> None:
        """By a new link, once the language is chosen from elsewhere."""
        sign = {"welcome": "N1", "lock": "L1"}[view]
        elsewhere = entered(self.alpha, sign, "watch-officer")
        assert elsewhere.put("/console/me", {"language": language, "theme": theme}).status == 200
        seat.page.goto("about:blank")
        seat.context.clear_cookies()
        seat.enter(link_for(self.alpha, sign))
        if view == "lock":
            assert seat.call("POST", "/console/lock")["status"] == 200
            seat.page.reload()

    def _happens(self, view: str) -> None:
        """What a view needs to have happened; once."""
        if view in self._happened:
            return
        self._happened.add(view)
        if view in {"trouble", "alarms"}:
            self._happened |= {"trouble", "alarms"}
            say(self.alpha, "CHARLIE", 0, kind="watch", attended=False, sign="A2")
            say(
                self.charlie, "CHARLIE", 0, kind="message", precedence="priority", subject="Interconnector", lang="en",
                answer_by=int(time.time() * 1_000) - MINUTE,
                text="We take the interconnector out of service at 1600Z. Is 300 MW of reserve there?",
            )  # fmt: skip
        if view == "flash":
            say(
                self.bravo, "BRAVO", 0, kind="message", precedence="flash", subject="Shots at kilometre 18", lang="en",
                text="Shots are reported near our convoy at kilometre 18. We hold fire. Tell your post at once.",
            )  # fmt: skip


def name_of(fragment: str) -> str:
    """The name of the view at an address."""
    return fragment.removeprefix("#/").partition("?")[0].partition("/")[0]


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """The stations run, the words are said, Chromium stands before them."""
    homes = stations(folder)
    with running(*homes):
        in_service(*homes[:3], deadline_s=60)
        play(*homes[:3])
        with floor(*homes) as room:
            yield Stage(room, homes)
            for seat in room.seats:
                seat.allow("status of 4")
