"""Spec 17.1, 17.20 to 17.23 and 8.15: a ring's commitment, the digits that people read, bodies and signals of a call."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from openline.kernel.codec import encode
from vectors.generate.case import Case, refused, secret
from vectors.generate.identities import LINE

NONCE, CALLER, CALLED = secret("nonce of a ring"), secret("caller's certificate"), secret("called party's certificate")
RING, PICK_UP, TAKEN, TAKEN_TOO = (secret(f"leaf hash {name}") for name in ("ring", "pick up", "one", "other"))
REF: list[Any] = [0, 0, bytes(8), 3, RING]
OTHER_REF: list[Any] = [2, 0, bytes(8), 4, PICK_UP]


def committed(nonce: bytes, fingerprint: bytes) -> bytes:
    """As 17.20 has it."""
    return sha256(b"openline/1 call\n" + nonce + fingerprint).digest()


def digits(*parts: bytes) -> dict[str, str]:
    """As 17.22 has it."""
    hashed = sha256(b"openline/1 spoken check\n" + b"".join(parts)).digest()
    four = [f"{int.from_bytes(hashed[at : at + 8], 'big') % 10_000:04}" for at in (0, 8)]
    return dict(zip(("caller", "called"), (f"{said[:2]} {said[2:]}" for said in four), strict=True))


def cases() -> Iterator[Case]:
    """Commitments, digits, bodies, signals."""
    yield from _commitments()
    yield from _digits()
    yield from _bodies()
    yield from _signals()


def _commitments() -> Iterator[Case]:
    made = committed(NONCE, CALLER)
    for name, shows, nonce, shown, opens in (
        ("commitment-opens", "nonce and fingerprint that the ring committed to", NONCE, CALLER, True),
        ("refused-commitment-nonce", "another nonce", secret("another nonce"), CALLER, False),
        ("refused-commitment-fingerprint", "another certificate", NONCE, CALLED, False),
        ("refused-commitment-swapped", "the two in each other's place", CALLER, NONCE, False),
        ("refused-commitment-moved", "the same 64 bytes, cut elsewhere", NONCE + CALLER[:1], CALLER[1:], False),
    ):
        given = {"commitment": made.hex(), "nonce": nonce.hex(), "fingerprint": shown.hex()}
        expect = {"opens": True} if opens else refused("forged")
        yield Case(group="call", name=name, clause="17.20", shows=shows, operation="commitment", input=given,
                   expect=expect)  # fmt: skip


def _digits() -> Iterator[Case]:
    first = (LINE, RING, PICK_UP, CALLER, NONCE, CALLED)
    for name, clause, shows, parts in (
        ("spoken-check", "17.22", "what both read when the call has begun", first),
        ("spoken-check-in-the-middle", "17.22", "the caller sees another pick up and key: other digits",
         (LINE, RING, secret("leaf hash of a false pick up"), CALLER, NONCE, secret("false certificate"))),
        ("spoken-check-leading-zero", "17.22", "four digits also where the number is small", _small(first)),
        ("spoken-check-taken-over", "17.23", "after both first seats were taken over",
         (LINE, RING, PICK_UP, secret("caller's second"), NONCE, secret("called party's second"), TAKEN, TAKEN_TOO)),
    ):  # fmt: skip
        names = ("line", "ring", "pick_up", "caller", "nonce", "called")
        given: dict[str, Any] = dict(zip(names, (part.hex() for part in parts[:6]), strict=True))
        given["take_overs"] = [part.hex() for part in parts[6:]]
        yield Case(group="call", name=name, clause=clause, shows=shows, operation="spoken-check", input=given,
                   expect=digits(*parts))  # fmt: skip


def _small(parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The same with a nonce for which the caller's digits begin with two zeros."""
    line, ring, pick_up, caller, _, called = parts
    for number in range(10_000):
        found = (line, ring, pick_up, caller, secret(f"nonce {number}"), called)
        if digits(*found)["caller"].startswith("00"):
            return found
    raise SystemExit("no nonce gives small digits")


