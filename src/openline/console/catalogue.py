"""The console's own words in other languages: gettext catalogues, made into JSON for the pages once, at the start.

English stands in the pages themselves (js/words.js). A language is a folder of catalogues, one for each part of the
pages; what they lack appears in English, and a test fails for it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from openline.station.catalogues import read_catalogue, said_by_the_station

FOLDER: Final = Path(__file__).parent / "locale"
FORMS: Final[Mapping[str, int]] = {"fr": 2, "ru": 3, "ar": 6}
"""Language -> its plural forms, in the order of its catalogue: those of CLDR for whole numbers."""
_UNBROKEN: Final[Mapping[str, re.Pattern[str]]] = {"fr": re.compile(r" (?=[:;?!»])|(?<=«) ")}
"""Language -> the spaces at which no line ends: the catalogues are written with plain ones."""


def catalogue_of(language: str) -> dict[str, tuple[str, ...]]:
    """All translations into a language: English -> its forms. Raises KeyError for one that is not ours."""
    FORMS[language]  # a name that is not ours is never part of a path
    found = said_by_the_station(language)
    for path in sorted((FOLDER / language).glob("*.po")):
        found |= read_catalogue(path)
    return found


def words(language: str) -> bytes:
    """A language as the pages read it: {"language", "texts": {English: [forms]}}. Raises KeyError as above."""
    spaces = _UNBROKEN.get(language)
    texts = catalogue_of(language)
    if spaces is not None:
        texts = {text: tuple(spaces.sub("\u00a0", form) for form in forms) for text, forms in texts.items()}
    return msgspec.json.encode({"language": language, "texts": texts})
