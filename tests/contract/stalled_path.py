"""Two TLS bearers in a network namespace of their own, whose one path is gone for a while.

    unshare --net python -m tests.contract.stalled_path swallows
    unshare --net python -m tests.contract.stalled_path pulled

It loses every packet without a word, or the system knows that there is none: TCP
counts these two apart. The silences that end a link or have it doubted are set
to a minute, so that only the look at TCP can help. Prints "passed" on its last line.
"""

import asyncio
import dataclasses
import subprocess
import sys

from openline.bearers.tls import Pace
from tests.contract.bearer_contract import FAR, NEAR, Recorder
from tests.contract.tls_rig import Identity, bearer

PACE = dataclasses.replace(Pace(), silence_s=60.0, doubt_s=60.0)


LOCAL = ("127.0.0.1", "127.0.0.0/8")


def path(state: str, fault: str = "swallows") -> None:
    """Loopback as a cable: `up` or `down`."""
    if fault == "swallows":
        subprocess.run(["ip", "link", "set", "lo", state], check=True)
        return
    for to in LOCAL:
        act = ["ip", "route", "del" if state == "down" else "add", "local", to]
        subprocess.run([*act, "dev", "lo", "table", "local", "src", "127.0.0.1"], check=True)


async def main(fault: str) -> None:
    """Cut, see the peer dialled beside the silent connection, heal, see what was sent meanwhile arrive."""
    path("up")
    at_near, at_far = Recorder(), Recorder()
    one, two = Identity(1), Identity(2)
    near, far = bearer(one, at_near, pace=PACE), bearer(two, at_far, pace=PACE)
    tasks = [asyncio.create_task(near.run()), asyncio.create_task(far.run())]
    (near_at,), (far_at,) = await near.listening(), await far.listening()
    near.set_peer(FAR, two.certificate, [far_at])
    far.set_peer(NEAR, one.certificate, [near_at])
    await at_near.until(lambda: near.up(FAR))
    await at_far.until(lambda: far.up(NEAR))
    failed = at_near.events["dial-failed"] + at_far.events["dial-failed"]
    path("down", fault)
    assert near.offer(FAR, b"into the cut")
    await at_near.until(lambda: at_near.events["dial-failed"] + at_far.events["dial-failed"] > failed, deadline_s=60)
    assert near.up(FAR)
    assert far.up(NEAR)
    before = len(at_near.links)
    path("up", fault)
    await at_near.until(lambda: len(at_near.links) >= before + 2, deadline_s=60)
    assert at_near.links[-2:] == [(FAR, False), (FAR, True)]
    assert near.offer(FAR, b"after the cut")
    await at_far.until(lambda: b"after the cut" in at_far.envelopes, deadline_s=60)
    assert "peer-silent" not in at_near.events
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print("passed")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
