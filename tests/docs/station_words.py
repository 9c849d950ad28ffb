"""What the station says by a constant and a page of the console shows: taken from the code's syntax, so that none is forgotten."""

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Final

from openline.bearers.mail.limits import Event
from openline.kernel.errors import Malformed, Unavailable
from tests.docs.markdown import ROOT

SOURCE: Final = ROOT / "src" / "openline"
BESIDE: Final[Mapping[str, str]] = {
    "archive/": "checking an export is the command line's; but for the modules of TAKEN",
    "cli/": "it has catalogues of its own",
    "kernel/": "of bytes that come over a bearer, which nobody is told of; but for the modules of TAKEN",
    "bearers/certificate.py": "when a station is made",
    "bearers/drop/courier.py": "sticks are read and written at the command line",
    "bearers/mail/message.py": "of mails, which are counted",
    "bearers/nats/wire.py": "of a relay's bytes: the bearer tries again",
    "bearers/tls/pair.py": "pairing is the command line's",
    "console/authority.py": "when the console starts",
    "console/listening.py": "when the console starts",
    "protocol/acknowledgements.py": "of entries that came",
    "protocol/epochs.py": "of handshakes that came",
    "protocol/forks.py": "of evidence that came",
    "protocol/frames.py": "of envelopes that came",
    "protocol/generations.py": "of entries that came",
    "protocol/intake.py": "of entries that came",
    "protocol/lanes.py": "of entries that came",
    "protocol/ledgers.py": "of pieces of a fold that were kept",
    "protocol/pairing.py": "pairing is the command line's",
    "protocol/pairing_messages.py": "pairing is the command line's",
    "protocol/rekeying.py": "of handshakes that came",
    "protocol/snapshots.py": "of what was kept: it is made anew",
    "protocol/statements.py": "of statements that came",
    "protocol/transfers.py": "of requests that came",
    "station/__main__.py": "when the station starts",
    "station/alarms/deadman.py": "a program of its own",
    "station/alarms/hearing.py": "a program of its own",
    "station/alarms/heartbeat.py": "a program of its own",
    "station/alarms/tables.py": "when the station starts",
    "station/alarms/webhook.py": "when the station starts",
    "station/api_drop.py": "sticks are read and written at the command line",
    "station/api_keys.py": "keys are changed at the command line",
    "station/api_pairings.py": "pairing is the command line's",
    "station/backup.py": "backups are made at the command line",
    "station/card.py": "cards are made at the command line",
    "station/cards.py": "cards are compared at the command line",
    "station/client.py": "the command line's end of the API",
    "station/config.py": "when the station starts",
    "station/config_places.py": "when the station starts",
    "station/files.py": "when the station starts",
    "station/key_ring.py": "when the station starts",
    "station/keys.py": "keys are changed at the command line",
    "station/keystore.py": "when the station starts",
    "station/line_papers.py": "papers are made at the command line",
    "station/log.py": "when the station starts",
    "station/main.py": "when the station starts",
    "station/meeting.py": "pairing is the command line's",
    "station/pairing.py": "pairing is the command line's",
    "station/rebuilding.py": "when the station starts",
    "station/restores.py": "when the station starts",
    "station/server.py": "when the station starts",
    "station/setup.py": "when the station starts",
    "station/sticks.py": "sticks are read and written at the command line",
    "station/terms_file.py": "terms are read at the command line",
    "station/unlock.py": "when the station starts",
}
"""Modules whose refusals reach no page, and why. A new module is looked at until it stands here."""
TAKEN: Final[Mapping[str, frozenset[str]]] = {
    "archive/export.py": frozenset(),
    "archive/files.py": frozenset(),
    "archive/prove.py": frozenset({"prove"}),
    "kernel/terms.py": frozenset({"check_language"}),
}
"""Of these only those functions; none: all."""
CODES: Final = frozenset({"CallFailed", "MailFault"})
"""Refusals that carry the name of an event: the pages have a word for each."""
SAYING: Final[Mapping[str, frozenset[str]]] = {
    "bearers/tls/bearer.py": frozenset({"trouble"}),
    "station/bearers.py": frozenset({"_trouble"}),
    "station/probing.py": frozenset({"_missing"}),
}
"""Functions whose own constants are shown, besides what refusals say."""
_FAILED: Final = re.compile(r"(?:CallFailed|Broken)\((\".*)\)|failure = (\".*)")


