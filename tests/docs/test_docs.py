"""The documents say what the program does: no name without its meaning, no link into nothing, no command that does not parse."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import pytest

from openline.cli.command import load, root
from openline.cli.contents import CONTENTS
from openline.cli.failures import Exit, Failure
from tests.docs import markdown, names

COMMAND_LINES = [line for page in markdown.pages() for line in markdown.command_lines(page)]


def words_of(*pages: str) -> set[str]:
    """All words in backquotes of these pages of the operators."""
    return {word for page in pages for word in markdown.code_words(markdown.OPERATORS / page)}


def test_every_command_group_and_option_is_in_the_page_of_commands() -> None:
    text = (markdown.OPERATORS / "commands.md").read_text()
    for entry in CONTENTS:
        assert f"\n### {entry.name}\n" in text
        assert f"\n## {entry.group}\n" in text
        for param in load(entry).params:
            if isinstance(param, click.Option):
                assert max(param.opts, key=len) in text, (entry.name, param.opts)


def test_every_exit_code_is_documented() -> None:
    text = (markdown.OPERATORS / "exit-codes.md").read_text()
    assert [code.name for code in Exit if f"\n| {code.value} |" not in text] == []


@pytest.mark.parametrize(
    "names_of, page",
    [
        (names.settings, "configuration.md"),
        (names.error_names, "troubleshooting.md"),
        (names.findings, "troubleshooting.md"),
        (names.suspicions, "troubleshooting.md"),
        (names.kinds, "daily.md"),
        (names.notices, "monitoring.md"),
        (names.log_events, "monitoring.md"),
        (names.counters, "monitoring.md"),
        (names.metrics, "monitoring.md"),
    ],
    ids=["settings", "errors", "findings", "suspicions", "kinds", "notices", "log-events", "counters", "metrics"],
)
def test_every_name_is_documented(names_of: Callable[[], Iterable[str]], page: str) -> None:
    found = set(names_of())  # not when tests are collected: each reads the whole program
    assert len(found) >= 3, "the names are not found where they were"
    assert sorted(found - words_of(page)) == []


@pytest.mark.parametrize("bearer", ["mail", "nats", "drop", "serial"])
def test_every_event_of_a_bearer_is_on_its_page(bearer: str) -> None:
    assert sorted(names.bearer_events(bearer) - words_of(f"{bearer}.md")) == []


def test_every_act_of_the_audit_log_is_documented() -> None:
    from openline.station.api import all_routes

    acts = {route.act for route in all_routes()} - {""}
    assert sorted(acts - words_of("people-and-roles.md")) == []


def test_the_table_of_roles_names_every_command() -> None:
    table = (markdown.OPERATORS / "people-and-roles.md").read_text().partition("## Let ")[0]
    named = {word for words in re.findall(r"`([^`]+)`", table) for word in words.split()[:1]}
    assert sorted({entry.name for entry in CONTENTS} - named) == []


def test_every_page_of_the_documents_is_in_an_index() -> None:
    docs = markdown.OPERATORS.parent
    indexes = (docs / "README.md", docs / "decisions" / "README.md")
    linked = {(page.parent / target).resolve() for page in indexes for target, _ in markdown.links(page)}
    assert sorted(markdown.name_of(page) for page in set(docs.rglob("*.md")) - linked - set(indexes)) == []


def test_every_file_that_the_architecture_names_is_there() -> None:
    named = set(re.findall(r"`(\w+\.py)`", (markdown.ROOT / "ARCHITECTURE.md").read_text()))
    assert len(named) > 20
    assert sorted(named - {path.name for path in (markdown.ROOT / "src").rglob("*.py")}) == []


@pytest.mark.parametrize("page", markdown.pages(), ids=markdown.name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in markdown.links(page):
        assert target.exists(), f"{markdown.name_of(page)}: {target.name} is not there"
        if anchor and target.suffix == ".md":
            assert anchor in markdown.anchors(target), (
                f"{markdown.name_of(page)}: no heading #{anchor} in {target.name}"
            )


@pytest.mark.parametrize("page", markdown.pages(), ids=markdown.name_of)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = names.documented_paths(page.read_text())
    assert sorted(path for path in named if not (markdown.ROOT / path).exists()) == []


@pytest.mark.parametrize("line", COMMAND_LINES, ids=lambda line: f"{line.page}:{line.number}")
def test_documented_commands_parse(line: markdown.CommandLine) -> None:
    """Parsed by the real commands; nothing is run."""
    words = list(line.words)
    if "--help" in words:
        words.remove("--help")
    made = root()
    try:
        with made.make_context("openline", words, obj=Path()) as context:
            rest = [*context._protected_args, *context.args]
            if not rest:
                return
            name, command, left = made.resolve_command(context, rest)
            if command is not None and "--help" not in line.words and not is_mention(left):
                command.make_context(name, left, parent=context).close()
    except (click.UsageError, Failure) as wrong:
        pytest.fail(f"{line.page}:{line.number}: {wrong}")


def is_mention(left: list[str]) -> bool:
    """A command named alone, as in "see `openline lines`": its arguments are not shown."""
    return not left
