"""Calls on a line of three stations: one rings, two pick up, one declines, and each is told what concerns it (spec 17.4)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from openline.kernel.units import Instant
from openline.protocol.call_entries import TypedLine
from openline.protocol.entries import Role
from openline.station.calling.standing import ref_to
from openline.station.runtime import Parts
from tests.e2e.call_client import Json, Page, is_state, opened
from tests.e2e.homes import join, new_home
from tests.e2e.inside import linked, stations
from tests.e2e.test_calls import PATIENT, run


@contextlib.asynccontextmanager
async def three(folder: Path) -> AsyncIterator[tuple[Page, Page, Page]]:
    """A page of each of three stations, by their party numbers."""
    homes = [new_home(folder, name) for name in ("ALPHA", "BRAVO", "CHARLIE")]
    join(homes)
    parts = Parts(calls=PATIENT)
    async with stations(homes, parts, parts, parts) as running:
        await linked(*running)
        one, two, last = sorted(running, key=lambda station: station.find("relay").party)
        yield Page(one), Page(two), Page(last)


async def rung(caller: Page, *called: Page) -> str:
    place: str = (await caller.ring())["place"]
    for page in called:
        await page.told("call", lambda event: event["place"] == place and event["rings"])
    return place


def test_17_4_of_two_that_pick_up_the_caller_opens_to_one_and_the_other_is_told_to_whom(tmp_path: Path) -> None:
    async def scene() -> None:
        async with three(tmp_path) as (low, caller, high):
            place = await rung(caller, low, high)
            room = caller.station.calling.room(caller.station.find("relay"))
            async with room.lock:  # the caller's station does not get to open before both have picked up
                await asyncio.gather(low.pick_up(place), high.pick_up(place))
                for page in (low, high, caller):
                    await page.sees(place, lambda call: call["by"] is not None and call["by"]["party"] == low.party)
            views = [await page.sees(place, is_open_to(low)) for page in (low, caller, high)]
            assert [view["state"] for view in views] == ["open"] * 3
            assert [view["check"] is not None for view in views] == [True, True, False]  # not for the third to read
            assert [sorted(seat["party"] for seat in view["seats"]) for view in views] == [
                [low.party, caller.party]
            ] * 3
            third = views[2]
            assert (third["by"]["name"], third["rings"]) == (low.station.find("relay").names[low.party], False)
            refused = await high.api(
                "POST", f"calls/{place}/signal",
                {"console": high.console, "to": {"party": caller.party, "seat": 0}, "type": "offer",
                 "data": high.description()},
            )  # fmt: skip
            assert refused.status == 409
            assert (await high.refused(place, "hang-up"))[0] == 409
            asked = {"console": high.console, "fingerprint": high.fingerprint}
            assert (await high.api("POST", "calls", asked)).status == 409  # one call at a time on a line
            await caller.act(place, "hang-up", console=caller.console)
            for page in (low, caller, high):
                view = await page.sees(place, lambda call: len(call["ends"]) == 3)
                assert (view["state"], view["cause"], view["record"]) == ("ended", "ended", "agreed")
            again = await rung(caller, low, high)
            await high.act(again, "decline", reason="Busy here.")
            await low.pick_up(again)
            for page in (low, caller, high):
                view = await page.sees(again, lambda call: call["state"] == "open" and call["by"] is not None)
                assert view["by"]["party"] == low.party

    run(scene)


def is_open_to(page: Page) -> Callable[[Json], bool]:
    def fits(call: Json) -> bool:
        return (
            call["by"] is not None
            and call["by"]["party"] == page.party
            and len(call["seats"]) == 2
            and all(seat["fingerprint"] for seat in call["seats"])
        )

    return fits


def test_17_5_of_three_one_declines_and_one_picks_up_and_all_declining_refuses(tmp_path: Path) -> None:
    async def scene() -> None:
        async with three(tmp_path) as (caller, one, two):
            place = await rung(caller, one, two)
            await one.act(place, "decline", reason="In a briefing.")
            view = await caller.sees(place, lambda call: not call["rings"])
            assert view["state"] == "ringing"  # the other may still pick up
            await two.pick_up(place)
            await caller.sees(place, opened)
            await two.sees(place, opened)
            view = await one.sees(place, is_state("open"))
            assert (view["check"], view["by"]["party"]) == (None, two.party)
            for act, more in (
                ("typed", {"text": "As if it sat there."}),
                ("seat", {"act": "joins", "console": one.console, "fingerprint": one.fingerprint}),
                ("minutes", {"clauses": [{"texts": {"en": "Nobody said that."}}]}),
            ):
                assert (await one.refused(place, act, **more))[0] == 409
            line = one.station.find("relay")
            said = TypedLine(
                of=ref_to(one.held(place)), text="Of a liar.", language="en", role=Role.WATCH_OFFICER, sign="X1"
            )
            await line.submit(said, Instant(one.station.clock.wall()))
            await two.act(place, "typed", text="Of the called.")
            view = await caller.sees(place, lambda call: call["typed"])
            assert [each["text"] for each in view["typed"]] == ["Of the called."]
            await two.act(place, "hang-up", console=two.console)
            for page in (caller, one, two):
                view = await page.sees(place, lambda call: call["state"] == "ended" and len(call["ends"]) >= 2)
                assert view["record"] in {"agreed", "one-sided"}
            place = await rung(caller, one, two)
            await one.act(place, "decline", reason="No.")
            await two.act(place, "decline", reason="Nor here.")
            for page in (caller, one, two):
                view = await page.sees(place, lambda call: call["state"] == "refused" and len(call["ends"]) == 1)
                assert (view["cause"], view["rings"]) == ("declined", False)

    run(scene)
