"""Alarms leave the building: raised, called, escalated, acknowledged, over; to receivers that work and to those that do not."""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openline.kernel.errors import Unavailable
from openline.kernel.units import Instant
from openline.ports import AlarmCall
from openline.protocol.entries import Message, Precedence, Role, Watch
from openline.protocol.events import Noticed
from openline.station.alarms.calls import TEST_PAUSE_MS
from openline.station.alarms.duty import AlarmPace
from openline.station.alarms.paths import QUEUE, OutPath
from openline.station.line_runner import State
from openline.station.runtime import Parts, Station
from openline.stores.sqlite import SqliteStore
from tests.e2e.alarm_rig import SECRET, Authority, Letterbox, Receiver, authority, secret_file, webhook
from tests.e2e.cli_rig import type_
from tests.e2e.homes import Home, in_service, running
from tests.e2e.inside import call, eventually, linked, made, stations
from tests.waiting import until as wait

PACE = Parts(alarms=AlarmPace(look_s=0.02, pause=lambda failures: 0.02))
UID = os.getuid()
WORDS = "the marked words of a message that must stay inside"


@dataclass(frozen=True)
class Scene:
    """Two stations that do not run yet, and where ALPHA's alarms arrive."""

    homes: list[Home]
    authority: Authority
    pager: Receiver
    supervisor: Receiver

    def configure(self, *tables: str, at_top: str = "") -> None:
        """Add tables to ALPHA's configuration."""
        home = self.homes[0]
        secret_file(home.folder)
        path = home.folder / "config.toml"
        path.write_text(path.read_text() + f"\n[alarms]\ntest_hours = 0\n{at_top}\n" + "\n".join(tables))

    def pagers(self) -> tuple[str, str]:
        return webhook(self.pager, self.authority), webhook(self.supervisor, self.authority, "supervisor")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made_by = authority(tmp_path)
    pager, supervisor = Receiver(made_by), Receiver(made_by)
    yield Scene(made(tmp_path), made_by, pager, supervisor)
    pager.close()
    supervisor.close()


def message(precedence: Precedence = Precedence.FLASH) -> Message:
    return Message(precedence=precedence, language="en", text=WORDS)


async def say(station: Station, entry: Any) -> None:
    await station.find("relay").submit(entry, station.clock.wall())


async def truth(condition: Callable[[], object]) -> bool | None:
    return True if condition() else None


async def until(condition: Callable[[], object]) -> None:
    await eventually(partial(truth, condition))


async def shown(station: Station) -> Any:
    return (await call(station, "GET", "alarms", uid=UID)).json


def test_a_flash_that_nobody_acknowledges_is_called_out_signed_and_without_a_word_of_it(scene: Scene) -> None:
    scene.configure(*scene.pagers()[:1])

    async def play() -> None:
        async with stations(scene.homes, PACE) as (alpha, bravo):
            await linked(alpha, bravo)
            await say(alpha, Watch(attended=True, role=Role.WATCH_OFFICER, sign="W1"))
            await say(bravo, message())
            await until(lambda: sees_flash(alpha))
            assert not scene.pager.got
            later(alpha, 60_000)
            await until(lambda: scene.pager.of("flash"))
            (alarm,) = (await shown(alpha))["open"]
            assert (alarm["kind"], alarm["line"], alarm["precedence"]) == ("flash", "relay", "FLASH")
            (entry,) = [
                each
                for each in (await call(alpha, "GET", "lines/relay/entries", uid=UID, limit=100)).json["entries"]
                if each["kind"] == "message"
            ]
            await call(
                alpha, "POST", "lines/relay/entries", {"kind": "receipt", "of": entry["ref"], "step": "read"}, uid=UID
            )
            await until(lambda: not alpha.alarms.calls.book.live())
            past = (await shown(alpha))["past"]
            assert [each["state"] for each in past] == ["over"]

    asyncio.run(play())
    (got,) = scene.pager.of("flash")
    assert got.target == "/alarms?to=floor"
    assert got.verified()
    assert not got.verified(SECRET[::-1])
    assert set(got.json) == {
        "id", "alarm", "station", "kind", "state", "line", "precedence", "clock", "since", "step", "exercise",
    }  # fmt: skip
    assert got.headers["openline-id"] == got.json["id"]
    assert WORDS.encode() not in got.body
    assert "BRAVO" not in got.body.decode()


