"""A station of the other side that owns its keys and says what it likes of calls, against one that keeps the rules (spec 17)."""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openline.kernel.errors import TooLarge
from openline.kernel.units import Instant
from openline.protocol import call_entries as c
from openline.protocol.call_keys import commitment
from openline.protocol.entries import AnyEntry, Precedence, Role
from openline.protocol.fields import Ref
from openline.station.alarms.duty import AlarmPace
from openline.station.calling import automatic
from openline.station.calling.kept import MAX_KEPT
from openline.station.calling.room import OFTEN
from openline.station.calling.shelf import Reading
from openline.station.calling.standing import ref_to
from openline.station.runtime import Parts, Station
from tests.e2e.call_client import Json, Page, is_state, opened
from tests.e2e.inside import eventually, linked, made, stations
from tests.e2e.test_calls import PATIENT, floors, open_call, run

FAR = 2**46
"""A time that nobody lives to see."""
OFFICER = Role.WATCH_OFFICER


class Liar:
    """A station that does nothing by itself in calls, and signs what a test tells it to."""

    def __init__(self, station: Station) -> None:
        self.station, self.line = station, station.find("relay")
        station.calling.stop()
        station.calling.stir = lambda line: None  # type: ignore[method-assign]

    async def say(self, entry: AnyEntry, time: int = 0) -> Ref:
        """Sign this; what names it."""
        accepted = await self.line.submit(entry, Instant(time or self.station.clock.wall()))
        lane = accepted.lane
        return Ref(lane=lane.number, generation=lane.generation, index=accepted.index, leaf=accepted.leaf_hash)

    async def ring(self, time: int = 0, precedence: Precedence = Precedence.ROUTINE) -> Ref:
        said = c.Ring(
            precedence=precedence, language="en", roles=(OFFICER,), role=OFFICER, sign="X1",
            commitment=commitment(secrets.token_bytes(32), bytes(32)),
        )  # fmt: skip
        return await self.say(said, time)

    async def hang_up(self, of: Ref, time: int = 0, cause: c.EndCause = c.EndCause.WITHDRAWN) -> Ref:
        return await self.say(c.HangUp(of=of, cause=cause, role=OFFICER, sign="X1"), time)

    async def flood(self, count: int, time: int = 0) -> list[Ref]:
        """So many rings, each hung up at once."""
        rings = []
        for _ in range(count):
            rings.append(await self.ring(time))
            await self.hang_up(rings[-1], time)
        return rings

    async def heard_by(self, other: Station) -> None:
        """Until the other station holds all that this one has said by now."""
        size = self._size(self.station)

        async def look() -> bool | None:
            return self._size(other) >= size or None

        await eventually(look)

    def _size(self, at: Station) -> int:
        number = 2 * self.line.party
        return sum(each.size for each in at.find("relay").working().fold.ledgers() if each.number == number)


def text(place: Ref) -> str:
    return f"{place.lane}/{place.generation}/{place.index}"


def settled(station: Station, count: int) -> Any:
    """Whether so many refusals and hang ups of this station stand."""

    async def look() -> bool | None:
        line = station.find("relay")
        ledgers = [each for each in line.working().fold.ledgers() if each.number == 2 * line.party]
        return sum(each.kinds.get(kind, 0) for each in ledgers for kind in (27, 29)) >= count or None

    return look


