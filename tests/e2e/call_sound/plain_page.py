"""Two pages that call each other with nothing of ours between them: what the rig itself is tried on."""

import contextlib
import http.server
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.e2e.browser import CHROMIUM, FLAGS
from tests.waiting import until

_OPEN = """
async ([ice, relayOnly]) => {
    window.peer = new RTCPeerConnection({iceServers: ice, iceTransportPolicy: relayOnly ? "relay" : "all"});
    const stream = await navigator.mediaDevices.getUserMedia({audio: true});
    peer.addTrack(stream.getAudioTracks()[0], stream);
    peer.addEventListener("track", (event) => {
        const element = document.createElement("audio");
        element.autoplay = true;
        element.dataset.seat = "other";
        element.srcObject = event.streams[0] ?? new MediaStream([event.track]);
        document.body.append(element);
    });
}
"""
_DESCRIBE = """
async (restart) => {
    if (restart) peer.restartIce();
    const all = new Promise((done) => peer.addEventListener("icecandidate", (event) => event.candidate ?? done()));
    await peer.setLocalDescription();
    await all;
    return peer.localDescription.toJSON();
}
"""


class PlainSeat:
    """What ears.py needs of a seat, with a page of nobody's."""

    def __init__(self, page: Page) -> None:
        self.page: Page = page
        self.context: BrowserContext = page.context

    def until(self, condition: str) -> Any:
        """Wait for a JavaScript expression; its value."""
        return until(lambda: self.page.evaluate(condition), deadline_s=60)


class _Empty(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>plain</title><body>")

    def log_message(self, *_: Any) -> None:
        """No log."""


@contextlib.contextmanager
def plain_pages(flags: Sequence[Sequence[str]]) -> Iterator[list[PlainSeat]]:
    """A page in each of so many Chromiums, each started with those flags; `load` opens them."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as play:
            browsers = [play.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *more]) for more in flags]
            try:
                here = f"http://127.0.0.1:{server.server_port}"
                yield [PlainSeat(each.new_context(base_url=here).new_page()) for each in browsers]
            finally:
                for each in browsers:
                    each.close()
                server.shutdown()


def load(seat: PlainSeat, ice: Sequence[dict[str, Any]] = (), *, relay_only: bool = False) -> None:
    """Open the page, and in it a peer connection with the microphone on it."""
    seat.page.goto("/")
    seat.page.evaluate(_OPEN, [list(ice), relay_only])


def describe(seat: PlainSeat, *, restart: bool = False) -> dict[str, str]:
    """Its offer, or its answer; with all candidates."""
    made: dict[str, str] = seat.page.evaluate(_DESCRIBE, restart)
    return made


def take(seat: PlainSeat, description: dict[str, str]) -> None:
    """Hand it the other's."""
    seat.page.evaluate("(given) => peer.setRemoteDescription(given)", description)


def join(first: PlainSeat, second: PlainSeat, *, restart: bool = False) -> None:
    """A call between them, or a new path for it."""
    take(second, describe(first, restart=restart))
    take(first, describe(second))
    for seat in (first, second):
        seat.until("peer.connectionState === 'connected'")
