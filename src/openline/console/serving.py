"""The console's coming and going: its certificate, its socket, and who is signed in."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator

from openline.console import authority
from openline.console.app import Application
from openline.console.authority import Pair
from openline.console.listening import HttpsServer, new_context
from openline.console.pages import load_pages
from openline.kernel.errors import Malformed
from openline.station.config import console_host, console_place
from openline.station.runtime import Station

_LOOK_S = 43_200.0
"""How often it is looked whether the certificate is to be renewed."""
_AUTHORITY, _LEAF = "console.authority", "console.certificate"


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
        self._app = Application(load_pages(), {})
        self._server = HttpsServer(self._app, self._context)
        self._renewing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Have a certificate, and listen."""
        self._certify()
        address, port = console_place(self._station.config)
        port = self._server.start(address, port)
        self._app.named(self.host, port)
        self._station.console_url = f"https://{self.host}:{port}" if port != 443 else f"https://{self.host}"
        self._renewing = asyncio.create_task(self._renew())
        self._station.log.event("console.started", port=port)

    async def stop(self) -> None:
        """End every stream and connection."""
        if self._renewing is not None:
            self._renewing.cancel()
        await self._server.stop()

    def certificate(self) -> bytes:
        """The authority's certificate (PEM), for installing on workstations."""
        return self._authority().certificate

    def _authority(self) -> Pair:
        """The one that is kept, or a new one."""
        store, gate, now = self._station.store, self._station.gate, _now()
        kept = gate.call(store.setting, _AUTHORITY)
        if kept is not None:
            found = Pair.read(kept)
            if authority.vouches(found, self.host, now):
                return found
        made = authority.new_authority(self.host, now)
        gate.call(store.put_setting, _AUTHORITY, made.kept)
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
