"""Voice calls between two real stations over TLS: who rings, who sits where, and what both sign of it (spec 17)."""

import asyncio
from pathlib import Path

from tests.e2e.call_client import Page, is_state, opened
from tests.e2e.inside import linked, made, stations


def test_17_a_call_is_placed_picked_up_opened_and_hung_up_and_both_sign(tmp_path: Path) -> None:
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
            assert (ended["state"], ended["cause"]) == ("ended", "ended")
            for page in (caller, called):
                view = await page.sees(place, lambda call: call["record"] != "one-sided" and len(call["ends"]) == 2)
                assert view["record"] == "agreed"
                assert sorted(end["cause"] for end in view["ends"]) == ["confirms", "ended"]
                assert all(end["protection"]["dtls"] == "1.3" and end["began"] for end in view["ends"])
                assert is_state("ended")(view)

    asyncio.run(scene())
