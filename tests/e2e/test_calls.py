"""Voice calls between two real stations over TLS: who rings, who sits where, and what both sign of it (spec 17)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openline.kernel.lane import parse_generation
from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol.call_entries import Seat, SeatAct
from openline.protocol.call_signals import CallSignal, SignalType
from openline.protocol.entries import Role
from openline.protocol.events import Signal
from openline.protocol.fields import Ref
from openline.station.calling import automatic
from openline.station.calling.room import CallPace
from openline.station.calling.standing import ref_to
from openline.station.runtime import Parts, Station
from tests.e2e.call_client import Json, Page, is_state, opened
from tests.e2e.homes import POLICY
from tests.e2e.inside import eventually, linked, made, stations


def test_17_4_a_call_is_placed_picked_up_opened_and_hung_up_and_both_sign(tmp_path: Path) -> None:
    async def scene() -> None:
        async with stations(made(tmp_path)) as (alpha, bravo):
            await linked(alpha, bravo)
            caller, called = Page(alpha), Page(bravo)
            rung = await caller.ring(subject="Convoy")
            place = rung["place"]
            assert (rung["state"], rung["mine"], rung["rings"]) == ("ringing", True, False)
            seen = await called.told("call", lambda event: event["place"] == place)
            assert (seen["state"], seen["mine"], seen["rings"], seen["subject"]) == ("ringing", False, True, "Convoy")
            await called.pick_up(place)
            views = [await page.sees(place, opened) for page in (caller, called)]
            assert [view["check"]["read"] for view in views] == [view["check"]["heard"] for view in reversed(views)]
            assert {seat["fingerprint"] for seat in views[0]["seats"]} == {caller.fingerprint, called.fingerprint}
            assert views[0]["seats"] != views[1]["seats"]  # each knows its own consoles
            offers, answers = sorted((caller, called), key=lambda page: page.party)
            await offers.signal(place, (answers.party, 0), "offer", offers.description())
            came = await answers.told("signal", lambda event: event["type"] == "offer")
            assert came["data"] == offers.description()
            assert (came["from"], came["to"]) == (
                {"party": offers.party, "seat": 0},
                {"party": answers.party, "seat": 0},
            )
            await answers.signal(place, (offers.party, 0), "answer", answers.description("answer"))
            await offers.told("signal", lambda event: event["type"] == "answer")
            for page, other in ((caller, called), (called, caller)):
                await page.alive(place, sound=True)
                peer = {"party": other.party, "seat": 0}
                await page.act(place, "connected", console=page.console, peer=peer, dtls="1.3", cipher="TLS_AES_128_GCM_SHA256",
                               srtp="AEAD_AES_256_GCM", path="direct")  # fmt: skip
            ended = await caller.act(place, "hang-up", console=caller.console)
            assert await caller.alive(place) == {"state": "ended", "seat": None}
            assert (ended["state"], ended["cause"]) == ("ended", "ended")
            for page in (caller, called):
                view = await page.sees(place, lambda call: call["record"] != "one-sided" and len(call["ends"]) == 2)
                assert view["record"] == "agreed"
                assert sorted(end["cause"] for end in view["ends"]) == ["confirms", "ended"]
                assert all(end["protection"]["dtls"] == "1.3" and end["began"] for end in view["ends"])
                assert is_state("ended")(view)
            late = await called.act(place, "hang-up", console=called.console)  # pressed when the other was quicker
            assert (late["state"], len(late["ends"])) == ("ended", 2)

    asyncio.run(scene())


PATIENT = CallPace(lost=600_000, restart=600_000)
"""For tests in which pages do not report themselves all the time."""


@contextlib.asynccontextmanager
async def floors(
    folder: Path, pace: CallPace = PATIENT, policy: Policy = POLICY
) -> AsyncIterator[tuple[Station, Station]]:
    """ALPHA and BRAVO, linked; ALPHA is party 0."""
    parts = Parts(calls=pace)
    async with stations(made(folder, policy), parts, parts) as running:
        await linked(*running)
        low, high = sorted(running, key=lambda station: station.find("relay").party)
        yield low, high


async def open_call(caller: Page, called: Page, **more: Any) -> str:
    """A call that both have open; its place."""
    place: str = (await caller.ring(**more))["place"]
    await called.told("call", lambda event: event["place"] == place and event["rings"])
    await called.pick_up(place)
    for page in (caller, called):
        await page.sees(place, opened)
    return place


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


def test_17_11_four_consoles_sit_in_a_call_and_each_reaches_each(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            officer, adviser, other, interpreter = Page(low), Page(low), Page(high), Page(high)
            place = await open_call(officer, other)
            for page in (adviser, interpreter):
                await page.sit(place, "joins", lang="fr")
            third = Page(low)
            asked = {"console": third.console, "fingerprint": third.fingerprint, "act": "joins"}
            assert (await third.refused(place, "seat", **asked))[0] == 409
            for page in (officer, other):
                view = await page.sees(place, lambda call: len(call["seats"]) == 4)
                assert [(seat["party"], seat["seat"]) for seat in view["seats"]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
                assert [bool(seat["console"]) for seat in view["seats"]] == [
                    seat["party"] == page.party for seat in view["seats"]
                ]
            pages = {(0, 0): officer, (0, 1): adviser, (1, 0): other, (1, 1): interpreter}
            for sender, page in pages.items():
                for to, receiver in pages.items():
                    if sender < to:
                        await page.signal(place, to, "offer", page.description())
                        heard = await receiver.hears("offer", sender, to)
                        assert heard["data"] == page.description()
            assert (await officer.refused(place, "signal", console=officer.console, to={"party": 0, "seat": 0},
                                          type="restart"))[0] == 404  # fmt: skip
            await interpreter.act(place, "seat", console=interpreter.console, act="leaves")
            await officer.sees(place, lambda call: call["seats"][3]["state"] == "left")
            assert (await interpreter.refused(place, "alive", console=interpreter.console))[0] == 404

    run(scene)


def test_two_consoles_pick_up_at_once_and_one_of_them_has_the_call(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, one, two = Page(low), Page(high), Page(high)
            place = (await caller.ring())["place"]
            await one.told("call", lambda event: event["rings"])
            asked = [{"console": page.console, "fingerprint": page.fingerprint} for page in (one, two)]
            tried = await asyncio.gather(
                *[page.api("POST", f"calls/{place}/pick-up", ask) for page, ask in zip((one, two), asked, strict=True)]
            )
            assert sorted(answer.status for answer in tried) == [200, 409]
            (refused,) = [answer.json["message"] for answer in tried if answer.status == 409]
            assert refused == "picked up at another console"
            await caller.sees(place, opened)

    run(scene)


def test_17_10_who_declines_says_why_and_both_have_it_on_record(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, called = Page(low), Page(high)
            place = (await caller.ring())["place"]
            await called.told("call", lambda event: event["rings"])
            assert (await called.refused(place, "decline", reason=""))[0] == 400
            assert (await caller.refused(place, "decline", reason="mine"))[0] == 409
            await called.act(place, "decline", reason="In a briefing until 1500Z.")
            for page in (caller, called):
                view = await page.sees(place, lambda call: call["record"] == "agreed")
                assert (view["state"], view["cause"]) == ("refused", "declined")
                assert view["reason"] == "In a briefing until 1500Z."
                assert not view["rings"]
            assert (await called.refused(place, "decline", reason="Again."))[0] == 409
            again = (await caller.ring())["place"]
            await called.told("call", lambda event: event["place"] == again and event["rings"])
            await caller.act(again, "hang-up")
            for page in (caller, called):
                view = await page.sees(again, lambda call: call["record"] == "agreed")
                assert (view["state"], view["cause"]) == ("withdrawn", "withdrawn")
            assert (await called.refused(again, "pick-up", console=called.console, fingerprint=called.fingerprint))[
                0
            ] == 409

    run(scene)


@pytest.mark.parametrize("precedences, stands", [(("routine", "routine"), 0), (("priority", "immediate"), 1)])
def test_17_7_two_rings_that_cross_become_one_call(tmp_path: Path, precedences: tuple[str, str], stands: int) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            pages = (Page(low), Page(high))
            rung = await asyncio.gather(*[page.ring(prec) for page, prec in zip(pages, precedences, strict=True)])
            winner, loser = pages[stands], pages[1 - stands]
            stood, yielded = rung[stands]["place"], rung[1 - stands]["place"]
            for page in pages:
                view = await page.sees(yielded, lambda call: call["state"] == "yielded" and len(call["ends"]) == 2)
                assert {end["cause"] for end in view["ends"]} == {"yields", "confirms"}
            await loser.pick_up(stood)
            await winner.sees(stood, opened)
            assert not [event for event in winner.heard("call") if event["place"] == yielded and event["rings"]]

    run(scene)


def test_a_line_has_one_call_at_a_time(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, called = Page(low), Page(high)
            asked = {"fingerprint": called.fingerprint, "console": called.console}
            place = (await caller.ring())["place"]
            await called.told("call", lambda event: event["rings"])
            for page in (caller, called):
                assert (await page.api("POST", "calls", {**asked, "precedence": "flash"})).status == 409
            await called.pick_up(place)
            assert (await caller.api("POST", "calls", asked)).status == 409
            await caller.act(place, "hang-up")
            await caller.sees(place, lambda call: len(call["ends"]) == 2)
            assert (await caller.api("POST", "calls", asked)).status == 201

    run(scene)


@pytest.mark.parametrize("cause", ["not-answered", "unattended", "no-console"])
def test_17_10_a_call_that_nobody_answers_is_missed_on_both_sides_with_its_cause(tmp_path: Path, cause: str) -> None:
    async def scene() -> None:
        async with floors(tmp_path, CallPace(ring=1_500, patience=600_000)) as (low, high):
            caller, called = Page(low), Page(high)
            watch = {"kind": "watch", "attended": cause != "unattended"}
            await called.done("POST", "entries", watch)
            if cause == "no-console":
                high.feed.leave(called.stream)
            place = (await caller.ring())["place"]
            if cause != "no-console":
                await called.told("call", lambda event: event["place"] == place)
            for page in (caller, called):
                view = await page.sees(place, lambda call: call["record"] == "agreed")
                assert (view["state"], view["cause"], view["rings"]) == ("missed", cause, False)
            rung = [event["rings"] for event in called.heard("call") if event["place"] == place]
            assert rung[:1] == ([] if cause == "no-console" else [True])  # an empty floor rings all the same
            assert not rung[-1:] or rung[-1] is False

    run(scene)


def test_a_caller_whose_line_is_down_is_told_that_nobody_answered(tmp_path: Path) -> None:
    async def scene() -> None:
        homes = made(tmp_path)
        async with stations(homes) as (alpha, bravo):
            await linked(alpha, bravo)
        async with stations(homes[:1], Parts(calls=CallPace(ring=1_500, patience=1_500))) as (alpha,):
            caller = Page(alpha)
            place = (await caller.ring())["place"]  # no link is no error: it rings if the line comes back in time
            view = await caller.sees(place, lambda call: call["state"] == "missed")
            assert (view["cause"], view["record"]) == ("not-answered", "one-sided")
        async with stations(homes) as (alpha, bravo):
            called = Page(bravo)
            view = await called.sees(place, lambda call: call["record"] == "agreed")
            assert view["state"] == "missed"
            assert not any(event["rings"] for event in called.heard("call"))

    run(scene)


def test_a_suspended_line_takes_no_call_but_flash(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, called = Page(low), Page(high)
            suspend = {"kind": "suspend", "reason": "For a while."}
            rung, _ = await asyncio.gather(caller.ring(), called.done("POST", "entries", suspend))  # they cross
            for page in (caller, called):
                view = await page.sees(rung["place"], lambda call: call["record"] == "agreed")
                assert (view["state"], view["cause"]) == ("refused", "suspended")
            assert not any(event["rings"] for event in called.heard("call"))
            for page in (caller, called):
                asked = {"fingerprint": page.fingerprint, "console": page.console, "precedence": "immediate"}
                refused = await page.api("POST", "calls", asked)
                assert (refused.status, refused.json["message"]) == (409, "the line is suspended")
            await open_call(caller, called, precedence="flash")

    run(scene)


# --- what a station or a page may try --------------------------------------------------------------------------


def lied(page: Page, place: str, kind: SignalType, data: str, *, seat: int = 0) -> None:
    """What a station sends that does not check its own pages."""
    lane, generation, index = place.split("/")
    said = CallSignal(
        lane=int(lane),
        generation=parse_generation(generation),
        index=int(index),
        sender=seat,
        to=0,
        type=kind,
        data=data,
    )
    page.station.find("relay").feed(Signal(party=1 - page.party, signal=said))


def test_17_40_a_description_with_another_fingerprint_never_reaches_a_page_and_ends_the_call(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            liar, honest = Page(low), Page(high)

            async def counted() -> bool | None:
                return high.counters["call-signal-refused"] == 2 or None

            place = await open_call(liar, honest)
            forged = Page(low).description()
            status, said = await liar.refused(
                place, "signal", console=liar.console, to={"party": 1, "seat": 0}, type="offer", data=forged
            )
            assert (status, said) == (400, "the fingerprint of the sound is not the one that the seat has signed")
            lied(liar, place, SignalType.CANDIDATE, '{"candidate": "candidate:1 1 udp 1 spy.example 9 typ host"}')
            refused = await honest.told("signal-refused", lambda event: event["call"] == place)
            assert (refused["code"], refused["from"]) == ("malformed", {"party": 0, "seat": 0})
            assert (await honest.sees(place, opened))["state"] == "open"  # out of shape is dropped, and no more
            lied(liar, place, SignalType.OFFER, forged, seat=1)  # whoever does not sit in the call cannot end it either
            await eventually(counted)
            assert (await honest.sees(place, opened))["state"] == "open"
            lied(liar, place, SignalType.OFFER, forged)
            await honest.told("signal-refused", lambda event: event["code"] == "foreign")
            for page in (liar, honest):
                view = await page.sees(place, lambda call: len(call["ends"]) == 2)
                assert (view["state"], view["cause"]) == ("ended", "not-protected")
            assert honest.heard("signal") == []
            assert high.counters["call-signal-refused"] == 3

    run(scene)


def test_17_21_a_key_that_the_ring_did_not_commit_to_ends_the_call(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            liar, honest = Page(low), Page(high)
            line = low.find("relay")
            place = (await liar.ring())["place"]
            await honest.told("call", lambda event: event["rings"])
            async with low.calling.room(line).lock:  # the station itself does not get to open what it promised
                await honest.pick_up(place)
                held = await liar.sees(place, lambda call: call["by"] is not None)
                assert held["check"] is None
                named = liar.held(place)
                assert named.pick_up is not None
                entry = Seat(
                    of=ref_to(named), act=SeatAct.OPENS, number=0, role=Role.WATCH_OFFICER, sign="W1",
                    fingerprint=bytes.fromhex(Page(low).fingerprint), nonce=bytes(32), language="en",
                    pick_up=Ref(lane=named.pick_up.place.lane, generation=named.pick_up.place.generation,
                                index=named.pick_up.place.index, leaf=named.pick_up.leaf),
                )  # fmt: skip
                await line.submit(entry, Instant(low.clock.wall()))
                view = await honest.sees(place, is_state("ended"))
            assert view["cause"] == "wrong-key"
            assert view["check"] is None
            view = await liar.sees(place, lambda call: len(call["ends"]) == 2)
            assert view["cause_words"] == "the caller's key is not the one that the ring committed to"
            assert high.counters["call-wrong-key"] == 1

    run(scene)


def test_a_ring_that_repeats_another_ones_commitment_gets_nothing_of_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            honest, liar = Page(low), Page(high)
            own = (await honest.ring())["place"]
            await liar.told("call", lambda event: event["rings"])
            await honest.act(own, "hang-up")
            await liar.sees(own, lambda call: call["record"] == "agreed")
            ring = honest.held(own).rung
            await high.find("relay").submit(ring, Instant(high.clock.wall()))
            copied = (await honest.told("call", lambda event: event["rings"]))["place"]
            room = low.calling.room(low.find("relay"))
            assert room.kept(honest.held(own)).nonce
            assert not room.kept(honest.held(copied)).nonce
            assert not room.running[honest.held(copied).place].sitting

    run(scene)


def test_17_24_digits_that_do_not_match_end_the_call(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, called = Page(low), Page(high)
            place = await open_call(caller, called)
            await caller.act(place, "check", console=caller.console, matched=True)
            await called.sees(place, lambda call: [word["matched"] for word in call["check"]["words"]] == [True])
            await called.act(place, "check", console=called.console, matched=False)
            view = await caller.sees(place, lambda call: len(call["ends"]) == 2)
            assert (view["cause"], view["record"]) == ("check-failed", "agreed")

    run(scene)


def test_17_50_sound_under_an_older_dtls_ends_the_call_and_says_so(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, called = Page(low), Page(high)
            place = await open_call(caller, called)
            seen = {"peer": {"party": 1, "seat": 0}, "cipher": "", "srtp": "AES_CM_128_HMAC_SHA1_80", "path": "direct"}
            await caller.act(place, "connected", console=caller.console, dtls="1.2", **seen)
            view = await called.sees(place, lambda call: len(call["ends"]) == 2)
            assert (view["cause"], view["ends"][0]["protection"]["dtls"]) == ("not-protected", "1.2")

    run(scene)


def test_nobody_acts_for_a_seat_that_is_not_theirs(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, called, stranger = Page(low), Page(high), Page(low)
            place = await open_call(caller, called)
            for act, more in (
                ("alive", {}),
                ("signal", {"to": {"party": 1, "seat": 0}, "type": "restart"}),
                ("check", {"matched": False}),
                ("hang-up", {}),
                ("seat", {"act": "leaves"}),
            ):
                assert (await stranger.refused(place, act, console=stranger.console, **more))[0] == 404
            assert (await stranger.api("GET", "calls/0/0/7")).status == 404
            assert (await stranger.api("GET", "calls/x/0/7")).status == 400

    run(scene)


# --- consoles that come and go ---------------------------------------------------------------------------------


def test_17_13_a_console_that_reports_no_more_is_lost_and_its_call_is_taken_over(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, called, second = Page(low), Page(high), Page(high)
            place = await open_call(caller, called)
            before = (await caller.sees(place, opened))["check"]
            high.calling.pace = replace(PATIENT, lost=1_000)  # at the called side alone: the caller is never lost

            async def staying(page: Page, until: Callable[[Json], Any]) -> Json:
                async def look() -> Json | None:
                    await caller.alive(place)
                    view: Json = await page.done("GET", f"calls/{place}")
                    return view if until(view) else None

                return await eventually(look)

            await staying(caller, lambda call: call["seats"][1]["state"] == "lost")
            view = await staying(called, lambda call: call["seats"][1]["takeover_until"])
            assert view["state"] == "open"
            assert (await called.refused(place, "alive", console=called.console))[0] == 404
            view = await second.sit(place, "takes-over")
            assert view["seats"][1]["takeover_until"] is None
            after = (await staying(caller, lambda call: call["check"] != before))["check"]
            assert after["read"] == view["check"]["heard"]
            assert view["seats"][1]["console"] == second.console
            # Neither does the second one report itself: nobody takes it up, and the call ends.
            high.calling.pace = replace(high.calling.pace, takeover=1_000)
            view = await staying(caller, lambda call: call["record"] == "agreed")
            assert (view["state"], view["cause"]) == ("ended", "console-lost")

    run(scene)


def test_17_13_a_console_is_not_lost_because_its_station_stood_still(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, called = Page(low), Page(high)
            place = await open_call(caller, called)
            await caller.alive(place)
            low.calling.pace = replace(PATIENT, lost=1_500)
            end = low.clock.steady() + 3_000
            while low.clock.steady() < end:
                pass  # as a machine does that gives it no time: what its page says meanwhile waits
            await automatic.look(low.calling, low.calling.room(low.find("relay")))
            assert low.counters["call-console-lost"] == 0
            assert (await caller.alive(place))["seat"] == 0
            await caller.sees(place, lambda call: call["seats"][0]["state"] == "lost")  # if it reports no more

    run(scene)


def test_an_offer_of_before_a_take_over_is_old_and_no_forgery(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, called, second = Page(low), Page(high), Page(low)
            place = await open_call(caller, called)
            await second.sit(place, "takes-over")
            await called.sees(place, lambda call: call["seats"][0]["fingerprint"] == second.fingerprint)
            lied(caller, place, SignalType.OFFER, caller.description())
            await called.told("signal-refused", lambda event: event["code"] == "foreign")
            await second.signal(place, (1, 0), "offer", second.description())
            await called.told("signal", lambda event: event["data"] == second.description())
            assert (await called.sees(place, opened))["state"] == "open"

    run(scene)


def test_17_32_an_offer_that_follows_its_seat_at_once_is_judged_by_what_that_seat_signed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, called = Page(low), Page(high)
            place = await open_call(caller, called)
            for _ in range(4):
                second = Page(low)
                await second.sit(place, "takes-over")
                await second.signal(place, (1, 0), "offer", second.description())  # nobody waits for the other side
                await called.told("signal", lambda event, page=second: event["data"] == page.description())  # type: ignore[misc]
            assert (await called.sees(place, opened))["state"] == "open"
            assert not called.heard("signal-refused")

    run(scene)


# --- what is written -------------------------------------------------------------------------------------------


def test_17_16_minutes_are_drafted_and_agreed_clause_by_clause(tmp_path: Path) -> None:
    async def scene() -> None:
        async with floors(tmp_path) as (low, high):
            caller, called = Page(low), Page(high)
            place = await open_call(caller, called)
            await caller.act(place, "typed", text="Grid 35T LE 1234", lang="en")
            await called.sees(place, lambda call: [line["text"] for line in call["typed"]] == ["Grid 35T LE 1234"])
            await caller.act(place, "hang-up")
            assert (await caller.sees(place, lambda call: len(call["ends"]) == 2))["minutes"]["state"] == "none"
            clauses = [{"texts": {"en": "Four vehicles.", "fr": "Quatre."}}, {"texts": {"en": "At 0900Z."}}]
            view = await caller.act(place, "minutes", clauses=clauses)
            (draft,) = view["minutes"]["drafts"]
            assert draft["clauses"] == clauses
            await called.sees(place, lambda call: call["minutes"]["state"] == "drafted")
            word = f"calls/{place}/minutes/{draft['place']}/word"
            assert (await called.api("POST", word, {"clauses": [{"agreed": True}]})).status == 400
            assert (await caller.api("POST", word, {"clauses": [{"agreed": True}] * 2})).status == 409
            differs = [{"agreed": False, "text": "Five vehicles."}, {"agreed": True}]
            await called.done("POST", word, {"clauses": differs})
            await caller.sees(place, lambda call: call["minutes"]["state"] == "differs")
            named = {
                "lane": draft["ref"]["lane"],
                "generation": draft["ref"]["generation"],
                "index": draft["ref"]["index"],
            }
            clauses[0]["texts"]["en"] = "Five vehicles."
            view = await called.act(place, "minutes", clauses=clauses, replaces=named)
            mended = view["minutes"]["drafts"][-1]
            assert mended["replaces"] == draft["place"]
            word = f"calls/{place}/minutes/{mended['place']}/word"
            await caller.sees(place, lambda call: len(call["minutes"]["drafts"]) == 2)
            await caller.done("POST", word, {"clauses": [{"agreed": True}] * 2})
            for page in (caller, called):
                await page.sees(place, lambda call: call["minutes"]["state"] == "agreed")
            shown = await caller.done("GET", "entries", kind="minutes,ring,typed-line")
            assert {entry["kind"] for entry in shown["entries"]} == {"ring", "typed-line", "minutes"}

    run(scene)
