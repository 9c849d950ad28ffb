"""Entries about calls, for the tests: one of each, and any of them."""

from hypothesis import strategies as st

from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.kernel.units import MAX_INSTANT, MAX_SEQ, MIN_INSTANT, Instant
from openline.protocol import call_entries as c
from openline.protocol.call_signals import CallSignal, SignalType
from openline.protocol.entries import AnyEntry, Precedence, Role
from openline.protocol.fields import Ref

RING_AT = Ref(lane=0, generation=GENERATION_ZERO, index=3, leaf=bytes(range(32)))
PICKED_AT = Ref(lane=2, generation=GENERATION_ZERO, index=4, leaf=bytes(range(1, 33)))
PROTECTION = c.Protection(
    dtls="1.3", cipher="TLS_AES_128_GCM_SHA256", srtp="AEAD_AES_256_GCM", path=c.Path.DIRECT, party=1, seat=0
)
_OFFICER = Role.WATCH_OFFICER

SIGNAL = CallSignal(
    lane=0, generation=GENERATION_ZERO, index=3, sender=0, to=1, type=SignalType.OFFER, number=7, after=2, data="v=0"
)

CALL_EXAMPLES: list[AnyEntry] = [
    c.Ring(
        precedence=Precedence.PRIORITY, language="en", roles=(_OFFICER,), role=_OFFICER, sign="K7", commitment=bytes(32)
    ),
    c.PickUp(of=RING_AT, language="fr", role=_OFFICER, sign="B2", fingerprint=bytes(32)),
    c.Refusal(of=RING_AT, cause=c.RefusalCause.BUSY, role=_OFFICER, sign="B2"),
    c.Seat(of=RING_AT, act=c.SeatAct.LEAVES, number=1, role=Role.INTERPRETER, sign="B3"),
    c.HangUp(of=RING_AT, cause=c.EndCause.ENDED, role=_OFFICER, sign="K7"),
    c.TypedLine(of=RING_AT, text="can you hear", language="en", role=_OFFICER, sign="K7"),
    c.Minutes(of=RING_AT, clauses=((("en", "one"), ("fr", "un")),), role=_OFFICER, sign="K7"),
    c.MinutesWord(of=RING_AT, clauses=(c.ClauseWord(agreed=True),), role=_OFFICER, sign="B2"),
]
"""One of each kind, with the keys alone that must be there."""

FULL_EXAMPLES: list[AnyEntry] = [
    c.Refusal(of=RING_AT, cause=c.RefusalCause.DECLINED, role=_OFFICER, sign="B2", text="in a briefing"),
    c.Seat(
        of=RING_AT,
        act=c.SeatAct.OPENS,
        number=0,
        role=_OFFICER,
        sign="K7",
        fingerprint=bytes(32),
        nonce=bytes(32),
        pick_up=PICKED_AT,
    ),
    c.Seat(of=RING_AT, act=c.SeatAct.JOINS, number=1, role=_OFFICER, sign="K8", fingerprint=bytes(32)),
    c.Seat(of=RING_AT, act=c.SeatAct.CONNECTED, number=0, role=_OFFICER, sign="K7", protection=PROTECTION),
]
"""Forms that need more keys than others of their kind."""

_GENERATIONS = st.just(GENERATION_ZERO) | st.builds(
    Generation, st.integers(1, 2**32 - 1), st.binary(min_size=8, max_size=8)
)
_HASHES = st.binary(min_size=32, max_size=32)
_REFS = st.builds(Ref, lane=st.integers(0, 31), generation=_GENERATIONS, index=st.integers(0, MAX_SEQ), leaf=_HASHES)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
_SIGNS = st.from_regex(r"\A[A-Z0-9]{1,12}\Z")
_LANGUAGES = st.sampled_from(["en", "fr", "ru", "sr-Latn", "zh-Hant-TW"])
_MOMENTS = st.integers(MIN_INSTANT, MAX_INSTANT).map(Instant)
_ROLES = st.sampled_from(Role)
_NAMES = st.text(st.characters(codec="ascii"), max_size=c.MAX_PROTECTION_TEXT)
PROTECTIONS = st.builds(
    c.Protection,
    dtls=_NAMES,
    cipher=_NAMES,
    srtp=_NAMES,
    path=st.sampled_from(c.Path),
    party=st.integers(0, 15),
    seat=st.integers(0, 1),
)
_CLAUSES = st.dictionaries(_LANGUAGES, _TEXTS, min_size=1).map(
    lambda texts: tuple(sorted(texts.items(), key=lambda each: (len(each[0]), each[0])))
)


