"""How commands are made: found late, helped by example, and all with the same common options.

`openline --help` loads no command; a command loads its own module and no other.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openline.cli.contents import CONTENTS, Entry
from openline.cli.failures import usage
from openline.cli.inert import inert_line
from openline.cli.language import LANGUAGES, _
from openline.cli.output import Output, output_for
from openline.kernel.errors import Refused

if TYPE_CHECKING:
    from openline.cli.local import Local

Function = Callable[..., None]


@dataclass
class Desk:
    """Where somebody sits and types: which station's folder, and how to print."""

    home: Path
    out: Output

    @cached_property
    def station(self) -> "Local":
        """The station of that folder, over its local API."""
        from openline.cli.local import Local

        return Local(self.home)

    def judge_version(self, error: Exception) -> None:
        """Raise Failure if that came of a running station that is not of this command's version."""
        if "station" in self.__dict__:
            self.station.judge_version(error)

    def close(self) -> None:
        """Leave the station, if it was spoken to."""
        if "station" in self.__dict__:
            self.station.client.close()


class Helped(click.Command):
    """A command whose help ends in examples and whose words are in the chosen language."""

    examples: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The first line."""
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix=_("Usage: "))

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What the command does, then how it is typed."""
        del ctx
        for text in (self.help or "", *self.more):
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(text)
        if self.examples:
            with formatter.section(_("Examples")):
                for line in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, in the order of their definition."""
        with formatter.section(_("Options")):
            formatter.write_dl(options_of(self, ctx))

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The arguments, then the word for options."""
        arguments = [piece for param in self.get_params(ctx) for piece in param.get_usage_pieces(ctx)]
        return [*arguments, _("[OPTIONS]")]

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """--help, in the chosen language."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = _("Show this help and leave.")
        return option


class Root(click.Group):
    """`openline` itself: its contents are a table, its commands are loaded when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the table."""
        del ctx
        return [entry.name for entry in CONTENTS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command of that name."""
        del ctx
        entry = next((entry for entry in CONTENTS if entry.name == cmd_name), None)
        return load(entry) if entry else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the words name. Raises Failure with the nearest name."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), 1)
            raise usage(
                _("There is no command {name}.").format(name=inert_line(args[0])),
                _("Did you mean {name}?").format(name=near[0]) if near else _("See: openline --help"),
            )
        return super().resolve_command(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The first line."""
        formatter.write_usage(ctx.command_path, _("COMMAND ..."), prefix=_("Usage: "))

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What this is."""
        del ctx
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(_("A standing direct line between parties that do not trust each other."))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by group, with one sentence each; then the options."""
        for heading in dict.fromkeys(entry.group for entry in CONTENTS):
            with formatter.section(_(heading)):
                formatter.write_dl([(entry.name, _(entry.short)) for entry in CONTENTS if entry.group == heading])
        with formatter.section(_("Options")):
            formatter.write_dl(options_of(self, ctx))
        formatter.write_paragraph()
        formatter.write_text(_("Each command shows examples: openline send --help"))

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """--help, in the chosen language."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = _("Show this help and leave.")
        return option


def options_of(made: click.Command, ctx: click.Context) -> list[tuple[str, str]]:
    """Each option and its help; arguments stand in the first line."""
    options = (param for param in made.get_params(ctx) if isinstance(param, click.Option))
    return [record for option in options if (record := option.get_help_record(ctx)) is not None]


def load(entry: Entry) -> click.Command:
    """The command of an entry, from its module."""
    found: object = getattr(importlib.import_module(f"openline.cli.{entry.module}"), entry.attribute)
    if not isinstance(found, click.Command):
        raise TypeError(entry.name)
    return found


def command(name: str, text: str, *, examples: Sequence[str], more: Sequence[str] = ()) -> Callable[[Function], Helped]:
    """Make a function a command. It is called with a Desk first, then its own parameters by name."""

    def make(function: Function) -> Helped:
        def called(home: Path, as_json: bool, lang_ui: str | None, **values: Any) -> None:
            del lang_ui  # chosen before anything was loaded
            desk = Desk(home=home, out=output_for(as_json=as_json))
            try:
                function(desk, **values)
            except BrokenPipeError:
                # The reader of a pipe has what it wanted: nothing more is said, not even at exit.
                sys.stdout = None
            except (Refused, LookupError, TypeError, ValueError, AttributeError) as error:
                # What a station of another release does not know, or does not say, is no mistake of anybody's.
                desk.judge_version(error)
                raise
            finally:
                desk.close()

        own = list(reversed(getattr(function, "__click_params__", [])))
        made = Helped(name, callback=called, params=[*own, *common_options()], help=text, short_help=text)
        made.examples = tuple(examples)
        made.more = tuple(more)
        return made

    return make


def home_option() -> click.Option:
    """--home, on every command."""
    return click.Option(
        ["--home"],
        envvar="OPENLINE_HOME",
        type=click.Path(path_type=Path, file_okay=False, readable=False),
        default=_default_home,
        metavar="DIR",
        help=_("Folder of the station (default: $OPENLINE_HOME, else ~/.openline)."),
    )


def _default_home() -> Path:
    found = click.get_current_context().find_object(Path)
    return found or Path("~/.openline").expanduser()


def language_option() -> click.Option:
    """--lang-ui, on every command."""
    return click.Option(
        ["--lang-ui"],
        type=click.Choice(LANGUAGES, case_sensitive=False),
        metavar="|".join(LANGUAGES),
        help=_("Language of the program's own words (default: $OPENLINE_LANG, else $LANG)."),
    )


def common_options() -> list[click.Parameter]:
    """What every command takes."""
    as_json = click.Option(["--json", "as_json"], is_flag=True, help=_("Print JSON for programs."))
    return [as_json, home_option(), language_option()]


def root() -> Root:
    """The command `openline`."""

    def keep(home: Path, lang_ui: str | None) -> None:
        del lang_ui
        click.get_current_context().obj = home

    made = Root("openline", callback=keep, params=[home_option(), language_option()], no_args_is_help=False)
    made.invoke_without_command = False
    return made


def asked_for_json(words: Sequence[str]) -> bool:
    """Whether a command line asks for JSON, even if it cannot be parsed."""
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def read_stdin_text() -> bytes:
    """All of the standard input, as bytes."""
    return sys.stdin.buffer.read()
