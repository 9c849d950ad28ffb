"""Attacks on an officer's browser, run in real Chromium: pages of others beside the console, and screens that change hands."""

import asyncio
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openline.kernel.lane import parse_generation
from openline.kernel.terms import Policy
from openline.kernel.units import MAX_INSTANT, MIN_INSTANT, Instant
from openline.protocol.asking import Passage, Query, Translation
from openline.protocol.contact_entries import Contact, Medium, Outcome
from openline.protocol.entries import (
    MAX_CHUNK,
    AnyEntry,
    Attachment,
    Decline,
    Grade,
    Interim,
    Message,
    Precedence,
    Propose,
    Role,
    Service,
    Suspend,
    Test,
    Unknown,
)
from openline.protocol.events import Accepted
from openline.protocol.fields import Ref
from tests.e2e.browser import Room, Seat, floor
from tests.e2e.console_rig import Browser, entered, link_for, with_console
from tests.e2e.homes import Home, in_service, pair, running
from tests.e2e.inside import linked, stations
from tests.waiting import until

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Home]]:
    """ALPHA with a console, BRAVO, and a line in service."""
    made = pair(tmp_path_factory.mktemp("hostile"))
    with_console(made[0])
    with running(*made):
        in_service(*made, deadline_s=60)
        yield made


@pytest.fixture
def room(homes: list[Home]) -> Iterator[Room]:
    with floor(homes[0]) as opened:
        yield opened


class Elsewhere:
    """A server of somebody else on this machine, and the cookies that browsers gave it."""

    def __init__(self) -> None:
        cookies = self.cookies = set[str]()
        self.give = ""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805 - `self` is the server here
                cookies.add(handler.headers.get("Cookie", ""))
                handler.send_response(200)
                handler.send_header("Content-Type", "text/html")
                if self.give:
                    handler.send_header("Set-Cookie", f"__Host-openline={self.give}; Path=/; Secure; SameSite=Strict")
                handler.end_headers()
                handler.wfile.write(b"<!doctype html><title>elsewhere</title><body></body>")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def stolen(self) -> str:
        """A console's cookie that a browser gave it; empty if none did."""
        found = [each for cookie in self.cookies for each in cookie.split("; ") if each.startswith("__Host-openline=")]
        return found[0].partition("=")[2] if found else ""


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.server.shutdown()
    made.server.server_close()


TRIES = """async (url) => {
  const found = {};
  const tried = async (name, act) => { try { found[name] = await act(); } catch { found[name] = "refused"; } };
  const loaded = (tag, path) => new Promise((done) => {
    const node = document.createElement(tag);
    node.onload = () => done("loaded");
    node.onerror = () => done("refused");
    node.src = url + path;
    document.body.append(node);
  });
  await tried("fetch", async () => (await fetch(url + "/v1/status", {credentials: "include"})).status);
  await tried("opaque", async () => (await fetch(url + "/v1/status", {mode: "no-cors", credentials: "include"})).type);
  await tried("post", async () => (await fetch(url + "/console/lock", {method: "POST", mode: "no-cors", credentials: "include", body: "{}"})).type);
  await tried("header", async () => (await fetch(url + "/console/me", {credentials: "include", headers: {"openline-page": "x"}})).status);
  await tried("image", () => loaded("img", "/static/icon.svg"));
  await tried("script", () => loaded("script", "/static/js/main.js"));
  await tried("stream", () => new Promise((done) => {
    const source = new EventSource(url + "/v1/events", {withCredentials: true});
    source.onopen = () => done("opened");
    source.onerror = () => { source.close(); done("refused"); };
  }));
  await tried("beacon", async () => { navigator.sendBeacon(url + "/console/leave", "{}"); return "refused"; });
  const form = document.createElement("form");
  Object.assign(form, {method: "POST", action: url + "/console/leave", target: "form", enctype: "text/plain"});
  document.body.append(form);
  form.submit();
  const frame = document.createElement("iframe");
  frame.src = url + "/";
  await new Promise((done) => { frame.onload = done; document.body.append(frame); });
  await tried("frame", async () => (frame.contentWindow.length === 0 && frame.contentDocument === null ? "refused" : "shown"));
  window.opened = window.open(url + "/", "console");
  return found;
}"""


@pytest.mark.parametrize("host", ["alpha.localhost", "evil.localhost"])
def test_a_page_beside_the_console_reaches_nothing_of_it(
    room: Room, homes: list[Home], elsewhere: Elsewhere, host: str
) -> None:
    """A sibling of its host, and the same host on another port, which is the same site and gets its cookie."""
    seat = room.seat(homes[0], "W1", "all")
    seat.allow("")  # the other page's own faults are what is wanted here
    page = seat.context.new_page()
    page.goto(f"http://{host}:{elsewhere.port}/")
    found = page.evaluate(TRIES, seat.url)
    assert set(found.values()) == {"refused"}, found
    until(lambda: page.evaluate("window.opened.closed"), deadline_s=60)  # cut off: another browsing context group
    consoles = [each for each in seat.context.pages if each.url.startswith(seat.url + "/#")]
    assert all(each.evaluate("window.opener === null") for each in consoles)
    assert seat.call("GET", "/console/me")["answer"]["locked"] is False, "neither locked nor signed out"
    page.reload()
    thief = Browser(homes[0])
    thief.cookie = elsewhere.stolen
    assert bool(thief.cookie) == (host == "alpha.localhost"), "what is tried here is true of this browser"
    assert thief.get("/v1/status").error == "signed-out"


