"""Every sentence of the console's pages is there in every language, with the same placeholders and the right plurals; and so
is whatever the station says by a constant, where a page may show it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from openline.console import catalogue
from openline.console.serving import OPERATIONS
from openline.protocol.clocks import Basis
from openline.protocol.entries import Kind
from openline.station.alarms.records import NOTICES
from openline.station.alarms.records import Kind as AlarmKind
from openline.station.api import all_routes
from openline.station.audit import LOGGED
from openline.station.calls import STATUS
from openline.station.entry_view import kind_name
from tests.docs import station_words

PAGES = Path(catalogue.__file__).parent / "pages" / "js"
_TEXT = r'"((?:[^"\\\n]|\\.)*)"'
_ONE = re.compile(rf"(?<![\w.$])(?:t|rich)\(\s*{_TEXT}")
_MANY = re.compile(rf"(?<![\w.$])(?:n|richN)\(\s*[^\"\n]*?,\s*{_TEXT}\s*,\s*{_TEXT}", re.DOTALL)
_CALL = re.compile(r"(?<![\w.$])(t|n|rich|richN)\((?!\s*\))")
_PLAIN_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_PLACEHOLDER = re.compile(r"\{\w+\}")
_FUNCTIONS = re.compile(r"export function \w+\([^)]*\)")


def sources() -> Iterator[tuple[str, str]]:
    """Every module of the pages but the one that defines the words' functions."""
    for path in sorted(PAGES.rglob("*.js")):
        if path.name != "words.js":
            yield str(path.relative_to(PAGES)), path.read_text(encoding="utf-8")


def sentences() -> dict[str, str]:
    """All sentences -> their plural, empty where there is none."""
    found: dict[str, str] = {}
    for _name, text in sources():
        found |= {_plain(one): "" for one in _ONE.findall(text)}
        found |= {_plain(one): _plain(many) for one, many in _MANY.findall(text)}
    return found


def _plain(literal: str) -> str:
    return literal.replace('\\"', '"').replace("\\\\", "\\")


def test_every_sentence_is_a_literal_that_can_be_found() -> None:
    for name, text in sources():
        code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("//", "*", "/*")))
        called = len(_CALL.findall(code))
        assert called == len(_ONE.findall(code)) + len(_MANY.findall(code)), name


def test_enumerations_and_keys_are_written_as_the_language_writes_them() -> None:
    for name, text in sources():
        for line in text.splitlines():
            outside = _PLAIN_STRING.sub(lambda found: "own comma" if found[0] == '", "' else "", line)
            assert "own comma" not in outside, (name, line)  # words.js has one: comma()
            assert not re.search(
                r'"(?:Ctrl|Alt|Shift) [^"]*(?:Enter|Esc)"|key: "(?:Enter|Esc|PgUp|PgDn|Home|End|Del)"', line
            ) or ("run:" in line), (name, line)  # keys.js labels them: keyLabel()


@pytest.mark.parametrize("language", catalogue.FORMS)
def test_no_language_lacks_a_sentence_of_the_console(language: str) -> None:
    texts = catalogue.catalogue_of(language)
    wanted = sentences()
    assert len(wanted) > 100
    missing = [one for one, many in wanted.items() if not _whole(texts.get(one), language, plural=bool(many))]
    assert missing == []


def _whole(forms: tuple[str, ...] | None, language: str, *, plural: bool) -> bool:
    return forms is not None and len(forms) == (catalogue.FORMS[language] if plural else 1) and all(forms)


@pytest.mark.parametrize("language", catalogue.FORMS)
def test_translations_keep_placeholders_and_stress(language: str) -> None:
    texts = catalogue.catalogue_of(language)
    wanted: Mapping[str, str] = sentences()
    wrong = []
    for one, many in wanted.items():
        known = set(_PLACEHOLDER.findall(one + many))
        for form in texts.get(one, ()):
            found = set(_PLACEHOLDER.findall(form))
            # One, two and none may be said in words instead of a figure.
            if not found <= known or (known - found) - ({"{count}"} if many else set()) or form.count("*") % 2:
                wrong.append(form)
    assert wrong == []


@pytest.mark.parametrize("language", catalogue.FORMS)
def test_no_catalogue_keeps_what_nobody_says(language: str) -> None:
    stale = set(catalogue.catalogue_of(language)) - set(sentences()) - set(station_words.said())
    assert stale == set()


@pytest.mark.parametrize("language", catalogue.FORMS)
def test_no_language_lacks_what_the_station_says(language: str) -> None:
    texts, said = catalogue.catalogue_of(language), station_words.said()
    assert len(said) > 200
    assert {
        words: sorted(by) for words, by in said.items() if not _whole(texts.get(words), language, plural=False)
    } == {}


def test_the_search_for_what_the_station_says_finds_it() -> None:
    said = station_words.said()
    assert "station/composing.py" in said["there is no text yet"]  # a refusal
    assert "console/passkeys.py" in said["this passkey is not accepted"]  # one that has a name
    assert (
        "station/drafting.py" in said["the station was down when this was to be signed: look at it again"]
    )  # a reason
    assert "station/probing.py" in said["it does not work here"]  # one of several
    assert "station/bearers.py" in said["it ended"]  # what a function puts together
    assert "not a proof" not in said  # the command line's


def test_modules_that_say_nothing_to_a_page_are_there() -> None:
    names = {str(path.relative_to(station_words.SOURCE)) for path in station_words.SOURCE.rglob("*.py")}
    assert {
        each for each in (*station_words.BESIDE, *station_words.TAKEN) if not any(map(_begins(each), names))
    } == set()


def _begins(with_: str) -> Callable[[str], bool]:
    return lambda name: name.startswith(with_)


ACTS = {
    *(route.act for route in all_routes()), *(operation.act for operation in OPERATIONS), *LOGGED, "read", "officer-add",
} - {""}  # fmt: skip


@pytest.mark.parametrize(
    "module, function, names",
    [
        ("named.js", "auditWord", ACTS),
        ("named.js", "refusalWord", set(STATUS)),
        ("named.js", "failureWord", station_words.failures()),
        ("named.js", "kindWord", {kind_name(int(kind)) for kind in Kind} | {"refused"}),
        ("named.js", "basisWord", {basis.value for basis in Basis}),
        ("overlays/alarms.js", "alarmWords", {*map(str, AlarmKind), *NOTICES.values(), "acknowledgement-overdue"}),
    ],
)
def test_the_pages_have_a_word_for_each_name_of_the_station(module: str, function: str, names: set[str]) -> None:
    assert len(names) > 3
    assert station_words.tabled((PAGES / module).read_text(encoding="utf-8"), function) == names


def test_the_search_for_sentences_finds_them() -> None:
    text = (
        't("a {b}") n(x.length, "one", "many {count}", { y }) rich(\n  "*c*", { z }) at("d") fit("e") t("say \\"f\\"")'
    )
    assert [*map(_plain, _ONE.findall(text))] == ["a {b}", "*c*", 'say "f"']
    assert _MANY.findall(text) == [("one", "many {count}")]
