"""What requests of the API are made of: moments, signs, roles, texts, and how an entry is named."""

from enum import Enum
from typing import Annotated, TypeVar

import msgspec

from openline.kernel.errors import Malformed
from openline.kernel.units import MAX_INSTANT, MAX_SEQ, MIN_INSTANT

Moment = Annotated[int, msgspec.Meta(ge=MIN_INSTANT, le=MAX_INSTANT)]
Index = Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
Sign = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{1,12}$(?!\n)")]
"""`$` alone lets a line feed at the end pass, and JSON Schema knows no `\\Z`."""
RoleWord = Annotated[str, msgspec.Meta(pattern=r"^[a-z-]{1,20}$(?!\n)")]
Language = Annotated[str, msgspec.Meta(max_length=32)]
Text = Annotated[str, msgspec.Meta(max_length=8_192)]
Confirmation = Annotated[str, msgspec.Meta(max_length=256)]
Reason = Annotated[str, msgspec.Meta(max_length=1_024)]


_Named = TypeVar("_Named", bound=Enum)


def one_of(kind: type[_Named], word: str) -> _Named:
    """The member of that name. Raises Malformed: a pattern lets a line feed at the end pass."""
    found = kind.__members__.get(word.upper())
    if found is None:
        raise Malformed("a field is unknown, missing or not allowed")
    return found


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every request is."""


class Place(Request, frozen=True, kw_only=True):
    """An entry by its place."""

    lane: Annotated[int, msgspec.Meta(ge=0, le=31)]
    generation: Annotated[str, msgspec.Meta(max_length=27)] = "0"
    index: Index
    leaf: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")] | None = None
    reference: Annotated[str, msgspec.Meta(max_length=80)] | None = None
    """Ignored: an answer's reference object may be given as it came."""


Named = Annotated[str, msgspec.Meta(max_length=80)] | Place


class Spoken(Request, frozen=True, kw_only=True):
    """What every entry may say of itself. Role and sign must be the actor's own."""

    time: Moment | None = None
    """The claimed moment, ms; now if it is not given."""
    role: RoleWord | None = None
    sign: Sign | None = None
