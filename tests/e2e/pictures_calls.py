"""Pictures of a call in each of its states, for looking at and for the documents: four consoles of two stations, each in another
language, while they ring, speak, take turns, are held, hear badly, hear nothing, end, and agree on minutes or do not.

.venv/bin/python -m tests.e2e.pictures FOLDER talk [SCENE ...] [LANGUAGE ...] [WIDTH ...] [dark] [light]

They are FOLDER/call-SCENE-WHO-LANGUAGE-WIDTH.png; WHO is the officer or the interpreter of either side. The scenes build on each
other, so all are played, and those that are named are looked at.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Locator, ViewportSize

from tests.e2e.browser import Room, Seat, floor
from tests.e2e.fits import misfits
from tests.e2e.homes import Home, in_service, running
from tests.e2e.stage import LANGUAGES, PHONE, SIZES, play, stations

DEVICES = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
SCENES = (
    "place", "devices", "ring", "decline", "ring-immediate", "ring-flash", "ring-missed", "calling", "missed", "talk", "voice", "beside", "muted", "held", "locked", "outside",
    "four", "turns", "bad", "failing", "lost", "over", "draft", "minutes", "agreed", "list",
)  # fmt: skip
HEARD = "[...document.querySelectorAll('audio[data-seat]')].filter((each) => each.srcObject && !each.muted && each.currentTime > 0).length"
RUNG_S = 120.0
_WORN = "async (theme) => (await import('/static/js/theme.js')).wear(theme)"
_QUALITY = """async (worn) => {
    const {session} = await import("/static/js/call/calls.js");
    for (const each of session().connections.values())
        for (const [name, value] of Object.entries(worn)) Object.defineProperty(each, name, {configurable: true, get: () => value, set() {}});
}"""
_NOTHING = """async () => {
    const {session} = await import("/static/js/call/calls.js");
    Object.defineProperty(session(), "failing", {configurable: true, get: () => true});
}"""
_AGAIN = """async () => {
    const {session} = await import("/static/js/call/calls.js");
    delete session().failing;
    for (const each of session().connections.values()) for (const name of ["state", "quality", "thin"]) delete each[name];
    for (const each of session().connections.values()) Object.assign(each, {state: "connected", quality: null});
}"""


@dataclass(slots=True, kw_only=True)
class Camera:
    """What is wanted of the pictures, and where they go."""

    folder: Path
    scenes: Sequence[str]
    languages: Sequence[str]
    themes: Sequence[str]
    widths: Sequence[int]
    found: list[str] = field(default_factory=list)

    def take(self, scene: str, **seats: Seat) -> None:
        """That scene as these see it, each in its language."""
        if scene not in self.scenes:
            return
        for who, seat in seats.items():
            language = seat.page.evaluate("document.documentElement.lang")
            if language not in self.languages:
                continue
            for size in (*SIZES, PHONE):
                if size["width"] in self.widths:
                    self._sized(f"call-{scene}-{who}-{language}", seat, size)
            seat.page.set_viewport_size(SIZES[0])
            seat.page.evaluate(_WORN, self.themes[0])

    def _sized(self, name: str, seat: Seat, size: ViewportSize) -> None:
        seat.page.set_viewport_size(size)
        for theme in self.themes:
            seat.page.evaluate(_WORN, theme)
            seat.page.wait_for_timeout(250)  # the view arranges itself: nothing tells when it has
            path = self.folder / f"{name}-{size['width']}{'-light' if theme == 'light' else ''}.png"
            self.found += [f"{path.stem}: {each}" for each in misfits(seat, size["width"])]
            seat.page.screenshot(path=str(path))


class Scene:
    """Four consoles before one line."""

    def __init__(self, room: Room, homes: Sequence[Home], languages: Sequence[str], camera: Camera, turn: int) -> None:
        self.camera = camera
        self.ours = self._sits(room, homes[0], f"A{2 + turn}", "watch-officer", languages[0], keyed=True)
        self.theirs = self._sits(room, homes[1], f"B{4 + turn}", "watch-officer", languages[1])
        self.aide = self._sits(room, homes[0], "X3", "interpreter", languages[2])
        self.guest = self._sits(room, homes[1], "Y5", "interpreter", languages[3])

    def _sits(self, room: Room, home: Home, sign: str, role: str, language: str, *, keyed: bool = False) -> Seat:
        """An officer, `keyed` with a passkey, before the line's calls."""
        seat = room.seat(home, sign, role)
        seat.allow(r"status of 4")
        assert seat.call("PUT", "/console/me", {"language": language})["status"] == 200
        if keyed:
            seat.authenticator()
            seat.page.locator(".right button.main").click()
            seat.until("document.querySelector('.codes')")
        self._goes(seat)
        return seat

    def _goes(self, seat: Seat) -> None:
        seat.page.goto("about:blank")
        seat.open("#/call/BRAVO")
        ready = "[data-panel=place], [data-panel=record], .seats"
        seat.until(f"document.querySelector('{ready}') && document.querySelector('.hints button')")
        seat.page.mouse.click(2, 2)  # a browser plays sound once somebody has clicked

    @property
    def all(self) -> tuple[Seat, ...]:
        """Officers, then interpreters."""
        return self.ours, self.theirs, self.aide, self.guest

    def play(self) -> None:
        """All scenes, one after the other."""
        for each in (self.rings, self.speaks, self.takes_turns, self.goes_wrong, self.ends):
            each()

    # --- before it is answered ---------------------------------------------------------------------------------

    def rings(self) -> None:
        """Nobody answers, somebody declines, and a FLASH."""
        take, ours, theirs = self.camera.take, self.ours, self.theirs
        take("place", ours=ours, theirs=theirs)
        _button(ours, "[data-panel=place] .row:last-of-type button:not(.main)").click()
        ours.until("parseInt(document.querySelector('dialog .level i')?.style.inlineSize) > 3")
        take("devices", ours=ours)
        ours.page.keyboard.press("Escape")
        _called(ours, theirs, subject="Shots near the bridge at kilometre 11")
        take("ring", theirs=theirs, guest=self.guest)
        take("calling", ours=ours)
        _button(theirs, "dialog.ringwall .acts button:nth-child(2)").click()
        theirs.page.locator("dialog.ringwall form .row button").first.click()
        take("decline", theirs=theirs)
        theirs.page.locator("dialog.ringwall form [type=submit]").click()
        ours.until("document.querySelector('[data-panel=record]')")
        take("missed", ours=ours)
        self._anew(ours, theirs)
        _called(theirs, ours, precedence="immediate", subject="Колонна стоит у километра 9: снег")
        take("ring-immediate", ours=ours)
        theirs.page.keyboard.press("Control+End")
        ours.until("!document.querySelector('dialog.ringwall')")
        self._anew(ours, theirs)
        _called(theirs, ours, precedence="flash", subject="Стрельба у километра 18, мы не отвечаем")
        take("ring-flash", ours=ours)
        ours.until("!document.querySelector('dialog.ringwall')", deadline_s=RUNG_S)
        take("ring-missed", ours=ours)
        for seat in self.all:
            self._goes(seat)
        take("list", ours=ours, theirs=theirs)
        _button(ours, ".band.look button").click()  # the missed one was seen

    def _anew(self, *seats: Seat) -> None:
        """The form again, after a call."""
        for seat in seats:
            seat.until("!document.querySelector('dialog[open]')")
            if seat.page.locator("[data-panel=place]").count() == 0:
                seat.until("document.querySelector('[data-panel=record]')")
                seat.page.locator("main h1").focus()
                seat.page.keyboard.press("a")
            seat.until("document.querySelector('[data-panel=place]')")

    # --- in the call -------------------------------------------------------------------------------------------

    def speaks(self) -> None:
        """Two officers, freely."""
        take, ours, theirs = self.camera.take, self.ours, self.theirs
        _called(ours, theirs, precedence="priority", subject="Convoy: stop before the bridge at kilometre 11")
        _button(theirs, "dialog.ringwall .main").click()
        for seat in (ours, theirs):
            seat.until(f"{HEARD} === 1")
            seat.page.locator("main h1").focus()
        theirs.page.keyboard.press("b")
        for seat, words in ((ours, "54-12.4 N 019-47.1 E"), (theirs, "12 грузовиков, 2 машины сопровождения")):
            seat.page.locator("main h1").focus()
            seat.page.keyboard.press("w")
            seat.page.keyboard.type(words)
            seat.page.keyboard.press("Enter")
        ours.until("document.querySelectorAll('.typedlines li').length === 2")
        _voice(ours)
        theirs.until("document.querySelectorAll('.typedlines li').length === 3")
        take("talk", ours=ours, theirs=theirs)
        ours.page.evaluate("location.hash = '#/floor'")
        ours.until("document.querySelector('.strip')")
        take("beside", ours=ours)
        ours.page.evaluate("location.hash = '#/call/BRAVO'")
        ours.until("document.querySelector('.seats')")
        for key, scene in (("m", "muted"), ("h", "held")):
            ours.page.locator("main h1").focus()
            ours.page.keyboard.press(key)
            ours.until("document.querySelector('.callacts [aria-pressed=true]')")
            take(scene, ours=ours, theirs=theirs)
            ours.page.locator("main h1").focus()
            ours.page.keyboard.press(key)
        ours.page.keyboard.press("l")
        ours.until("document.querySelector('.lockcall.ours:not([hidden])')")
        take("locked", ours=ours)
        ours.page.keyboard.press("Enter")
        ours.until(f"{HEARD} === 1")
        ours.page.locator("main h1").focus()
        ours.page.keyboard.press("m")

    def takes_turns(self) -> None:
        """With both interpreters."""
        take = self.camera.take
        self.aide.until("document.querySelector('.told button, [role=alert] button')")
        take("outside", aide=self.aide, guest=self.guest)
        for seat in (self.aide, self.guest):
            seat.page.locator("main h1").focus()
            seat.page.keyboard.press("j")
        for seat in self.all:
            seat.until(f"{HEARD} === 3")
        take("four", ours=self.ours, theirs=self.theirs)
        self.ours.page.locator("main h1").focus()
        self.ours.page.keyboard.press("t")
        self.theirs.page.locator("main h1").focus()
        with _held(self.theirs, " "):
            self.ours.until("document.querySelector('.seat.them.speaks')")
            with _held(self.ours, " "):
                self.theirs.until("document.querySelector('.seat.asks')")
                take("turns", ours=self.ours, theirs=self.theirs, aide=self.aide, guest=self.guest)
        self.ours.page.locator("main h1").focus()
        self.ours.page.keyboard.press("t")

    def goes_wrong(self) -> None:
        """Heard badly, not at all, and a console that is lost."""
        take, ours, theirs = self.camera.take, self.ours, self.theirs
        for seat in (ours, theirs):
            worn = {"quality": {"word": "hardly", "kbits": 14, "lost": 0.22, "delay": 640}, "thin": True}
            seat.page.evaluate(_QUALITY, worn)
            seat.page.wait_for_timeout(600)
        take("bad", ours=ours, theirs=theirs)
        for seat in (ours, theirs):
            seat.page.evaluate(
                _QUALITY, {"quality": {"word": "none", "kbits": 0, "lost": 0, "delay": None}, "state": "broken"}
            )
            seat.page.evaluate(_NOTHING)
            seat.page.wait_for_timeout(600)
        _recording(ours, lambda: take("failing", ours=ours, theirs=theirs))
        for seat in (ours, theirs):
            seat.page.evaluate(_AGAIN)
        self.guest.page.close()
        theirs.page.goto("about:blank")
        ours.until("document.querySelector('.seat.lost, .seat.gone')")
        take("lost", ours=ours, aide=self.aide)
        theirs.open("#/call/BRAVO")
        theirs.until("document.querySelector('[role=alert] button')")
        theirs.page.locator("main h1").focus()
        theirs.page.keyboard.press("o")
        ours.until(f"{HEARD} === 2")

    # --- afterwards --------------------------------------------------------------------------------------------

    def ends(self) -> None:
        """The record, and minutes on which the sides differ."""
        take, ours, theirs = self.camera.take, self.ours, self.theirs
        ours.page.keyboard.press("Control+End")
        for seat in (ours, theirs):
            seat.until("document.querySelector('[data-panel=record]')")
        ours.until("document.querySelectorAll('.ends tbody tr').length === 2")
        take("over", ours=ours, theirs=theirs)
        _drafts(
            ours,
            (
                ("Both posts hold fire.", "The convoy passes after 1630Z."),
                ("Оба поста не открывают огня.", "Колонна проходит после 1630Z."),
            ),
            lambda: take("draft", ours=ours),
        )
        theirs.until("document.querySelector('.minutes')")
        panel = theirs.page.locator("[data-panel=minutes]")
        panel.locator("input[value=no]").last.check()
        panel.locator("input:not([type=radio])").last.fill("Не ранее 1700Z: снег у километра 9.")
        take("minutes", theirs=theirs)
        panel.locator(".minutes > .row button").last.click()
        ours.until("document.querySelector('[data-panel=minutes] .clauseword .look')")
        take("minutes", ours=ours)
        _drafts(
            ours,
            (
                ("Both posts hold fire.", "The convoy passes after 1700Z."),
                ("Оба поста не открывают огня.", "Колонна проходит после 1700Z."),
            ),
            lambda: None,
        )
        theirs.until("document.querySelectorAll('.minutes').length === 2")
        theirs.page.locator("[data-act=agree]").last.click()
        ours.until("document.querySelector('[data-panel=minutes] p.work')")
        take("agreed", ours=ours)


