"""What callers of the API say, as types; and how that becomes an entry.

A caller names an entry by place ({"lane", "generation", "index"}, with its
leaf if it wants to be sure) or as people do ("ALPHA 0147 211430Z NOV 26").
Who speaks is not theirs to say: role and sign come from the actor.
"""

from dataclasses import replace
from typing import Annotated, Any

import msgspec

from openline.kernel.errors import Conflict, Foreign, Malformed, Unknown
from openline.kernel.lane import parse_generation
from openline.kernel.terms import Policy, check_language, parse_policy, policy_value
from openline.kernel.units import Instant
from openline.protocol import entries as kinds
from openline.protocol.contact_entries import Contact, Countersign, Outcome
from openline.protocol.entries import AnyEntry, Precedence, Role, Step
from openline.protocol.facts import MessageStatus
from openline.protocol.fields import Ref
from openline.protocol.references import parse_reference
from openline.station.asking import AnswerRequest, QueryRequest, TranslationRequest, asked_entry
from openline.station.contact_terms import MEDIA, ContactTerms, policy_with
from openline.station.line_runner import LineRunner
from openline.station.people import INTERPRETER, ROLES, TECHNICIAN, WATCH, Actor, People
from openline.station.spoken import (
    Confirmation,
    Index,
    Language,
    Moment,
    Named,
    Place,
    Reason,
    Request,
    RoleWord,
    Sign,
    Spoken,
    Text,
    one_of,
)

MAX_BATCH = 1_024

__all__ = [
    "Confirmation",
    "Index",
    "Language",
    "Moment",
    "Named",
    "Place",
    "Reason",
    "Request",
    "RoleWord",
    "Sign",
    "Spoken",
    "Text",
]
# Who reads requests needs these with them: they stand in station.spoken.


class MessageRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="message"):
    """A message."""

    precedence: Annotated[str, msgspec.Meta(pattern=r"^(flash|immediate|priority|routine)$")] = "routine"
    subject: Annotated[str, msgspec.Meta(max_length=256)] = ""
    lang: Language | None = None
    text: Text
    to: Annotated[list[RoleWord], msgspec.Meta(min_length=1, max_length=8)] = msgspec.field(
        default_factory=lambda: [WATCH]
    )
    answer_by: Moment | None = None
    acknowledge_by: Moment | None = None
    """By when a person of the other side must have it (spec 6.100)."""
    answers: Named | None = None
    supersedes: Named | None = None
    minimize_considered: bool = False
    """Send it although MINIMIZE stands: whoever says so answers for it."""
    confirm: Confirmation | None = None
    """FLASH from the console: the line's label, typed once more."""


class ServiceRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="service"):
    """Operators' talk."""

    text: Text
    lang: Language | None = None


class WatchRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="watch"):
    """Whether somebody is on watch."""

    attended: bool


class SuspendRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="suspend"):
    """Suspend the line for oneself."""

    reason: Reason = ""


class LiftRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="lift"):
    """Lift one's own suspension."""

    reason: Reason = ""


class ReceiptRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="receipt"):
    """A message was presented, read or relayed."""

    of: Named
    step: Annotated[str, msgspec.Meta(pattern=r"^(presented|read|relayed)$")]
    at: Moment | None = None
    relayed_to: RoleWord | None = None
    unit: Sign | None = None
    """Call-sign of the acting unit it was put before (spec 6.104)."""


class InterimRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="interim"):
    """A holding reply."""

    of: Named
    until: Moment
    text: Reason = ""


class DeclineRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="decline"):
    """A refusal to answer."""

    of: Named
    reason: Reason = ""


class PolicyRequest(Request, frozen=True, kw_only=True):
    """What is to change of the policy in force."""

    title: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    languages: Annotated[list[Language], msgspec.Meta(max_length=16)] | None = None
    test_minutes: Annotated[int, msgspec.Meta(ge=0, le=10_080)] | None = None
    handling_minutes: (
        Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=525_600)]], msgspec.Meta(min_length=4, max_length=4)] | None
    ) = None
    urgent_per_hour: Annotated[int, msgspec.Meta(ge=0, le=2**32)] | None = None
    traffic_per_hour: Annotated[int, msgspec.Meta(ge=0, le=2**32)] | None = None
    attachment_mib_per_day: Annotated[int, msgspec.Meta(ge=0, le=2**20)] | None = None
    release: bool | None = None
    exercise: bool | None = None
    contacts: Annotated[list[ContactTerms], msgspec.Meta(max_length=16)] | None = None
    """The whole schedule anew."""


class ProposeRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="propose"):
    """Propose another policy."""

    policy: PolicyRequest


class ContactRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="contact"):
    """What became of a regular contact, or that one took place outside the schedule."""

    name: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Of the contact in the terms; empty: outside the schedule."""
    occurrence: Annotated[str, msgspec.Meta(max_length=15)] = ""
    """Its local time as the schedule gives it, `20261124T090000`."""
    medium: Annotated[str, msgspec.Meta(pattern=r"^(test|message|call|meeting)$")]
    outcome: Annotated[str, msgspec.Meta(pattern=r"^(kept|declined|no-call|account)$")]
    at: Moment | None = None
    """When it took place; now if it is not given."""
    text: Reason = ""


class CountersignRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="countersign"):
    """It was so, or was not, as the other party says of a contact."""

    of: Place
    agreed: bool = True
    text: Reason = ""


class AssentRequest(Spoken, frozen=True, kw_only=True, tag_field="kind", tag="assent"):
    """Vote for a proposal."""

    proposal: Place


EntryRequest = (
    MessageRequest
    | ServiceRequest
    | WatchRequest
    | SuspendRequest
    | LiftRequest
    | ReceiptRequest
    | InterimRequest
    | DeclineRequest
    | ProposeRequest
    | AssentRequest
    | QueryRequest
    | AnswerRequest
    | TranslationRequest
    | ContactRequest
    | CountersignRequest
)


class BatchRequest(Request, frozen=True, kw_only=True):
    """Several entries, submitted together."""

    entries: Annotated[list[EntryRequest], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


_WATCH = frozenset({WATCH})
_SERVICE = frozenset({TECHNICIAN, WATCH})
_ADMINISTRATOR = frozenset({"administrator"})
_WORDS = frozenset({INTERPRETER, WATCH})


def needed(request: EntryRequest) -> frozenset[str]:
    """The roles one of which may say that."""
    match request:
        case ServiceRequest():
            return _SERVICE
        case ProposeRequest() | AssentRequest():
            return _ADMINISTRATOR
        case QueryRequest() | TranslationRequest():
            return _WORDS
        case _:
            return _WATCH


def entry_of(
    request: EntryRequest, line: LineRunner, people: People, actor: Actor, *, language: str, now: Instant
) -> AnyEntry:
    """The entry that a request asks for. Raises Forbidden, Malformed, Unknown, Conflict or Unavailable."""
    role, sign = people.speaking(actor, request.role, request.sign, needed(request))
    match request:
        case MessageRequest():
            return message_of(request, line, language=language, drafter=sign)
        case ServiceRequest():
            return kinds.Service(text=request.text, language=_language(request.lang, language), sign=sign)
        case WatchRequest():
            return kinds.Watch(attended=request.attended, role=role, sign=sign)
        case SuspendRequest():
            return kinds.Suspend(reason=request.reason, role=role, sign=sign)
        case LiftRequest():
            return kinds.Lift(reason=request.reason, role=role, sign=sign)
        case ReceiptRequest():
            return kinds.Receipt(
                of=find_ref(line, request.of),
                step=one_of(Step, request.step),
                role=role,
                sign=sign,
                at=_took_place(request, now),
                relayed_to=None if request.relayed_to is None else role_of(request.relayed_to),
                unit=_unit(request),
            )
        case InterimRequest():
            of = find_ref(line, request.of)
            return kinds.Interim(of=of, until=Instant(request.until), role=role, sign=sign, text=request.text)
        case DeclineRequest():
            return kinds.Decline(of=find_ref(line, request.of), reason=request.reason, role=role, sign=sign)
        case ProposeRequest():
            engine = line.working()
            if request.policy.exercise not in {None, line.exercise}:
                raise Malformed("a line is an exercise for good, or never: pair another line for the other")
            policy = amended(engine.fold.policy, request.policy)
            return kinds.Propose(replaces=engine.fold.amendments.in_force, policy=policy)
        case AssentRequest():
            return kinds.Assent(find_ref(line, request.proposal))
        case QueryRequest() | AnswerRequest() | TranslationRequest():
            of, tongue = find_ref(line, request.of), _language(request.lang, language)
            return asked_entry(request, of, tongue, role=role, sign=sign)
        case ContactRequest():
            return Contact(
                name=request.name,
                occurrence=request.occurrence,
                medium=MEDIA[request.medium],
                outcome=Outcome[request.outcome.upper().replace("-", "_")],
                at=_took_place(request, now),
                role=role,
                sign=sign,
                text=request.text,
            )
        case CountersignRequest():
            of = find_ref(line, request.of)
            return Countersign(of=of, agreed=request.agreed, role=role, sign=sign, text=request.text)


def _took_place(request: ReceiptRequest | ContactRequest, now: Instant) -> Instant:
    """When it was; now if it is not said. Raises Malformed for a moment later than that."""
    at = Instant(now if request.at is None else request.at)
    if at > now:
        raise Malformed("that moment has not come yet: say when it took place, or leave it out for now")
    return at


def _unit(request: ReceiptRequest) -> str:
    if request.unit is not None and request.step != "relayed":
        raise Malformed("an acting unit goes with relayed")
    return request.unit or ""


def message_of(request: MessageRequest, line: LineRunner, *, language: str, drafter: str) -> kinds.Message:
    """The message that a request asks for, without a releaser."""
    return kinds.Message(
        precedence=one_of(Precedence, request.precedence),
        language=_language(request.lang, language),
        text=request.text,
        subject=request.subject,
        roles=tuple(role_of(name) for name in request.to),
        answer_by=None if request.answer_by is None else Instant(request.answer_by),
        acknowledge_by=None if request.acknowledge_by is None else Instant(request.acknowledge_by),
        answers=None if request.answers is None else find_ref(line, request.answers),
        supersedes=None if request.supersedes is None else find_ref(line, request.supersedes),
        drafter=drafter,
    )


def role_of(name: str) -> Role:
    """The role of that name. Raises Malformed."""
    if name not in ROLES:
        raise Malformed("there is no such role")
    return ROLES[name]


def amended(policy: Policy, request: PolicyRequest) -> Policy:
    """The policy with what the request changes. Raises Malformed or TooLarge."""
    given: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__}
    changes: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value is not None
    }
    contacts = changes.pop("contacts", None)
    if contacts is not None:
        policy = policy_with(policy, contacts)
    return parse_policy(policy_value(replace(policy, **changes)))


def _language(given: str | None, usual: str) -> str:
    return check_language(usual if given is None else given)


# --- references ------------------------------------------------------------------------------------------------


def find_ref(line: LineRunner, named: Named) -> Ref:
    """The entry that a caller names, which must be held here.

    Raises Malformed, Unknown, Foreign (another leaf stands there), Conflict
    (the name fits several messages) or Unavailable.
    """
    if isinstance(named, Place):
        return _placed(line, named)
    found = find_messages(line, named)
    if not found:
        raise Unknown("no such message on this line")
    if len(found) > 1:
        raise Conflict("that name fits several messages: give lane, generation and index")
    place = found[0].place
    return _ref_at(line, place.lane, str(place.generation), place.index)


def find_messages(line: LineRunner, text: str) -> list[MessageStatus]:
    """The messages that people name so; with a date-time group only those of that time. Raises Malformed, TooLarge."""
    reference, engine = parse_reference(text), line.working()
    if reference.station not in line.names:
        raise Unknown("no station of that name is on this line")
    party = line.names.index(reference.station)
    return engine.fold.find(party, reference.serial, urgent=reference.urgent, counter=reference.counter)


def _placed(line: LineRunner, place: Place) -> Ref:
    ref = _ref_at(line, place.lane, place.generation, place.index)
    if place.leaf is not None and place.leaf != ref.leaf.hex():
        raise Foreign("another entry stands at that place")
    return ref


def _ref_at(line: LineRunner, number: int, generation: str, index: int) -> Ref:
    book = line.working().book
    parsed = parse_generation(generation)
    if number >= 2 * len(line.names) or not book.knows(number // 2, parsed):
        raise Unknown("no such lane on this line")
    lane = book.lane(number, parsed)
    rows = book.rows(book.state(lane), index, 1) if index < line.history.size(lane) else ()
    if not rows:
        raise Unknown("no such entry is held here")
    return Ref(lane=number, generation=parsed, index=index, leaf=rows[0].nodes[0])
