"""One line of opened.jsonl: an entry, opened, in one canonical form.

    {"a":ack,"b":body,"i":index,"k":kind,"s":secret,"t":time}    base64, keys in order, no spaces
    {"i":index}                                                  held, but nobody here can open it

There is no general parser: a line is matched, made again and compared.
Spec: spec/14-export.md.
"""

import re
from binascii import Error, a2b_base64, b2a_base64

from openline.kernel.errors import Malformed
from openline.kernel.lane import Entry

_B64 = rb"([A-Za-z0-9+/]*={0,2})"
_LINE = re.compile(
    rb'\{"a":"' + _B64 + rb'","b":"' + _B64 + rb'","i":(0|[1-9][0-9]{0,14}),"k":"' + _B64 + rb'","s":"' + _B64
    + rb'","t":"' + _B64 + rb'"\}\n'
)  # fmt: skip
_CLOSED = re.compile(rb'\{"i":(0|[1-9][0-9]{0,14})\}\n')


def write_line(index: int, entry: Entry | None) -> bytes:
    """The line of an entry; None if it could not be opened."""
    if entry is None:
        return b'{"i":%d}\n' % index
    return b'{"a":"%b","b":"%b","i":%d,"k":"%b","s":"%b","t":"%b"}\n' % (
        b2a_base64(entry.ack, newline=False),
        b2a_base64(entry.body, newline=False),
        index,
        b2a_base64(entry.kind, newline=False),
        b2a_base64(entry.secret, newline=False),
        b2a_base64(entry.time, newline=False),
    )


def read_line(line: bytes, index: int) -> Entry | None:
    """The entry in a line, which must be that of `index`. Raises Malformed."""
    found = _LINE.fullmatch(line)
    if found is None:
        closed = _CLOSED.fullmatch(line)
        if closed is None or int(closed[1]) != index:
            raise Malformed("not a line of an opened entry, or of another one")
        return None
    try:
        ack, body, _, kind, secret, time = found.groups()
        entry = Entry(
            kind=a2b_base64(kind),
            time=a2b_base64(time),
            ack=a2b_base64(ack),
            body=a2b_base64(body),
            secret=a2b_base64(secret),
        )
    except Error:
        raise Malformed("not base64") from None
    if write_line(index, entry) != line:
        raise Malformed("not the one form of a line, or of another entry")
    return entry
