"""A call outlives what happens to the line and to a station: kill -9, a cut bearer, a restart (spec 17.13, 17.14)."""

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from openline.kernel.errors import Refused
from tests.e2e.homes import Home, Running, in_service, pair, running
from tests.waiting import until

Json = dict[str, Any]


class Desk:
    """A page of a station that is a process of its own: it reports itself whenever it looks."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.console, self.fingerprint = secrets.token_hex(16), secrets.token_hex(32)
        self.place = ""
        self.there = True

    def act(self, act: str, /, **more: Any) -> Json:
        with self.home.client() as station:
            answer: Json = station.post(f"lines/relay/calls/{self.place}/{act}", more)
        return answer

    def get(self) -> Json:
        with self.home.client() as station:
            found: Json = station.get(f"lines/relay/calls/{self.place}")
        return found

    def ring(self) -> str:
        asked = {"fingerprint": self.fingerprint, "console": self.console}
        with self.home.client() as station:
            self.place = str(station.post("lines/relay/calls", asked)["place"])
        return self.place

    def view(self) -> Json:
        if self.there:
            self.act("alive", console=self.console, sound=True)
        return self.get()


def sees(desks: list[Desk], fits: Callable[[Json], Any], deadline_s: float = 60) -> Json:
    """The first desk's view, once it is so; all report themselves meanwhile."""

    def look() -> Json | None:
        views = [desk.view() for desk in desks]
        return views[0] if fits(views[0]) else None

    found = until(look, deadline_s=deadline_s)
    assert found is not None
    return found


BEAT_S = 1.0
"""A page reports itself each two seconds, and is lost after six."""


@contextlib.contextmanager
def reporting(desk: Desk) -> Iterator[None]:
    """That page reports itself all the while, as while another station starts, however long that takes."""
    over = threading.Event()

    def beats() -> None:
        while not over.wait(BEAT_S):
            desk.act("alive", console=desk.console, sound=True)

    with ThreadPoolExecutor(max_workers=1) as beside:
        reports = beside.submit(beats)
        try:
            yield
        finally:
            over.set()
        reports.result()


def started(home: Home, other: Desk) -> Running:
    """That station again, while the other side's page reports itself."""
    with contextlib.ExitStack() as undo:
        with reporting(other):
            again = Running(home)
            undo.callback(again.kill)
        undo.pop_all()
    return again


def in_a_call(alpha: Home, bravo: Home) -> tuple[Desk, Desk]:
    in_service(alpha, bravo)
    caller, called = Desk(alpha), Desk(bravo)
    called.place = caller.ring()
    until(lambda: _rings(called))
    called.act("pick-up", console=called.console, fingerprint=called.fingerprint)
    for pair_of in ([caller, called], [called, caller]):
        sees(pair_of, lambda call: call["check"] is not None)
    return caller, called


def _rings(desk: Desk) -> bool:
    try:
        return bool(desk.get()["rings"])
    except Refused:
        return False


def test_a_call_is_open_still_after_a_kill_and_a_console_that_does_not_come_back_is_lost(tmp_path: Path) -> None:
    alpha, bravo = pair(tmp_path)
    with running(alpha, bravo) as (_, there):
        caller, called = in_a_call(alpha, bravo)
        check = caller.view()["check"]
        there.kill()
        assert caller.view()["state"] == "open"  # the sound goes on between the consoles
        again = started(bravo, caller)
        try:
            found = sees([called, caller], lambda call: call["state"] == "open")
            assert (found["check"]["read"], found["check"]["heard"]) == (check["heard"], check["read"])
            seat = next(seat for seat in found["seats"] if seat["me"])
            assert (seat["console"], seat["state"]) == (called.console, "opening")
            again.kill()
            again = started(bravo, caller)
            called.there = False  # its page was closed meanwhile
            sees([caller], lambda call: any(not seat["me"] and seat["state"] == "lost" for seat in call["seats"]))
            second = Desk(bravo)
            second.place = caller.place
            second.act("seat", act="takes-over", console=second.console, fingerprint=second.fingerprint)
            sees([caller, second], lambda call: call["check"]["heard"] != check["heard"])
            caller.there = False
            caller.act("hang-up", console=caller.console)
            second.there = False
            for desk in (caller, second):
                view = sees([desk], lambda call: len(call["ends"]) == 2)
                assert view["record"] == "agreed"
                assert all(end["began"] for end in view["ends"])
        finally:
            again.kill()


def test_a_ring_outlives_a_kill_of_the_caller_and_opens_what_it_promised(tmp_path: Path) -> None:
    alpha, bravo = pair(tmp_path)
    with running(alpha, bravo) as (here, _):
        in_service(alpha, bravo)
        caller, called = Desk(alpha), Desk(bravo)
        called.place = caller.ring()
        until(lambda: _rings(called))
        here.kill()
        called.act("pick-up", console=called.console, fingerprint=called.fingerprint)
        again = started(alpha, called)
        try:
            view = sees([caller, called], lambda call: call["check"] is not None)
            assert {seat["fingerprint"] for seat in view["seats"]} == {caller.fingerprint, called.fingerprint}
        finally:
            again.kill()