@st.composite
def _seats(draw: st.DrawFn) -> c.Seat:
    act = draw(st.sampled_from(c.SeatAct))
    opens = act is c.SeatAct.OPENS
    shows = act in {c.SeatAct.OPENS, c.SeatAct.JOINS, c.SeatAct.TAKES_OVER}
    return c.Seat(
        of=draw(_REFS),
        act=act,
        number=0 if opens else draw(st.integers(0, 1)),
        role=draw(_ROLES),
        sign=draw(_SIGNS),
        fingerprint=draw(_HASHES) if shows else b"",
        nonce=draw(_HASHES) if opens else b"",
        language=draw(st.just("") | _LANGUAGES),
        protection=draw(PROTECTIONS) if act is c.SeatAct.CONNECTED else None,
        pick_up=draw(_REFS) if opens else None,
    )


CALL_ENTRIES: st.SearchStrategy[AnyEntry] = st.one_of(
    st.builds(
        c.Ring,
        precedence=st.sampled_from(Precedence),
        language=_LANGUAGES,
        roles=st.lists(_ROLES, min_size=1, max_size=8).map(tuple),
        role=_ROLES,
        sign=_SIGNS,
        commitment=_HASHES,
        subject=_TEXTS,
    ),
    st.builds(c.PickUp, of=_REFS, language=_LANGUAGES, role=_ROLES, sign=_SIGNS, fingerprint=_HASHES),
    st.builds(
        c.Refusal,
        of=_REFS,
        cause=st.sampled_from([cause for cause in c.RefusalCause if cause is not c.RefusalCause.YIELDS]),
        role=_ROLES,
        sign=_SIGNS,
        text=_TEXTS.filter(bool),
    ),
    _seats(),
    st.builds(
        c.HangUp,
        of=_REFS,
        cause=st.sampled_from(c.EndCause),
        role=_ROLES,
        sign=_SIGNS,
        began=st.none() | _MOMENTS,
        ended=st.none() | _MOMENTS,
        protection=st.none() | PROTECTIONS,
        text=_TEXTS,
    ),
    st.builds(c.TypedLine, of=_REFS, text=_TEXTS, language=_LANGUAGES, role=_ROLES, sign=_SIGNS),
    st.builds(
        c.Minutes,
        of=_REFS,
        clauses=st.lists(_CLAUSES, min_size=1, max_size=c.MAX_CLAUSES // 4).map(tuple),
        role=_ROLES,
        sign=_SIGNS,
        replaces=st.none() | _REFS,
    ),
    st.builds(
        c.MinutesWord,
        of=_REFS,
        clauses=st.lists(st.builds(c.ClauseWord, agreed=st.booleans(), text=_TEXTS), min_size=1, max_size=8).map(tuple),
        role=_ROLES,
        sign=_SIGNS,
    ),
)
"""Any entry about a call."""


# --- the least of each, for the fold ---

RING = c.Ring(
    precedence=Precedence.PRIORITY, language="en", roles=(_OFFICER,), role=_OFFICER, sign="K7", commitment=bytes(32)
)


def hang_up(ref: Ref) -> c.HangUp:
    """A hang up."""
    return c.HangUp(of=ref, cause=c.EndCause.ENDED, role=_OFFICER, sign="K7")


def refusal(ref: Ref) -> c.Refusal:
    """A refusal."""
    return c.Refusal(of=ref, cause=c.RefusalCause.BUSY, role=_OFFICER, sign="K7")


def minutes(ref: Ref, replaces: Ref | None, clauses: int) -> c.Minutes:
    """Minutes of so many clauses."""
    return c.Minutes(of=ref, clauses=((("en", "x"),),) * clauses, role=_OFFICER, sign="K7", replaces=replaces)


def word(ref: Ref, agreed: list[bool]) -> c.MinutesWord:
    """A word on minutes."""
    clauses = tuple(c.ClauseWord(agreed=each) for each in agreed)
    return c.MinutesWord(of=ref, clauses=clauses, role=_OFFICER, sign="K7")


def about_calls(refs: st.SearchStrategy[Ref]) -> st.SearchStrategy[AnyEntry]:
    """Rings most often, as the rest names them."""
    shown = st.just(bytes(32))
    return st.one_of(
        st.just(RING),
        st.just(RING),
        st.builds(
            c.PickUp, of=refs, language=st.just("en"), role=st.just(_OFFICER), sign=st.just("K7"), fingerprint=shown
        ),
        st.builds(hang_up, refs),
        st.builds(hang_up, refs),
        st.builds(refusal, refs),
        st.builds(
            c.TypedLine, of=refs, text=st.just("x"), language=st.just("en"), role=st.just(_OFFICER), sign=st.just("K7")
        ),
        st.builds(minutes, refs, st.none() | refs, st.integers(1, 2)),
        st.builds(word, refs, st.lists(st.booleans(), min_size=1, max_size=2)),
    )
