"""The engine target: an authenticated peer that is hostile.

Two true engines with an epoch between them are brought to a point in their
conversation. From there the fuzzer is one of them: it hands the other any
envelope, any content under the true keys, any entry under its true signature,
any handshake message, and lets time pass.

Oracle: nothing is raised but what the door itself turns into a notice; what a
refused content leaves behind is nothing; the victim's own lanes are as they
were; and what the victim believes is what it reads back from its store when it
starts again: no refusal, and no acceptance, leaves the two apart.
"""

import fuzz.remembered  # noqa: F401 - for its effect
from fuzz.messages import every_entry, every_frame
from fuzz.target import Input, Run, part
from fuzz.trees import mutated
from openline.kernel.codec import encode
from openline.kernel.envelope import handshake_key, seal_handshake
from openline.kernel.errors import Refused
from openline.kernel.lane import Generation, Lane, leaf_of, sign_head
from openline.kernel.units import MAX_BODY
from openline.protocol import bodies, entries, frames
from openline.protocol.events import Arrived, Commit, Link, Noticed, Tick
from openline.protocol.records import Append, PutEvidence, PutGeneration, PutHead
from tests.spec.line import Host, Line, message, watch

RAW, CONTENT, ENTRY, HANDSHAKE, TIME, LINK, ANSWER = range(7)
MOST_OPS = 24


class Scene:
    """A line at a point of its conversation, and both sides' disks as they were then."""

    def __init__(self) -> None:
        self.line = Line(2)
        attacker, victim = self.line.hosts
        for host in (attacker, victim):
            host.say(message(f"Of {host.name}"))
            host.say(watch())
        self.line.settle()
        self.disks = [(host.store.copy(), host.mark, host.seed) for host in self.line.hosts]
        self.steady = self.line.steady

    def set(self) -> tuple[Host, Host]:
        """Both sides as they were, each in a new process."""
        self.line.under_way.clear()
        self.line.steady = self.steady
        for host, (disk, mark, seed) in zip(self.line.hosts, self.disks, strict=True):
            host.store.restore(disk)
            host.mark, host.seed = mark, seed
            host.outputs.clear()
            host.boot()
        self.line.link_all()
        self.line.under_way.clear()
        attacker, victim = self.line.hosts
        return attacker, victim


Lanes = dict[str, tuple[int, bytes]]


def _lanes(host: Host, *, own: bool) -> Lanes:
    """Own or others' lanes as the engine has them, those of which it holds anything."""
    return {
        str(state.lane): (state.size, state.root)
        for state in host.engine.book.all_states()
        if state.size and (state.lane.party == host.party) is own
    }


def _believed(host: Host) -> tuple[Lanes, Lanes, bytes]:
    return _lanes(host, own=True), _lanes(host, own=False), host.engine.fold.digest()


_WRITES = (Append, PutEvidence, PutGeneration, PutHead)


def _content(attacker: Host, victim: Host, content: bytes) -> None:
    """Any content under the true keys. If it is refused, only the envelope's own record may be written."""
    peer = attacker.engine.peers[victim.party]
    if peer.epoch is None:
        return
    if not peer.epoch.outgoing.left:
        peer.epoch.record_outgoing, keys = peer.epoch.outgoing.reserve()
        peer.epoch.outgoing.free(keys)
    before = _believed(victim)
    outputs = victim.give(Arrived(peer.epoch.outgoing.seal(content)[1]))
    if any(isinstance(each, Noticed) and each.what == "envelope-refused" for each in outputs):
        assert _believed(victim) == before, "a refused envelope changed what is believed"
        written = [write for each in outputs if isinstance(each, Commit) for write in each.writes]
        assert not any(isinstance(write, _WRITES) for write in written), "a refused envelope wrote"


def _entry(attacker: Host, victim: Host, data: bytes) -> None:
    """An entry of any kind and body, signed into the attacker's own lane and sent as it sends."""
    given = Input(data)
    urgent, kind, body = bool(given.number()), given.number(2), given.rest()[:MAX_BODY]
    attacker.write(kind, body, urgent=urgent)
    for sender, sent in list(attacker.line.under_way):
        if sender == attacker.party:
            victim.give(Arrived(sent.envelope))
    attacker.line.under_way.clear()


def _step(attacker: Host, victim: Host, kind: int, data: bytes) -> None:
    match kind % 7:
        case 0:
            victim.give(Arrived(data))
        case 1:
            _content(attacker, victim, data)
        case 2:
            _entry(attacker, victim, data)
        case 3:
            psk = attacker.line.psks(attacker.party)[victim.party]
            key = handshake_key(psk, attacker.line.terms.line, attacker.party, victim.party)
            victim.give(Arrived(seal_handshake(key, data[:16_000], attacker.entropy)))
        case 4:
            victim.line.steady += int.from_bytes(data[:3], "big") % 100_000
            victim.give(Tick())
        case 5:
            size = (0, 256, 1_024, 16_384)[data[0] % 4 if data else 0]
            victim.give(Link(party=attacker.party, largest=size, smallest=size))
        case _:
            for sender, sent in list(victim.line.under_way):  # what the victim has said so far reaches the attacker
                if sender == victim.party:
                    attacker.give(Arrived(sent.envelope))


