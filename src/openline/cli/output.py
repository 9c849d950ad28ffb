"""What a command prints: sentences and tables for people, or one JSON object for programs.

Every sign is a shape with a word; colour is added on a terminal and never
alone. NO_COLOR is respected. What a party wrote passes `inert` first: the only
escape sequences that leave here are the colours of this module.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from openline.cli.inert import width

MOST_COLUMNS = 110
"""A text is not read across wider lines."""

# The eight colours every terminal has; the theme decides how they look (shared meaning: work, look, act, chosen, ...).
_COLOURS = {"work": "32", "look": "33", "act": "1;31", "chosen": "35", "absent": "36", "peer": "36", "quiet": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where and how a command prints."""

    json: bool = False
    colour: bool = False
    unicode: bool = True
    columns: int = 80
    terminal: bool = False
    """Whether a person sits at both ends: may be asked."""

    def say(self, *lines: str) -> None:
        """Sentences for people; nothing with --json."""
        if not self.json:
            self._write("\n".join(lines) + "\n")

    def answer(self, value: object, lines: Iterable[str]) -> None:
        """The result: an object for programs, or lines for people."""
        if self.json:
            self.object(value)
        else:
            self.say(*lines)

    def object(self, value: object) -> None:
        """One JSON object on one line."""
        self._write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")

    def note(self, *lines: str) -> None:
        """Progress, beside the result."""
        if not self.json:
            sys.stderr.write("\n".join(lines) + "\n")
            sys.stderr.flush()

    def paint(self, text: str, meaning: str) -> str:
        """Add the colour of a meaning, where there are colours."""
        return f"\x1b[{_COLOURS[meaning]}m{text}\x1b[0m" if self.colour and text else text

    def sign(self, shape: str, plain: str) -> str:
        """A shape, or its stand-in where the terminal has none."""
        return shape if self.unicode else plain

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def output_for(*, as_json: bool, environment: Mapping[str, str] = os.environ) -> Output:
    """How to print here and now."""
    terminal = sys.stdout.isatty()
    for stream in (sys.stdout, sys.stderr):
        # What this terminal cannot show appears as its code, and ends no command.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    colour = terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return Output(
        json=as_json,
        colour=colour and not as_json,
        unicode=encoding.startswith("utf"),
        columns=min(shutil.get_terminal_size((80, 24)).columns, MOST_COLUMNS),
        terminal=terminal and sys.stdin.isatty(),
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: text, and the meaning that colours it."""

    text: str
    meaning: str = ""


def table(out: Output, headings: Sequence[str], rows: Iterable[Sequence[Cell | str]]) -> list[str]:
    """Rows under their headings, in columns as wide as they must be."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    if not cells:
        return []
    widths = [width(heading) for heading in headings]
    for row in cells:
        widths = [max(known, width(cell.text)) for known, cell in zip(widths, row, strict=True)]
    top = "  ".join(_padded(heading, wide) for heading, wide in zip(headings, widths, strict=True)).rstrip()
    lines = [out.paint(top, "quiet")]
    for row in cells:
        shown = [
            (out.paint(cell.text, cell.meaning) if cell.meaning else cell.text) + " " * (wide - width(cell.text))
            for cell, wide in zip(row, widths, strict=True)
        ]
        lines.append("  ".join(shown).rstrip())
    return lines


def _padded(text: str, wide: int) -> str:
    return text + " " * (wide - width(text))
