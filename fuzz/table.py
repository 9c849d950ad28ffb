"""All targets, by name."""

from fuzz.target import Target

_ALL = (
    Target(name="codec", module="kernel", about="deterministic CBOR (2)"),
    Target(name="envelope", module="kernel", about="envelopes, as they come and under true keys (9.1 to 9.6)"),
    Target(name="handshake-envelope", module="kernel", about="handshake envelopes (10.2)"),
    Target(name="note", module="kernel", about="C2SP signed notes, as they come and signed by the owner (5.1 to 5.7)"),
    Target(name="generation", module="kernel", about="the text of a generation (4.3)", largest=64),
    Target(name="leaf", module="kernel", about="leaves and their place (4.9)", largest=512),
    Target(name="proof", module="kernel", about="inclusion and consistency proofs (4.11)"),
    Target(
        name="card", module="kernel", about="cards, as they come and signed by their root (3.1, 3.2)", largest=9_000
    ),
    Target(name="terms", module="kernel", about="terms and policies (3.6 to 3.9)"),
    Target(name="statement", module="kernel", about="key statements (3.10)", largest=9_000),
    Target(name="frames", module="messages", about="contents of envelopes (8)", shaped=True, largest=16_359),
    Target(name="bodies", module="messages", about="bodies of all kinds (6)", shaped=True, largest=12_290),
    Target(
        name="fields", module="messages", about="kind, time, acknowledgements, references, spoken digits", largest=3_100
    ),
    Target(
        name="handshake", module="messages", about="handshake messages in any order (10.3)", shaped=True, largest=20_000
    ),
    Target(name="pairing-messages", module="messages", about="pairing messages (15.10)", shaped=True, largest=20_000),
    Target(name="pairing", module="messages", about="pairing messages in any order (15)", shaped=True, largest=20_000),
    Target(
        name="engine",
        module="engine",
        about="an authenticated peer that is hostile (7 to 13)",
        shaped=True,
        largest=40_000,
    ),
    Target(
        name="tls",
        module="carriers",
        about="the TLS bearer's frames, and bytes before TLS (9.30 to 9.35)",
        largest=40_000,
    ),
    Target(name="mail", module="mailboxes", about="mails and their heads (9.40 to 9.42)", largest=30_000),
    Target(name="imap", module="mailboxes", about="a hostile IMAP server", largest=8_000),
    Target(name="nats", module="carriers", about="a hostile NATS relay (9.50 to 9.54)", largest=8_000),
    Target(
        name="drop", module="carriers", about="a folder with anything under any name (9.60 to 9.64)", largest=20_000
    ),
    Target(name="serial-framing", module="carriers", about="bytes off a serial line (9.70, 9.71)"),
    Target(name="serial", module="carriers", about="frames of a serial link in any order (9.72 to 9.78)"),
    Target(name="places", module="papers", about="addresses and credentials", largest=1_000),
    Target(name="config", module="papers", about="config.toml", largest=8_000),
    Target(name="terms-file", module="papers", about="a proposal of terms, as a file", largest=8_000),
    Target(
        name="card-text", module="papers", about="cards in mails, fingerprints in any form (3.4, 3.11)", largest=16_000
    ),
    Target(name="backup", module="papers", about="backup files, as they come and truly sealed", largest=8_000),
    Target(name="export", module="papers", about="exported lines with changes, also truly signed (14)", largest=2_000),
    Target(name="proof-file", module="papers", about="proofs of one entry (14.12)", largest=20_000),
    Target(name="evidence", module="papers", about="evidence of forks (11.8)"),
    Target(name="api", module="calls", about="calls of the local API", largest=16_000),
    Target(name="canary", module="canary", about="a reader with a bug that must be found", known_bug=True),
    Target(name="canary-state", module="canary", about="a refusal that changes something", known_bug=True),
)

TARGETS = {target.name: target for target in _ALL}
HONEST = {name: target for name, target in TARGETS.items() if not target.known_bug}
