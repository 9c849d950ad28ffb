"""Spec 5: heads as C2SP signed notes, read strictly, with the owner's two keys and no others."""

from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openline.kernel.crypto import digest
from openline.kernel.errors import Foreign, Forged, Malformed, Refused, TooLarge
from openline.kernel.lane import Generation, Head, Lane, key_id, note, parse_note, sign_head, split_note, vkeys
from openline.kernel.units import MAX_NOTE, MAX_SEQ, MAX_SIGNATURES
from tests.spec.parties import LANES, LINE, OWNER, ZERO, lane, signed_head, signer

LANE = lane()
SIGNED = signed_head(LANE, 5, milestone=True)
NOTE = note(SIGNED, OWNER.public)
TEXT, SIGNATURES = NOTE.split(b"\n\n")
ED_LINE, ML_LINE = (line + b"\n" for line in SIGNATURES.split(b"\n")[:2])
PLAIN = TEXT + b"\n\n" + ED_LINE


def test_5_1_a_text_is_three_lines() -> None:
    head = Head(lane=Lane(b"\xaa" * 32, 0, ZERO), size=6, root=bytes(32))
    assert head.text() == b"aa" * 32 + b"/0.0\n6\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"


def test_5_2_the_key_id_of_the_example_is_true() -> None:
    """Of the Ed25519 key of the seed of 32 zero bytes."""
    key = bytes.fromhex("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29")
    name = "aa" * 32 + "/0.0"
    assert key_id(name, 1, key).hex() == "85a7d478"
    assert key_id(name, 1, key) == digest(name.encode() + b"\n\x01" + key)[:4]


def test_5_2_the_example_of_signed_note_has_our_key_id() -> None:
    """The Go checksum database's key, known to everybody: sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8."""
    from base64 import b64decode

    material = b64decode("Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")
    assert key_id("sum.golang.org", material[0], material[1:]).hex() == "033de0ae"


@given(st.integers(0, 31), st.builds(Generation, st.integers(1, 2**32 - 1), st.binary(min_size=8, max_size=8)))
def test_5_3_an_origin_is_at_most_95_bytes(number: int, generation: Generation) -> None:
    origin = Lane(LINE, number, generation).origin
    assert origin == f"{LINE.hex()}/{number}.{generation}"
    assert len(origin) <= 95
    assert len(Lane(LINE, 31, Generation(2**32 - 1, b"\xff" * 8)).origin) == 95


def test_5_4_the_cosigned_message_is_that_of_tlog_cosignature() -> None:
    name = LANE.origin.encode()
    head = SIGNED.head
    assert head.cosigned() == (
        b"subtree/v1\n\x00" + bytes([len(name)]) + name + bytes(8) + bytes([len(name)]) + name
        + bytes(8) + (5).to_bytes(8, "big") + head.root
    )  # fmt: skip
    OWNER.public.mldsa(SIGNED.mldsa, head.cosigned())


def test_5_5_a_note_has_one_form_and_reads_back() -> None:
    assert parse_note(NOTE, LANE, OWNER.public) == SIGNED
    assert note(parse_note(NOTE, LANE, OWNER.public), OWNER.public) == NOTE
    assert parse_note(PLAIN, LANE, OWNER.public) == replace(SIGNED, mldsa=b"")
    assert ED_LINE.startswith(f"— {LANE.origin} ".encode())
    name, identity, material = vkeys(LANE.origin, OWNER.public)[1].split("+", 2)
    assert (name, len(identity), len(material)) == (LANE.origin, 8, 1_752)


def signature_line(name: str, content: bytes) -> bytes:
    return f"— {name} {b64encode(content).decode()}\n".encode()


def test_5_6_other_keys_signatures_are_ignored() -> None:
    others = signature_line("witness.example/w1", b"abcd" + bytes(72)) + signature_line(
        LANE.origin, b"abcd" + bytes(64)
    )
    for data in (NOTE + others, TEXT + b"\n\n" + others + ED_LINE):
        assert parse_note(data, LANE, OWNER.public).head == SIGNED.head


def test_5_6_a_note_needs_its_owners_ed25519_signature() -> None:
    stranger = signer("stranger")
    for data in (
        TEXT + b"\n\n" + ML_LINE,
        TEXT + b"\n\n" + signature_line("witness.example/w1", b"abcd" + bytes(72)),
        note(sign_head(stranger, SIGNED.head, milestone=True), stranger.public),
        note(sign_head(stranger, SIGNED.head), OWNER.public),
    ):
        with pytest.raises(Forged):
            parse_note(data, LANE, OWNER.public)


