"""Parties that lie with their own keys: real engines with a hand on their shoulder, and frames made by hand.

A liar holds one party's lane key and pairing secrets, runs the real engine so
that its handshakes succeed and its envelopes open, and then says what it
likes. Everything that honest stations do about it is checked as ever.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from openline.kernel.codec import Value, encode
from openline.kernel.crypto import Signer
from openline.kernel.envelope import MAX_CONTENT, seal_handshake
from openline.kernel.lane import Entry, Generation, Head, Lane, SignedHead, extend, sign_head
from openline.kernel.merkle import Peaks, peaks_at
from openline.kernel.units import Instant
from openline.protocol.acknowledgements import AckItem
from openline.protocol.delivery import Peer
from openline.protocol.drafts import Draft
from openline.protocol.engine import Engine
from openline.protocol.entries import Unknown
from openline.protocol.events import Transmit
from openline.protocol.frames import (
    ChunkWant,
    Entries,
    Fragment,
    Frame,
    FullAck,
    FullEntries,
    GenerationSeed,
    HeadNote,
    Held,
    Last,
    ShortAck,
    Want,
    WireEntry,
    frame_value,
)
from openline.protocol.lane_state import LaneState
from openline.protocol.records import EntryRow, Mark
from tests.sim.memory_store import State
from tests.sim.station import Station

if TYPE_CHECKING:
    from tests.sim.world import World


def place_liars(world: "World") -> None:
    """Let a liar take a place on the line, if the profile has one."""
    for lie in world.profile.lies:
        party = world.dice("liars").randrange(world.parties)
        station = world.stations[party]
        station.honest = False
        _LIARS[lie](world, station)


def _often(world: "World", a_minute: float, act: Callable[[Random], None]) -> None:
    """Do something at random moments until healing."""
    dice, at = world.dice("liars"), 0.0
    while (at := at + dice.expovariate(a_minute / 60_000)) < world.profile.chaos_ms:
        world.at(int(at), act, dice)


# --- two histories ---


def _two_faces(world: "World", station: Station) -> None:
    """One history to one peer and another to the other, from the same beginning."""
    if world.parties < 3:
        return _rewinds(world, station)
    others = [party for party in range(world.parties) if party != station.party]
    face = Station(world, station.record, station.signer, station.psks, face=1)
    face.honest = False
    world.faces[station.party, others[0]] = station
    world.faces[station.party, others[1]] = face
    station.boot()
    world.run(200)
    face.store.restore(station.store.copy())
    face.mark = station.mark
    face.boot()
    world.count("lie: two faces")
    return None


def _rewinds(world: "World", station: Station) -> None:
    """A machine put back with its mark: to every peer, one history after another."""
    kept: list[tuple[State, Mark | None]] = []

    def keep(dice: Random) -> None:
        if station.engine is not None:
            kept.append((station.store.copy(), station.mark))

    def rewind(dice: Random) -> None:
        if not kept or station.engine is None:
            return
        state, mark = dice.choice(kept)
        state = state.copied()
        state.peers = station.store.copy().peers  # its epochs go on: nobody sees a new handshake
        station.restore(state, mark=True)
        station.mark = mark
        world.fault("lie: rewound", station)

    _often(world, 2, keep)
    _often(world, 0.5, rewind)


# --- acknowledgements ---


def _acknowledging(world: "World", station: Station, change: Callable[[AckItem, Random], AckItem]) -> None:
    def hand(engine: Engine) -> None:
        honest, dice = engine.book.ack_items, world.dice("liars")

        def items(*, urgent: bool) -> tuple[AckItem, ...]:
            given = honest(urgent=urgent)
            if world.healed or dice.random() < 0.5:
                return given
            world.count("lie: acknowledgement")
            return tuple(change(item, dice) for item in given)

        engine.book.ack_items = items  # type: ignore[method-assign]

    station.after_boot = hand


def _blind(world: "World", station: Station) -> None:
    """Claims sizes and roots that it does not hold."""

    def change(item: AckItem, dice: Random) -> AckItem:
        size = item.size + dice.choice((0, 1, 5, 10**6))
        return replace(item, size=size, root=dice.choice((item.root, dice.randbytes(32))))

    _acknowledging(world, station, change)


def _regresses(world: "World", station: Station) -> None:
    """Says it holds less than it said before."""
    roots: dict[tuple[int, Generation], list[AckItem]] = {}

    def change(item: AckItem, dice: Random) -> AckItem:
        seen = roots.setdefault((item.lane, item.generation), [])
        seen.append(item)
        return dice.choice(seen)

    _acknowledging(world, station, change)


# --- silence ---


def _withholds(world: "World", station: Station) -> None:
    """Keeps its entries, full forms, acknowledgements or everything from somebody."""
    dice = world.dice("liars")
    victim = dice.choice([party for party in range(world.parties) if party != station.party])
    what: type | None = dice.choice((None, Entries, FullEntries, Want, Held, GenerationSeed, HeadNote))

    def rewrite(sent: Transmit) -> list[Transmit]:
        if world.healed or sent.party != victim:
            return [sent]
        if what is not None:
            heard = world.tap.open(station.party, sent.party, sent.envelope)
            if heard is None or not any(isinstance(frame, what) for frame in heard.content.frames):
                return [sent]
        world.count("lie: withheld")
        return []

    station.rewrites = rewrite


# --- poison ---


def _poisons(world: "World", station: Station) -> None:
    """Entries whose leaf commits to other bytes than it gives, bodies that nobody can decode, kinds out of place."""

    def hand(engine: Engine) -> None:
        honest, dice = engine.book.append_own, world.dice("liars")

        def append_own(
            state: LaneState, drafts: Sequence[tuple[int, Instant, bytes]], ack: bytes
        ) -> tuple[EntryRow, ...]:
            if world.healed or dice.random() < 0.6 or not state.size:
                return honest(state, drafts, ack)
            world.count("lie: poisoned leaf")
            rows = []
            for draft in drafts:
                row = honest(state, [draft], ack)[0]
                rows += _poisoned(engine, state, row.entry, dice) if dice.random() < 0.5 else [row]
            return tuple(rows)

        engine.book.append_own = append_own  # type: ignore[method-assign]

    def garbage(dice: Random) -> None:
        if station.engine is not None and not world.healed:
            world.count("lie: undecodable body")
            urgent = dice.random() < 0.5
            kind = dice.choice((1, 2, 3, 4, 5, 6, 8, 9, 10, 16, 17, 20, 21))
            body = dice.choice((b"\xff\xff", b"", b"\xa0", dice.randbytes(40), encode({0: dice.randbytes(12_000)})))
            draft = Draft(
                token=None, urgent=urgent, entry=Unknown(kind=kind, raw=b""), body=body, time=station.now().wall
            )
            station.engine._drafts._waiting.append(draft)

    station.after_boot = hand
    _often(world, 6, garbage)


def _poisoned(engine: Engine, state: LaneState, entry: Entry, dice: Random) -> list[EntryRow]:
    """The last entry of a lane once more, with a leaf of other fields than the row keeps and sends."""
    field = dice.choice(("body", "kind", "time", "ack", "secret"))
    other = replace(
        entry, **{field: dice.randbytes(32) if field == "secret" else dice.choice((b"\xff", encode([1]), b""))}
    )
    # Undo in memory what was appended, then append a leaf of the other fields under the same index.
    state.recent.pop()
    state.roots.pop(state.peaks.size)
    state.peaks = _peaks_before(engine, state)
    extension = extend(state.lane, state.peaks, [other])
    row = replace(state.grow(extension, [entry], [False])[0], unopened=extension.leaves[0][0])
    state.recent[-1] = row
    return [row]


def _peaks_before(engine: Engine, state: LaneState) -> Peaks:
    size = state.peaks.size - 1
    rows = {row.index: row for row in state.recent}

    def node(level: int, place: int) -> bytes:
        index = ((place + 1) << level) - 1
        row = rows.get(index)
        return row.nodes[level] if row is not None else engine.book.reader.node(state.lane, level, place)

    return peaks_at(size, node)


# --- noise inside good envelopes ---


def _say(world: "World", station: Station, peer: Peer, frames: list[bytes]) -> None:
    """Seal anything to a peer, as the engine would."""
    if (
        peer.epoch is None
        or not peer.epoch.outgoing.left
        or sum(map(len, frames)) > MAX_CONTENT - 40
        or len(frames) > 200
    ):
        return
    if peer.epoch.outgoing.index - peer.first_unopened > 900:
        return
    sent = peer.seal(frames, station.now().steady, precedence=1, bulk=False, kept=False)
    world.carry(station, sent)


def _garbles(world: "World", station: Station) -> None:
    """Malformed, giant, nested, contradictory frames, and handshake messages out of nowhere."""

    def noise(dice: Random) -> None:
        engine = station.engine
        if engine is None or world.healed:
            return
        peer = dice.choice(list(engine.peers.values()))
        if dice.random() < 0.3:
            world.count("lie: handshake noise")
            message = _handshake_noise(engine, peer, dice)
            envelope = seal_handshake(peer.secrets.all[0].outgoing, message[:16_000], station.entropy)
            world.carry(station, Transmit(party=peer.party, envelope=envelope, precedence=1))
            return
        world.count("lie: garbled frames")
        _say(world, station, peer, [_noise(world, engine, dice) for _ in range(dice.choice((1, 1, 3, 60)))])

    _often(world, 60, noise)


def _key(engine: Engine) -> Signer:
    """The lane key that the liar's engine speaks by."""
    found = engine.book.signer(engine.book.mine)
    assert found is not None
    return found


