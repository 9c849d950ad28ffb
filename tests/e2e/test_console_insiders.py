"""Attacks from within: officers and pages that do what only another may, keep what was taken from them, or hold what all need."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from openline.console.app import Application
from openline.console.desk import real_ms
from openline.console.listening import MAX_CONNECTIONS
from openline.console.officers import MAX_PASSKEYS, Officer, Officers
from openline.console.sessions import Sessions
from openline.kernel.errors import Conflict, Unavailable
from openline.station.api import ACTOR, Api
from openline.station.api_streams import PAGE
from openline.station.console import SESSION
from openline.station.handover import TAKEN, AcceptRequest, accept, last, withdraw
from openline.station.people import Actor
from openline.station.runtime import Station
from openline.station.server import UID
from tests.e2e.console_rig import Browser, console_home, entered
from tests.e2e.homes import Home, running
from tests.e2e.inside import Answer, eventually
from tests.e2e.test_compose import ONE, TWO, Ask, scene
from tests.e2e.test_receipts import flash, place, shown
from tests.e2e.test_receipts import scene as both_floors
from tests.waiting import until

KEEPER = Actor(uid=-6, signs=("T1",), roles=frozenset({"technician"}))
THREE = Actor(uid=-5, signs=("K3",), roles=frozenset({"watch-officer"}))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A running station with a console."""
    made = console_home(tmp_path_factory.mktemp("console"))
    with running(made):
        yield made


# --- what only another may ---------------------------------------------------------------------------------------


def test_6_105_presented_is_not_smuggled_past_an_unattended_floor_among_others(tmp_path: Path) -> None:
    async def play(ask: Ask, other: Ask, _bravo: Station) -> None:
        ref = await flash(ask)
        await shown(other, ref)
        receipt = {"kind": "receipt", "of": place(ref), "step": "presented"}
        batch = {"entries": [{"kind": "service", "text": "radio check"}, receipt]}
        assert (await other("POST", "lines/relay/entries:batch", batch)).status == 400
        assert not (await shown(other, ref))["remarks"]

    both_floors(tmp_path, play)


def test_of_two_who_take_the_watch_at_once_one_has_it_and_the_other_is_told(tmp_path: Path) -> None:
    async def play(station: Station, ask: Ask) -> None:
        assert (await ask("POST", "watch/offer", {})).status == 201
        asked = AcceptRequest(clocks=[])
        both = await asyncio.gather(*(accept(station, by, asked) for by in (TWO, THREE)), return_exceptions=True)
        assert [type(each) for each in both][1:] == [Conflict]
        log = (await ask("GET", "log")).json["entries"]
        assert [(row["act"], row["sign"]) for row in log] == [("watch-taken", "K2"), ("watch-offered", "K1")]
        assert (await ask("GET", "watch")).json["handover"]["taken_by"] == "K2"

    scene(tmp_path, play)


def test_who_offered_the_watch_does_not_keep_it_while_it_is_taken(tmp_path: Path) -> None:
    async def play(station: Station, ask: Ask) -> None:
        assert (await ask("POST", "watch/offer", {})).status == 201
        taking = asyncio.create_task(accept(station, TWO, AcceptRequest(clocks=[])))
        await asyncio.sleep(0)  # it stands in the log, and the lines are about to hear of it
        with pytest.raises(Conflict):
            withdraw(station, ONE)
        assert (await taking).lines == ["relay"]
        kept = last(station)
        assert kept is not None
        assert (kept.state, kept.by) == (TAKEN, "K2")

    scene(tmp_path, play)


# --- what was taken away -----------------------------------------------------------------------------------------


