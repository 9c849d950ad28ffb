"""The end of a server that is several processes: as by a power cut, and over when it is said to be.

Who is killed dies when the system comes to it. Until then a child keeps its
sockets listening and its locks locked, and whatever starts in its place finds
them. A dead one whom nobody has fetched (a zombie) keeps nothing.
"""

import contextlib
import os
import signal
from pathlib import Path

from tests.waiting import until


def living(session: int) -> list[int]:
    """The processes of a session that are not dead, whose leader need not be among them."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):  # it ended just now
            # pid (name) state parent group session …, proc(5); a name may hold anything.
            state, _, _, its_session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state not in "ZX":
                found.append(int(entry.name))
    return found


def end_session(leader: int) -> None:
    """SIGKILL to all processes of a session, at one moment; returns when the last of them is dead."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)

    def over() -> bool:
        left = living(leader)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    until(over)
