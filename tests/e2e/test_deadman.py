"""A station that dies is called for by another process: by file and over HTTPS, through kills, replays and clocks that jump."""

import asyncio
import contextlib
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openline.kernel.errors import Forged, Malformed, Refused, Replayed
from openline.kernel.units import Instant
from openline.station.alarms.deadman import Means, Switch, load_deadman, open_alarms
from openline.station.alarms.heartbeat import Beat, Heart, Pulse, as_file, from_file
from openline.station.alarms.tables import Beating, WebhookPath
from openline.station.alarms.webhook import CallFailed, endpoint, post
from openline.station.clock import StationClock
from tests.e2e.alarm_rig import SECRET, Authority, Receiver, authority, secret_file, webhook
from tests.e2e.cli_rig import COMMAND, type_
from tests.e2e.homes import new_home, running
from tests.waiting import until

NOW = 1_795_271_400_000


@dataclass
class Hands:
    """Clocks that a test moves."""

    at: int = 1_000
    day: int = NOW

    def steady(self) -> int:
        return self.at

    def wall(self) -> Instant:
        return Instant(self.day)

    def machine(self) -> Instant:
        return Instant(self.day)

    def later(self, milliseconds: int) -> None:
        self.at += milliseconds
        self.day += milliseconds


@dataclass(frozen=True)
class Post:
    """A switch that does not run yet, and where its alarms arrive."""

    folder: Path
    authority: Authority
    pager: Receiver
    hands: Hands = field(default_factory=Hands)

    @property
    def file(self) -> Path:
        return self.folder / "deadman.toml"

    @property
    def means(self) -> Means:
        return Means(clock=self.hands, pause=lambda failures: 0.02, look_s=0.02)

    def write(self, stations: str, listen: bool = False) -> None:
        place = f'[listen]\naddress = "127.0.0.1:0"\ncertificate_file = "{self.authority.chain}"\nkey_file = "{self.authority.chain}"\n'
        table = webhook(self.pager, self.authority)
        self.file.write_text(f'name = "guard"\n{place if listen else ""}{stations}\n[alarms]\ntest_hours = 0\n{table}')


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Post]:
    folder = tmp_path / "guard"
    folder.mkdir(mode=0o700)
    secret_file(folder, "beat.secret")
    secret_file(folder)
    made = authority(tmp_path)
    pager = Receiver(made)
    yield Post(folder, made, pager)
    pager.close()


BY_FILE = '[stations.ALPHA]\nafter_seconds = 60\nsecret_file = "beat.secret"\nfile = "beat"\n'
BY_POST = '[stations.ALPHA]\nafter_seconds = 60\nsecret_file = "beat.secret"\n'


def a_beat(count: int, at: int = NOW, *, boot: str = "ab" * 16, undelivered: int = 0) -> Beat:
    return Beat(station="ALPHA", boot=boot, count=count, at=at, undelivered=undelivered)


def put(guard: Post, beat: Beat, secret: str = SECRET) -> None:
    """Write a beat as a station does."""
    part = guard.folder / "beat.part"
    part.write_bytes(as_file(beat, secret.encode()))
    part.replace(guard.folder / "beat")


async def eventually(condition: object) -> None:
    async with asyncio.timeout(60):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - of another thread, which has no event for it
            await asyncio.sleep(0)


def test_a_station_that_falls_silent_is_called_for_once_and_is_over_when_it_speaks_again(guard: Post) -> None:
    guard.write(BY_FILE)

    async def play() -> None:
        hands = guard.hands
        async with Switch.running(guard.file, guard.means) as switch:
            for count in range(1, 5):
                put(guard, a_beat(count, hands.day))
                switch.look()
                hands.later(30_000)
            switch.look()
            assert not switch.calls.book.live()
            hands.later(30_000)
            switch.look()
            await eventually(lambda: switch.calls.book.live()[0].called)
            hands.later(30_000)
            switch.look()
            (alarm,) = switch.calls.book.live()
            put(guard, a_beat(4, NOW + 90_000))  # played back
            switch.look()
            assert switch.calls.book.live() == [alarm]
            put(guard, a_beat(5, hands.day))
            hands.later(500)
            switch.look()
            assert not switch.calls.book.live()
            await eventually(lambda: not switch.calls.book.owed())
            assert open_alarms(guard.file) == []

    asyncio.run(play())
    got, over = guard.pager.got
    assert got.verified()
    assert (got.json["kind"], got.json["station"], got.json["step"]) == ("station-silent", "ALPHA", 1)
    assert over.verified()
    assert over.json == got.json | {"state": "over", "id": got.json["alarm"] + ".over"}


