"""The console's coming and going: its certificate, its socket, and who is signed in."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator

from openline.console import authority, entering, own, people
from openline.console.app import App, Application
from openline.console.authority import Pair
from openline.console.calendars import Calendars
from openline.console.desk import Desk
from openline.console.listening import HttpsServer, new_context
from openline.console.local import LocalApi
from openline.console.pages import load_pages
from openline.console.visits import Visits
from openline.kernel.errors import Malformed
from openline.station.api import Api
from openline.station.config import console_host, console_place
from openline.station.console_check import AUTHORITY
from openline.station.runtime import Station

_LOOK_S = 43_200.0
"""How often it is looked whether the certificate is to be renewed."""
OPERATIONS = (*entering.ROUTES, *own.ROUTES, *people.ROUTES)
_LEAF = "console.certificate"


@contextlib.asynccontextmanager
async def serving(station: Station) -> AsyncIterator[None]:
    """Serve the console of that station until the block ends. Raises Unavailable or Malformed."""
    console = Console(station)
    try:
        await console.start()
        yield
    finally:
        await console.stop()


class Console:
    """One station's console."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self.host = console_host(station.config)
        self._context = new_context()
        self._desk = Desk(station, self.certificate)
        inner: dict[str, App] = {"console": Visits(self._desk, OPERATIONS), "v1": LocalApi(self._desk, Api(station)),
                                 "calendar": Calendars(station)}  # fmt: skip
        self._app = Application(load_pages(), inner)
        self._server = HttpsServer(self._app, self._context)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Have a certificate, and listen."""
        self._certify()
        address, port = console_place(self._station.config)
        port = self._server.start(address, port)
        self._app.named(self.host, port)
        self._desk.passkeys.origin = f"https://{self.host}:{port}" if port != 443 else f"https://{self.host}"
        self._tasks = [asyncio.create_task(self._renew()), asyncio.create_task(self._desk.sessions.run())]
        self._station.console = self._desk
        self._station.log.event("console.started", port=port)

    async def stop(self) -> None:
        """End every stream and connection."""
        self._station.console = None
        for task in self._tasks:
            task.cancel()
        await self._server.stop()

    def certificate(self) -> bytes:
        """The authority's certificate (PEM), for installing on workstations."""
        return self._authority().certificate

    def _authority(self) -> Pair:
        """The one that is kept, or a new one."""
        store, gate, now = self._station.store, self._station.gate, _now()
        kept = gate.call(store.setting, AUTHORITY)
        if kept is not None:
            found = Pair.read(kept)
            if authority.vouches(found, self.host, now):
                return found
        made = authority.new_authority(self.host, now)
        gate.call(store.put_setting, AUTHORITY, made.kept)
        self._station.log.event("console.authority", made=True)
        return made

    def _certify(self) -> None:
        """Use the certificate that is kept, or a new one if it expires or is another host's."""
        store, gate, now = self._station.store, self._station.gate, _now()
        above = self._authority()
        kept = gate.call(store.setting, _LEAF)
        leaf = Pair.read(kept) if kept is not None else None
        if leaf is None or not authority.is_current(leaf, above, self.host, now):
            leaf = authority.new_leaf(above, self.host, now)
            gate.call(store.put_setting, _LEAF, leaf.kept)
            self._station.log.event("console.certificate", days=authority.LEAF_DAYS)
        authority.load(self._context, leaf)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                self._certify()
            except Malformed:
                self._station.log.event("console.certificate", days=-1)


def _now() -> datetime.datetime:
    """The real time of day, even where the station's clock is simulated: browsers go by theirs."""
    return datetime.datetime.now(datetime.UTC)
