"""The station's bearers: made from the configuration, kept at work, told who is where.

A bearer that cannot start (its server is away, a device is missing, a port is
taken, its package is not installed) stops neither the station nor the other
bearers: it is down, it says why, and it is tried again after a pause.

    DOWN --run--> UP --trouble--> DOWN --pause--> ...

A new bearer is one entry of `planned`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from openline.kernel.errors import Bug, Refused, Unavailable
from openline.kernel.keys import Card
from openline.station import bearer_makers as makers
from openline.station.bearer_makers import Host, Made
from openline.station.config import peer_addresses

RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Pauses before a bearer that failed is tried again."""
NOT_INSTALLED = "a package that this bearer needs is not installed: tools/prepare.py --bearers installs it"
LISTEN_S = 2.0
"""How long a start waits for the TLS bearer to listen, so that who has started a station can be called at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One bearer of the configuration. Its own module is imported when it is made, and not before."""

    name: str
    make: Callable[[], Made]
    """Raises Unavailable (its package is not installed: the message says what to do) or Refused (wrongly configured)."""


def planned(host: Host) -> Iterator[Plan]:
    """The bearers of this configuration. A new bearer is one more entry here."""
    config = host.config
    yield Plan(name="tls", make=lambda: makers.tls(host))
    if config.mail is not None:
        yield Plan(name="mail", make=partial(makers.mail, host, config.mail))
    if config.nats is not None:
        yield Plan(name="nats", make=partial(makers.nats, host, config.nats))
    if config.drop is not None:
        yield Plan(name="drop", make=partial(makers.drop, host, config.drop))
    for line in config.serials:
        yield Plan(name=line.name, make=partial(makers.serial, host, line))
    yield Plan(name="courier", make=lambda: makers.courier(host))


class Bearers:
    """All bearers of one station, at work."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._made: dict[str, Made] = {}
        self._peers: dict[str, Card] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.troubles: dict[str, str] = {}
        """Bearer -> why it ended, in words for people; nothing while it works."""

    async def start(self) -> None:
        """Set all to work; returns when the station can be called, or that is known to be impossible for now."""
        for plan in planned(self._host):
            self._make(plan)
            self._tasks.append(asyncio.create_task(self._work(plan)))
        tls = self._host.tls
        if tls is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LISTEN_S):
                    while not self.troubles.get("tls"):
                        listening = asyncio.create_task(tls.listening())
                        done, _ = await asyncio.wait([listening], timeout=0.05)
                        if done:
                            return
                        listening.cancel()

    async def stop(self) -> None:
        """End their work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def shown(self) -> list[str]:
        """Every bearer of the configuration, whether it works or not, and the sticks if one is prepared or ever came."""
        links = self._host.links
        carried = any(name == "courier" and (state.sent or state.received) for (name, _), state in links.states.items())
        return [plan.name for plan in planned(self._host) if plan.name != "courier" or carried]

    def trouble(self, name: str) -> str:
        """Why a bearer does not work, in words for people; empty while it does."""
        made = self._made.get(name)
        return self.troubles.get(name) or (made.trouble() if made is not None else "")

    # --- who is where ------------------------------------------------------------------------------------------

    def reach(self, station: str, card: Card) -> None:
        """Tell all bearers where a station is: what the configuration says of it, else its card."""
        self._peers[station] = card
        for name, made in self._made.items():
            self._place(name, made, station, card)

    def _place(self, name: str, made: Made, station: str, card: Card) -> None:
        places = peer_addresses(self._host.config, station, card.addresses).get(name.partition("-")[0], ())
        try:
            known = made.place(station, card, places)
        except Refused as refusal:
            known = False
            self._host.log.event("peer.refused", bearer=name, code=refusal.code)
        self._host.links.serve(name, station, known=known)

    # --- at work -----------------------------------------------------------------------------------------------

    def _make(self, plan: Plan) -> Made | None:
        """The bearer, told of everybody; None, and the reason is noted, if it cannot be made."""
        try:
            made = plan.make()
        except ImportError:
            self._trouble(plan.name, Unavailable(NOT_INSTALLED))
            return None
        except (Unavailable, Refused) as trouble:
            self._trouble(plan.name, trouble)
            return None
        self._made[plan.name] = made
        self._host.links.add(made.bearer)
        for station, card in self._peers.items():
            self._place(plan.name, made, station, card)
        return made

    async def _work(self, plan: Plan) -> None:
        failures = 0
        while True:
            made = self._made.get(plan.name) or self._make(plan)
            if made is not None:
                began = asyncio.get_running_loop().time()
                running = asyncio.create_task(made.bearer.run())
                settled = asyncio.create_task(self._settled(plan.name))
                try:
                    await asyncio.wait([running])
                finally:
                    settled.cancel()
                    running.cancel()
                    await asyncio.gather(running, settled, return_exceptions=True)
                error = running.exception() if not running.cancelled() else None
                self._trouble(plan.name, error)
                if asyncio.get_running_loop().time() - began > RETRY_S[-1]:
                    failures = 0
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
            failures += 1

    async def _settled(self, name: str) -> None:
        """What still runs after a moment works: its old trouble is over."""
        await asyncio.sleep(RETRY_S[0] / 2)
        if self.troubles.pop(name, None) is not None:
            self._host.log.event("bearer.works", bearer=name)

    def _trouble(self, name: str, error: BaseException | None) -> None:
        """Note why a bearer does not work. Messages of the house's errors are constants; others are named by class."""
        known = isinstance(error, Refused | Unavailable | Bug)
        words = str(error) if known else "it ended"
        kind = getattr(error, "code", type(error).__name__)
        if self.troubles.get(name) != words:
            self._host.log.event("bearer.down", bearer=name, kind=kind)
        self.troubles[name] = words
