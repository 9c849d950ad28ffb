"""The three errors of the house: Refused, Unavailable, Bug.

Messages are constants: they never quote input, so that neither content nor
keys nor addresses can reach a log or a traceback through them. `code` is the
stable name that people, logs, vectors and the command line use.
"""


class Refused(Exception):
    """Their input is wrong. Nothing changed; the caller may drop it and go on."""

    code = "refused"


class Malformed(Refused):
    """The bytes are not in the one form that the specification allows."""

    code = "malformed"


class TooLarge(Refused):
    """A bound of the specification is exceeded."""

    code = "too-large"


class Forged(Refused):
    """A signature, MAC, seal or proof does not check."""

    code = "forged"


class Foreign(Refused):
    """It is about another line, lane, generation or party than it must be."""

    code = "foreign"


class Replayed(Refused):
    """It was seen before, or its key has been erased."""

    code = "replayed"


class Forbidden(Refused):
    """This key, party or actor may not do that."""

    code = "forbidden"


class Unknown(Refused):
    """What it names does not exist here."""

    code = "unknown"


class Conflict(Refused):
    """It does not fit what already stands (a second writer, a crossed state)."""

    code = "conflict"


class Unavailable(Exception):
    """The world does not let us: a disk is full, a file locked. Try again."""

    code = "unavailable"


class Bug(Exception):
    """Ours: a state that cannot be. The line concerned stops, visibly."""

    code = "bug"
