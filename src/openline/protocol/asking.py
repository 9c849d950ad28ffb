"""What an entry can ask about a message, answer, and say in another language.

Spec: spec/06-entries.md, 6.101 to 6.104.
"""

from dataclasses import dataclass, field

from openline.protocol.fields import Ref
from openline.protocol.numbers import Grade, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A part of a message's text: code points `start` to before `end`, and the words that the asker saw there."""

    start: int
    end: int
    words: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question to the author about a message, or about a passage of it."""

    of: Ref
    text: str = field(repr=False)
    language: str
    role: Role
    sign: str
    passage: Passage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a query."""

    of: Ref
    text: str = field(repr=False)
    language: str
    role: Role
    sign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A message in another language: its author's own translation, or a reader's."""

    of: Ref
    language: str
    text: str = field(repr=False)
    grade: Grade
    role: Role
    sign: str
    subject: str = field(default="", repr=False)
