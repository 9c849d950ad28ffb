"""Spec 3: terms, cards, key statements; and the text of generations (4.3)."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from openline.kernel.codec import decode, encode
from openline.kernel.crypto import Signer
from vectors.generate.case import Case, refused, secret

ROOT = Signer(secret("alpha root ed25519"), secret("alpha root mldsa"))
LANE = Signer(secret("alpha lane ed25519"), secret("alpha lane mldsa"))
OTHER = [Signer(secret(f"other {number} ed25519"), secret(f"other {number} mldsa")) for number in range(4)]
CARD, STATEMENT = b"openline/1 card\n", b"openline/1 key statement\n"
LINE = sha256(b"openline/1 terms\n" + b"any").digest()


def party(name: str, root: Signer, lane: Signer) -> dict[int, Any]:
    """A member of terms."""
    hashes = [sha256(key.public.mldsa_key).digest() for key in (root, lane)]
    return {
        0: name,
        1: root.public.ed25519_key,
        2: hashes[0],
        3: lane.public.ed25519_key,
        4: hashes[1],
        5: secret(name),
    }


def terms() -> dict[int, Any]:
    """Terms of two parties."""
    parties = [party("ALPHA", ROOT, LANE), party("BRAVO", OTHER[0], OTHER[1])]
    policy: dict[int, Any] = {0: "Vectors", 1: ["en", "fr"], 2: 60, 3: [10, 30, 180, 360], 4: [3_600, 20_000, 256],
                              5: False, 6: [], 7: True}  # fmt: skip
    return {0: 1, 1: sorted(parties, key=lambda each: bytes(each[1])), 2: policy}


def change(path: list[int], value: Any) -> bytes:  # noqa: ANN401 - any codec value
    """The terms with one member in another form."""
    whole: Any = terms()
    place = whole
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return encode(whole)


def damaged_terms() -> Iterator[tuple[str, str, str, bytes, str]]:
    """(name, clause, what it shows, terms, refusal)."""
    whole = terms()
    one, two = whole[1]
    yield "one-party", "3.5", "a single party", change([1], [one]), "malformed"
    yield "order", "3.5", "parties in the other order", change([1], [two, one]), "malformed"
    yield "suite", "3.5", "another suite", change([0], 2), "malformed"
    yield "array-for-map", "3.5", "an array in place of the map", encode([whole[0], whole[1], whole[2]]), "malformed"
    yield "root-twice", "3.15", "two parties with one root key", change([1, 1, 1], one[1]), "malformed"
    yield "lane-is-root", "3.15", "a party whose lane key is its root key", change([1, 0, 3], one[1]), "malformed"
    yield "lane-of-another", "3.15", "a party with another's lane key", change([1, 0, 3], two[3]), "malformed"
    yield "mldsa-twice", "3.15", "one ML-DSA-44 key in two roles", change([1, 0, 4], one[2]), "malformed"
    yield "name-twice", "3.15", "two parties of one name", change([1, 1, 0], one[0]), "malformed"
    yield "weak-key", "3.15", "a lane key of small order", change([1, 0, 3], bytes(32)), "malformed"
    yield "short-nonce", "3.5", "a nonce of 31 bytes", change([1, 0, 5], bytes(31)), "malformed"
    yield "name-in-small-letters", "3.1", "a name in small letters", change([1, 0, 0], "alpha"), "malformed"
    yield "name-too-long", "3.1", "a name of 17 letters", change([1, 0, 0], "A" * 17), "too-large"
    yield "rhythm-beyond-a-week", "3.7", "a test rhythm of a week and a minute", change([2, 2], 10_081), "too-large"
    yield "three-handling-times", "3.7", "three handling times", change([2, 3], [10, 30, 180]), "malformed"
    yield "release-as-number", "3.7", "1 in place of true", change([2, 5], 1), "malformed"
    yield "language", "3.16", "a language tag in capitals", change([2, 1], ["EN"]), "malformed"
    yield "no-policy", "3.5", "no policy", encode({0: 1, 1: whole[1]}), "malformed"


def term_cases() -> Iterator[Case]:
    """Terms, as they stand and damaged."""
    raw = encode(terms())
    newer = change([2, 8], "from a newer version")
    for name, shows, data in (
        ("two-parties", "terms of two parties", raw),
        ("newer", "an unknown policy key is kept", newer),
    ):
        expect = {"line": sha256(b"openline/1 terms\n" + data).hexdigest(), "names": [p[0] for p in terms()[1]]}
        yield Case(group="terms", name=name, clause="3.8", shows=shows, operation="terms", input={"terms": data.hex()},
                   expect=expect)  # fmt: skip
    for name, clause, shows, data, code in damaged_terms():
        yield Case(group="terms", name=f"refused-{name}", clause=clause, shows=shows, operation="terms",
                   input={"terms": data.hex()}, expect=refused(code))  # fmt: skip


def card_body(**changes: Any) -> bytes:  # noqa: ANN401 - any codec value
    """A card's body; changes by member, m0 to m99."""
    members: dict[int, Any] = {
        0: 1, 1: "ALPHA", 2: ROOT.public.ed25519_key, 3: ROOT.public.mldsa_key, 4: LANE.public.ed25519_key,
        5: LANE.public.mldsa_key, 6: b"certificate", 7: ["tls:192.0.2.1:7460"], 8: 1_700_000_000_000, 9: 1_800_000_000_000,
    }  # fmt: skip
    return encode(members | {int(key[1:]): value for key, value in changes.items()})


def signed(label: bytes, body: bytes, root: Signer = ROOT) -> bytes:
    """[body, both signatures]."""
    return encode([body, root.ed25519(label + body), root.mldsa(label + body)])


