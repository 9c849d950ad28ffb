"""A station's own secrets, in the folder `keys/`, outside the store.

    station.key        32 random bytes from which the store's key and those of the other files derive, after a rotation
                       several, the newest first; sealed by the station's passphrase or key file
    lane.key           seeds of the lane keys (Ed25519, ML-DSA-44) and of the TLS keys, those of before and one that
                       is being put in place among them; sealed under station.key
    root.key           seeds of the root keys; sealed by a passphrase or key file of its own. It certifies cards
                       and key statements, nothing else needs it: move it offline
    psk/<line>.<n>     the pairing key with party n of a line; sealed under station.key
    psk/<line>.<n>.new one that people here have accepted, until the other side has shown that it has it too

A changed passphrase seals station.key anew; no other file changes.

Spec: spec/03-terms.md (roles of keys), spec/10-epochs.md (the PSK stands outside the store).
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from openline.kernel.crypto import Signer, derive
from openline.kernel.errors import Conflict, Forged, Malformed, Refused, TooLarge, Unavailable, Unknown
from openline.kernel.units import Entropy, Instant
from openline.protocol.records import LineRecord, Mark
from openline.protocol.setup import Setup
from openline.station.files import private_folder, read_private, write_private
from openline.station.key_ring import Made, OwnKeys, decode_keys, encode_keys, new_keys
from openline.station.unlock import MAX_SECRET, Unlock, open_secret, open_under, seal_secret, seal_under

STATION, LANE, ROOT, PSKS = "station.key", "lane.key", "root.key", "psk"
_NEW = ".new"
_LARGEST = MAX_SECRET + 256
_SEED = 32
MOST_ROTATIONS = 64
"""Station keys kept, as each sealed what is still here: a rotation a month for five years, 2 KB."""


class Keystore:
    """The opened keys of one station. Make them with `create`, later `open`."""

    def __init__(self, folder: Path, master: bytes, keys: OwnKeys, entropy: Entropy) -> None:
        """Raises Malformed unless the station's key has 32 bytes, or several times that."""
        self._folder, self._entropy = folder, entropy
        self._turn(master)
        self.own = keys
        """All lane and TLS keys."""

    def _turn(self, master: bytes) -> None:
        masters = _masters(master)
        self._under = [derive(each, b"openline/1 keys") for each in masters]
        self.data_key = b"".join(derive(each, b"openline/1 store") for each in masters)
        """The store's key; after a rotation several, the newest first."""

    @property
    def lane(self) -> Signer:
        """The lane keys in use: those of the card."""
        return self.own.lane

    @property
    def retired(self) -> tuple[Signer, ...]:
        """All other lane keys that are here."""
        return self.own.retired

    @property
    def tls_key(self) -> bytes:
        """The TLS key in use, PKCS8 DER."""
        return self.own.tls_key

    @property
    def certificate(self) -> bytes:
        """DER; always the same for one key."""
        return self.own.certificate

    @classmethod
    def create(
        cls,
        folder: Path,
        unlock: Unlock,
        entropy: Entropy,
        *,
        root_unlock: Unlock | None = None,
        made: Instant | None = None,
        with_root: bool = True,
    ) -> "Keystore":
        """New keys. `root_unlock` seals the root key; without it, `unlock` does. Without `with_root` there is one already.

        Raises Conflict if there are keys, Forbidden (short passphrase, folder
        or key file open to others) or Unavailable.
        """
        private_folder(folder)
        if any((folder / name).exists() for name in (STATION, LANE, ROOT)):
            raise Conflict("there are keys here already: name a new folder")
        master, keys = entropy(_SEED), new_keys(entropy, made or Instant(0))
        store = cls(folder, master, keys, entropy)
        if with_root:
            root = seal_secret(root_unlock or unlock, entropy(2 * _SEED), ROOT.encode(), entropy)
            write_private(folder / ROOT, root)
        store.put_keys(keys)
        # Last: a station that has it has the others.
        write_private(folder / STATION, seal_secret(unlock, master, STATION.encode(), entropy))
        return store

    @classmethod
    def open(cls, folder: Path, unlock: Unlock, entropy: Entropy) -> "Keystore":
        """The keys of a station; the root key may be elsewhere.

        Raises Unknown (a file is missing), Forbidden (wrong passphrase or key
        file; open to others), Malformed (cut short), Forged (damaged, another
        station's) or Unavailable.
        """
        master = open_secret(unlock, _read(folder / STATION), STATION.encode())
        under = [derive(each, b"openline/1 keys") for each in _masters(master)]
        seeds = _open_under(under, _read(folder / LANE), LANE.encode())
        return cls(folder, master, decode_keys(seeds), entropy)

    @classmethod
    def put_back(cls, folder: Path, unlock: Unlock, entropy: Entropy, files: Mapping[str, bytes]) -> "Keystore":
        """The keys that `secrets` gave, in a new folder. Raises as `create`, and Malformed."""
        private_folder(folder)
        if any((folder / name).exists() for name in (STATION, LANE)):
            raise Conflict("there are keys here already: name a new folder")
        if not {STATION, LANE} <= set(files):
            raise Malformed("keys are missing")
        master, keys = files[STATION], decode_keys(files[LANE])
        store = cls(folder, master, keys, entropy)
        store.put_keys(keys)
        for name, psk in files.items():
            if name.startswith(PSKS + "/"):
                line, party = _parsed(name.removeprefix(PSKS + "/").removesuffix(_NEW))
                (store.put_new_psk if name.endswith(_NEW) else store.put_psk)(line, party, psk)
        write_private(folder / STATION, seal_secret(unlock, master, STATION.encode(), entropy))
        return store

    def secrets(self, unlock: Unlock) -> dict[str, bytes]:
        """All secrets but the root's, by file: for a backup, which seals them again. Raises as `open`."""
        found = {
            STATION: open_secret(unlock, _read(self._folder / STATION), STATION.encode()),
            LANE: _open_under(self._under, _read(self._folder / LANE), LANE.encode()),
        }
        names = {path.name.removesuffix(_NEW) for path in (self._folder / PSKS).glob("*.*")}
        for line in sorted({_parsed(name)[0] for name in names if _is_psk(name)}):
            found |= {f"{PSKS}/{_psk_name(line, party)}": psk for party, psk in self.psks(line).items()}
            # Both: which one the peer has is not known yet.
            found |= {f"{PSKS}/{_psk_name(line, party)}{_NEW}": psk for party, psk in self.new_psks(line).items()}
        return found

    def put_keys(self, keys: OwnKeys) -> None:
        """Write lane.key; then these are the lane and TLS keys. Raises Unavailable: then those of before are."""
        sealed = seal_under(self._under[0], encode_keys(keys), LANE.encode(), self._entropy)
        write_private(self._folder / LANE, sealed)
        self.own = keys

    def next_lane(self, now: Instant) -> Signer:
        """A new lane key, kept and not in use; the one that waits already, if there is one. Raises Unavailable."""
        if self.own.next_lane is None:
            made = Made(seed=self._entropy(2 * _SEED), at=now)
            self.put_keys(replace(self.own, lanes=(*self.own.lanes, made)))
        waits = self.own.next_lane
        if waits is None:
            raise Unavailable("the new lane key was not kept")
        return waits

    def use_next_lane(self) -> None:
        """The lane key that waits is in use from now on; the others are kept for what they signed. Raises Unavailable."""
        self.put_keys(replace(self.own, lane_in_use=len(self.own.lanes) - 1))

    def next_certificate(self, now: Instant) -> bytes:
        """A new TLS key, kept and not in use, as its certificate (DER); the one that waits, if there is one."""
        if self.own.next_certificate is None:
            self.put_keys(replace(self.own, tls=(*self.own.tls, Made(seed=self._entropy(_SEED), at=now))))
        waits = self.own.next_certificate
        if waits is None:
            raise Unavailable("the new TLS key was not kept")
        return waits

    def use_next_certificate(self) -> None:
        """The TLS key that waits is in use from now on, and the one before is destroyed. Raises Unavailable."""
        self.put_keys(replace(self.own, tls=self.own.tls[-1:]))

    def change_unlock(self, old: Unlock, new: Unlock) -> None:
        """Seal station.key anew. Raises as `open` and `create`; the old one stands then."""
        master = open_secret(old, _read(self._folder / STATION), STATION.encode())
        write_private(self._folder / STATION, seal_secret(new, master, STATION.encode(), self._entropy))

    def rotate_data(self, unlock: Unlock) -> None:
        """A new station key beside those of before, and the other files sealed under it; the store is the caller's.

        Cut short at any moment, all opens by what stands in station.key. Raises
        as `open`, and TooLarge after MOST_ROTATIONS.
        """
        masters = open_secret(unlock, _read(self._folder / STATION), STATION.encode())
        if len(masters) >= MOST_ROTATIONS * _SEED:
            raise TooLarge("the data key was rotated as often as can be: rebuild this station in a new folder")
        masters = self._entropy(_SEED) + masters
        write_private(self._folder / STATION, seal_secret(unlock, masters, STATION.encode(), self._entropy))
        self._turn(masters)
        self.put_keys(self.own)
        for path in (self._folder / PSKS).glob("*.*"):
            if _is_psk(path.name.removesuffix(_NEW)):
                made = path.stat()
                psk = _open_under(self._under, _read(path), path.name.encode())
                write_private(path, seal_under(self._under[0], psk, path.name.encode(), self._entropy))
                os.utime(path, ns=(made.st_atime_ns, made.st_mtime_ns))  # since when it stands is told to people

    def root(self, unlock: Unlock) -> Signer:
        """The root keys, to certify with. Raises Unknown if they are elsewhere, and as `open`."""
        return open_root(self._folder / ROOT, unlock)

    def setup(self, record: LineRecord, mark: Mark | None) -> Setup:
        """What the engine of a line is made from. Raises Unavailable."""
        psks, new = self.psks(record.line), self.new_psks(record.line)
        return Setup(record=record, signer=self.lane, retired=self.retired, psks=psks, new_psks=new, mark=mark)

    # --- pairing keys, and those that are being put in their place --------------------------------------------------------------------------------------

    def put_psk(self, line: bytes, party: int, psk: bytes) -> None:
        """Keep the pairing key with a party of a line; replaces the one before. Raises Malformed or Unavailable."""
        if len(psk) != _SEED:
            raise Malformed("a pairing key has 32 bytes")
        private_folder(self._folder / PSKS)
        purpose = _psk_name(line, party)
        write_private(self._folder / PSKS / purpose, seal_under(self._under[0], psk, purpose.encode(), self._entropy))

    def psk(self, line: bytes, party: int) -> bytes:
        """The pairing key with a party. Raises Unknown, and as `open`."""
        name = _psk_name(line, party)
        path = self._folder / PSKS / name
        if not path.exists():
            raise Unknown("there is no pairing key for that party: pair again")
        return _open_under(self._under, _read(path), name.encode())

    def put_new_psk(self, line: bytes, party: int, psk: bytes) -> None:
        """Keep a pairing key beside the one before, until `use_new_psk`. Raises Malformed or Unavailable."""
        if len(psk) != _SEED:
            raise Malformed("a pairing key has 32 bytes")
        private_folder(self._folder / PSKS)
        name = _psk_name(line, party) + _NEW
        write_private(self._folder / PSKS / name, seal_under(self._under[0], psk, name.encode(), self._entropy))

    def use_new_psk(self, line: bytes, party: int) -> None:
        """The new pairing key with a party replaces the one before, which is destroyed. Raises as `put_psk`."""
        new = self.new_psks(line).get(party)
        if new is None:
            return
        path = self._folder / PSKS / _psk_name(line, party)
        if path.exists():
            _destroy(path)
        self.put_psk(line, party, new)
        _destroy(path.with_name(path.name + _NEW))

    def new_psks(self, line: bytes) -> dict[int, bytes]:
        """The pairing keys of a line that are to replace others, by party."""
        found = {}
        for path in sorted((self._folder / PSKS).glob(f"{line.hex()}.*{_NEW}")):
            name = path.name.removesuffix(_NEW)
            if _is_psk(name):
                with contextlib.suppress(Refused):
                    found[_parsed(name)[1]] = _open_under(self._under, _read(path), path.name.encode())
        return found

    def psk_since(self, line: bytes, party: int) -> int:
        """When the pairing key with a party was written, ms; 0 if there is none."""
        path = self._folder / PSKS / _psk_name(line, party)
        return path.stat().st_mtime_ns // 1_000_000 if path.exists() else 0

    def psks(self, line: bytes) -> dict[int, bytes]:
        """The pairing keys of a line, by party. Raises Unavailable.

        One that is damaged, or open to others, is as good as none: it is
        needed to rescue a line that lost its line keys, and for nothing else.
        """
        found = {}
        for known, party in (_parsed(path.name) for path in self._psk_files()):
            if known == line:
                with contextlib.suppress(Refused):
                    found[party] = self.psk(line, party)
        return found

    def drop_psks(self, line: bytes) -> None:
        """Destroy a line's pairing keys: it is archived, or they were stolen. Raises Unavailable."""
        for path in self._psk_files():
            if _parsed(path.name)[0] == line:
                _destroy(path)
        for path in (self._folder / PSKS).glob(f"{line.hex()}.*{_NEW}"):
            _destroy(path)

    def _psk_files(self) -> list[Path]:
        return sorted(path for path in (self._folder / PSKS).glob("*.*") if _is_psk(path.name))


