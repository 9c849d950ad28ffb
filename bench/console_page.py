"""A console's page, measured from inside: when something stood on the screen, on the clock that all processes share; and its memory.

The page's own clock (performance.now) is laid beside CLOCK_MONOTONIC by asking
it many times and keeping the quickest answer: `Clock.error_ms` is half of that
answer's way there and back, and no moment is wrong by more.

A thing counts as on the screen at the second animation frame after the page
holds it: the first is where it is drawn, the second begins once that frame was
handed to the screen.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from tests.e2e.browser import DEADLINE_S, Seat
from tests.waiting import until

_LOOKS = 25
_NUMBERS = """(selector) => {
    const seen = window.benchSeen = {};
    const look = () => {
        for (const root of document.querySelectorAll(selector)) {
            for (const [, number] of root.textContent.matchAll(/No (\\d+)\\./g)) {
                if (number in seen) continue;
                seen[number] = 0;
                requestAnimationFrame(() => requestAnimationFrame(() => { seen[number] = performance.now(); }));
            }
        }
    };
    new MutationObserver(look).observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
    look();
}"""
_FRAMES = """async (times) => {
    const took = [];
    for (let at = 0; at < times; at += 1) {
        const began = performance.now();
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        took.push(performance.now() - began);
        await new Promise((done) => setTimeout(done, 7 * (at % 5)));
    }
    return took;
}"""
FIRST_ROWS = """
window.benchRows = 0;
const benchLook = new MutationObserver(() => {
    if (!document.querySelector(".transcript .message")) return;
    benchLook.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => { window.benchRows = performance.now(); }));
});
benchLook.observe(document, {subtree: true, childList: true});
"""
"""Before a page loads: notes when the first messages of a transcript stood on the screen, in ms since the page was asked for."""


def numbered(number: int) -> str:
    """A text of 100 characters that the page's watcher finds again."""
    return (
        f"No {number}. ".ljust(10)
        + "All quiet on the bridge; both convoys have passed; the next word from us comes at 21:30 sharp."[:90]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What to add to the page's clock, in ns, for CLOCK_MONOTONIC; and by how much it may be wrong."""

    offset_ns: int
    error_ms: float

    def moment(self, page_ms: float) -> int:
        """Monotonic ns of a moment of the page."""
        return self.offset_ns + int(page_ms * 1e6)


def clock_of(seat: Seat) -> Clock:
    """The page's clock beside ours."""
    looks = []
    for _ in range(_LOOKS):
        before = time.monotonic_ns()
        page_ms = seat.page.evaluate("performance.now()")
        after = time.monotonic_ns()
        looks.append((after - before, (before + after) // 2 - int(page_ms * 1e6)))
    quickest, offset = min(looks)
    return Clock(offset_ns=offset, error_ms=round(quickest / 2e6, 3))


def watch_numbers(seat: Seat, selector: str) -> None:
    """Note from now on when each `numbered` text stood on the screen below that selector."""
    seat.page.evaluate(_NUMBERS, selector)


def number_seen(seat: Seat, number: int) -> float:
    """Wait for it; when it stood there, in ms of the page's clock."""
    found: float = seat.until(f"window.benchSeen[{json.dumps(str(number))}] || 0")
    return found


def frames(seat: Seat, times: int) -> list[int]:
    """How long this browser takes from any moment to its second frame, with nothing to draw; ns."""
    return [int(each * 1e6) for each in seat.page.evaluate(_FRAMES, times)]


def first_rows(seat: Seat, fragment: str) -> dict[str, float]:
    """Load the whole page anew at a view of a line: first paint of anything, and of messages; ms since it was asked for."""
    seat.page.goto("about:blank")
    seat.open(fragment)
    rows = seat.until("window.benchRows || 0", DEADLINE_S)
    first = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
    paint = until(lambda: seat.page.evaluate(first), deadline_s=DEADLINE_S)
    return {"paint": round(paint, 1), "rows": round(rows, 1)}


def memory(seat: Seat) -> dict[str, float]:
    """What the page holds once garbage is freed: its JavaScript heap, its nodes and its listeners."""
    session = seat.context.new_cdp_session(seat.page)
    try:
        session.send("Performance.enable")
        for _ in range(2):
            session.send("HeapProfiler.collectGarbage")
        told: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    finally:
        session.detach()
    found = {each["name"]: each["value"] for each in told}
    return {
        "heap_mb": round(found["JSHeapUsedSize"] / 1e6, 2),
        "nodes": int(found["Nodes"]),
        "listeners": int(found["JSEventListeners"]),
    }