def test_an_escalation_goes_on_after_the_switch_was_restarted_and_every_station_has_its_time_again(guard: Post) -> None:
    guard.write(BY_FILE + '[stations.BRAVO]\nafter_seconds = 600\nsecret_file = "beat.secret"\nfile = "other"\n')
    guard.pager.mode = "fail"

    async def die() -> None:
        async with Switch.running(guard.file, guard.means) as switch:
            guard.hands.later(61_000)
            switch.look()
            await eventually(lambda: guard.pager.got)

    asyncio.run(die())
    before = {got.json["id"] for got in guard.pager.got}
    guard.pager.forget()
    guard.pager.mode = "take"

    async def come_back() -> None:
        async with Switch.running(guard.file, guard.means) as switch:
            switch.look()
            await eventually(lambda: guard.pager.got)
            assert [alarm.key.what for alarm in switch.calls.book.live()] == ["ALPHA"]

    asyncio.run(come_back())
    assert {got.json["id"] for got in guard.pager.got} == before


def test_a_station_that_cannot_call_for_help_is_called_for(guard: Post) -> None:
    guard.write(BY_FILE)

    async def play() -> None:
        hands = guard.hands
        async with Switch.running(guard.file, guard.means) as switch:
            for count in range(1, 4):
                put(guard, a_beat(count, hands.day, undelivered=1))
                switch.look()
                hands.later(31_000)
            switch.look()
            await eventually(lambda: guard.pager.got)
            put(guard, a_beat(9, hands.day))
            hands.later(500)
            switch.look()
            assert not switch.calls.book.live()

    asyncio.run(play())
    assert {got.json["kind"] for got in guard.pager.got} == {"alarm-path"}
    assert len(guard.pager.of("alarm-path")) == 1


@pytest.mark.parametrize("jump", [-86_400_000, 86_400_000])
def test_a_clock_of_day_that_jumps_makes_no_false_alarm_at_once_and_hides_no_death(guard: Post, jump: int) -> None:
    guard.write(BY_FILE)

    async def play() -> None:
        hands = guard.hands
        async with Switch.running(guard.file, guard.means) as switch:
            put(guard, a_beat(1, hands.day))
            switch.look()
            hands.day += jump
            hands.later(30_000)
            switch.look()
            assert not switch.calls.book.live()
            hands.later(31_000)
            switch.look()
            assert [alarm.key.kind for alarm in switch.calls.book.live()] == ["station-silent"]
            await eventually(lambda: guard.pager.got)

    asyncio.run(play())


def test_what_counts_as_a_sign_of_life(guard: Post) -> None:
    pulse = Pulse("ALPHA", 60_000)
    pulse.take(a_beat(1), Instant(NOW))
    for beat, wrong in (
        (a_beat(1), Replayed),
        (a_beat(2, NOW - 61_000), Refused),
        (a_beat(2, NOW + 61_000), Refused),
        (Beat(station="BRAVO", boot="cd" * 16, count=3, at=NOW), Refused),
    ):
        with pytest.raises(wrong):
            pulse.take(beat, Instant(NOW))
    pulse.take(a_beat(1, boot="cd" * 16), Instant(NOW))  # another start
    again = Pulse("ALPHA", 60_000)
    again.recall(pulse.kept())
    with pytest.raises(Replayed):
        again.take(a_beat(1), Instant(NOW))

    data = as_file(a_beat(1), SECRET.encode())
    assert from_file(data, SECRET.encode()) == a_beat(1)
    with pytest.raises(Forged):
        from_file(data, SECRET[::-1].encode())
    with pytest.raises(Forged):
        from_file(data.replace(b'"count":1', b'"count":7'), SECRET.encode())
    for broken in (b"", data[:-4], b"x" * 5_000, data.replace(b"{", b"["), b"\xff" + data):
        with pytest.raises(Malformed):
            from_file(broken, SECRET.encode())


