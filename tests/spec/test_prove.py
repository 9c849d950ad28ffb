"""One entry shown, the rest hidden: clauses 14.13 to 14.15."""

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import pytest

from openline.archive.prove import FIELD_NAMES, parse_proof, prove, verify_proof
from openline.archive.verdict import Outcome
from openline.archive.verify import check
from openline.kernel.codec import decode, encode
from openline.kernel.crypto import derive, digest
from openline.kernel.errors import Malformed, Refused, Unknown
from openline.kernel.lane import BODY, KIND, commitment, field_salt
from openline.kernel.merkle import leaf_hash, root_from_inclusion
from tests.spec.archive_line import LineUnderTest, message, talk

SECRET = "a ceasefire begins at noon"
ALL = ("kind", "time", "ack", "body")


@pytest.fixture(scope="module")
def line() -> LineUnderTest:
    made = talk(LineUnderTest())
    made.write(1, message("before"), message(SECRET), message("after"))
    made.write(3, message("theirs"))
    return made


def proof(line: LineUnderTest, *show: str, number: int = 1, index: int = 8, own: int = 0) -> bytes:
    return prove(
        reader=line.store,
        record=line.record(own),
        signers=(line.stations[own].lane,),
        lane=line.lane(number),
        index=index,
        show=show,
    )


def extra_of(data: bytes) -> dict[int, object]:
    found = decode(b64decode(data.splitlines()[1][6:]))
    assert isinstance(found, dict)
    return found


def test_14_13_a_proof_is_a_tlog_proof(line: LineUnderTest) -> None:
    """Read here with nothing of ours but the hash of a leaf and the walk up the tree."""
    data = proof(line, "kind", "time")
    head, _, checkpoint = data.partition(b"\n\n")
    first, extra, index, *path = head.decode().split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    assert index == "index 8"
    origin, size, root = checkpoint.decode().split("\n")[:3]
    assert origin == line.lane(1).origin
    leaf = extra_of(data)[1]
    assert isinstance(leaf, bytes)
    walked = root_from_inclusion(8, int(size), leaf_hash(leaf), [b64decode(part) for part in path])
    assert walked == b64decode(root)
    assert checkpoint.count("— ".encode()) == 2
    assert extra.startswith("extra ")


def test_14_14_a_proof_shows_the_chosen_fields_and_who_signed(line: LineUnderTest) -> None:
    card = line.stations[0].card
    verdict = verify_proof(proof(line, *ALL), expect={card.fingerprint})
    assert verdict.outcome is Outcome.PROVED
    assert verdict.both
    text = "\n".join(verdict.lines())
    assert f"| {SECRET}" in text
    assert f"named     {card.name} traffic 8" in text
    assert "hidden    nothing" in text
    assert json.loads(verdict.to_json())["outcome"] == "proved"


def test_14_9_identity_is_the_lanes_owner_and_nobody_else(line: LineUnderTest) -> None:
    data = proof(line, "kind")
    assert verify_proof(data).outcome is Outcome.CONSISTENT
    assert verify_proof(data, expect={line.stations[1].card.fingerprint}).outcome is Outcome.FOREIGN
    assert verify_proof(data, expect={line.stations[0].card.fingerprint[:24]}).identity_proved
    assert verify_proof(data, line.terms.raw).ok
    assert not verify_proof(data, LineUnderTest(seed_word="another").terms.raw).ok


def test_14_13_the_peers_entries_can_be_shown_too(line: LineUnderTest) -> None:
    verdict = verify_proof(proof(line, "body", "kind", number=3, index=7))
    assert verdict.ok
    assert not verdict.both
    assert verdict.party == line.stations[1].card.name


def test_14_13_an_entry_of_a_later_generation_brings_the_key_statement() -> None:
    line = talk(LineUnderTest(), 1)
    line.rotate(1)
    line.write(3, message("under the new key"))
    data = proof(line, "kind", number=3, index=1)
    assert verify_proof(data, expect={line.stations[1].card.fingerprint}).ok
    extra = extra_of(data)
    del extra[5]
    assert not verify_proof(with_extra(data, extra)).ok


def with_extra(data: bytes, extra: dict[int, object]) -> bytes:
    lines = data.split(b"\n")
    lines[1] = b"extra " + b64encode(encode(extra))  # type: ignore[arg-type]
    return b"\n".join(lines)


@pytest.mark.parametrize("show", [chosen for count in range(5) for chosen in combinations(ALL, count)])
def test_14_13_what_is_not_shown_is_in_no_form_in_the_file(line: LineUnderTest, show: tuple[str, ...]) -> None:
    """Neither bytes nor salt of a hidden field, nor the secret from which all salts derive."""
    data = proof(line, *show)
    everything = data + b64decode(data.splitlines()[1][6:])
    entry = line.store.entries(line.lane(1), 8, 1)[0].entry
    for name, number in FIELD_NAMES.items():
        shown = name in show
        assert (field_salt(entry.secret, number) in everything) is shown
        if number == BODY:
            assert (SECRET.encode() in everything) is shown
    for hidden in (entry.secret, line.seed_of(0, line.stations[0].generation)):
        assert hidden not in everything
        assert hidden.hex().encode() not in everything
    assert verify_proof(data).ok


