"""A line that lives on sticks alone, by the courier's two commands, as people type them (spec 9.67).

Two real stations without any other bearer; the stick is a folder.
"""

import itertools
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openline.bearers.drop import folder
from openline.kernel.errors import Malformed
from openline.station.api_drop import _cut
from tests.e2e.cli_rig import Done, type_
from tests.e2e.homes import Home, Running, pair, running
from tests.e2e.test_bearers import held, say, texts, without_tls

Json = dict[str, Any]


@dataclass(frozen=True)
class Floor:
    """Who types at a station, with a stick in hand."""

    home: Home

    def __call__(self, *words: str) -> Done:
        return type_("drop", "--home", str(self.home.folder), *words)

    def good(self, *words: str) -> Json:
        done = self("--json", *words)
        assert done.code == 0, (done.out, done.err)
        found: Json = done.json
        return found

    def steps(self) -> set[str]:
        with self.home.client() as station:
            return {each["step"] for each in station.get("drop")["standing"]}


@dataclass(frozen=True)
class Couriers:
    """Two floors and one stick."""

    alpha: Floor
    bravo: Floor
    stick: Path

    def trip(self, sender: Floor, receiver: Floor) -> Json:
        """Write here, read there, delete what was read; what the receiver was told."""
        sender.good("write", str(self.stick))
        return receiver.good("read", str(self.stick), "--delete")

    def agree_on_keys(self) -> int:
        """Trips until both have keys."""
        ways = itertools.cycle(((self.alpha, self.bravo), (self.bravo, self.alpha)))
        for number, (sender, receiver) in enumerate(ways, 1):
            self.trip(sender, receiver)
            if not (self.alpha.steps() | self.bravo.steps()) & {"call", "answer", "proof"}:
                return number
            assert number < 8, (self.alpha.steps(), self.bravo.steps())
        raise AssertionError


@pytest.fixture
def homes(tmp_path: Path) -> list[Home]:
    found = pair(tmp_path)
    without_tls(*found)
    return found


@pytest.fixture
def couriers(homes: list[Home], tmp_path: Path) -> Iterator[Couriers]:
    stick = tmp_path / "stick"
    stick.mkdir()
    with running(*homes):
        yield Couriers(alpha=Floor(homes[0]), bravo=Floor(homes[1]), stick=stick)


def test_9_67_a_line_lives_on_sticks_alone(couriers: Couriers) -> None:
    alpha, bravo = couriers.alpha, couriers.bravo
    with alpha.home.client() as here, bravo.home.client() as there:
        sent = [say(here, f"message {number}", "priority") for number in range(5)]
        sent.append(say(here, "the urgent one", "flash"))
        assert couriers.agree_on_keys() == 4
        couriers.trip(alpha, bravo)
        assert sorted(texts(there)) == sorted(texts(here))
        back = say(there, "an answer")
        couriers.trip(bravo, alpha)
        assert "an answer" in texts(here)
        assert all(held(here, place, 10) for place in sent)
        couriers.trip(alpha, bravo)
        assert held(there, back, 10)


def test_9_67_both_may_call_at_once_and_sticks_may_cross(couriers: Couriers, tmp_path: Path) -> None:
    """Each floor has a stick of its own under way: they cross at every trip."""
    alpha, bravo = couriers.alpha, couriers.bravo
    east, west = tmp_path / "east", tmp_path / "west"
    east.mkdir()
    west.mkdir()
    with alpha.home.client() as here, bravo.home.client() as there:
        say(here, "from here")
        say(there, "from there")
        for _ in range(8):
            alpha.good("write", str(east))
            bravo.good("write", str(west))
            bravo.good("read", str(east), "--delete")
            alpha.good("read", str(west), "--delete")
            if len(texts(here)) == len(texts(there)) == 2:
                break
        assert sorted(texts(here)) == sorted(texts(there)) == ["from here", "from there"]


def test_9_67_a_stick_that_is_lost_costs_a_trip_and_nothing_else(couriers: Couriers) -> None:
    alpha, bravo, stick = couriers.alpha, couriers.bravo, couriers.stick
    with alpha.home.client() as here, bravo.home.client() as there:
        place = say(here, "the stick with this is lost")
        alpha.good("write", str(stick))
        for path in stick.rglob("*.envelope"):
            path.unlink()
        couriers.agree_on_keys()
        alpha.good("write", str(stick))
        for path in stick.rglob("*.envelope"):
            path.unlink()
        couriers.trip(alpha, bravo)
        assert texts(there) == ["the stick with this is lost"]
        couriers.trip(bravo, alpha)
        assert held(here, place, 10)