def cards() -> Iterator[tuple[str, str, str, Callable[[], bytes], str]]:
    """(name, clause, what it shows, card, refusal or nothing)."""
    body, alone = card_body(), card_body(m10="more")
    parts: Any = decode(signed(CARD, body))
    yield "reads", "3.2", "a card", lambda: signed(CARD, body), ""
    yield "further-member", "3.1", "a member of a newer version", lambda: signed(CARD, alone), ""
    yield "refused-map", "3.2", "a map in place of the array", lambda: encode(dict(enumerate(parts))), "malformed"
    yield "refused-fourth-member", "2.9", "a fourth member", lambda: encode([*parts, b""]), "malformed"
    yield "refused-ed25519", "3.2", "an Ed25519 signature of another key", lambda: encode(
        [body, OTHER[0].ed25519(CARD + body), parts[2]]), "forged"  # fmt: skip
    yield "refused-mldsa", "3.2", "an ML-DSA-44 signature of another key", lambda: encode(
        [body, parts[1], OTHER[0].mldsa(CARD + body)]), "forged"  # fmt: skip
    yield "refused-label", "1.5", "signed as a key statement", lambda: signed(STATEMENT, body), "forged"
    one_key = card_body(m4=ROOT.public.ed25519_key)
    yield "refused-lane-is-root", "3.6", "the root key as lane key", lambda: signed(CARD, one_key), "malformed"
    weak = card_body(m4=bytes(32))
    yield "refused-weak-lane", "1.8", "a lane key of small order", lambda: signed(CARD, weak), "malformed"
    many = card_body(m7=["tls:192.0.2.1:7460"] * 17)
    yield "refused-17-addresses", "3.1", "seventeen addresses", lambda: signed(CARD, many), "too-large"


def card_cases() -> Iterator[Case]:
    """Cards; each is signed with fresh randomness, hence pinned."""
    keys = ROOT.public
    found = sha256(b"openline/1 identity\n" + keys.ed25519_key + keys.mldsa_key).hexdigest()
    for name, clause, shows, make, code in cards():
        expect = refused(code) if code else {"name": "ALPHA", "fingerprint": found}
        yield Case(group="card", name=name, clause=clause, shows=shows, operation="card", pinned=True,
                   input={"card": b64encode(make()).decode()}, expect=expect)  # fmt: skip


def statement_cases() -> Iterator[Case]:
    """Key statements: pinned, too."""
    nonce = bytes.fromhex("00ff00ff00ff00ff")
    new = OTHER[2].public
    keys = [new.ed25519_key, new.mldsa_key]
    body = encode([1, LINE, 1, 3, nonce, *keys])
    whole: Any = decode(signed(STATEMENT, body))
    root = {"ed25519": ROOT.public.ed25519_key.hex(), "mldsa": b64encode(ROOT.public.mldsa_key).decode()}
    place: dict[str, Any] = {"line": LINE.hex(), "party": 1, "generation": "3-00ff00ff00ff00ff"}
    rooted = encode([1, LINE, 1, 3, nonce, ROOT.public.ed25519_key, new.mldsa_key])
    for name, clause, shows, raw, changes, code in (
        ("reads", "3.10", "a statement in its place", signed(STATEMENT, body), {}, ""),
        ("refused-line", "3.10", "another line", signed(STATEMENT, body), {"line": "00" * 32}, "foreign"),
        ("refused-party", "3.10", "another party", signed(STATEMENT, body), {"party": 0}, "foreign"),
        ("refused-generation", "3.10", "another generation", signed(STATEMENT, body), {"generation": "3-00ff00ff00ff00fe"},
         "foreign"),
        ("refused-fourth-member", "2.9", "a fourth member", encode([*whole, b""]), {}, "malformed"),
        ("refused-signer", "3.10", "signed by the lane key", signed(STATEMENT, body, LANE), {}, "forged"),
        ("refused-root-as-lane", "3.6", "the root key as lane key", signed(STATEMENT, rooted), {}, "malformed"),
    ):  # fmt: skip
        expect = refused(code) if code else {"lane_ed25519": new.ed25519_key.hex()}
        data = {"statement": b64encode(raw).decode(), "root": root, **place, **changes}
        yield Case(group="statement", name=name, clause=clause, shows=shows, operation="statement", pinned=True, input=data,
                   expect=expect)  # fmt: skip


def generation_cases() -> Iterator[Case]:
    """Texts of generations."""
    for name, text, found in (
        ("zero", "0", (0, bytes(8))),
        ("first", "1-00ff00ff00ff00ff", (1, bytes.fromhex("00ff00ff00ff00ff"))),
        ("last", "4294967295-ffffffffffffffff", (2**32 - 1, b"\xff" * 8)),
    ):
        yield Case(group="generation", name=name, clause="4.3", shows=f"the generation {text}", operation="generation",
                   input={"text": text}, expect={"counter": found[0], "nonce": found[1].hex()})  # fmt: skip
    for name, text in (
        ("zero-with-nonce", "0-0102030405060708"), ("zero-written-out", "0-0000000000000000"), ("no-nonce", "1"),
        ("leading-zero", "01-00ff00ff00ff00ff"), ("capitals", "1-00FF00FF00FF00FF"), ("33-bits", "4294967296-00ff00ff00ff00ff"),
        ("space", "1-00ff00ff00ff00ff "), ("arabic-digit", "\u0661-00ff00ff00ff00ff"), ("empty", ""),
    ):  # fmt: skip
        yield Case(group="generation", name=f"refused-{name}", clause="4.3", shows=f"not a generation: {name}",
                   operation="generation", input={"text": text}, expect=refused("malformed"))  # fmt: skip


def cases() -> Iterator[Case]:
    """All of spec 3."""
    yield from term_cases()
    yield from card_cases()
    yield from statement_cases()
    yield from generation_cases()
