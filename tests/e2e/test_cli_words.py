"""What the command line says and understands: hostile text, moments, languages, help, the pages about it."""

import ast
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline import station
from openline.cli import failures, inert, language, moments, output, problems, sending
from openline.cli.contents import CONTENTS, Entry
from openline.cli.local import of_house
from openline.cli.reading import KINDS as READABLE
from openline.kernel.errors import Malformed, Unavailable
from openline.kernel.units import Instant
from openline.protocol import entries
from openline.station.alarms.duty import MISFIT
from openline.station.catalogues import read_catalogue, said_by_the_station
from openline.station.entry_view import KINDS
from openline.station.restores import COPY_WRITES
from tests.e2e import pages
from tests.e2e.cli_rig import process, type_

SOURCES = sorted(Path(language.__file__).parent.glob("*.py"))
NOW = Instant(1_795_271_400_000)  # 2026-11-21T14:30:00Z
MINUTE = 60_000


# --- hostile text ------------------------------------------------------------------------------------------------


@given(st.text())
def test_6_8_nothing_that_acts_on_a_screen_survives(text: str) -> None:
    shown = inert.inert(text)
    acting = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    assert not [each for each in shown if each != "\n" and unicodedata.category(each) in acting]


@given(st.text(), st.integers(2, 90))
def test_wrapping_loses_nothing_but_spaces_and_keeps_to_its_columns(text: str, columns: int) -> None:
    shown = inert.inert(text)
    lines = inert.wrapped(shown, columns)
    assert "".join(lines).replace(" ", "") == shown.replace("\n", "").replace(" ", "")
    assert all(inert.width(line) <= columns for line in lines)


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain, with\nlines", "plain, with\nlines"),
        ("\x1b[2J", "⟦U+001B⟧[2J"),
        ("a\u202eb", "a⟦U+202E⟧b"),
        ("zero\u200bwidth", "zero⟦U+200B⟧width"),
        ("tag\U000e0041", "tag⟦U+E0041⟧"),
        ("filler\u3164", "filler⟦U+3164⟧"),
        ("\x9b31m", "⟦U+009B⟧31m"),
        ("⟦U+202E⟧", "⟦U+27E6⟧U+202E⟦U+27E7⟧"),
        ("a\r\nb", "a⟦U+000D⟧\nb"),
        ("a\tb", "a    b"),
        ("Привет, мир; été; שלום; 你好", "Привет, мир; été; שלום; 你好"),
    ],
)
def test_hidden_characters_are_boxed(text: str, shown: str) -> None:
    assert inert.inert(text) == shown


def test_a_tower_of_marks_stays_on_its_line() -> None:
    assert inert.inert("a" + "\u0301" * 6) == "a" + "\u0301" * 4 + "⟦U+0301⟧" * 2


def test_a_reader_is_told_of_hidden_characters_and_of_letters_that_look_alike() -> None:
    found = inert.flags("раypal and a\u200bb, Москва, café")
    assert found == inert.Flags(hidden=1, mixed=("раypal",))


def test_a_table_is_folded_between_columns_on_a_narrow_terminal_and_a_row_is_a_line_where_there_is_none() -> None:
    headings, rows = ("due", "reference", "subject"), [["in 9 min", "ALPHA 0001", "A bridge"], ["-", "B", ""]]
    assert output.table(output.Output(fold_at=24), headings, rows) == [
        "due       reference", "    subject", "in 9 min  ALPHA 0001", "    A bridge", "-         B",
    ]  # fmt: skip
    whole = ["due       reference   subject", "in 9 min  ALPHA 0001  A bridge", "-         B"]
    assert output.table(output.Output(), headings, rows) == whole
    assert output.table(output.Output(fold_at=30), headings, rows) == whole


def test_more_words_than_a_command_takes_are_a_text_without_quotes() -> None:
    done = type_("send", "BRAVO", "Good", "morning")
    assert (done.code, "between quotes" in done.err) == (2, True)


# --- moments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed, minutes",
    [
        ("+30m", 30),
        ("+1h30m", 90),
        ("+2d", 2_880),
        ("1500Z", 30),
        ("15:00Z", 30),
        ("1430Z", 1_440),
        ("211430Z NOV 26", 0),
        ("21 1500z nov26", 30),
        ("2026-11-21T14:45Z", 15),
        ("2026-11-21 15:45+01:00", 15),
    ],
)
def test_moments_are_understood_as_they_are_written(typed: str, minutes: int) -> None:
    assert moments.parse_moment(typed, NOW) == NOW + minutes * MINUTE


