"""Events as JSON lines: names and numbers, and nothing that anybody said.

    log.event("line.stopped", line="relay", why="disk")

A value is a number, or a word of the shape of a name; anything else is
written as "?", so that no text, key, address or message of an exception gets
in through a mistake. What libraries log is reduced to who logged at which level.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from openline.kernel.errors import Unavailable

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
Value = int | float | bool | str | None


class Log:
    """Where one station's events go."""

    def __init__(self, target: TextIO) -> None:
        self._target = target

    def event(self, name: str, **values: Value) -> None:
        """Write one event. A full or closed log stops nothing."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        line = {**{key: _plain(value) for key, value in values.items()}, "event": name, "timestamp": now}
        try:
            self._target.write(json.dumps(line) + "\n")
            self._target.flush()
        except (OSError, ValueError):
            return

    def close(self) -> None:
        """Close the file, unless it is standard error."""
        if self._target is not sys.stderr:
            self._target.close()


class Few:
    """Lets so many of a sort through in a span of time and counts the rest, so that no peer fills a log."""

    def __init__(self, many: int = 20, span_ms: int = 60_000) -> None:
        self._many, self._span_ms = many, span_ms
        self._seen: dict[tuple[str, ...], tuple[int, int]] = {}
        """Sort -> when its span began (steady, ms), and how many came in it. Sorts are ours: there are few."""

    def held_back(self, now: int, *sort: str) -> int | None:
        """None if this one is to be held back, else how many of its sort were since the last that was not."""
        began, came = self._seen.get(sort, (now, 0))
        before = 0
        if now - began >= self._span_ms:
            before, began, came = max(0, came - self._many), now, 0
        self._seen[sort] = began, came + 1
        return before if came < self._many else None


def open_log(file: Path | None) -> Log:
    """A log that goes to a file (appended to; 0600), or to standard error. Raises Unavailable."""
    if file is None:
        return Log(sys.stderr)
    try:
        target = file.open("a", encoding="utf-8", buffering=1)
        file.chmod(0o600)
    except OSError:
        raise Unavailable("the log cannot be written") from None
    return Log(target)


def _plain(value: Value) -> Value:
    if value is None or isinstance(value, int | float | bool):
        return value
    return value if NAME.fullmatch(value) else "?"


class _Libraries(logging.Handler):
    """What a library logs may quote anything: only that it spoke is kept."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Keep who, how bad, and the class of the exception."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        self._log.event("library", logger=record.name, level=record.levelname.lower(), kind=kind)


def quiet_libraries(log: Log) -> logging.Handler:
    """Send what libraries log (asyncio, uvicorn) through `log`, reduced; undo with `hear_libraries`."""
    handler = _Libraries(log)
    for name in ("asyncio", "uvicorn", "uvicorn.error", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.WARNING)
    return handler


def hear_libraries(handler: logging.Handler) -> None:
    """Take the handler out again."""
    for name in ("asyncio", "uvicorn", "uvicorn.error", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        if handler in logger.handlers:
            logger.handlers.remove(handler)
            logger.propagate = True
