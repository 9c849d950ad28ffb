"""The drop folder by clauses 9.60 to 9.66: what others put there, what media do, and that nothing breaks.

All on a real folder; disks that are full or read-only are real ones where the machine lets us mount them.
"""

import asyncio
import contextlib
import fcntl
import gc
import hashlib
import os
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from openline.bearers.drop import DropBearer, DropConfig, Event
from openline.bearers.drop import folder as files
from openline.bearers.drop.folder import Seen
from openline.bearers.drop.limits import LARGEST_ENVELOPE, direction, file_name
from openline.bearers.drop.worker import Worker
from openline.kernel.errors import Malformed
from tests.contract.bearer_contract import FAR, NEAR, Recorder
from tests.contract.drop_rig import QUICK, Post, a_folder, running, until_there, working
from tests.contract.tls_rig import play
from tests.waiting import until


def noise(number: int, size: int = 300) -> bytes:
    return random.Random(number).randbytes(size)


# -- names and files ------------------------------------------------------------------------------------------


def test_9_60_a_direction_names_neither_station() -> None:
    out, back = direction("aa" * 32, "bb" * 32), direction("bb" * 32, "aa" * 32)
    assert len(out) == len(back) == 32
    assert out != back
    assert not {"aa", "bb"} & {each[:2] for each in (out, back)}


def test_9_60_the_names_of_the_specification_are_these() -> None:
    said = hashlib.sha256(b"openline/1 drop\nnear\nfar").hexdigest()[:32]
    assert direction("near", "far") == said
    assert file_name(b"envelope") == hashlib.sha256(b"envelope").hexdigest() + ".envelope"


def test_9_61_a_file_is_there_whole_and_nothing_else_is(tmp_path: Path) -> None:
    with files.opened(tmp_path, "sub", make=True) as handle:
        assert files.put(handle, b"envelope")
        files.sync(handle)
    assert [path.name for path in (tmp_path / "sub").iterdir()] == [file_name(b"envelope")]
    assert (tmp_path / "sub" / file_name(b"envelope")).read_bytes() == b"envelope"


def test_9_61_a_name_of_ours_is_never_seen_half_written(tmp_path: Path) -> None:
    """Watched from the side, a hundred times: whatever has the name has all the bytes."""
    envelopes = [noise(number, LARGEST_ENVELOPE) for number in range(100)]
    torn: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            found = tmp_path.glob("sub/*.envelope")
            torn.extend(path.name for path in found if file_name(path.read_bytes()) != path.name)

    with files.opened(tmp_path, "sub", make=True) as handle:
        watcher = threading.Thread(target=watch)
        watcher.start()
        for envelope in envelopes:
            files.put(handle, envelope)
        done.set()
        watcher.join()
    assert torn == []
    assert len(list(tmp_path.glob("sub/*"))) == 100


def test_9_61_what_a_crash_left_half_written_goes_at_the_next_look(tmp_path: Path) -> None:
    with files.opened(tmp_path, "sub", make=True) as handle:
        left = tmp_path / "sub" / f".{'a' * 64}.part"
        left.write_bytes(b"half")
        other = tmp_path / "sub" / ".a.part"
        other.write_bytes(b"not ours")
        assert files.tidy(handle, 3_600).files == 0
    assert not left.exists()
    assert other.exists()


