"""Calls about keys: what there is, a new one in the place of another, theft, and the papers of a line.

Nothing secret passes here. The root key signs in the caller's process: `plan` says what, `rotate` takes it over.
"""

import base64
import binascii
from functools import partial
from typing import Annotated

import msgspec

from openline.kernel.errors import Malformed
from openline.kernel.keys import Card, read_card
from openline.kernel.lane import Generation, parse_generation
from openline.protocol.engine import Engine
from openline.protocol.entries import KeyRole
from openline.protocol.statements import is_contradiction
from openline.protocol.vouching import is_stolen, key_notices
from openline.station.bearer_answers import Answer
from openline.station.calls import TEXT, Call, Reply, Route, reply
from openline.station.cards import MAX_CARD_TEXT, unarmoured
from openline.station.keys import Plan, lane_name
from openline.station.keystore import ROOT
from openline.station.line_papers import make_papers
from openline.station.line_runner import LineRunner
from openline.station.people import ADMINISTRATOR, TECHNICIAN
from openline.station.requests import Request
from openline.station.runtime import Station

RoleName = Annotated[str, msgspec.Meta(pattern=r"^(lane|certificate)$")]
StolenName = Annotated[str, msgspec.Meta(pattern=r"^(psk|data|root)$")]
Hex32 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class PlanRequest(Request, frozen=True, kw_only=True):
    """Which key is to be replaced."""

    role: RoleName


class StatementRequest(Request, frozen=True, kw_only=True):
    """A key statement for one line."""

    line: Hex32
    generation: Annotated[str, msgspec.Meta(max_length=27)]
    statement: Annotated[str, msgspec.Meta(max_length=16_384)]
    """In base64."""


class RotateRequest(Request, frozen=True, kw_only=True):
    """What the root has signed."""

    role: RoleName
    stolen: bool = False
    """The key that is replaced is held for stolen."""
    card: Annotated[str, msgspec.Meta(max_length=MAX_CARD_TEXT)]
    statements: Annotated[list[StatementRequest], msgspec.Meta(max_length=1_024)] = msgspec.field(default_factory=list)


class StolenRequest(Request, frozen=True, kw_only=True):
    """What is held for stolen: a line's pairing keys, everything in the station, or the root key."""

    role: StolenName
    line: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class CardRequest(Request, frozen=True, kw_only=True):
    """A newer card of another party."""

    card: Annotated[str, msgspec.Meta(max_length=MAX_CARD_TEXT)]


class KeyView(Answer, frozen=True, kw_only=True):
    """One key."""

    role: str
    """root, lane, certificate, psk, epoch or data."""
    party: str
    """Whose; of a pairing key and an epoch, with whom."""
    line: str
    """The line's label; empty for what the whole station uses."""
    name: str
    """What names it, in hexadecimal; empty where nothing may."""
    since: int | None
    """When it was made, or is known since, ms; None where that was not written down."""
    state: str
    """in-use, retired, waiting, replaced, stolen, missing, offline, here."""
    note: str
    """For a lane key the generation since which it signs; for what waits, for whom."""


class KeysView(Answer, frozen=True, kw_only=True):
    """All keys, ours and what is known of the others'."""

    keys: list[KeyView]
    contradictions: int
    """Pieces of evidence that a root signed two lane keys for one generation."""


class PlaceView(Answer, frozen=True, kw_only=True):
    """A generation of a line."""

    label: str
    line: str
    party: int
    generation: str


class PlanView(Answer, frozen=True, kw_only=True):
    """What the root is to sign: a card of these, and for a lane key a statement for each place."""

    name: str
    addresses: list[str]
    lane_ed25519: str
    lane_mldsa: str
    certificate: str
    """In base64, as the keys."""
    now: int
    places: list[PlaceView]


class RotatedView(Answer, frozen=True, kw_only=True):
    """What was done."""

    lines: list[str]
    waits_for: list[str]
    """Parties that have not yet acknowledged a new certificate."""