def test_9_67_a_station_may_stop_between_two_trips(homes: list[Home], tmp_path: Path) -> None:
    alpha, bravo = map(Floor, homes)
    stick = tmp_path / "stick"
    stick.mkdir()
    couriers = Couriers(alpha=alpha, bravo=bravo, stick=stick)

    def there(sender: Floor, receiver: Floor) -> None:
        for floor, act in ((sender, ("write", str(stick))), (receiver, ("read", str(stick), "--delete"))):
            floor.good(*act)

    with running(*homes):
        couriers.agree_on_keys()
    started = [Running(home) for home in homes]
    try:
        with homes[0].client() as here:
            say(here, "after a night")
        there(alpha, bravo)
        with homes[1].client() as station:
            assert texts(station) == ["after a night"]
    finally:
        for each in started:
            each.kill()


def test_9_67_what_is_said_on_screen(couriers: Couriers) -> None:
    alpha, bravo, stick = couriers.alpha, couriers.bravo, str(couriers.stick)
    with alpha.home.client() as here:
        say(here, "for the stick")
    first = alpha("write", stick)
    assert first.code == 0
    assert "Written: 1 envelope (4096 B)." in first.out
    assert "relay, BRAVO: keys are to be agreed on. This stick calls; bring back the answer of BRAVO" in first.out
    assert first.out.endswith("Safe to remove: unmount the stick, then pull it out.\n")
    heard = bravo("read", stick)
    assert heard.code == 0
    assert "Read: 1 envelope, 0 new entries." in heard.out
    assert "1 carried keys." in heard.out
    assert "Write a stick now" in heard.out
    assert "this stick answers the call of ALPHA" in bravo("write", stick).out
    again = bravo("read", stick)  # it was left there: harmless
    assert again.code == 0
    couriers.agree_on_keys()
    for _ in range(2):
        couriers.trip(alpha, bravo)
        couriers.trip(bravo, alpha)
    assert alpha("write", stick).code == 0
    (couriers.stick / "holiday.jpg").write_bytes(b"x")
    empty = bravo("read", str(couriers.stick / ".."))
    assert (empty.code, "There is nothing for this station on it." in empty.out) == (0, True)


def test_9_67_what_can_go_wrong_with_a_stick_is_told(couriers: Couriers, tmp_path: Path) -> None:
    alpha = couriers.alpha
    gone = alpha("write", str(tmp_path / "not-there"))
    assert (gone.code, "plugged in" in gone.err) == (3, True)
    file = tmp_path / "file"
    file.touch()
    assert alpha("write", str(file)).code == 3
    assert alpha("write", str(couriers.stick), "nobody").code == 1
    assert alpha("write", str(couriers.stick), "--delete").code == 2
    assert alpha("erase", str(couriers.stick)).code == 2
    stranger = couriers.stick / "a-folder"
    stranger.mkdir()
    (stranger / ("0" * 64 + ".envelope")).write_bytes(b"x")
    told = alpha.good("read", str(couriers.stick))
    assert (told["envelopes"], told["foreign"]) == (0, 0)


def test_9_67_garbage_on_a_stick_is_counted_and_left(couriers: Couriers) -> None:
    alpha, bravo, stick = couriers.alpha, couriers.bravo, couriers.stick
    couriers.agree_on_keys()
    with bravo.home.client() as station:
        into = station.get("drop")["folders"][0]["into"]
    with folder.opened(stick, into, make=True) as handle:
        for _ in range(20):
            folder.put(handle, os.urandom(256))
    (stick / into / "notes.txt").write_bytes(b"mine")
    (stick / into / ("1" * 64 + ".envelope")).write_bytes(b"damaged")
    with alpha.home.client() as here:
        say(here, "among garbage")
    alpha.good("write", str(stick))
    told = bravo.good("read", str(stick), "--delete")
    assert (told["unknown"], told["foreign"]) == (20, 2)
    assert told["entries"] >= 1
    assert (stick / into / "notes.txt").read_bytes() == b"mine"
    with bravo.home.client() as there:
        assert texts(there) == ["among garbage"]
        assert there.get("lines/relay")["suspected"] == []


@pytest.mark.full
def test_9_67_a_stick_that_fills_up_in_the_middle_loses_nothing(couriers: Couriers, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], capture_output=True).returncode:
        pytest.skip("this user may not mount")
    try:
        couriers.agree_on_keys()
        with couriers.alpha.home.client() as here, couriers.bravo.home.client() as there:
            for number in range(40):
                say(here, f"{number} " + "text " * 1_000)
            full = couriers.alpha("write", str(small))
            assert (full.code, "is full" in full.err, "Nothing is lost" in full.err) == (3, True, True)
            couriers.bravo.good("read", str(small), "--delete")
            assert 0 < len(texts(there)) < 40
            for _ in range(3):
                couriers.trip(couriers.alpha, couriers.bravo)
                couriers.trip(couriers.bravo, couriers.alpha)
            assert sorted(texts(there)) == sorted(texts(here))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_a_body_of_envelopes_is_cut_exactly_or_refused() -> None:
    assert _cut(b"\x00\x01a\x00\x02bc") == [b"a", b"bc"]
    for wrong in (b"", b"\x00", b"\x00\x00", b"\x00\x02a", b"\x00\x01ab", b"\x00\x01a" * 5_000):
        with pytest.raises(Malformed):
            _cut(wrong)
