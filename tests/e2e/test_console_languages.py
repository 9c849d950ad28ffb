"""In real Chromium: what an officer sees is in the officer's language, also what the station says by itself.

Russian and Arabic show it by their letters: besides names, and words that are the same everywhere, nothing on a page is Latin.
What parties say on this line is written in figures.
"""

from collections.abc import Iterator

import pytest

from openline.console.catalogue import catalogue_of
from openline.kernel.terms import Policy
from tests.e2e.browser import Room, Seat, floor
from tests.e2e.console_rig import with_console
from tests.e2e.homes import Home, in_service, join, new_home, running

pytestmark = pytest.mark.full

PARTS = {
    "floor": ".strip", "line/relay": ".message", "compose/relay": "textarea", "contacts/relay": ".month td", "search?q=1": ".found li",
    "record/relay": ".standing td", "settings": "td[title]", "settings/people": ".people td", "settings/bearers": ".bearers td",
    "settings/alarms": ".panel:nth-child(3)", "log": ".duty", "signs": ".signrow",
}  # fmt: skip
"""Where each view stands, and what stands in it once it is whole."""
SIGNS = {"fr": "F1", "ru": "R1", "ar": "A1"}
ROLES = ("watch-officer", "auditor", "administrator", "technician")
EVERYWHERE = frozenset(
    """FLASH IMMEDIATE PRIORITY ROUTINE MINIMIZE TLS UTC RFC PIN Openline Ctrl Alt Esc Enter PgUp PgDn Home End Del
    ALPHA BRAVO relay pager exports alarms openline doctor English français Chromium Chrome Linux
    JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC""".split()  # noqa: SIM905 - it reads as a list
)
"""Names of this test, of keys and programs, and what is international."""
LATIN = """() => {
    const found = new Set();
    const look = (text, node) => {
        if (node.closest("code, textarea, [lang]:not(html)")) return;
        for (const [word] of text.matchAll(/\\p{Script=Latin}+/gu)) if (!/^[A-Za-z]$|^[a-f]+$/.test(word)) found.add(word);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (node.nodeType === Node.TEXT_NODE) look(node.data, node.parentElement);
        else for (const name of ["aria-label", "title"]) if (node.hasAttribute(name) && !node.matches("td[title]")) look(node.getAttribute(name), node);
    }
    return [...found];
}"""
"""All words in Latin letters that the page shows or tells, but for keys of one letter, fingerprints and what a browser calls itself."""
ALARMS = """
[alarms]
test_hours = 0

[alarms.paths.pager.webhook]
url = "https://127.0.0.1:9/"
secret_file = "missing.secret"

[[alarms.steps]]
to = ["pager"]
kinds = ["flash", "bearer-down", "alarm-path", "key-stolen"]
"""


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Home]]:
    folder = tmp_path_factory.mktemp("languages")
    made = [with_console(new_home(folder, name)) for name in ("ALPHA", "BRAVO")]
    config = made[0].folder / "config.toml"
    config.write_text(config.read_text() + ALARMS)
    join(made, Policy(title="78"))
    with running(*made):
        in_service(*made, deadline_s=60)
        for home in made:
            says(home, kind="watch", attended=True)
        says(made[1], kind="message", text="1 2 3", precedence="immediate")
        says(made[1], kind="service", text="4")
        yield made


def says(home: Home, **entry: object) -> None:
    with home.client() as station:
        station.post("lines/relay/entries", entry)


@pytest.fixture
def room(homes: list[Home]) -> Iterator[Room]:
    with floor(*homes) as opened:
        yield opened


def speaking(room: Room, home: Home, language: str) -> Seat:
    """An officer who reads that language."""
    seat = room.seat(home, SIGNS[language], *ROLES)
    assert seat.call("PUT", "/console/me", {"language": language})["status"] == 200
    seat.page.reload()
    seat.until(f"document.documentElement.lang === '{language}' && document.querySelector('.view h1')")
    return seat


def foreign(seat: Seat) -> set[str]:
    """What the page shows that nobody would write so in its language."""
    return set(seat.page.evaluate(LATIN)) - EVERYWHERE


@pytest.mark.parametrize("language", ["ru", "ar"])
def test_no_view_shows_words_of_another_language(room: Room, homes: list[Home], language: str) -> None:
    seat = speaking(room, homes[0], language)
    found = {}
    for part, whole in PARTS.items():
        seat.open(f"#/{part}")
        seat.until(f"document.querySelector('.view {whole}')")
        found[part] = foreign(seat)
    assert {part: words for part, words in found.items() if words} == {}


@pytest.mark.parametrize("language", ["fr", "ru", "ar"])
def test_a_refusal_and_its_reason_are_told_in_the_officers_language(
    room: Room, homes: list[Home], language: str
) -> None:
    seat = speaking(room, homes[0], language)
    seat.allow("status of 409")
    seat.open("#/settings/people")
    seat.until("document.querySelector('.people')")
    seat.page.keyboard.press("n")
    seat.page.locator("dialog[open] input.fig").fill(SIGNS[language])
    seat.page.locator("dialog[open] button[type=submit]").click()
    seat.page.locator("dialog[open] [role=alert] .said").wait_for()
    told = seat.page.locator("dialog[open] [role=alert]").inner_text().replace("\u00a0", " ").lower()
    assert catalogue_of(language)["there is an officer of that sign: signs are not given twice"][0].lower() in told
    assert language == "fr" or not foreign(seat)


@pytest.mark.parametrize("language", ["ru", "ar"])
def test_acts_paths_and_kinds_of_alarms_have_words(room: Room, homes: list[Home], language: str) -> None:
    seat = speaking(room, homes[0], language)
    seat.open("#/settings/alarms")
    seat.page.locator("td .row button, td button").first.click()  # the path is tried, and its secret is missing
    seat.until("document.querySelector('td.act')")
    assert catalogue_of(language)["its settings do not fit"][0] in seat.page.locator("td.act").inner_text()
    assert foreign(seat) == set()
    seat.open("#/log")
    seat.until("document.querySelector('.tabs button')")
    seat.page.keyboard.press("a")
    seat.until("document.querySelectorAll('.audit tbody tr').length > 2")
    assert catalogue_of(language)["sign in by a one-time link"][0] in seat.page.locator(".audit").inner_text()
    assert foreign(seat) == set()


def test_why_a_draft_came_back_is_told_in_the_officers_language(room: Room, homes: list[Home]) -> None:
    alpha = homes[0]
    seat = speaking(room, alpha, "ar")
    seat.open("#/compose/relay")
    seat.page.locator(".writing textarea").fill("5 6")
    seat.page.keyboard.press("Control+Enter")
    seat.until("document.querySelector('.beside.counting')")
    says(alpha, kind="suspend", reason="7")
    try:
        seat.until("document.querySelector('.warn.act')", deadline_s=60)
        words = catalogue_of("ar")["the line is suspended: only FLASH passes"][0]
        assert words in seat.page.locator(".warn.act").inner_text()
        assert foreign(seat) == set()
    finally:
        says(alpha, kind="lift", reason="8")
