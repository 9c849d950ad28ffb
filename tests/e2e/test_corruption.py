"""Damage of every kind, on the disk and on the wire: a clear error or none, never a wrong message and never a fork."""

import contextlib
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from openline.kernel.errors import Malformed, Refused, Unavailable
from openline.station.config import load_config, parse_config
from tests.e2e.chaos.checker import check_all, check_log, settle, view
from tests.e2e.chaos.load import CANARY, Record, Sent, under_load
from tests.e2e.chaos.moments import let_pass
from tests.e2e.chaos.rig import NAMES, Rig, Station
from tests.waiting import until

pytestmark = pytest.mark.full
MIB = 1 << 20


@dataclass(frozen=True)
class Base:
    """Both homes after some traffic, stopped in order; each trial starts from a copy."""

    two: Rig
    record: Record
    folder: Path

    def fresh(self) -> None:
        """Put both homes back as they were."""
        for station in self.two.both:
            station.kill()
            shutil.rmtree(station.home)
            shutil.copytree(self.folder / station.name, station.home)
            station.log.write_text("")


@pytest.fixture
def base(two: Rig) -> Base:
    record = Record()
    two.start()
    for station in two.both:
        say(station, record, 60)
    settle(two, record)
    for station in two.both:
        assert station.stop() == 0
        shutil.copytree(station.home, two.folder / "base" / station.name, ignore=shutil.ignore_patterns("*.sock"))
    return Base(two, record, two.folder / "base")


def say(station: Station, record: Record, count: int, word: str = "") -> None:
    """Some messages of different sizes."""
    texts = [f"{CANARY} {station.name} {word} {number} {'y' * (number * 7 % 300)}" for number in range(count)]
    refs = station.send_many(texts, "priority")
    record.add([Sent(station.name, -1, text, "priority", ref) for text, ref in zip(texts, refs, strict=True)])


def flip(path: Path, at: int, bit: int = 0) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def outcome(station: Station) -> str:
    """Start a damaged station: "refused" if it ends with a clear error, else "up"."""
    process = station.spawn()
    until(lambda: process.poll() is not None or _up(station), deadline_s=120)
    if process.poll() is None:
        return "up"
    status = station.ended()
    said = station.log.read_text()
    assert status > 0, (status, said)
    assert said.strip(), "it ended without a word"
    assert "Traceback" not in said, said
    assert "mistake in Openline" not in said, said
    assert CANARY not in said
    return "refused"


def _up(station: Station) -> bool:
    try:
        return station.answers()
    except AssertionError:  # it has ended meanwhile, which the caller looks at
        return False


def doctor_finds(station: Station) -> None:
    """The doctor says that something is wrong and what to do, without a fault of its own."""
    done = station.command("doctor", "--json")
    assert done.code not in {0, 70}, (done.code, done.out, done.err)
    assert '"do"' in done.out
    assert "Traceback" not in done.err


# --- on the disk ---


def test_one_bit_of_the_store_never_shows_a_wrong_message_and_never_forks(base: Base) -> None:
    two, dice, seen = base.two, random.Random(1), Counter[str]()
    truth = {one.text for one in base.record.sent}
    for _ in range(7):
        base.fresh()
        size = two.alpha.store.stat().st_size
        flip(two.alpha.store, dice.randrange(size), dice.randrange(8))
        two.bravo.start()
        found = outcome(two.alpha)
        if found == "up":
            found = _works(two, truth)
        seen[found] += 1
        if found in {"refused", "stopped"}:
            two.alpha.kill()
            doctor_finds(two.alpha)
        line = two.bravo.line()
        assert line["forks"] == 0
        assert not line["suspected"], line
    assert sum(seen.values()) == 7, seen


@pytest.mark.parametrize("lane", [0, 1, 2, 3])
def test_a_lane_that_looks_shorter_than_it_was_stops_its_line_and_nobody_is_suspected(base: Base, lane: int) -> None:
    """One bit of an index does that. Acknowledged so, it would make a liar of a station whose disk is bad (4.16)."""
    base.fresh()
    two = base.two
    with contextlib.closing(apsw.Connection(str(two.alpha.store))) as raw:
        raw.execute(
            "DELETE FROM entries WHERE place = (SELECT place FROM entries JOIN lanes ON lanes.id = lane"
            " WHERE number = ? ORDER BY idx DESC LIMIT 1)",
            (lane,),
        )
    two.bravo.start()
    if outcome(two.alpha) == "up":
        # What it had said last itself, its mark knows: that is a loss like any other, and it goes on as after a restore.
        until(lambda: _is_stopped_or_restored(two.alpha.line()))
    with contextlib.suppress(Unavailable, Refused):
        two.bravo.send("more", "flash")
    let_pass(2)
    line = two.bravo.line()
    assert (line["forks"], line["suspected"]) == (0, [])
    two.alpha.kill()
    doctor_finds(two.alpha)


