"""A station whose store is lost comes back from a backup: by itself, without a fork, and with what it had lost.

The backup is older than the last traffic; what it lacks, the other side gives
back. Spec: spec/13-restart.md.
"""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chaos.checker import check_all, settle
from tests.e2e.chaos.load import CANARY, Record, Sent, under_load
from tests.e2e.chaos.rig import Rig, Station
from tests.waiting import until

pytestmark = pytest.mark.full


@dataclass(frozen=True)
class Backup:
    """A backup of one station and the key that seals it."""

    station: Station
    file: Path
    key_file: Path

    def restore(self, *, marks: bool) -> None:
        """The home is gone, but for its marks where they were kept elsewhere; the backup is put in its place."""
        station, gone = self.station, self.file.with_name(f"gone-{self.station.starts}-{self.station.name}")
        station.home.rename(gone)
        words = ("--key-file", str(self.key_file), "--unlock-file", str(station.key_file))
        done = station.command("restore", str(self.file), *words)
        assert done.code == 0, (done.out, done.err)
        if marks:
            shutil.rmtree(station.marks, ignore_errors=True)
            shutil.copytree(gone / "marks", station.marks)
        # The key file that the old configuration names may be gone with the old home.
        assert 'key_file = "' in (station.home / "config.toml").read_text()


def back_up(two: Rig, station: Station, name: str = "b") -> Backup:
    """By the command, beside the running station."""
    backup = Backup(station, two.folder / f"{station.name}-{name}.backup", two.folder / "backup.key")
    done = station.command("backup", str(backup.file), "--key-file", str(backup.key_file))
    assert done.code == 0, (done.out, done.err)
    return backup


def say(two: Rig, record: Record, word: str, count: int = 30) -> None:
    """Messages both ways, all of them held when it returns."""
    for station in two.both:
        texts = [f"{CANARY} {word} {station.name} {number}" for number in range(count)]
        refs = station.send_many(texts[:-1], "routine")
        refs.append(station.send(texts[-1], "flash"))
        precedences = ["routine"] * (count - 1) + ["flash"]
        record.add([Sent(station.name, -1, *one) for one in zip(texts, precedences, refs, strict=True)])
    settle(two, record)


def generations(station: Station, author: Station) -> set[str]:
    """The generations of one party's lanes, as a station has them."""
    return {size["generation"] for size in station.line()["sizes"] if size["author"] == author.name}


def counters(found: set[str]) -> list[int]:
    return sorted(int(generation.partition("-")[0], 16) for generation in found)


@pytest.mark.parametrize("marks", [True, False], ids=["marks kept", "marks lost"])
def test_13_8_what_a_backup_lacks_comes_back_from_the_other_side(two: Rig, marks: bool) -> None:
    record = Record()
    two.start()
    say(two, record, "before")
    backup = back_up(two, two.alpha)
    say(two, record, "after")
    two.alpha.kill()
    say_alone(two.bravo, record, "while it is away")
    backup.restore(marks=marks)
    two.alpha.start()
    two.wait_service()
    say(two, record, "again")
    assert counters(generations(two.bravo, two.alpha)) == [0, 1]
    assert counters(generations(two.bravo, two.bravo)) == [0]
    check_all(two, record)
    check_told(two, two.alpha, times=1)
    own, peer = (told(station, two.alpha)[0] for station in two.both)
    assert own["known"] == peer["known"] == [last_of(record, "before", word) for word in ("routine", "flash")]
    # Thirty messages, and what both stations say by themselves.
    assert own["back_messages"] == peer["back_messages"] == 30
    assert own["back"] == peer["back"] >= 30
    assert (own["missing"], peer["missing"]) == ([] if marks else None, None)
    words = "nothing that it had is missing" if marks else "high-water mark was lost too"
    assert words in two.alpha.command("status").out.lower()


def last_of(record: Record, word: str, precedence: str) -> str:
    """The reference of ALPHA's last message of that word and precedence."""
    said = [
        one for one in record.sent if one.text.startswith(f"{CANARY} {word} ALPHA") and one.precedence == precedence
    ]
    assert said[-1].ref is not None
    return str(said[-1].ref["reference"])


