"""A call made of entries, for tests: two lanes that grow, and what is said in them."""

from collections.abc import Sequence
from hashlib import sha256

from openline.kernel.lane import GENERATION_ZERO, Generation
from openline.kernel.units import Instant
from openline.protocol import call_entries as c
from openline.protocol.call_keys import commitment
from openline.protocol.call_states import CallBook, Said
from openline.protocol.entries import AnyEntry, Precedence, Role
from openline.protocol.facts import Place
from openline.protocol.fields import Ref

LINE = sha256(b"line").digest()
OFFICER = Role.WATCH_OFFICER
NONCE = sha256(b"nonce").digest()
CALLER_KEY, CALLED_KEY = sha256(b"caller's certificate").digest(), sha256(b"called party's certificate").digest()


def key(name: str) -> bytes:
    """A fingerprint of that name."""
    return sha256(name.encode()).digest()


class Lanes:
    """Lanes as tests write them: `say` appends, and returns what stands there."""

    def __init__(self, parties: int = 2) -> None:
        self.parties = parties
        self.said: list[Said] = []
        self._sizes: dict[tuple[int, Generation], int] = {}
        self.generation = dict.fromkeys(range(parties), GENERATION_ZERO)

    def say(self, party: int, entry: AnyEntry, time: int = 1_000, *, traffic: bool = False) -> Said:
        """That party says this in its urgent lane."""
        lane, generation = 2 * party + traffic, self.generation[party]
        index = self._sizes.get((lane, generation), 1)
        self._sizes[lane, generation] = index + 1
        leaf = sha256(f"{lane} {generation} {index} {entry}".encode()).digest()
        place = Place(lane=lane, generation=generation, index=index)
        said = Said(place=place, leaf=leaf, time=Instant(time), entry=entry)
        self.said.append(said)
        return said

    def ring(self, party: int = 0, precedence: Precedence = Precedence.PRIORITY, time: int = 1_000) -> Said:
        """That party rings."""
        return self.say(party, ring(precedence), time)

    def pick_up(self, party: int, of: Said, name: str = "") -> Said:
        """That party picks up."""
        shown = key(name) if name else CALLED_KEY
        return self.say(party, c.PickUp(of=ref(of), language="fr", role=OFFICER, sign="B2", fingerprint=shown))

    def open(self, of: Said, pick_up: Said, *, shown: bytes = CALLER_KEY, nonce: bytes = NONCE) -> Said:
        """The caller opens its first seat."""
        return self.say(
            of.party,
            c.Seat(
                of=ref(of), act=c.SeatAct.OPENS, number=0, role=OFFICER, sign="K7", fingerprint=shown, nonce=nonce,
                pick_up=ref(pick_up),
            ),
        )  # fmt: skip

    def seat(self, party: int, of: Said, act: c.SeatAct, number: int = 0, name: str = "") -> Said:
        """Something a seat does; `name` names its certificate."""
        shown = key(name) if name else b""
        return self.say(
            party, c.Seat(of=ref(of), act=act, number=number, role=OFFICER, sign=f"S{number}", fingerprint=shown)
        )

    def refuse(self, party: int, of: Said, cause: c.RefusalCause = c.RefusalCause.BUSY) -> Said:
        """That party does not pick up."""
        return self.say(party, c.Refusal(of=ref(of), cause=cause, role=OFFICER, sign="B2", text="why"))

    def hang_up(self, party: int, of: Said, cause: c.EndCause = c.EndCause.ENDED, began: int | None = None) -> Said:
        """That party hangs up."""
        since = None if began is None else Instant(began)
        return self.say(party, c.HangUp(of=ref(of), cause=cause, role=OFFICER, sign="K7", began=since))

    def minutes(self, party: int, of: Said, *clauses: str, replaces: Said | None = None, time: int = 2_000) -> Said:
        """That party drafts minutes."""
        texts = tuple((("en", clause), ("fr", clause)) for clause in clauses)
        named = ref(replaces) if replaces is not None else None
        return self.say(party, c.Minutes(of=ref(of), clauses=texts, role=OFFICER, sign="K7", replaces=named), time)

    def word(self, party: int, of: Said, *agreed: bool) -> Said:
        """What that party says of minutes."""
        words = tuple(c.ClauseWord(agreed=each) for each in agreed)
        return self.say(party, c.MinutesWord(of=ref(of), clauses=words, role=OFFICER, sign="B2"))

    def typed(self, party: int, of: Said, text: str, time: int = 1_500) -> Said:
        """A typed line."""
        return self.say(party, c.TypedLine(of=ref(of), text=text, language="en", role=OFFICER, sign="K7"), time)

    def book(self, said: Sequence[Said] | None = None) -> CallBook:
        """A book that has taken this, or all."""
        book = CallBook(LINE, self.parties)
        for each in self.said if said is None else said:
            book.take(each)
        return book


def ring(precedence: Precedence = Precedence.PRIORITY) -> c.Ring:
    """A ring of the caller whose certificate is CALLER_KEY."""
    return c.Ring(
        precedence=precedence, language="en", roles=(OFFICER,), role=OFFICER, sign="K7",
        commitment=commitment(NONCE, CALLER_KEY),
    )  # fmt: skip


def ref(said: Said) -> Ref:
    """Its name."""
    at = said.place
    return Ref(lane=at.lane, generation=at.generation, index=at.index, leaf=said.leaf)