def _plan_view(station: Station, plan: Plan) -> PlanView:
    return PlanView(
        name=station.card.name,
        addresses=list(station.card.addresses),
        lane_ed25519=_coded(plan.lane.ed25519_key),
        lane_mldsa=_coded(plan.lane.mldsa_key),
        certificate=_coded(plan.certificate),
        now=station.clock.wall(),
        places=[
            PlaceView(label=each.label, line=each.line.hex(), party=each.party, generation=str(each.generation))
            for each in plan.places
        ],
    )


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def look(call: Call) -> Reply:
    """All keys."""
    station = call.station
    found = [*_own(station)]
    contradictions = 0
    for line in station.lines.values():
        found += _of_line(station, line)
        contradictions += sum(is_contradiction(put.evidence) for put in line.history.evidence())
    return reply(KeysView(keys=found, contradictions=contradictions))


def _own(station: Station) -> list[KeyView]:
    """Those that the whole station uses."""
    keys, me = station.keystore.own, station.config.name

    def view(role: str, name: bytes, since: int, state: str, note: str = "") -> KeyView:
        return KeyView(role=role, party=me, line="", name=name.hex(), since=since or None, state=state, note=note)

    here = (station.home / "keys" / ROOT).exists()
    found = [view("root", station.card.fingerprint, 0, "here" if here else "offline")]
    for place, made in enumerate(keys.lanes):
        state = "in-use" if place == keys.lane_in_use else "retired" if place < keys.lane_in_use else "waiting"
        found.append(view("lane", lane_name(keys.signer(place).public), made.at, state))
    for place, made in enumerate(keys.tls):
        note = ", ".join(station.keys.waits_for()) if place else ""
        found.append(view("certificate", keys.certificate_name(place), made.at, "waiting" if place else "in-use", note))
    found.append(view("data", b"", 0, "in-use"))
    return found


def _of_line(station: Station, line: LineRunner) -> list[KeyView]:
    """Those of one line: every party's lane keys, and for each other party its root, pairing key and epoch."""
    engine = line.engine
    if engine is None:
        return []
    stolen = {(party, notice.role): notice for party, notice in key_notices(engine.fold) if notice.stolen}
    found: list[KeyView] = []
    for party in range(len(line.names)):
        view = partial(_view, line, party)
        ring, held = engine.book.rings[party], engine.book.current(party)
        for generation, key in ring.keys:
            state = "in-use" if key is ring.lane(held) else "replaced"
            found.append(view("lane", state, name=lane_name(key), note=str(generation)))
        if party == line.party:
            continue
        root = line.cards[party].fingerprint
        found.append(view("root", "stolen" if (party, KeyRole.ROOT) in stolen else "in-use", name=root))
        if (party, KeyRole.DATA) in stolen:
            found.append(view("data", "stolen"))
        found += _shared(station, line, engine, party)
    return found


def _shared(station: Station, line: LineRunner, engine: Engine, party: int) -> list[KeyView]:
    """Pairing keys and the epoch with another party."""
    peer, found = engine.peers[party], list[KeyView]()
    view = partial(_view, line, party)
    for place, secret in enumerate(peer.secrets.all):
        alone = len(peer.secrets.all) == 1 and party in station.keystore.psks(line.line)
        waiting = place == 0 and not alone
        state = "stolen" if is_stolen(engine.fold, secret.name) else "waiting" if waiting else "in-use"
        since = 0 if waiting else station.keystore.psk_since(line.line, party)
        found.append(view("psk", state, name=secret.name, since=since))
    if not peer.secrets.all:
        found.append(view("psk", "missing"))
    if peer.epoch is not None:
        found.append(view("epoch", "in-use", since=peer.epoch.opened, note=str(peer.epoch.attempt)))
    return found


def _view(
    line: LineRunner, party: int, role: str, state: str, *, name: bytes = b"", since: int = 0, note: str = ""
) -> KeyView:
    return KeyView(
        role=role,
        party=line.names[party],
        line=line.label,
        name=name.hex(),
        since=since or None,
        state=state,
        note=note,
    )