def test_the_supervisor_is_called_if_nobody_acknowledges_and_not_if_somebody_does(scene: Scene) -> None:
    steps = '[[alarms.steps]]\nto = ["pager"]\n[[alarms.steps]]\nafter_minutes = 5\nto = ["supervisor"]\n'
    scene.configure(steps, *scene.pagers())

    async def play() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            alarms = alpha.alarms
            alarms.raise_alarm("contact-missed", line="relay", clock="contact", what="first")
            await until(lambda: scene.pager.of("contact-missed"))
            (open_one,) = (await shown(alpha))["open"]
            assert 0 < open_one["next_step_ms"] <= 300_000
            assert not scene.supervisor.got
            later(alpha, 240_000)
            alarms.look()
            assert not scene.supervisor.got
            later(alpha, 61_000)
            await until(lambda: scene.supervisor.of("contact-missed"))
            answer = await call(alpha, "POST", f"alarms/{open_one['id']}/acknowledge", {}, uid=UID)
            assert (answer.status, answer.json["state"], answer.json["sign"]) == (200, "acknowledged", "W1")
            alarms.raise_alarm("contact-missed", line="relay", clock="contact", what="second")
            await until(lambda: len(scene.pager.of("contact-missed")) == 2)
            (second,) = (await shown(alpha))["open"]
            await call(alpha, "POST", f"alarms/{second['id']}/acknowledge", {}, uid=UID)
            later(alpha, 900_000)
            alarms.look()
            assert (await shown(alpha))["open"] == []
            again = await call(alpha, "POST", f"alarms/{second['id']}/acknowledge", {}, uid=UID)
            assert again.status == 404
            acts = [
                act["act"] for row in (await call(alpha, "GET", "audit", uid=UID)).json["rows"] for act in row["acts"]
            ]
            assert acts.count("alarm-acknowledge") == 6  # before and after each of the three calls

    asyncio.run(play())
    assert [got.json["step"] for got in scene.supervisor.of("contact-missed")] == [2]


def sees_flash(station: Station) -> bool:
    """Whether the alarms have seen a FLASH that nobody has acknowledged."""
    return any(key.kind == "flash" for key, _ in station.alarms._causes._first)


def later(station: Station, milliseconds: int) -> None:
    """Let that much time pass on the steady clock."""
    station.clock._started_ns -= milliseconds * 1_000_000


def test_the_last_step_is_taken_again_until_somebody_acknowledges_and_a_long_absence_is_no_flood(scene: Scene) -> None:
    scene.configure(*scene.pagers()[:1])

    async def play() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            alpha.alarms.raise_alarm("restored", line="relay")
            await until(lambda: len(scene.pager.of("restored")) == 1)
            later(alpha, 15 * 60_000)
            await until(lambda: len(scene.pager.of("restored")) == 2)
            later(alpha, 3 * 24 * 3_600_000)
            await until(lambda: len(scene.pager.of("restored")) == 3)
            alpha.alarms.look()
            (alarm,) = (await shown(alpha))["open"]
            assert alarm["step"] == 1 + 1 + 3 * 24 * 4
            await call(alpha, "POST", f"alarms/{alarm['id']}/acknowledge", {}, uid=UID)
            later(alpha, 3_600_000)
            alpha.alarms.look()

    asyncio.run(play())
    assert len(scene.pager.of("restored")) == 3
    assert len({got.json["id"] for got in scene.pager.got}) == 3


def test_an_escalation_goes_on_where_it_was_after_a_restart(scene: Scene) -> None:
    steps = '[[alarms.steps]]\nto = ["pager"]\n[[alarms.steps]]\nafter_minutes = 5\nto = ["supervisor"]\n'
    scene.configure(steps, *scene.pagers())
    scene.pager.mode = "fail"

    async def before() -> str:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            alpha.alarms.raise_alarm("restored", line="relay")
            await until(lambda: scene.pager.got)
            return str((await shown(alpha))["open"][0]["id"])

    name = asyncio.run(before())
    scene.pager.mode, first = "take", scene.pager.got[0].json["id"]
    scene.pager.forget()

    async def after() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            await until(lambda: scene.pager.got)
            (alarm,) = (await shown(alpha))["open"]
            assert (alarm["id"], alarm["step"]) == (name, 1)
            await until(lambda: alpha.alarms.calls.book.live()[0].called)
            assert not scene.supervisor.got
            later(alpha, 300_000)
            await until(lambda: alpha.alarms.calls.paths["supervisor"].state.calls)  # noted, not only arrived

    asyncio.run(after())
    assert {got.json["id"] for got in scene.pager.got} == {first}  # the same call: a receiver knows it again

    async def once_more() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            alpha.alarms.look()
            assert (await shown(alpha))["open"][0]["step"] == 2

    calls = len(scene.pager.got) + len(scene.supervisor.got)
    asyncio.run(once_more())
    assert len(scene.pager.got) + len(scene.supervisor.got) == calls  # what was taken is not called again


