"""Record a short line as this version speaks and keeps it.

    .venv/bin/python -m tests.spec.recorded NAME

writes tests/spec/recorded/NAME.json, and refuses to replace one: what a release wrote stays as it wrote it, and every
later version must read it (spec 16.6).
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from openline.kernel.envelope import Incoming
from openline.kernel.lane import Lane
from openline.protocol.delivery import Peer
from openline.protocol.engine import Engine
from openline.protocol.entries import Interim, Receipt, Role, Step
from openline.protocol.events import Now, Output
from openline.protocol.fields import Ref
from openline.protocol.frames import decode_content
from openline.protocol.open_epoch import Epoch
from tests.spec.line import Host, Line, message


def conversation(line: Line) -> None:
    """A little of everything."""
    alpha, bravo = line.hosts
    alpha.say(message("A question of some weight."))
    line.settle()
    at = alpha.shown()[-1] if alpha.shown()[-1].kind == 16 else next(s for s in reversed(alpha.shown()) if s.kind == 16)
    of = Ref(lane=at.lane.number, generation=at.lane.generation, index=at.row.index, leaf=at.row.nodes[0])
    now = line.now().wall
    bravo.say(Receipt(of=of, step=Step.READ, role=Role.WATCH_OFFICER, sign="KILO", at=now))
    bravo.say(
        Interim(of=of, until=type(now)(now + 3_600_000), role=Role.WATCH_OFFICER, sign="KILO", text="Under study.")
    )
    bravo.write(99, b"\x01 of a kind to come", urgent=False)
    bravo.write(16, b"\xff", urgent=False)
    line.settle()
    alpha.say(message("Ответ получен. 回答已收到。"))
    line.settle()


def lanes(host: Host) -> list[Lane]:
    return [state.lane for state in host.engine.book.all_states() if state.durable]


def recorded_lane(kept: Host, lane: Lane) -> dict[str, object]:
    """Rows and heads of one lane, as the store has them."""
    rows: list[list[object]] = []
    for row in kept.store.entries(lane, 0, 10_000):
        entry = row.entry
        parts = [part.hex() for part in (entry.kind, entry.time, entry.ack, entry.body, entry.secret)]
        rows.append([[node.hex() for node in row.nodes], *parts, row.refused])
    heads = kept.store.heads(lane, 0, 9_999)
    return {"rows": rows, "heads": [[h.head.size, h.head.root.hex(), h.ed25519.hex(), h.mldsa.hex()] for h in heads]}


def listening(contents: list[list[object]]) -> Callable[..., list[Output]]:
    """`Engine._open`, writing down every content that it is given."""
    opened = Engine._open

    def tap(self: Engine, peer: Peer, epoch: Epoch, envelope: bytes, now: Now) -> list[Output]:
        copy = Incoming(epoch.incoming.state)
        _, plain = copy.open(envelope)
        read = decode_content(self.terms.line, plain)
        contents.append([self.party, plain.hex(), [type(frame).__name__ for frame in read.frames]])
        return opened(self, peer, epoch, envelope, now)

    return tap


def record() -> dict[str, object]:
    """Everything that a later version may be asked to read."""
    contents: list[list[object]] = []
    line = Line(opened=False)
    opened = Engine._open
    Engine._open = listening(contents)  # type: ignore[method-assign]
    try:
        line.link_all()
        line.pass_time(2_000, step=250)
        conversation(line)
    finally:
        Engine._open = opened  # type: ignore[method-assign]
    kept = line.hosts[0]  # the other one wrote, on purpose, what its own station would not
    return {
        "terms": line.terms.raw.hex(),
        "cards": [card.raw.hex() for card in line.cards],
        "party": kept.party,
        "generations": [[p.party, str(p.generation), p.seed.hex()] for p in kept.store.generations()],
        "lanes": {lane.origin: recorded_lane(kept, lane) for lane in lanes(kept)},
        "state": kept.engine.fold.digest().hex(),
        "texts": kept.texts(),
        "contents": contents,
    }


if __name__ == "__main__":
    path = Path(__file__).with_name(f"{sys.argv[1]}.json")
    if path.exists():
        sys.exit(f"{path.name} is what a release wrote; it stays")
    path.write_text(json.dumps(record(), ensure_ascii=False, indent=1) + "\n")
