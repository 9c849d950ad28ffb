"""What a console says to another about a peer connection, looked at before it is carried and before a page sees it.

A session description may offer one audio section and one of data, both over
DTLS, and every fingerprint in it must be the one that the seat has signed.
Nothing else of it is believed: a station that lies, or somebody in the middle,
can make a connection fail, and never make it another's.

What is refused although a browser would take it: keys in the description
itself (SDES), a fingerprint of another hash or in another spelling, lines that
two parsers could read differently, candidates with host names, for which a
browser would ask a name service outside, and such as make it open TCP
connections, or send to many at once: the other side would look around in this
side's network through it.

Pure. Spec: spec/17-calls.md; RFC 8866, RFC 8122, RFC 8839, RFC 9429.
"""

import ipaddress
import re
from dataclasses import dataclass

import msgspec

from openline.kernel.errors import Forbidden, Foreign, Malformed, TooLarge

MAX_DESCRIPTION = 8_192
"""UTF-8 bytes of one signal: four times what Chromium writes for audio and data with all candidates."""
MAX_LINES = 256
MAX_CANDIDATE = 1_024
MAX_CANDIDATES = 32
"""In one description: a console with four networks names a dozen, and a browser asks at every address that it is told."""
OFFER, ANSWER, CANDIDATE, RESTART, END = "offer", "answer", "candidate", "restart", "end-of-candidates"
TYPES = (OFFER, ANSWER, CANDIDATE, RESTART, END)
"""By their numbers in frame 11."""

_LINE = re.compile(r"[vostcbam]=[\x20-\x7e]*", re.ASCII)
_FINGERPRINT = re.compile(r"a=fingerprint:sha-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})", re.ASCII)
_AUDIO = re.compile(r"m=audio [0-9]{1,5} UDP/TLS/RTP/SAVPF [0-9 ]+", re.ASCII)
_DATA = re.compile(r"m=application [0-9]{1,5} UDP/DTLS/SCTP webrtc-datachannel", re.ASCII)
_PLACE = re.compile(r"IN IP[46] (\S+)(?:/\S+)?", re.ASCII)
_CANDIDATE = re.compile(
    r"candidate:[A-Za-z0-9+/]{1,32} [12] (udp|UDP|tcp|TCP) [0-9]{1,10} (\S{1,255}) [0-9]{1,5}"
    r" typ (host|srflx|prflx|relay)((?: [\x21-\x7e]+ [\x21-\x7e]+)*)",
    re.ASCII,
)
_LOCAL_NAME = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local", re.ASCII)
"""Multicast DNS, a name at random: browsers hide addresses so, and nobody outside the local network is asked."""
_SECRETS = ("a=crypto", "a=key-mgmt", "a=identity", "a=candidate-pair")
_SETUP = {OFFER: frozenset({"actpass"}), ANSWER: frozenset({"active", "passive"})}


_NAMES = {"section": "sdpMid", "place": "sdpMLineIndex", "fragment": "usernameFragment"}


class _Candidate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=_NAMES):
    """RTCIceCandidateInit, as JSON."""

    candidate: str
    section: str | None = None
    place: int | None = None
    fragment: str | None = None


