"""Calls for pairing: begin with a card and a proposal, see how far it is, say what was compared, end it.

Nothing here is secret: a short string and a fingerprint are read aloud, and
the pairing's own secret is in no answer. A floor sees its own half of the
short string and never the other's, so that it has to be heard.
"""

from typing import Annotated, Any

import msgspec

from openline.kernel.errors import Malformed
from openline.kernel.terms import Policy
from openline.protocol.pairing_messages import Reason
from openline.station.answers import Fingerprint
from openline.station.bearer_answers import Answer
from openline.station.calls import Call, Reply, Route, reply
from openline.station.cards import MAX_CARD_TEXT, as_digits, as_words
from openline.station.meeting import Meeting, Refusal
from openline.station.people import ADMINISTRATOR
from openline.station.requests import Request
from openline.station.terms_file import Proposal, policy_of, proposal_of

MAX_WAIT_MS = 60_000

Entered = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
StateName = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{1,20}$")]


class PairRequest(Request, frozen=True, kw_only=True):
    """With whom, and about what: the same proposal must be made on both sides."""

    card: Annotated[str, msgspec.Meta(max_length=MAX_CARD_TEXT)] = ""
    """The other station's card, armoured; with `again`, the newest one known if it is left out."""
    again: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    """A line that stands: it gets a new pairing key, and `terms` and `label` say nothing."""
    terms: Proposal | None = None
    """Without it: the defaults."""
    label: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """What the line will be called here; the other station's name if empty."""


class ConfirmRequest(Request, frozen=True, kw_only=True):
    """What people compared; exactly one of the two."""

    sas: Entered | None = None
    """The eight digits that the other floor read aloud."""
    fingerprint: Entered | None = None
    """The other station's fingerprint as its people gave it: digits, words, hexadecimal or the text of the QR code."""


class StateQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `state`, the answer waits until the state is another one."""

    state: StateName | None = None
    timeout_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_WAIT_MS)] = 25_000


class PeerView(Answer, frozen=True, kw_only=True):
    """The other station, as its card says."""

    name: str
    fingerprint: Fingerprint
    expires: int


class DifferenceView(Answer, frozen=True, kw_only=True):
    """A member in which the two proposals differ."""

    member: str
    ours: Any
    theirs: Any


class PairingView(Answer, frozen=True, kw_only=True):
    """A pairing as it stands."""

    pairing: str
    """Its number."""
    state: str
    """waiting, comparing, confirming (the other side has not signed yet), open or refused."""
    sas: str
    """The eight digits this floor reads aloud, until the line is open. Empty while comparing: compare fingerprints."""
    peer: PeerView
    terms: Proposal
    label: str
    line: str
    """The line's id, once it is open."""
    code: str
    """Why it was refused, as a constant name; empty while it was not."""
    reason: str
    """The same in words."""
    do: str
    """What to do next."""
    differs: list[DifferenceView]


class PairingsView(Answer, frozen=True, kw_only=True):
    """Pairings, the oldest first."""

    pairings: list[PairingView]


_REASONS: dict[tuple[Reason, bool], tuple[str, str]] = {
    (Reason.PEOPLE, False): ("it was ended here", "pair again when both floors are ready"),
    (Reason.PEOPLE, True): ("the other station ended it", "speak with its people, then pair again"),
    (Reason.PROPOSAL, False): (
        "the two proposals differ",
        "agree on one terms file, give it to both stations, and pair again",
    ),
    (Reason.LINE, False): (
        "the other station signed other terms",
        "somebody may be between you: compare full fingerprints in person before you pair again",
    ),
    (Reason.MISMATCH, False): (
        "what was entered is not the other station's: somebody may be between you",
        "check with the other floor what was read; if it was read rightly, pair by full fingerprint in person",
    ),
    (Reason.MISMATCH, True): (
        "what was entered at the other station is not ours: somebody may be between you",
        "check with the other floor what was read; if it was read rightly, pair by full fingerprint in person",
    ),
    (Reason.CARD, False): (
        "the other station has made a new card since",
        "exchange the newest cards both ways, and pair again",
    ),
    (Reason.CARD, True): (
        "the other station holds another card of ours",
        "exchange the newest cards both ways, and pair again",
    ),
    (Reason.MALFORMED, False): (
        "what came from the other station does not check",
        "pair again; if it fails again, somebody may be between you, or the versions differ",
    ),
    (Reason.LATE, False): (
        "it took longer than an hour",
        "pair again, at a time agreed with the other floor; what was already signed is then finished",
    ),
}
_CUT_OFF = (
    "the connection broke off too often while codes were being compared",
    "somebody may be cutting it: compare full fingerprints in person, over another path if there is one",
)
_OUR_DO = "put right what this station says, then pair again on both sides"