def say_alone(station: Station, record: Record, word: str) -> None:
    """Messages that the other side cannot have yet."""
    texts = [f"{CANARY} {word} {station.name} {number}" for number in range(10)]
    refs = station.send_many(texts, "immediate")
    record.add([Sent(station.name, -1, text, "immediate", ref) for text, ref in zip(texts, refs, strict=True)])


def told(station: Station, restored: Station) -> list[dict[str, Any]]:
    """What that station's API says of the other generations of a party."""
    return [each for each in station.line()["generations"] if each["party"] == restored.name]


def check_told(two: Rig, *restored: Station, times: int) -> None:
    """People on both sides are told in plain words, in the transcript and on the first screen (13.14)."""
    for station in two.both:
        history = station.command("history", station.peer, "--limit", "1000")
        assert history.code == 0, history.err
        status, lines = station.command("status").out, station.command("lines").out
        for party in restored:
            said = [line for line in history.out.splitlines() if f"{party.name:<10}  NEW GENERATION" in line]
            assert len(said) >= times, history.out[-800:]
            assert sum("restored from an old copy; its store knew" in line for line in said) == times, said
            who = "This station, line " if party is station else f"{party.name}, "
            for screen in (status, lines):
                lines_of = (line.strip().removeprefix("generation").strip() for line in screen.splitlines())
                told_of = [line for line in lines_of if line.startswith(who) and "restored from an old copy" in line]
                assert len(told_of) == times, screen
            lost = "that it had lost came back" if party is station else "held here and go back to it"
            assert (lost in status.lower()) is any(each["back"] for each in told(station, party)), status


def test_13_6_a_backup_restored_again_opens_another_generation_each_time(two: Rig) -> None:
    """The third time without its marks: it learns from the other side that its counter was used before (13.11)."""
    record = Record()
    two.start()
    say(two, record, "before")
    backup = back_up(two, two.alpha)
    say(two, record, "after")
    found: list[int] = []
    for number, opened in enumerate(([0, 1], [0, 1, 2], [0, 1, 1, 2])):
        two.alpha.kill()
        backup.restore(marks=number < 2)
        two.alpha.start()
        two.wait_service()
        say(two, record, f"restored {number}")
        found = counters(generations(two.bravo, two.alpha))
        assert found[: len(opened)] == opened
    # It may learn of its counter, and open a higher one, after what it said with it has come.
    until(lambda: counters(generations(two.bravo, two.alpha))[-1] == 3)
    settle(two, record)
    found = counters(generations(two.bravo, two.alpha))
    assert found[-1] == 3  # above all that it had used; one with the counter 2 may come before it
    assert found.count(3) == 1
    check_all(two, record)
    check_told(two, two.alpha, times=3)
    causes = [[each["cause"] for each in told(station, two.alpha)] for station in two.both]
    assert causes[0] == causes[1]
    assert Counter(causes[0])["restored"] == 3
    assert set(causes[0]) == {"restored", "superseded"}  # in the order of counters, of which two may be alike


def test_13_10_what_waited_in_the_backup_reaches_the_other_side_after_the_restore(two: Rig) -> None:
    """A backlog of a generation that has ended: it is still owed, and still acknowledged."""
    record = Record()
    two.start()
    for proxy in two.proxies:
        proxy.cut()
    say_alone(two.alpha, record, "nobody has it")
    backup = back_up(two, two.alpha)
    two.alpha.kill()
    backup.restore(marks=True)
    for proxy in two.proxies:
        proxy.heal()
    two.alpha.start()
    two.wait_service()
    say(two, record, "again")
    check_all(two, record)