def test_signs_of_life_are_posted_over_https_and_strangers_keep_nobody_quiet(guard: Post) -> None:
    guard.write(BY_POST, listen=True)
    secret_file(guard.folder, "other.secret")

    async def play() -> None:
        async with Switch.running(guard.file, Means(pause=lambda failures: 0.02)) as switch:
            url = f"https://127.0.0.1:{switch.port}/beat"
            pem = guard.authority.pem.read_text()
            place = endpoint(url, SECRET.encode(), authorities=pem)
            table = Beating(
                every_seconds=1,
                webhook=WebhookPath(url=url, secret_file="beat.secret", authorities_file=str(guard.authority.pem)),
            )
            station = switch.stations["ALPHA"]
            start = station.since
            heart = Heart(guard.folder, table, StationClock(simulated=False), os.urandom, lambda: Beat(station="ALPHA"))
            beating = asyncio.create_task(heart.run())
            await eventually(lambda: station.since > start and not heart.failure)
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

            heard = station.since
            forger = endpoint(url, SECRET[::-1].encode(), authorities=pem)
            now = StationClock(simulated=False).machine()
            body = json.dumps({"station": "ALPHA", "boot": "ab" * 16, "count": 1, "at": now}).encode()
            for wrong, sent in (
                (forger, body),
                (place, b"{}"),
                (place, b"x" * 9_000),
                (place, body.replace(b"ALPHA", b"BRAVO")),
            ):
                with pytest.raises(CallFailed):
                    await post(wrong, "x.1", sent, lambda: now)
            await asyncio.gather(*(rude(guard, switch.port) for _ in range(100)))
            assert station.since == heard
            await post(place, "x.1", body, lambda: now)  # and it still listens
            assert station.since > heard
            with pytest.raises(CallFailed):
                await post(place, "x.1", body, lambda: now)

    asyncio.run(play())


async def rude(guard: Post, port: int) -> None:
    """Connect, say something that is no call, and leave."""
    context = ssl.create_default_context(cafile=str(guard.authority.pem))
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="127.0.0.1")
        writer.write(b"GET / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n" + b"\xff" * 20_000)
        writer.transport.abort()
    plain = socket.create_connection(("127.0.0.1", port))
    plain.close()


def test_a_switch_without_a_way_to_hear_is_refused(guard: Post) -> None:
    guard.write(BY_POST)
    with pytest.raises(Malformed):
        load_deadman(guard.file)
    guard.file.write_text('name = "guard"\n[stations]\n[alarms]\n')
    with pytest.raises(Malformed):
        load_deadman(guard.file)


@pytest.mark.full
def test_a_station_killed_at_once_is_called_for_by_the_other_process(tmp_path: Path, guard: Post) -> None:
    """Real processes: the station is killed with SIGKILL, then the switch too, and both come back."""
    home = new_home(tmp_path, "ALPHA")
    secret_file(home.folder, "beat.secret")
    beat = home.folder / "run" / "beat"
    config = home.folder / "config.toml"
    config.write_text(
        config.read_text() + '\n[alarms.heartbeat]\nevery_seconds = 1\nsecret_file = "beat.secret"\nfile = "run/beat"\n'
    )
    guard.write(BY_FILE.replace('"beat"', f'"{beat}"').replace("60", "8"))
    with running(home) as (station,):
        until(beat.exists, deadline_s=120)
        with switch_process(guard.file) as first:
            until((guard.folder / "state" / "heard.json").exists, deadline_s=120)
            assert guard.pager.got == []
            station.kill()
            until(lambda: guard.pager.got, deadline_s=120)
            first.kill()
            first.wait()
        with switch_process(guard.file):
            (alarm,) = open_alarms(guard.file)
            words = ("deadman", str(guard.file), "--acknowledge", alarm.id[:6], "--sign", "W4")
            assert type_(*words).code == 0
            until(lambda: [each.sign for each in open_alarms(guard.file)] == ["W4"], deadline_s=120)
            with running(home):
                until(lambda: not open_alarms(guard.file), deadline_s=120)
    assert {(got.json["kind"], got.json["station"]) for got in guard.pager.got} == {("station-silent", "ALPHA")}
    assert all(got.verified() for got in guard.pager.got)


@contextlib.contextmanager
def switch_process(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A switch as a process; it watches when this begins."""
    with subprocess.Popen([*COMMAND, "deadman", str(file), "--json"], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["state"] == "up"
            yield process
        finally:
            process.kill()
