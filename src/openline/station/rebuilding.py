"""A station made anew when nothing is left of it but its root key: fresh keys, and the lines from the others' papers.

The root signs a lane key for a generation above all that the others can show, so the new station speaks in nobody's
name but its own. Everything said before comes back from the others, verified (spec 13.15). What no paper carries is
the pairing secret: people pair again before the first word.
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openline.kernel.crypto import Signer, Verifier
from openline.kernel.errors import Conflict, Foreign, Unknown
from openline.kernel.keys import make_statement
from openline.kernel.lane import Generation
from openline.kernel.terms import check_language
from openline.kernel.units import MAX_GENERATION, Entropy, Instant
from openline.protocol.records import LineRecord, Mark, PutGeneration
from openline.station import config as configuration
from openline.station.card import certify
from openline.station.files import check_path, private_folder, write_private
from openline.station.keystore import Keystore
from openline.station.line_papers import LinePapers
from openline.station.marks import Marks
from openline.station.places import Places
from openline.station.setup import Created
from openline.station.unlock import KeyFile, Unlock
from openline.stores.sqlite import SqliteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How the new station is to be: as `create_home` has it."""

    listen: tuple[str, ...]
    addresses: tuple[str, ...] | None
    language: str


def rebuild_home(
    home: Path,
    papers: Sequence[LinePapers],
    *,
    root: Signer,
    unlock: Unlock,
    wanted: Wanted,
    now: Instant,
    entropy: Entropy = os.urandom,
) -> Created:
    """Make the station of that root key anew in `home`, with the lines of these papers.

    Raises Conflict (there is a station; papers of one line twice), Foreign (papers of a line that this root is no
    member of, or under another name), Malformed, Forbidden or Unavailable; then no station is there.
    """
    if not papers:
        raise Unknown("a station is rebuilt from line papers: ask the other side for them")
    check_language(wanted.language)
    names = {_own(each, root) for each in papers}
    if len(names) != 1 or len({each.members.terms.line for each in papers}) != len(papers):
        raise Conflict("the line papers are of one line twice, or know this station by several names")
    name = names.pop()
    private_folder(check_path(home))
    if (home / configuration.FILE).exists():
        raise Conflict("there is a station here already")
    text = configuration.config_text(
        name=name, language=wanted.language, simulated=False, listen=wanted.listen,
        key_file=str(unlock.path) if isinstance(unlock, KeyFile) else "", uid=os.getuid(),
    )  # fmt: skip
    configuration.parse_config(text)
    places = Places(home)
    keystore = Keystore.create(places.keys, unlock, entropy, made=now, with_root=False)
    for folder in (places.store.parent, home / "run"):
        private_folder(folder)
    SqliteStore.create(places.store, keystore.data_key).close()
    with (
        contextlib.closing(Marks(places.marks)) as marks,
        contextlib.closing(SqliteStore.open(places.store, keystore.data_key)) as store,
    ):
        for each in papers:
            _put_line(store, marks, each, _Speaker(keystore.lane.public, root), entropy)
    told = wanted.listen if wanted.addresses is None else wanted.addresses
    addresses = tuple(f"tls:{place}" for place in told)
    card = certify(home, keystore, root, name=name, addresses=addresses, now=now)
    write_private(home / configuration.FILE, text.encode())  # last: a folder with a configuration is a whole station
    return Created(home=home, card=card)


def _own(papers: LinePapers, root: Signer) -> str:
    """Our name on that line. Raises Foreign."""
    for card in papers.members.cards:
        if (card.root.ed25519_key, card.root.mldsa_key) == (root.public.ed25519_key, root.public.mldsa_key):
            return card.name
    raise Foreign("the root key is of no member of that line")


@dataclass(frozen=True, slots=True)
class _Speaker:
    lane: Verifier
    root: Signer


def _put_line(store: SqliteStore, marks: Marks, papers: LinePapers, speaker: "_Speaker", entropy: Entropy) -> None:
    """The line's record, and the one generation in which the new station speaks."""
    terms, root = papers.members.terms, speaker.root
    party = terms.party_of_root(root.public.ed25519_key)
    generation = Generation(min(papers.above(party) + 1, MAX_GENERATION), entropy(8))
    statement = make_statement(terms.line, party, generation, speaker.lane, root)
    label = "-".join(card.name for number, card in enumerate(papers.members.cards) if number != party)
    taken = {record.label for record in store.lines()}
    label = next(each for each in (label, *(f"{label}-{n}" for n in range(2, 999))) if each not in taken)
    store.add_line(LineRecord(line=terms.line, party=party, terms=papers.terms, cards=papers.cards, label=label))
    put = PutGeneration(party=party, generation=generation, seed=entropy(32), statement=statement)
    store.line(terms.line).commit([put])
    for first, newest in zip(papers.members.cards, papers.newest, strict=True):
        if newest.made > first.made and first.root.ed25519_key != root.public.ed25519_key:
            store.put_setting(f"card.{first.root.ed25519_key.hex()}", newest.raw)
            store.put_setting(f"pin.{first.root.ed25519_key.hex()}", newest.certificate)
    marks.write(terms.line, Mark(generation=generation, urgent=0, traffic=0))
