"""A regular contact as people write it in a terms file or say it to the local API, and back.

    [[contacts]]
    name = "Morning call"
    rule = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
    start = "2026-11-23T09:00"
    zone = "Europe/Paris"
    medium = "call"

Spec: spec/03-terms.md, 3.22.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from openline.kernel.terms import Policy
from openline.protocol.contact_entries import Medium
from openline.protocol.contacts import (
    MAX_ALSO,
    MAX_DURATION,
    MAX_RULE,
    MAX_TOLERANCE,
    MAX_ZONE,
    RegularContact,
    schedule_of,
    with_contacts,
)
from openline.station.occurrences import zone_of

MEDIA: dict[str, Medium] = {medium.name.lower(): medium for medium in Medium}
_Zone = Annotated[str, msgspec.Meta(max_length=MAX_ZONE)]


class ContactTerms(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One regular contact."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    rule: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_RULE)]
    """RFC 5545, without RRULE: in front."""
    start: Annotated[str, msgspec.Meta(pattern=r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:00)?$")]
    """The first local time, `2026-11-23T09:00`."""
    zone: _Zone
    """IANA, such as Europe/Paris."""
    medium: Annotated[str, msgspec.Meta(pattern=r"^(test|message|call|meeting)$")]
    begins: Annotated[str, msgspec.Meta(max_length=16)] = ""
    """The station that begins; empty: any."""
    tolerance_minutes: Annotated[int, msgspec.Meta(ge=1, le=MAX_TOLERANCE)] = 30
    """So long before and after, it still counts as kept."""
    duration_minutes: Annotated[int, msgspec.Meta(ge=0, le=MAX_DURATION)] = 30
    also: Annotated[tuple[_Zone, ...], msgspec.Meta(max_length=MAX_ALSO)] = ()
    """Zones in which it is shown besides: the other floor's."""


def contact_of(terms: ContactTerms) -> RegularContact:
    """The contact that is meant; not yet judged."""
    digits = terms.start.replace("-", "").replace(":", "")
    return RegularContact(
        name=terms.name,
        rule=terms.rule.removeprefix("RRULE:"),
        start=digits[:13] + "00",
        zone=terms.zone,
        medium=MEDIA[terms.medium],
        begins=terms.begins,
        tolerance_minutes=terms.tolerance_minutes,
        duration_minutes=terms.duration_minutes,
        also=terms.also,
    )


def terms_of(contact: RegularContact) -> ContactTerms:
    """The contact as people write it."""
    at = contact.start
    return ContactTerms(
        name=contact.name,
        rule=contact.rule,
        start=f"{at[:4]}-{at[4:6]}-{at[6:8]}T{at[9:11]}:{at[11:13]}",
        zone=contact.zone,
        medium=contact.medium.name.lower(),
        begins=contact.begins,
        tolerance_minutes=contact.tolerance_minutes,
        duration_minutes=contact.duration_minutes,
        also=contact.also,
    )


def policy_with(policy: Policy, contacts: Sequence[ContactTerms]) -> Policy:
    """The policy with these contacts in the place of its own.

    Raises Malformed, TooLarge, or Unknown for a zone that this machine does not have: nobody proposes what he
    cannot keep.
    """
    made = [contact_of(each) for each in contacts]
    for contact in made:
        for zone in (contact.zone, *contact.also):
            zone_of(zone)
    return with_contacts(policy, made)


def contacts_of(policy: Policy) -> tuple[ContactTerms, ...]:
    """The contacts of a policy, as people write them; those not understood are left out."""
    return tuple(terms_of(contact) for contact in schedule_of(policy).contacts)
