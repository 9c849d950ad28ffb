"""What an officer of one's own station with too small a role, or at another console, may not do in calls (spec 17)."""

from pathlib import Path
from typing import Any

from openline.station.runtime import Parts, Station
from tests.e2e.call_client import Page, is_state
from tests.e2e.inside import Answer, call, linked, made, stations
from tests.e2e.test_calls import PATIENT, open_call, run

INTERPRETER, AUDITOR, TECHNICIAN = 40_501, 40_502, 40_503


async def tries(station: Station, uid: int, method: str, path: str, body: object = None, **query: Any) -> Answer:
    """That user's call."""
    return await call(station, method, f"lines/relay/{path}", body, uid=uid, **query)


def test_roles_that_are_too_small_reach_nothing_of_a_call(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        with (homes[0].folder / "config.toml").open("a") as config:
            for uid, role in ((INTERPRETER, "interpreter"), (AUDITOR, "auditor"), (TECHNICIAN, "technician")):
                config.write(f'\n[people.{uid}]\nsign = "Z{uid % 10}"\nroles = ["{role}"]\n')
        parts = Parts(calls=PATIENT)
        async with stations(homes, parts, parts) as (alpha, bravo):
            await linked(alpha, bravo)
            caller, called = Page(alpha), Page(bravo)
            place = await open_call(caller, called)
            seat = {"console": "ab" * 16, "fingerprint": "cd" * 32}
            typed, end = {"text": "I was not there."}, {"cause": "ended"}
            asked: list[tuple[str, object]] = [
                ("hang-up", end), ("hang-up", {"cause": "not-protected"}), ("typed", typed),
                ("seat", {**seat, "act": "takes-over"}), ("pick-up", seat), ("decline", {"reason": "no"}),
                ("check", {"console": caller.console, "matched": False}), ("alive", {"console": caller.console}),
                ("hang-up", {"console": caller.console}), ("typed", {**typed, "sign": "W1", "role": "watch-officer"}),
            ]  # fmt: skip
            for act, body in asked:
                for uid in (INTERPRETER, AUDITOR, TECHNICIAN):
                    answer = await tries(alpha, uid, "POST", f"calls/{place}/{act}", body)
                    assert answer.status in {403, 404}, (act, uid, answer.data)
            assert (await tries(alpha, TECHNICIAN, "GET", "calls")).status == 403
            assert (await tries(alpha, AUDITOR, "GET", f"calls/{place}")).status == 200
            assert (await tries(alpha, AUDITOR, "GET", f"calls/{place}/ways")).status == 403
            joined = await tries(alpha, INTERPRETER, "POST", f"calls/{place}/seat", {**seat, "act": "joins"})
            assert joined.status == 200
            for body in (end, {**end, "console": seat["console"]}):  # it leaves, and the officers go on
                assert (await tries(alpha, INTERPRETER, "POST", f"calls/{place}/hang-up", body)).status == 403
            assert (await tries(alpha, INTERPRETER, "POST", f"calls/{place}/typed", typed)).status == 200
            view = await caller.sees(place, is_state("open"))
            assert [line["sign"] for line in view["typed"]] == ["Z1"]
            stop = {"cause": "not-protected", "console": seat["console"]}
            assert (await tries(alpha, INTERPRETER, "POST", f"calls/{place}/hang-up", stop)).status == 200
            view = await called.sees(place, is_state("ended"))
            assert view["cause"] == "not-protected"

    run(scene)


def test_a_relay_is_lent_for_calls_that_are_live_alone(tmp_path: Path) -> None:
    async def scene() -> None:
        homes, parts = made(tmp_path), Parts(calls=PATIENT)
        async with stations(homes, parts, parts) as (alpha, bravo):
            await linked(alpha, bravo)
            caller, called = Page(alpha), Page(bravo)
            place = (await caller.ring())["place"]
            await caller.done("GET", f"calls/{place}/ways")  # while it rings
            await called.told("call", lambda event: event["place"] == place)
            await caller.act(place, "hang-up")
            assert (await caller.api("GET", f"calls/{place}/ways")).status == 409

    run(scene)