def make_engine() -> Run:
    """Operations: a byte that says which, then a part."""
    scene = Scene()

    def run(data: bytes) -> None:
        attacker, victim = scene.set()
        before, _, _ = _believed(victim)
        given = Input(data)
        for _ in range(MOST_OPS):
            if not given:
                break
            _step(attacker, victim, given.number(), given.part())
        own, others, state = _believed(victim)
        assert all(own[lane][0] >= size for lane, (size, _) in before.items()), "an own lane became shorter"
        refused = victim.noticed("envelope-refused") or victim.noticed("handshake-refused")
        victim.boot()
        own_again, others_again, state_again = _believed(victim)
        assert others_again == others, "what is held of others is not what the store has"
        # A new process may acknowledge at once what the old one still waited with.
        assert own_again == own or all(own_again[lane][0] >= own[lane][0] for lane in own)
        assert own_again != own or state_again == state, "the state in memory is not that of the store"
        if refused:
            raise Refused("something was refused")

    return run


def mutate_engine(data: bytes, largest: int, seed: int) -> bytes:
    """Operations moved, doubled and dropped; contents changed as values."""
    given = Input(data)
    operations: list[tuple[int, bytes]] = []
    while given and len(operations) < MOST_OPS:
        operations.append((given.number(), given.part()))
    place = seed % (len(operations) or 1)
    match seed // 32 % 8:
        case 0:
            operations.append((CONTENT, _some_content(seed)))
        case 1:
            operations.append((ENTRY, _some_entry(seed)))
        case 2 if operations:
            del operations[place]
        case 3 if operations:
            operations.insert(0, operations[place])
        case 4:
            operations.append((seed // 256 % 7, seed.to_bytes(8, "big")[-3:]))
        case _ if operations:
            kind, body = operations[place]
            head = 3 if kind % 7 == ENTRY else 0
            operations[place] = kind, body[:head] + mutated(body[head:], 16_000, seed)
    changed = b"".join(bytes((kind,)) + part(body[:65_535]) for kind, body in operations)
    return changed if len(changed) <= largest else data


def _some_content(seed: int) -> bytes:
    made = list(every_frame().values())
    return frames.encode_content(0, 0, [encode(frames.frame_value(made[seed // 256 % len(made)]))])


def _some_entry(seed: int) -> bytes:
    said = every_entry()
    entry = said[seed // 256 % len(said)]
    return bytes((seed & 1,)) + entries.kind_of(entry).to_bytes(2, "big") + bodies.encode_body(entry)


def _recorded() -> list[bytes]:
    """What the attacker could truly say: its lanes in full, their seeds and heads."""
    attacker, _ = Scene().set()
    book, known = attacker.engine.book, next(g for g in attacker.store.generations() if g.party == attacker.party)
    made: list[frames.Frame] = [
        frames.GenerationSeed(party=known.party, generation=known.generation, seed=known.seed, statement=b"")
    ]
    for urgent in (True, False):
        state = book.own(urgent=urgent)
        rows = attacker.store.entries(state.lane, 0, state.size)
        signed = sign_head(attacker.signer, state.head())
        items = tuple((leaf_of(state.lane, row.index, row.entry), row.entry) for row in rows)
        later = Lane(state.lane.line, state.lane.number, Generation(state.lane.generation.counter + 1, bytes(8)))
        made += [
            frames.FullEntries(lane=state.lane, first=0, items=items, signature=signed.ed25519),
            frames.HeadNote(signed=signed),
            frames.Want(lane=state.lane, first=0, full=True),
            frames.Want(lane=later, first=0, full=True),
            frames.Held(heads=((state.lane, state.size + 5), (later, 3))),
        ]
    return [frames.encode_content(0, 0, [encode(frames.frame_value(frame))]) for frame in made]


def seeds_engine() -> dict[str, bytes]:
    made = {f"content-{n}": bytes((CONTENT,)) + part(each) for n, each in enumerate(_recorded())}
    made |= {
        f"frame-{name}": bytes((CONTENT,)) + part(frames.encode_content(0, 0, [encode(frames.frame_value(frame))]))
        for name, frame in every_frame().items()
    }
    for n, entry in enumerate(every_entry()):
        body = entries.kind_of(entry).to_bytes(2, "big") + bodies.encode_body(entry)
        made[f"entry-{n:02}"] = bytes((ENTRY,)) + part(bytes((n & 1,)) + body) + bytes((ANSWER, 0, 0))
    made["handshake"] = bytes((HANDSHAKE,)) + part(encode([24, 1, 7, 1])) + bytes((TIME,)) + part(b"\1\0\0")
    made["link"] = (
        bytes((LINK,)) + part(b"\1") + bytes((RAW,)) + part(b"\1" + bytes(255)) + bytes((TIME,)) + part(b"\0\xff\xff")
    )
    return made