def refusals() -> frozenset[str]:
    """The classes of refusals and of what is unavailable, by name, wherever they are."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    found = {"Refused", "Unavailable"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return frozenset(found - CODES)


def modules() -> Iterator[str]:
    """Modules whose refusals may reach a page."""
    for path in sorted(SOURCE.rglob("*.py")):
        name = str(path.relative_to(SOURCE))
        if name in TAKEN or not any(name.startswith(beside) for beside in BESIDE):
            yield name


@functools.cache
def said() -> dict[str, set[str]]:
    """What the station may say -> the modules that say it."""
    known = refusals()
    found: dict[str, set[str]] = {}
    for name in modules():
        for words in _of_module(ast.parse((SOURCE / name).read_text(encoding="utf-8")), name, known):
            found.setdefault(words, set()).add(name)
    return found


def _of_module(tree: ast.Module, name: str, known: frozenset[str]) -> Iterator[str]:
    constants = {
        target.id: value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and (value := _text(node.value))
    }
    taken = TAKEN.get(name)
    parts = (
        [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in taken] if taken else [tree]
    )
    for node in (each for part in parts for each in ast.walk(part)):
        if isinstance(node, ast.Call):
            for argument in _telling(node, known):
                yield from _words(argument, constants)
        elif isinstance(node, ast.FunctionDef) and node.name in SAYING.get(name, ()):
            for inner in node.body[1:]:
                yield from (words for each in ast.walk(inner) if " " in (words := _text(each)))


def _telling(call: ast.Call, known: frozenset[str]) -> Iterator[ast.expr]:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in known:
        yield from call.args[:1]
    elif name == "_failed":
        yield from call.args
    yield from (
        each.value for each in call.keywords if each.arg in {"problem", "trouble", "why"} and " " in _text(each.value)
    )


def _words(node: ast.expr, constants: Mapping[str, str]) -> Iterator[str]:
    """A constant, one that has a name, or one of several."""
    if isinstance(node, ast.Name):
        yield from filter(None, [constants.get(node.id, "")])
    elif isinstance(node, ast.BoolOp):
        for each in node.values:
            yield from _words(each, constants)
    else:
        yield from filter(None, [_text(node)])


def _text(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def failures() -> set[str]:
    """Why a call on an alarm path, or a sign of life, may not have arrived: names that the pages have words for."""
    texts = [
        (SOURCE / "station" / "alarms" / name).read_text(encoding="utf-8")
        for name in ("makers.py", "webhook.py", "paths.py")
    ]
    found = {
        word for text in texts for told in _FAILED.findall(text) for word in re.findall(r'"([\w-]+)"', " ".join(told))
    }
    smtp = (SOURCE / "bearers" / "mail" / "smtp.py").read_text(encoding="utf-8")
    return (
        found
        | {str(Event[name]) for name in re.findall(r"Event\.([A-Z_]+)", smtp)}
        | {Unavailable.code, Malformed.code}
    )


def tabled(text: str, function: str) -> set[str]:
    """The names for which a function of a page's module has words: the keys of its table. `text` is the module's."""
    begun = re.search(rf"function {function}\(.*?\n}}\n", text, re.DOTALL)
    keys = re.findall(r'(?:"([\w. -]+)"|\b(\w+)): (?:\([^)]*\) => )?\(?(?:\w+ \? )?t\(', begun[0] if begun else "")
    return {one or other for one, other in keys}
