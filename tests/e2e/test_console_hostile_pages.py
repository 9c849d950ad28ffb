"""Attacks on an officer's browser, run in real Chromium: pages of others beside the console, and screens that change hands."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.e2e.browser import Room, Seat, floor
from tests.e2e.console_rig import Browser, entered, link_for, with_console
from tests.e2e.homes import Home, in_service, pair, running
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
