"""What an export is: clauses 14.1 to 14.7."""

import datetime
import json
import re
import resource
import tracemalloc
from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openline.archive.entry_text import civil, clean, moment
from openline.archive.export import ExportReport, export
from openline.archive.layout import tile_file, tiles
from openline.archive.manifest import read_manifest, write_manifest
from openline.archive.opened import read_line, write_line
from openline.archive.verify import verify
from openline.kernel.errors import Conflict, Forbidden, Malformed, Refused, Unavailable
from openline.kernel.lane import Entry
from openline.kernel.merkle import leaf_hash, node_hash
from openline.kernel.units import Instant
from tests.spec.archive_line import LineUnderTest, message, signer, talk


def write(line: LineUnderTest, folder: Path, party: int = 0) -> ExportReport:
    return export(
        reader=line.store,
        record=line.record(party),
        signer=line.stations[party].lane,
        folder=folder,
        made=Instant(line.clock),
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_14_1_an_export_has_the_files_of_the_table_and_no_others(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    write(line, tmp_path / "out")
    lane = {"checkpoint", "vkey", "opened.jsonl", "tile/0/000.p/7", "tile/entries/000.p/7"}
    own = {f"lanes/{number}.0/{name}" for number in (0, 1) for name in lane}
    others = {f"lanes/{number}.0/{name}" for number in (2, 3) for name in lane | {"milestone"}}
    top = {"manifest.json", "manifest.note", "terms.cbor", "transcript.txt", "cards/0.card", "cards/1.card"}
    assert set(files(tmp_path / "out")) == own | others | top


def test_14_1_a_later_generation_brings_its_key_statement(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    line.rotate(1)
    line.write(3, message("under the new key"))
    write(line, tmp_path / "out")
    found = files(tmp_path / "out")
    assert "statements/1.1-00ff00ff00ff00ff" in found
    assert "lanes/3.1-00ff00ff00ff00ff/checkpoint" in found
    assert verify(tmp_path / "out").ok


def test_14_2_only_what_is_signed_is_exported(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    line.write(3, message("never signed"), signed=False)
    write(line, tmp_path / "out")
    assert len((tmp_path / "out/lanes/3.0/opened.jsonl").read_bytes().splitlines()) == 7
    assert verify(tmp_path / "out").ok


def test_14_2_tiles_are_those_of_tlog_tiles() -> None:
    assert tile_file(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tile_file("entries", 273, 112) == "tile/entries/273.p/112"
    found = list(tiles(70_000))
    assert found.count((0, 273, 112)) == 1
    assert [tile for tile in found if tile[0] > 0] == [(1, 0, 256), (1, 1, 17), (2, 0, 1)]
    assert list(tiles(256)) == [(0, 0, 256), (1, 0, 1)]


def test_14_2_a_lane_of_several_tiles_hashes_up_to_its_head(tmp_path: Path) -> None:
    line = LineUnderTest()
    line.write(1, *[message(f"entry {n}") for n in range(1, 600)])
    write(line, tmp_path / "out")
    lane = tmp_path / "out/lanes/1.0"
    bundle = (lane / "tile/entries/001").read_bytes()
    first = bundle[2 : 2 + int.from_bytes(bundle[:2], "big")]
    assert (lane / "tile/0/001").read_bytes()[:32] == leaf_hash(first)
    row = [(lane / "tile/0/000").read_bytes()[at : at + 32] for at in range(0, 8_192, 32)]
    while len(row) > 1:
        row = [node_hash(row[n], row[n + 1]) for n in range(0, len(row), 2)]
    assert (lane / "tile/1/000.p/2").read_bytes()[:32] == row[0]
    assert (lane / "checkpoint").read_text().splitlines()[1] == "600"
    assert verify(tmp_path / "out").ok


def test_14_3_the_manifest_is_json_in_one_form(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    report = write(line, tmp_path / "out", 1)
    data = (tmp_path / "out/manifest.json").read_bytes()
    found = json.loads(data)
    assert json.dumps(found, sort_keys=True, separators=(",", ":")).encode() + b"\n" == data
    assert found["exporter"] == 1
    assert found["line"] == line.terms.line.hex()
    assert found["lanes"][0] == {"generation": "0", "lane": 0, "root": line.head(0).root.hex(), "size": 7}
    assert found["files"] == {
        name: sha256(content).hexdigest()
        for name, content in files(tmp_path / "out").items()
        if not name.startswith("manifest")
    }
    assert read_manifest(data) == report.manifest
    assert report.entries == 28
    assert report.unopened == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('{"exporter"', '{ "exporter"'),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n",
        lambda text: text.replace('"exporter":0', '"exporter":00'),
        lambda text: text.replace('"exporter":0', '"exporter":99'),
        lambda text: text.replace('"files":{', '"files":{"a/../b":"' + "0" * 64 + '",'),
        lambda text: text.replace('"files":{', '"files":{"/etc":"' + "0" * 64 + '",'),
        lambda text: text.replace('"files":{', '"files":{"cards/0.card":"' + "0" * 64 + '",'),
        lambda text: text.replace('"files":{', '"files":{},"files":{'),
        lambda text: text.replace('"lanes":[', '"lanes":[' + "[" * 100_000),
        lambda text: text.replace('"size":7', '"size":07'),
        lambda text: text.replace('"size":7', '"size":999999999999999'),
        lambda text: text.replace('"lane":0', '"lane":77'),
        lambda text: text.replace('"lane":0', '"lane":1'),
        lambda text: text.replace('"made":', '"made":-0'),
        lambda text: text.replace("openline-export/1", "openline-export/2"),
        lambda text: text.replace('"generation":"0"', '"generation":"00"'),
        lambda _: "[" * 1_000_000,
        lambda _: "",
    ],
)
def test_14_3_any_other_form_of_a_manifest_is_refused(change: Callable[[str], str], tmp_path: Path) -> None:
    """One that names another format among them (16.10)."""
    write(talk(LineUnderTest(), 3), tmp_path / "out")
    text = (tmp_path / "out/manifest.json").read_text()
    with pytest.raises(Refused):
        read_manifest(change(text).encode())
    assert write_manifest(read_manifest(text.encode())) == text.encode()


def test_14_4_the_manifest_is_signed_by_the_exporters_lane_key(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    write(line, tmp_path / "out")
    note = (tmp_path / "out/manifest.note").read_bytes()
    text, _, signatures = note.partition(b"\n\n")
    assert text == b"openline-export/1\n" + sha256((tmp_path / "out/manifest.json").read_bytes()).hexdigest().encode()
    dash, name, signature = signatures.decode().split()
    assert (dash, name) == ("—", f"{line.terms.line.hex()}/export")
    line.stations[0].lane.public.ed25519(b64decode(signature)[4:], text + b"\n")


def test_14_4_other_keys_cannot_export(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    with pytest.raises(Forbidden):
        export(
            reader=line.store,
            record=line.record(0),
            signer=signer("a stranger"),
            folder=tmp_path / "out",
            made=Instant(0),
        )
    assert list(tmp_path.iterdir()) == []


def test_14_5_a_line_of_an_opened_entry_has_one_form() -> None:
    entry = Entry(kind=b"\x03", time=b"\x00", ack=b"\x80", body=b"\xa0", secret=bytes(32))
    text = write_line(7, entry)
    assert json.loads(text) == {"a": "gA==", "b": "oA==", "i": 7, "k": "Aw==", "s": "A" * 43 + "=", "t": "AA=="}
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")).encode() + b"\n" == text
    assert read_line(text, 7) == entry
    assert read_line(write_line(7, None), 7) is None
    bad = [text.replace(b"gA==", b"gB=="), text.replace(b":7", b":07"), text + b"\n", text[:-1], b" " + text]
    for other in [*bad, text.replace(b'"a"', b'"A"'), text.replace(b"gA==", b"gA="), b"{" * 20_000]:
        with pytest.raises(Malformed):
            read_line(other, 7)
    with pytest.raises(Malformed):
        read_line(text, 8)


def test_14_5_an_entry_that_cannot_be_opened_has_a_place_and_nothing_else(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    line.append(3, [line.entry(3, 7, message("poisoned"))], unopened=True)
    line.write(3, message("after it"))
    report = write(line, tmp_path / "out")
    assert (tmp_path / "out/lanes/3.0/opened.jsonl").read_bytes().splitlines()[7] == b'{"i":7}'
    assert report.unopened == 1
    verdict = verify(tmp_path / "out")
    assert verdict.ok
    assert [lane.unopened for lane in verdict.lanes] == [0, 0, 0, 1]
    assert "CANNOT BE OPENED" in (tmp_path / "out/transcript.txt").read_text()


def test_14_6_the_transcript_follows_what_authors_had_seen_and_says_crossings(tmp_path: Path) -> None:
    line = LineUnderTest()
    names = [station.card.name for station in line.stations]
    held = line.ack(3)
    line.write(1, message("a question"))
    line.write(3, message("not having seen it"), ack=held)
    line.clock -= 10_000_000  # the answerer's clock is slow
    line.write(3, message("the answer"))
    write(line, tmp_path / "out")
    text = (tmp_path / "out/transcript.txt").read_text()
    assert text.index("| a question") < text.index("| the answer")
    between = text[text.index("| not having seen it") : text.index("| the answer")]
    assert f"not yet seen: {names[0]} traffic 1" in between
    assert "not yet seen" not in text[text.index("| the answer") :]


def test_14_6_no_text_can_pass_for_another_entry(tmp_path: Path) -> None:
    line = LineUnderTest()
    line.write(1, message("innocent\n\nBRAVO 0002 211430Z NOV 26\n    MESSAGE FLASH\u202e\x1b[2J\u2028end\r\n"))
    write(line, tmp_path / "out")
    text = (tmp_path / "out/transcript.txt").read_text()
    assert "\n    | BRAVO 0002 211430Z NOV 26\n    |     MESSAGE FLASH<U+202E><U+001B>[2J<U+2028>end<U+000D>\n" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    assert clean("\u2067a\u2069") == "<U+2067>a<U+2069>"


def test_14_6_times_are_those_of_the_calendar() -> None:
    assert moment(Instant(1_795_271_405_123)) == "2026-11-21 14:30:05.123 UTC"
    assert moment(Instant(-81_115_680_000)) == "1967-06-07 03:52:00.000 UTC"
    assert moment(Instant(2**48 - 1)) == "10889-08-02 05:31:50.655 UTC"
    assert civil(-719_528) == (0, 1, 1)
    assert civil(11_016) == (2000, 2, 29)


def test_14_7_an_export_contains_no_seed(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    write(line, tmp_path / "out")
    secret = [line.seed_of(party, line.stations[party].generation) for party in range(2)]
    for content in files(tmp_path / "out").values():
        assert not any(one in content or one.hex().encode() in content for one in secret)


def test_an_existing_folder_is_refused_unless_it_is_empty(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    (tmp_path / "out").mkdir()
    write(line, tmp_path / "out")
    before = files(tmp_path)
    (tmp_path / "file").write_text("here already")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("out", "file", "link"):
        with pytest.raises(Conflict):
            write(line, tmp_path / name)
    assert files(tmp_path) == before | {"file": b"here already"}


@pytest.mark.parametrize("most", [100, 10_000])
def test_a_full_disk_is_unavailable_and_leaves_nothing(tmp_path: Path, most: int) -> None:
    line = LineUnderTest()
    line.write(1, *[message(f"entry {n}") for n in range(1, 300)])
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limit[1]))  # writing beyond fails as on a full disk
    try:
        with pytest.raises(Unavailable, match="the disk is full"):
            write(line, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_lane(tmp_path: Path) -> None:
    """What is held while writing is one batch, not the lane: twice the entries, the same peak."""
    peaks: list[int] = []
    for count in (10, 1_000, 2_000):  # the first loads what writing needs
        line = LineUnderTest()
        line.write(1, *[message("x" * 2_000) for _ in range(count)])
        tracemalloc.start()
        write(line, tmp_path / str(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] * 1.2


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_moments_are_those_of_the_standard_library(when: int) -> None:
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=when)
    assert moment(Instant(when)) == at.isoformat(sep=" ", timespec="milliseconds") + " UTC"


def test_two_exports_of_one_state_differ_only_in_signatures(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    write(line, tmp_path / "a")
    write(line, tmp_path / "b", 1)
    left, right = files(tmp_path / "a"), files(tmp_path / "b")
    assert left["transcript.txt"] == right["transcript.txt"]
    differing = {name for name in left.keys() & right.keys() if left[name] != right[name]}
    assert all(name.startswith("manifest") or name.endswith("checkpoint") for name in differing)
