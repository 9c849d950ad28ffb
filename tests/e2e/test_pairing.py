"""Two real stations pair over real TLS: both ways of comparing, every way to fail, and crashes in between."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openline.kernel.crypto import digest
from openline.kernel.errors import Conflict, Malformed, Refused, Unavailable, Unknown
from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol.pairing_messages import Reason
from openline.protocol.records import LineRecord
from openline.station.card import own_card
from openline.station.cards import CardRefused, Flaw, armoured, as_digits, as_words
from openline.station.client import Client
from openline.station.line_runner import LineRunner
from openline.station.line_view import state_of
from openline.station.main import socket_path
from openline.station.meeting import Meeting, State
from openline.station.runtime import Station
from openline.station.setup import create_home
from openline.station.unlock import KeyFile, make_key_file
from tests.ports import free_port
from tests.waiting import until

DEADLINE_S = 60.0
POLICY = Policy(title="Pairing in earnest")
NAMES = ("ALPHA", "BRAVO")


@dataclass(frozen=True, slots=True)
class Home:
    """A station's folder, and how to make another of the same keys run."""

    path: Path
    key: KeyFile

    def running(self, kind: type[Station] = Station) -> contextlib.AbstractAsyncContextManager[Station]:
        return kind.running(self.path, self.key)

    @property
    def card(self) -> str:
        return armoured(own_card(self.path))


def make(folder: Path, name: str, **changes: Any) -> Home:
    folder.mkdir(mode=0o700)
    key = make_key_file(folder / "key", os.urandom)
    address = f"127.0.0.1:{free_port()}"
    create_home(folder / name, name=name, unlock=key, listen=(address,), **changes)
    return Home(folder / name, key)


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Home, Home]:
    one, two = (make(tmp_path / name.lower(), name) for name in NAMES)
    return one, two


@contextlib.asynccontextmanager
async def both(homes: tuple[Home, Home]) -> AsyncIterator[tuple[Station, Station]]:
    async with asyncio.timeout(DEADLINE_S * 2), homes[0].running() as a, homes[1].running() as b:
        yield a, b


async def reach(meeting: Meeting, *states: State) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while meeting.state not in states:
            await meeting.changed_from(meeting.state.value, DEADLINE_S)


async def compare(a: Station, b: Station, policy: Policy = POLICY) -> tuple[Meeting, Meeting]:
    """Both begin, and come as far as they do without people."""
    one, two = a.pairings.open(armoured(b.card), policy), b.pairings.open(armoured(a.card), policy)
    async with asyncio.timeout(DEADLINE_S):
        while not one.state is two.state is State.COMPARING:  # of two conversations that cross, one is begun anew
            for each in (one, two):
                await reach(each, State.COMPARING)
    return one, two


async def opened(*meetings: Meeting) -> None:
    for each in meetings:
        await reach(each, State.OPEN)


async def in_service(*stations: Station) -> None:
    """Every line of theirs works; the station tells nobody inside its process, so the loop is given turns."""
    async with asyncio.timeout(DEADLINE_S):
        while any(state_of(each, line)[0] != "in service" for each in stations for line in each.lines.values()):  # noqa: ASYNC110
            await asyncio.sleep(0)


# --- both ways ------------------------------------------------------------------------------------------------


def test_15_9_15_21_by_fingerprint_without_anybody_waiting(
    homes: tuple[Home, Home], capfd: pytest.CaptureFixture[str]
) -> None:
    """15.21: no line before all have signed; then line, mark and secret are there, and an epoch opens at once."""

    async def run() -> None:
        async with both(homes) as (a, b):
            one, two = a.pairings.open(homes[1].card, POLICY, "relay"), b.pairings.open(homes[0].card, POLICY)
            assert not a.lines
            one.compare_fingerprint(as_words(b.card.fingerprint))
            two.compare_fingerprint(as_digits(a.card.fingerprint))
            await opened(one, two)
            assert one.line == two.line
            assert (a.find("relay").line, b.find("ALPHA").line) == (one.line, one.line)
            assert a.marks.read(one.line) is not None
            assert list(a.keystore.psks(one.line).values()) == list(b.keystore.psks(one.line).values())
            await in_service(a, b)
            secrets.extend(a.keystore.psks(one.line).values())

    secrets: list[bytes] = []
    asyncio.run(run())
    logged = "".join(capfd.readouterr())
    for psk in secrets:
        assert psk.hex() not in logged
        assert repr(psk)[2:-1] not in logged
    assert "127.0.0.1" not in logged


