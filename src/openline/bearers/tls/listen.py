"""Where we listen: at every configured address that can be had now, and at the others as soon as they can.

An address may be missing when a machine starts, and a port may be held for a
while. That is no reason to be deaf at the others, nor not to call.
"""

import asyncio
from collections.abc import Callable, Sequence

from openline.bearers.listening import end_listening
from openline.bearers.tls.address import Address, written
from openline.bearers.tls.limits import Event


class Listeners:
    """The open ones, of a configuration."""

    def __init__(
        self, addresses: Sequence[Address], made: Callable[[], asyncio.BaseProtocol], counted: Callable[[Event], None]
    ) -> None:
        self._addresses, self._made, self._counted = addresses, made, counted
        self._servers: dict[Address, asyncio.Server] = {}

    @property
    def missing(self) -> bool:
        """Whether some address cannot be listened at."""
        return any(address not in self._servers for address in self._addresses)

    @property
    def bound(self) -> tuple[str, ...]:
        """What is listened at, with the ports that were taken."""
        servers = (self._servers.get(address) for address in self._addresses)
        return tuple(written(server.sockets[0].getsockname()) for server in servers if server is not None)

    async def open(self) -> None:
        """Listen wherever it is possible."""
        await self._try()
        if self.missing:
            self._counted(Event.LISTEN_FAILED)

    async def complete(self, retry_s: float) -> None:
        """Go on until all are open."""
        while self.missing:
            await asyncio.sleep(retry_s)
            await self._try()

    async def close(self) -> None:
        """Listen no more; every connection that was accepted has been made by then."""
        servers = list(self._servers.values())
        self._servers.clear()
        await end_listening(*servers)

    async def _try(self) -> None:
        for address in self._addresses:
            if address not in self._servers:
                making = asyncio.get_running_loop().create_server
                try:
                    server = await making(self._made, address.host, address.port, start_serving=False)
                except OSError:
                    continue
                self._servers[address] = server  # first, so that it is closed when we are stopped in the next line
                await server.start_serving()
