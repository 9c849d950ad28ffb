"""Stations that lie about the keys of a call, and envelopes that come twice: what two officers see of it in their browsers."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.call_sound.ears import connected, peers
from tests.e2e.call_sound.floors import LABEL, Console, Floors, ended, floors, hang_up, needs
from tests.e2e.call_sound.lying_station import LIE
from tests.waiting import until

pytestmark = needs()


@pytest.fixture(scope="module")
def lied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floors]:
    """Two officers, at stations that can be made to lie."""
    with floors(tmp_path_factory.mktemp("lies"), module="tests.e2e.call_sound.lying_station") as opened:
        yield opened


@pytest.fixture
def liars(lied: Floors) -> Iterator[tuple[Console, Console, Path]]:
    """The caller, the called, and where the caller's station is told how to lie."""
    lie = lied.homes[0].folder / LIE
    yield lied.consoles[0], lied.consoles[1], lie
    lie.unlink(missing_ok=True)
    hang_up(lied.consoles[0])


@pytest.mark.parametrize(
    "lie, cause, said",
    [
        ("fingerprint", "not-protected", "Sound was not protected as it must be"),
        ("key", "wrong-key", "key was not the one it had bound itself to"),
    ],
)
def test_a_key_that_is_not_the_signed_one_ends_the_call_and_both_officers_read_why(
    liars: tuple[Console, Console, Path], lie: str, cause: str, said: str
) -> None:
    """Clauses 17.21 and 17.40, with the browsers themselves at both ends."""
    caller, callee, told = liars
    for console in (caller, callee):
        console.seat.allow(r"status of (400|403|404|409)")  # what a page still says to a call that was just ended
    before = [len(peers(console.seat)) for console in (caller, callee)]
    told.write_text(lie)
    caller.place()
    callee.pick_up()
    for console, earlier in zip((caller, callee), before, strict=True):
        call = ended(console)
        assert (call["state"], call["cause"]) == ("ended", cause)
        console.seat.open(f"#/call/{LABEL}?call={quote(call['place'], safe='')}")
        console.seat.shows(said)
        assert not connected(console.seat)
        made = peers(console.seat)[earlier:]
        assert not [each for each in made if each.get("received", {}).get("packetsReceived")]


def test_a_ring_that_is_sent_again_does_not_ring_again(lied: Floors, liars: tuple[Console, Console, Path]) -> None:
    """Clause 17.9: everything that came over the bearers comes once more, after the call."""
    caller, callee, _ = liars
    lied.connect(caller, callee)
    caller.end()
    before = (ended(callee)["place"], callee.calls())
    replay = lied.homes[1].folder / LIE
    replay.write_text("replay")
    with lied.homes[0].client() as station:
        station.post(f"lines/{LABEL}/entries", {"kind": "message", "text": "Something comes.", "lang": "en"})
    until(lambda: not replay.exists(), deadline_s=60)
    callee.seat.open(f"#/line/{LABEL}")
    callee.seat.shows("Something comes.")
    assert (callee.call["place"], callee.calls()) == before
    assert not callee.seat.page.locator("dialog.ringwall").count()
    lied.connect(caller, callee)
    assert len(callee.calls()) == len(before[1]) + 1
