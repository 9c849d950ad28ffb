"""A backup that was restored on two machines, which both run: what either says arrives once, and neither silences the line (13.17)."""

import re
from contextlib import ExitStack

import pytest

from tests.e2e.chaos.checker import check_all, settle
from tests.e2e.chaos.load import CANARY, Record, Sent
from tests.e2e.chaos.rig import Rig, Station, fingerprint_of, paired_template, write_config
from tests.e2e.test_restore import Backup, back_up, generations, say
from tests.ports import free_port
from tests.waiting import until

pytestmark = pytest.mark.full


def another(two: Rig, backup: Backup, name: str) -> Station:
    """That backup in a folder of its own, at an address of its own, as on another machine."""
    folder = two.folder / name
    folder.mkdir()
    twin = Station(backup.station.name, folder / "home", free_port())
    words = ("--home", str(twin.home), "--key-file", str(backup.key_file), "--unlock-file", str(twin.key_file))
    done = twin.command("restore", str(backup.file), *words)
    assert done.code == 0, (done.out, done.err)
    peer = fingerprint_of(paired_template(), "BRAVO")
    write_config(twin, peer, listen=[f"127.0.0.1:{twin.port}"], dial=[f"127.0.0.1:{two.to_bravo.port}"])
    return twin


def heard(two: Rig, text: str) -> bool:
    """Whether the other side has it."""
    return any(entry["body"]["text"] == text for entry in two.bravo.entries())


def told_of_a_copy(twin: Station) -> bool:
    """Whether its people read that another copy of it runs."""
    words = twin.command("status").out
    return bool(re.search(r"shown a generation of its own that it did not know: .* a copy of it runs", words))


def test_13_17_two_copies_run_at_once_and_one_is_left(two: Rig) -> None:
    record = Record()
    two.start()
    say(two, record, "before", 5)
    backup = back_up(two, two.alpha)
    say(two, record, "after", 5)
    two.alpha.kill()
    with ExitStack() as ends:
        twins = [another(two, backup, name) for name in ("first", "second")]
        for twin in twins:
            ends.callback(twin.kill)
            twin.start()
        for number in range(4):
            for which, twin in enumerate(twins):
                text = f"{CANARY} copy {which} says {number}"
                record.add([Sent("ALPHA", which, text, "flash", twin.send(text, "flash"))])
                until(lambda text=text: heard(two, text), deadline_s=90)  # type: ignore[misc]
        assert 2 < len(generations(two.bravo, two.alpha)) < 40
        until(lambda: told_of_a_copy(twins[0]), deadline_s=120)  # it says so once the other side could show it
        twins[0].stop()
        two.alpha = twins[1]
        settle(two, record)  # what a copy alone holds, its own acknowledgements among it, would go with it
        twins[1].kill()
        two.alpha = twins[0]
        two.alpha.start()
        say(two, record, "one is left", 5)
        check_all(two, record)