def _handshake_noise(engine: Engine, peer: Peer, dice: Random) -> bytes:
    signer = _key(engine)
    if dice.random() < 0.4:
        return dice.choice(
            (b"", b"\xff", dice.randbytes(300), encode([dice.randrange(30)]), encode([9, 1, 2, 1, b"x"]))
        )
    kind, attempt = (
        dice.randrange(19, 26),
        dice.choice((0, 1, peer.handshake.attempt, peer.handshake.attempt + 1, 2**32 - 1)),
    )
    members: list[Value] = [
        kind,
        attempt,
        dice.choice((0, 1, b"", dice.randbytes(32))),
        dice.randbytes(dice.choice((32, 1_168, 1_216))),
    ]
    members += [dice.choice(([], dice.randbytes(1_168)))] * dice.randrange(3)
    return encode([*members, signer.ed25519(dice.randbytes(8))])


def _noise(world: "World", engine: Engine, dice: Random) -> bytes:
    """One frame, encoded: any type, any members."""
    match dice.randrange(10):
        case 0:
            return encode([dice.randrange(14), *[_member(dice) for _ in range(dice.randrange(8))]])
        case 1:
            data = bytearray(encode(frame_value(_frame(world, engine, dice))))
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            return bytes(data)
        case 2:
            return dice.choice((b"\xff", b"\x9f", b"\x9b" + b"\xff" * 8, b"\x81" * 500 + b"\x00", b"\xfb" + bytes(8)))
        case 3:
            parts = dice.choice((1, 3, 512))
            inner = encode([frame_value(_frame(world, engine, dice))])
            return encode(
                frame_value(Fragment(stream=dice.randrange(6), part=dice.randrange(parts), parts=parts, data=inner))
            )
        case _:
            return encode(frame_value(_frame(world, engine, dice)))


