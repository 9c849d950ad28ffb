"""Which clauses of the specification no test cites.

    .venv/bin/python -m tests.house.clauses        prints them

A clause is a line of spec/*.md with its number in bold (**3.4**). A test cites it in its name
(test_3_4_...; the number must be followed by words) or by number in a docstring under tests/.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLAUSE = re.compile(r"^\s*(?:[-*]\s+)?\*\*(\d+\.\d+(?:\.\d+)?)\.?\*\*", re.MULTILINE)
IN_NAME = re.compile(r"^test_(\d+_\d+(?:_\d+)?)_[a-z]")
FOREIGN = re.compile(r"(?:RFC \d+|TLS|HTTP|Python|SQLite|version|v)[ ,/]*\d[\d.]*", re.IGNORECASE)
"""Numbers that look like ours and are not."""
IN_TEXT = re.compile(r"(?<![\d.])(\d+\.\d+(?:\.\d+)?)(?![\d]|\.\d)")


def clauses() -> list[str]:
    """Every clause number, in the order of the specification."""
    texts = [path.read_text() for path in sorted((ROOT / "spec").glob("*.md"))]
    return list(dict.fromkeys(number for text in texts for number in CLAUSE.findall(text)))


def cited_in(text: str) -> set[str]:
    """The clause numbers that one test file cites."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.update(IN_TEXT.findall(FOREIGN.sub("", ast.get_docstring(node) or "")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.update(number.replace("_", ".") for number in IN_NAME.findall(node.name))
    return found


def uncited() -> list[str]:
    """The clauses that no test under tests/ cites."""
    cited = {number for path in (ROOT / "tests").rglob("test_*.py") for number in cited_in(path.read_text())}
    return [number for number in clauses() if number not in cited]


def report() -> str:
    """One line for the end of a run."""
    total, missing = len(clauses()), len(uncited())
    return f"specification: {total - missing} of {total} clauses are cited by a test"


if __name__ == "__main__":
    print(report())
    print(*uncited(), sep="\n")
