"""What a verification finds, and what it says: clauses 14.8 to 14.11."""

import json
import os
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from openline.archive.acks import regressed
from openline.archive.evidence import evidence_files, read_evidence, write_evidence
from openline.archive.fixed_checks import FixedChecks
from openline.archive.lane_checks import ENTRIES_A_TASK
from openline.archive.lane_stages import LaneStages
from openline.archive.manifest import read_manifest, sign_manifest, write_manifest
from openline.archive.members import read_fingerprint
from openline.archive.verdict import Outcome, Problem, Verdict
from openline.archive.verify import check, fork_files, verify
from openline.archive.workers import Workers
from openline.kernel.codec import Value, encode
from openline.kernel.crypto import digest
from openline.kernel.errors import Malformed
from openline.kernel.lane import GENERATION_ZERO, Fork, Generation, Head, leaf_of, note, sign_head
from openline.kernel.merkle import inclusion_proof, leaf_hash
from openline.protocol.acknowledgements import AckItem, encode_ack
from openline.protocol.entries import Ack, AnyEntry, Cause, GenerationEntry, TermsEntry
from openline.protocol.fields import NamedHead
from openline.protocol.forks import encode_fork
from tests.e2e.cli_rig import type_
from tests.spec.archive_line import NEXT, LineUnderTest, message, talk
from tests.spec.test_export import files, write

ONE = message("one")


def broken(folder: Path) -> Problem:
    """The first problem of a verdict that must be broken."""
    verdict = verify(folder)
    assert verdict.outcome is Outcome.BROKEN
    assert not verdict.ok
    assert "BROKEN" in verdict.lines()[0]
    return verdict.problems[0]


def sign_again(line: LineUnderTest, folder: Path, change: Callable[[str], str] = str) -> None:
    """What a hostile exporter can do: a manifest that fits whatever stands in the folder now, under its own key."""
    manifest = read_manifest((folder / "manifest.json").read_bytes())
    digests = {
        name: sha256(content).hexdigest() for name, content in files(folder).items() if not name.startswith("manifest")
    }
    data = change(write_manifest(replace(manifest, files=digests)).decode()).encode()
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.note").write_bytes(sign_manifest(data, manifest.line, line.stations[manifest.exporter].lane))


@pytest.fixture(scope="module")
def line() -> LineUnderTest:
    made = talk(LineUnderTest(), 1)
    made.rotate(1)
    made.write(3, ONE)
    return made


@pytest.fixture(scope="module")
def original(line: LineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "out"
    write(line, folder)
    assert verify(folder).ok
    return folder


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "out")
    return tmp_path / "out"


# --- every byte, every file -------------------------------------------------------------------------------


def flips(data: bytes, stride: int) -> Iterator[tuple[int, bytes]]:
    """One bit of every `stride`-th byte flipped, the last byte always."""
    for at in sorted({*range(0, len(data), stride), len(data) - 1}):
        yield at, data[:at] + bytes((data[at] ^ 1 << at % 8,)) + data[at + 1 :]


def flip_all(line: LineUnderTest, folder: Path, stride: int, *, resign: bool) -> int:
    tried = 0
    for name, content in files(folder).items():
        if resign and name.startswith("manifest"):
            continue
        for at, changed in flips(content, stride):
            (folder / name).write_bytes(changed)
            if resign:
                sign_again(line, folder)
            verdict = verify(folder)
            assert verdict.outcome is Outcome.BROKEN, f"{name}: byte {at}"
            tried += 1
        (folder / name).write_bytes(content)
    if resign:
        sign_again(line, folder)
    assert verify(folder).ok
    return tried


@pytest.mark.parametrize("resign, stride, least", [(False, 61, 800), (True, 19, 2_500)])
def test_14_9_a_flipped_bit_anywhere_breaks_it(
    line: LineUnderTest, copy: Path, resign: bool, stride: int, least: int, pytestconfig: pytest.Config
) -> None:
    """Under the original manifest, where one hash finds it, and under one that a hostile exporter made to fit.

    In thousands of places in a full run, else in hundreds.
    """
    if not pytestconfig.getoption("--full"):
        stride, least = 211, 300
    assert flip_all(line, copy, stride, resign=resign) > least


