"""How a server of ours stops listening: no connection is left behind half accepted."""

import asyncio


async def end_listening(*servers: asyncio.Server) -> None:
    """Close servers; every connection that they have accepted has been made by then.

    asyncio accepts in one turn of the loop, and gives a connection to its server in the next, which fails when the
    server has been closed, and leaves the connection open with nobody to close it; it calls the protocol in a third.
    """
    loop = asyncio.get_running_loop()
    for server in servers:
        for each in server.sockets:
            loop.remove_reader(each.fileno())
    await asyncio.sleep(0)
    for server in servers:
        server.close()
    await asyncio.sleep(0)