def test_9_61_what_is_made_can_be_read_and_deleted_by_the_other_side(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    with files.opened(tmp_path, "sub", make=True) as handle:
        files.put(handle, b"envelope")
    assert (tmp_path / "sub").stat().st_mode & 0o7777 == 0o2770
    assert (tmp_path / "sub" / file_name(b"envelope")).stat().st_mode & 0o777 == 0o660


def test_9_63_the_same_bytes_are_written_once_and_their_time_is_renewed(tmp_path: Path) -> None:
    with files.opened(tmp_path, "sub", make=True) as handle:
        assert files.put(handle, b"envelope")
        path = tmp_path / "sub" / file_name(b"envelope")
        os.utime(path, ns=(1, 1))
        number = path.stat().st_ino
        assert not files.put(handle, b"envelope")
        assert path.stat().st_ino == number
        assert path.stat().st_mtime_ns > 1


def test_9_63_a_torn_file_does_not_stand_in_the_way_of_the_whole_one(tmp_path: Path) -> None:
    with files.opened(tmp_path, "sub", make=True) as handle:
        path = tmp_path / "sub" / file_name(b"envelope")
        path.write_bytes(b"enve")
        assert files.put(handle, b"envelope")
        assert path.read_bytes() == b"envelope"


def test_9_64_what_nobody_fetched_for_long_makes_room(tmp_path: Path) -> None:
    with files.opened(tmp_path, "sub", make=True) as handle:
        for number in range(3):
            files.put(handle, noise(number))
        old = tmp_path / "sub" / file_name(noise(0))
        os.utime(old, ns=(10**18, 10**18))
        assert files.tidy(handle, 3_600) == files.Waiting(files=2, size=600)
    assert not old.exists()


def test_9_62_memory_of_what_was_read_is_bounded() -> None:
    seen = Seen(100)
    for number in range(1_000):
        seen.add(f"{number}", number)
    assert len(seen) == 100
    assert seen.knows("999", 999)
    assert not seen.knows("999", 998)
    assert not seen.knows("0", 0)


def test_9_62_only_so_many_are_read_at_a_look_the_oldest_first(tmp_path: Path) -> None:
    with files.opened(tmp_path, "sub", make=True) as handle:
        for number in range(20):
            files.put(handle, noise(number))
        found, broken = files.take(handle, Seen(100), lambda _: None, files=5, size=10**6)
        assert [file.envelope for file in found] == [noise(number) for number in range(5)]
        assert broken == []
        found, _ = files.take(handle, Seen(100), lambda _: None, files=20, size=700)
        assert len(found) == 3


def test_9_65_a_folder_by_a_relative_name_is_refused() -> None:
    with pytest.raises(Malformed):
        DropBearer(DropConfig(station=NEAR, out=Path("stick")), Recorder())
    with pytest.raises(Malformed):
        DropBearer(DropConfig(station=NEAR), Recorder())
    bearer = DropBearer(DropConfig(station=NEAR, out=Path("/nowhere")), Recorder())
    with pytest.raises(Malformed):
        bearer.set_peer(FAR, Path("stick"))


# -- what others put there ------------------------------------------------------------------------------------


def strange_things(folder: Path, true: bytes) -> None:
    """All that must neither be handed up nor break anything, beside one true file."""
    folder.mkdir(exist_ok=True)
    name = "{:064x}.envelope".format
    outside = folder.parent / "secret"
    outside.write_bytes(true[:-1])
    (folder / name(1)).symlink_to(outside)
    (folder / file_name(true[:-1])).symlink_to(outside)
    (folder / name(2)).mkdir()
    os.mkfifo(folder / name(3))
    (folder / name(4)).write_bytes(b"")
    with (folder / name(5)).open("wb") as huge:
        huge.truncate(2**40)  # a terabyte of nothing
    (folder / name(6)).write_bytes(true)
    (folder / name(0xABC).upper()).write_bytes(true)
    (folder / (file_name(true) + ".tmp")).write_bytes(true)
    (folder / "-rf").write_bytes(b"x")
    (folder / "new\nline\x1b[2J").write_bytes(b"x")
    os.close(os.open(os.fsencode(folder) + b"/\xff\xfe", os.O_WRONLY | os.O_CREAT, 0o600))
    (folder / ("n" * 255)).write_bytes(b"x")
    (folder / f".{'0' * 64}.part").write_bytes(true)
    unix = socket.socket(socket.AF_UNIX)
    here = os.open(folder, os.O_RDONLY)
    unix.bind(f"/proc/self/fd/{here}/{name(7)[:40]}")
    os.close(here)
    unix.close()


@play
async def test_9_62_what_is_no_envelope_is_left_alone() -> None:
    with a_folder() as folder:
        post = Post(folder)
        strange_things(post.into, noise(1))
        async with running(post):
            post.receives(noise(2))
            await post.heard(noise(2))
            await post.counts(Event.FOREIGN, 8)
            assert post.seen.envelopes == [noise(2)]
            # It goes on, and nothing is counted again and again.
            before = post.seen.events[Event.FOREIGN]
            for number in range(3, 10):
                post.receives(noise(number))
                await post.heard(noise(number))
            assert post.seen.events[Event.FOREIGN] == before
            assert (folder / "secret").exists() or (folder.parent / "secret").exists()
            assert (post.into / "-rf").exists()


def test_9_62_what_is_larger_or_smaller_than_any_envelope_is_none_whatever_its_name(tmp_path: Path) -> None:
    too_large, counted = noise(1, LARGEST_ENVELOPE + 1), list[Event]()
    with files.opened(tmp_path, "sub", make=True) as handle:
        for data in (too_large, b""):
            (tmp_path / "sub" / file_name(data)).write_bytes(data)
        # As far as a reader of so many bytes sees, this one has the right name.
        (tmp_path / "sub" / file_name(too_large)).write_bytes(too_large + b"and more")
        found, broken = files.take(handle, Seen(100), counted.append, files=5, size=10**6)
    assert found == []
    assert sorted(broken) == sorted((file_name(too_large), file_name(b"")))
    assert counted == [Event.BROKEN] * 2


@play
async def test_9_62_a_file_of_an_envelopes_name_with_other_bytes_makes_way() -> None:
    with a_folder() as folder:
        post = Post(folder)
        post.into.mkdir()
        torn = post.into / file_name(noise(1))
        torn.write_bytes(noise(1)[:100])
        async with running(post):
            await post.counts(Event.BROKEN)
            await until_there(lambda: not torn.exists())
            post.receives(noise(1))
            await post.heard(noise(1))


@contextlib.contextmanager
def leased(path: Path) -> Iterator[None]:
    """The system lets nobody open that file now, as a share does while another one has it."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # how the holder would hear that somebody asks
    holder = os.open(path, os.O_RDWR)
    fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    try:
        yield
    finally:
        os.close(holder)
        signal.signal(signal.SIGIO, before)


def test_9_62_what_cannot_be_read_now_stays_and_is_read_when_its_time_is_renewed(tmp_path: Path) -> None:
    seen, counted = Seen(100), list[Event]()
    with files.opened(tmp_path, "sub", make=True) as handle:
        assert files.put(handle, noise(1))
        look = partial(files.take, handle, seen, counted.append, files=5, size=10**6)
        with leased(tmp_path / "sub" / file_name(noise(1))):
            assert look() == ([], [])
            assert counted == [Event.BROKEN]
            assert look() == ([], [])  # and it is not tried again and again
            assert counted == [Event.BROKEN]
        assert not files.put(handle, noise(1))  # its sender repeats it
        found, broken = look()
    assert [each.envelope for each in found] == [noise(1)]
    assert broken == []


@play
async def test_9_62_the_bearer_does_not_delete_what_it_cannot_read_now() -> None:
    with a_folder() as folder:
        post = Post(folder)
        post.into.mkdir()
        path = post.into / file_name(noise(1))
        path.write_bytes(noise(1))
        with leased(path):
            async with running(post):
                await post.counts(Event.BROKEN)
                post.receives(noise(2))
                await post.heard(noise(2))
        assert path.read_bytes() == noise(1)


@play
async def test_9_60_a_direction_that_is_a_link_elsewhere_is_not_followed() -> None:
    with a_folder() as folder:
        post = Post(folder)
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        with files.opened(folder, "elsewhere", make=False) as handle:
            files.put(handle, noise(1))
        post.into.symlink_to(elsewhere)
        async with working(post):
            await post.counts(Event.GONE)
            assert post.seen.envelopes == []
            post.into.unlink()
            post.receives(noise(2))
            await post.heard(noise(2))


@play
async def test_9_62_what_was_read_is_deleted_and_comes_again_if_it_is_there_again() -> None:
    with a_folder() as folder:
        post = Post(folder)
        async with running(post):
            path = post.receives(noise(1))
            await post.heard(noise(1))
            await until_there(lambda: not path.exists())
            post.receives(noise(1))
            await post.seen.until(lambda: post.seen.envelopes == [noise(1)] * 2)


@play
async def test_9_62_where_files_are_kept_each_is_read_once_until_it_is_renewed() -> None:
    with a_folder() as folder:
        post = Post(folder, keep=True)
        async with running(post):
            path = post.receives(noise(1))
            await post.heard(noise(1))
            post.receives(noise(2))
            await post.heard(noise(2))
            assert path.exists()
            assert post.seen.envelopes == [noise(1), noise(2)]
            post.receives(noise(1))  # the sender repeats it
            await post.seen.until(lambda: len(post.seen.envelopes) == 3)
            assert post.seen.envelopes[2] == noise(1)


@play
async def test_9_62_a_crowd_of_foreign_files_hides_nothing() -> None:
    with a_folder() as folder:
        post = Post(folder, pace=replace(QUICK, remembered=50, rest=0.1))
        post.into.mkdir()
        for number in range(3_000):
            (post.into / f"photo{number}.jpg").touch()
        async with running(post):
            post.receives(noise(1))
            await post.heard(noise(1))
            post.receives(noise(2))
            await post.heard(noise(2))


# -- what media do --------------------------------------------------------------------------------------------


@play
async def test_9_65_a_stick_pulled_in_the_middle_harms_nothing() -> None:
    with a_folder() as folder:
        post = Post(folder)
        async with running(post):
            number = 0
            while post.bearer.offer(FAR, noise(number, 4_000)):
                number += 1
            folder.rename(folder.parent / "pulled")
            await post.down()
            assert post.seen.events[Event.GONE] == 1
            assert not post.bearer.offer(FAR, noise(1))
            (folder.parent / "pulled").rename(folder)
            await post.ready()
            for path in post.out.glob("*.envelope"):
                assert file_name(path.read_bytes()) == path.name
            for path in post.out.iterdir():
                path.unlink()
            for number in (
                1,
                2,
            ):  # two looks, the second of which began after the first: it has counted what lies there
                post.receives(noise(number))
                await post.heard(noise(number))
            assert post.bearer.offer(FAR, b"after")
            await until_there((post.out / file_name(b"after")).exists)
            assert post.seen.events[Event.READY] == 2


@play
async def test_9_65_nothing_stays_open_between_two_looks() -> None:
    with a_folder() as folder:
        post = Post(folder)
        async with running(post):
            post.receives(noise(1))
            await post.heard(noise(1))
            await until_there(lambda: _open_below(folder) == 0)


@play
async def test_9_64_an_unread_folder_is_not_filled_and_urgent_ones_still_go() -> None:
    with a_folder() as folder:
        post = Post(folder)
        async with running(post):
            taken = 0
            for _ in range(10):
                while post.bearer.offer(FAR, noise(taken)):
                    taken += 1
                await until_there(lambda taken=taken: len(list(post.out.iterdir())) == taken)  # type: ignore[misc]
                # Another look, so that what lies there has been counted.
                before = len(post.seen.arrivals)
                post.receives(noise(10_000 + before))
                await post.seen.until(lambda before=before: len(post.seen.arrivals) > before)  # type: ignore[misc]
            assert taken == QUICK.most_files
            assert post.bearer.offer(FAR, b"urgent", urgent=True)
            await until_there((post.out / file_name(b"urgent")).exists)


@play
async def test_9_65_a_dead_share_stops_neither_the_loop_nor_others() -> None:
    """A pipe stands for it: who opens it for writing hangs in the system until somebody reads."""
    with a_folder() as folder:
        post = Post(folder, pace=replace(QUICK, stuck_s=0.5))
        async with running(post):
            peer = post.bearer._peers[FAR]
            gate = folder.parent / "gate"
            os.mkfifo(gate)
            hanging = peer.worker.do(lambda: gate.write_bytes(b"") or b"")
            await post.counts(Event.STUCK)
            await post.down()
            reading = os.open(gate, os.O_RDONLY | os.O_NONBLOCK)
            await hanging
            os.close(reading)
            await post.ready()


@play
async def test_9_65_an_error_that_nobody_waits_for_any_more_is_not_logged() -> None:
    """asyncio would write it out with the folder's name."""
    said: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context))
    worker = Worker()
    failed = worker.do(lambda: Path("/nonexistent/secret-name").stat())
    await asyncio.wait([failed])
    del failed
    worker.end()
    assert worker._thread is not None
    await asyncio.to_thread(worker._thread.join)
    gc.collect()
    assert said == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 KB of our own."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(place)], capture_output=True)
    if made.returncode:
        pytest.skip("this user may not mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def remount(disk: Path, how: str) -> None:
    """The system does not do it while somebody is in the middle of writing or deleting there."""
    until(lambda: subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], capture_output=True).returncode == 0)