def _is_stopped_or_restored(line: dict[str, Any]) -> bool:
    return line["state"] == "stopped" or [each["own"] for each in line["generations"]] == [True]


def _works(two: Rig, truth: set[str]) -> str:
    """What a damaged station does at work: all that it shows is true, or it says that it cannot."""
    found = "works"
    with contextlib.suppress(TimeoutError, Unavailable, Refused):
        until(lambda: _state(two.alpha) in {"in service", "stopped", "refused"}, deadline_s=4)
    with contextlib.suppress(Unavailable, Refused):
        two.bravo.send("more", "flash")
        two.alpha.send("more too", "flash")
    try:
        if _state(two.alpha) == "refused":
            return "stopped"
        shown = {text for _, _, text, _ in view(two.alpha, two.alpha.entries()).values()}
        assert shown <= truth | {"more", "more too"}, "a message that nobody sent"
        if two.alpha.line()["state"] == "stopped":
            found = "stopped"
    except (Unavailable, Refused):
        found = "stopped"
    return found


def _state(station: Station) -> str:
    """Its line's; "refused" where the record itself is damaged: then there is none, and the station says so."""
    if station.client.get("lines")["lines"]:
        return str(station.line()["state"])
    problems = station.client.get("status")["problems"]
    assert any("cannot be opened" in each for each in problems), problems
    return "refused"