def test_5_6_signatures_are_an_and() -> None:
    """A good Ed25519 signature does not excuse a bad ML-DSA-44 one, nor the other way."""
    identity = key_id(LANE.origin, 6, OWNER.public.mldsa_key)
    stamp = (1).to_bytes(8, "big")
    for line in (
        signature_line(LANE.origin, identity + bytes(8) + bytes(2_420)),
        signature_line(LANE.origin, identity + bytes(8) + SIGNED.mldsa[:-1]),
        signature_line(LANE.origin, identity + bytes(8) + SIGNED.mldsa + b"\x00"),
        signature_line(LANE.origin, identity + stamp + SIGNED.mldsa),
        signature_line(LANE.origin, identity + b"\x00"),
        signature_line(LANE.origin, identity + bytes(8)),
        signature_line(LANE.origin, identity + bytes(8) + signer("x").mldsa(SIGNED.head.cosigned())),
        signature_line(LANE.origin, identity + bytes(8) + OWNER.mldsa(replace(SIGNED.head, size=4).cosigned())),
    ):
        with pytest.raises(Forged):
            parse_note(TEXT + b"\n\n" + ED_LINE + line, LANE, OWNER.public)
    bad_ed = signature_line(LANE.origin, key_id(LANE.origin, 1, OWNER.public.ed25519_key) + bytes(64))
    with pytest.raises(Forged):
        parse_note(TEXT + b"\n\n" + bad_ed + ML_LINE, LANE, OWNER.public)


@pytest.mark.parametrize("other", [lane(1), lane(0, Generation(1, bytes(8))), Lane(bytes(32), 0, ZERO)])
def test_5_6_a_note_of_another_lane_is_foreign(other: Lane) -> None:
    with pytest.raises(Foreign):
        parse_note(NOTE, other, OWNER.public)
    with pytest.raises(Foreign):
        parse_note(note(sign_head(OWNER, replace(SIGNED.head, lane=other)), OWNER.public), LANE, OWNER.public)


def signed_text(text: bytes) -> bytes:
    """Any text, truly signed by the owner: what is refused then is refused for its form."""
    return (
        text
        + b"\n"
        + signature_line(LANE.origin, key_id(LANE.origin, 1, OWNER.public.ed25519_key) + OWNER.ed25519(text))
    )


ROOT64 = b64encode(SIGNED.head.root)
ORIGIN = LANE.origin.encode()


@pytest.mark.parametrize(
    "text",
    [
        ORIGIN + b"\n05\n" + ROOT64 + b"\n", ORIGIN + b"\n+5\n" + ROOT64 + b"\n", ORIGIN + b"\n-5\n" + ROOT64 + b"\n",
        ORIGIN + b"\n5 \n" + ROOT64 + b"\n", ORIGIN + b"\n5_0\n" + ROOT64 + b"\n", ORIGIN + b"\n\n" + ROOT64 + b"\n",
        ORIGIN + "\n\u0665\n".encode() + ROOT64 + b"\n", ORIGIN + b"\n0x5\n" + ROOT64 + b"\n",
        ORIGIN + b"\n" + str(MAX_SEQ + 1).encode() + b"\n" + ROOT64 + b"\n",
        ORIGIN + b"\n" + b"9" * 5_000 + b"\n" + ROOT64 + b"\n",
        ORIGIN + b"\n5\n" + ROOT64[:-1] + b"\n", ORIGIN + b"\n5\n" + ROOT64 + b"=\n", ORIGIN + b"\n5\n" + ROOT64[:-4] + b"\n",
        ORIGIN + b"\n5\n" + b64encode(bytes(31)) + b"\n", ORIGIN + b"\n5\n" + b64encode(bytes(33)) + b"\n",
        ORIGIN + b"\n5\n" + b64encode(bytes(32))[:-2] + b"B=\n",  # stray bits in the last digit
        ORIGIN + b"\n5\n" + ROOT64[:4] + b" " + ROOT64[4:] + b"\n", ORIGIN + b"\n5\n" + "é".encode() + b"\n",
        ORIGIN + b"\n5\n" + ROOT64 + b"\nextension\n", ORIGIN + b"\n5\n", ORIGIN + b"\n5\n" + ROOT64 + b"\n\n",
        ORIGIN + b"\n5\n" + ROOT64.replace(b"+", b"-").replace(b"/", b"_") + b"!\n",
    ],
)  # fmt: skip
def test_5_6_another_form_of_the_text_is_refused_though_its_owner_signed_it(text: bytes) -> None:
    with pytest.raises((Malformed, Foreign)):
        parse_note(signed_text(text), LANE, OWNER.public)


