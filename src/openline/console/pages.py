"""The files of the console, read once at the start: a name that is not among them does not exist.

Nothing that a caller sends is ever part of a path on the disk.
"""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from openline.console.catalogue import FORMS, words

TYPES: Final[Mapping[str, str]] = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "webmanifest": "application/manifest+json",
    "woff2": "font/woff2",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
}
"""What the console is made of; other files beside them are not served."""
_SQUEEZED: Final = frozenset({"html", "js", "css", "json", "svg", "webmanifest"})
_WORTH: Final = 1_024
"""Bytes from which on gzip is smaller than its own overhead."""
INDEX: Final = "index.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One file as it is served."""

    media: str
    tag: str
    """Its ETag."""
    data: bytes = field(repr=False)
    squeezed: bytes = field(repr=False)
    """The same by gzip; empty where that would not be smaller."""


def load_pages() -> dict[str, Page]:
    """All files below pages/, by their path there, and the catalogues as words/LANGUAGE.json."""
    found = dict(_below(files("openline.console") / "pages", ""))
    return found | {f"words/{language}.json": _page(words(language), "json") for language in FORMS}


def _below(folder: Traversable, prefix: str) -> Iterator[tuple[str, Page]]:
    for each in sorted(folder.iterdir(), key=lambda found: found.name):
        if each.is_dir():
            yield from _below(each, f"{prefix}{each.name}/")
            continue
        ending = each.name.rpartition(".")[2]
        if ending in TYPES:
            yield prefix + each.name, _page(each.read_bytes(), ending)


def _page(data: bytes, ending: str) -> Page:
    squeezed = gzip.compress(data, 9, mtime=0) if ending in _SQUEEZED and len(data) >= _WORTH else b""
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    return Page(media=TYPES[ending], tag=tag, data=data, squeezed=squeezed if len(squeezed) < len(data) else b"")
