"""The console's pages keep their rules: nothing parses markup, nothing asks another host, right to left needs no second sheet."""

import re
from pathlib import Path

import pytest

PAGES = Path(__file__).resolve().parents[2] / "src" / "openline" / "console" / "pages"
LINES = 400
SMALLEST_PX = 13
_NAMESPACE = "http://www.w3.org/2000/svg"

_JS = {
    "parses markup": re.compile(
        r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|DOMParser|document\.write)\b"
    ),
    "runs text": re.compile(r"\b(?:eval|Function)\(|javascript:"),
    "asks another host": re.compile(r"https?://|\bwss?://"),
    "writes a style into markup": re.compile(r"""setAttribute\(\s*["']style|[{,]\s*style:\s*["'`]"""),
    "builds a policy": re.compile(r"\btrustedTypes\b"),
}
_CSS = {
    "asks another host": re.compile(r"https?://|@import"),
    "knows left from right": re.compile(
        r"(?:margin|padding|border)-(?:left|right)|(?<![\w-])(?:left|right)\s*:|text-align:\s*(?:left|right)|float:\s*(?:left|right)"
    ),
}
_SIZE = re.compile(r"(?:font-size:\s*|font:[^;{}]*?)(\d+(?:\.\d+)?)px")


def broken(name: str, text: str) -> list[str]:
    """The rules that a file breaks."""
    rules = _JS if name.endswith(".js") else _CSS
    found = [what for what, pattern in rules.items() if pattern.search(text.replace(_NAMESPACE, ""))]
    if text.count("\n") > LINES:
        found.append("is too long")
    if name.endswith(".css"):
        found += ["is too small to read" for size in _SIZE.findall(text) if float(size) < SMALLEST_PX]
    return found


FILES = sorted(str(path.relative_to(PAGES)) for kind in ("*.js", "*.css") for path in PAGES.rglob(kind))


def test_the_pages_keep_their_rules() -> None:
    assert len(FILES) > 20
    found = {name: broken(name, (PAGES / name).read_text(encoding="utf-8")) for name in FILES}
    assert {name: rules for name, rules in found.items() if rules} == {}


def test_the_page_itself_holds_no_script_and_no_style() -> None:
    text = (PAGES / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|https?://", text) == []


@pytest.mark.parametrize(
    "name, text",
    [
        ("a.js", "node.innerHTML = text;"),
        ("a.js", "new Function(text)"),
        ("a.js", 'fetch("https://example.org")'),
        ("a.js", 'el("p", { style: "color: red" })'),
        ("a.js", "\n" * 401),
        ("a.css", "p { margin-left: 1px; }"),
        ("a.css", "p { left: 0; }"),
        ("a.css", "p { font-size: 12px; }"),
        ("a.css", "@import 'b.css';"),
    ],
)
def test_each_rule_can_fail(name: str, text: str) -> None:
    assert broken(name, text)


def test_what_keeps_the_rules_passes() -> None:
    assert broken("a.js", f'createElementNS("{_NAMESPACE}", "path"); node.style.maxBlockSize = "1px";') == []
    assert broken("a.css", "p { margin-inline-start: 1px; inset-inline-end: 0; font: 600 13px/1 sans-serif; }") == []