def _member(dice: Random) -> Value:
    return dice.choice(
        (0, 1, -1, 2**63, 2**48, b"", dice.randbytes(32), dice.randbytes(64), "text", [], [[]], {}, {0: 1}, None, True)
    )


def _lane(world: "World", dice: Random) -> Lane:
    generation = dice.choice((Generation(0, bytes(8)), Generation(dice.randrange(1, 2**32), dice.randbytes(8))))
    return Lane(world.line, dice.randrange(2 * world.parties + 1), generation)


def _frame(world: "World", engine: Engine, dice: Random) -> Frame:
    """A frame that decodes, and lies."""
    lane, size = _lane(world, dice), dice.choice((0, 1, 5, 200, 2**47))
    match dice.randrange(9):
        case 0:
            return Want(lane=lane, first=size, full=dice.random() < 0.5)
        case 1:
            return Held(
                heads=tuple((_lane(world, dice), dice.choice((0, 3, 2**47))) for _ in range(dice.choice((1, 50))))
            )
        case 2:
            return GenerationSeed(
                party=dice.randrange(world.parties),
                generation=lane.generation,
                seed=dice.randbytes(32),
                statement=dice.choice((b"", b"\x83")),
            )
        case 3:
            return ChunkWant(attachment=dice.randbytes(32), first=dice.randrange(99), count=dice.choice((1, 65_000)))
        case 4:
            return Last(attempt=dice.randrange(1, 5), index=dice.choice((0, 5, 2**47)))
        case 5:
            state = engine.book.own(urgent=dice.random() < 0.5)
            return HeadNote(signed=_own_head(engine, state, dice))
        case 6:
            leaf, entry = (
                dice.randbytes(197),
                Entry(kind=b"\x10", time=b"\x00", ack=b"\x80", body=b"\xa0", secret=dice.randbytes(32)),
            )
            return FullEntries(
                lane=lane, first=size, items=((leaf, entry),) * dice.choice((1, 20)), signature=dice.randbytes(64)
            )
        case _:
            ack = dice.choice(
                (
                    None,
                    (),
                    (ShortAck(lane=0, counter=0, size=size),),
                    (FullAck(lane=lane, size=size, root=bytes(32), refused=(1, 0)),),
                )
            )
            item = WireEntry(
                kind=dice.choice((0, 3, 16, 65_535)), delta=dice.choice((0, -(2**48), 2**48)), ack=ack, body=b"\xa0"
            )
            own = dice.choice((2 * engine.party, 2 * engine.party + 1, lane.number))
            held = engine.book.own(urgent=True).size
            return Entries(
                lane=own,
                counter=dice.choice((0, 1)),
                first=dice.choice((size, held)),
                items=(item,),
                signature=dice.randbytes(64),
            )


