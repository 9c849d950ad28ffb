"""A station that is restored from an older copy in the middle of a call (spec 17.8)."""

import shutil
from pathlib import Path

import pytest

from openline.station.calling.room import CallPace
from openline.station.line_runner import LineRunner
from openline.station.places import Places
from openline.station.runtime import Parts
from tests.e2e.call_client import Page, is_state, opened
from tests.e2e.inside import eventually, linked, made, stations
from tests.e2e.test_calls import PATIENT, open_call, run

SHORT = Parts(calls=CallPace(lost=1_000, restart=1_000, takeover=1_000, patience=1_500))


@pytest.mark.parametrize("when", ["ringing", "open"])
@pytest.mark.parametrize("caller_restored", [True, False])
def test_17_8_a_station_restored_in_mid_call_ends_it_and_both_may_call_again(
    tmp_path: Path, when: str, caller_restored: bool
) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        patient = Parts(calls=PATIENT)
        async with stations(homes, patient, patient) as running:
            await linked(*running)
            caller, called = Page(running[0]), Page(running[1])
            if when == "open":
                place = await open_call(caller, called)
            else:
                place = (await caller.ring())["place"]
                await called.told("call", lambda event: event["place"] == place and event["rings"])
        restored = homes[0 if caller_restored else 1]
        store = Places(restored.folder).store
        older = tmp_path / "older"
        shutil.copytree(store, older) if store.is_dir() else shutil.copy(store, older)
        async with stations(homes, patient, patient) as running:
            await linked(*running)
            again, other = Page(running[0]), Page(running[1])
            if when == "ringing":
                await other.pick_up(place)
                await again.sees(place, opened)
            for page in (again, other):
                await page.act(place, "typed", text=f"Of {page.party}.")
            for page in (again, other):
                await page.sees(place, lambda call: len(call["typed"]) == 2)
        for kept in store.parent.glob(store.name + "*"):
            shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
        shutil.copytree(older, store) if older.is_dir() else shutil.copy(older, store)
        async with stations(homes, SHORT, SHORT) as running:
            await linked(*running)
            again, other = Page(running[0]), Page(running[1])
            back = running[homes.index(restored)].find("relay")

            async def in_new_lanes(line: LineRunner = back) -> bool | None:
                ledgers = line.engine.fold.ledgers() if line.engine is not None else ()
                own = [ledger.generation.counter for ledger in ledgers if ledger.number == 2 * line.party]
                return max(own, default=0) == 1 or None

            await eventually(in_new_lanes)
            for page in (again, other):
                view = await page.sees(place, lambda call: call["state"] == "ended" and len(call["ends"]) == 2)
                assert view["cause"] == "console-lost"
            for one, two in ((again, other), (other, again)):
                anew = (await one.ring())["place"]
                await two.told("call", lambda event, anew=anew: event["place"] == anew and event["rings"])  # type: ignore[misc]
                await one.act(anew, "hang-up")
                await two.sees(anew, is_state("withdrawn"))
                await one.sees(anew, lambda call: len(call["ends"]) == 2)

    run(scene)
