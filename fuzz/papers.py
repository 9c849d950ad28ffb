"""Targets in files that people hand over: configuration, terms, cards as text, backups, exports, proofs, evidence; and in addresses."""

from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from fuzz.target import Input, Run, part, scratch
from openline.archive import evidence, prove
from openline.archive.manifest import read_manifest, sign_manifest, write_manifest
from openline.archive.verify import verify
from openline.bearers.mail.config import parse_mail_address
from openline.bearers.nats.credentials import read_credentials
from openline.bearers.nats.wire import parse_server
from openline.bearers.tls.address import parse_address
from openline.kernel.crypto import digest
from openline.kernel.errors import Refused
from openline.kernel.lane import Fork, Lane
from openline.kernel.units import Instant
from openline.station import backup, cards, config, terms_file
from openline.station.unlock import Passphrase, seal_secret
from tests.spec import parties
from tests.spec.archive_line import LineUnderTest, message, talk

ROOT = Path(__file__).resolve().parents[1]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode()


def make_config() -> Run:
    """docs/operators/configuration.md: config.toml."""

    def run(data: bytes) -> None:
        config.people_of(config.parse_config(_text(data)))

    return run


def seeds_config() -> dict[str, bytes]:
    text = config.config_text(
        name="ALPHA", language="en", simulated=False, listen=("127.0.0.1:7460",), key_file="unlock.key", uid=1_000
    )
    return {"first": text.encode(), "least": b'name = "ALPHA"\n', "none": b""}


def make_terms_file() -> Run:
    """A proposal of terms, as people write it."""

    def run(data: bytes) -> None:
        policy = terms_file.parse_terms_file(data)
        assert terms_file.policy_of(terms_file.proposal_of(policy)) == policy, "what was read cannot be written"

    return run


def seeds_terms_file() -> dict[str, bytes]:
    return {"example": (ROOT / "examples" / "terms.toml").read_bytes(), "least": b'title = "Relay"\n'}


def make_card_text() -> Run:
    """Spec 3.11, 3.4: a card in a mail, and a fingerprint in any form. First byte: which of them."""

    def run(data: bytes) -> None:
        mode, text = data[:1], _text(data[1:])
        if mode == b"\1":
            assert len(cards.read_fingerprint(text)) in {24, 32}
            return
        raw = cards.unarmoured(text)
        card = cards.accept_card(text, own=parties.card("BRAVO"), now=Instant(1_750_000_000_000))
        assert card.raw == raw

    return run


def seeds_card_text() -> dict[str, bytes]:
    card = parties.card("ALPHA")
    text = cards.armoured(card).encode()
    return {
        "card": b"\0" + text,
        "quoted": b"\0Dear colleague,\r\n\r\n  " + text.replace(b"\n", b"\r\n  ") + b"\r\nYours",
        "cut": b"\0" + text[:-40],
        "digits": b"\1" + cards.as_digits(card.fingerprint).encode(),
        "words": b"\1" + cards.as_words(card.fingerprint).encode(),
        "hex": b"\1" + card.fingerprint.hex().encode(),
    }


# --- backups -----------------------------------------------------------------------------------------------

_SEAL = Passphrase("a passphrase", 1)
_FILE_KEY = digest(b"file key")


def make_backup() -> Run:
    """A backup file. First byte 0: as it comes; else its content, sealed as a backup is."""
    sealed_key = seal_secret(_SEAL, _FILE_KEY, b"backup", bytes)
    header = b"openline/1 backup\n" + len(sealed_key).to_bytes(4, "big") + sealed_key

    def run(data: bytes) -> None:
        mode, rest = data[:1], data[1:]
        if mode != b"\0":
            out = BytesIO(header)
            out.seek(len(header))
            backup._seal_stream(out, iter([rest]), _FILE_KEY, digest(header))  # noqa: SLF001
            rest = out.getvalue()
        store = BytesIO()
        small = backup._read_items(backup._open_stream(BytesIO(rest), _SEAL), store)  # noqa: SLF001
        assert not any(".." in Path(name).parts or name.startswith("/") for name in small)
        assert len(store.getvalue()) <= len(data)

    return run


def seeds_backup() -> dict[str, bytes]:
    items = {"keys/station.key": b"key", "files/config.toml": b"name", "store.db": b"SQLite format 3\0"}
    inside = b"".join(backup._head(name, len(data)) + data for name, data in items.items())  # noqa: SLF001
    sealed_key = seal_secret(_SEAL, _FILE_KEY, b"backup", bytes)
    header = b"openline/1 backup\n" + len(sealed_key).to_bytes(4, "big") + sealed_key
    out = BytesIO()
    backup._seal_stream(out, iter([inside]), _FILE_KEY, digest(header))  # noqa: SLF001
    return {"inside": b"\1" + inside, "whole": b"\0" + header + out.getvalue(), "none": b"\1", "other": b"\0PK\3\4"}


# --- exports -----------------------------------------------------------------------------------------------


def _line() -> LineUnderTest:
    made = talk(LineUnderTest(), 1)
    made.rotate(1)
    made.write(3, message("one"))
    return made


