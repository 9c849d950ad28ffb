"""What must be true, after a kill and at the end.

After a kill, of the store as it lies there: it has all that the station had
answered for, and all that its signed acknowledgements claim. At the end, of
both sides: everything accepted is there once, at its place, in its order;
lanes, roots and digests are the same; both exports verify without a station.
"""

import json
import os
import shutil
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openline.archive.verdict import Verdict
from openline.archive.verify import verify
from openline.station.keystore import Keystore
from openline.station.unlock import KeyFile
from openline.stores.sqlite import SqliteStore
from tests.e2e.chaos.load import CANARY, Record, Sent
from tests.e2e.chaos.rig import Rig, Station
from tests.waiting import until

LaneKey = tuple[int, str]
Place = tuple[int, str, int]


@dataclass(frozen=True)
class Kept:
    """A store as it lies on the disk: for each lane its leaf hashes."""

    leaves: dict[LaneKey, list[str]]

    def size(self, lane: int, generation: str) -> int:
        return len(self.leaves.get((lane, generation), ()))


def kept(station: Station) -> Kept:
    """Read a killed station's store from a copy, so that its next start finds it as it fell."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in station.store.parent.glob("store.db*"):
            if not file.name.endswith(("-shm", ".lock")):
                shutil.copy(file, folder / file.name)
        keys = Keystore.open(station.home / "keys", KeyFile(station.key_file), os.urandom)
        with closing(SqliteStore.inspect(folder / "store.db", keys.data_key)) as store:
            (record,) = store.lines()
            line, leaves = store.line(record.line), dict[LaneKey, list[str]]()
            for lane in line.lanes():
                rows = line.entries(lane, 0, 1_000_000)
                leaves[lane.number, str(lane.generation)] = [row.nodes[0].hex() for row in rows]
    return Kept(leaves)


def claims(witness: Station) -> dict[LaneKey, int]:
    """How far the other party has signed, to this running station, that it holds each lane."""
    other = witness.peer
    found = {(size["lane"], size["generation"]): size["held_by"].get(other, 0) for size in witness.line()["sizes"]}
    return {key: size for key, size in found.items() if size}


def check_fallen(station: Station, accepted: list[Sent], claimed: dict[LaneKey, int]) -> None:
    """A station that was just killed has what it answered for and what it acknowledged."""
    found = kept(station)
    for one in accepted:
        lane, generation, index = one.place
        assert one.ref is not None
        assert found.size(lane, generation) > index, f"lost at the kill: {one}"
        assert found.leaves[lane, generation][index] == one.ref["leaf"], f"another entry stands there: {one}"
    for (lane, generation), size in claimed.items():
        assert found.size(lane, generation) >= size, f"acknowledged and not held: lane {lane}.{generation} to {size}"


def settled(rig: Rig, record: Record) -> bool:
    """Whether both sides hold the same, and the sender of each message knows that it is held.

    A last acknowledgement that says nothing else is owed none in return.
    """
    here, there = (station.line() for station in rig.both)
    if here["digest"] != there["digest"] or sizes_of(here) != sizes_of(there):
        return False
    known = {station.name: claims(station) for station in rig.both}
    places = ((one.station, one.place) for one in record.accepted())
    return all(known[name].get((lane, generation), 0) > index for name, (lane, generation, index) in places)


def sizes_of(line: dict[str, Any]) -> dict[LaneKey, int]:
    """Lane sizes, as a station shows them."""
    return {(size["lane"], size["generation"]): size["size"] for size in line["sizes"]}


def settle(rig: Rig, record: Record, deadline_s: float = 150.0) -> None:
    """No more faults; wait until both hold the same."""
    for proxy in rig.proxies:
        proxy.heal()
    try:
        until(lambda: settled(rig, record), deadline_s=deadline_s)
    except TimeoutError:
        states = [(line["state_words"], line["digest"][:8], sizes_of(line), line["notices"], line["sizes"])
                  for line in (station.line() for station in rig.both)]  # fmt: skip
        raise AssertionError(f"the two sides do not come to the same: {states}") from None


def check_all(rig: Rig, record: Record) -> Counter[str]:
    """Everything, at the end. Returns counts for a report."""
    settle(rig, record)
    views = [view(station, station.entries()) for station in rig.both]
    assert views[0] == views[1], "the two sides show different messages"
    counts = check_record(views[0], record)
    for station in rig.both:
        line = station.line()
        assert line["forks"] == 0, line
        assert not line["suspected"], line
        check_log(station)
    until(lambda: _agree(rig, counts))  # a station may say something by itself between the two exports
    return counts


def _agree(rig: Rig, counts: Counter[str]) -> bool:
    """Whether both exports have the same lanes; they never differ in what both have."""
    here, there = (
        {(lane.number, lane.generation): (lane.size, lane.root) for lane in check_export(rig, station).lanes}
        for station in rig.both
    )
    for lane in here.keys() & there.keys():
        assert here[lane][0] != there[lane][0] or here[lane] == there[lane], "the two exports differ"
    counts["entries"] = sum(size for size, _ in here.values())
    return here == there


def view(station: Station, entries: list[dict[str, Any]]) -> dict[Place, tuple[str, str, str, str]]:
    """Every message by its place, as a station shows it."""
    found: dict[Place, tuple[str, str, str, str]] = {}
    for entry in entries:
        ref, body = entry["ref"], entry["body"]
        place = ref["lane"], ref["generation"], ref["index"]
        assert place not in found, f"{station.name} shows one entry twice"
        assert not entry["refused"]
        found[place] = entry["author"], body["precedence"], body["text"], ref["leaf"]
    return found


def check_record(found: dict[Place, tuple[str, str, str, str]], record: Record) -> Counter[str]:
    """Accepted means there, once, as it was said, in its sender's order; not accepted means at most once."""
    times = Counter(text for _, _, text, _ in found.values() if text.startswith(CANARY))
    sent = {one.text: one for one in record.sent}
    assert len(sent) == len(record.sent), "a text was sent twice: the test is wrong"
    doubled = [text for text, count in times.items() if count > 1]
    assert not doubled, f"doubled: {doubled[:3]}"
    assert times.keys() <= sent.keys(), "a message that nobody sent"
    for place, (author, precedence, text, _) in found.items():
        if text in sent:
            one = sent[text]
            assert (author, precedence) == (one.station, one.precedence), (place, one)
    last: dict[tuple[str, int, int, str], int] = {}
    for one in record.sent:
        if one.ref is None or one.text in record.lost:
            continue
        assert one.place in found, f"lost: {one}"
        assert found[one.place][2:] == (one.text, one.ref["leaf"]), f"another message stands there: {one}"
        lane, generation, index = one.place
        key = one.station, one.sender, lane, generation
        assert last.get(key, -1) < index, f"out of order: {one}"
        last[key] = index
    accepted = sum(one.ref is not None for one in record.sent)
    kept_unsaid = sum(times[one.text] for one in record.sent if one.ref is None)
    return Counter(sent=len(sent), accepted=accepted, unanswered=len(sent) - accepted, unanswered_kept=kept_unsaid)


def check_log(station: Station) -> None:
    """No fault of our own, and nothing that anybody said."""
    text = station.log.read_text(errors="replace")
    assert CANARY not in text, "content in the log"
    assert "Traceback" not in text, station.log_tail()
    for line in text.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        assert event.get("why") != "bug", event
        assert event.get("event") not in {"loop.fault", "line.refused", "peer.refused"}, event


def check_export(rig: Rig, station: Station) -> Verdict:
    """Export by the command, and verify with both fingerprints known."""
    folder = Path(tempfile.mkdtemp(dir=rig.folder, prefix=f"export-{station.name.lower()}-")) / "x"
    done = station.command("export", station.peer, str(folder))
    assert done.code == 0, (done.out, done.err)
    verdict = verify(folder, {bytes.fromhex(each) for each in rig.fingerprints()})
    assert isinstance(verdict, Verdict)
    assert verdict.ok, verdict.lines()
    assert verdict.identity_proved, verdict.lines()
    assert not verdict.gaps, verdict.gaps
    assert not verdict.forks, verdict.forks
    return verdict