@pytest.mark.full
def test_9_65_a_full_disk_is_down_and_comes_back(small_disk: Path) -> None:
    @play
    async def full() -> None:
        folder = small_disk / "share"
        folder.mkdir()
        post = Post(folder)
        async with running(post):
            number = 0
            while post.bearer.up(FAR):
                post.bearer.offer(FAR, noise(number, LARGEST_ENVELOPE))
                number += 1
                await asyncio.sleep(0)
            await post.counts(Event.FULL)
            assert not list(post.out.glob(".*.part"))
            for path in post.out.iterdir():
                assert file_name(path.read_bytes()) == path.name
                path.unlink()
            await post.ready()
            assert post.bearer.offer(FAR, b"room again")
            await until_there((post.out / file_name(b"room again")).exists)

    full()


@pytest.mark.full
def test_9_65_a_read_only_medium_is_read_and_down(small_disk: Path) -> None:
    @play
    async def read_only() -> None:
        folder = small_disk / "share"
        folder.mkdir()
        post = Post(folder)
        async with running(post):
            post.receives(noise(1))
            await post.heard(noise(1))
            path = post.receives(noise(2))
            await post.heard(noise(2))
            await until_there(lambda: not path.exists())
            path = post.receives(noise(3))
            remount(small_disk, "ro")
            await post.down()
            await post.heard(noise(3))
            remount(small_disk, "rw")
            await post.ready()

    read_only()


# -- the bearer's own -----------------------------------------------------------------------------------------


@play
async def test_a_station_is_served_from_when_it_is_known_to_when_it_is_forgotten() -> None:
    with a_folder() as folder:
        post = Post(folder)
        async with running(post):
            post.bearer.set_peer("third")
            await post.seen.until(lambda: post.bearer.up("third"))
            other = folder / "other"
            other.mkdir()
            post.bearer.set_peer("third", other)
            await post.seen.until(lambda: post.bearer.up("third"))
            assert post.bearer.offer("third", b"there")
            await until_there((other / direction(NEAR, "third") / file_name(b"there")).exists)
            links = list(post.seen.links)
            post.bearer.set_peer("third", other)  # as each newer card of a peer does
            assert post.seen.links == links
            assert post.bearer.up("third")
            post.bearer.drop_peer("third")
            post.bearer.drop_peer("third")
            assert not post.bearer.up("third")
            assert not post.bearer.offer("third", b"nobody")
            assert post.bearer.up(FAR)


def _open_below(folder: Path) -> int:
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            count += str(link.readlink()).startswith(str(folder))
        except OSError:
            continue
    return count