@pytest.mark.parametrize(
    "mode, why",
    [
        ("fail", "failing"),
        ("refuse", "refused"),
        ("redirect", "redirected"),
        ("garbage", "no-answer"),
        ("leave", "unreachable"),
        ("flood", "unreachable"),
    ],
)
def test_a_receiver_that_does_not_take_a_call_gets_it_again_until_it_does(scene: Scene, mode: str, why: str) -> None:
    scene.configure(*scene.pagers()[:1])
    scene.pager.mode = mode

    async def play() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            alpha.alarms.raise_alarm("restored", line="relay")
            await until(lambda: len(scene.pager.got) > 3)
            (path,) = (await shown(alpha))["paths"]
            assert (path["works"], path["failure"], path["succeeded_at"]) == (False, why, None)
            problems = (await call(alpha, "GET", "status", uid=UID)).json["problems"]
            assert f"alarm path pager: {why}" in problems
            await until(lambda: any(each.key.kind == "alarm-path" for each in alpha.alarms.calls.book.live()))
            scene.pager.mode = "take"
            await until(lambda: alpha.alarms.calls.paths["pager"].state.calls)
            (path,) = (await shown(alpha))["paths"]
            assert path["works"] is True

    asyncio.run(play())
    restored = scene.pager.of("restored")
    assert len({got.json["id"] for got in restored}) == 1
    assert all(got.verified() for got in restored)
    assert not [got for got in scene.pager.got if "again" in got.target]  # no redirect was followed


def test_a_receiver_that_hangs_holds_up_neither_the_station_nor_another_path(scene: Scene) -> None:
    scene.configure(*scene.pagers())
    scene.pager.mode = "hang"

    async def play() -> None:
        async with stations(scene.homes, PACE) as (alpha, bravo):
            await linked(alpha, bravo)
            for number in range(20):
                alpha.alarms.raise_alarm("contact-missed", line="relay", what=f"contact-{number}")
            await until(lambda: len(scene.supervisor.of("contact-missed")) == 20)
            await say(alpha, message(Precedence.ROUTINE))
            (path,) = [each for each in (await shown(alpha))["paths"] if each["name"] == "pager"]
            assert path["waiting"] == 20

    asyncio.run(play())
    assert len(scene.pager.of("contact-missed")) < 5


def test_a_path_keeps_so_many_calls_and_no_more_and_flash_goes_first(tmp_path: Path) -> None:
    class Slow:
        """A path that takes one call at a time, when it is let."""

        def __init__(self) -> None:
            self.taken: list[AlarmCall] = []
            self.may = asyncio.Event()

        async def send(self, call: AlarmCall) -> None:
            await self.may.wait()
            self.taken.append(call)

    async def play() -> None:
        slow = Slow()
        path = OutPath("slow", slow, lambda: 0, lambda path, call: None)
        path.start()
        path.call(a_call("first", "ROUTINE"))
        for number in range(2 * QUEUE):
            path.call(a_call(f"routine-{number}", "ROUTINE", since=number + 1))
        path.call(a_call("flash", "FLASH", since=10_000))
        assert len(path) == QUEUE
        slow.may.set()
        await until(lambda: not len(path))
        await path.stop()
        assert "flash" in [each.alarm for each in slow.taken[:2]]

    asyncio.run(play())


def a_call(alarm: str, precedence: str, *, since: int = 0) -> AlarmCall:
    return AlarmCall(
        id=f"{alarm}.1", alarm=alarm, station="ALPHA", kind="flash", state="open", line="relay", precedence=precedence,
        clock="", since=since, step=1, exercise=False,
    )  # fmt: skip