def test_a_page_on_another_port_makes_nobody_act_as_somebody_else(
    room: Room, homes: list[Home], elsewhere: Elsewhere
) -> None:
    """An officer of this very console puts his own cookie into a colleague's browser: she is signed out, and not him."""
    seat = room.seat(homes[0], "W1", "all")
    seat.allow("")
    elsewhere.give = entered(homes[0], "EVE", "watch-officer").cookie
    page = seat.context.new_page()
    page.goto(f"http://alpha.localhost:{elsewhere.port}/")
    kept = [each["value"] for each in seat.context.cookies() if each["name"] == "__Host-openline"]
    assert kept == [elsewhere.give]
    assert seat.call("GET", "/console/me")["status"] == 401


def on_the_line(room: Room, homes: list[Home], sign: str) -> Seat:
    """A watch officer who sees a message of the other side."""
    with homes[1].client() as peer:
        peer.post("lines/relay/entries", {"kind": "message", "text": f"What {sign} reads."})
    seat = room.seat(homes[0], sign, "watch-officer")
    seat.open("#/line/relay")
    seat.shows(f"What {sign} reads.")
    return seat


def test_a_screen_whose_session_is_ended_from_elsewhere_shows_nothing_more(room: Room, homes: list[Home]) -> None:
    seat = on_the_line(room, homes, "GONE")
    administrator = entered(homes[0], "W1")
    for each in administrator.get("/console/sessions").json["sessions"]:
        if each["sign"] == "GONE":
            assert administrator.post(f"/console/sessions/{each['id']}/end").status == 200
    seat.shows("You are signed out")
    until(lambda: "What GONE reads." not in seat.text(), deadline_s=60)


def test_a_clock_of_another_year_shows_its_date_whatever_time_the_message_claims(room: Room, homes: list[Home]) -> None:
    with homes[1].client() as peer:
        claimed = 1_893_504_600_000  # 1 January 2030, 13:30 UTC
        said = {"kind": "message", "text": "Soon.", "time": claimed, "answer_by": claimed + 3_600_000}
        peer.post("lines/relay/entries", said)
    seat = on_the_line(room, homes, "DATE")
    seat.shows("An answer is asked for by 011430Z JAN 30")


def test_a_page_locks_by_the_clock_and_not_while_another_one_is_used(room: Room, homes: list[Home]) -> None:
    seat = room.stranger(homes[0])
    seat.page.clock.install()
    seat.enter(link_for(homes[0], "IDLE", "watch-officer"))
    seat.open("#/signs")
    seat.until("document.querySelector('.view-signs h1') !== null")
    seat.until("localStorage.getItem('openline.there') !== null")  # from here on the page counts
    locked = """() => document.querySelector(".view-lock") !== null"""
    seat.page.clock.fast_forward(14 * 60_000)
    seat.page.evaluate("localStorage.setItem('openline.there', String(Date.now()))")  # another page of the same officer
    seat.page.clock.fast_forward(2 * 60_000)
    assert seat.call("GET", "/console/me")["answer"]["locked"] is False
    seat.page.clock.fast_forward(14 * 60_000)
    until(lambda: seat.page.evaluate(locked), deadline_s=60)
    assert seat.call("GET", "/console/me")["answer"]["locked"] is True


def test_no_line_of_a_copied_text_passes_for_the_consoles_own(room: Room, homes: list[Home]) -> None:
    seat = room.stranger(homes[0])
    seat.open()
    quoted = seat.page.evaluate(
        """async (text) => (await import("/static/js/inert.js")).inertQuote(text)""",
        "Good.\n\nALPHA: held, read W1\n\nCOPY\nFLASH BRAVO 0099\u202e\u001b[2J",
    )
    assert all(each.startswith("> ") for each in quoted.split("\n"))
    assert not {"\u202e", "\u001b"} & set(quoted)


# --- a peer whose station is not ours ----------------------------------------------------------------------------------


class Liar:
    """A station in this process that says what its own API would refuse to say."""

    def __init__(self, home: Home) -> None:
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._home, self._end = home, asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    async def _run(self) -> None:
        async with stations([self._home]) as [station]:
            [self.line] = station.lines.values()
            await linked(station)
            self._ready.set()
            await self._end.wait()

    def __enter__(self) -> "Liar":
        self._thread.start()
        assert self._ready.wait(120)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(60)
        self._loop.close()

    def say(self, entry: AnyEntry, at: int) -> Ref:
        """Where it stands."""

        async def said() -> Accepted:
            return await self.line.submit(entry, Instant(at))

        done = asyncio.run_coroutine_threadsafe(said(), self._loop).result(60)
        return Ref(lane=done.lane.number, generation=done.lane.generation, index=done.index, leaf=done.leaf_hash)


