"""A station's keys at rest: what opens them, what does not, and what each failure is called."""

import os
from pathlib import Path

import pytest

from openline.kernel.codec import encode
from openline.kernel.errors import Conflict, Forbidden, Forged, Malformed, Refused, TooLarge, Unavailable, Unknown
from openline.kernel.units import Instant
from openline.station.files import write_private
from openline.station.key_ring import decode_keys, encode_keys
from openline.station.keystore import Keystore
from openline.station.unlock import KeyFile, Passphrase, make_key_file, open_secret, seal_secret

LINE = b"\xab" * 32
GOOD, BAD = Passphrase("correct horse", 4), Passphrase("battery staple", 4)
ROOT = Passphrase("root, kept elsewhere", 4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def keys(folder: Path) -> Keystore:
    return Keystore.create(folder, GOOD, os.urandom, root_unlock=ROOT)


def test_what_was_made_opens_again(keys: Keystore, folder: Path) -> None:
    again = Keystore.open(folder, GOOD, os.urandom)
    assert (again.data_key, again.tls_key, again.certificate) == (keys.data_key, keys.tls_key, keys.certificate)
    assert again.lane.public.ed25519_key == keys.lane.public.ed25519_key
    assert again.lane.public.mldsa_key == keys.lane.public.mldsa_key
    keys.lane.public.ed25519(again.lane.ed25519(b"text"), b"text")
    root, lane = keys.root(ROOT).public, keys.lane.public
    assert root.ed25519_key == again.root(ROOT).public.ed25519_key
    assert len({keys.data_key, root.ed25519_key, lane.ed25519_key}) == 3


def test_two_stations_share_no_key(keys: Keystore, tmp_path: Path) -> None:
    other = Keystore.create(tmp_path / "other", GOOD, os.urandom)
    assert other.data_key != keys.data_key
    assert other.certificate != keys.certificate
    assert other.root(GOOD).public.ed25519_key != keys.root(ROOT).public.ed25519_key


def test_a_wrong_passphrase_is_refused(keys: Keystore, folder: Path) -> None:
    with pytest.raises(Forbidden, match="passphrase is not the right one"):
        Keystore.open(folder, BAD, os.urandom)
    with pytest.raises(Forbidden):
        keys.root(GOOD)


def test_a_short_passphrase_is_refused_and_nothing_is_made(folder: Path) -> None:
    with pytest.raises(Forbidden, match="8 characters"):
        Keystore.create(folder, Passphrase("seven77", 4), os.urandom)
    assert not (folder / "station.key").exists()


def test_keys_are_not_made_twice(keys: Keystore, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(Conflict):
        Keystore.create(folder, GOOD, os.urandom)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_the_passphrase_can_be_changed(keys: Keystore, folder: Path) -> None:
    with pytest.raises(Forbidden):
        keys.change_unlock(BAD, BAD)
    keys.change_unlock(GOOD, BAD)
    assert Keystore.open(folder, BAD, os.urandom).data_key == keys.data_key
    with pytest.raises(Forbidden):
        Keystore.open(folder, GOOD, os.urandom)


def test_a_key_file_opens_without_a_person(tmp_path: Path, folder: Path) -> None:
    file = make_key_file(tmp_path / "unlock", os.urandom)
    keys = Keystore.create(folder, file, os.urandom)
    assert Keystore.open(folder, file, os.urandom).data_key == keys.data_key
    other = make_key_file(tmp_path / "other", os.urandom)
    for wrong in (other, GOOD):
        with pytest.raises(Forbidden):
            Keystore.open(folder, wrong, os.urandom)
    with pytest.raises(Forbidden, match="already"):
        make_key_file(tmp_path / "unlock", os.urandom)
    with pytest.raises(Unknown):
        Keystore.open(folder, KeyFile(tmp_path / "nowhere"), os.urandom)


def test_files_open_to_others_are_refused(keys: Keystore, folder: Path, tmp_path: Path) -> None:
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    for name in ("station.key", "lane.key"):
        (folder / name).chmod(0o640)
        with pytest.raises(Forbidden, match="chmod 600"):
            Keystore.open(folder, GOOD, os.urandom)
        (folder / name).chmod(0o600)
    folder.chmod(0o755)
    with pytest.raises(Forbidden, match="chmod 700"):
        Keystore.create(folder, GOOD, os.urandom)


@pytest.mark.parametrize("name", ["station.key", "lane.key"])
def test_a_file_cut_short_damaged_or_missing_has_its_error(keys: Keystore, folder: Path, name: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(Malformed, match="cut short"):
            Keystore.open(folder, GOOD, os.urandom)
    path.write_bytes(whole + b"x")
    with pytest.raises(Malformed):
        Keystore.open(folder, GOOD, os.urandom)
    for at in range(0, len(whole), 5):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 0x40,)) + whole[at + 1 :])
        with pytest.raises(Refused):
            Keystore.open(folder, GOOD, os.urandom)
    path.write_bytes(b"x" * 70_000)
    with pytest.raises(TooLarge):
        Keystore.open(folder, GOOD, os.urandom)
    path.unlink()
    with pytest.raises(Unknown, match="missing"):
        Keystore.open(folder, GOOD, os.urandom)


