"""What officers do with their own way in: passkeys, recovery codes, sessions."""

from typing import Annotated

import msgspec

from openline.console.entering import CredentialRequest, me_view
from openline.console.passkeys import key_name
from openline.console.views import CodesView, PasskeysView, RegisteredView, SessionsView, SessionView, passkey_view
from openline.console.visits import Operation, Visit, done
from openline.kernel.errors import Unknown
from openline.station.calls import Reply, reply
from openline.station.people import ADMINISTRATOR


class RegisterRequest(CredentialRequest, frozen=True, kw_only=True):
    """A passkey's answer, and what its owner calls it."""

    name: Annotated[str, msgspec.Meta(max_length=64)] = ""


_REGISTER = msgspec.json.Decoder(RegisterRequest)


async def begin_registration(visit: Visit) -> Reply:
    """What a browser needs to make a passkey."""
    _, officer = visit.me
    return Reply(data=visit.desk.passkeys.begin_registration(officer))


async def finish_registration(visit: Visit) -> Reply:
    """Keep a passkey. With the first one come recovery codes."""
    desk = visit.desk
    asked = await visit.json(_REGISTER)
    _, officer = visit.me
    officer = desk.passkeys.finish_registration(officer, asked.credential, asked.name or visit.browser)
    codes = desk.officers.new_codes(officer) if not officer.codes else []
    return reply(RegisteredView(**msgspec.structs.asdict(me_view(visit)), recovery_codes=codes))


async def passkeys(visit: Visit) -> Reply:
    """The caller's passkeys."""
    _, officer = visit.me
    return reply(PasskeysView(passkeys=[passkey_view(each) for each in officer.passkeys]))


async def forget_passkey(visit: Visit) -> Reply:
    """Forget a passkey: lost, or another one's now."""
    _, officer = visit.me
    left = tuple(each for each in officer.passkeys if key_name(each) != visit.part("id"))
    if len(left) == len(officer.passkeys):
        raise Unknown("you have no such passkey")
    visit.desk.officers.put(msgspec.structs.replace(officer, passkeys=left))
    return done()


async def new_codes(visit: Visit) -> Reply:
    """Ten new recovery codes."""
    _, officer = visit.me
    return reply(CodesView(codes=visit.desk.officers.new_codes(officer)))


async def sessions(visit: Visit) -> Reply:
    """The caller's sessions; an administrator sees everybody's."""
    mine, officer = visit.me
    shown = []
    for each in visit.desk.sessions:
        owner = visit.desk.officers.numbered(each.officer)
        if owner is not None and (owner.number == officer.number or ADMINISTRATOR in officer.roles):
            shown.append(
                SessionView(
                    id=each.id,
                    sign=owner.sign,
                    made=each.made,
                    seen=each.seen,
                    locked=each.locked,
                    this=each is mine,
                    browser=each.browser,
                )
            )
    return reply(SessionsView(sessions=shown))


async def end_session(visit: Visit) -> Reply:
    """Sign a session out: one's own, or as an administrator anybody's."""
    _, officer = visit.me
    for each in visit.desk.sessions:
        owner = visit.desk.officers.numbered(each.officer)
        may = each.officer == officer.number or ADMINISTRATOR in officer.roles
        if each.id == visit.part("id") and may:
            visit.desk.sessions.end(each)
            visit.noted = owner.sign if owner is not None else ""
            return done()
    raise Unknown("there is no such session")


ROUTES = (
    Operation(method="POST", path="/passkey/register/begin", handler=begin_registration),
    Operation(
        method="POST", path="/passkey/register/finish", handler=finish_registration, act="passkey-add", first=True
    ),
    Operation(method="GET", path="/passkeys", handler=passkeys),
    Operation(method="POST", path="/passkeys/{id}/forget", handler=forget_passkey, act="passkey-forget", first=True),
    Operation(method="POST", path="/recovery/codes", handler=new_codes, act="recovery-codes", first=True),
    Operation(method="GET", path="/sessions", handler=sessions),
    Operation(method="POST", path="/sessions/{id}/end", handler=end_session, act="session-end", first=True),
)
