"""A session in a call: what belongs to another call of another line, or to two other parties of its own, is not its own (spec 17.4)."""

from collections.abc import Iterator

import pytest

from tests.e2e.browser import Room, floor
from tests.e2e.console_rig import with_console
from tests.e2e.homes import Home, in_service, join, new_home, running
from tests.e2e.test_console_calls import OFFICER, sit

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("console-calls")]
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


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Home]]:
    """Two stations, of which one has its console open."""
    folder = tmp_path_factory.mktemp("lines")
    made = [with_console(new_home(folder, name)) for name in ("ALPHA", "BRAVO")]
    join(made)
    with running(*made):
        in_service(*made, deadline_s=90)
        yield made


@pytest.fixture
def room(homes: list[Home]) -> Iterator[Room]:
    """A browser before the consoles."""
    with floor(*homes) as opened:
        yield opened


def test_a_signal_of_another_lines_call_at_the_same_place_reaches_no_session_and_no_claimed_time_orders_calls(
    room: Room, homes: list[Home]
) -> None:
    seat = sit(room, homes[0], "A2", *OFFICER)
    found = seat.page.evaluate(_TWO_LINES)
    assert found == {"taken": ["of this one"], "order": ["0/0/3", "0/0/7"], "why": "", "before": True, "after": False}
