"""Importing this makes the derivation of envelope keys remember what it derived.

A receiver derives a thousand keys ahead, and a target that makes one anew for each input would do nothing else. It is a
pure function of 32 bytes.
"""

import functools

from openline.kernel import envelope

setattr(envelope, "_step", functools.lru_cache(maxsize=100_000)(envelope._step))  # noqa: B010, SLF001
