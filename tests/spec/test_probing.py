"""Probes of bearers and reports about them: spec 9.28, 10.3, 16.5."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.codec import encode
from openline.kernel.envelope import seal_handshake
from openline.kernel.units import Instant
from openline.protocol.events import Arrived
from openline.protocol.probing import MAX_BEARERS, End, Probe, Sort, opened, sealed
from openline.protocol.secrets import Secrets
from tests.spec.line import Line, message

END = End(bearer="serial-north", up=True, heard=Instant(2**40), delay_ms=2**31, lost_percent=100)
PROBE = Probe(sort=Sort.PROBE, nonce=bytes(8), time=Instant(2**40), ends=(END,) * MAX_BEARERS)


def entropy(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def pair(psk: bytes = bytes(32)) -> tuple[Secrets, Secrets]:
    return Secrets(bytes(32), 0, 1, [psk]), Secrets(bytes(32), 1, 0, [psk])


def test_9_28_a_probe_with_a_full_report_fits_the_smallest_envelope_and_opens_for_the_peer_alone() -> None:
    here, there = pair()
    [envelope] = sealed(here, PROBE, entropy)
    assert len(envelope) == 256
    assert opened(there, envelope) == PROBE
    assert opened(here, envelope) is None  # reflected
    assert opened(pair(b"\x01" * 32)[1], envelope) is None
    assert opened(there, envelope[:-1] + bytes((envelope[-1] ^ 1,))) is None


def test_9_28_more_bearers_than_a_report_holds_are_left_out() -> None:
    here, there = pair()
    [envelope] = sealed(here, replace(PROBE, ends=(END,) * 20), entropy)
    found = opened(there, envelope)
    assert found is not None
    assert len(found.ends) == MAX_BEARERS


@given(st.recursive(st.integers(0, 2**40) | st.binary(max_size=20), lambda inner: st.lists(inner, max_size=5)))
def test_9_28_what_is_out_of_shape_is_no_probe(value: object) -> None:
    here, there = pair()
    for sort in (25, 26, 27):
        content = encode([sort, bytes(8), 1, value])  # type: ignore[list-item]
        if len(content) < 200:
            found = opened(there, seal_handshake(here.all[0].outgoing, content, entropy))
            assert found is None or all(isinstance(end, End) for end in found.ends)


def test_9_28_a_name_in_a_report_does_nothing_on_a_screen() -> None:
    here, there = pair()
    content = encode([27, bytes(8), 1, [[b"\x1b[2J\xff tls", 1, 0, 0, 0]]])
    found = opened(there, seal_handshake(here.all[0].outgoing, content, entropy))
    assert found is not None
    assert found.ends[0].bearer == "2Jtls"


def test_16_5_a_program_that_knows_no_probes_drops_one_and_goes_on() -> None:
    line = Line()
    alpha, bravo = line.hosts
    peer = alpha.engine.peers[1]
    epoch = peer.epoch
    for envelope in sealed(peer.secrets, PROBE, alpha.entropy):
        bravo.give(Arrived(envelope))  # to the engine itself, as an older program would
    assert bravo.noticed("handshake-refused")
    alpha.say(message("and on"))
    line.settle()
    assert bravo.texts() == ["and on"]
    assert alpha.engine.peers[1].epoch is epoch
