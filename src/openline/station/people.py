"""Who acts: the user behind a connection, with signs and roles.

The kernel of the operating system says which user is at the other end of the
socket; nothing that a caller sends does. An act is refused unless the actor
has one of the roles that it needs. The other side sees a role and a sign.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from openline.kernel.errors import Forbidden, Malformed
from openline.protocol.entries import Role

ROLES: Mapping[str, Role] = {role.name.lower().replace("_", "-"): role for role in Role}
"""Roles by the names that configuration and API use."""
WATCH, PRINCIPAL, TECHNICIAN, AUDITOR, ADMINISTRATOR = (
    "watch-officer", "principal", "technician", "auditor", "administrator"
)  # fmt: skip
INTERPRETER = "interpreter"
_SIGN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody at this station."""

    uid: int
    signs: tuple[str, ...]
    roles: frozenset[str]

    @property
    def at_console(self) -> bool:
        """Whether it is an officer signed in at the console: those have numbers that no Unix user has."""
        return self.uid < 0


class People:
    """Everybody who may act here."""

    def __init__(self, actors: Mapping[int, Actor], *, any_sign: bool = False) -> None:
        self._actors, self._any_sign = actors, any_sign

    def actor(self, uid: int) -> Actor:
        """Who that user is. Raises Forbidden."""
        found = self._actors.get(uid)
        if found is None:
            raise Forbidden("this user has no role at this station")
        return found

    def allow(self, actor: Actor, roles: frozenset[str]) -> None:
        """Raise Forbidden unless the actor has one of these roles (none needed: everybody may)."""
        if roles and not roles & actor.roles:
            raise Forbidden("this user does not have the role for that")

    def speaking(self, actor: Actor, role: str | None, sign: str | None, allowed: frozenset[str]) -> tuple[Role, str]:
        """The role and sign under which an entry is signed.

        Only what the configuration gives the actor; with a simulated clock any
        sign, because there nothing is live. Raises Forbidden or Malformed.
        """
        if role is None:
            role = next((name for name in ROLES if name in allowed and name in actor.roles), None)
        if role is None or role not in actor.roles or role not in allowed:
            raise Forbidden("this user does not have the role for that")
        if sign is None:
            return ROLES[role], actor.signs[0]
        if not 1 <= len(sign) <= 12 or not set(sign) <= _SIGN:
            raise Malformed("a sign is 1 to 12 of A-Z and 0-9")
        if sign not in actor.signs and not self._any_sign:
            raise Forbidden("this user does not have that sign")
        return ROLES[role], sign