def _button(seat: Seat, where: str) -> Locator:
    return seat.page.locator(where).first


def _called(caller: Seat, called: Seat, *, subject: str, precedence: str = "routine") -> None:
    """Place a call, and wait until it rings."""
    caller.page.locator("[data-panel=place] select").first.select_option(precedence)
    caller.page.locator("[data-panel=place] .row.top input").fill(subject)
    if precedence == "flash":
        number = caller.page.locator(".linehead .fig").first.inner_text()
        caller.page.locator("[data-panel=place] input.fig").fill(number)
    caller.page.locator("[data-panel=place] [type=submit]").click()
    called.until("document.querySelector('dialog.ringwall[open]')")


@contextlib.contextmanager
def _held(seat: Seat, key: str) -> Iterator[None]:
    """A key that is held down."""
    seat.page.locator("main h1").focus()
    seat.page.keyboard.down(key)
    yield
    seat.page.keyboard.up(key)


def _recording(seat: Seat, look: Callable[[], None]) -> None:
    """While a voice message is recorded, and not sent."""
    seat.page.locator("main h1").focus()
    seat.page.keyboard.press("r")
    seat.until("document.querySelector('.voice .act')")
    look()
    seat.page.locator(".voice button").last.click()


def _voice(seat: Seat) -> None:
    """Send a voice message of a second."""
    seat.page.locator("main h1").focus()
    seat.page.keyboard.press("r")
    seat.until("document.querySelector('.voice .act')")
    seat.page.wait_for_timeout(1_200)
    seat.page.keyboard.press("r")