def test_a_file_cannot_stand_in_for_another(keys: Keystore, folder: Path, tmp_path: Path) -> None:
    other = Keystore.create(tmp_path / "other", GOOD, os.urandom)
    lane = (folder / "lane.key").read_bytes()
    (folder / "lane.key").write_bytes((tmp_path / "other" / "lane.key").read_bytes())
    with pytest.raises(Forged):
        Keystore.open(folder, GOOD, os.urandom)
    (folder / "lane.key").write_bytes(lane)
    other.put_psk(LINE, 1, b"p" * 32)
    keys.put_psk(LINE, 1, b"q" * 32)
    keys.put_psk(LINE, 2, b"r" * 32)
    one, two = (folder / "psk" / f"{LINE.hex()}.{party}" for party in (1, 2))
    two.write_bytes(one.read_bytes())
    with pytest.raises(Forged):
        keys.psk(LINE, 2)


def test_the_root_key_may_be_elsewhere(keys: Keystore, folder: Path, tmp_path: Path) -> None:
    (folder / "root.key").rename(tmp_path / "root.key")
    again = Keystore.open(folder, GOOD, os.urandom)
    with pytest.raises(Unknown, match="root key is not here"):
        again.root(ROOT)
    (tmp_path / "root.key").rename(folder / "root.key")
    again.root(ROOT)


def test_pairing_keys_are_kept_by_line_and_party(keys: Keystore, folder: Path) -> None:
    other = b"\xcd" * 32
    for line, party in ((LINE, 0), (LINE, 12), (other, 1)):
        keys.put_psk(line, party, line[:16] + bytes((party,)) * 16)
    again = Keystore.open(folder, GOOD, os.urandom)
    assert again.psks(LINE) == {0: LINE[:16] + bytes(16), 12: LINE[:16] + b"\x0c" * 16}
    with pytest.raises(Unknown):
        again.psk(LINE, 1)
    with pytest.raises(Malformed):
        keys.put_psk(LINE, 0, b"short")
    again.drop_psks(LINE)
    assert (keys.psks(LINE), list(keys.psks(other))) == ({}, [1])


def test_no_secret_is_shown_by_repr() -> None:
    assert "horse" not in repr(GOOD)


def test_a_write_that_fails_leaves_the_old_file(keys: Keystore, folder: Path) -> None:
    whole = (folder / "station.key").read_bytes()
    (folder / "station.key.part").mkdir()  # where the new file would be written
    with pytest.raises(Unavailable):
        keys.change_unlock(GOOD, BAD)
    assert (folder / "station.key").read_bytes() == whole
    with pytest.raises(Unavailable):
        write_private(folder / "station.key", b"")