def test_a_receiver_with_another_certificate_is_told_nothing(scene: Scene, tmp_path: Path) -> None:
    other = authority(tmp_path, "other")
    scene.configure(webhook(scene.pager, other))

    async def play() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            answer = await call(alpha, "POST", "alarms/test", {}, uid=UID)
            assert answer.json == {"tests": [{"path": "pager", "taken": False, "why": "untrusted"}]}

    asyncio.run(play())
    assert scene.pager.got == []
    assert scene.pager.connections


def test_a_path_is_tested_once_in_ten_seconds_so_that_nobody_floods_a_telephone(scene: Scene) -> None:
    scene.configure(*scene.pagers())

    async def play() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            first = await asyncio.gather(
                *(call(alpha, "POST", "alarms/test", {"path": "pager"}, uid=UID) for _ in "12")
            )
            assert sorted(answer.status for answer in first) == [200, 409]
            everything = await call(alpha, "POST", "alarms/test", {}, uid=UID)
            assert (everything.status, everything.json["error"]) == (409, "conflict")
            assert (await call(alpha, "POST", "alarms/test", {"path": "supervisor"}, uid=UID)).status == 200
            assert [len(each.of("test")) for each in (scene.pager, scene.supervisor)] == [1, 1]
            later(alpha, TEST_PAUSE_MS)
            assert (await call(alpha, "POST", "alarms/test", {}, uid=UID)).status == 200
            assert [len(each.of("test")) for each in (scene.pager, scene.supervisor)] == [2, 2]

    asyncio.run(play())


def test_something_that_comes_to_an_empty_floor_calls_until_somebody_comes(scene: Scene) -> None:
    scene.configure(*scene.pagers()[:1])

    async def play() -> None:
        async with stations(scene.homes, PACE) as (alpha, bravo):
            await linked(alpha, bravo)
            await say(alpha, Watch(attended=True, role=Role.WATCH_OFFICER, sign="W1"))
            await say(bravo, message(Precedence.ROUTINE))
            await until(lambda: _unread(alpha))
            alpha.alarms.look()
            assert not alpha.alarms.calls.book.live()
            await say(alpha, Watch(attended=False, role=Role.WATCH_OFFICER, sign="W1"))
            await until(lambda: scene.pager.of("unattended"))
            (alarm,) = (await shown(alpha))["open"]
            assert (alarm["precedence"], alarm["subjects"]) == ("ROUTINE", 1)
            await call(alpha, "POST", f"alarms/{alarm['id']}/acknowledge", {}, uid=UID)
            alpha.alarms.look()
            view = await shown(alpha)
            assert (view["open"], [each["id"] for each in view["standing"]]) == ([], [alarm["id"]])
            await say(bravo, message(Precedence.ROUTINE))  # something new: whoever took the first may have gone home
            await until(lambda: len(scene.pager.of("unattended")) == 2)
            await say(alpha, Watch(attended=True, role=Role.WATCH_OFFICER, sign="W1"))
            await until(lambda: not alpha.alarms.calls.book.live())

    asyncio.run(play())


