"""What is wrong with a station, in plain words, and what to do about it: `openline doctor`.

Reads only; also beside a running station. Findings name neither content nor
people nor addresses.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import Enum

from openline.kernel.errors import Bug, Forbidden, Refused, Unavailable, Unknown
from openline.kernel.keys import Card, Keyring, read_card, read_statement
from openline.kernel.lane import GENERATION_ZERO, Generation, Lane
from openline.kernel.units import Entropy, Instant
from openline.protocol.records import LineRecord
from openline.station.card import card_in_use, own_card
from openline.station.config import load_config
from openline.station.files import PART, PASSAGE
from openline.station.integrity import check_store
from openline.station.keystore import LANE, ROOT, STATION, Keystore
from openline.station.marks import Marks
from openline.station.places import Places
from openline.station.unlock import Unlock
from openline.stores.sqlite import SqliteStore
from openline.stores.sqlite.file import check_header, locked

_MIB = 1 << 20
_BUILT = Instant(1_763_769_600_000)
"""2025-11-22: no clock that is right shows less."""
_DAY = 86_400_000
_SOON_DAYS = 30


class Severity(Enum):
    """How much it matters."""

    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    severity: Severity
    code: str
    """Its stable name."""
    what: str
    do: str = ""
    """The next step; empty if there is none to take."""


def _good(code: str, what: str) -> Finding:
    return Finding(severity=Severity.GOOD, code=code, what=what)


def _note(code: str, what: str, do: str = "") -> Finding:
    return Finding(severity=Severity.NOTE, code=code, what=what, do=do)


def _warning(code: str, what: str, do: str) -> Finding:
    return Finding(severity=Severity.WARNING, code=code, what=what, do=do)


def _fault(code: str, what: str, do: str) -> Finding:
    return Finding(severity=Severity.FAULT, code=code, what=what, do=do)


_UNREADABLE = _fault(
    "unreadable",
    "Part of the folder cannot be read.",
    "Run this as the station's user; if you do: chown -R it to that user.",
)
_RESTORE = (
    "Stop the station, keep the damaged files, restore the last backup into a new folder; peers give back the rest."
)

_RESTORE_ELSE = (
    "If they are sound: stop the station, keep the damaged files, restore the last backup into a new folder."
)


def examine(places: Places, unlock: Unlock | None, now: Instant, entropy: Entropy) -> list[Finding]:
    """Look at everything; without `unlock`, at what shows from outside."""
    if not places.folder.is_dir():
        return [
            _fault("no-station", "There is no station in this folder.", "Name another folder, or run openline init.")
        ]
    if not os.access(places.folder, os.R_OK | os.X_OK):
        return [_UNREADABLE]
    found = [*_permissions(places), *_space(places), *_leftovers(places), *_process(places), *_clock(now)]
    found += [*_key_files(places), *_writable(places), *_card_file(places)]
    header = _header(places)
    found.append(header)
    if unlock is None:
        found.append(_note("sealed", "Keys, lines and store were not opened.", "Unlock, to have them examined too."))
        return found
    try:
        keys = Keystore.open(places.keys, unlock, entropy)
    except (Refused, Unavailable) as error:
        return [*found, _keys_closed(error)]
    found.append(_good("keys", "The keys open."))
    if header.severity is Severity.GOOD:
        found += _inside(places, keys, now)
    return found


# --- from outside ------------------------------------------------------------------------------------------


def _permissions(places: Places) -> Iterator[Finding]:
    others = stat.S_IRWXG | stat.S_IRWXO
    try:
        paths = [places.folder, places.marks, *places.folder.rglob("*")]
        # What may be shown (a card) or is a socket is not of these folders.
        secret = [p for p in paths if {places.keys, places.store.parent, places.marks} & {p, *p.parents}]
        opened = [p for p in secret if p.exists() and p.stat().st_mode & others]
        if places.folder.stat().st_mode & others & ~PASSAGE:
            opened.append(places.folder)
    except OSError:
        yield _UNREADABLE
        return
    if opened:
        yield _fault("permissions", "Files of the station are open to other users.", "chmod -R go-rwx on the folder.")
    else:
        yield _good("permissions", "Only the station's user can read its files.")


def _space(places: Places) -> Iterator[Finding]:
    free = shutil.disk_usage(places.folder).free
    if free < 16 * _MIB:
        yield _fault("disk-full", "The disk is full or nearly so.", "Make room: nothing can be sent or accepted.")
    elif free < 512 * _MIB:
        yield _warning("disk-space", "Less than 512 MiB of disk are left.", "Make room before it is full.")
    else:
        yield _good("disk-space", "There is room on the disk.")


def _leftovers(places: Places) -> Iterator[Finding]:
    if any(places.folder.rglob("*" + PART)):
        yield _note(
            "leftovers",
            "Files of an interrupted write lie about (*.part).",
            "Delete them while the station is stopped.",
        )
    if any(places.store.parent.glob("*.before-*")):
        yield _note(
            "old-copies",
            "A copy of the store from before a migration is kept.",
            "Delete it once you trust the newer version.",
        )


def _process(places: Places) -> Iterator[Finding]:
    if (places.store.parent.is_dir() and locked(places.store)) or _runs(places):
        yield _note("running", "A process has the store open: the station is running.")
    else:
        yield _note("stopped", "No process has the store open: the station is not running.", "Start it: openline up.")


def _runs(places: Places) -> bool:
    """Whether a station's process has this folder, also where somebody deleted its store."""
    try:
        with (places.folder / "run" / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _clock(now: Instant) -> Iterator[Finding]:
    if now < _BUILT:
        yield _warning(
            "clock", "The clock is behind the day this program was made.", "Set the clock; times are shown to peers."
        )


def _key_files(places: Places) -> Iterator[Finding]:
    for name in (STATION, LANE):
        if not (places.keys / name).is_file():
            yield _fault("key-missing", "A key file is missing: keys/" + name + ".", "Restore a backup.")
    if (places.keys / ROOT).is_file():
        yield _warning(
            "root-here",
            "The root key lies on this machine: whoever takes it can pass for this station for good.",
            "Move keys/root.key to a medium that is kept offline; bring it back only to certify.",
        )
    else:
        yield _good("root-away", "The root key is not on this machine.")


def _writable(places: Places) -> Iterator[Finding]:
    """A station writes here all the time; nothing is damaged where it may not, and nothing to be restored."""
    folders = [path for path in (places.folder / "run", places.store.parent, places.marks) if path.is_dir()]
    needed = [*folders, *(path for folder in folders for path in folder.iterdir() if path.is_file())]
    if not all(os.access(path, os.R_OK | os.W_OK) for path in needed):
        yield _fault(
            "not-writable",
            "Something in the folders run, store or marks cannot be written.",
            "Look at the mount, the disk and who owns it: chown -R to the station's user. Do not restore for that.",
        )


def _card_file(places: Places) -> Iterator[Finding]:
    try:
        own_card(places.folder)
    except (Unknown, Unavailable):
        if places.store.exists():
            yield _warning(
                "card-file",
                "The station's card, card.txt, is missing or damaged. The lines go on; pairing needs it.",
                "With the root key: openline card --new.",
            )


def _header(places: Places) -> Finding:
    if places.store.exists() and locked(places.store):
        return _good("store-file", "The store is in use.")
    try:
        check_header(places.store)
    except Unknown:
        return _fault("no-store", "There is no store.", "Restore a backup; for a new station run openline init.")
    except Refused:
        return _fault("store-damaged", "The store is cut short, or is none of ours.", _RESTORE)
    except Unavailable:
        return _fault(
            "store-unreadable", "The store cannot be read.", "Check the disk, and run this as the station's user."
        )
    return _good("store-file", "The store is there and of its full length.")


def _keys_closed(error: Refused | Unavailable) -> Finding:
    if isinstance(error, Unknown):
        return _fault(
            "key-missing", "A key file is missing.", "Restore a backup; check the path of the unlocking key file."
        )
    if isinstance(error, Forbidden):
        return _fault(
            "locked", "The passphrase or key file is wrong, or a key file is open to others.", "Try again; chmod 600."
        )
    if isinstance(error, Unavailable):
        return _fault("key-unreadable", "A key file cannot be read.", "Run this as the station's user.")
    return _fault("key-damaged", "A key file is damaged.", "Restore a backup.")


# --- from inside -------------------------------------------------------------------------------------------

_DAMAGE = {
    "structure": "The store's structure is damaged.",
    "row": "Something in the store does not open or cannot be read.",
    "card": "A card in the store does not check.",
    "statement": "A key statement in the store does not check.",
    "hash": "An entry is not the one whose hash was signed.",
    "head": "A signed head does not fit its lane, or its signature does not check.",
    "arrivals": "Entries are missing from the store.",
    "audit": "The chain of the audit log is broken: an act was changed or removed.",
}


def _console(places: Places, store: SqliteStore, now: Instant) -> Iterator[Finding]:
    from openline.station.console_check import floor_findings  # it needs findings itself

    try:
        config = load_config(places.folder)
    except (Refused, Unavailable):
        return  # told by whoever asked for the examination
    yield from floor_findings(places.folder, config, store, now)


def _inside(places: Places, keys: Keystore, now: Instant) -> Iterator[Finding]:
    try:
        store = SqliteStore.inspect(places.store, keys.data_key)
    except Forbidden:
        yield _fault(
            "other-key", "These keys do not open this store.", "Put the keys and store of one station together."
        )
        return
    except Refused:
        yield _note(
            "other-version", "The store is of another version of this program.", "It is migrated at the next start."
        )
        return
    except Unavailable:
        yield _fault(
            "store-unreadable", "The store cannot be opened.", "Look at the disk and the files' owner. " + _RESTORE_ELSE
        )
        return
    except Bug:
        yield _fault("store-damaged", "The store cannot be opened.", _RESTORE)
        return
    with closing(store):
        damage = sorted(set(check_store(store)))
        for name in damage:
            yield _fault("damaged-" + name, _DAMAGE[name], _RESTORE)
        if "row" in damage or "structure" in damage:
            return
        yield from _console(places, store, now)
        if not damage:
            yield _good("store", "Every entry, hash, head and signature in the store checks.")
        try:
            yield from _lines(places, store, keys, now)
        except Unavailable:
            yield _fault(
                "unreadable",
                "A mark, a pairing key or a line in the store cannot be read.",
                "Look at the disk and the files' owner. " + _RESTORE_ELSE,
            )
        except (Refused, Bug):
            yield _fault("store-damaged", "A line in the store cannot be read.", _RESTORE)


def _lines(places: Places, store: SqliteStore, keys: Keystore, now: Instant) -> Iterator[Finding]:
    records = store.lines()
    marks = Marks(places.marks) if places.marks.is_dir() else None
    for record in records:
        yield from _speaks(store, record, keys)
        yield _mark(store, record, marks)
        missing = set(range(len(record.cards))) - {record.party} - set(keys.psks(record.line))
        if missing:
            yield _warning(
                "psk-missing",
                "A pairing key is missing or damaged: that line cannot be rescued if its epoch is lost.",
                "Pair with that party again: openline pair --again LINE, on both floors.",
            )
    if marks is not None:
        marks.close()
    if records:
        yield from _card(card_in_use(places.folder, records), keys, now)
    if not records:
        yield _note("no-lines", "There is no line yet.", "Exchange cards and run openline pair.")


def _speaks(store: SqliteStore, record: LineRecord, keys: Keystore) -> Iterator[Finding]:
    """The lane key in force on a line must be one of ours (spec 3.13)."""
    card = read_card(record.cards[record.party])
    ring, newest = Keyring(card.root, card.lane), GENERATION_ZERO
    for put in store.line(record.line).generations():
        if put.party == record.party:
            newest = max(newest, put.generation)
            if put.statement:
                key = read_statement(put.statement, record.line, put.party, put.generation, card.root)
                ring.rotate(put.generation, key)
    ours = {signer.public.ed25519_key for signer in (keys.lane, *keys.retired)}
    if ring.lane(newest).ed25519_key not in ours:
        yield _fault(
            "other-card",
            "A line knows this station by other keys than these.",
            "Put back the keys that the line was paired with.",
        )


def _card(card: Card, keys: Keystore, now: Instant) -> Iterator[Finding]:
    if card.certificate not in {keys.certificate, keys.own.next_certificate}:
        yield _fault(
            "other-card",
            "A line knows this station by other keys than these.",
            "Put back the keys that the line was paired with.",
        )
    if now > card.expires:
        yield _warning(
            "card-expired", "This station's card has expired; its lines go on.", "Make a new one: openline card --new."
        )
    elif card.expires - now < _SOON_DAYS * _DAY:
        yield _note(
            "card-expires", "This station's card expires within 30 days.", "Make a new one: openline card --new."
        )


def _mark(store: SqliteStore, record: LineRecord, marks: Marks | None) -> Finding:
    """Compare a line's mark with its store, as the next start will (spec 13)."""
    mark = marks.read(record.line) if marks else None
    line = store.line(record.line)
    own: Sequence[Generation] = [put.generation for put in line.generations() if put.party == record.party]
    current = max(own, default=GENERATION_ZERO)
    sizes = [line.size(Lane(record.line, 2 * record.party + place, current)) for place in (0, 1)]
    if mark is None and not any(sizes):
        return _good("mark", "A line has said nothing yet and needs no mark.")
    if mark is None:
        why = "A line has no high-water mark, or a destroyed one: the next start takes the store for a restored one."
    elif mark.generation != current:
        why = "The high-water mark of a line is of another generation than the store: the store was restored."
    elif mark.urgent > sizes[0] or mark.traffic > sizes[1]:
        why = "The store of a line is behind its high-water mark: it was restored, or has lost entries."
    else:
        return _good("mark", "The high-water mark of a line fits its store.")
    return _warning(
        "mark",
        why,
        "If you restored a backup, go on: a successor generation opens. If not, find out who moved the files.",
    )