def pairing_view(meeting: Meeting) -> PairingView:
    """A pairing as people see it."""
    code, reason, do = _told(meeting.refusal)
    card = meeting.card
    forms = Fingerprint(
        hex=card.fingerprint.hex(), digits=as_digits(card.fingerprint), words=as_words(card.fingerprint)
    )
    return PairingView(
        pairing=meeting.identity,
        state=meeting.state.value,
        sas=meeting.read_aloud,
        peer=PeerView(name=card.name, fingerprint=forms, expires=card.expires),
        terms=proposal_of(meeting.policy),
        label=meeting.label,
        line=meeting.line.hex(),
        code=code,
        reason=reason,
        do=do,
        differs=_differs(meeting.policy, meeting.refusal),
    )


def _told(refusal: Refusal | None) -> tuple[str, str, str]:
    """(code, reason, what to do)."""
    if refusal is None:
        return "", "", ""
    if refusal.trouble:
        return "trouble", refusal.trouble, _OUR_DO
    if refusal.cut_off:
        return "cut-off", *_CUT_OFF
    reason, do = _REASONS.get((refusal.reason, refusal.by_peer)) or _REASONS[refusal.reason, False]
    return refusal.reason.name.lower(), reason, do


def _differs(ours: Policy, refusal: Refusal | None) -> list[DifferenceView]:
    if refusal is None:
        return []
    theirs = refusal.theirs
    return [
        DifferenceView(
            member=name,
            ours=_plain(getattr(ours, name, None)),
            theirs=_plain(getattr(theirs, name, None)),
        )
        for name in refusal.members
    ]


def _plain(value: object) -> object:
    """A member's value for JSON; those of a newer version only by the number they have."""
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return [key for key, _ in value]
    return value


# --- the calls ------------------------------------------------------------------------------------------------


async def begin(call: Call) -> Reply:
    """Enter a card and a proposal."""
    asked = await call.json(_PAIR)
    if asked.again is not None:
        meeting = call.station.pairings.again(call.station.find(asked.again), asked.card)
        call.noted = meeting.label
        return reply(pairing_view(meeting), 201)
    policy = Policy() if asked.terms is None else policy_of(asked.terms)
    meeting = call.station.pairings.open(asked.card, policy, asked.label)
    call.noted = meeting.label
    return reply(pairing_view(meeting), 201)


async def look(call: Call) -> Reply:
    """How far it is; with `state`, once it is another."""
    query = call.query(StateQuery)
    meeting = call.station.pairings.find(call.part("pairing"))
    if query.state is not None:
        await meeting.changed_from(query.state, query.timeout_ms / 1_000)
    return reply(pairing_view(meeting))


async def look_all(call: Call) -> Reply:
    """All that are under way, and the last that are over."""
    return reply(PairingsView(pairings=[pairing_view(each) for each in call.station.pairings.all()]))


async def confirm(call: Call) -> Reply:
    """Say what was compared."""
    asked = await call.json(_CONFIRM)
    meeting = call.station.pairings.find(call.part("pairing"))
    call.noted = meeting.label
    if asked.fingerprint is not None and asked.sas is None:
        meeting.compare_fingerprint(asked.fingerprint)
    elif asked.sas is not None and asked.fingerprint is None:
        meeting.enter_heard(asked.sas)
    else:
        raise Malformed("either the digits that were heard or the fingerprint, not both")
    return reply(pairing_view(meeting))


async def end(call: Call) -> Reply:
    """End it."""
    meeting = call.station.pairings.find(call.part("pairing"))
    call.noted = meeting.label
    meeting.end()
    return reply(pairing_view(meeting))


_PAIR = msgspec.json.Decoder(PairRequest)
_CONFIRM = msgspec.json.Decoder(ConfirmRequest)
_WHO = frozenset({ADMINISTRATOR})

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/pairings",
        handler=begin,
        summary="Begin to pair with the station of a card",
        roles=_WHO,
        body=PairRequest,
        answers={201: PairingView},
        act="pair",
    ),
    Route(
        method="GET",
        path="/pairings",
        handler=look_all,
        summary="List pairings",
        roles=_WHO,
        answers={200: PairingsView},
    ),
    Route(
        method="GET",
        path="/pairings/{pairing}",
        handler=look,
        summary="See how far a pairing is, or wait until it is further",
        roles=_WHO,
        query=StateQuery,
        answers={200: PairingView},
    ),
    Route(
        method="POST",
        path="/pairings/{pairing}/confirm",
        handler=confirm,
        summary="Say what was compared: the other floor's digits, or its fingerprint",
        roles=_WHO,
        body=ConfirmRequest,
        answers={200: PairingView},
        act="pair-confirm",
    ),
    Route(
        method="DELETE",
        path="/pairings/{pairing}",
        handler=end,
        summary="End a pairing",
        roles=_WHO,
        answers={200: PairingView},
        act="pair-end",
    ),
)
