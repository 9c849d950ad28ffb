"""Two floors that can call each other: stations with a line, and for each seat a Chromium with a voice of its own."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openline.kernel.errors import Unknown
from tests.e2e.browser import CHROMIUM, Room, Seat, floor
from tests.e2e.call_sound import speech, turn
from tests.e2e.call_sound.ears import connected, hears, listen_in, microphone
from tests.e2e.call_sound.likeness import Likeness
from tests.e2e.call_sound.road import Road
from tests.e2e.call_sound.speech import Spoken, speak
from tests.e2e.call_sound.turn import Turn
from tests.e2e.console_rig import with_console
from tests.e2e.homes import Home, Running, in_service, join, new_home, running
from tests.waiting import until

LABEL = "relay"
OFFICER, FURTHER = 0, 1
"""Numbers of seats in a call."""
OFFICERS = ((0, OFFICER), (1, OFFICER))
"""One at each floor."""


def needs() -> list[pytest.MarkDecorator]:
    """The marks of tests that stand on this: what they need of the machine, and that one worker takes them all."""
    missing = (
        speech.missing() or turn.missing() or (None if Path(CHROMIUM).exists() else f"no {CHROMIUM} (Debian: chromium)")
    )
    return [
        pytest.mark.full,
        pytest.mark.xdist_group("call-sound"),
        pytest.mark.skipif(missing is not None, reason=str(missing)),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaying:
    """What both stations are told of a TURN server: where its consoles reach it, and whether they use nothing else."""

    turn: Turn
    port: int | None = None
    """Another port of this machine that leads there."""
    only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """One seat's page, and what its microphone hears."""

    seat: Seat
    spoken: Spoken
    party: int
    number: int
    label: str = LABEL

    @property
    def name(self) -> str:
        """Of the seat in a call: PARTY/NUMBER."""
        return f"{self.party}/{self.number}"

    @property
    def call(self) -> dict[str, Any]:
        """The newest call of the line, as its station tells it."""
        calls: list[dict[str, Any]] = self.seat.call("GET", f"/v1/lines/{self.label}/calls?limit=1")["answer"]["calls"]
        return calls[0] if calls else {"state": "none"}

    def calls(self) -> list[tuple[str, str]]:
        """Place and state of all calls of the line, the newest first."""
        calls = self.seat.call("GET", f"/v1/lines/{self.label}/calls?limit=20")["answer"]["calls"]
        return [(call["place"], call["state"]) for call in calls]

    def until_state(self, state: str) -> None:
        """Wait until the page shows the call so."""
        self.seat.until(f"document.querySelector('[data-call-state]')?.dataset.callState === '{state}'")

    def place(self, precedence: str = "routine") -> None:
        """Press call."""
        self.seat.open("#/floor")  # the view of a call that is over shows that one
        self.seat.open(f"#/call/{self.label}")
        press = self.seat.page.get_by_role("button", name="Call now", exact=True)
        press.wait_for()
        if precedence != "routine":
            self.seat.page.get_by_label("Precedence").select_option(precedence)
        press.click()

    def rings(self) -> None:
        """Wait until it rings on this page."""
        self.seat.until("document.querySelector('dialog.ringwall[open]') !== null")

    def pick_up(self) -> None:
        """Press answer, whatever comes of the call."""
        self.rings()
        pressed = "document.querySelector('dialog.ringwall .acts .main')?.click()"
        self.seat.until(
            f"{pressed} ?? (!document.querySelector('dialog.ringwall') && location.hash.startsWith('#/call/'))"
        )

    def answer(self) -> None:
        """Pick up, and be in the call."""
        self.pick_up()
        self.until_state("open")

    def join(self) -> None:
        """Come into the call that is open, as the further console."""
        self.seat.open(f"#/call/{self.label}")
        self.seat.page.get_by_role("button", name="Come in as interpreter or adviser").click()

    def take_over(self) -> None:
        """Come into it in the officer's place."""
        self.seat.open(f"#/call/{self.label}")
        self.seat.shows("No console of yours is in this call now.")  # until then it would be taken from somebody
        self.seat.page.get_by_role("button", name="Take the call over at this console").click()

    def end(self) -> None:
        """Press end."""
        self.seat.page.keyboard.press("Control+End")


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """All of it."""

    homes: tuple[Home, Home]
    processes: list[Running]
    room: Room
    consoles: list[Console]

    def connect(self, caller: Console, callee: Console) -> None:
        """A call between two officers that is open on both pages."""
        caller.place()
        callee.answer()
        caller.until_state("open")