def test_14_9_every_missing_or_cut_file_breaks_it(line: LineUnderTest, copy: Path) -> None:
    for name, content in files(copy).items():
        (copy / name).unlink()
        assert broken(copy).file in {name, str(Path(name).parent)}
        (copy / name).write_bytes(content[:-1])
        assert broken(copy).file in {name, "manifest.note"}
        (copy / name).write_bytes(content + content[-1:])
        assert broken(copy).file in {name, "manifest.note"}
        (copy / name).write_bytes(content)
    assert verify(copy).ok


def test_14_9_every_missing_file_is_found_under_a_manifest_made_to_fit(line: LineUnderTest, copy: Path) -> None:
    optional = {f"lanes/{number}/milestone" for number in ("2.0", "3.0", "2." + str(NEXT), "3." + str(NEXT))}
    for name, content in files(copy).items():
        if name.startswith("manifest") or name in optional:
            continue
        (copy / name).unlink()
        sign_again(line, copy)
        assert broken(copy)
        (copy / name).write_bytes(content)


@pytest.mark.parametrize(
    "name", ["extra", "cards/2.card", "lanes/0.0/extra", "lanes/9.0/checkpoint", "evidence/1.cbor", "statements/0.1-"]
)
def test_14_9_every_file_too_many_breaks_it(line: LineUnderTest, copy: Path, name: str) -> None:
    (copy / name).parent.mkdir(parents=True, exist_ok=True)
    (copy / name).write_bytes(b"x")
    assert broken(copy).file in {name, str(Path(name).parent)}
    sign_again(line, copy)
    assert broken(copy).file


def test_14_9_an_empty_folder_too_many_breaks_it(copy: Path) -> None:
    (copy / "lanes/0.0/tile/5").mkdir()
    assert broken(copy) == Problem(file="lanes/0.0/tile/5", reason="a folder that does not belong here")


# --- entries: missing, reordered, added, changed ----------------------------------------------------------


def swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:1], lines[2], lines[1], *lines[3:]]