def _own_head(engine: Engine, state: LaneState, dice: Random) -> SignedHead:
    """A head of its own lane under its own key, of a root that no history has."""
    root = dice.choice((state.root, dice.randbytes(32)))
    return sign_head(_key(engine), Head(lane=state.lane, size=dice.choice((state.size, state.size + 3, 1)), root=root))


def _wrong_seeds(world: "World", station: Station) -> None:
    """Tells wrong seeds, of itself and of others, and generations that nobody opened."""

    def tell(dice: Random) -> None:
        engine = station.engine
        if engine is None or world.healed:
            return
        world.count("lie: seeds")
        frames = []
        for _ in range(dice.choice((1, 10, 80))):
            party = dice.randrange(world.parties)
            known = list(engine.book.generations(party))
            new = Generation(dice.choice((1, 2, 3, 2**32 - 1)), dice.randbytes(8))
            generation = dice.choice([*known, new])
            frames.append(
                encode(
                    frame_value(
                        GenerationSeed(party=party, generation=generation, seed=dice.randbytes(32), statement=b"")
                    )
                )
            )
        _say(world, station, dice.choice(list(engine.peers.values())), frames)

    _often(world, 20, tell)


def _greedy(world: "World", station: Station) -> None:
    """Asks for everything, again and again, in full; claims to hold everything; and fills its own lanes."""

    def ask(dice: Random) -> None:
        engine = station.engine
        if engine is None or world.healed:
            return
        world.count("lie: greed")
        peer = dice.choice(list(engine.peers.values()))
        frames: list[Frame] = [Want(lane=state.lane, first=0, full=True) for state in engine.book.all_states()]
        frames.append(
            Held(heads=tuple((state.lane, dice.choice((0, state.size + 10**6))) for state in engine.book.all_states()))
        )
        frames += [ChunkWant(attachment=dice.randbytes(32), first=0, count=65_535)] * 20
        _say(world, station, peer, [encode(frame_value(frame)) for frame in frames])

    _often(world, 30, ask)


_LIARS: dict[str, Callable[["World", Station], None]] = {
    "two-faces": _two_faces,
    "rewinds": _rewinds,
    "blind": _blind,
    "regresses": _regresses,
    "withholds": _withholds,
    "poisons": _poisons,
    "garbles": _garbles,
    "wrong-seeds": _wrong_seeds,
    "greedy": _greedy,
}