def all_hear(consoles: Sequence[Console]) -> list[Likeness]:
    """Wait until each page plays every other seat's speech, understood; how well, by listener and then by speaker."""
    pairs = [(one, other) for one in consoles for other in consoles if one is not other]
    return hears([(one.seat, other.name, other.spoken) for one, other in pairs])


@contextlib.contextmanager
def floors(
    folder: Path,
    seats: Sequence[tuple[int, int]] = OFFICERS,
    *,
    road: Road | None = None,
    relaying: Relaying | None = None,
    module: str = "openline.station",
) -> Iterator[Floors]:
    """Two stations that run, and a console for each of `seats`: (which home, number of the seat). `module`: see `running`."""
    homes = with_console(new_home(folder, "ALPHA")), with_console(new_home(folder, "BRAVO"))
    terms = join(list(homes), label=LABEL)
    parties = [terms.party_of_root(home.card.root.ed25519_key) for home in homes]
    if relaying:
        for home in homes:
            _relayed(home, relaying)
    voices = [speak(folder, place) for place in range(len(seats))]
    with (
        running(*homes, module=module) as processes,
        floor(*homes, flags=[microphone(voice) for voice in voices]) as room,
    ):
        in_service(*homes, deadline_s=60)
        consoles = []
        for place, (which, number) in enumerate(seats):
            role = "watch-officer" if number == OFFICER else "interpreter"
            seat = room.seat(homes[which], f"W{place}", role, at=place)
            seat.allow(r"status of (404|409) .*/calls/.*/(signal|connected|ways)")  # said to a call that has just ended
            seat.allow(r"status of (404|409) .*/calls/.*/(alive|seat)")  # of one that did not speak for six seconds
            listen_in(seat, road)
            seat.page.get_by_role("button", name="Not now").click()
            seat.page.reload()  # from here on with the wrapper
            consoles.append(Console(seat=seat, spoken=voices[place], party=parties[which], number=number))
        yield Floors(homes=homes, processes=processes, room=room, consoles=consoles)


def _relayed(home: Home, relaying: Relaying) -> None:
    secret = home.folder / "keys" / "turn.secret"
    secret.write_text(relaying.turn.secret)
    secret.chmod(0o600)
    table = f'\n[calls]\nturn = ["{relaying.turn.url(relaying.port)}"]\nturn_secret_file = "keys/turn.secret"\n'
    home.change("\n[log]\n", f"{table}relay_only = {str(relaying.only).lower()}\n\n[log]\n")


def ended(console: Console) -> dict[str, Any]:
    """The newest call of a console's station, once it is over and both sides said so."""

    def over() -> dict[str, Any] | None:
        call = console.call
        return call if call["state"] not in {"ringing", "open"} and len(call["ends"]) == 2 else None

    found = until(over, deadline_s=60)
    assert found is not None
    return found


def voice_message(home: Home) -> bytes:
    """That of the newest call, once its station holds all of it: the bytes come beside the entry that names it."""
    with home.client() as station, contextlib.suppress(Unknown):
        (message,) = station.get(f"lines/{LABEL}/calls", limit=1)["calls"][0]["voice"] or [{"sha256": "0" * 64}]
        return station.raw(f"lines/{LABEL}/attachments/{message['sha256']}")
    return b""


def hang_up(console: Console) -> None:
    """End what still stands."""
    call = console.call
    if call["state"] in {"ringing", "open"}:
        path = f"/v1/lines/{console.label}/calls/{call['place']}/hang-up"
        done = console.seat.call("POST", path, {"cause": "ended"})
        assert done["status"] == 200, done
        ended(console)


def only(console: Console) -> dict[str, Any]:
    """The one connection of a page that is up."""
    (peer,) = connected(console.seat)
    return peer
