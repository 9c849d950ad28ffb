"""One target under atheris, in a process of its own: python -m fuzz.child TARGET [libFuzzer's own options and folders].

Everything of openline that the target imports is instrumented, and nothing else.
"""

import sys

import atheris  # type: ignore[import-untyped]

from fuzz.table import TARGETS
from fuzz.target import accepted


def main() -> None:
    """Runs until libFuzzer ends the process."""
    target = TARGETS[sys.argv[1]]
    with atheris.instrument_imports(include=["openline", "fuzz.canary"]):
        run = target.make()
        mutate = target.mutator()

    def one(data: bytes) -> None:
        accepted(run, data)

    # libFuzzer starts itself again, through a shell, when it merges.
    words = [f"{sys.executable} -m fuzz.child {target.name}", *sys.argv[2:]]
    if mutate is None:
        atheris.Setup(words, one)
    else:
        atheris.Setup(words, one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
