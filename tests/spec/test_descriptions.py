"""What consoles say to each other about sound, as a station looks at it: what Chromium writes passes, what could mislead does not.

Spec: spec/17-calls.md, 17.40, 17.41 and 17.42.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.kernel.errors import Forbidden, Foreign, Malformed, Refused, TooLarge
from openline.station.calling.descriptions import MAX_CANDIDATES, MAX_DESCRIPTION, TYPES, Strictness, check

RECORDED = json.loads((Path(__file__).parent / "browser_said" / "chromium_call.json").read_text())
OFFER, ANSWER = RECORDED["offer"], RECORDED["answer"]


def signed(text: str) -> Strictness:
    """As if the seat had signed the fingerprint that stands in the description."""
    found = re.search(r"sha-256 ([0-9A-F:]+)", text)
    assert found
    return Strictness(fingerprint=bytes.fromhex(found[1].replace(":", "")))


OURS = signed(OFFER)
OTHER = "sha-256 " + ":".join(["AB"] * 32)
OWN = OFFER[OFFER.index("sha-256 ") :].partition("\r\n")[0]


@pytest.mark.parametrize("name", ["offer", "restart", "gathered"])
def test_what_chromium_offers_passes(name: str) -> None:
    check("offer", RECORDED[name], signed(RECORDED[name]))


def test_what_chromium_answers_passes() -> None:
    check("answer", ANSWER, signed(ANSWER))


def test_candidates_of_chromium_pass_and_end() -> None:
    for candidate in RECORDED["candidates"]:
        check("candidate", candidate, OURS)
    check("end-of-candidates", "", OURS)
    check("restart", "", OURS)
    relayed = "candidate:1 1 udp 41885439 192.0.2.9 50000 typ relay raddr 0.0.0.0 rport 0 generation 0"
    check("candidate", json.dumps({"candidate": relayed}), Strictness(fingerprint=b"", relay_only=True))


def test_a_fingerprint_that_is_not_the_signed_one_is_refused_wherever_it_stands() -> None:
    other = Strictness(fingerprint=bytes(32))
    for text in (OFFER, RECORDED["gathered"]):
        with pytest.raises(Foreign):
            check("offer", text, other)
    once = OFFER.replace(OWN, OTHER, 1)
    second = OFFER[::-1].replace(OWN[::-1], OTHER[::-1], 1)[::-1]
    above = OFFER.replace("t=0 0\r\n", f"t=0 0\r\na=fingerprint:{OTHER}\r\n")
    twice = OFFER.replace("a=setup:actpass\r\n", f"a=fingerprint:{OTHER}\r\na=setup:actpass\r\n", 1)
    for text in (once, second, above, twice):
        assert text != OFFER
        with pytest.raises(Foreign):
            check("offer", text, OURS)


CRLF = "\r\n"
HOSTILE = {
    "no fingerprint": OFFER.replace(f"a=fingerprint:{OWN}{CRLF}", ""),
    "one section without": OFFER.replace(f"a=fingerprint:{OWN}{CRLF}", "", 1),
    "another hash": OFFER.replace("sha-256", "sha-1"),
    "in small letters": OFFER.replace(OWN, OWN.lower()),
    "another spelling": OFFER.replace("t=0 0", f"t=0 0{CRLF}a=Fingerprint:{OTHER}"),
    "a hidden line": OFFER.replace("a=mid:0", f"a=mid:0\na=fingerprint:{OTHER}"),
    "a bare return": OFFER.replace("a=mid:0", f"a=mid:0\ra=fingerprint:{OTHER}"),
    "a null": OFFER.replace("a=mid:0", "a=mid:0\0"),
    "not ASCII": OFFER.replace("s=-", "s=–"),
    "keys": OFFER.replace("a=mid:0", "a=mid:0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA"),
    "an identity": OFFER.replace("a=mid:0", "a=mid:0\r\na=identity:AAAA"),
    "plain sound": OFFER.replace("UDP/TLS/RTP/SAVPF", "RTP/AVPF"),
    "a picture": OFFER.replace("m=audio", "m=video"),
    "a second sound": OFFER + OFFER[OFFER.index("m=audio") : OFFER.index("m=application")],
    "a second application": OFFER + OFFER[OFFER.index("m=application") :],
    "an answer's setup": OFFER.replace("actpass", "active"),
    "no version": OFFER.removeprefix("v=0\r\n"),
    "an encryption key": OFFER.replace("t=0 0", "t=0 0\r\nk=clear:AAAA"),
    "a name for an address": OFFER.replace("c=IN IP4 0.0.0.0", "c=IN IP4 spy.example.org", 1),
    "a name in a candidate": RECORDED["gathered"].replace(".local ", ".example.org "),
    "nothing": "",
    "only a beginning": "v=0\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_could_mislead_a_browser_is_refused(name: str) -> None:
    assert HOSTILE[name] not in {OFFER, RECORDED["gathered"]}
    with pytest.raises(Malformed):
        check("offer", HOSTILE[name], OURS)


def test_what_is_too_large_is_refused() -> None:
    long = OFFER.replace("s=-", "s=" + "-" * MAX_DESCRIPTION)
    many = OFFER.replace("a=mid:0", "a=mid:0" + "\r\na=x" * 300)
    for text in (long, many):
        with pytest.raises(TooLarge):
            check("offer", text, OURS)
    with pytest.raises(TooLarge):
        check("candidate", json.dumps({"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host " + "a b " * 300}), OURS)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "[]",
        '{"candidate": 4}',
        '{"candidate": "candidate:1 1 udp 1 spy.example.org 9 typ host"}',
        '{"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host raddr spy.example.org rport 9"}',
        '{"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host\\r\\na=fingerprint:sha-256 AA"}',
        '{"candidate": "candidate:1 1 udp 1 fe80::1%eth0 9 typ host"}',
        '{"candidate": "candidate:1 1 udp 1 fileserver.local 9 typ host"}',
        '{"candidate": "candidate:1 1 udp 1 cafe.local 9 typ host"}',
        '{"candidate": "candidate:1 1 tcp 1 192.0.2.1 22 typ host tcptype passive"}',
        '{"candidate": "candidate:1 1 TCP 1 192.0.2.1 22 typ host tcptype so"}',
        '{"candidate": "candidate:1 1 tcp 1 192.0.2.1 22 typ host"}',
        '{"candidate": "candidate:1 1 udp 1 ::ffff:224.0.0.251 53 typ host"}',
        '{"candidate": "candidate:1 1 udp 1 ff02::fb 53 typ host"}',
        '{"candidate": "candidate:1 1 udp 1 0.0.0.0 53 typ host"}',
        '{"candidate": "candidate:1 1 udp 1 224.0.0.251 5353 typ host"}',
        '{"candidate": "candidate:1 1 udp 1 255.255.255.255 9 typ host"}',
        '{"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMLineIndex": 7}',
        '{"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "a\\nb"}',
        '{"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "more": 1}',
    ],
)
def test_a_candidate_out_of_shape_is_refused(data: str) -> None:
    with pytest.raises(Malformed):
        check("candidate", data, OURS)


def test_a_candidate_that_only_calls_out_over_tcp_passes_and_a_description_with_addresses_without_end_does_not() -> (
    None
):
    check("candidate", '{"candidate": "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active"}', OURS)
    line = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
    check("offer", OFFER + line * MAX_CANDIDATES, OURS)
    with pytest.raises(TooLarge):
        check("offer", OFFER + line * (MAX_CANDIDATES + 1), OURS)


def test_where_only_a_relay_may_be_told_no_other_address_is() -> None:
    relay = Strictness(fingerprint=OURS.fingerprint, relay_only=True)
    check("offer", OFFER, relay)
    with pytest.raises(Forbidden):
        check("offer", RECORDED["gathered"], relay)
    with pytest.raises(Forbidden):
        check("offer", OFFER.replace("c=IN IP4 0.0.0.0", "c=IN IP4 192.0.2.1", 1), relay)
    leak = "candidate:1 1 udp 41885439 192.0.2.9 50000 typ relay raddr 10.0.0.7 rport 4711"
    for text in (leak, "candidate:1 1 udp 1 192.0.2.1 9 typ host"):
        with pytest.raises(Forbidden):
            check("candidate", json.dumps({"candidate": text}), relay)


@pytest.mark.parametrize("kind", ["restart", "end-of-candidates"])
def test_what_has_no_data_carries_none(kind: str) -> None:
    with pytest.raises(Malformed):
        check(kind, "x", OURS)
    with pytest.raises(Malformed):
        check("invitation", "", OURS)


@given(st.sampled_from(TYPES), st.text(max_size=300))
def test_anything_is_passed_or_refused(kind: str, text: str) -> None:
    try:
        check(kind, text, OURS)
    except Refused:
        return
    assert not text or "fingerprint" not in text.lower()


@given(st.integers(0, len(OFFER) - 1), st.characters(max_codepoint=0x7F))
def test_a_changed_character_never_lets_another_fingerprint_pass(place: int, other: str) -> None:
    text = OFFER[:place] + other + OFFER[place + 1 :]
    try:
        check("offer", text, OURS)
    except Refused:
        return
    assert text.count(OWN) == 2
