"""Words, notation, instants and secrets (spec 1), and the language that entries speak (spec 6.1)."""

import ast
import re
import sys
from pathlib import Path

import pytest

from openline.kernel.units import MAX_INSTANT, MIN_INSTANT, Instant
from openline.protocol.entries import AnyEntry, Kind, Service
from openline.protocol.events import Submit
from tests.spec.line import Host, Line, message

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src/openline").rglob("*.py"))
PURE = [path for path in SOURCES if path.relative_to(ROOT / "src/openline").parts[0] in {"kernel", "protocol"}]
SAID = [*SOURCES, *sorted((ROOT / "src/openline").rglob("*.po")), *sorted((ROOT / "docs").rglob("*.md"))]
NOT_SAID = re.compile(r"\b(packet|datagram|participant)s?\b", re.IGNORECASE)


@pytest.mark.parametrize("path", SAID, ids=lambda path: str(path.relative_to(ROOT)))
def test_1_1_screens_documents_and_code_use_no_other_words(path: Path) -> None:
    assert not NOT_SAID.findall(path.read_text())


def labels() -> set[bytes]:
    """Every label in the source: byte strings that begin as labels do."""
    found: set[bytes] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, bytes)
                and node.value.startswith(b"openline/1 ")
            ):
                found.add(node.value)
    return found


def test_1_2_labels_are_ascii_without_a_terminator() -> None:
    found = labels()
    assert len(found) > 15
    for label in found:
        words = label.removesuffix(b"\n")
        assert label.isascii() or label[:-1].isascii()  # a field's number may follow: openline/1 field || u8
        assert b"\x00" not in words
        assert b"\n" not in words


def test_1_2_numbers_are_big_endian() -> None:
    written = [path for path in PURE if "to_bytes(" in path.read_text() or "from_bytes(" in path.read_text()]
    assert written
    for path in written:
        orders = re.findall(r"(?:to|from)_bytes\([^\n]*?[\"'](big|little)[\"']", path.read_text())
        assert set(orders) <= {"big"} or path.name == "crypto.py"  # RFC 8032 has Ed25519 the other way round


def say_at(host: Host, text: str, time: int) -> None:
    """A message that claims a moment."""
    host.give(Submit(token=len(host.outputs), entry=message(text), time=Instant(time)))


def test_1_7_time_decides_neither_order_nor_state() -> None:
    """And 6.81: a time that goes back, or lies beyond every clock, is shown as it was claimed and refuses nothing."""
    line = Line()
    alpha, bravo = line.hosts
    claimed = [MAX_INSTANT, 0, MIN_INSTANT, 1_763_000_000_000, -1]
    for number, time in enumerate(claimed):
        say_at(alpha, f"number {number}", time)
    line.settle()
    shown = [each for each in bravo.shown() if each.lane.party == 0 and each.kind == Kind.MESSAGE]
    assert bravo.texts() == [f"number {number}" for number in range(5)]
    assert [each.time for each in shown] == claimed
    assert not bravo.noticed("refused-entry")
    assert not bravo.engine.peers[0].suspected
    assert alpha.engine.fold.digest() == bravo.engine.fold.digest()


def imported(path: Path) -> set[str]:
    """The top-level modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_1_12_random_values_come_from_the_operating_system_when_they_are_used() -> None:
    """No other generator is in the program; the pure layers have none, and ask whoever calls them each time."""
    generators = {"random", "numpy", "uuid", "secrets"} & set(sys.stdlib_module_names) | {"numpy"}
    for path in SOURCES:
        assert not imported(path) & generators
    for path in PURE:
        assert "urandom" not in path.read_text()


def test_1_12_a_clone_draws_other_secrets() -> None:
    """Two stations on one store: each successor generation has its own nonce and seed, drawn when it opens."""
    line = Line()
    alpha = line.hosts[0]
    opened = set()
    state = alpha.store.copy()
    for _ in range(3):
        alpha.mark = None
        alpha.restore(state)
        mine = alpha.engine.book.mine
        opened.add((mine.nonce, alpha.engine.book.named.get(0, mine).seed))
    assert len({nonce for nonce, _ in opened}) == len({seed for _, seed in opened}) == 3


TABLE = re.compile(r"^\| (\d+) \| ([a-z ]+) \|", re.MULTILINE)


def test_6_1_the_kinds_are_those_of_the_table_and_no_others() -> None:
    named = {int(number): name for number, name in TABLE.findall((ROOT / "spec/06-entries.md").read_text())}
    spoken = {"acknowledgement": "ack", "service message": "service", "attachment receipt": "attachment receipt"}
    assert {int(kind): kind.name.lower().replace("_", " ") for kind in Kind} == {
        number: spoken.get(name, name) for number, name in named.items()
    }


def test_6_15_service_messages_ask_for_nothing_and_stand_apart() -> None:
    line = Line()
    alpha, bravo = line.hosts
    entry: AnyEntry = Service(text="the technician is at the cable", language="en", sign="T1")
    assert {"precedence", "answer_by", "answers"}.isdisjoint(Service.__slots__)
    alpha.say(entry)
    line.settle()
    assert [each.entry for each in bravo.shown() if each.kind == Kind.SERVICE] == [entry]
    assert not bravo.texts()
    assert not list(bravo.engine.fold.open_messages())
    assert not bravo.engine.fold.waiting()
