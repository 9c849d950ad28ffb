"""Somebody who carries sticks between the two sites, by the two commands that people type, for as long as it takes."""

import random
import shutil
import threading
from pathlib import Path

from tests.e2e.chaos.rig import Station


class Courier:
    """At home; travels between `leave` and `return_`."""

    def __init__(self, stations: tuple[Station, Station], folder: Path, seed: int) -> None:
        self._stations, self._folder = stations, folder
        self._dice = random.Random(f"courier {seed}")
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.trips = self.mishaps = 0
        self.wrong = ""
        """What a command said that did not end well."""

    def leave(self, *, clumsy: bool = False) -> None:
        """Go there and back from now on; a clumsy one loses sticks, and brings old ones again."""
        self._over.clear()
        self._thread = threading.Thread(target=self._travel, args=(clumsy,), daemon=True)
        self._thread.start()

    def return_(self) -> None:
        """Travel no more. Raises AssertionError if a command has failed."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._over.set()
            thread.join(120)
            assert not thread.is_alive()
        assert not self.wrong, self.wrong

    def _travel(self, clumsy: bool) -> None:
        ways = (self._stations, self._stations[::-1])
        while not self._over.is_set() and not self.wrong:
            here, there = ways[self.trips % 2]
            self.trips += 1
            self._trip(here, there, self._dice.choice(("", "", "lost", "kept")) if clumsy else "")

    def _trip(self, here: Station, there: Station, mishap: str) -> None:
        stick = self._folder / f"from-{here.name.lower()}"
        stick.mkdir(parents=True, exist_ok=True)
        self._type(here, "write", str(stick))
        self.mishaps += bool(mishap)
        if mishap == "lost":
            shutil.rmtree(stick)
        else:
            self._type(there, "read", str(stick), *([] if mishap == "kept" else ["--delete"]))

    def _type(self, station: Station, *words: str) -> None:
        done = station.command("drop", *words)
        if done.code != 0:
            self.wrong = f"drop {words[0]} at {station.name}: {done.out} {done.err}"
