"""The documents as tests read them: pages, links, headings, and the command lines that stand in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OPERATORS = ROOT / "docs" / "operators"
FOLDERS = ("docs", "spec", "vectors", "verifiers", "bench", "fuzz", "examples", "tests", "packaging")
"""Where pages stand, beside the root itself."""

_FENCE = re.compile(r"^\s*```")
_LINK = re.compile(r"(?<!!)\[[^\]\[]*\]\(([^()\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"^\s*(?:\$ )?(openline .*)$")
_INLINE = re.compile(r"^openline [a-z]")


def pages() -> list[Path]:
    """Every page of the repository."""
    found = list(ROOT.glob("*.md"))
    for folder in FOLDERS:
        found += (ROOT / folder).rglob("*.md")
    return sorted(found)


def name_of(page: Path) -> str:
    """A page's path in the repository."""
    return str(page.relative_to(ROOT))


def prose(text: str) -> str:
    """A page without its blocks of code."""
    kept: list[str] = []
    fenced = False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and not line.startswith("    "):
            kept.append(line)
    return "\n".join(kept)


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """(file, anchor) of each relative link."""
    for target in _LINK.findall(prose(page.read_text())):
        if "://" in target or target.startswith("mailto:"):
            continue
        place, _, anchor = target.partition("#")
        yield (page.parent / place).resolve() if place else page, anchor


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    found: set[str] = set()
    for line in prose(page.read_text()).splitlines():
        if line.startswith("#"):
            heading = line.lstrip("#").strip().lower()
            found.add(re.sub(r"[^\w\- ]", "", heading).replace(" ", "-"))
    return found


def code_words(page: Path) -> set[str]:
    """What stands in backquotes in a page's prose, whole and by words."""
    spans = _CODE.findall(page.read_text())
    return {*spans, *(word for span in spans for word in re.split(r"[\s,={}]+", span))}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """One `openline ...` that a page shows."""

    page: str
    number: int
    words: tuple[str, ...]


def command_lines(page: Path) -> Iterator[CommandLine]:
    """What is typed: lines of blocks that begin with `openline` or `$ openline`, and spans of prose."""
    fenced, lines = False, page.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if _FENCE.match(line):
            fenced = not fenced
            continue
        found = _COMMAND.match(line)
        drawn = "─" in line  # a diagram, not a command
        typed = [found[1]] if found and not drawn and (fenced or line.startswith("    ")) else []
        if not typed and not fenced and not line.startswith("    "):
            typed = [span for span in _CODE.findall(line) if _INLINE.match(span)]
        for each in typed:
            for words in _commands(each):
                yield CommandLine(page=name_of(page), number=number, words=words)


def _commands(typed: str) -> Iterator[tuple[str, ...]]:
    """The commands of one line of a shell; redirections and what follows a pipe left out."""
    lexer = shlex.shlex(typed, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    for token in [*lexer, ";"]:
        if token in {"&&", ";", "|", ">", "<", ">>"}:
            if words[:1] == ["openline"] and not set(words) & {"...", "…"}:
                yield tuple(words[1:])
            words = []
        else:
            words.append(token)