def test_two_digits_of_a_year_are_the_year_nearest_to_now() -> None:
    june_1967 = Instant(-81_000_000_000)
    assert moments.clock(moments.parse_moment("051247Z JUN 67", june_1967)) == "051247Z JUN 67"
    assert moments.parse_moment("051247Z JUN 67", june_1967) < 0 < moments.parse_moment("051247Z JUN 67", NOW)


@pytest.mark.parametrize(
    "typed, minutes", [("-30m", -30), ("1500Z", 30 - 1_440), ("1430Z", 0), ("1429Z", -1), ("211430Z NOV 26", 0)]
)
def test_where_people_speak_of_what_was_a_clock_time_is_the_last_one(typed: str, minutes: int) -> None:
    assert moments.parse_moment(typed, NOW, past=True) == NOW + minutes * MINUTE


def test_what_took_place_is_not_yet_to_come() -> None:
    assert sending.happened("1430Z", NOW) == NOW
    with pytest.raises(failures.Failure, match="not come yet"):
        sending.happened("211431Z NOV 26", NOW)


@pytest.mark.parametrize("past", [False, True])
def test_a_span_goes_one_way(past: bool) -> None:
    with pytest.raises(Malformed):
        moments.parse_moment("+30m" if past else "-30m", NOW, past=past)


def test_a_history_can_be_narrowed_to_every_kind_that_a_station_names() -> None:
    assert set(READABLE) == {*KINDS, "refused", "unknown"}


@pytest.mark.parametrize("typed", ["", "+", "+5", "tomorrow", "2026-11-21T14:45", "2561Z", "311200Z FEB 26", "+99999d"])
def test_what_is_no_moment_is_refused(typed: str) -> None:
    with pytest.raises(Malformed):
        moments.parse_moment(typed, NOW)


# --- texts -------------------------------------------------------------------------------------------------------


def test_a_text_has_a_bound_and_is_not_empty() -> None:
    assert (sending.MAX_TEXT, sending.MAX_ATTACHMENT) == (entries.MAX_TEXT, entries.MAX_ATTACHMENT)
    assert sending.text_of("я" * 4_096) == "я" * 4_096
    for text in ("я" * 4_097, " \n", "bad \udcff"):
        with pytest.raises(failures.Failure) as refusal:
            sending.text_of(text)
        assert refusal.value.exit_code == failures.Exit.USAGE


# --- languages ---------------------------------------------------------------------------------------------------


def spoken() -> dict[str, int]:
    """Every text of the command line, and how many forms English has for it."""
    found = {entry.short: 1 for entry in CONTENTS} | {entry.group: 1 for entry in CONTENTS}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"_", "_n"}:
                text = node.args[0]
                if isinstance(text, ast.Constant):
                    found[str(text.value)] = 1 if node.func.id == "_" else 2
    return found


def fields(text: str) -> set[str]:
    """The names in braces."""
    return {part.partition("}")[0].partition(":")[0] for part in text.split("{")[1:]}


@pytest.mark.parametrize("name", ["fr", "ru"])
def test_no_text_is_missing_in_a_language(name: str) -> None:
    catalogue = read_catalogue(language.FOLDER / f"{name}.po")
    texts = spoken()
    assert sorted(set(texts) - set(catalogue)) == []
    for text, forms in texts.items():
        said = catalogue[text]
        assert len(said) == (1 if forms == 1 else language.FORMS[name])
        counted = {"number"} if forms == 2 else set()  # English may say "the line" for one
        assert all(each and fields(each) | counted == fields(text) | counted for each in said), text


@pytest.mark.parametrize("name", ["fr", "ru"])
def test_a_catalogue_is_what_gettext_reads(name: str) -> None:
    """Its plural rule is the one that the loader has built in."""
    import gettext

    text = (language.FOLDER / f"{name}.po").read_text()
    rule = text.partition("plural=")[2].partition(";")[0]
    assert [gettext.c2py(rule)(number) for number in range(200)] == [
        language.PLURALS[name](number) for number in range(200)
    ]


@pytest.mark.parametrize(
    "words, environment, chosen",
    [
        ([], {}, "en"),
        ([], {"LANG": "fr_FR.UTF-8"}, "fr"),
        ([], {"LANG": "fr_FR.UTF-8", "OPENLINE_LANG": "ru"}, "ru"),
        (["status", "--lang-ui", "fr"], {"OPENLINE_LANG": "ru"}, "fr"),
        (["--lang-ui=ru"], {}, "ru"),
        (["send", "X", "--", "--lang-ui", "ru"], {}, "en"),
    ],
)
def test_the_language_is_the_one_asked_for(words: list[str], environment: dict[str, str], chosen: str) -> None:
    assert language.wanted(words, environment) == chosen