def _export(line: LineUnderTest, folder: Path) -> dict[str, bytes]:
    from openline.archive.export import export

    export(
        reader=line.store, record=line.record(0), signer=line.stations[0].lane, folder=folder, made=Instant(line.clock)
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _manifest_again(line: LineUnderTest, folder: Path, names: list[str]) -> None:
    """What a hostile exporter can do: a manifest that fits whatever stands there, under its own true key."""
    manifest = read_manifest((folder / "manifest.json").read_bytes())
    found = {
        name: sha256((folder / name).read_bytes()).hexdigest() for name in names if not name.startswith("manifest")
    }
    data = write_manifest(replace(manifest, files=found))
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.note").write_bytes(sign_manifest(data, manifest.line, line.stations[manifest.exporter].lane))


def _changed(data: bytes, how: int, at: int, given: bytes) -> bytes:
    at %= len(data) + 1
    match how % 4:
        case 0:
            return data[:at] + given + data[at + len(given) :]
        case 1:
            return data[:at] + given + data[at:]
        case 2:
            return data[:at]
        case _:
            return given


def make_export() -> Run:
    """Spec 14: an exported line with changes; first byte odd: its manifest made and signed anew by the exporter.

    A change is the number of a file, what to do, where, and bytes.
    """
    line = _line()
    folder = scratch() / "out"
    files = _export(line, folder)
    names = sorted(files)

    def run(data: bytes) -> None:
        given = Input(data)
        resign = given.number() % 2
        touched: dict[str, bytes] = {}
        for _ in range(8):
            if not given:
                break
            name = names[given.number() % len(names)]
            touched[name] = _changed(touched.get(name, files[name]), given.number(), given.number(2), given.part())
        try:
            for name, content in touched.items():
                (folder / name).write_bytes(content)
            if resign:
                _manifest_again(line, folder, names)
            verdict = verify(folder, jobs=1)
            different = any(content != files[name] for name, content in touched.items())
            assert not (verdict.ok and different and not resign), "a changed export verifies"
            if not verdict.ok:
                raise Refused("the export was found out")
        finally:
            for name in {*touched, "manifest.json", "manifest.note"}:
                (folder / name).write_bytes(files[name])

    return run


def seeds_export() -> dict[str, bytes]:
    names = sorted(_export(_line(), scratch() / "out"))
    made = {"whole": b"\0", "signed": b"\1"}
    for number, name in enumerate(names):
        label = name.replace("/", "-")
        made[f"flipped-{label}"] = b"\0" + bytes((number, 0, 0, 9)) + part(b"\xff")
        made[f"signed-{label}"] = b"\1" + bytes((number, 0, 0, 40)) + part(b"\0\xff")
    return made


def make_proof_file() -> Run:
    """Spec 14.12: a C2SP tlog-proof of one entry."""

    def run(data: bytes) -> None:
        verdict = prove.verify_proof(data)
        if not verdict.ok:
            raise Refused("the proof does not hold")

    return run


def seeds_proof_file() -> dict[str, bytes]:
    line = _line()
    made = {}
    for number, show in ((0, ("kind", "time", "ack", "body")), (1, ("kind",)), (3, ())):
        lane = Lane(line.terms.line, number, line.stations[number // 2].generation)
        made[f"lane-{number}"] = prove.prove(
            reader=line.store,
            record=line.record(0),
            signers=(line.stations[0].lane,),
            lane=lane,
            index=0,
            show=show,
        )
    return made


def make_evidence() -> Run:
    """Spec 11.8, 11.9: evidence of a fork."""

    def run(data: bytes) -> None:
        fork: Fork = evidence.read_evidence(data, parties.LINE)
        assert evidence.read_evidence(evidence.write_evidence(fork), parties.LINE) == fork

    return run


def seeds_evidence() -> dict[str, bytes]:
    from openline.kernel.lane import Head, sign_head

    lane = parties.lane()
    left, right = (sign_head(parties.OWNER, Head(lane=lane, size=3, root=digest(name))) for name in (b"one", b"other"))
    first, second = sorted((left, right), key=lambda each: each.head.root)
    fork = Fork(left=first, right=second)
    longer = replace(second, head=replace(second.head, size=4))
    leaves = Fork(
        left=first, right=longer, index=1, left_leaf=digest(b"l"), left_proof=(digest(b"p"),), right_leaf=digest(b"r")
    )
    return {"heads": evidence.write_evidence(fork), "leaves": evidence.write_evidence(leaves)}


# --- places and names --------------------------------------------------------------------------------------


def make_places() -> Run:
    """Addresses in cards and configuration, and a relay's credentials; chosen by the first byte."""

    def run(data: bytes) -> None:
        mode, text = data[:1], data[1:].decode("utf-8", "replace")
        match mode[0] % 4 if mode else 0:
            case 0:
                parse_address(text)
            case 1:
                parse_mail_address(text)
            case 2:
                parse_server(text)
            case _:
                read_credentials(data[1:]).answer("nonce")

    return run


def seeds_places() -> dict[str, bytes]:
    return {
        "tls": b"\x00192.0.2.1:7460",
        "tls-six": b"\x00[2001:db8::1]:7460",
        "mail": b"\1mail:alpha@example.org",
        "mail-bare": b"\1alpha@example.org",
        "nats": b"\x02192.0.2.1:4222",
        "nats-six": b"\2[2001:db8::1]:4222",
        "user": b"\3user:password",
        "blocks": b"\3-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n\n"
        b"-----BEGIN USER NKEY SEED-----\nSUAB\n------END USER NKEY SEED------\n",
    }
