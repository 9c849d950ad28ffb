"""Stations that are killed, with SIGKILL, at any moment: they start again, say nothing false, and lose nothing."""

import contextlib
import random
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from openline.kernel.errors import Refused, Unavailable
from openline.stores.sqlite.schema import MIGRATIONS
from tests.e2e.chaos.campaign import RECOVER_S, Campaign
from tests.e2e.chaos.checker import check_all, check_fallen, check_log, claims, kept
from tests.e2e.chaos.load import Record, Sent, under_load
from tests.e2e.chaos.moments import let_pass, strike_within
from tests.e2e.chaos.rig import NAMES, TERMS, Rig, Station
from tests.e2e.cli_rig import founded, pairing_words
from tests.waiting import until

pytestmark = pytest.mark.full
MIB = 1 << 20


def test_killed_at_random_under_load_nothing_is_lost_doubled_or_out_of_order(two: Rig) -> None:
    report = Campaign(two, seed=20_250_311).run(kills=12)
    assert report.counts["accepted"] > 100
    assert report.recover_ms
    assert max(report.recover_ms) < RECOVER_S * 1_000


def test_killed_while_it_starts_many_times_it_starts_all_the_same(two: Rig) -> None:
    dice, record = random.Random(4), Record()
    two.start()
    with under_load((two.bravo,), record, pause_s=0.02):
        two.alpha.kill()
        for _ in range(6):
            two.alpha.spawn()
            strike_within(dice, 0.1, 1.2)
            two.alpha.assert_alive()
            two.alpha.kill()
        two.alpha.start()
    check_all(two, record)


def test_both_killed_with_a_backlog_that_nobody_had_taken_yet(two: Rig) -> None:
    record = Record()
    two.start()
    for proxy in two.proxies:
        proxy.cut()
    with under_load(two.both, record, senders=2, pause_s=0.005):
        until(lambda: len(record.accepted()) > 600, deadline_s=120)
        before = {station.name: record.accepted(station.name) for station in two.both}
        for station in two.both:
            station.kill()
    for station in two.both:
        check_fallen(station, before[station.name], {})
        station.start()
    check_all(two, record)


def test_killed_during_a_backup_no_half_backup_is_left_to_be_trusted(two: Rig) -> None:
    record, dice = Record(), random.Random(8)
    two.start()
    with under_load(two.both, record, pause_s=0.02):
        until(lambda: len(record.accepted()) > 200, deadline_s=120)
        for number in range(2):
            target = two.folder / f"{number}.backup"
            process = _command(two.alpha, "backup", str(target), "--key-file", str(two.folder / "backup.key"))
            strike_within(dice, 0.3, 1.2)
            two.alpha.kill()
            process.kill()
            process.wait()
            if target.exists():
                _check_backup(target, two.folder / "backup.key")
            two.alpha.start()
    check_all(two, record)


def _check_backup(target: Path, key_file: Path) -> None:
    from openline.station.backup import check_backup
    from openline.station.unlock import KeyFile

    assert check_backup(target, KeyFile(key_file)) > 1_000


def test_killed_during_an_export_what_is_left_is_not_taken_for_one(two: Rig) -> None:
    record, dice = Record(), random.Random(9)
    two.start()
    with under_load(two.both, record, pause_s=0.005, senders=2):
        until(lambda: len(record.accepted()) > 1_500, deadline_s=150)
    for number in range(3):
        target = two.folder / f"export-{number}"
        process = _command(two.alpha, "export", "BRAVO", str(target))
        until(lambda: any(two.folder.glob(f"*export-{number}*")) or process.poll() is not None)  # noqa: B023
        strike_within(dice, 0, 0.1)
        two.alpha.kill()
        process.wait(90)
        if process.returncode == 0:
            assert two.alpha.command("verify", str(target)).code == 0
        elif target.exists():
            assert two.alpha.command("verify", str(target)).code != 0, "half an export verifies"
        two.alpha.start()
    check_all(two, record)


MIGRATE = """
import os, signal, sys
from pathlib import Path
from openline.station.keystore import Keystore
from openline.station.unlock import KeyFile
from openline.stores.sqlite import SqliteStore
from openline.stores.sqlite.schema import MIGRATIONS, Migration
home = Path(sys.argv[1])
latest = MIGRATIONS[-1].version + 1
slow = "CREATE TABLE more (a BLOB) STRICT; " + "INSERT INTO more SELECT sealed FROM entries; " * 40
keys = Keystore.open(home / "keys", KeyFile(home / "unlock.key"), os.urandom)
signal.setitimer(signal.ITIMER_PROF, float(sys.argv[2]))
SqliteStore.open(home / "store" / "store.db", keys.data_key, (*MIGRATIONS, Migration(version=latest, sql=slow))).close()
print("done", flush=True)
"""


def test_killed_while_the_store_is_migrated_it_is_whole_before_or_after(two: Rig) -> None:
    """The version after this one, tried until it is not killed before it is done.

    The moment is one of the program's own processor time, so that a machine that does other things strikes in its middle
    too. SIGPROF ends it as SIGKILL does: nothing of it hears of it.
    """
    record, dice = Record(), random.Random(6)
    two.start()
    with under_load(two.both, record, pause_s=0.01):
        until(lambda: len(record.accepted()) > 500, deadline_s=120)
    two.alpha.kill()
    before, killed = kept(two.alpha), 0
    for last in (0.01, 0.02, 0.05, 0.1, 0.2, 0):
        moment = str(dice.uniform(last / 10, last))  # 0: never
        migrates = subprocess.run(
            [sys.executable, "-c", MIGRATE, str(two.alpha.home), moment], capture_output=True, text=True, timeout=120
        )
        assert migrates.returncode in {0, -signal.SIGPROF}, migrates.stderr
        killed += migrates.stdout != "done\n"
        if _version(two.alpha) == MIGRATIONS[-1].version:
            assert kept(two.alpha) == before
        else:
            break
    assert killed > 1, "it was never killed in the middle"
    assert _version(two.alpha) == MIGRATIONS[-1].version + 1
    newer = two.alpha.command("up")
    assert newer.code != 0
    assert "a newer program wrote this store" in newer.err.lower()
    copy = next(two.alpha.store.parent.glob("store.db.before-*"))
    copy.replace(two.alpha.store)  # the way back is the copy that was made first: a restored store, as any other
    for extra in ("-wal", "-shm"):
        two.alpha.store.with_name(two.alpha.store.name + extra).unlink(missing_ok=True)
    two.alpha.start()
    check_all(two, record)


