"""Catalogues of translations, as gettext `.po` files: read as they stand, nothing to compile, nothing older than its source.

What the station itself says (why it refuses, why a draft came back) is in English on its API; the catalogues beside this
module hold it in other languages, for the console and for the command line.
"""

import ast
import re
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "locale"
_WORD = re.compile(r'(msgid|msgid_plural|msgstr|msgstr\[\d\])\s+(".*")')


def read_catalogue(path: Path) -> dict[str, tuple[str, ...]]:
    """The translations in a `.po` file: text -> its forms. Entries marked fuzzy are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        parts: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            begun = _WORD.fullmatch(line)
            if begun:
                key = begun[1]
                parts[key] = ast.literal_eval(begun[2])
            elif line.startswith('"') and key:
                parts[key] += ast.literal_eval(line)
        if parts.get("msgid") and "#, fuzzy" not in block:
            found[parts["msgid"]] = tuple(parts[name] for name in sorted(parts) if name.startswith("msgstr"))
    return found


def said_by_the_station(language: str) -> dict[str, tuple[str, ...]]:
    """What the station says by a constant, in that language; empty if there is no catalogue of it."""
    path = FOLDER / f"{language}.po"
    return read_catalogue(path) if path.is_file() else {}
