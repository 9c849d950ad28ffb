"""Bodies of the kinds about contacts: to members and back.

Spec: spec/06-entries.md, 6.90 to 6.92.
"""

from openline.kernel.codec import Value
from openline.kernel.errors import Malformed
from openline.protocol.body_fields import Members, flag, given, instant, one_of, sign, text
from openline.protocol.contact_entries import MAX_CONTACT_NAME, Contact, Countersign, Medium, Outcome
from openline.protocol.contacts import check_contact_name, check_local
from openline.protocol.fields import decode_ref, encode_ref
from openline.protocol.numbers import MAX_REASON, Role

_MEDIA = {int(m): m for m in Medium}
_OUTCOMES = {int(o): o for o in Outcome}
_ROLES = {int(r): r for r in Role}


def contact_members(entry: Contact) -> dict[int, Value]:
    """The members of a contact's body."""
    members: dict[int, Value] = {2: entry.medium, 3: entry.outcome, 4: entry.at, 5: entry.role, 6: entry.sign}
    named = given(0, entry.name or None) | given(1, entry.occurrence or None)
    return named | members | given(7, entry.text or None)


def countersign_members(entry: Countersign) -> dict[int, Value]:
    """The members of a countersignature's body."""
    members: dict[int, Value] = {0: encode_ref(entry.of), 1: entry.agreed, 2: entry.role, 3: entry.sign}
    return members | given(4, entry.text or None)


def read_contact(members: Members) -> Contact:
    """A contact. Raises Malformed or TooLarge."""
    if (0 in members) is not (1 in members):
        raise Malformed("a contact of the schedule has a name and an occurrence")
    outcome = one_of(members, 3, _OUTCOMES)
    if 0 not in members and outcome is not Outcome.KEPT:
        raise Malformed("outside the schedule a contact takes place or does not exist")
    return Contact(
        name=check_contact_name(text(members, 0, MAX_CONTACT_NAME)) if 0 in members else "",
        occurrence=check_local(text(members, 1, 15)) if 1 in members else "",
        medium=one_of(members, 2, _MEDIA),
        outcome=outcome,
        at=instant(members, 4),
        role=one_of(members, 5, _ROLES),
        sign=sign(members, 6),
        text=text(members, 7, MAX_REASON) if 7 in members else "",
    )


def read_countersign(members: Members) -> Countersign:
    """A countersignature. Raises Malformed or TooLarge."""
    return Countersign(
        of=decode_ref(members.get(0)),
        agreed=flag(members, 1),
        role=one_of(members, 2, _ROLES),
        sign=sign(members, 3),
        text=text(members, 4, MAX_REASON) if 4 in members else "",
    )