def test_the_cost_stands_in_the_file_and_is_bounded() -> None:
    sealed = seal_secret(Passphrase("correct horse", 5), b"secret", b"p", os.urandom)
    assert open_secret(Passphrase("correct horse"), sealed, b"p") == b"secret"
    with pytest.raises(Forbidden):
        open_secret(Passphrase("correct horse"), sealed, b"q")
    at = len(b"openline/1 sealed\n") + 1
    with pytest.raises(Malformed):
        open_secret(GOOD, sealed[:at] + b"\x1f" + sealed[at + 1 :], b"p")


def test_3_6_a_new_lane_key_waits_until_it_is_used_and_the_one_before_is_kept(tmp_path: Path) -> None:
    store = Keystore.create(tmp_path / "keys", GOOD, os.urandom)
    first, certificate = store.lane.public, store.certificate
    waiting = store.next_lane(Instant(5)).public
    assert store.next_lane(Instant(6)).public.ed25519_key == waiting.ed25519_key
    assert store.lane.public.ed25519_key == first.ed25519_key
    store.use_next_lane()
    again = Keystore.open(tmp_path / "keys", GOOD, os.urandom)
    assert again.lane.public.ed25519_key == waiting.ed25519_key
    assert [signer.public.ed25519_key for signer in again.retired] == [first.ed25519_key]
    assert again.certificate == certificate


def test_9_38_a_tls_key_that_was_replaced_is_destroyed(tmp_path: Path) -> None:
    store = Keystore.create(tmp_path / "keys", GOOD, os.urandom)
    before, waiting = store.certificate, store.next_certificate(Instant(5))
    assert store.certificate == before
    store.use_next_certificate()
    again = Keystore.open(tmp_path / "keys", GOOD, os.urandom)
    assert again.certificate == waiting != before
    assert again.own.next_certificate is None


def test_10_23_a_new_pairing_key_lies_beside_the_one_before_and_replaces_it(tmp_path: Path) -> None:
    store = Keystore.create(tmp_path / "keys", GOOD, os.urandom)
    line = bytes(32)
    store.put_psk(line, 1, bytes(32))
    store.put_new_psk(line, 1, b"\x01" * 32)
    assert (store.psks(line), store.new_psks(line)) == ({1: bytes(32)}, {1: b"\x01" * 32})
    store.use_new_psk(line, 1)
    store.use_new_psk(line, 1)
    assert (store.psks(line), store.new_psks(line)) == ({1: b"\x01" * 32}, {})
    store.put_new_psk(line, 2, b"\x02" * 32)
    assert store.secrets(GOOD)["psk/" + line.hex() + ".1"] == b"\x01" * 32
    back = Keystore.put_back(tmp_path / "back", GOOD, os.urandom, store.secrets(GOOD))
    assert (back.psks(line), back.new_psks(line)) == ({1: b"\x01" * 32}, {2: b"\x02" * 32})
    store.drop_psks(line)
    assert (store.psks(line), store.new_psks(line)) == ({}, {})


@pytest.mark.parametrize("act", ["replaced", "dropped"])
def test_10_23_a_pairing_key_that_is_destroyed_is_overwritten_before_its_name_goes(tmp_path: Path, act: str) -> None:
    store, line = Keystore.create(tmp_path / "keys", GOOD, os.urandom), bytes(32)
    store.put_psk(line, 1, b"\x01" * 32)
    old = tmp_path / "keys" / "psk" / f"{line.hex()}.1"
    other = tmp_path / "another name of the same bytes"
    other.hardlink_to(old)
    store.put_new_psk(line, 1, b"\x02" * 32)
    if act == "replaced":
        store.use_new_psk(line, 1)
    else:
        store.drop_psks(line)
    assert set(other.read_bytes()) == {0}


def test_keys_of_stations_of_before_are_read() -> None:
    seeds = bytes(range(96))
    keys = decode_keys(seeds)
    assert keys.lanes[0].seed + keys.tls[0].seed == seeds
    assert decode_keys(encode_keys(keys)) == keys
    for wrong in (b"", seeds[:-1], encode({}), encode({0: [], 1: 0, 2: []})):
        with pytest.raises(Refused):
            decode_keys(wrong)