def test_15_9_by_voice(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with both(homes) as (a, b):
            one, two = await compare(a, b)
            one.enter_heard(two.read_aloud)
            await reach(one, State.CONFIRMING)
            two.enter_heard(one.read_aloud)  # still there to be read, though this floor has accepted
            await opened(one, two)
            assert one.line == two.line
            await in_service(a, b)

    asyncio.run(run())


def test_15_9_one_floor_by_fingerprint_the_other_by_voice(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with both(homes) as (a, b):
            one, two = await compare(a, b)
            two.enter_heard(one.read_aloud)
            one.compare_fingerprint(f"openline:fp:{b.card.fingerprint.hex()}")
            await opened(one, two)

    asyncio.run(run())


def test_15_26_a_station_that_only_calls_is_paired_as_well(tmp_path: Path) -> None:
    for at, silent in enumerate(NAMES):
        folder = tmp_path / silent.lower()
        folder.mkdir()
        homes = [make(folder / name.lower(), name, **({"addresses": ()} if name == silent else {})) for name in NAMES]

        async def run(pair: tuple[Home, Home] = (homes[0], homes[1])) -> None:
            async with both(pair) as (a, b):
                one, two = await compare(a, b)
                one.compare_fingerprint(as_words(b.card.fingerprint))
                two.compare_fingerprint(as_words(a.card.fingerprint))
                await opened(one, two)

        asyncio.run(run())
        assert at < len(NAMES)


# --- refusals -------------------------------------------------------------------------------------------------


def test_15_10_a_wrong_code_burns_the_attempt_and_three_leave_only_fingerprints(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with both(homes) as (a, b):
            for _ in range(3):
                one, two = await compare(a, b)
                wrong = one.read_aloud if one.read_aloud != two.read_aloud else "0000 0000"
                one.enter_heard(wrong)
                for each, by_peer in ((one, False), (two, True)):
                    await reach(each, State.REFUSED)
                    assert each.refusal is not None
                    assert (each.refusal.reason, each.refusal.by_peer) == (Reason.MISMATCH, by_peer)
                    with pytest.raises(Conflict):
                        each.enter_heard("1234 5678")
            one, two = await compare(a, b)
            assert (one.read_aloud, two.read_aloud) == ("", "")
            with pytest.raises(Conflict):
                one.enter_heard("1234 5678")
            one.compare_fingerprint(as_words(b.card.fingerprint))
            two.compare_fingerprint(as_words(a.card.fingerprint))
            await opened(one, two)
            assert not a.keystore.psks(digest(b"no such line"))

    asyncio.run(run())


def test_15_9_a_slip_is_no_attempt(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with both(homes) as (a, b):
            one, two = await compare(a, b)
            for slip in ("", "1234", "abcd efgh"):
                with pytest.raises(Malformed):
                    one.enter_heard(slip)
            assert one.state is State.COMPARING
            one.enter_heard(two.read_aloud)
            two.enter_heard(one.read_aloud)
            await opened(one, two)

    asyncio.run(run())


def test_15_9_another_fingerprint_is_refused(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with both(homes) as (a, b):
            one, two = await compare(a, b)
            one.compare_fingerprint(as_words(a.card.fingerprint))
            for each in (one, two):
                await reach(each, State.REFUSED)
                assert each.refusal is not None
                assert each.refusal.reason is Reason.MISMATCH
            assert not a.lines
            assert not list((homes[0].path / "keys" / "psk").glob("*"))

    asyncio.run(run())


def test_15_6_unequal_terms_are_refused_on_both_sides_and_named(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with both(homes) as (a, b):
            one = a.pairings.open(homes[1].card, POLICY)
            two = b.pairings.open(homes[0].card, Policy(title="Another", release=True))
            for each in (one, two):
                await reach(each, State.REFUSED)
                assert each.refusal is not None
                assert each.refusal.members == ("title", "release")
            assert one.refusal is not None
            assert one.refusal.theirs == two.policy

    asyncio.run(run())


def test_3_12_a_card_is_judged_before_anything_is_sent(homes: tuple[Home, Home], tmp_path: Path) -> None:
    old = make(tmp_path / "old", "OLD", now=Instant(1_000_000_000_000))
    same = make(tmp_path / "same", "ALPHA")

    async def run() -> None:
        async with both(homes) as (a, b):
            for text, flaw in ((homes[0].card, Flaw.OWN), (old.card, Flaw.EXPIRED), (homes[1].card[:500], Flaw.CUT)):
                with pytest.raises(CardRefused) as refused:
                    a.pairings.open(text, POLICY)
                assert refused.value.flaw is flaw
            with pytest.raises(Conflict):
                a.pairings.open(same.card, POLICY)
            a.pairings.open(homes[1].card, POLICY)
            with pytest.raises(Conflict):
                a.pairings.open(homes[1].card, POLICY)
            assert b.pairings.all() == []

    asyncio.run(run())


def test_15_23_people_end_it(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with both(homes) as (a, b):
            one, two = await compare(a, b)
            one.enter_heard(two.read_aloud)
            await reach(one, State.CONFIRMING)
            one.end()
            await reach(two, State.REFUSED)
            assert not list((homes[0].path / "keys" / "psk").glob("*"))
            one, two = await compare(a, b)  # nothing is in the way of another
            one.enter_heard(two.read_aloud)
            two.enter_heard(one.read_aloud)
            await opened(one, two)

    asyncio.run(run())


def test_15_24_without_an_act_of_people_nothing_is_said(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with both(homes) as (a, b):
            one = a.pairings.open(homes[1].card, POLICY)
            async with asyncio.timeout(DEADLINE_S):
                while not b.links.counters and not a.links.counters:  # noqa: ASYNC110 - a counter tells nobody
                    await asyncio.sleep(0)
            assert (one.state, b.pairings.all()) == (State.WAITING, [])
            two = b.pairings.open(homes[0].card, POLICY)
            one.compare_fingerprint(as_words(b.card.fingerprint))
            two.compare_fingerprint(as_words(a.card.fingerprint))
            await opened(one, two)
            # The pairing is over for the people of both. One floor alone begins another: the other says nothing.
            again = a.pairings.open(homes[1].card, Policy(title="Another"), "second")
            async with asyncio.timeout(DEADLINE_S):
                await again._changed.wait()  # a conversation was begun and cut
            assert again.state is State.WAITING
            assert two.state is State.OPEN

    asyncio.run(run())


# --- crashes --------------------------------------------------------------------------------------------------


def test_15_25_the_side_that_lost_the_last_word_is_finished_after_its_restart(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S * 2), homes[0].running() as a:
            async with homes[1].running() as b:
                one, two = await compare(a, b)
                two.compare_fingerprint(as_words(a.card.fingerprint))
                heard = two.read_aloud
                two.leave()  # as if it had been killed now: it has signed, and will hear nothing any more
                one.enter_heard(heard)
                await opened(one)
                assert (two.state, b.lines) == (State.CONFIRMING, {})
            async with homes[1].running() as b:
                [two] = b.pairings.all()
                await opened(two)
                assert one.line == two.line
                await in_service(a, b)

    asyncio.run(run())


def test_15_25_the_side_that_has_the_line_gives_its_last_word_also_after_its_own_restart(
    homes: tuple[Home, Home],
) -> None:
    async def run() -> None:
        async with both(homes) as (a, b):
            one, two = await compare(a, b)
            two.compare_fingerprint(as_words(a.card.fingerprint))
            heard = two.read_aloud
            two.leave()
            one.enter_heard(heard)
            await opened(one)
        async with both(homes) as (a, b):
            [one], [two] = a.pairings.all(), b.pairings.all()
            await opened(one, two)
            assert one.line == two.line
            await in_service(a, b)

    asyncio.run(run())


def test_15_25_both_killed_after_both_accepted(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with both(homes) as (a, b):
            one, two = await compare(a, b)
            one.compare_fingerprint(as_words(b.card.fingerprint))
            two.compare_fingerprint(as_words(a.card.fingerprint))
            one.leave()
            two.leave()
            assert (a.lines, b.lines) == ({}, {})
        async with both(homes) as (a, b):  # nobody has to do anything
            [one], [two] = a.pairings.all(), b.pairings.all()
            await opened(one, two)
            assert one.line == two.line
            await in_service(a, b)
        async with both(homes) as (a, b):  # and it is an ordinary line from then on
            assert (a.pairings.all(), b.pairings.all()) == ([], [])
            await in_service(a, b)

    asyncio.run(run())


def test_15_25_what_only_one_side_accepted_is_dropped_and_compared_anew(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S * 2), homes[0].running() as a:
            async with homes[1].running() as b:
                one, two = await compare(a, b)
                one.compare_fingerprint(as_words(b.card.fingerprint))
                former = one.read_aloud
            async with homes[1].running() as b:  # killed before its people accepted: it knows of nothing
                assert b.pairings.all() == []
                two = b.pairings.open(homes[0].card, POLICY)
                await reach(two, State.COMPARING)
                await reach(one, State.CONFIRMING)
                assert one.read_aloud != former
                two.enter_heard(one.read_aloud)
                await opened(one, two)
                assert len(list((homes[0].path / "keys" / "psk").glob("*"))) == 1

    asyncio.run(run())


class FullDisk(Station):
    """A station that cannot keep a new line, as if its disk were full, until `room`."""

    room = False

    def open_line(self, record: LineRecord, psks: dict[int, bytes]) -> LineRunner:
        if not self.room:
            raise Unavailable("the disk is full")
        return super().open_line(record, psks)


def test_15_25_a_line_that_could_not_be_kept_is_finished_by_pairing_again(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S * 2), homes[0].running() as a, homes[1].running(FullDisk) as b:
            one, two = await compare(a, b)
            one.enter_heard(two.read_aloud)
            two.enter_heard(one.read_aloud)
            await opened(one)
            await reach(two, State.REFUSED)
            assert two.refusal is not None
            assert two.refusal.trouble == "the disk is full"
            assert not b.lines
            assert isinstance(b, FullDisk)
            b.room = True
            two = b.pairings.open(homes[0].card, POLICY)
            assert two.state is State.CONFIRMING  # people accepted it already
            await opened(two)
            assert two.line == one.line
            await in_service(a, b)

    asyncio.run(run())


def test_15_25_another_proposal_replaces_what_waited(homes: tuple[Home, Home]) -> None:
    async def run() -> None:
        async with both(homes) as (a, b):
            one, two = await compare(a, b)
            one.compare_fingerprint(as_words(b.card.fingerprint))
            await reach(one, State.CONFIRMING)
            one.leave()
            two.end()
        async with both(homes) as (a, b):
            [waiting] = a.pairings.all()
            waiting.end()
            one, two = await compare(a, b, Policy(title="Another"))
            one.enter_heard(two.read_aloud)
            two.enter_heard(one.read_aloud)
            await opened(one, two)
            assert len(list((homes[0].path / "keys" / "psk").glob("*"))) == 1

    asyncio.run(run())


# --- two processes, over the local API ------------------------------------------------------------------------


@contextlib.contextmanager
def process(home: Home) -> Iterator[tuple["subprocess.Popen[bytes]", Client]]:
    running = subprocess.Popen([sys.executable, "-m", "openline.station", str(home.path)], stderr=subprocess.DEVNULL)
    client = Client(socket_path(home.path))
    try:
        until(lambda: answers(client), deadline_s=DEADLINE_S)
        yield running, client
    finally:
        client.close()
        running.terminate()
        running.wait(DEADLINE_S)


def answers(client: Client) -> bool:
    try:
        return bool(client.get("status"))
    except Unavailable:
        return False


def begin(client: Client, card: str, **more: Any) -> Any:
    return client.post("pairings", {"card": card, "terms": {"title": "Over the API"}, **more})


def follow(client: Client, told: Any, state: str) -> Any:
    """Long polls until that state."""
    while told["state"] != state:
        told = client.get(f"pairings/{told['pairing']}", state=told["state"])
        assert told["state"] == state or told["state"] != "refused", told["reason"]
    return told


def follow_both(a: Client, one: Any, b: Client, two: Any) -> tuple[Any, Any]:
    """Until both compare: of two conversations that cross, one is begun anew with other digits."""
    while True:
        one, two = follow(a, one, "comparing"), follow(b, two, "comparing")
        again = [client.get(f"pairings/{told['pairing']}") for client, told in ((a, one), (b, two))]
        if again == [one, two]:
            return one, two
        one, two = again


def test_two_processes_pair_by_fingerprint_and_by_voice_over_the_api(homes: tuple[Home, Home]) -> None:
    with process(homes[0]) as (_, a), process(homes[1]) as (_, b):
        one, two = begin(a, homes[1].card, label="relay"), begin(b, homes[0].card)
        assert (one["state"], one["peer"]["name"], one["terms"]["title"]) == ("waiting", "BRAVO", "Over the API")
        one, two = follow_both(a, one, b, two)
        with pytest.raises(Malformed):
            a.post(f"pairings/{one['pairing']}/confirm", {"sas": two["sas"], "fingerprint": "x"})
        wrong = two["sas"][:-1] + str((int(two["sas"][-1]) + 1) % 10)
        refused = a.post(f"pairings/{one['pairing']}/confirm", {"sas": wrong})
        assert (refused["state"], refused["code"]) == ("refused", "mismatch")
        assert "between you" in refused["reason"]
        assert follow(b, two, "refused")["state"] == "refused"

        one, two = begin(a, homes[1].card, label="relay"), begin(b, homes[0].card)
        a.post(f"pairings/{one['pairing']}/confirm", {"fingerprint": own_card(homes[1].path).fingerprint.hex()})
        two = follow(b, two, "comparing")
        while one["state"] not in {"comparing", "confirming"}:  # which of the two is first is the wire's doing
            one = a.get(f"pairings/{one['pairing']}", state=one["state"])
            assert one["state"] != "refused", one["reason"]
        b.post(f"pairings/{two['pairing']}/confirm", {"sas": one["sas"]})
        one, two = follow(a, one, "open"), follow(b, two, "open")
        assert one["line"] == two["line"]
        assert one["label"] == "relay"
        until(lambda: a.get("lines/relay")["state"] == "in service", deadline_s=DEADLINE_S)
        assert len(a.get("pairings")["pairings"]) == 2
        with pytest.raises(Unknown):
            a.get("pairings/none")
        with pytest.raises(Refused, match="our own card"):
            begin(a, homes[0].card)


def test_a_station_killed_after_its_people_accepted_goes_on_where_it_was(homes: tuple[Home, Home]) -> None:
    with process(homes[0]) as (_, a):
        with process(homes[1]) as (killed, b):
            one, two = begin(a, homes[1].card), begin(b, homes[0].card)
            one, two = follow_both(a, one, b, two)
            heard = two["sas"]
            b.post(f"pairings/{two['pairing']}/confirm", {"sas": one["sas"]})
            killed.send_signal(signal.SIGKILL)
            killed.wait(DEADLINE_S)
        with contextlib.suppress(Conflict):  # it may have seen the cut already, and then a new code comes
            a.post(f"pairings/{one['pairing']}/confirm", {"sas": heard})
        with process(homes[1]) as (_, b):
            [two] = b.get("pairings")["pairings"]

            def finished() -> bool:
                views = [client.get(f"pairings/{told['pairing']}") for client, told in ((a, one), (b, two))]
                for client, told, home in ((a, views[0], homes[1]), (b, views[1], homes[0])):
                    if told["state"] == "comparing":
                        body = {"fingerprint": own_card(home.path).fingerprint.hex()}
                        with contextlib.suppress(Conflict):
                            client.post(f"pairings/{told['pairing']}/confirm", body)
                return all(told["state"] == "open" for told in views) and views[0]["line"] == views[1]["line"]

            until(finished, deadline_s=DEADLINE_S)
            until(lambda: a.get("lines/BRAVO")["state"] == "in service", deadline_s=DEADLINE_S)
