"""The operators' pages that are made from the program: commands.md and exit-codes.md.

.venv/bin/python -m tests.e2e.pages     writes them anew
"""

from collections.abc import Mapping
from pathlib import Path

import click

from openline.cli.command import load, root
from openline.cli.contents import CONTENTS
from openline.cli.failures import MEANINGS
from openline.cli.language import choose

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "operators"
COLUMNS = 100

COMMANDS = """\
# Commands

What `openline COMMAND --help` says, pasted; a test fails when it is stale. Exit codes: [exit-codes.md](exit-codes.md).

Every command takes `--json`: then it prints one object (`history` and `tail`: one a line), and a failure as
`{"error": NAME, "message": WHAT, "do": WHAT TO DO, "exit": CODE}`. Colour is added on a terminal only, and never alone;
`NO_COLOR` turns it off. The interface speaks English, French and Russian: `--lang-ui`, `OPENLINE_LANG`, `LANG`.
"""

CODES = """\
# Exit codes

One table for all commands; made from the program, a test fails when it is stale.

| code | name in JSON | meaning |
|---|---|---|
"""


def helped(words: str, made: click.Command) -> str:
    """A command's help, as it looks on a wide terminal."""
    context = click.Context(made, info_name=words, terminal_width=COLUMNS, max_content_width=COLUMNS)
    return made.get_help(context).rstrip() + "\n"


def written() -> Mapping[Path, str]:
    """Each page as it must be."""
    choose("en")
    parts = [COMMANDS, f"```\n{helped('openline', root())}```\n"]
    for heading in dict.fromkeys(entry.group for entry in CONTENTS):
        parts.append(f"## {heading}\n")
        within = (entry for entry in CONTENTS if entry.group == heading)
        parts += [f"### {each.name}\n\n```\n{helped(f'openline {each.name}', load(each))}```\n" for each in within]
    rows = "".join(
        f"| {code.value} | `{code.name.lower().replace('_', '-')}` | {MEANINGS[code]} |\n" for code in MEANINGS
    )
    return {FOLDER / "commands.md": "\n".join(parts), FOLDER / "exit-codes.md": CODES + rows}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for page, text in written().items():
        page.write_text(text)