async def plan(call: Call) -> Reply:
    """Say what the root is to sign."""
    asked = await call.json(_PLAN)
    role = KeyRole.LANE if asked.role == "lane" else KeyRole.CERTIFICATE
    return reply(_plan_view(call.station, call.station.keys.plan(role)))


async def rotate(call: Call) -> Reply:
    """Take over what the root has signed."""
    asked = await call.json(_ROTATE)
    card, keys = _card(asked.card), call.station.keys
    if asked.role == "lane":
        statements = {bytes.fromhex(each.line): _statement(each) for each in asked.statements}
        lines = await keys.take_lane(card, statements, stolen=asked.stolen)
    else:
        lines = await keys.take_certificate(card, stolen=asked.stolen)
    return reply(RotatedView(lines=lines, waits_for=keys.waits_for()))


def _card(text: str) -> Card:
    return read_card(unarmoured(text))


def _statement(asked: StatementRequest) -> tuple[Generation, bytes]:
    try:
        return parse_generation(asked.generation), base64.b64decode(asked.statement, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("a statement is base64") from None


async def stolen(call: Call) -> Reply:
    """Hold a key for stolen that needs no signature of the root to be given up."""
    asked = await call.json(_STOLEN)
    station = call.station
    if asked.role == "psk":
        if asked.line is None:
            raise Malformed("a pairing key is of a line: name it")
        line = station.find(asked.line)
        call.noted = line.label
        await station.keys.psk_stolen(line)
        return reply(RotatedView(lines=[line.label], waits_for=[]))
    await (station.keys.data_stolen() if asked.role == "data" else station.keys.root_stolen())
    return reply(RotatedView(lines=[line.label for line in station.lines.values()], waits_for=[]))


async def take_card(call: Call) -> Reply:
    """Take a newer card of another party, brought by hand."""
    asked = await call.json(_TAKE)
    line = call.line
    call.station.keys.card_by_hand(line, _card(asked.card))
    return reply(RotatedView(lines=[line.label], waits_for=[]))


async def papers(call: Call) -> Reply:
    """The papers of a line, for a party that has lost its station."""
    line, newest = call.line, call.station.keys.newest
    cards = [call.station.card if party == line.party else newest(card) for party, card in enumerate(line.cards)]
    return Reply(media=TEXT, data=make_papers(line.record, line.history, cards).encode())


_PLAN = msgspec.json.Decoder(PlanRequest)
_ROTATE = msgspec.json.Decoder(RotateRequest)
_TAKE = msgspec.json.Decoder(CardRequest)
_STOLEN = msgspec.json.Decoder(StolenRequest)
_WHO = frozenset({ADMINISTRATOR})

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/keys",
        handler=look,
        summary="List keys: role, name, since when, where used, state",
        roles=frozenset({ADMINISTRATOR, TECHNICIAN}),
        answers={200: KeysView},
    ),
    Route(
        method="POST",
        path="/keys/plan",
        handler=plan,
        summary="Make a new key, not yet in use, and say what the root key has to sign",
        roles=_WHO,
        body=PlanRequest,
        answers={200: PlanView},
        act="keys-plan",
    ),
    Route(
        method="POST",
        path="/keys/rotate",
        handler=rotate,
        summary="Put a new key in place, as the root key has signed",
        roles=_WHO,
        body=RotateRequest,
        answers={200: RotatedView},
        act="keys-rotate",
        first=True,
    ),
    Route(
        method="POST",
        path="/keys/stolen",
        handler=stolen,
        summary="Hold pairing keys, the whole station's keys or the root key for stolen, and say so on the line",
        roles=_WHO,
        body=StolenRequest,
        answers={200: RotatedView},
        act="keys-stolen",
        first=True,
    ),
    Route(
        method="POST",
        path="/lines/{line}/cards",
        handler=take_card,
        summary="Take a newer card of another party, brought by hand",
        roles=_WHO,
        body=CardRequest,
        answers={200: RotatedView},
        act="card-taken",
    ),
    Route(
        method="GET",
        path="/lines/{line}/papers",
        handler=papers,
        summary="The papers of a line, for a party that has lost its station",
        roles=_WHO,
        answers={200: TEXT},
        act="papers",
    ),
)