def test_rings_of_a_far_future_do_not_keep_a_station_from_settling_its_own_call_and_from_calling_again(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            liar, honest = Liar(high), Page(low)
            await liar.flood(70, FAR)
            await liar.heard_by(low)
            await eventually(settled(low, 70))
            for _ in range(2):
                place = (await honest.ring())["place"]
                other = Page(high)
                await other.told("call", lambda event, place=place: event["place"] == place)  # type: ignore[misc]
                await other.pick_up(place)
                await honest.sees(place, opened)
                await other.act(place, "hang-up")
                view = await honest.sees(place, lambda call: len(call["ends"]) == 2)
                assert view["state"] == "ended"
            listed = (await honest.done("GET", "calls", limit=3))["calls"]
            assert [call["mine"] for call in listed] == [True, True, False]

    run(scene)


def test_a_flood_of_rings_in_mid_call_does_not_make_a_station_forget_since_when_there_was_sound(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            honest, other = Page(low), Page(high)
            place = await open_call(honest, other)
            await honest.alive(place, sound=True)
            liar = Liar(high)
            await liar.flood(MAX_KEPT + 5)
            await liar.heard_by(low)
            await eventually(settled(low, MAX_KEPT + 5))
            view = await honest.act(place, "hang-up", console=honest.console)
            (end,) = [end for end in view["ends"] if end["party"] == honest.party]
            assert end["began"] is not None
            assert len(low.calling.room(low.find("relay")).running) <= 80

    run(scene)


def test_void_rings_do_not_hide_an_open_call_from_a_station_that_starts_again(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        parts = Parts(calls=replace(PATIENT, reading=Reading(calls=8, page=8, back=16)))
        async with stations(homes, parts, parts) as running:
            await linked(*running)
            low, high = sorted(running, key=lambda station: station.find("relay").party)
            honest, other = Page(low), Page(high)
            place = await open_call(honest, other)
            liar = Liar(high)
            stands = await liar.ring()
            for _ in range(40):
                await liar.ring()  # void
            await liar.heard_by(low)
            await honest.sees(text(stands), lambda call: call["cause"] == "busy")
            first = running.index(low)
        async with stations([homes[first]], parts) as (again,):
            page = Page(again)
            view = await page.sees(place, is_state("open"))
            assert next(seat for seat in view["seats"] if seat["me"])["console"] == honest.console
            await page.act(place, "hang-up")
            assert (await page.ring())["state"] == "ringing"

    run(scene)


def test_a_long_line_is_read_beside_the_loop_and_calls_wait_for_it(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        parts = Parts(calls=PATIENT)
        async with stations(homes, parts, parts) as running:
            await linked(*running)
            low, high = sorted(running, key=lambda station: station.find("relay").party)
            honest, other = Page(low), Page(high)
            place = await open_call(honest, other)
            first = running.index(low)
        beside = Parts(calls=replace(PATIENT, reading=Reading(at_once=0, page=4)))
        async with stations([homes[first]], beside) as (again,):
            page = Page(again)
            view = await page.done("GET", f"calls/{place}")
            assert view["state"] == "open"
            assert again.calling._reading

    run(scene)


def test_a_caller_that_never_opens_what_it_promised_does_not_hold_the_line(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            liar, honest = Liar(high), Page(low)
            place = text(await liar.ring())
            await honest.told("call", lambda event: event["rings"])
            await honest.pick_up(place)
            low.calling.pace = replace(PATIENT, ring=1_500, lost=1_000)  # now that it was picked up in time

            async def staying() -> Json | None:
                answer = await honest.api("POST", f"calls/{place}/alive", {"console": honest.console})
                view: Json = await honest.done("GET", f"calls/{place}")
                assert answer.status == 200
                return view if view["state"] == "ended" else None

            view = await eventually(staying)
            assert (view["cause"], view["check"]) == ("console-lost", None)

    run(scene)


@pytest.mark.parametrize("false", ["another leaf", "second pick up"])
def test_a_caller_that_opens_to_a_pick_up_that_never_was_ends_the_call(tmp_path: Path, false: str) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            liar, honest = Liar(high), Page(low)
            nonce, key = secrets.token_bytes(32), secrets.token_bytes(32)
            rung = await liar.say(
                c.Ring(precedence=Precedence.FLASH, language="en", roles=(OFFICER,), role=OFFICER, sign="X1",
                       commitment=commitment(nonce, key))
            )  # fmt: skip
            place = text(rung)
            await honest.told("call", lambda event: event["rings"])
            await honest.pick_up(place)
            await liar_holds(liar, place)
            held = honest.held(place).pick_up
            assert held is not None
            at = held.place
            index, leaf = (at.index, bytes(32)) if false == "another leaf" else (at.index + 1, held.leaf)
            named = Ref(lane=at.lane, generation=at.generation, index=index, leaf=leaf)
            await liar.say(
                c.Seat(of=rung, act=c.SeatAct.OPENS, number=0, role=OFFICER, sign="X1", fingerprint=key, nonce=nonce,
                       pick_up=named)
            )  # fmt: skip
            view = await honest.sees(place, is_state("ended"))
            assert (view["cause"], view["check"], view["rings"]) == ("wrong-key", None, False)
            assert [end["party"] for end in view["ends"]] == [honest.party]

    run(scene)


async def liar_holds(liar: Liar, place: str) -> None:
    page = Page(liar.station)
    await page.sees(place, lambda call: call["by"] is not None)


def test_an_officer_does_not_wait_for_all_that_a_flood_asks_of_the_station(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            honest, other = Page(low), Page(high)
            place = await open_call(honest, other)
            liar, room, count = Liar(high), low.calling.room(low.find("relay")), 12 * automatic.AT_ONCE
            async with room.lock:  # it all comes while the station is busy
                await liar.flood(count)
                await liar.heard_by(low)
            view = await honest.act(place, "hang-up", console=honest.console)
            assert view["state"] == "ended"
            assert len(room.unsettled()) > count // 2  # most of it was not answered yet
            await eventually(settled(low, count + 1))

    run(scene)


def test_what_is_said_of_an_old_call_without_end_fills_no_memory_and_hides_no_agreed_minutes(tmp_path: Path) -> None:
    async def scene() -> None:
        pace = replace(PATIENT, reading=Reading(late=50))
        async with floors(tmp_path, pace) as (low, high):
            honest, other = Page(low), Page(high)
            place = await open_call(honest, other)
            await honest.act(place, "hang-up", console=honest.console)
            await honest.sees(place, lambda call: len(call["ends"]) == 2)
            view = await honest.act(place, "minutes", clauses=[{"texts": {"en": "Four vehicles."}}])
            (draft,) = view["minutes"]["drafts"]
            await other.sees(place, lambda call: call["minutes"]["state"] == "drafted")
            await other.done("POST", f"calls/{place}/minutes/{draft['place']}/word", {"clauses": [{"agreed": True}]})
            await honest.sees(place, lambda call: call["minutes"]["state"] == "agreed")
            liar, of = Liar(high), ref_to(honest.held(place))
            clause = ((("en", "Nothing of the sort."),),)
            for number in range(100):
                if number % 4 == 0:
                    await liar.say(c.Minutes(of=of, clauses=clause, role=OFFICER, sign="X1"), FAR)
                await liar.say(c.TypedLine(of=of, text="x", language="en", role=OFFICER, sign="X1"), 1)
            await liar.heard_by(low)
            view = await honest.done("GET", f"calls/{place}")
            assert view["minutes"]["state"] == "agreed"
            assert view["typed"] == []  # who has hung up types nothing more in that call
            shelf = low.calling.room(low.find("relay")).shelf
            for gathered in shelf.book._calls.values():  # as if sixty-four calls had come since
                shelf._forgotten(gathered)
            shelf.book._calls.clear()
            (old,) = shelf._old.values()
            counted = len(old.seqs)
            for _ in range(60):
                await liar.say(c.TypedLine(of=of, text="x", language="en", role=OFFICER, sign="X1"), 1)
            await liar.heard_by(low)
            assert len(old.seqs) == counted + 50
            assert (await honest.done("GET", f"calls/{place}"))["minutes"]["state"] == "agreed"

    run(scene)


def test_a_page_that_does_not_read_is_told_how_a_call_stands_and_not_how_it_stood_each_time(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            honest, other = Page(low), Page(high)
            place = await open_call(honest, other)
            slow = Page(low)
            liar, of = Liar(high), ref_to(honest.held(place))
            for number in range(40):
                await liar.say(c.TypedLine(of=of, text=f"line {number}", language="en", role=OFFICER, sign="X1"))
                await honest.sees(place, lambda call, number=number: len(call["typed"]) > number)  # type: ignore[misc]
            waiting = [event for event in slow.heard("call") if event["place"] == place]
            assert [len(event["typed"]) for event in waiting] == [40]

    run(scene)


def test_texts_of_the_other_side_reach_a_page_as_they_were_signed_and_no_longer_than_they_may_be(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            honest, liar = Page(low), Liar(high)
            tricky = "\u202eagreed\u2066\u200b\u0000 <b>x</b>"
            rung = await liar.say(
                c.Ring(precedence=Precedence.ROUTINE, language="en", roles=(OFFICER,), role=OFFICER, sign="X1",
                       commitment=bytes(32), subject=tricky)
            )  # fmt: skip
            view = await honest.sees(text(rung), is_state("ringing"))
            assert view["subject"] == tricky
            huge = c.HangUp(of=rung, cause=c.EndCause.WITHDRAWN, role=OFFICER, sign="X1", text="x" * 100_000)
            with pytest.raises(TooLarge):
                await liar.say(huge)

    run(scene)


def test_pick_ups_of_a_ring_of_ones_own_and_of_calls_that_are_over_change_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            honest, liar = Page(low), Liar(high)
            rung = await liar.ring()
            await liar.say(c.PickUp(of=rung, language="en", role=OFFICER, sign="X1", fingerprint=bytes(32)))
            await liar.say(c.Refusal(of=rung, cause=c.RefusalCause.BUSY, role=OFFICER, sign="X1"))
            await liar.heard_by(low)
            view = await honest.sees(text(rung), is_state("ringing"))
            assert view["rings"] is True
            await liar.hang_up(rung)
            await honest.sees(text(rung), lambda call: len(call["ends"]) == 2)
            for entry in (
                c.PickUp(of=rung, language="en", role=OFFICER, sign="X1", fingerprint=bytes(32)),
                c.Seat(of=rung, act=c.SeatAct.JOINS, number=1, role=OFFICER, sign="X1", fingerprint=bytes(32)),
                c.Seat(of=rung, act=c.SeatAct.MATCHED, number=0, role=OFFICER, sign="X1"),
                c.HangUp(of=rung, cause=c.EndCause.CHECK_FAILED, role=OFFICER, sign="X1"),
            ):
                await liar.say(entry)
            await liar.heard_by(low)
            view = await honest.done("GET", f"calls/{text(rung)}")
            assert (view["state"], view["cause"], len(view["ends"])) == ("withdrawn", "withdrawn", 2)
            assert view["seats"] == []

    run(scene)


def test_who_rings_again_and_again_does_not_set_off_the_alarm_path_each_time(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        parts = Parts(calls=PATIENT, alarms=AlarmPace(look_s=0.01))
        async with stations(homes, parts, parts) as running:
            await linked(*running)
            low, high = sorted(running, key=lambda station: station.find("relay").party)
            honest, liar = Page(low), Liar(high)

            def raised() -> set[str]:
                return {alarm["id"] for alarm in honest.heard("alarm") if alarm["kind"] == "ring"}

            async def came(count: int) -> None:
                async def look() -> bool | None:
                    return len(raised()) >= count or None

                await eventually(look)

            for number in range(OFTEN + 3):
                rung = await liar.ring(precedence=Precedence.FLASH)
                await honest.sees(text(rung), lambda call: call["rings"])  # it rings on the floor, each time
                if number < OFTEN:
                    await came(number + 1)
                since = low.clock.steady()

                async def while_it_rings(since: int = since) -> bool | None:
                    return low.clock.steady() - since > 300 or None  # thirty looks of the alarms

                await eventually(while_it_rings)
                await liar.hang_up(rung)
                await honest.sees(text(rung), lambda call: len(call["ends"]) == 2)
            assert len(raised()) == OFTEN

    run(scene)
