"""What a peer is told first: every generation known here, and what is held of it.

Spec: spec/07-delivery.md (7.20), spec/08-frames.md (8.3, 8.7).
"""

from openline.kernel.codec import encode
from openline.kernel.lane import Generation
from openline.protocol.frames import GenerationSeed, Held, frame_value
from openline.protocol.lanes import LaneBook
from openline.protocol.records import PutGeneration


def generation_frame(known: PutGeneration) -> bytes:
    """A generation as a frame."""
    seed = GenerationSeed(party=known.party, generation=known.generation, seed=known.seed, statement=known.statement)
    return encode(frame_value(seed))


def introductions(book: LaneBook) -> list[bytes]:
    """Every generation here and what is held of it: what a peer is told when an epoch opens."""
    frames = [
        generation_frame(book.named.get(party, generation))
        for party in range(len(book.terms.parties))
        for generation in book.generations(party)
        if not book.named.claimed(party, generation)  # what we only heard of is not ours to spread
    ]
    states = book.all_states()
    held = tuple((s.lane, s.durable) for s in states if not book.named.claimed(s.lane.party, s.lane.generation))
    frames.extend(encode(frame_value(Held(heads=held[start : start + 64]))) for start in range(0, len(held), 64))
    return frames


def reminders(book: LaneBook, party: int, introduced: Generation) -> list[bytes]:
    """What is held here of a party's later generations but that one: it forgets at a start those it was only told of."""
    others = [generation for generation in book.named.held(party) if generation.counter and generation != introduced]
    frames = [generation_frame(book.named.get(party, generation)) for generation in others]
    lanes = [book.state(book.lane(2 * party + low, generation)) for low in (0, 1) for generation in others]
    held = tuple((state.lane, state.durable) for state in lanes if state.durable)
    frames.extend(encode(frame_value(Held(heads=held[start : start + 64]))) for start in range(0, len(held), 64))
    return frames
