"""A bearer without a world: 270 bytes at a time, like a satellite's short-burst service, over a medium in memory."""

import asyncio
from collections import deque

from openline.kernel.errors import TooLarge
from openline.ports import BearerTraits, Intake
from tests.contract.bearer_contract import FAR, NEAR, Recorder

LARGEST = 270
QUEUE = 256
URGENT_QUEUE = 16


class Medium:
    """Carries between the stations that are there, unless it is cut."""

    def __init__(self) -> None:
        self.whole = True
        self.present: dict[str, SimulatedBearer] = {}
        self.peopled = asyncio.Event()

    def changed(self) -> None:
        if len(self.present) == 2:
            self.peopled.set()
        for bearer in list(self.present.values()):
            bearer.look()


class SimulatedBearer:
    """One burst a turn of the loop; urgent ones first."""

    def __init__(self, own: str, peers: set[str], medium: Medium, intake: Intake, *, one_way: str = "") -> None:
        self._own = own
        self._peers = peers
        self._medium = medium
        self._intake = intake
        self._one_way = one_way
        """The only station that can send, where the medium is one-way."""
        self._up: set[str] = set()
        self._urgent: deque[tuple[str, bytes]] = deque()
        self._ordinary: deque[tuple[str, bytes]] = deque()
        self._stirred = asyncio.Event()

    @property
    def traits(self) -> BearerTraits:
        return BearerTraits(name="simulated", largest=LARGEST, cost=100, one_way=bool(self._one_way))

    async def run(self) -> None:
        self._medium.present[self._own] = self
        self._medium.changed()
        try:
            while True:
                await self._stirred.wait()
                self._stirred.clear()
                self._burst()
        finally:
            del self._medium.present[self._own]
            self._set_links(set())
            self._medium.changed()

    def offer(self, station: str, envelope: bytes, *, urgent: bool = False) -> bool:
        if len(envelope) > LARGEST:
            raise TooLarge("the envelope is larger than the bearer carries")
        if not self._takes(station):
            return False
        queue, bound = (self._urgent, URGENT_QUEUE) if urgent else (self._ordinary, QUEUE)
        if len(queue) >= bound:
            return False
        queue.append((station, envelope))
        self._stirred.set()
        return True

    def up(self, station: str) -> bool:
        return station in self._up

    def look(self) -> None:
        """See who is there."""
        if not self._one_way:
            self._set_links(self._peers & set(self._medium.present) if self._medium.whole else set())

    def receive(self, station: str, envelope: bytes) -> None:
        if station in self._peers:
            self._intake.arrived("simulated", station, envelope)
        else:
            self._intake.counted("simulated", "unknown-station")

    def _takes(self, station: str) -> bool:
        if self._one_way:
            return self._one_way == self._own and station in self._peers and self._own in self._medium.present
        return station in self._up

    def _burst(self) -> None:
        queue = self._urgent or self._ordinary
        if not queue:
            return
        station, envelope = queue.popleft()
        if self._medium.whole and station in self._medium.present:
            self._medium.present[station].receive(self._own, envelope)
        self._stirred.set()

    def _set_links(self, up: set[str]) -> None:
        before, self._up = self._up, up
        for station in before - up:
            self._intake.link("simulated", station, up=False)
        for station in up - before:
            self._intake.link("simulated", station, up=True)
        if not up:
            self._urgent.clear()
            self._ordinary.clear()


class SimulatedRig:
    """Two simulated bearers; one_way lets only NEAR send."""

    def __init__(self, at_near: Recorder, at_far: Recorder, *, one_way: bool = False) -> None:
        self.medium = Medium()
        sender = NEAR if one_way else ""
        self.near = SimulatedBearer(NEAR, {FAR}, self.medium, at_near, one_way=sender)
        self.far = SimulatedBearer(FAR, {NEAR}, self.medium, at_far, one_way=sender)

    async def started(self) -> None:
        await self.medium.peopled.wait()

    async def cut(self) -> None:
        self.medium.whole = False
        self.medium.changed()

    async def heal(self) -> None:
        self.medium.whole = True
        self.medium.changed()

    async def intrude(self, envelope: bytes) -> None:
        self.medium.present[NEAR].receive("stranger", envelope)

    async def close(self) -> None:
        pass


def one_way_rig(at_near: Recorder, at_far: Recorder) -> SimulatedRig:
    return SimulatedRig(at_near, at_far, one_way=True)
