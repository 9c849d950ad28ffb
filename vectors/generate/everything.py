"""All cases of all groups."""

from collections.abc import Iterator

from vectors.generate import calls, codecs, curves, envelopes, epochs, identities, keyring, lanes, notes, trees
from vectors.generate.case import Case


def cases() -> Iterator[Case]:
    """Every case, group by group."""
    for group in (codecs, curves, trees, identities, lanes, notes, envelopes, epochs, keyring, calls):
        yield from group.cases()