async def until_it_is_told(station: Station, path: str, query: bytes, stop: bytes) -> tuple[int, bytes]:
    """Call as an officer whose session ends as soon as the answer has `stop` in it (empty: at once); status and what came."""
    told, status, gone = b"", 0, asyncio.Event()
    given = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if given:
            return given.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal told, status
        status = message.get("status", status)
        told += message.get("body", b"")
        if stop in told:
            gone.set()

    if not stop:
        gone.set()
    headers: list[tuple[bytes, bytes]] = []
    scope = {
        "type": "http", "method": "GET", "path": "/v1/" + path, "root_path": "", "query_string": query,
        "headers": headers, "state": {UID: 0, ACTOR: ONE},
    }  # fmt: skip
    async with asyncio.timeout(60):
        await Api(station)(scope, receive, send)
    return status, told


def test_whoever_is_signed_out_hears_no_more_of_the_past(tmp_path: Path) -> None:
    """A long past, asked for and taken slowly, is no way to read on: what comes meanwhile is past by then too."""

    async def play(station: Station, ask: Ask) -> None:
        said = [{"kind": "service", "text": f"check {number}"} for number in range(4 * PAGE)]
        for half in (said[: 2 * PAGE], said[2 * PAGE :]):
            assert (await ask("POST", "lines/relay/entries:batch", {"entries": half})).status == 201
        for path in ("events", "lines/relay/events"):
            status, told = await until_it_is_told(
                station, path, b"after=" + (b"0" if "relay" in path else b""), b"id: "
            )
            assert status == 200
            assert 0 < told.count(b"\nid: ") <= 2 * PAGE, "the page that was under way, and no other"

    scene(tmp_path, play)


def test_a_session_that_ends_while_a_locked_page_still_speaks_does_nothing_more(home: Home) -> None:
    officer = entered(home, "TRICKLE", "watch-officer")
    assert officer.post("/console/lock").status == 200
    body = json.dumps({"console": "0" * 32}).encode()
    head = [
        "POST /v1/lines/relay/calls/0/0/0/hang-up HTTP/1.1", f"Host: {officer.host}:{officer.port}",
        f"Origin: {officer.url}", "Sec-Fetch-Site: same-origin", f"Cookie: __Host-openline={officer.cookie}",
        f"Openline-Page: {officer.page}", f"Content-Length: {len(body)}", "Connection: close", "", "",
    ]  # fmt: skip
    with officer.connect() as connection:
        connection.sendall("\r\n".join(head).encode() + body[:1])
        assert officer.post("/console/leave").status == 200
        connection.sendall(body[1:])
        got = b"".join(iter(partial(connection.recv, 65_536), b""))
    assert b" 503 " in got.partition(b"\r\n")[0], "and it is not asked whether there is such a line"


class Refusing:
    """The console's rows of a station, on a disk that takes nothing away, or keeps nothing, while it refuses."""

    def __init__(self, rows: Any) -> None:
        self._rows, self.refuses, self.keeps = rows, True, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def drop(self, kind: str, name: bytes) -> None:
        if self.refuses:
            raise Unavailable("the disk refuses")
        self._rows.drop(kind, name)

    def put(self, kind: str, name: bytes, content: bytes) -> None:
        if not self.keeps:
            raise Unavailable("the disk refuses")
        self._rows.put(kind, name, content)


def refusing(station: Station) -> tuple[Refusing, Officer, Callable[[], Sessions]]:
    """Its rows on such a disk, an officer, and what reads the sessions anew, as a start does."""
    rows = Refusing(station.store.console)
    floor: Any = SimpleNamespace(store=SimpleNamespace(console=rows), entropy=station.entropy)
    officers = Officers(floor)
    return rows, officers.add("W1", ["watch-officer"], 0), lambda: Sessions(floor, officers, real_ms, 900_000)


def test_who_is_signed_out_while_the_disk_refuses_is_not_signed_in_by_the_next_start(tmp_path: Path) -> None:
    async def play(station: Station, _ask: Ask) -> None:
        rows, officer, started = refusing(station)
        sessions = started()
        session, token, page = sessions.begin(officer, "")
        with pytest.raises(Unavailable):
            sessions.end(session)
        assert sessions.of_token(token, page) is None
        assert rows.all(SESSION)
        rows.refuses = False
        running = asyncio.create_task(sessions.run())
        await eventually(partial(nothing_of, rows))
        running.cancel()
        assert not list(started())

    scene(tmp_path, play)