_DECODER = msgspec.json.Decoder(_Candidate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strictness:
    """What a seat may say."""

    fingerprint: bytes
    """SHA-256 of its certificate, as it stands in its signed entry."""
    relay_only: bool = False
    """Its address must not reach the other side: candidates of a relay alone."""


def check(kind: str, data: str, strict: Strictness) -> None:
    """Pass what may be carried from that seat.

    Raises Foreign (a fingerprint that is not the signed one), Forbidden (an address that is not to be told),
    TooLarge or Malformed.
    """
    if len(data.encode("utf-8", "surrogatepass")) > MAX_DESCRIPTION:
        raise TooLarge("a signal of a call is larger than any that makes sense")
    match kind:
        case "offer" | "answer":
            _description(kind, data, strict)
        case "candidate":
            _json_candidate(data, strict)
        case "restart" | "end-of-candidates":
            if data:
                raise Malformed("that signal of a call has no data")
        case _:
            raise Malformed("there is no such signal of a call")


def _description(kind: str, text: str, strict: Strictness) -> None:
    lines = text.removesuffix("\r\n").split("\r\n")
    if len(lines) > MAX_LINES or sum(line.startswith("a=candidate:") for line in lines) > MAX_CANDIDATES:
        raise TooLarge("a session description has too many lines")
    if lines[0] != "v=0" or not all(_LINE.fullmatch(line) for line in lines):
        raise Malformed("not a session description of a call")
    starts = [place for place, line in enumerate(lines) if line.startswith("m=")]
    _sections([lines[start] for start in starts])
    common = lines[: starts[0]]
    sections = [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    shared = _fingerprints(common, strict)
    for section in sections:
        if not shared and not _fingerprints(section, strict):
            raise Malformed("a section of a session description has no fingerprint")
        if shared:
            _fingerprints(section, strict)
    for line in lines:
        _one_line(kind, line, strict)


def _sections(media: list[str]) -> None:
    audio, data = (sum(bool(form.fullmatch(line)) for line in media) for form in (_AUDIO, _DATA))
    if audio != 1 or data > 1 or audio + data != len(media):
        raise Malformed("a call has one section of audio, one of data, and no other")


def _fingerprints(lines: list[str], strict: Strictness) -> bool:
    """Whether there is one; each must be the signed one. Raises Foreign or Malformed."""
    found = False
    for line in lines:
        if "fingerprint" not in line.lower():
            continue
        told = _FINGERPRINT.fullmatch(line)
        if told is None:
            raise Malformed("a fingerprint of a call is one of SHA-256, in the one spelling")
        if bytes.fromhex(told[1].replace(":", "")) != strict.fingerprint:
            raise Foreign("the fingerprint of the sound is not the one that the seat has signed")
        found = True
    return found


def _one_line(kind: str, line: str, strict: Strictness) -> None:
    if line.lower().startswith(_SECRETS):
        raise Malformed("a session description of a call carries no keys")
    if line.startswith("a=setup:") and line.removeprefix("a=setup:") not in _SETUP[kind]:
        raise Malformed("a session description of a call asks for another setup")
    if line.startswith("a=candidate:"):
        check_candidate(line.removeprefix("a="), strict)
    elif line.startswith("c=") or (line.startswith("a=rtcp:") and " " in line):
        place = _PLACE.fullmatch(line[2:] if line.startswith("c=") else line.partition(" ")[2])
        if place is None or not _is_address(place[1]):
            raise Malformed("an address of a call is a literal one")
        if strict.relay_only and not ipaddress.ip_address(place[1]).is_unspecified:
            raise Forbidden("this station tells no address of its consoles: it calls by a relay alone")


def _json_candidate(data: str, strict: Strictness) -> None:
    try:
        given = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeError):
        raise Malformed("not a candidate of a call") from None
    for text in (given.section, given.fragment):
        if text is not None and not (len(text) <= 256 and text.isascii() and text.isprintable()):
            raise Malformed("not a candidate of a call")
    if given.place is not None and not 0 <= given.place <= 1:
        raise Malformed("not a candidate of a call")
    check_candidate(given.candidate, strict)


def check_candidate(text: str, strict: Strictness) -> None:
    """Pass a candidate with a literal or local address. Raises Malformed, TooLarge or Forbidden."""
    if len(text) > MAX_CANDIDATE:
        raise TooLarge("a candidate of a call is larger than any that makes sense")
    found = _CANDIDATE.fullmatch(text)
    if found is None or not (_is_host(found[2]) or _LOCAL_NAME.fullmatch(found[2])):
        raise Malformed("not a candidate of a call")
    words = found[4].split()
    extra = dict(zip(words[::2], words[1::2], strict=True))
    related = extra.get("raddr", "0.0.0.0")  # noqa: S104 - what a browser writes that hides it; nobody listens there
    waits = found[1].lower() == "tcp" and extra.get("tcptype") != "active"
    if waits or not _is_address(related):
        raise Malformed("not a candidate of a call")
    if strict.relay_only and (found[3] != "relay" or not ipaddress.ip_address(related).is_unspecified):
        raise Forbidden("this station tells no address of its consoles: it calls by a relay alone")


def _is_host(text: str) -> bool:
    """Whether it is the address of one other machine."""
    if not _is_address(text):
        return False
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    return (
        not address.is_multicast and not address.is_unspecified and address != ipaddress.IPv4Address("255.255.255.255")
    )


def _is_address(text: str) -> bool:
    try:
        return "%" not in str(ipaddress.ip_address(text))
    except ValueError:
        return False
