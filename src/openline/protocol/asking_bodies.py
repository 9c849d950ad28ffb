"""Bodies of queries, their answers and translations: to members and back.

Spec: spec/06-entries.md, 6.3, 6.101 to 6.104.
"""

import re

from openline.kernel.codec import Value
from openline.kernel.errors import Malformed
from openline.protocol.asking import Answer, Passage, Query, Translation
from openline.protocol.body_fields import Members, formed, given, one_of, sign, text, uint
from openline.protocol.fields import decode_ref, encode_ref
from openline.protocol.numbers import MAX_LANGUAGE, MAX_QUERY, MAX_SUBJECT, MAX_TEXT, Grade, Role

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}", re.ASCII)
_ROLES = {int(r): r for r in Role}
_GRADES = {int(g): g for g in Grade}


def query_members(entry: Query) -> dict[int, Value]:
    """The members of a query's body."""
    members: dict[int, Value] = {0: encode_ref(entry.of), 1: entry.text, 2: entry.language}
    members |= {3: entry.role, 4: entry.sign}
    part = entry.passage
    return members | ({5: [part.start, part.end], 6: part.words} if part is not None else {})


def answer_members(entry: Answer) -> dict[int, Value]:
    """The members of an answer's body."""
    return {0: encode_ref(entry.of), 1: entry.text, 2: entry.language, 3: entry.role, 4: entry.sign}


def translation_members(entry: Translation) -> dict[int, Value]:
    """The members of a translation's body."""
    members: dict[int, Value] = {0: encode_ref(entry.of), 1: entry.language, 2: entry.text}
    members |= {3: entry.grade, 4: entry.role, 5: entry.sign}
    return members | given(6, entry.subject or None)


def _read_passage(members: Members) -> Passage | None:
    if (5 in members) is not (6 in members):
        raise Malformed("a passage is a place and the words that stand there")
    if 5 not in members:
        return None
    listed = members[5]
    if not isinstance(listed, list) or len(listed) != 2:
        raise Malformed("a passage has a start and an end")
    of_place = dict(enumerate(listed))
    start, end = uint(of_place, 0, MAX_TEXT), uint(of_place, 1, MAX_TEXT)
    words = text(members, 6, MAX_QUERY)
    if end <= start or len(words) != end - start:
        raise Malformed("a passage is as long as its words")
    return Passage(start=start, end=end, words=words)


def read_query(members: Members) -> Query:
    """A query. Raises Malformed or TooLarge."""
    return Query(
        of=decode_ref(members.get(0)),
        text=text(members, 1, MAX_QUERY),
        language=formed(members, 2, MAX_LANGUAGE, _LANGUAGE),
        role=one_of(members, 3, _ROLES),
        sign=sign(members, 4),
        passage=_read_passage(members),
    )


def read_answer(members: Members) -> Answer:
    """An answer. Raises Malformed or TooLarge."""
    return Answer(
        of=decode_ref(members.get(0)),
        text=text(members, 1, MAX_QUERY),
        language=formed(members, 2, MAX_LANGUAGE, _LANGUAGE),
        role=one_of(members, 3, _ROLES),
        sign=sign(members, 4),
    )


def read_translation(members: Members) -> Translation:
    """A translation. Raises Malformed or TooLarge."""
    return Translation(
        of=decode_ref(members.get(0)),
        language=formed(members, 1, MAX_LANGUAGE, _LANGUAGE),
        text=text(members, 2, MAX_TEXT),
        grade=one_of(members, 3, _GRADES),
        role=one_of(members, 4, _ROLES),
        sign=sign(members, 5),
        subject=text(members, 6, MAX_SUBJECT) if 6 in members else "",
    )