@pytest.mark.parametrize(
    "name, said", [("fr", "Le disque est plein."), ("ru", "Диск заполнен."), ("en", "The disk is full.")]
)
def test_what_the_station_says_is_in_the_language_too(name: str, said: str) -> None:
    language.choose(name)
    try:
        what, to_do = of_house(Unavailable("the disk is full: nothing was written")).lines()
    finally:
        language.choose("en")
    assert what == said
    assert to_do.endswith(".")
    assert (to_do == "Nothing was written.") is (name == "en")


def wrongs() -> set[str]:
    """All that a station says is wrong with it, without the names: taken from its code, so that none is forgotten."""
    saying = {"api_lines": "problems", "line_view": "state_of", "alarms/duty": "problems", "alarms/calls": "problems"}
    found = {MISFIT, COPY_WRITES}
    for module, function in saying.items():
        tree = ast.parse((Path(station.__file__).parent / f"{module}.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == function:
                said = [
                    each.value for part in node.body[1:] for each in ast.walk(part) if isinstance(each, ast.Constant)
                ]
                found |= {text.strip(":; ") for text in said if isinstance(text, str) and " " in text}
    # The clock has a sentence of its own; a line that opens is not at fault.
    return {
        text for text in found - {""} if not text.startswith(("SIMULATED", "in service", "linked;", "never linked"))
    }


@pytest.mark.parametrize("name", ["fr", "ru"])
def test_what_a_station_says_is_wrong_with_it_is_in_the_language(name: str) -> None:
    texts = said_by_the_station(name) | read_catalogue(language.FOLDER / f"{name}.po")
    named = {form.removesuffix(" {name}"): form for form in problems.NAMED}
    assert len(wrongs()) > 15
    assert sorted(text for text in wrongs() if named.get(text, text) not in texts) == []


@pytest.mark.parametrize(
    "problem, said",
    [
        ("the disk of the store is slow", "Le disque du registre est lent."),
        ("BRAVO: no link to any party; suspended: only FLASH passes", "BRAVO: aucun lien avec aucune partie; suspendue : seul FLASH passe."),
        ("BRAVO: stopped", "BRAVO: arrêtée."),
        ("alarm path night: smtp-deferred", "Chemin d'alarme night: smtp-deferred."),
        ("the roster has hours without watch: everybody is called then", "Le tableau de service a des heures sans watch: tous sont appelés alors."),
        (MISFIT, "Le tableau de service qui a été établi ne va plus avec config.toml : celui de config.toml vaut."),
    ],
)  # fmt: skip
def test_a_problem_is_said_with_its_names(problem: str, said: str) -> None:
    language.choose("fr")
    try:
        assert problems.in_words(problem) == said
    finally:
        language.choose("en")
    assert problems.in_words(problem) == problem[:1].upper() + problem[1:] + "."


def test_help_and_errors_speak_the_language() -> None:
    assert "Отправить сообщение." in process("--help", env={"LANG": "ru_RU.UTF-8"}).out
    done = process("--lang-ui", "fr", "send")
    assert (done.code, done.err.splitlines()[0]) == (2, "LINE manque.")


# --- help, and the pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", CONTENTS, ids=lambda entry: entry.name)
def test_every_command_has_help_by_example(entry: Entry) -> None:
    name = entry.name
    done = type_(name, "--help")
    assert done.code == 0
    assert f"Examples:\n  openline {name}" in done.out or f"openline {name}" in done.out.partition("Examples:")[2]
    assert "--json" in done.out


def test_the_pages_of_the_operators_are_what_the_program_says() -> None:
    """Stale? .venv/bin/python -m tests.e2e.pages writes them anew."""
    for path, text in pages.written().items():
        assert path.read_text() == text, f"{path.name} is stale"


def test_exit_codes_have_one_meaning_each() -> None:
    assert set(failures.MEANINGS) == set(failures.Exit)


# --- quickness ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words, unwanted", [(["--help"], {"http", "msgspec", "openline.station"}), (["send", "--help"], {"asyncio", "cryptography", "starlette", "apsw", "openline.archive"})])  # fmt: skip
def test_a_command_loads_only_what_it_needs(words: list[str], unwanted: set[str]) -> None:
    """Counted, not timed: what is not loaded costs nothing."""
    script = f"import sys; from openline.cli import main; main({words!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not unwanted & set(done.stderr.split())


# --- mistakes of our own -----------------------------------------------------------------------------------------


def test_a_mistake_of_ours_shows_names_and_quotes_nothing() -> None:
    script = (
        "import sys; from openline.cli.entrance import own_mistake; sys.excepthook = own_mistake; "
        "raise ValueError('the text of a message')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == failures.Exit.BUG
    assert "ValueError" in done.stderr
    assert "text of a message" not in done.stderr
