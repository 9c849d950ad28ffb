"""What the doctor says of the console, and the authority that it looks at."""

import datetime
import os
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from openline.console import authority
from openline.console.authority import Pair
from openline.kernel.errors import Malformed
from openline.kernel.units import Instant
from openline.station.config import Config, Console, console_host, console_place, parse_config
from openline.station.console_check import AUTHORITY, console_findings
from openline.stores.sqlite import SqliteStore

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
HOST = "alpha.localhost"


def found(folder: Path, config: Config, officers: list[dict[str, object]], at: datetime.datetime = NOW) -> set[str]:
    with closing(SqliteStore.create(folder / os.urandom(4).hex(), bytes(32))) as store:
        for number, officer in enumerate(officers):
            store.console.put("officer", bytes((number,)), msgspec.msgpack.encode(officer))
        store.put_setting(AUTHORITY, authority.new_authority(HOST, NOW).kept)
        now = Instant(int(at.timestamp() * 1_000))
        return {finding.code for finding in console_findings(config, store, now)}


def test_what_the_doctor_says_of_the_console(tmp_path: Path) -> None:
    config = Config(name="ALPHA", console=Console())
    wide = Config(name="ALPHA", console=Console(listen="192.0.2.1:7700"))
    watch: dict[str, object] = {"sign": "W1", "roles": ["watch-officer"], "passkeys": [{"id": b"1"}]}
    chief = {**watch, "roles": ["administrator"]}
    assert found(tmp_path, Config(name="ALPHA"), []) == set()
    assert found(tmp_path, config, []) == {"console-nobody"}
    assert found(tmp_path, config, [{**chief, "disabled": True}]) == {"console-nobody"}
    assert found(tmp_path, config, [watch]) == {"console-no-administrator"}
    assert found(tmp_path, config, [watch, chief]) == set()
    assert found(tmp_path, wide, [chief]) == {"console-open"}
    assert found(tmp_path, config, [{"sign": "W1"}]) == {"console-damaged"}
    assert found(tmp_path, config, [chief], NOW + 3_500 * DAY) == {"console-authority"}


def test_an_authority_vouches_for_one_name_and_no_longer_than_it_lasts() -> None:
    made = authority.new_authority(HOST, NOW)
    assert authority.vouches(made, HOST, NOW)
    assert not authority.vouches(made, "bravo.localhost", NOW)
    assert not authority.vouches(made, HOST, NOW + (authority.AUTHORITY_DAYS - authority.LEAF_DAYS) * DAY)
    assert Pair.read(made.kept) == made
    for damaged in (b"", made.kept[:-300], b"-----BEGIN CERTIFICATE-----"):
        with pytest.raises(Malformed):
            authority.vouches(Pair.read(damaged), HOST, NOW)


def test_a_leaf_is_renewed_in_time_and_when_anything_is_another() -> None:
    made, other = authority.new_authority(HOST, NOW), authority.new_authority(HOST, NOW)
    leaf = authority.new_leaf(made, HOST, NOW)
    assert authority.is_current(leaf, made, HOST, NOW)
    assert authority.is_current(leaf, made, HOST, NOW + (authority.LEAF_DAYS - authority.RENEW_DAYS) * DAY)
    assert not authority.is_current(leaf, made, HOST, NOW + (authority.LEAF_DAYS - authority.RENEW_DAYS + 1) * DAY)
    assert not authority.is_current(leaf, made, HOST, NOW - 2 * DAY), "the clock was wrong when it was made"
    assert not authority.is_current(leaf, other, HOST, NOW)
    assert not authority.is_current(leaf, made, "bravo.localhost", NOW)
    assert authority.days_left(leaf, NOW) == authority.LEAF_DAYS
    names = x509.load_pem_x509_certificate(made.certificate).extensions.get_extension_for_class(x509.NameConstraints)
    assert names.critical
    assert names.value.permitted_subtrees == [x509.DNSName(HOST)]


@pytest.mark.parametrize(
    "listen", ["", "7700", "localhost:7700", "127.0.0.1", "127.0.0.1:70000", "::1:7700", "[127.0.0.1]:1", "127.0.0.1:x"]
)
def test_where_the_console_listens_is_a_literal_address(listen: str) -> None:
    with pytest.raises(Malformed, match=r"console\.listen"):
        parse_config(f'name = "ALPHA"\n[console]\nlisten = "{listen}"\n')


def test_addresses_and_names_of_the_console() -> None:
    assert console_place(parse_config('name = "A"\n[console]\nlisten = "[::1]:0"\n')) == ("::1", 0)
    assert console_host(parse_config('name = "ALPHA-2"\n[console]\n')) == "alpha-2.localhost"
    for host in ("192.0.2.1", "Alpha.example", "a b", "-a.example", "a..b", "a" * 64, "[::1]"):
        with pytest.raises(Malformed, match=r"console\.host"):
            parse_config(f'name = "A"\n[console]\nhost = "{host}"\n')
