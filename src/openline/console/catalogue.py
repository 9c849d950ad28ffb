"""The console's own words in other languages: gettext catalogues, made into JSON for the pages once, at the start.

English stands in the pages themselves (js/words.js). A language is a folder of catalogues, one for each part of the
pages; what they lack appears in English, and a test fails for it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from openline.station.catalogues import read_catalogue

FOLDER: Final = Path(__file__).parent / "locale"
FORMS: Final[Mapping[str, int]] = {"fr": 2, "ru": 3, "ar": 6}
"""Language -> its plural forms, in the order of its catalogue: those of CLDR for whole numbers."""


def catalogue_of(language: str) -> dict[str, tuple[str, ...]]:
    """All translations into a language: English -> its forms. Raises KeyError for one that is not ours."""
    FORMS[language]  # a name that is not ours is never part of a path
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted((FOLDER / language).glob("*.po")):
        found |= read_catalogue(path)
    return found


def words(language: str) -> bytes:
    """A language as the pages read it: {"language", "texts": {English: [forms]}}. Raises KeyError as above."""
    return msgspec.json.encode({"language": language, "texts": catalogue_of(language)})