def _drafts(seat: Seat, columns: Sequence[Sequence[str]], look: Callable[[], None]) -> None:
    """Draft minutes of two clauses in two languages."""
    seat.page.locator("main h1").focus()
    seat.page.keyboard.press("n")
    areas = seat.page.locator(".minutesform textarea")
    areas.first.wait_for()
    if areas.count() == 2:
        seat.page.locator(".minutesform .row button").first.click()
    for place, text in enumerate(text for clause in zip(*columns, strict=True) for text in clause):
        areas.nth(place).fill(text)
    look()
    seat.page.locator(".minutesform [type=submit]").click()
    areas.first.wait_for(state="detached")


def take_calls(camera: Camera, data: Path) -> None:
    """Play a call before the camera: twice, so that an officer of each side is seen in every language."""
    homes = stations(data)
    with running(*homes):
        in_service(*homes[:3], deadline_s=60)
        play(*homes[:3])
        for first in (0, 1):
            languages = [LANGUAGES[(first + 2 * at) % 4] for at in (0, 1)] + [
                LANGUAGES[(first + 1 + 2 * at) % 4] for at in (0, 1)
            ]
            if any(each in camera.languages for each in languages[:2]):
                with floor(*homes[:2], flags=(DEVICES,)) as room:
                    Scene(room, homes, languages, camera, first).play()
                    for seat in room.seats:
                        seat.allow(".")
    for each in camera.found:
        print(each)