def _masters(master: bytes) -> list[bytes]:
    if not master or len(master) % _SEED or len(master) > MOST_ROTATIONS * _SEED:
        raise Malformed("a key file of another shape")
    return [master[at : at + _SEED] for at in range(0, len(master), _SEED)]


def _open_under(keys: Sequence[bytes], sealed: bytes, purpose: bytes) -> bytes:
    """What one of these keys sealed. Raises as `open_under`."""
    for key in keys[:-1]:
        with contextlib.suppress(Forged):
            return open_under(key, sealed, purpose)
    return open_under(keys[-1], sealed, purpose)


def open_root(path: Path, unlock: Unlock) -> Signer:
    """The root keys in a file, to certify with. Raises Unknown if there is none, and as `Keystore.open`."""
    if not path.exists():
        raise Unknown("the root key is not here: bring root.key back to certify")
    seeds = open_secret(unlock, _read(path), ROOT.encode())
    if len(seeds) != 2 * _SEED:
        raise Malformed("a key file of another shape")
    return Signer(seeds[:_SEED], seeds[_SEED:])


def _destroy(path: Path) -> None:
    """Overwrite a file as far as a file system allows, then unlink it. Raises Unavailable."""
    try:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.write(bytes(size))
        path.unlink()
    except OSError:
        raise Unavailable("a pairing key cannot be removed") from None


def _read(path: Path) -> bytes:
    return read_private(path, _LARGEST)


def _psk_name(line: bytes, party: int) -> str:
    return f"{line.hex()}.{party:d}"


def _is_psk(name: str) -> bool:
    line, _, party = name.partition(".")
    return len(line) == 64 and set(line) <= set("0123456789abcdef") and party.isascii() and party.isdigit()


def _parsed(name: str) -> tuple[bytes, int]:
    if not _is_psk(name):
        raise Malformed("not the name of a pairing key")
    line, _, party = name.partition(".")
    return bytes.fromhex(line), int(party)
