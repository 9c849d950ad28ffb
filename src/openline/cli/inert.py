"""Hostile text made inert: what a peer wrote can be read, and can do nothing.

A character that would move, hide, reorder or erase what stands around it is
replaced by its code point in a box, `⟦U+202E⟧`. On a terminal nothing else of
a text ever reaches the screen, so no escape sequence can. The box's own
brackets are boxed when they come in a text: a box cannot be imitated.

Pure functions, for the terminal and for the console's pages alike.
"""

import re
import unicodedata
from dataclasses import dataclass

TAB = "    "
MOST_MARKS = 4
"""Combining marks on one letter: written languages need three at most; more climb over other lines."""

_OPEN, _CLOSE = "⟦", "⟧"
_BOXED_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# Blank to the eye though no format characters: fillers, the empty Braille cell, joiners, selectors.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_PLAIN = re.compile(r"[\n -~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A run of a text: to be shown as it is, or the code point of one hidden character."""

    text: str
    boxed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What a reader must be told about a text beside the text."""

    hidden: int
    """Characters shown as boxed code points."""
    mixed: tuple[str, ...]
    """Words that mix Latin, Greek or Cyrillic letters: one may stand for another."""


def is_hidden(character: str) -> bool:
    """Whether a character must be boxed. A line feed is a line feed, a tab four spaces."""
    if character in "\n\t":
        return False
    if character in _BLANK or character in (_OPEN, _CLOSE):
        return True
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return True
    return unicodedata.category(character) in _BOXED_CATEGORIES


def code_point(character: str) -> str:
    """U+202E."""
    return f"U+{ord(character):04X}"


def pieces(text: str) -> tuple[Piece, ...]:
    """A text cut into what may be shown and what must be boxed."""
    if _PLAIN.fullmatch(text):
        return (Piece(text=text, boxed=False),) if text else ()
    found: list[Piece] = []
    plain: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if is_hidden(character) or marks > MOST_MARKS:
            if plain:
                found.append(Piece(text="".join(plain), boxed=False))
                plain = []
            found.append(Piece(text=code_point(character), boxed=True))
        else:
            plain.append(TAB if character == "\t" else character)
    if plain:
        found.append(Piece(text="".join(plain), boxed=False))
    return tuple(found)


def inert(text: str) -> str:
    """A text with its hidden characters boxed; line feeds stay."""
    return "".join(f"{_OPEN}{piece.text}{_CLOSE}" if piece.boxed else piece.text for piece in pieces(text))


def inert_line(text: str) -> str:
    """The same on one line: a line feed is boxed too."""
    return inert(text).replace("\n", f"{_OPEN}U+000A{_CLOSE}")


def flags(text: str) -> Flags:
    """What to say beside a text: how many characters are hidden, which words look like others."""
    hidden = sum(1 for piece in pieces(text) if piece.boxed)
    mixed = tuple(dict.fromkeys(word for word in re.findall(r"[^\W\d_]+", text) if len(scripts(word)) > 1))
    return Flags(hidden=hidden, mixed=mixed[:8])


def scripts(word: str) -> frozenset[str]:
    """Which of the scripts with look-alike letters a word is written in."""
    if word.isascii():
        return frozenset({"LATIN"})
    names = (unicodedata.name(letter, "").partition(" ")[0] for letter in word)
    return frozenset(name for name in names if name in {"LATIN", "GREEK", "CYRILLIC"})


def width(text: str) -> int:
    """Columns that an inert text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(text: str, columns: int) -> list[str]:
    """An inert text in lines of at most so many columns; long runs are broken, nothing is left out."""
    columns = max(columns, 2)
    out: list[str] = []
    for line in text.split("\n"):
        out += _wrap_line(line, columns)
    return out


def _wrap_line(line: str, columns: int) -> list[str]:
    if width(line) <= columns:
        return [line]
    out: list[str] = []
    begun, used = "", 0
    for word in re.findall(r" +|[^ ]+", line):
        wide = width(word)
        if used + wide <= columns:
            begun, used = begun + word, used + wide
            continue
        if word.startswith(" "):
            out.append(begun)
            begun, used = "", 0
            continue
        if begun.strip() and wide <= columns:
            out.append(begun.rstrip(" "))
            begun, used = word, wide
            continue
        for character in word:
            if used + _columns(character) > columns:
                out.append(begun)
                begun, used = "", 0
            begun, used = begun + character, used + _columns(character)
    return [*out, begun] if begun else out
