"""A session in a call: what belongs to another call of another line, or to two other parties of its own, is not its own (spec 17.4)."""

from pathlib import Path

import pytest

from tests.e2e.browser import floor
from tests.e2e.console_rig import console_home
from tests.e2e.homes import running

pytestmark = pytest.mark.full
_TWO_LINES = """async () => {
    const calls = await import("/static/js/call/calls.js?alone");
    const heard = {}, taken = [], fetched = window.fetch;
    const live = { on: (name, hear) => { heard[name] ??= hear; return () => {}; }, lines: new Map(), may: () => false, line: () => null };
    const view = { place: "0/0/3", state: "ringing", seats: [], typed: [], voice: [], mine: true, number: 3, rang_at: 5, came_at: 5 };
    window.fetch = async () => new Response(JSON.stringify(view), { status: 200, headers: { "content-type": "application/json" } });
    try {
        calls.followCalls({ me: { language: "en" }, live });
        await calls.place({ line: "aa", label: "one" }, { precedence: "routine" }, { close() {}, changed: null, track: null, level: () => 0 });
        calls.session().signal = (event) => taken.push(event.data);
        heard.signal({ call: view.place, line: { line: "bb", label: "two" }, data: "of another line" });
        heard.signal({ call: view.place, line: { line: "aa", label: "one" }, data: "of this one" });
        heard.call({ ...view, line: { line: "bb", label: "two" }, number: 9, state: "missed", rang_at: 2 ** 46 });
        heard.call({ ...view, place: "0/0/7", line: { line: "aa", label: "one" }, number: 2, state: "missed", mine: false, rang_at: 2 ** 46 });
        const order = calls.known({ label: "one" }).map((each) => each.place);
        const why = calls.whyOver({ place: view.place, lineId: "aa" });
        const between = (me) => ["A", "B", "C"].map((name, party) => ({ party, name, me: party === me }));
        const open = { ...view, line: { line: "aa", label: "one" }, state: "open", party: 1, by: { party: 0 }, parties: between(2), mine: false };
        heard.call({ ...open, seats: [{ party: 1, seat: 0, fingerprint: "" }, { party: 0, seat: 0, fingerprint: "ab" }] });
        const before = calls.session() !== null;
        heard.call({ ...open, seats: [{ party: 1, seat: 0, fingerprint: "cd" }, { party: 0, seat: 0, fingerprint: "ab" }] });
        return { taken, order, why, before, after: calls.session() !== null };
    } finally {
        window.fetch = fetched;
    }
}"""


def test_a_signal_of_another_lines_call_at_the_same_place_reaches_no_session_and_no_claimed_time_orders_calls(
    tmp_path: Path,
) -> None:
    home = console_home(tmp_path)
    with running(home), floor(home) as room:
        found = room.seat(home, "A2", "watch-officer").page.evaluate(_TWO_LINES)
    assert found == {"taken": ["of this one"], "order": ["0/0/3", "0/0/7"], "why": "", "before": True, "after": False}