def test_5_6_the_largest_size_is_read() -> None:
    head = Head(lane=LANE, size=MAX_SEQ, root=bytes(32))
    assert parse_note(note(sign_head(OWNER, head), OWNER.public), LANE, OWNER.public).head == head


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"\n\n", TEXT, TEXT + b"\n", TEXT + b"\n\n", PLAIN[:-1], PLAIN + b"\n", TEXT + b"\n" + ED_LINE,
        PLAIN.replace(b"\n", b"\r\n"), PLAIN.replace(b"\n5\n", b"\n5\t\n"), b"\xef\xbb\xbf" + PLAIN, PLAIN + b"\xff",
        PLAIN.replace("—".encode(), b"-"), PLAIN.replace("— ".encode(), "—  ".encode()), PLAIN + b"more\n",
        PLAIN + ED_LINE, PLAIN[:-2] + b"\n", PLAIN[:-1] + b"=\n", PLAIN + "— a+b AAAAAAA=\n".encode(),
        PLAIN + "—  AAAAAAA=\n".encode(), PLAIN + "— w AAAA\n".encode(), PLAIN + "— w AAAAAAB=\n".encode(),
        PLAIN + "— w \n".encode(), PLAIN + "— w AAAAAAAA AAAA\n".encode(), PLAIN + "— w *\n".encode(), PLAIN + "— w é\n".encode(),
        PLAIN[:70] + b"\x00" + PLAIN[70:],
    ],
)  # fmt: skip
def test_5_7_another_form_of_a_note_is_refused(data: bytes) -> None:
    with pytest.raises((Malformed, Foreign)):
        parse_note(data, LANE, OWNER.public)


def test_5_7_sixteen_signatures_and_no_more() -> None:
    others = b"".join(signature_line(f"w{n}.example", b"abcde") for n in range(MAX_SIGNATURES))
    first = b"".join(others.splitlines(keepends=True)[: MAX_SIGNATURES - 1])
    assert parse_note(PLAIN + first, LANE, OWNER.public).head == SIGNED.head
    with pytest.raises(TooLarge):
        parse_note(PLAIN + others, LANE, OWNER.public)


def test_5_7_a_note_of_65536_bytes_and_no_more() -> None:
    """Filled up with the name of a witness."""
    room = MAX_NOTE - len(PLAIN) - len("—  AAAAAAA=\n".encode())
    assert parse_note(PLAIN + f"— {'w' * room} AAAAAAA=\n".encode(), LANE, OWNER.public).head == SIGNED.head
    with pytest.raises(TooLarge):
        parse_note(PLAIN + f"— {'w' * (room + 1)} AAAAAAA=\n".encode(), LANE, OWNER.public)


def test_5_8_a_head_is_the_same_whatever_its_signatures_are() -> None:
    again = sign_head(OWNER, SIGNED.head, milestone=True)
    assert again.mldsa != SIGNED.mldsa
    assert again.head == SIGNED.head
    assert SIGNED.head != replace(SIGNED.head, size=4)
    assert SIGNED.head != replace(SIGNED.head, root=bytes(32))
    assert SIGNED.head != replace(SIGNED.head, lane=lane(1))


def test_5_12_without_an_mldsa_signature_a_head_is_accepted() -> None:
    replace(SIGNED, mldsa=b"").check(OWNER.public)
    with pytest.raises(Forged):
        replace(SIGNED, mldsa=bytes(2_420)).check(OWNER.public)
    with pytest.raises(Forged):
        SIGNED.check(LANES["BRAVO"].public)


@given(st.integers(0, len(PLAIN) * 8 - 1))
@settings(max_examples=300)
def test_5_6_a_flipped_bit_anywhere_is_refused(bit: int) -> None:
    data = bytearray(PLAIN)
    data[bit >> 3] ^= 1 << (bit & 7)
    with pytest.raises(Refused):
        parse_note(bytes(data), LANE, OWNER.public)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
@example(PLAIN)
def test_5_7_hostile_notes_are_refused_and_nothing_else(data: bytes) -> None:
    try:
        split_note(data)
        parse_note(data, LANE, OWNER.public)
    except Refused:
        pass


def test_5_4_a_head_of_one_lane_is_signed_for_no_other() -> None:
    """Clauses 5.4 and 4.9: both messages contain the line, the lane and the generation."""
    other = replace(SIGNED.head, lane=lane(1))
    with pytest.raises(Forged):
        OWNER.public.ed25519(SIGNED.ed25519, other.text())
    with pytest.raises(Forged):
        OWNER.public.mldsa(SIGNED.mldsa, other.cosigned())