def test_what_is_locked_while_the_disk_refuses_is_locked_after_the_next_start(tmp_path: Path) -> None:
    async def play(station: Station, _ask: Ask) -> None:
        rows, officer, started = refusing(station)
        sessions = started()
        session, _, _ = sessions.begin(officer, "")
        rows.keeps = False
        with pytest.raises(Unavailable):
            sessions.lock(session)
        with pytest.raises(Unavailable):
            sessions.begin(officer, "")  # of which nothing is to be kept
        assert [each.locked for each in started()] == [False]
        running = asyncio.create_task(sessions.run())
        rows.keeps = True

        async def kept() -> bool | None:
            return [each.locked for each in started()] == [True] or None

        await eventually(kept)
        running.cancel()

    scene(tmp_path, play)


async def nothing_of(rows: Refusing) -> bool | None:
    return None if rows.all(SESSION) else True


def test_whoever_has_left_keeps_no_place_among_those_who_wait(tmp_path: Path) -> None:
    async def play(station: Station, ask: Ask) -> None:
        ref = await flash(ask)
        query = f"lane={ref['lane']}&index={ref['index']}&for=answered&timeout_ms=3600000"
        status, _ = await until_it_is_told(station, "lines/relay/wait", query.encode(), b"")
        assert status == 503

    scene(tmp_path, play)


def test_a_calendar_address_ends_with_the_rights_of_whoever_made_it(home: Home) -> None:
    administrator, officer = entered(home, "W1"), entered(home, "CAL", "interpreter")
    path = officer.post("/v1/calendars", {"note": "mine"}).json["path"]
    stranger = Browser(home)
    assert stranger.get(path).status == 200
    for away, back in (({"disabled": True}, {"disabled": False}), ({"roles": ["auditor"]}, {"roles": ["principal"]})):
        assert administrator.post("/console/people/CAL", away).status == 200
        assert stranger.get(path).error == "unknown"
        assert administrator.post("/console/people/CAL", back).status == 200
        assert stranger.get(path).status == 200


def test_what_the_other_side_sends_keeps_no_session_open(home: Home) -> None:
    officer = entered(home, "AWAY", "watch-officer")

    def seen() -> int:
        (mine,) = [each["seen"] for each in officer.get("/console/sessions").json["sessions"] if each["this"]]
        return int(mine)

    before = seen()
    assert officer.post("/v1/lines/relay/presented", {"refs": [{"lane": 0, "index": 0}]}).error == "unknown"
    assert seen() == before, "a page says that by itself, at any message that comes"
    until(lambda: officer.put("/console/me", {}).status == 200 and seen() > before)


# --- what all need -----------------------------------------------------------------------------------------------


def said_on(connection: ssl.SSLSocket, officer: Browser, method: str, path: str) -> int:
    """Call on a connection that is kept; the status."""
    head = [
        f"{method} {path} HTTP/1.1", f"Host: {officer.host}:{officer.port}", "Sec-Fetch-Site: same-origin",
        f"Origin: {officer.url}", "Content-Length: 0", f"Cookie: __Host-openline={officer.cookie}",
        f"Openline-Page: {officer.page}", "", "",
    ]  # fmt: skip
    connection.sendall("\r\n".join(head).encode())
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65_536)
        assert more, "the connection was cut"
        got += more
    head_of, _, body = got.partition(b"\r\n\r\n")
    (size,) = [
        int(line.partition(b":")[2]) for line in head_of.split(b"\r\n") if line.lower().startswith(b"content-length")
    ]
    while len(body) < size:
        body += connection.recv(65_536)
    return int(head_of.split(b" ")[1])


