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

_GAP, _SET_IN = "  ", "    "

# The eight colours every terminal has; the theme decides how they look (shared meaning: work, look, act, chosen, ...).
_COLOURS = {"work": "32", "look": "33", "act": "1;31", "chosen": "35", "absent": "36", "peer": "36", "quiet": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where and how a command prints."""

    json: bool = False
    colour: bool = False
    unicode: bool = True
    columns: int = 80
    fold_at: int = 0
    """The terminal's own columns, at which rows of tables are folded; 0 where there is no terminal: a row is a line."""
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

    def passing(self, text: str = "") -> None:
        """What will not stay, on one line of a terminal: how far something is. It is replaced by the next, or wiped."""
        if self.terminal and not self.json and sys.stderr.isatty():
            shown = text[: max(1, self.columns - 1)]
            sys.stderr.write("\r" + " " * (self.columns - 1) + "\r" + shown)
            sys.stderr.flush()

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
    columns = shutil.get_terminal_size((80, 24)).columns
    return Output(
        json=as_json,
        colour=colour and not as_json,
        unicode=encoding.startswith("utf"),
        columns=min(columns, MOST_COLUMNS),
        fold_at=columns if terminal else 0,
        terminal=terminal and sys.stdin.isatty(),
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: text, and the meaning that colours it."""

    text: str
    meaning: str = ""


def table(out: Output, headings: Sequence[str], rows: Iterable[Sequence[Cell | str]]) -> list[str]:
    """Rows under their headings, in columns as wide as they must be; folded between columns on a narrow terminal."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    if not cells:
        return []
    widths = [width(heading) for heading in headings]
    for row in cells:
        widths = [max(known, width(cell.text)) for known, cell in zip(widths, row, strict=True)]
    groups = _folded(widths, out.fold_at)
    lines = [out.paint(line, "quiet") for line in _row(out, [Cell(heading) for heading in headings], widths, groups)]
    for row in cells:
        lines += _row(out, row, widths, groups)
    return lines


def _folded(widths: Sequence[int], columns: int) -> list[range]:
    """Which cells of a row share a line: all, or as many as fit; a line after the first is set in."""
    begins, used = [0], 0
    for place, wide in enumerate(widths):
        if columns and place > begins[-1] and used + wide > columns:
            begins.append(place)
            used = len(_SET_IN)
        used += wide + len(_GAP)
    return [range(*pair) for pair in zip(begins, [*begins[1:], len(widths)], strict=True)]


def _row(out: Output, row: Sequence[Cell], widths: Sequence[int], groups: Sequence[range]) -> list[str]:
    shown = [
        (out.paint(cell.text, cell.meaning) if cell.meaning else cell.text) + " " * (wide - width(cell.text))
        for cell, wide in zip(row, widths, strict=True)
    ]
    lines = [_GAP.join(shown[place] for place in group).rstrip() for group in groups]
    return [lines[0], *(_SET_IN + line for line in lines[1:] if line)]
