"""An IMAP server with a script: honest about one mail, until told to lie about something."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from openline.bearers.listening import end_listening
from openline.bearers.mail.message import PEEKED

Answer = Callable[[str], bytes | None]
"""What a command of this name is answered with; None for the honest answer. `TAG` stands for the command's tag."""

FLOOD: Final = b"FLOOD"
"""An answer that is repeated without end."""
HANG: Final = b""
"""No answer at all."""


class Liar:
    """One server; `lie` decides, `written` counts what it got rid of."""

    def __init__(self, mail: bytes, lie: Answer, *, greeting: bytes = b"* OK ready\r\n") -> None:
        self._mail, self._lie, self._greeting = mail, lie, greeting
        self.heard: list[str] = []
        """The commands, without their words."""
        self.conversations = 0
        self.written = 0
        """Bytes of the largest conversation."""
        self.deleted = asyncio.Event()
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        await end_listening(self._server)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.conversations += 1
        task = asyncio.create_task(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await self._say(writer, self._greeting)
            while line := await reader.readline():
                words = line.decode("latin-1").split()
                tag, command = words[0], " ".join(words[1:3]).upper() if words[1].upper() == "UID" else words[1].upper()
                if command == "UID FETCH":
                    command = "LIST" if PEEKED in line.decode("latin-1") else "FETCH"
                self.heard.append(command)
                lie = self._lie(command)
                await self._say(writer, self._honest(command) if lie is None else lie, tag)
                if command == "AUTHENTICATE" and lie is None:
                    await reader.readline()
                    await self._say(writer, b"TAG OK in\r\n", tag)
                if command == "UID EXPUNGE":
                    self.deleted.set()
                if command == "IDLE" and lie is None:
                    await reader.readline()
                    await self._say(writer, b"TAG OK done\r\n", tag)

    async def _say(self, writer: asyncio.StreamWriter, answer: bytes, tag: str = "") -> None:
        said = 0
        while True:
            text = answer.removeprefix(FLOOD).replace(b"TAG", tag.encode())
            writer.write(text)
            await writer.drain()
            said += len(text)
            self.written = max(self.written, said)
            if not answer.startswith(FLOOD):
                return

    def _honest(self, command: str) -> bytes:
        mail = self._mail
        head = mail[: mail.index(b"\r\n\r\n") + 4]
        size = len(mail)
        return {
            "CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE UIDPLUS\r\nTAG OK done\r\n",
            "AUTHENTICATE": b"+ \r\n",
            "SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\nTAG OK [READ-WRITE] open\r\n",
            "UID SEARCH": b"* SEARCH%s\r\nTAG OK done\r\n" % (b"" if self.deleted.is_set() else b" 1"),
            "LIST": b"* 1 FETCH (UID 1 RFC822.SIZE %d BODY[HEADER.FIELDS (X)]<0> {%d}\r\n%s)\r\nTAG OK done\r\n"
            % (size, len(head), head),
            "FETCH": b"* 1 FETCH (UID 1 BODY[]<0> {%d}\r\n%s)\r\nTAG OK done\r\n" % (size, mail),
            "IDLE": b"+ waiting\r\n",
        }.get(command, b"TAG OK done\r\n")
