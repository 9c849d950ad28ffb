"""Make every vector anew: .venv/bin/python -m vectors.generate

Pinned ones (their makers use fresh randomness) are made only if they are missing. Files that no program makes are named.
"""

from vectors.generate import case, everything


def main() -> None:
    """Write all, and say what is left over."""
    written = case.write(everything.cases())
    print(f"{len(written)} vectors")
    strays = {place.relative_to(case.FOLDER).as_posix() for place in case.FOLDER.glob("*/*.json")} - set(written)
    for stray in sorted(strays):
        print(f"made by no program: {stray}")


if __name__ == "__main__":
    main()
