"""What callers of the API ask about messages, answer and translate, as types; and the entries that become of it.

Spec: spec/06-entries.md, 6.101 to 6.103.
"""

from typing import Annotated

import msgspec

from openline.protocol.asking import Answer, Passage, Query, Translation
from openline.protocol.fields import Ref
from openline.protocol.numbers import MAX_QUERY, MAX_TEXT, Grade, Role
from openline.station.spoken import Language, Named, Place, Request, Spoken, Text, one_of

_Question = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_QUERY)]
_Offset = Annotated[int, msgspec.Meta(ge=0, le=MAX_TEXT)]


class PassageRequest(Request, frozen=True, kw_only=True):
    """A part of a message's text, in code points; `end` is the first that is not of it."""

    start: _Offset
    end: _Offset
    words: _Question
    """What stands there, as the asker sees it."""


class QueryRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="query"):
    """A question to the author about a message, or about a passage of it."""

    of: Named
    text: _Question
    lang: Language | None = None
    passage: PassageRequest | None = None


class AnswerRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="answer"):
    """The answer to a query."""

    of: Place
    """The query."""
    text: _Question
    lang: Language | None = None


class TranslationRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="translation"):
    """A message in another language."""

    of: Named
    lang: Language
    text: Text
    subject: Annotated[str, msgspec.Meta(max_length=256)] = ""
    grade: Annotated[str, msgspec.Meta(pattern=r"^(sight|rough|official|machine)$")] = "rough"


def asked_entry(
    request: QueryRequest | AnswerRequest | TranslationRequest, of: Ref, language: str, *, role: Role, sign: str
) -> Query | Answer | Translation:
    """The entry that a request asks for."""
    match request:
        case QueryRequest():
            part = request.passage
            passage = None if part is None else Passage(start=part.start, end=part.end, words=part.words)
            return Query(of=of, text=request.text, language=language, role=role, sign=sign, passage=passage)
        case AnswerRequest():
            return Answer(of=of, text=request.text, language=language, role=role, sign=sign)
        case TranslationRequest():
            return Translation(
                of=of,
                language=language,
                text=request.text,
                grade=one_of(Grade, request.grade),
                role=role,
                sign=sign,
                subject=request.subject,
            )
