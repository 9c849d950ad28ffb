"""A folder that both stations reach, and somebody who meddles with the files in it.

While it is away the drop bearer is down. A thread of its own meddles: it flips
bits, puts back what was read already, holds files back so that later ones
overtake them, or takes them away.
"""

import contextlib
import random
import threading
from pathlib import Path

_LOOK_S = 0.05
_KEPT = 200
"""Old files at hand to be put back."""


class Share:
    """The folder; made away."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self._away = folder, folder.with_name(folder.name + ".away")
        self._away.mkdir(parents=True)
        self._dice = random.Random(f"share {seed}")
        self._kept: dict[Path, bytes] = {}
        self._back: list[tuple[int, Path, bytes]] = []
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.meddled = 0

    def mount(self, mischief: str = "") -> None:
        """It is there from now on, with that mischief: flip, repeat, delay, lose or none."""
        self._away.rename(self.folder)
        if mischief:
            self._over.clear()
            self._thread = threading.Thread(target=self._meddle, args=(mischief,), daemon=True)
            self._thread.start()

    def pull(self) -> None:
        """It is gone, with all that lay there."""
        if self._thread is not None:
            self._over.set()
            self._thread.join(60)
            self._thread = None
        self._kept.clear()
        self._back.clear()
        if self.folder.exists():
            self.folder.rename(self._away)

    def _meddle(self, mischief: str) -> None:
        turn = 0
        while not self._over.wait(_LOOK_S):
            turn += 1
            for file in list(self.folder.rglob("*")):
                if self._dice.random() < 0.3:
                    with contextlib.suppress(OSError):  # it was read meanwhile
                        self._one(file, mischief, turn)
            due = [each for each in self._back if each[0] <= turn]
            for each in due:
                self._back.remove(each)
                self._put(each[1], each[2])

    def _one(self, file: Path, mischief: str, turn: int) -> None:
        if not file.is_file() or file.is_symlink():
            return
        data = file.read_bytes()
        match mischief:
            case "flip" if data:
                changed = bytearray(data)
                changed[self._dice.randrange(len(data))] ^= 1 << self._dice.randrange(8)
                with file.open("r+b") as opened:
                    opened.write(changed)
            case "repeat":
                self._kept[file] = data
                if len(self._kept) > _KEPT:
                    del self._kept[next(iter(self._kept))]
                self._put(*self._dice.choice(list(self._kept.items())))
            case "delay":
                self._back.append((turn + self._dice.randrange(10, 60), file, data))
                file.unlink()
            case _:
                file.unlink()
        self.meddled += 1

    def _put(self, file: Path, data: bytes) -> None:
        """A file appears whole, as its bearer demands."""
        if file.exists():
            return
        with contextlib.suppress(OSError):
            part = self._away.with_name("meddling.part")
            part.write_bytes(data)
            part.rename(file)