def test_connections_of_a_session_that_has_ended_make_room(home: Home) -> None:
    officer = entered(home, "HOLDER", "watch-officer")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(officer.connect()) for _ in range(1)]
        assert said_on(held[0], officer, "GET", "/console/me") == 200
        while len(held) < MAX_CONNECTIONS:
            held.append(stack.enter_context(officer.connect()))
            assert said_on(held[-1], officer, "GET", "/console/me") == 200
        with pytest.raises(OSError):  # cut in one of several ways
            officer.connect().close()
        assert said_on(held[0], officer, "POST", "/console/leave") == 200
        assert said_on(held[1], officer, "GET", "/console/me") == 401
        assert entered(home, "NEXT", "watch-officer").get("/console/me").json["sign"] == "NEXT"


def test_an_officer_has_no_more_passkeys_than_are_allowed_however_many_were_begun(home: Home) -> None:
    officer = entered(home, "MANY", "auditor")
    begun = [officer.post("/console/passkey/register/begin").json for _ in range(MAX_PASSKEYS + 1)]
    kept = [
        officer.post("/console/passkey/register/finish", {"credential": new_passkey(each, officer.url)})
        for each in begun
    ]
    assert [each.status for each in kept[:-1]] == [200] * MAX_PASSKEYS
    assert kept[-1].error == "conflict"
    assert len(officer.get("/console/passkeys").json["passkeys"]) == MAX_PASSKEYS


def new_passkey(begun: dict[str, Any], origin: str) -> dict[str, Any]:
    """What a browser answers whose authenticator says nothing of itself (WebAuthn 3, 8.7)."""
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    key = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
    name = hashlib.sha256(key).digest()
    said = hashlib.sha256(begun["rp"]["id"].encode()).digest() + b"\x45" + bytes(4 + 16)
    said += len(name).to_bytes(2, "big") + name + key
    client = {"type": "webauthn.create", "challenge": begun["challenge"], "origin": origin, "crossOrigin": False}
    response = {
        "clientDataJSON": coded(json.dumps(client).encode()),
        "attestationObject": coded(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": said})),
    }
    return {"id": coded(name), "rawId": coded(name), "type": "public-key", "response": response}


def coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_many_backups_at_once_keep_nobody_from_looking_up_a_name(tmp_path: Path) -> None:
    """Names are looked up, and signs of life written, in the threads of the loop: of those there are a few."""
    many = min(64, 2 * ((os.cpu_count() or 1) + 4))

    async def play(_station: Station, ask: Ask) -> None:
        body = {"path": "", "passphrase": "long enough for this"}
        asked: list[asyncio.Future[Answer]] = [
            asyncio.ensure_future(ask("POST", "backup", body | {"path": f"number-{number}"}, by=KEEPER))
            for number in range(many)
        ]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(int)
        assert sum(each.done() for each in asked) < many // 2
        assert {each.status for each in await asyncio.gather(*asked)} == {200}
        assert done

    scene(tmp_path, play)


def test_a_disk_that_refuses_is_an_answer_of_the_console_too() -> None:
    async def refuses(_scope: Any, _receive: Any, _send: Any) -> None:
        raise Unavailable("the disk refuses")

    async def whole() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        app = Application({}, {"calendar": refuses})
        app.named("alpha.localhost", 443)
        scope = {"path": "/calendar/x.ics", "method": "GET", "headers": [(b"host", b"alpha.localhost")]}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        await app(scope, receive, send)
        return sent

    head, body = asyncio.run(whole())
    assert head["status"] == 503
    assert b"content-security-policy" in dict(head["headers"])
    assert json.loads(body["body"])["error"] == "unavailable"


def test_a_look_for_what_is_not_there_lets_everybody_else_have_a_turn(tmp_path: Path) -> None:
    async def play(_station: Station, ask: Ask) -> None:
        said = [{"kind": "service", "text": "check"}] * 1_000
        assert (await ask("POST", "lines/relay/entries:batch", {"entries": said})).status == 201
        for query in ({"after": 0}, {"before": 10**9}):
            looking = asyncio.ensure_future(ask("GET", "lines/relay/entries", kind="message", limit=1, **query))
            turns = 0
            while not looking.done():
                await asyncio.sleep(0)
                turns += 1
            assert (await looking).json["entries"] == []
            assert turns >= 1_000 // 200

    scene(tmp_path, play)