@pytest.mark.parametrize(
    "change", [swapped, lambda lines: lines[:-1], lambda lines: [*lines, lines[-1]], lambda lines: lines[1:]]
)
def test_14_9_lines_that_are_missing_moved_or_added_break_it(
    line: LineUnderTest, copy: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    path = copy / "lanes/1.0/opened.jsonl"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    sign_again(line, copy)
    assert broken(copy).file == "lanes/1.0/opened.jsonl"


def test_14_9_leaves_that_changed_places_break_it(line: LineUnderTest, copy: Path) -> None:
    bundle = copy / "lanes/1.0/tile/entries/000.p/3"
    data = bundle.read_bytes()
    third = len(data) // 3
    bundle.write_bytes(data[:third] + data[2 * third :] + data[third : 2 * third])
    sign_again(line, copy)
    assert broken(copy) == Problem(file="lanes/1.0/tile/entries/000.p/3", reason="a leaf of another place")


def test_an_entry_of_another_line_cannot_be_put_in(line: LineUnderTest, copy: Path, tmp_path: Path) -> None:
    other = talk(LineUnderTest(seed_word="another"), 1)
    write(other, tmp_path / "other")
    shutil.rmtree(copy / "lanes/1.0")
    shutil.copytree(tmp_path / "other/lanes/1.0", copy / "lanes/1.0")
    root = other.head(1).root.hex()
    sign_again(line, copy, lambda text: text.replace(line.head(1).root.hex(), root))
    assert broken(copy).file == "lanes/1.0/checkpoint"


def test_14_11_a_cut_end_is_told_if_another_party_acknowledged_it(tmp_path: Path) -> None:
    """The exporter cuts its own lane and signs the shorter head: consistent, but the peer's word says what is missing."""
    line = talk(LineUnderTest(), 2)
    whole = line.store.copy()
    lane = line.lane(1)
    shorter = Head(lane=lane, size=3, root=line.store.heads(lane, 2, 1)[0].head.root)
    state = line.store.copy()
    state.rows[lane] = state.rows[lane][:3]
    state.heads[lane] = {3: sign_head(line.stations[0].lane, shorter)}
    line.store.restore(state)
    write(line, tmp_path / "cut")
    verdict = verify(tmp_path / "cut")
    alpha, bravo = (station.card.name for station in line.stations)
    assert verdict.gaps == (f"{bravo} signed that it holds 5 entries of {alpha}'s lane 1.0; here are 3",)
    assert any(text.startswith("MISSING") for text in verdict.lines())
    line.store.restore(whole)
    write(line, tmp_path / "whole")
    assert verify(tmp_path / "whole").gaps == ()


def lie(line: LineUnderTest, ack: bytes, tmp_path: Path) -> Verdict:
    """What is found if party 1 signs that acknowledgement."""
    line.write(3, ONE, ack=ack)
    write(line, tmp_path / "lie")
    return verify(tmp_path / "lie")


def contradicted(verdict: Verdict) -> str:
    """The one contradiction of a verdict that must have one."""
    assert verdict.outcome is Outcome.CONTRADICTED
    assert not verdict.ok
    assert not verdict.problems
    assert verdict.lines()[0].startswith("CONTRADICTED")
    (found,) = verdict.contradictions
    assert any(line.startswith("AGAINST") and found in line for line in verdict.lines())
    return found


def test_14_16_an_acknowledgement_of_another_history_contradicts_it_and_breaks_nothing(tmp_path: Path) -> None:
    """Either its owner showed two, or the author signed what it never held: no lie of one party makes this nobody's word."""
    line = talk(LineUnderTest())
    items = [AckItem(lane=n, generation=GENERATION_ZERO, size=7, root=line.head(n).root) for n in (0, 1)]
    blind = replace(items[1], root=digest(b"never seen"))
    verdict = lie(line, encode_ack([items[0], blind]), tmp_path)
    alpha, bravo = (station.card for station in line.stations)
    assert contradicted(verdict) == f"{bravo.name} signed another history of {alpha.name}'s lane 1.0, at size 7"
    assert not verdict.identity_proved
    known = verify(tmp_path / "lie", {alpha.fingerprint})
    assert known.identity_proved
    assert known.outcome is Outcome.CONTRADICTED
    assert (bravo.name, 7) in next(lane for lane in known.lanes if lane.number == 1).held_by


@pytest.mark.parametrize("keep", [0, 1])
def test_14_16_an_acknowledgement_that_goes_back_is_a_fault_of_its_author(tmp_path: Path, keep: int) -> None:
    line = talk(LineUnderTest())
    old = line.store.heads(line.lane(1), 2, 1)[0].head
    items = [AckItem(lane=0, generation=GENERATION_ZERO, size=7, root=line.head(0).root)]
    items += [AckItem(lane=1, generation=GENERATION_ZERO, size=old.size, root=old.root)][:keep]
    verdict = lie(line, encode_ack(items), tmp_path)
    assert verdict.ok
    (fault,) = verdict.faults
    assert fault.endswith("lane 3.0, entry 7: the acknowledgement goes back behind an earlier one")
    assert any(line.startswith("FAULT") for line in verdict.lines())


def test_14_8_an_acknowledgement_out_of_form_is_a_refused_entry_and_breaks_nothing(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    own = AckItem(lane=2, generation=GENERATION_ZERO, size=7, root=line.head(2).root)
    line.write(3, ONE, ack=encode_ack([own]))
    line.write(3, ONE, ack=b"\xff")
    write(line, tmp_path / "out")
    verdict = verify(tmp_path / "out")
    assert verdict.ok
    assert [lane.refused for lane in verdict.lanes] == [0, 0, 0, 2]


@pytest.mark.parametrize(
    "number, said, kind, what",
    [
        (1, ONE, 16, "does not open with the terms of the line"),
        (3, TermsEntry(b"other terms"), 1, "does not open with the terms of the line"),
        (3, ONE, 1, "opens with an entry that is refused"),
    ],
)
def test_14_16_a_lane_that_opens_with_anything_else_than_the_terms_is_a_fault_of_its_owner(
    tmp_path: Path, number: int, said: AnyEntry, kind: int, what: str
) -> None:
    line = talk(LineUnderTest(), 0)
    state, lane = line.store.copy(), line.lane(number)
    del state.rows[lane], state.heads[lane], line.peaks[lane]
    line.store.restore(state)
    line.append(number, [replace(line.entry(number, 0, said), kind=encode(kind))])
    write(line, tmp_path / "out")
    verdict = verify(tmp_path / "out")
    assert not verdict.problems
    assert verdict.faults == (f"{line.stations[number // 2].card.name}, lane {number}.0, entry 0: the lane {what}",)


@pytest.mark.parametrize("lane, size", [(1, 3), (3, 3)])
def test_14_16_a_generation_follows_the_history_that_is_here(tmp_path: Path, lane: int, size: int) -> None:
    line = talk(LineUnderTest())
    line.succeed(1)
    wrong = NamedHead(lane=lane, generation=GENERATION_ZERO, size=size, root=digest(b"another"))
    line.write(3, GenerationEntry(heads=(wrong,), cause=Cause.RESTORED))
    write(line, tmp_path / "out")
    verdict = verify(tmp_path / "out")
    bravo = line.stations[1].card.name
    if lane == 3:
        assert contradicted(verdict) == f"{bravo} signed another history of {bravo}'s lane 3.0, at size 3"
    else:
        reason = "entry 0: a generation that follows a lane which is not its own"
        assert verdict.faults == (f"{bravo}, lane 3.{NEXT}, {reason}",)


def test_14_8_later_generations_verify_and_must_open_as_such(
    line: LineUnderTest, original: Path, tmp_path: Path
) -> None:
    assert [lane.generation for lane in verify(original).lanes] == ["0", "0", "0", str(NEXT), "0", str(NEXT)]
    other = talk(LineUnderTest())
    other.succeed(1)
    other.write(3, ONE)
    write(other, tmp_path / "out")
    (fault,) = verify(tmp_path / "out").faults
    assert fault.endswith("entry 0: a later generation does not open as one")


def test_acknowledgements_are_compared_across_the_runs_that_processes_take(tmp_path: Path) -> None:
    line = talk(LineUnderTest(), 1)
    line.write(3, *[ONE] * (ENTRIES_A_TASK - 3))
    assert line.head(3).size == ENTRIES_A_TASK
    write(line, tmp_path / "fine")
    assert verify(tmp_path / "fine").ok
    old = line.store.heads(line.lane(1), 0, 1)[0].head
    back = encode_ack([AckItem(lane=1, generation=GENERATION_ZERO, size=old.size, root=old.root)])
    (fault,) = lie(line, back, tmp_path).faults
    assert fault.endswith(f"entry {ENTRIES_A_TASK}: the acknowledgement goes back behind an earlier one")


def test_other_processes_find_what_one_finds(line: LineUnderTest, copy: Path) -> None:
    for jobs in (1, 2):
        fixed = FixedChecks(copy)
        for step in (fixed.manifest, fixed.identities, fixed.heads, fixed.evidence):
            step()
        with Workers(jobs) as workers:
            stages = LaneStages(fixed.archive(), fixed.found.files, workers, lambda *_: None)
            stages.run(fixed.milestones)
        assert stages.problems == []
        assert stages.findings(fixed.members.name, fixed.both_to)[0] == verify(copy).lanes


# --- who, and what is proved ------------------------------------------------------------------------------


def digits(fingerprint: bytes) -> str:
    return " ".join(f"{int.from_bytes(fingerprint[at : at + 2], 'big'):05}" for at in range(0, 24, 2))


def test_14_9_without_a_fingerprint_identity_is_not_proved(original: Path) -> None:
    verdict = verify(original)
    assert verdict.outcome is Outcome.CONSISTENT
    assert verdict.ok
    assert not verdict.identity_proved
    assert verdict.lines()[0] == "CONSISTENT, IDENTITY NOT PROVED"


def test_14_9_with_a_fingerprint_identity_is_proved_for_that_party(line: LineUnderTest, original: Path) -> None:
    card = line.stations[1].card
    for text in (card.fingerprint.hex(), f"openline:fp:{card.fingerprint.hex()}", digits(card.fingerprint)):
        verdict = verify(original, {read_fingerprint(text)})
        assert verdict.outcome is Outcome.PROVED
        assert verdict.identity_proved
        assert [party.expected for party in verdict.parties] == [False, True]
        assert verdict.lines()[0] == f"PROVED: consistent, identity proved for {card.name}"


def test_14_9_a_fingerprint_of_nobody_is_foreign(line: LineUnderTest, original: Path) -> None:
    for expected in ({digest(b"x")}, {digest(b"x"), line.stations[0].card.fingerprint}, {b""}, {bytes(23)}):
        verdict = verify(original, expected)
        assert verdict.outcome is Outcome.FOREIGN
        assert not verdict.ok
        assert not verdict.identity_proved
    for text in ("", "12345", "g" * 64, " ".join(["99999"] * 12)):
        with pytest.raises(Malformed):
            read_fingerprint(text)


def test_14_10_and_14_11_the_verdict_says_what_is_proved_and_what_is_not(original: Path) -> None:
    verdict = verify(original)
    text = "\n".join(verdict.lines())
    assert "party BRAVO signed that it holds entries 0 to" in text
    for words in ("Not proved:", "times are the claims", "may be cut", "no post-quantum signature", "receipt"):
        assert words in text
    assert [(lane.size, lane.both_to) for lane in verdict.lanes if lane.party == "ALPHA"] == [(3, 3), (3, 3)]
    assert [(lane.size, lane.both_to) for lane in verdict.lanes if lane.party == "BRAVO"] == [
        (3, 1),
        (1, 1),
        (3, 1),
        (2, 1),
    ]
    found = json.loads(verdict.to_json())
    assert found["outcome"] == "consistent"
    assert found["lanes"][0]["size"] == 3
    assert found["not_proved"]


def test_14_8_a_party_cannot_be_exchanged_for_another(line: LineUnderTest, copy: Path) -> None:
    other = LineUnderTest(seed_word="another")
    (copy / "cards/1.card").write_bytes(other.stations[1].card.raw)
    sign_again(line, copy)
    assert broken(copy) == Problem(file="cards/1.card", reason="the card is not that party's")


def test_14_4_the_manifest_of_a_party_that_is_not_the_exporter_is_refused(line: LineUnderTest, copy: Path) -> None:
    sign_again(line, copy, lambda text: text.replace('"exporter":0', '"exporter":1'))
    assert broken(copy).file == "manifest.note"


# --- forks ------------------------------------------------------------------------------------------------


def forked(line: LineUnderTest) -> tuple[Fork, Fork]:
    """Both kinds of proof that party 1 signed two histories of its traffic lane."""
    lane, owner = line.lane(3), line.stations[1].lane
    real = line.store.last_head(lane)
    assert real is not None
    false = sign_head(owner, Head(lane=lane, size=real.head.size, root=digest(b"other")))
    left, right = sorted((real, false), key=lambda signed: signed.head.root)
    entry = line.entry(3, 0, ONE)
    leaf = leaf_hash(leaf_of(lane, 0, entry))
    short = sign_head(owner, Head(lane=lane, size=1, root=leaf))
    path = inclusion_proof(0, real.head.size, lambda level, place: line.store.node(lane, level, place))
    row = line.store.entries(lane, 0, 1)[0]
    unequal = Fork(left=short, right=real, index=0, left_leaf=leaf, right_leaf=row.nodes[0], right_proof=tuple(path))
    return Fork(left=left, right=right), unequal


def test_11_8_evidence_has_one_form_and_11_9_is_checked(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    for number, fork in enumerate(forked(line)):
        raw = write_evidence(fork)
        assert read_evidence(raw, line.terms.line) == fork
        fork.check(line.stations[1].card.lane)
        line.fork(3, encode_fork(fork))
        write(line, tmp_path / str(number))
        verdict = verify(tmp_path / str(number))
        assert verdict.ok
        assert len(verdict.forks) == number + 1
        assert "FORK      BRAVO signed two histories of lane 3.0" in "\n".join(verdict.lines())


def test_11_9_evidence_that_proves_nothing_breaks_the_archive(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    fork, _ = forked(line)
    line.fork(3, encode_fork(Fork(left=fork.left, right=fork.left)))
    write(line, tmp_path / "out")
    assert broken(tmp_path / "out").file == "evidence/0.cbor"


def test_14_8_who_acknowledged_the_other_history_of_a_proved_fork_breaks_nothing(tmp_path: Path) -> None:
    line = talk(LineUnderTest(parties=3), 1)
    lane = line.lane(3)
    other = sign_head(line.stations[1].lane, Head(lane=lane, size=3, root=digest(b"other")))
    real = line.store.last_head(lane)
    assert real is not None
    held = [AckItem(lane=n, generation=GENERATION_ZERO, size=3, root=line.head(n).root) for n in (0, 1, 2)]
    line.write(
        5, ONE, ack=encode_ack([*held, AckItem(lane=3, generation=GENERATION_ZERO, size=3, root=other.head.root)])
    )
    write(line, tmp_path / "unexplained")
    assert "lane" in contradicted(verify(tmp_path / "unexplained"))
    left, right = sorted((real, other), key=lambda signed: signed.head.root)
    line.fork(3, encode_fork(Fork(left=left, right=right)))
    write(line, tmp_path / "explained")
    assert verify(tmp_path / "explained").ok


def test_14_12_evidence_is_written_for_other_tools(tmp_path: Path) -> None:
    """And 11.10: two notes for (a), two proofs for (b)."""
    line = talk(LineUnderTest())
    equal, unequal = forked(line)
    owner = line.stations[1].card.lane
    assert evidence_files(equal, owner) == (note(equal.left, owner), note(equal.right, owner))
    for content in evidence_files(unequal, owner):
        head, _, checkpoint = content.partition(b"\n\n")
        assert head.startswith(b"c2sp.org/tlog-proof@v1\nextra ")
        assert checkpoint.startswith(unequal.left.head.lane.origin.encode())
    for fork in (equal, unequal):
        line.fork(3, encode_fork(fork))
    write(line, tmp_path / "export")
    assert fork_files(tmp_path / "export") == {
        "fork-0-left.note": note(equal.left, owner),
        "fork-0-right.note": note(equal.right, owner),
        "fork-1-left.tlog-proof": evidence_files(unequal, owner)[0],
        "fork-1-right.tlog-proof": evidence_files(unequal, owner)[1],
    }
    (tmp_path / "export" / "terms.cbor").unlink()
    with pytest.raises(Malformed):
        fork_files(tmp_path / "export")


def test_14_12_the_command_writes_evidence_for_other_tools(tmp_path: Path) -> None:
    line = talk(LineUnderTest())
    write(line, tmp_path / "calm")
    for fork in forked(line):
        line.fork(3, encode_fork(fork))
    write(line, tmp_path / "export")
    told = type_("verify", str(tmp_path / "export"), "--evidence", str(tmp_path / "out"))
    assert told.code == 0, told.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(fork_files(tmp_path / "export"))
    again = type_("verify", str(tmp_path / "export"), "--evidence", str(tmp_path / "out"))
    assert (again.code, "Choose another name." in again.err) == (1, True)
    none = type_("verify", str(tmp_path / "calm"), "--evidence", str(tmp_path / "none"))
    assert (none.code, "proves no fork" in none.err, (tmp_path / "none").exists()) == (1, True, False)


# --- hostile folders --------------------------------------------------------------------------------------


def test_links_pipes_and_devices_are_not_files(copy: Path, tmp_path: Path) -> None:
    name = "lanes/0.0/checkpoint"
    content = (copy / name).read_bytes()
    (tmp_path / "elsewhere").write_bytes(content)
    (copy / name).unlink()
    (copy / name).symlink_to(tmp_path / "elsewhere")
    assert broken(copy) == Problem(file=name, reason="not a regular file")
    (copy / name).unlink()
    os.mkfifo(copy / name)
    assert broken(copy) == Problem(file=name, reason="not a regular file")
    (copy / name).unlink()
    (copy / name).mkdir()
    assert {problem.file for problem in verify(copy).problems} == {name}
    shutil.rmtree(copy / "lanes")
    (copy / "lanes").symlink_to(tmp_path)
    assert broken(copy).file == "lanes"


@pytest.mark.parametrize("name", ["manifest.json", "manifest.note"])
def test_the_first_files_may_be_no_links_either(copy: Path, name: str) -> None:
    (copy / name).rename(copy.parent / name)
    (copy / name).symlink_to(copy.parent / name)
    assert broken(copy) == Problem(file=name, reason="not a regular file")


def test_a_folder_that_is_none(tmp_path: Path, copy: Path) -> None:
    (tmp_path / "file").write_text("not a proof")
    (tmp_path / "link").symlink_to(copy)
    for name in ("nothing", "file", "link"):
        assert not verify(tmp_path / name).ok
    assert check(copy).ok
    assert not check(tmp_path / "file").ok


def test_names_of_any_bytes_are_told_without_harm(copy: Path) -> None:
    os.close(os.open(os.fsencode(copy) + b"/\xff\x1b[2J", os.O_CREAT))
    text = "\n".join(verify(copy).lines())
    assert "\x1b" not in text
    assert text.isascii()


GIANT = 64 * 2**30


SOME_FILES = ("manifest.json", "manifest.note", "terms.cbor", "cards/0.card", "lanes/0.0/checkpoint", "lanes/0.0/vkey",
              "lanes/0.0/tile/0/000.p/3", "lanes/0.0/tile/entries/000.p/3")  # fmt: skip


@pytest.mark.parametrize("name", SOME_FILES)
def test_giant_files_are_refused_in_little_memory(copy: Path, name: str) -> None:
    os.truncate(copy / name, GIANT)
    tracemalloc.start()
    assert broken(copy).reason
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * 2**20


def test_a_giant_line_is_refused_in_little_memory(line: LineUnderTest, copy: Path) -> None:
    path = copy / "lanes/1.0/opened.jsonl"
    path.write_bytes(b'{"a":"' + b"A" * 2**25 + b'"}\n' + b"\n" * 2)
    sign_again(line, copy)
    tracemalloc.start()
    problem = broken(copy)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problem == Problem(file="lanes/1.0/opened.jsonl", reason="entry 0: a line that is longer than it may be")
    assert peak < 8 * 2**20


@pytest.mark.parametrize("text", ["[" * 200_000 + "\n\n\n", "{}\n[]\n1\n", '{"i":true}\n{"i":-1}\n{"i":1e3}\n'])
def test_lines_that_are_other_json_are_refused(line: LineUnderTest, copy: Path, text: str) -> None:
    (copy / "lanes/1.0/opened.jsonl").write_text(text)
    sign_again(line, copy)
    assert broken(copy).file == "lanes/1.0/opened.jsonl"


def test_a_manifest_that_claims_a_giant_lane_is_refused_at_once(line: LineUnderTest, copy: Path) -> None:
    sign_again(line, copy, lambda text: text.replace('"size":3', '"size":281474976710655', 1))
    assert "does not name" in broken(copy).reason


def test_a_folder_of_countless_files_is_left_soon(copy: Path) -> None:
    for number in range(3_000):
        (copy / f"x{number}").touch()
    verdict = verify(copy)
    assert not verdict.ok
    assert len(verdict.problems) <= 101


def test_cbor_of_wrong_types_is_refused(line: LineUnderTest, copy: Path) -> None:
    for name in ("terms.cbor", "cards/0.card", f"statements/1.{NEXT}"):
        content = (copy / name).read_bytes()
        values: tuple[Value, ...] = ([], {}, None, 1, [[[[[[[[]]]]]]]], [b"", b"", b""], {0: []})
        for value in values:
            (copy / name).write_bytes(encode(value))
            sign_again(line, copy)
            assert broken(copy).file == name
        (copy / name).write_bytes(content)


def test_progress_is_told(original: Path) -> None:
    told: list[str] = []
    assert verify(original, progress=lambda stage, _done, _total: told.append(stage)).ok
    assert list(dict.fromkeys(told)) == ["files", "tiles", "lines", "entries", "transcript"]


def test_a_verdict_of_nothing_is_not_ok() -> None:
    assert not Verdict().ok


def test_4_16_a_lane_may_be_left_out_when_the_other_of_its_party_is_in_a_newer_generation() -> None:
    old, new = Generation(0, bytes(8)), Generation(1, b"restored")
    before = {2: (old, 9), 3: (old, 59)}
    assert not regressed(0, before, {2: (new, 2)})
    assert not regressed(0, before, {2: (new, 2), 3: (new, 1)})
    assert not regressed(0, before, {2: (old, 9), 3: (old, 59)})
    for after in ({2: (old, 10)}, {3: (old, 59)}, {2: (old, 8), 3: (old, 59)}, {2: (new, 2), 3: (old, 58)}, {}):
        assert regressed(0, before, after)


def test_4_14_an_author_may_leave_its_own_traffic_lane_out() -> None:
    first = Generation(0, bytes(8))
    before = {1: (first, 7), 2: (first, 9)}
    assert not regressed(0, before, {2: (first, 9)})
    assert regressed(0, before, {1: (first, 6), 2: (first, 9)})
    assert regressed(1, before, {2: (first, 9)})


def test_4_18_what_is_said_of_ended_generations_is_checked_as_the_field_is(tmp_path: Path) -> None:
    for root, good in ((None, True), (digest(b"never seen"), False)):
        line = talk(LineUnderTest())
        field = line.ack(2)
        line.write(1, ONE)
        head = line.head(1)
        line.succeed(0)
        item = AckItem(lane=1, generation=GENERATION_ZERO, size=head.size, root=root or head.root)
        line.write(2, Ack((item,)), ack=field)
        folder = tmp_path / str(good)
        write(line, folder)
        if good:
            (lane,) = (each for each in verify(folder).lanes if (each.number, each.generation) == (1, "0"))
            assert dict(lane.held_by)[line.stations[1].card.name] == head.size
        else:
            assert contradicted(verify(folder)).endswith(f"lane 1.0, at size {head.size}")
