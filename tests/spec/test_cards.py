"""Spec 3.3, 3.4, 3.11, 3.12: card files, the reasons they are refused for, fingerprints in every form; and terms files."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.codec import Fields, decode, encode
from openline.kernel.crypto import digest
from openline.kernel.errors import Malformed, TooLarge, Unknown
from openline.kernel.keys import fingerprint
from openline.kernel.terms import Policy
from openline.kernel.units import Instant
from openline.protocol.pairing_messages import card_digest
from openline.station.cards import (
    BEGIN,
    END,
    CardRefused,
    Flaw,
    accept_card,
    armoured,
    as_digits,
    as_link,
    as_svg_qr,
    as_terminal_qr,
    as_words,
    fits,
    read_fingerprint,
    unarmoured,
    word_list,
)
from openline.station.contact_terms import contacts_of
from openline.station.terms_file import (
    TermsRefused,
    parse_terms_file,
    policy_of,
    policy_of_members,
    proposal_of,
    read_terms_file,
)
from tests.spec.parties import ROOTS, card, signer

ROOT = Path(__file__).resolve().parents[2]
NOW = Instant(1_750_000_000_000)
OWN, THEIRS = card("ALPHA"), card("BRAVO")
TEXT = armoured(THEIRS)


def flaw(text: str, **changes: object) -> Flaw:
    with pytest.raises(CardRefused) as refused:
        accept_card(text, **{"own": OWN, "now": NOW, **changes})  # type: ignore[arg-type]
    assert refused.value.code == f"card-{refused.value.flaw.value}"
    assert refused.value.do
    return refused.value.flaw


def read_or_flaw(text: str) -> bytes | Flaw:
    try:
        return unarmoured(text)
    except CardRefused as refused:
        return refused.flaw


def wrapped(raw: bytes) -> str:
    """Armour with a checksum that fits, around anything."""
    coded = base64.b64encode(raw).decode()
    lines = [coded[at : at + 64] for at in range(0, len(coded), 64)]
    return "\n".join((BEGIN, *lines, "=" + base64.b64encode(digest(raw)[:6]).decode(), END, ""))


# --- the file -------------------------------------------------------------------------------------------------


def test_3_11_a_card_file_has_one_form() -> None:
    lines = TEXT.split("\n")
    assert (lines[0], lines[-2], lines[-1]) == (BEGIN, END, "")
    assert all(len(line) == 64 for line in lines[1:-4])
    assert wrapped(THEIRS.raw) == TEXT
    assert unarmoured(TEXT) == THEIRS.raw
    assert accept_card(TEXT, own=OWN, now=NOW).raw == THEIRS.raw


@pytest.mark.parametrize(
    "carried",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "Dear colleagues,\n\nour card:\n\n" + text + "\nWith regards\n",
        lambda text: text.rstrip("\n"),
        lambda text: "\n".join(line + "  " for line in text.splitlines()),
        lambda text: "\n\n".join(text.splitlines()),
        lambda text: "\n".join("    " + line for line in text.splitlines()),
    ],
    ids=["crlf", "letter", "no-last-newline", "padded", "double-spaced", "indented"],
)
def test_3_11_it_survives_mail_and_paper(carried: Callable[[str], str]) -> None:
    assert unarmoured(carried(TEXT)) == THEIRS.raw


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", Flaw.NOT_A_CARD),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", Flaw.NOT_A_CARD),
        ("x" * 70_000, Flaw.NOT_A_CARD),
        (TEXT[: len(TEXT) // 2], Flaw.CUT),
        (TEXT[len(TEXT) // 2 :], Flaw.CUT),
        (f"{BEGIN}\n{END}\n", Flaw.CUT),
        (re.sub(r"\n=.*\n", "\n", TEXT), Flaw.CUT),
        (END + "\n" + TEXT.replace(END, ""), Flaw.CUT),
        (TEXT + TEXT, Flaw.TWO_CARDS),
        (TEXT.replace(TEXT.splitlines()[3], "!" * 64), Flaw.DAMAGED),
        (TEXT.replace(TEXT.splitlines()[3] + "\n", ""), Flaw.DAMAGED),
        (wrapped(b"\x00"), Flaw.NOT_A_CARD),
        (wrapped(encode([b"", b"", b""])), Flaw.NOT_A_CARD),
    ],
    ids=[
        "empty", "certificate", "huge", "no-end", "no-begin", "nothing-inside", "no-checksum", "end-first", "two",
        "not-base64", "a-line-lost", "not-a-value", "no-card",
    ],
)  # fmt: skip
def test_3_12_a_card_file_is_refused_with_its_reason(text: str, expected: Flaw) -> None:
    assert flaw(text) is expected


@given(st.integers(0, len(TEXT) - 1), st.sampled_from("ABab01+/=\n -"))
def test_3_11_a_changed_character_is_a_bad_copy_and_never_another_card(at: int, instead: str) -> None:
    changed = TEXT[:at] + instead + TEXT[at + 1 :]
    assert read_or_flaw(changed) in {THEIRS.raw, Flaw.DAMAGED, Flaw.CUT, Flaw.NOT_A_CARD}


@given(st.integers(0, len(THEIRS.raw) * 8 - 1))
def test_3_2_a_changed_bit_under_a_good_checksum_is_tampering(bit: int) -> None:
    changed = bytearray(THEIRS.raw)
    changed[bit // 8] ^= 1 << bit % 8
    assert flaw(wrapped(bytes(changed))) in {Flaw.TAMPERED, Flaw.NOT_A_CARD}


def test_3_2_both_signatures_count() -> None:
    whole = Fields(decode(THEIRS.raw))
    body, ed25519, mldsa = (whole.bytes(place) for place in range(3))
    other = ROOTS["ALPHA"]
    for forged in (
        [body, other.ed25519(b"openline/1 card\n" + body), mldsa],
        [body, ed25519, other.mldsa(b"x" + body)],
    ):
        assert flaw(wrapped(encode(forged))) is Flaw.TAMPERED


def test_3_12_ones_own_card_is_refused_in_whatever_version() -> None:
    assert flaw(armoured(OWN)) is Flaw.OWN
    assert flaw(armoured(card("ALPHA", addresses=("tls:192.0.2.77:1",)))) is Flaw.OWN
    assert flaw(armoured(card("BRAVO", certificate=OWN.certificate))) is Flaw.OWN
    assert flaw(armoured(card("BRAVO", lane=OWN.lane))) is Flaw.OWN


def test_3_12_an_expired_card_is_refused_and_one_from_the_future_is_not() -> None:
    assert flaw(TEXT, now=THEIRS.expires) is Flaw.EXPIRED
    assert accept_card(TEXT, own=OWN, now=Instant(THEIRS.expires - 1))
    assert accept_card(TEXT, own=OWN, now=Instant(THEIRS.made - 86_400_000))


def test_3_12_a_changed_card_is_refused_and_a_new_address_is_no_change() -> None:
    changed = card("BRAVO", lane=signer("new lane").public)
    assert flaw(armoured(changed), known=[THEIRS]) is Flaw.CHANGED
    assert accept_card(armoured(changed), own=OWN, now=NOW)
    moved = card("BRAVO", addresses=("tls:192.0.2.77:1",), certificate=b"a new one")
    assert accept_card(armoured(moved), own=OWN, now=NOW, known=[THEIRS])


def test_3_12_a_foreign_card_is_refused() -> None:
    expected = [ROOTS["CHARLIE"].public.ed25519_key]
    assert flaw(TEXT, expected=expected) is Flaw.FOREIGN
    assert accept_card(TEXT, own=OWN, now=NOW, expected=[*expected, THEIRS.root.ed25519_key])


def test_3_3_a_fingerprint_names_the_root_keys_alone() -> None:
    moved = card("BRAVO", addresses=("tls:192.0.2.77:1",), certificate=b"new", lane=signer("new lane").public)
    assert moved.fingerprint == THEIRS.fingerprint != OWN.fingerprint
    assert card_digest(moved.raw) != card_digest(THEIRS.raw)


def test_3_1_members_of_a_newer_card_are_kept_and_ignored() -> None:
    body = Fields(decode(Fields(decode(THEIRS.raw)).bytes(0)), of_map=True)
    newer = encode({**{key: body.any(key) for key in range(10)}, 10: "news"})
    root, said = ROOTS["BRAVO"], b"openline/1 card\n" + newer
    raw = encode([newer, root.ed25519(said), root.mldsa(said)])
    accepted = accept_card(wrapped(raw), own=OWN, now=NOW)
    assert (accepted.raw, accepted.name) == (raw, "BRAVO")


def test_3_12_a_refusal_quotes_nothing() -> None:
    for text in ("SECRET-MARK", f"{BEGIN}\nSECRET-MARK\n{END}"):
        with pytest.raises(CardRefused) as refused:
            unarmoured(text)
        assert "SECRET-MARK" not in str(refused.value) + refused.value.do


# --- the fingerprint ------------------------------------------------------------------------------------------


ZERO = fingerprint(signer("ALPHA root").public)


def test_3_4_the_example_of_the_specification() -> None:
    from openline.kernel.crypto import Signer

    print_of = fingerprint(Signer(bytes(32), bytes(32)).public)
    text = (ROOT / "spec/03-terms.md").read_text()
    assert print_of.hex() in text
    assert as_digits(print_of) in text
    assert as_words(print_of) in text.replace("\n", " ")


def test_3_4_the_words_in_the_package_are_the_specifications() -> None:
    assert word_list() == tuple((ROOT / "spec/words.txt").read_text().split())
    assert len(set(word_list())) == 256


@given(st.binary(min_size=32, max_size=32))
def test_3_4_every_form_reads_back(raw: bytes) -> None:
    for text in (as_digits(raw), as_words(raw)):
        assert read_fingerprint(text) == raw[:24]
    for text in (as_link(raw), raw.hex(), raw.hex().upper(), as_link(raw) + "\n"):
        assert read_fingerprint(text) == raw


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_3_4_another_fingerprint_does_not_fit(mine: bytes, other: bytes) -> None:
    assert fits(read_fingerprint(as_words(mine)), mine)
    assert fits(read_fingerprint(as_link(mine)), mine)
    if mine[:24] != other[:24]:
        assert not fits(read_fingerprint(as_digits(other)), mine)
    # All that was entered counts: the same 24 bytes with another rest are another fingerprint.
    assert not fits(mine[:24] + bytes(each ^ 1 for each in mine[24:]), mine)
    assert not fits(mine[:23], mine)


@pytest.mark.parametrize(
    "text",
    [
        "", "12345", as_digits(ZERO)[:-1], as_digits(ZERO) + " 00000", as_words(ZERO).rsplit(" ", 1)[0],
        as_words(ZERO) + " abbey", " ".join(["65536"] * 12), " ".join(["notaword"] * 24), ZERO.hex()[:-2],
        as_digits(ZERO).replace(as_digits(ZERO)[0], "٣", 1),
    ],
)  # fmt: skip
def test_3_4_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        read_fingerprint(text)


def test_3_4_digits_are_read_as_they_are_typed() -> None:
    typed = as_digits(ZERO).replace(" ", "-") + "\n"
    assert read_fingerprint(typed) == ZERO[:24]
    assert read_fingerprint(as_words(ZERO).upper().replace(" ", ", ")) == ZERO[:24]


def test_3_4_the_qr_code_is_one_in_both_forms() -> None:
    drawn = as_terminal_qr(ZERO)
    assert len({len(line) for line in drawn.splitlines() if line}) == 1
    assert set(drawn) <= set("█▀▄ \n")
    svg = ET.fromstring(as_svg_qr(ZERO))
    assert svg.tag.endswith("svg")
    assert as_svg_qr(ZERO) != as_svg_qr(THEIRS.fingerprint)


# --- terms files ----------------------------------------------------------------------------------------------


def test_3_7_the_example_of_a_terms_file_shows_the_defaults_as_it_says() -> None:
    assert read_terms_file(ROOT / "examples/terms.toml") == Policy()


@pytest.mark.parametrize("file", ["examples/terms.toml", "docs/operators/contacts.md"])
def test_3_7_contacts_are_read_as_the_example_and_the_guide_write_them(file: str) -> None:
    """There behind a sign of a comment, here set in."""
    lines = (ROOT / file).read_text().splitlines()
    members = (re.fullmatch(r"(?:# |    )(\[\[contacts\]\]|[a-z_]+ = .*)", line) for line in lines)
    text = "\n".join(found[1] for found in members if found)
    assert contacts_of(parse_terms_file(text[text.index("[[contacts]]") :].encode()))[0].name == "Morning call"


def test_3_7_an_empty_file_has_the_defaults_of_the_specification() -> None:
    assert parse_terms_file(b"") == Policy()


def test_3_7_a_policy_and_its_proposal_say_the_same() -> None:
    policy = Policy(
        title="Ligne", languages=("fr", "sr-Latn"), test_minutes=0, handling_minutes=(1, 2, 3, 4), urgent_per_hour=5,
        traffic_per_hour=6, attachment_mib_per_day=7, release=True, exercise=True,
    )  # fmt: skip
    assert policy_of(proposal_of(policy)) == policy


@pytest.mark.parametrize(
    "text, member",
    [
        ('titel = "x"', ""),
        ("title = 3", "title"),
        (f'title = "{"x" * 257}"', "title"),
        (f'title = "{"é" * 129}"', "title"),
        ("languages = []", "languages"),
        ('languages = ["EN"]', "languages"),
        ('languages = "en"', "languages"),
        (f'languages = ["en-{"a" * 9}"]', "languages"),
        ("test_minutes = -1", "test_minutes"),
        ("test_minutes = 10081", "test_minutes"),
        ("test_minutes = 1.5", "test_minutes"),
        ("release = 1", "release"),
        ('exercise = "yes"', "exercise"),
        ("handling = 10", "handling"),
        ("[handling]\nflush = 10", "handling"),
        ("[handling]\nflash = 525601", "handling"),
        ("[quota]\nurgent_per_hour = 4294967297", "quota"),
        ("[quota]\nattachment_mib_per_day = true", "quota"),
    ],
)
def test_3_7_a_wrong_member_is_named_and_its_rule_told(text: str, member: str) -> None:
    with pytest.raises(TermsRefused) as refused:
        parse_terms_file(text.encode())
    assert refused.value.member == member
    assert member in str(refused.value)


@pytest.mark.parametrize("data", [b"title =", b"\xff", b"title = 'a'\ntitle = 'b'"])
def test_3_7_what_is_no_toml_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_terms_file(data)


def test_3_7_a_file_that_is_missing_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unknown):
        read_terms_file(tmp_path / "none.toml")
    with pytest.raises(TooLarge):
        parse_terms_file(b"#" * 70_000)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["title", "languages", "handling", "quota", "flash", "x"]), inner, max_size=3)))  # fmt: skip
def test_3_7_any_other_value_is_refused_by_its_rule(value: object) -> None:
    try:
        policy_of_members(value)
    except TermsRefused as refused:
        told = str(refused)
    else:
        told = "accepted"
    assert told