def _unread(station: Station) -> bool:
    line = station.find("relay")
    ledgers = line.engine.fold.ledgers() if line.engine is not None else []
    return any(len(ledger.messages) for ledger in ledgers if ledger.number // 2 != line.party)


def test_a_flash_on_a_line_that_stops_is_not_forgotten(scene: Scene) -> None:
    scene.configure(*scene.pagers()[:1])

    async def play() -> None:
        async with stations(scene.homes, PACE) as (alpha, bravo):
            await linked(alpha, bravo)
            await say(bravo, message())
            await until(lambda: sees_flash(alpha))
            later(alpha, 60_000)
            await until(lambda: scene.pager.of("flash"))
            alpha.find("relay").fail(State.BUG)
            alpha.alarms.look()
            assert "flash" in [each.key.kind for each in alpha.alarms.calls.book.live()]
            later(alpha, 300_000)
            await until(lambda: scene.pager.of("line-fault"))

    asyncio.run(play())


def test_a_line_in_fault_and_a_bearer_that_is_down_call_after_their_time_and_are_over_by_themselves(
    scene: Scene,
) -> None:
    scene.configure(*scene.pagers()[:1], at_top="fault_minutes = 5\nbearer_minutes = 15")

    async def play() -> None:
        async with contextlib.AsyncExitStack() as stack:
            (alpha,) = await stack.enter_async_context(stations(scene.homes[:1], PACE))
            async with stations(scene.homes[1:]) as (bravo,):
                await linked(alpha, bravo)
            await until(lambda: not alpha.links.up(alpha.find("relay").stations[1 - alpha.find("relay").party]))
            alpha.alarms.look()
            assert not alpha.alarms.calls.book.live()
            later(alpha, 300_000)
            await until(lambda: scene.pager.of("line-fault"))
            assert not scene.pager.of("bearer-down")
            later(alpha, 600_000)
            await until(lambda: scene.pager.of("bearer-down"))
            async with stations(scene.homes[1:]) as (bravo,):
                await linked(alpha, bravo)
                await until(lambda: not alpha.alarms.calls.book.live())

    asyncio.run(play())


def test_a_clock_that_runs_out_calls_on_both_sides_and_a_clock_that_is_set_back_loses_no_step(scene: Scene) -> None:
    for home in scene.homes:
        home.change("simulated_clock = false", "simulated_clock = true")
    steps = '[[alarms.steps]]\nto = ["pager"]\n[[alarms.steps]]\nafter_minutes = 5\nto = ["supervisor"]\n'
    scene.configure(steps, *scene.pagers())

    async def play() -> None:
        async with stations(scene.homes, PACE, PACE) as (alpha, bravo):
            await linked(alpha, bravo)
            await say(alpha, Watch(attended=True, role=Role.WATCH_OFFICER, sign="W1"))
            await say(bravo, message(Precedence.IMMEDIATE))
            await until(lambda: _unread(alpha))
            alpha.alarms.look()
            assert not alpha.alarms.calls.book.live()
            for station in (alpha, bravo):
                station.clock.set(station.clock.wall() + 86_400_000)  # type: ignore[arg-type]
            await until(lambda: scene.pager.of("clock-ours"))
            await until(lambda: any(each.key.kind == "clock-theirs" for each in bravo.alarms.calls.book.live()))
            (got,) = scene.pager.of("clock-ours")
            assert (got.json["clock"], got.json["exercise"]) == ("handling time", True)
            alpha.alarms.raise_alarm("restored", line="relay")
            await until(lambda: scene.pager.of("restored"))
            alpha.clock.set(alpha.clock.wall() - 10 * 86_400_000)  # type: ignore[arg-type]
            await until(lambda: [each.key.kind for each in alpha.alarms.calls.book.live()] == ["restored"])
            assert not scene.supervisor.got
            later(alpha, 300_000)
            await until(lambda: scene.supervisor.of("restored"))

    asyncio.run(play())


def test_an_acknowledgement_that_was_demanded_and_does_not_come_calls_on_both_sides(scene: Scene) -> None:
    """Spec 6.100: its clock runs on both floors, and at its end both are called."""
    scene.configure(*scene.pagers())

    async def play() -> None:
        async with stations(scene.homes, PACE, PACE) as (alpha, bravo):
            await linked(alpha, bravo)
            await say(alpha, Watch(attended=True, role=Role.WATCH_OFFICER, sign="W1"))
            by = Instant(bravo.clock.wall() + 2_000)
            await say(bravo, replace(message(Precedence.IMMEDIATE), acknowledge_by=by))
            await until(lambda: _unread(alpha))
            await until(lambda: scene.pager.of("clock-ours"))
            (got,) = scene.pager.of("clock-ours")
            assert got.json["clock"] == "acknowledge by"
            await until(lambda: any(each.key.kind == "clock-theirs" for each in bravo.alarms.calls.book.live()))

    asyncio.run(play())


def test_what_the_station_notices_of_forks_restores_and_thefts_raises_an_alarm(scene: Scene) -> None:
    scene.configure(*scene.pagers()[:1])

    async def play() -> None:
        async with stations(scene.homes, PACE) as (alpha, bravo):
            await linked(alpha, bravo)
            for what in ("fork-proved", "second-writer", "restored", "epoch-opened"):
                alpha.noticed(alpha.find("relay"), Noticed(what=what, party=1))
            await until(lambda: len(scene.pager.got) >= 3)
            assert {each["kind"] for each in (await shown(alpha))["open"]} == {
                "fork-proved",
                "second-writer",
                "restored",
            }

    asyncio.run(play())


@pytest.mark.full
def test_a_mail_is_an_alarm_too_and_says_no_more(scene: Scene) -> None:
    box = Letterbox(scene.authority)
    smtp = (
        'sender = "station@example.org"\n'
        f'smtp = {{host = "127.0.0.1", port = {box.port}, authorities_file = "{scene.authority.pem}"}}\n'
    )
    scene.configure('[alarms.paths.ivanova]\nmail = "ivanova@example.org"\n', at_top=smtp)

    async def play() -> None:
        async with stations(scene.homes, PACE) as (alpha, bravo):
            await linked(alpha, bravo)
            await say(bravo, message())
            await until(lambda: [text for _, text in box.mails if "FLASH unattended relay" in text])
            answer = await call(alpha, "POST", "alarms/test", {"path": "ivanova"}, uid=UID)
            assert answer.json["tests"] == [{"path": "ivanova", "taken": True, "why": ""}]
            book = alpha.alarms.calls.book
            (alarm,) = [each for each in book.live() if each.key.kind == "unattended"]
            await say(alpha, Watch(attended=True, role=Role.WATCH_OFFICER, sign="W1"))
            await until(
                lambda: [text for _, text in box.mails if "Subject: OVER ALPHA: FLASH unattended relay" in text]
            )
            (over,) = [text for _, text in box.mails if "Subject: OVER" in text]
            assert f"References: <{alarm.id}.1@openline.invalid>" in over
            assert "Nobody needs to come" in over
            assert "acknowledge" not in over

    try:
        asyncio.run(play())
    finally:
        box.stop()
    assert all(to == ["ivanova@example.org"] for to, _ in box.mails)
    assert not [text for _, text in box.mails if WORDS in text]
    assert any("Subject: TEST of the alarm path, ALPHA" in text for _, text in box.mails)


def test_each_watch_tests_every_path_by_itself_and_a_broken_one_is_seen_before_it_is_needed(scene: Scene) -> None:
    scene.configure(*scene.pagers())
    path = scene.homes[0].folder / "config.toml"
    path.write_text(path.read_text().replace("test_hours = 0", "test_hours = 8"))
    scene.supervisor.mode = "refuse"

    async def play() -> None:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            alpha.alarms.look()
            later(alpha, 60_000)
            paths = alpha.alarms.calls.paths
            await until(lambda: paths["pager"].state.succeeded_at and paths["supervisor"].state.failure)
            assert len(scene.pager.of("test")) == 1
            works = {each["name"]: each["works"] for each in (await shown(alpha))["paths"]}
            assert works == {"pager": True, "supervisor": False}
            later(alpha, 8 * 3_600_000)
            await until(lambda: len(scene.pager.of("test")) == 2)
            text = (await call(alpha, "GET", "metrics", uid=UID)).data.decode()
            assert 'openline_alarm_path_works{path="supervisor"} 0.0' in text

    asyncio.run(play())


def test_neither_secret_nor_address_of_a_path_is_logged_or_shown(scene: Scene) -> None:
    scene.configure(*scene.pagers())
    home = scene.homes[0]
    home.change('file = ""', 'file = "events.log"')
    scene.pager.mode = "fail"

    async def play() -> str:
        async with stations([home], PACE) as (alpha,):
            alpha.alarms.raise_alarm("restored", line="relay")
            await until(lambda: scene.supervisor.got and len(scene.pager.got) > 3)
            return json.dumps(await shown(alpha))

    told = asyncio.run(play()) + (home.folder / "events.log").read_text()
    assert "alarm.path-down" in told
    for secret in (SECRET, str(scene.pager.port), "127.0.0.1:", "to=floor"):
        assert secret not in told


def test_a_disk_that_refuses_keeps_no_alarm_in_the_building(scene: Scene) -> None:
    scene.configure(*scene.pagers()[:1])
    refuses = [False]

    class Rows:
        """Alarms of a store whose disk may refuse."""

        def __init__(self, rows: Any) -> None:
            self._rows = rows

        def __getattr__(self, name: str) -> Any:
            if refuses[0]:
                raise Unavailable("the disk is full: nothing was written")
            return getattr(self._rows, name)

    class Full(SqliteStore):
        """A store with such alarms."""

        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.alarms = Rows(self.alarms)  # type: ignore[assignment]

    async def play() -> None:
        parts = replace(PACE, open_store=Full.open)
        async with stations(scene.homes[:1], parts) as (alpha,):
            refuses[0] = True
            alpha.alarms.raise_alarm("restored")
            await until(lambda: scene.pager.of("restored"))
            refuses[0] = False
            await until(alpha.store.alarms.live)

    asyncio.run(play())


def test_streams_of_all_lines_show_an_alarm_as_it_is_raised_and_as_it_ends(scene: Scene) -> None:
    async def play() -> list[tuple[str, str]]:
        async with stations(scene.homes[:1], PACE) as (alpha,):
            everything, line = alpha.feed.subscribe(None), alpha.feed.subscribe(alpha.find("relay").line)
            alpha.alarms.raise_alarm("disk-low", stands=False)
            alpha.alarms.raise_alarm("contact-missed", line="relay", stands=True)
            (missed,) = [each for each in alpha.alarms.calls.book.live() if each.key.line]
            alpha.alarms.acknowledge(missed.id, "W1")
            alpha.alarms.settle("contact-missed", line="relay")
            shown = [json.loads(event.data) for event in line.take() if event.name == "alarm"]
            assert [(view["state"], view["stands"]) for view in shown] == [
                ("open", True),
                ("acknowledged", True),
                ("acknowledged", False),
            ]
            views = [json.loads(event.data) for event in everything.take() if event.name == "alarm"]
            return [(view["kind"], view["state"]) for view in views]

    assert asyncio.run(play())[:2] == [("disk-low", "open"), ("contact-missed", "open")]


def test_only_who_has_a_role_for_it_acknowledges_and_a_wrong_id_is_refused(scene: Scene) -> None:
    home = scene.homes[0]
    config = home.folder / "config.toml"
    config.write_text(config.read_text() + '\n[people.4242]\nsign = "A1"\nroles = ["auditor"]\n')

    async def play() -> None:
        async with stations([home], PACE) as (alpha,):
            alpha.alarms.raise_alarm("restored", line="relay")
            (alarm,) = (await shown(alpha))["open"]
            path = f"alarms/{alarm['id']}/acknowledge"
            assert (await call(alpha, "POST", path, {}, uid=4242)).status == 403
            assert (await call(alpha, "POST", "alarms/test", {}, uid=4242)).status == 403
            assert (await call(alpha, "GET", "alarms", uid=4242)).status == 200
            for wrong, status in (("x", 400), ("0" * 32, 404), ("A" * 32, 400)):
                assert (await call(alpha, "POST", f"alarms/{wrong}/acknowledge", {}, uid=UID)).status == status
            assert (await call(alpha, "POST", path, {"sign": "Z9"}, uid=UID)).status == 403
            assert (await call(alpha, "POST", "alarms/test", {"path": "nowhere"}, uid=UID)).status == 404
            assert (await call(alpha, "POST", path, {}, uid=UID)).status == 200

    asyncio.run(play())


@pytest.mark.full
def test_a_station_killed_in_mid_escalation_goes_on_where_it_was(scene: Scene) -> None:
    """Real processes: SIGKILL while the pager does not answer, and the same call after the next start."""
    home = scene.homes[0]
    scene.configure(*scene.pagers()[:1])
    home.change("test_hours = 0", "test_hours = 0\nfault_minutes = 0")
    scene.pager.mode = "fail"
    with running(*scene.homes) as (station, other):
        in_service(*scene.homes)
        other.kill()
        wait(lambda: scene.pager.of("line-fault"), deadline_s=120)
        station.kill()
    names = {got.json["id"] for got in scene.pager.of("line-fault")}
    scene.pager.forget()
    scene.pager.mode = "take"
    with running(home):
        wait(lambda: scene.pager.of("line-fault"), deadline_s=120)
        wait(lambda: "works" in type_("alarms", "--home", str(home.folder)).out, deadline_s=120)
        assert "line in fault" in type_("alarms", "--home", str(home.folder)).out
        name = scene.pager.of("line-fault")[0].json["alarm"]
        assert type_("alarms", "--home", str(home.folder), "acknowledge", name[:8]).code == 0
        assert type_("alarms", "--home", str(home.folder), "acknowledge", name[:8]).code == 2
        tested = type_("alarms", "--home", str(home.folder), "test", "pager")
        assert (tested.code, "taken" in tested.out) == (0, True)
        assert "everybody" not in type_("alarms", "--home", str(home.folder), "roster").out
    assert {got.json["id"] for got in scene.pager.of("line-fault")} == names