def _version(station: Station) -> int:
    with contextlib.closing(apsw.Connection(str(station.store), flags=apsw.SQLITE_OPEN_READWRITE)) as plain:
        ((version,),) = plain.execute("PRAGMA user_version").fetchall()
        return int(str(version))


def test_killed_while_they_pair_the_line_opens_once_and_works(tmp_path: Path) -> None:
    """Either is killed at a random moment of the pairing; people type the same command again."""
    alpha, bravo = (founded(tmp_path, name) for name in NAMES)
    stations = [Station(floor.name, floor.home, 0) for floor in (alpha, bravo)]
    words = [list(pairing_words(tmp_path, peer, TERMS)) for peer in (bravo, alpha)]
    dice = random.Random(12)
    try:
        for station in stations:
            station.start()
        for _ in range(4):
            typed = _type_pair(stations, words)
            strike_within(dice, 0.4, 2.0)
            victim = dice.choice(stations)
            victim.kill()
            for process in typed:
                process.kill()
                process.wait()
            victim.start()
        _pair_at_last(stations, words)
        for station in stations:
            until(lambda station=station: station.line()["state"] == "in service", deadline_s=120)  # type: ignore[misc]
        here, there = (station.line() for station in stations)
        assert here["line"] == there["line"]
        for station in stations:
            assert station.held(station.send("after all that", "flash"))
            check_log(station)
    finally:
        for station in stations:
            station.kill()


def _pair_at_last(stations: list[Station], words: list[list[str]]) -> None:
    """Type it where a line is missing: a side that has it answers for it, also after its own restart."""
    for _ in range(5):
        if all(_has_line(station) for station in stations):
            return
        typed = _type_pair(stations, words)
        for process in typed:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    raise AssertionError([_said(station).read_text() for station in stations])


def _type_pair(stations: list[Station], words: list[list[str]]) -> "list[subprocess.Popen[bytes]]":
    """Where there is no line yet: two people who type it on both sides with a line there get another line."""
    lacking = [pair for pair in zip(stations, words, strict=True) if not _has_line(pair[0])]
    return [_command(station, "pair", *said) for station, said in lacking]


def _has_line(station: Station) -> bool:
    try:
        return len(station.client.get("lines")["lines"]) == 1
    except (Refused, Unavailable):
        return False


def test_every_flash_is_held_before_a_ten_megabyte_file_that_set_out_first(two: Rig) -> None:
    """On a wire of 512 KiB a second, where the file alone takes 20 s; and it arrives whole when the wire is good."""
    two.start()
    for proxy in two.proxies:
        proxy.throttle(MIB // 2)
    file = random.Random(3).randbytes(10 * MIB)
    ref = two.alpha.client.post_bytes("lines/BRAVO/attachments", file, name="map.bin")["ref"]
    for number in range(5):
        assert two.alpha.held(two.alpha.send(f"flash {number}", "flash"))
    assert not _arrived(two.bravo, file), "the file was not overtaken"
    for proxy in two.proxies:
        proxy.heal()
    until(lambda: _arrived(two.bravo, file), deadline_s=240)
    assert two.alpha.held(ref)


def test_killed_while_a_file_goes_over_it_goes_on_where_it_was(two: Rig) -> None:
    two.start()
    for proxy in two.proxies:
        proxy.throttle(2 * MIB)
    file = random.Random(5).randbytes(4 * MIB)
    two.alpha.client.post_bytes("lines/BRAVO/attachments", file, name="map.bin")
    for station in (two.alpha, two.bravo):
        let_pass(0.5)
        station.kill()
        station.start()
    for proxy in two.proxies:
        proxy.heal()
    until(lambda: _arrived(two.bravo, file), deadline_s=240)
    check_all(two, Record())


def _arrived(station: Station, file: bytes) -> bool:
    from hashlib import sha256

    try:
        return station.client.raw(f"lines/{station.peer}/attachments/{sha256(file).hexdigest()}") == file
    except (Refused, Unavailable):
        return False


def _command(station: Station, *words: str) -> "subprocess.Popen[bytes]":
    """A command under way, in a process of its own; what it says goes to a file beside the home."""
    with _said(station).open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "openline", words[0], "--home", str(station.home), *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )


def _said(station: Station) -> Path:
    return station.home.parent / f"{station.name}.said"


def test_what_a_station_acknowledged_it_has_whenever_it_falls(two: Rig) -> None:
    record = Record()
    two.start()
    for number in range(4):
        refs = two.alpha.send_many([f"canary-7f3a {number}/{each}" for each in range(50)], "routine")
        texts = [f"canary-7f3a {number}/{each}" for each in range(50)]
        record.add([Sent("ALPHA", -1, text, "routine", ref) for text, ref in zip(texts, refs, strict=True)])
        until(lambda: two.alpha.held(refs[0], 1_000))  # noqa: B023
        two.bravo.kill()
        check_fallen(two.bravo, [], claims(two.alpha))
        two.bravo.start()
    check_all(two, record)