@pytest.mark.parametrize("name", ["station.key", "lane.key"])
def test_one_bit_of_a_key_file_and_the_station_does_not_start(base: Base, name: str) -> None:
    size, station = (base.two.alpha.home / "keys" / name).stat().st_size, base.two.alpha
    for at in (3, size // 2, size - 1):
        base.fresh()
        flip(station.home / "keys" / name, at)
        assert outcome(station) == "refused"
    doctor_finds(station)


def test_one_bit_of_the_key_file_that_opens_the_keys(base: Base) -> None:
    base.fresh()
    station = base.two.alpha
    flip(station.key_file, 10)
    assert outcome(station) == "refused"
    doctor_finds(station)


def test_a_damaged_pairing_key_or_card_silences_no_line_and_the_doctor_tells_of_it(base: Base) -> None:
    """The one is needed when line keys are lost, the other to pair: a line that has its keys goes on without."""
    base.fresh()
    two, station = base.two, base.two.alpha
    psks = [path for path in (station.home / "keys").rglob("*") if path.is_file() and path.suffix != ".key"]
    assert psks
    for path in psks:
        flip(path, path.stat().st_size - 3)
    flip(station.home / "card.txt", 200)
    two.start()
    two.wait_service()
    for each in two.both:
        say(each, base.record, 10, "again")
    check_all(two, base.record)
    doctor_finds(station)
    station.kill()
    (station.home / "card.txt").unlink()
    assert outcome(station) == "up"


@pytest.mark.parametrize("slots", [1, 2], ids=["the newer slot", "both slots"])
def test_one_bit_of_a_mark_loses_nothing_and_forks_nothing(base: Base, slots: int) -> None:
    base.fresh()
    two = base.two
    (mark,) = two.alpha.marks.glob("*.mark")
    data = mark.read_bytes()
    counts = [int.from_bytes(data[at : at + 8], "big") for at in (0, 4_096)]
    newest = counts.index(max(counts))
    for slot in {newest, (newest + slots - 1) % 2}:
        flip(mark, 4_096 * slot + 30)
    two.start()
    for station in two.both:
        say(station, base.record, 10, "again")
    check_all(two, base.record)
    generations = {size["generation"] for size in two.bravo.line()["sizes"] if size["author"] == "ALPHA"}
    assert len(generations) == slots


def test_any_bit_of_the_configuration_is_read_or_refused_by_name(base: Base) -> None:
    base.fresh()
    station = base.two.alpha
    text = (station.home / "config.toml").read_bytes()
    good = refused = 0
    for at in range(len(text)):
        changed = bytearray(text)
        changed[at] ^= 1 << at % 8
        try:
            parse_config(changed.decode())
            good += 1
        except UnicodeDecodeError:
            pass
        except Refused:
            refused += 1
    assert min(good, refused) > 20
    (station.home / "config.toml").write_bytes(b"\xff" + text)
    with pytest.raises(Malformed):
        load_config(station.home)
    assert outcome(station) == "refused"
    assert "config.toml" in station.log.read_text()
    doctor_finds(station)


@pytest.mark.parametrize("kind", ["cut in half", "empty", "missing", "of the other station", "no store at all"])
def test_a_store_that_is_none_is_refused_and_left_alone(base: Base, kind: str) -> None:
    base.fresh()
    alpha, bravo = base.two.both
    for extra in ("-wal", "-shm"):
        alpha.store.with_name(alpha.store.name + extra).unlink(missing_ok=True)
    match kind:
        case "cut in half":
            os.truncate(alpha.store, alpha.store.stat().st_size // 2)
        case "empty":
            os.truncate(alpha.store, 0)
        case "missing":
            alpha.store.unlink()
        case "of the other station":
            shutil.copy(bravo.store, alpha.store)
        case _:
            alpha.store.write_bytes(random.Random(2).randbytes(100_000))
    before = alpha.store.read_bytes() if alpha.store.exists() else None
    assert outcome(alpha) == "refused"
    assert (alpha.store.read_bytes() if alpha.store.exists() else None) == before
    doctor_finds(alpha)


# --- on the wire ---


def test_bits_that_change_on_the_wire_cost_a_connection_and_nothing_else(two: Rig) -> None:
    record = Record()
    two.start()
    with under_load(two.both, record, senders=2, pause_s=0.01):
        for number in range(12):
            proxy = two.proxies[number % 2]
            proxy.corrupt(1 + number % 3)
            two.to_alpha.corrupt(1)
            let_pass(0.25)
        for proxy in two.proxies:  # on a busy machine little has passed
            proxy.corrupt(5)
        until(lambda: two.to_alpha.corrupted + two.to_bravo.corrupted >= 5, deadline_s=120)
    for proxy in two.proxies:
        proxy.heal()
    two.wait_service()
    check_all(two, record)


def test_cuts_stalls_and_delays_lose_nothing(two: Rig) -> None:
    record = Record()
    two.start()
    with under_load(two.both, record, pause_s=0.02):
        for fault in ("cut", "stall", "drop", "cut", "drop"):
            for proxy in two.proxies:
                getattr(proxy, fault)()
            let_pass(0.3)
            for proxy in two.proxies:
                proxy.heal()
            let_pass(0.2)
    two.wait_service()
    check_all(two, record)


# --- a disk that is full, or cannot be written ---


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own at `folder`, with what stood there."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    aside = folder.with_name(folder.name + ".aside")
    folder.rename(aside)
    folder.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_stops_the_line_visibly_and_it_goes_on_when_there_is_room(two: Rig) -> None:
    record = Record()
    with small_disk(two.alpha.home / "store", "12m"):
        two.start()
        for station in two.both:
            say(station, record, 20)
        settle(two, record)
        ballast = two.alpha.store.with_name("ballast")
        _fill(ballast)
        _say_until_full(two.alpha, record)
        until(lambda: two.alpha.line()["state_words"].startswith("stopped: disk"))
        say(two.bravo, record, 20, "meanwhile")
        assert two.alpha.client.get("status")["lines"] == 1
        doctor_finds(two.alpha)
        ballast.unlink()
        until(lambda: two.alpha.line()["state"] == "in service", deadline_s=120)
        for station in two.both:
            say(station, record, 20, "again")
        check_all(two, record)
        two.alpha.kill()


def _fill(ballast: Path) -> None:
    """Take all that is left but a little."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4_096)):
            pass


def _say_until_full(station: Station, record: Record) -> None:
    """Send until the station says that it cannot; what it took before, it keeps."""
    for number in range(2_000):
        text = f"{CANARY} fills {number} {'z' * 2_000}"
        try:
            ref = station.send(text, "routine")
        except Unavailable:
            record.add([Sent(station.name, -1, text, "routine", None)])
            return
        record.add([Sent(station.name, -1, text, "routine", ref)])
    raise AssertionError("the disk was never full")


def test_a_read_only_disk_is_named_at_the_start_and_works_again_when_writable(two: Rig) -> None:
    record = Record()
    with small_disk(two.alpha.home / "store", "32m"):
        two.start()
        say(two.alpha, record, 20)
        settle(two, record)
        two.alpha.kill()
        folder = two.alpha.home / "store"
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        assert outcome(two.alpha) == "refused"
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
        two.alpha.start()
        two.wait_service()
        say(two.alpha, record, 20, "again")
        check_all(two, record)
        two.alpha.kill()


def test_logs_of_all_this_name_nothing(base: Base) -> None:
    base.fresh()
    base.two.start()
    for station in base.two.both:
        check_log(station)
        assert station.name in NAMES