def test_14_13_a_hidden_field_cannot_be_guessed_from_the_file(line: LineUnderTest) -> None:
    """Whoever guesses the hidden kind rightly has no salt to check the guess with: not one shown, not one derived."""
    data = proof(line, "time", "ack", "body")
    parsed = parse_proof(data)
    wanted = decode(parsed.leaf)
    assert isinstance(wanted, list)
    salts = [salt for _, salt, _ in parsed.shown]
    pieces = [*salts, parsed.leaf, parsed.terms, digest(parsed.terms), leaf_hash(parsed.leaf), bytes(32), *parsed.path]
    pieces += [part for part in wanted if isinstance(part, bytes)]
    guesses = pieces + [field_salt(piece, KIND) for piece in pieces]
    guesses += [derive(piece, b"openline/1 leaf", (1).to_bytes(2, "big") + (8).to_bytes(8, "big")) for piece in pieces]
    kind = line.store.entries(line.lane(1), 8, 1)[0].entry.kind
    assert all(commitment(KIND, salt, kind) != wanted[6] for salt in guesses)
    unsalted = (kind, bytes((KIND,)) + kind, b"openline/1 field" + bytes((KIND,)) + kind)
    assert all(sha256(text).digest() != wanted[6] for text in unsalted)


def test_14_14_a_flipped_bit_anywhere_breaks_it(line: LineUnderTest) -> None:
    data = proof(line, "kind", "body")
    for at in [*range(0, len(data), 23), len(data) - 1]:
        changed = data[:at] + bytes((data[at] ^ 1 << at % 7,)) + data[at + 1 :]
        assert verify_proof(changed).outcome is Outcome.BROKEN, f"byte {at}"


@pytest.mark.full
def test_14_14_a_flipped_bit_in_any_byte_breaks_it(line: LineUnderTest) -> None:
    data = proof(line, *ALL)
    for at in range(len(data)):
        for bit in (0, 5):
            changed = data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :]
            assert verify_proof(changed).outcome is Outcome.BROKEN, f"byte {at}, bit {bit}"


def test_14_14_what_belongs_to_another_entry_is_refused(line: LineUnderTest) -> None:
    data, other = proof(line, "kind", "body"), proof(line, "kind", "body", index=9)
    extra, foreign = extra_of(data), extra_of(other)
    for key in (1, 2):
        assert not verify_proof(with_extra(data, extra | {key: foreign[key]})).ok
    assert not verify_proof(with_extra(data, foreign)).ok
    assert not verify_proof(with_extra(data, extra | {4: line.stations[1].card.raw})).ok
    assert not verify_proof(data.replace(b"index 8", b"index 9")).ok
    assert not verify_proof(
        data.partition(b"\n\n")[0] + b"\n\n" + proof(line, number=3, index=2).partition(b"\n\n")[2]
    ).ok


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"c2sp.org/tlog-proof@v1\n",
        b"c2sp.org/tlog-proof@v2\nindex 0\n\nx\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\n\nx\n",
        b"c2sp.org/tlog-proof@v1\nextra \nindex 0\n\nx\n",
        b"c2sp.org/tlog-proof@v1\nextra gA==\nindex 00\n\nx\n",
        b"c2sp.org/tlog-proof@v1\nextra oA==\nindex 0\n\nx\n",
        b"c2sp.org/tlog-proof@v1\nextra oA==\nindex 0\n" + b"AA==\n" * 100 + b"\nx\n",
        b"c2sp.org/tlog-proof@v1\n" + b"A" * 400_000,
        b"\xff" * 1_000,
    ],
)
def test_other_bytes_are_no_proof(data: bytes) -> None:
    with pytest.raises(Refused):
        parse_proof(data)
    verdict = verify_proof(data)
    assert verdict.outcome is Outcome.BROKEN
    assert verdict.lines()[1]


def test_only_what_is_signed_and_opened_can_be_shown(line: LineUnderTest) -> None:
    with pytest.raises(Unknown):
        proof(line, "kind", index=99)
    with pytest.raises(Unknown):
        proof(line, "colour")
    with pytest.raises(Unknown):
        proof(line, index=-1)
    own = talk(LineUnderTest())
    own.append(3, [own.entry(3, 7, message("poisoned"))], unopened=True)
    with pytest.raises(Malformed):
        proof(own, "kind", number=3, index=7)
    assert verify_proof(proof(own, number=3, index=7)).ok


def test_14_15_a_proof_that_hides_the_kind_says_so(line: LineUnderTest) -> None:
    text = "\n".join(verify_proof(proof(line, "body")).lines())
    assert "its kind is hidden" in text
    assert "hidden    kind, time, ack" in text


def test_verify_accepts_a_proof_file(line: LineUnderTest, tmp_path: Path) -> None:
    path = tmp_path / "entry.tlog-proof"
    path.write_bytes(proof(line, "kind"))
    assert check(path, {line.stations[0].card.fingerprint}).identity_proved
    path.write_bytes(path.read_bytes()[:-1])
    assert not check(path).ok
