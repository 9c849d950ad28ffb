"""The language of the interface: English in the code, French and Russian from catalogues beside it.

A catalogue is a gettext `.po` file, read as it stands: nothing to compile, nothing that can be
older than its source. What a catalogue lacks appears in English. The language is chosen once,
before any command is loaded, so that help texts are translated as they are defined.

This is the language of the program's own words. What parties write is never translated here.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LANGUAGES = ("en", "fr", "ru")
FOLDER = Path(__file__).parent / "locale"


def _one_or_more(number: int) -> int:
    return 0 if number == 1 else 1


def _french(number: int) -> int:
    return 0 if number < 2 else 1


def _russian(number: int) -> int:
    if number % 10 == 1 and number % 100 != 11:
        return 0
    return 1 if 2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14 else 2


PLURALS: Mapping[str, Callable[[int], int]] = {"en": _one_or_more, "fr": _french, "ru": _russian}
FORMS: Mapping[str, int] = {"en": 2, "fr": 2, "ru": 3}


@dataclass(slots=True)
class _Chosen:
    """What the interface speaks now."""

    language: str = "en"
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)


_chosen = _Chosen()


def _(text: str) -> str:
    """The text in the chosen language."""
    found = _chosen.texts.get(text)
    return found[0] if found and found[0] else text


def _n(one: str, more: str, number: int) -> str:
    """The text that fits a number, with `{number}` filled in."""
    found = _chosen.texts.get(one)
    form = PLURALS[_chosen.language](number) if found else _one_or_more(number)
    forms = found if found and form < len(found) and found[form] else (one, more)
    return forms[form].format(number=number)


def language() -> str:
    """The language in use: en, fr or ru."""
    return _chosen.language


def choose(name: str) -> None:
    """Speak that language from now on; English if it is none of ours."""
    _chosen.language = name if name in LANGUAGES else "en"
    if _chosen.language == "en":
        _chosen.texts = {}
        return
    from openline.station.catalogues import read_catalogue, said_by_the_station

    _chosen.texts = said_by_the_station(name) | read_catalogue(FOLDER / f"{name}.po")


def wanted(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> str:
    """The language that the words of the command ask for, else the environment; English if neither says.

    `--lang-ui` goes before OPENLINE_LANG, and that before LC_ALL, LC_MESSAGES and LANG.
    """
    for place, word in enumerate(words):
        if word == "--":
            break
        if word == "--lang-ui" and place + 1 < len(words):
            return words[place + 1][:2].lower()
        if word.startswith("--lang-ui="):
            return word.partition("=")[2][:2].lower()
    for name in ("OPENLINE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return environment[name][:2].lower()
    return "en"