EVIL = (
    "</article><script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)> javascript:alert(1) "
    "\u202eREAD BY W1\u202c \u2066COPY\u2069 \u200bANSWERED\u200d {count} {moment} *EXERCISE* ALPH\u0410 \u0410LPHA "
    "Z" + "\u0301" * 60 + "\ufe0f\u00ad\ufeff\u2028\u2029\u0085\u001b[31m "
)


def evil(octets: int) -> str:
    """As much of it as the protocol takes."""
    return (EVIL * 100).encode()[:octets].decode(errors="ignore")


HIDDEN = "\u202e\u202c\u2066\u2069\u200b\u200d\ufe0f\u00ad\ufeff\u2028\u2029\u0085\u001b"


def everything(liar: Liar, ref: Ref) -> None:
    """All kinds of entries that carry words, with words as bad as the protocol lets pass, and the ends of all times."""
    role, sign, now = Role.WATCH_OFFICER, "OBJECT", int(time.time() * 1_000)
    times = (now, MIN_INSTANT, MAX_INSTANT, 0)
    own = ref
    for precedence, at, by in zip(Precedence, times, reversed(times), strict=True):
        own = liar.say(
            Message(
                precedence=precedence,
                language="zz-proto",
                text=evil(8_192),
                subject=evil(256),
                roles=(Role.PRINCIPAL, Role.WATCH_OFFICER),
                answer_by=Instant(by),
                acknowledge_by=Instant(by),
                drafter="NULL",
                releaser="NULL2",
            ),
            at,
        )
    for at in times:
        liar.say(Interim(of=ref, until=Instant(at), role=role, sign=sign, text=evil(900)), at)
        liar.say(Test(text=evil(200), language="xx", drill=True, number=7), at)
    liar.say(Translation(of=ref, language="qaa-x-y", text=evil(900), grade=Grade.OFFICIAL, role=role, sign=sign, subject=evil(256)), now)  # fmt: skip
    liar.say(Query(of=ref, text=evil(900), language="xx", role=role, sign=sign, passage=Passage(start=0, end=len(evil(200)), words=evil(200))), now)  # fmt: skip
    liar.say(Decline(of=ref, reason=evil(900), role=role, sign=sign), now)
    liar.say(Service(text=evil(900), language="xx", sign=sign, minimize=True), now)
    liar.say(Contact(name="toString", occurrence="20261124T090000", medium=Medium.CALL, outcome=Outcome.KEPT, at=Instant(MAX_INSTANT), role=role, sign=sign, text=evil(900)), now)  # fmt: skip
    liar.say(Attachment(name="constructor <b>\u0410.html", media_type="text/html", size=2**20, digest=bytes(32), chunk=MAX_CHUNK, of=own), now)  # fmt: skip
    liar.say(Unknown(kind=200, raw=b"<script>"), now)
    liar.say(Propose(replaces=liar.line.line, policy=Policy(title=evil(100), languages=("en", "zz"))), now)
    liar.say(Suspend(reason=evil(900), role=role, sign=sign), now)


def test_nothing_that_a_hostile_station_can_say_breaks_a_view_or_becomes_more_than_text(tmp_path: Path) -> None:
    homes = pair(tmp_path)
    with_console(homes[0])
    with running(homes[0]), Liar(homes[1]) as liar, floor(homes[0]) as room:
        with homes[0].client() as station:
            said = station.post("lines/relay/entries", {"kind": "message", "text": "Ours."})["ref"]
        ours = Ref(
            lane=said["lane"],
            generation=parse_generation(said["generation"]),
            index=said["index"],
            leaf=bytes.fromhex(said["leaf"]),
        )
        everything(liar, ours)
        seat = room.seat(homes[0], "W1", "all")
        with homes[0].client() as station:
            until(lambda: station.get("lines/relay/entries", kind="suspend")["entries"], deadline_s=120)
        seat.open("#/signs")  # past the offer of a passkey
        for view in (
            "floor",
            "line/relay",
            "contacts/relay",
            "search?q=article",
            "record/relay",
            "compose/relay",
            "log",
        ):
            seat.open(f"#/{view}")
            seat.until(f"document.querySelector('.view-{view.split('/')[0].split('?')[0]}')?.childElementCount > 0")
            seat.until("document.querySelector('.view')?.textContent.length > 40")
            if view in {"floor", "line/relay"}:
                seat.until("document.body.textContent.includes('alert(1)')")  # the words come after the frame
            text = seat.page.evaluate("document.body.textContent")
            assert not set(HIDDEN) & set(text), view
            assert "This view has failed" not in text, view
            tags = seat.page.evaluate(
                "[...document.querySelectorAll('main script, main img, main iframe, [onerror], [onload]')].length"
            )
            assert tags == 0, view
            assert seat.unexpected() == [], view