def _bodies() -> Iterator[Case]:
    seen = ["1.3", "TLS_AES_128_GCM_SHA256", "AEAD_AES_256_GCM", 0, 1, 0]
    opens = {0: REF, 1: 0, 2: 0, 3: 0, 4: "K7", 5: CALLER, 6: NONCE, 9: OTHER_REF}
    bodies: tuple[tuple[str, str, int, dict[int, Any], str], ...] = (
        ("ring", "a ring", 25, {0: 2, 1: "en", 2: [0, 2], 3: 0, 4: "K7", 5: committed(NONCE, CALLER)}, ""),
        ("pick-up", "a pick up", 26, {0: REF, 1: "fr", 2: 0, 3: "B2", 4: CALLED}, ""),
        ("declined", "a refusal by a person", 27, {0: REF, 1: 0, 2: 0, 3: "B2", 4: "in a briefing"}, ""),
        ("opens", "the caller's seat opens the commitment", 28, opens, ""),
        ("connected", "how a seat saw the media protected", 28, {0: REF, 1: 5, 2: 0, 3: 0, 4: "K7", 8: seen}, ""),
        ("hang-up", "a hang up by the station", 29, {0: REF, 1: 7, 2: 0, 3: "STATION", 4: 5, 5: 6, 6: seen}, ""),
        ("typed", "a typed line", 30, {0: REF, 1: "can you hear", 2: "en", 3: 0, 4: "K7"}, ""),
        ("minutes", "minutes in two languages", 31, {0: REF, 1: [{"en": "one", "fr": "un"}], 2: 0, 3: "K7"}, ""),
        ("minutes-word", "a word on two clauses", 32, {0: REF, 1: [[True], [False, "no"]], 2: 0, 3: "B2"}, ""),
        ("further", "a member of a newer version is ignored", 30,
         {0: REF, 1: "x", 2: "en", 3: 0, 4: "K7", 9: "more"}, ""),
        ("refused-decline-without-reason", "who declines says why", 27, {0: REF, 1: 0, 2: 0, 3: "B2"}, "malformed"),
        ("refused-cause-kept-free", "a cause that no version gives", 27, {0: REF, 1: 5, 2: 0, 3: "B2"}, "malformed"),
        ("refused-opens-without-nonce", "what opens has a nonce", 28,
         {key: value for key, value in opens.items() if key != 6}, "malformed"),
        ("refused-opens-without-pick-up", "what opens names a pick up", 28,
         {key: value for key, value in opens.items() if key != 9}, "malformed"),
        ("refused-opens-second-seat", "the first seat opens", 28, opens | {2: 1}, "malformed"),
        ("refused-third-seat", "a seat beyond the second", 28, {0: REF, 1: 3, 2: 2, 3: 0, 4: "K7"}, "too-large"),
        ("refused-short-fingerprint", "a fingerprint of 31 bytes", 26,
         {0: REF, 1: "fr", 2: 0, 3: "B2", 4: CALLED[:31]}, "malformed"),
        ("refused-no-clause", "minutes of nothing", 31, {0: REF, 1: [], 2: 0, 3: "K7"}, "malformed"),
        ("refused-many-clauses", "minutes of 33 clauses", 31,
         {0: REF, 1: [{"en": "x"}] * 33, 2: 0, 3: "K7"}, "too-large"),
        ("refused-long-minutes", "8,193 bytes in all clauses together", 31,
         {0: REF, 1: [{"en": "x" * 8_000}, {"en": "x" * 193}], 2: 0, 3: "K7"}, "too-large"),
    )  # fmt: skip
    for name, shows, kind, body, code in bodies:
        expect: dict[str, Any] = refused(code) if code else {"kind": kind}
        yield Case(group="call", name=f"body-{name}", clause="17.2" if code else "17.1", shows=shows, operation="body",
                   input={"kind": kind, "body": encode(body).hex()}, expect=expect)  # fmt: skip


def _signals() -> Iterator[Case]:
    frame: list[Any] = [11, 0, 0, bytes(8), 3, 0, 1, 2, 1_763_000_000_000, b"{}", 17]
    changed: tuple[tuple[str, str, int, Any, str], ...] = (
        ("signal", "a candidate of seat 0 for seat 1", 7, 2, ""),
        ("refused-signal-seat", "from a third seat", 5, 2, "too-large"),
        ("refused-signal-text", "bytes that are not UTF-8", 9, b"\xff", "malformed"),
        ("refused-signal-long", "8,193 bytes", 9, b"x" * 8_193, "too-large"),
        ("refused-signal-generation", "generation zero with a nonce", 3, b"not zero", "malformed"),
    )
    for name, shows, place, value, code in changed:
        made = [value if at == place else member for at, member in enumerate(frame)]
        expect: dict[str, Any] = refused(code) if code else {"index": 3, "to": 1, "type": 2, "data": "{}", "after": 17}
        yield Case(group="call", name=name, clause="8.15", shows=shows, operation="signal",
                   input={"line": LINE.hex(), "frame": encode(made).hex()}, expect=expect)  # fmt: skip