def test_13_8_both_restored_only_what_neither_backup_has_is_gone(two: Rig) -> None:
    record = Record()
    two.start()
    say(two, record, "before")
    backups = [back_up(two, two.alpha)]
    say(two, record, "between")
    backups.append(back_up(two, two.bravo))
    kept = {one.text for one in record.sent}
    say(two, record, "after")
    record.lost = frozenset(one.text for one in record.sent) - kept
    for station in two.both:
        station.kill()
    for backup in backups:
        backup.restore(marks=True)
        backup.station.start()
    two.wait_service()
    say(two, record, "again", 20)
    assert not {entry["body"]["text"] for entry in two.alpha.entries()} & record.lost
    check_all(two, record)
    check_told(two, *two.both, times=1)
    for station in two.both:
        (own,) = told(station, station)
        # What was said after the later backup is nowhere; ALPHA's earlier one lacks more, which BRAVO's has.
        places = {
            (one.place[0], one.place[2])
            for one in record.sent
            if one.text in record.lost and one.station == station.name
        }
        gone = {(each["lane"], index) for each in own["missing"] for index in range(each["first"], each["last"] + 1)}
        assert places <= gone
        assert "have not come back: " in station.command("status").out


def test_13_4_an_old_copy_of_a_whole_home_but_its_marks_is_found_out(two: Rig) -> None:
    """No backup command: a folder that was copied while the station stood still, epochs and all."""
    record = Record()
    two.start()
    say(two, record, "before")
    assert two.alpha.stop() == 0
    shutil.copytree(two.alpha.home, two.folder / "copy")
    two.alpha.start()
    two.wait_service()
    say(two, record, "after")
    two.alpha.kill()
    shutil.copytree(two.alpha.marks, two.folder / "marks now")
    shutil.rmtree(two.alpha.home)
    shutil.copytree(two.folder / "copy", two.alpha.home, ignore=shutil.ignore_patterns("*.sock"))
    shutil.rmtree(two.alpha.marks)
    shutil.copytree(two.folder / "marks now", two.alpha.marks)
    two.alpha.start()
    two.wait_service()
    say(two, record, "again")
    assert counters(generations(two.bravo, two.alpha)) == [0, 1]
    check_all(two, record)


def test_13_5_a_restored_station_speaks_at_once_and_waits_for_nobody(two: Rig) -> None:
    record = Record()
    two.start()
    say(two, record, "before")
    backup = back_up(two, two.alpha)
    say(two, record, "after")
    two.alpha.kill()
    two.bravo.kill()
    backup.restore(marks=True)
    two.alpha.start()
    say_alone(two.alpha, record, "into the dark")
    two.bravo.start()
    two.wait_service()
    check_all(two, record)


def test_a_restore_under_load_with_kills_loses_nothing(two: Rig) -> None:
    record = Record()
    two.start()
    with under_load(two.both, record, pause_s=0.02):
        until(lambda: len(record.accepted()) > 100, deadline_s=120)
        backup = back_up(two, two.alpha)
        until(lambda: len(record.accepted()) > 300, deadline_s=120)
    settle(two, record)  # what only the destroyed store had is nowhere: here it has nothing that the other lacks
    two.alpha.kill()
    with under_load((two.bravo,), record, seed=2, pause_s=0.02):
        backup.restore(marks=True)
        for _ in range(3):
            two.alpha.start()
            two.alpha.kill()
            two.bravo.kill()
            two.bravo.start()
        two.alpha.start()
        two.wait_service()
    check_all(two, record)


def test_a_backup_that_is_damaged_cut_or_opened_by_another_key_restores_nothing(two: Rig) -> None:
    two.start()
    backup = back_up(two, two.alpha)
    whole = backup.file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    other = two.folder / "other.key"
    assert two.bravo.command("backup", str(two.folder / "x.backup"), "--key-file", str(other)).code == 0
    tries: list[tuple[bytes, Path]] = [
        (bytes(flipped), backup.key_file), (whole[:-100], backup.key_file), (whole, other), (b"", backup.key_file),
    ]  # fmt: skip
    for number, (data, key) in enumerate(tries):
        file, home = two.folder / f"bad-{number}", two.folder / f"restored-{number}"
        file.write_bytes(data)
        words: Any = ("--home", str(home), "--key-file", str(key), "--unlock-file", str(two.folder / "new.key"))
        done = two.alpha.command("restore", str(file), *words)
        assert done.code != 0
        assert done.err
        assert "Traceback" not in done.err
        assert not (home / "config.toml").exists()
        assert not (home / "store" / "store.db").exists()
