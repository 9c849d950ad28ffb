"""What the fold keeps of calls, and what is void (spec 6.73, 17.3, 17.16)."""

from hashlib import sha256

from openline.kernel.codec import Value, encode
from openline.kernel.lane import GENERATION_ZERO
from openline.protocol import call_entries as c
from openline.protocol.fields import Ref
from tests.spec.call_samples import RING, hang_up, minutes, refusal, word
from tests.spec.test_transcript import LATER, LINE, OFFICER, World, message, void


def test_6_73_rings_and_minutes_have_their_marks() -> None:
    world = World()
    first = world.write(0, RING)
    world.write(1, refusal(first))
    world.write(0, hang_up(first))
    second = world.write(0, RING)
    world.write(1, c.PickUp(of=second, language="en", role=OFFICER, sign="K7", fingerprint=bytes(32)))
    world.write(1, hang_up(second))
    draft = world.write(1, minutes(second, None, 2))
    world.write(0, word(draft, [True, True]))
    world.write(0, word(draft, [True, False]))
    no, empty = bytes(8), [b"", b"", [], []]
    one = [b"", b""]
    lanes: list[Value] = [
        [
            [0, 0, no, 5, 0, 0, {25: 2, 29: 1, 32: 2}], empty, one,
            {3: [bytes(8) + bytes(7) + b"\x02", bytes((1, 2, 0, 1 + 4))]},
        ],
        [
            [2, 0, no, 4, 0, 0, {26: 1, 27: 1, 29: 1, 31: 1}], empty, one,
            {4: [bytes(7) + b"\x03", bytes((1 + 2, 4 * 2))]},
        ],
    ]  # fmt: skip
    state: list[Value] = [LINE, LINE, [None, None], [], lanes]
    assert world.fold().digest() == sha256(b"openline/1 state\n" + encode(state)).digest()


def test_17_3_a_second_ring_is_void_until_the_first_is_hung_up_in_its_own_lane() -> None:
    world = World()
    first = world.write(0, RING)
    second = world.write(0, RING)
    world.write(1, refusal(second))  # names what is void: void itself
    world.write(1, hang_up(first))  # the other party's word ends no ring of this one's lane
    world.write(0, RING)
    world.write(0, hang_up(first), LATER)  # nor what stands in another generation
    world.write(0, RING)
    assert void(world.fold()) == 4
    world.write(0, hang_up(first))
    world.write(0, RING)
    assert void(world.fold()) == 4


def test_17_3_own_rings_strangers_and_other_things_are_not_picked_up() -> None:
    world = World()
    own = world.write(0, RING)
    world.write(0, refusal(own))
    text = world.write(1, message())
    world.write(0, hang_up(text))
    world.write(0, minutes(text, None, 1))
    world.write(1, refusal(Ref(lane=9, generation=GENERATION_ZERO, index=0, leaf=bytes(32))))
    assert void(world.fold()) == 4


def test_17_16_a_word_on_another_number_of_clauses_or_on_own_minutes_is_void() -> None:
    world = World()
    ring = world.write(0, RING)
    draft = world.write(0, minutes(ring, None, 2))
    world.write(1, word(draft, [True]))
    world.write(0, word(draft, [True, True]))
    world.write(1, minutes(ring, ring, 1))  # replaces something that is no minutes
    assert void(world.fold()) == 3
