"""The terms of a line as people write them: a TOML file, or the same members as JSON at the local API.

Both floors write the same proposal; pairing compares them member by member
and says which differ. Every member has a default; an unknown one is refused,
because a misspelt word must not silently become a default.

Spec: spec/03-terms.md, 3.7.
"""

import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec

from openline.kernel.errors import Malformed, Refused, TooLarge, Unavailable, Unknown
from openline.kernel.terms import Policy, parse_policy, policy_value
from openline.protocol.contacts import MAX_CONTACTS
from openline.station.contact_terms import ContactTerms, contacts_of, policy_with

MAX_FILE: Final = 65_536
"""Bytes: a commented example has 3 KB."""
MAX_TITLE: Final = 256
"""Bytes (spec 12)."""

Minutes = Annotated[int, msgspec.Meta(ge=0, le=525_600)]
PerHour = Annotated[int, msgspec.Meta(ge=0, le=2**32)]

_DEFAULT: Final = Policy()


class Handling(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Minutes within which the receiver handles a message, by precedence."""

    flash: Minutes = _DEFAULT.handling_minutes[0]
    immediate: Minutes = _DEFAULT.handling_minutes[1]
    priority: Minutes = _DEFAULT.handling_minutes[2]
    routine: Minutes = _DEFAULT.handling_minutes[3]


class Quota(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What each party may send."""

    urgent_per_hour: PerHour = _DEFAULT.urgent_per_hour
    traffic_per_hour: PerHour = _DEFAULT.traffic_per_hour
    attachment_mib_per_day: Annotated[int, msgspec.Meta(ge=0, le=2**20)] = _DEFAULT.attachment_mib_per_day


class Proposal(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The proposed policy of a line."""

    title: str = _DEFAULT.title
    languages: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=16)] = _DEFAULT.languages
    test_minutes: Annotated[int, msgspec.Meta(ge=0, le=10_080)] = _DEFAULT.test_minutes
    handling: Handling = msgspec.field(default_factory=Handling)
    quota: Quota = msgspec.field(default_factory=Quota)
    release: bool = _DEFAULT.release
    exercise: bool = _DEFAULT.exercise
    contacts: Annotated[tuple[ContactTerms, ...], msgspec.Meta(max_length=MAX_CONTACTS)] = ()


_RULES: Final[dict[str, str]] = {
    "": "terms have the members title, languages, test_minutes, handling, quota, release, exercise and contacts, and no others",
    "title": "title is a text of at most 256 bytes",
    "languages": 'languages are 1 to 16 tags in brackets, such as ["en", "fr", "sr-Latn"]',
    "test_minutes": "test_minutes is a whole number from 0 (no tests) to 10080 (a week)",
    "handling": "handling has flash, immediate, priority and routine, and no others: minutes from 0 to 525600 (a year)",
    "quota": "quota has urgent_per_hour and traffic_per_hour, up to 4294967296, attachment_mib_per_day, up to 1048576",
    "release": "release is true or false",
    "exercise": "exercise is true or false",
    "contacts": "contacts are at most 16, each with a name of its own, rule, start, zone and medium: see examples/terms.toml",
}


class TermsRefused(Refused):
    """A proposal that is none; `member` is the one that is wrong, empty for the whole, and the message is its rule."""

    code = "terms"

    def __init__(self, member: str) -> None:
        super().__init__(_RULES[member])
        self.member = member


def read_terms_file(path: Path) -> Policy:
    """The policy in a TOML file. Raises Unknown (no file), Unavailable, TooLarge, Malformed (no TOML) or TermsRefused."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise Unknown("there is no such terms file") from None
    except OSError:
        raise Unavailable("the terms file cannot be read") from None
    return parse_terms_file(data)


def parse_terms_file(data: bytes) -> Policy:
    """The policy in the bytes of a TOML file. Raises as `read_terms_file`."""
    if len(data) > MAX_FILE:
        raise TooLarge("the terms file is too large")
    try:
        members = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("the terms file is not TOML") from None
    for contact in members.get("contacts", []) if isinstance(members.get("contacts", []), list) else []:
        if isinstance(contact, dict) and isinstance(
            contact.get("start"), datetime
        ):  # TOML has such a type, JSON has none
            contact["start"] = contact["start"].isoformat(timespec="minutes")
    return policy_of_members(members)


def policy_of_members(members: object) -> Policy:
    """The policy in decoded TOML or JSON. Raises TermsRefused."""
    try:
        return policy_of(msgspec.convert(members, Proposal))
    except msgspec.ValidationError as wrong:
        # Of the library's message only the name of a member of ours is taken: the rest may quote.
        found = re.search(r"at `\$\.([a-z_]+)", str(wrong))
        raise TermsRefused(found[1] if found and found[1] in _RULES else "") from None


def policy_of(proposal: Proposal) -> Policy:
    """The policy that a proposal means. Raises TermsRefused."""
    handling, quota = proposal.handling, proposal.quota
    if len(proposal.title.encode()) > MAX_TITLE:
        raise TermsRefused("title")
    policy = Policy(
        title=proposal.title,
        languages=proposal.languages,
        test_minutes=proposal.test_minutes,
        handling_minutes=(handling.flash, handling.immediate, handling.priority, handling.routine),
        urgent_per_hour=quota.urgent_per_hour,
        traffic_per_hour=quota.traffic_per_hour,
        attachment_mib_per_day=quota.attachment_mib_per_day,
        release=proposal.release,
        exercise=proposal.exercise,
    )
    try:
        return _with_contacts(parse_policy(policy_value(policy)), proposal.contacts)
    except (Malformed, TooLarge):
        raise TermsRefused("languages") from None


def _with_contacts(policy: Policy, contacts: tuple[ContactTerms, ...]) -> Policy:
    try:
        return policy_with(policy, contacts)
    except (Malformed, TooLarge, Unknown):
        raise TermsRefused("contacts") from None


def proposal_of(policy: Policy) -> Proposal:
    """The proposal that says a policy; members of a newer version are left out."""
    flash, immediate, priority, routine = policy.handling_minutes
    return Proposal(
        title=policy.title,
        languages=policy.languages,
        test_minutes=policy.test_minutes,
        handling=Handling(flash=flash, immediate=immediate, priority=priority, routine=routine),
        quota=Quota(
            urgent_per_hour=policy.urgent_per_hour,
            traffic_per_hour=policy.traffic_per_hour,
            attachment_mib_per_day=policy.attachment_mib_per_day,
        ),
        release=policy.release,
        exercise=policy.exercise,
        contacts=contacts_of(policy),
    )


def differing(ours: Policy, theirs: Policy) -> tuple[str, ...]:
    """The members in which two policies differ, by name; "other" for those of a newer version."""
    left, right = proposal_of(ours), proposal_of(theirs)
    names = [name for name in left.__struct_fields__ if getattr(left, name) != getattr(right, name)]
    return (*names, *(("other",) if ours.extra != theirs.extra and "contacts" not in names else ()))
