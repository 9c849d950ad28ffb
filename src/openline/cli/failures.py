"""How a command ends: one table of exit codes, and failures that say what happened, then what to do."""

import contextlib
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

import click

from openline.cli.inert import inert_line
from openline.cli.language import _
from openline.kernel.errors import Conflict, Unavailable


class Exit(IntEnum):
    """The exit codes; docs/operators/exit-codes.md is this table."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    UNAVAILABLE = 3
    TIMEOUT = 4
    NOT_VERIFIED = 5
    DRAFT = 6
    ATTENTION = 7
    BUG = 70
    INTERRUPTED = 130


MEANINGS: Mapping[Exit, str] = {
    Exit.DONE: "Done: what the command says was done, or shown, or reached.",
    Exit.REFUSED: "Refused: the station, the line's terms or a rule said no, or there is no such thing."
    " Nothing changed.",
    Exit.USAGE: "Not understood: a word of the command is missing, unknown or out of its bounds. Nothing was done.",
    Exit.UNAVAILABLE: "Unavailable: the station does not run or cannot be reached, a file or the disk does not"
    " let us. Try again when that is mended.",
    Exit.TIMEOUT: "Waited in vain: the time of --wait is over. What was sent stands and goes on.",
    Exit.NOT_VERIFIED: "Not verified: an export or a proof is broken, or is not from whom you expected.",
    Exit.DRAFT: "Not sent yet: the line's terms ask for a second person, and your text waits as a draft.",
    Exit.ATTENTION: "Done, and something needs you: doctor found a problem.",
    Exit.BUG: "A mistake in Openline itself. Nothing is hidden: report the text that it prints.",
    Exit.INTERRUPTED: "Interrupted by you (Ctrl-C).",
}


class Failure(Exception):
    """A command cannot go on: `message` says what happened, `do` what to do next."""

    def __init__(self, code: Exit, message: str, do: str = "", *, name: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = int(code)
        self.do = do
        self.name = name or code.name.lower().replace("_", "-")
        """The stable name for programs."""

    def show(self) -> None:
        """Say it on the standard error."""
        click.echo("\n".join(self.lines()), err=True)

    def lines(self) -> list[str]:
        """What happened, then what to do."""
        return [self.message, *([self.do] if self.do else [])]

    def as_object(self) -> dict[str, object]:
        """The same for programs."""
        return {"error": self.name, "message": self.message, "do": self.do, "exit": self.exit_code}


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[None]:
    """Around the writing of a new file or folder: what goes wrong becomes a Failure, and nothing is overwritten."""
    named = inert_line(str(path))
    try:
        yield
    except (FileExistsError, Conflict):
        raise refused(_("There is a file {path} already.").format(path=named), _("Choose another name.")) from None
    except (OSError, Unavailable):
        raise unavailable(
            _("{path} cannot be written.").format(path=named), _("Check the folder and the disk.")
        ) from None


def leave(code: int) -> NoReturn:
    """End the command with a code, after what it has said."""
    raise click.exceptions.Exit(int(code))


def refused(message: str, do: str = "", *, name: str = "") -> Failure:
    """Somebody or some rule said no; nothing changed."""
    return Failure(Exit.REFUSED, message, do, name=name)


def usage(message: str, do: str = "") -> Failure:
    """The command was not understood; nothing was done."""
    return Failure(Exit.USAGE, message, do)


def nobody_answered() -> Failure:
    """The command asked, and its standard input had ended."""
    return refused(
        _("Something was asked, and nobody answered."),
        _("Type it at a terminal. What may be said beforehand stands in --help."),
        name="not-confirmed",
    )


def unavailable(message: str, do: str = "", *, name: str = "") -> Failure:
    """The world does not let us."""
    return Failure(Exit.UNAVAILABLE, message, do, name=name)


def of_usage(error: click.UsageError) -> Failure:
    """What click found wrong with the words of a command, in our own words."""
    path = error.ctx.command_path if error.ctx else "openline"
    see = _("See: {command} --help").format(command=path)
    match error:
        case click.NoSuchOption():
            near = _nearest(error.possibilities)
            return usage(_("There is no option {option}.").format(option=_shown(error.option_name)), near or see)
        case click.MissingParameter():
            param = error.param
            named = param.make_metavar(error.ctx) if param and error.ctx and param.param_type_name == "argument" else ""
            named = named or (max(param.opts, key=len) if param else "")
            return usage(_("{name} is missing.").format(name=named), _usage_line(error.ctx) or see)
        case click.BadOptionUsage():
            return usage(_("{option} needs something after it.").format(option=_shown(error.option_name)), see)
        case click.BadParameter():
            return _of_value(error, see)
        case _ if error.format_message().startswith("Got unexpected extra argument"):
            return usage(
                _("There are more words than this command takes."),
                _('A text of several words stands between quotes: "...". {see}').format(see=see),
            )
        case _:
            return usage(inert_line(error.format_message()), see)


def _of_value(error: click.BadParameter, see: str) -> Failure:
    param = error.param
    name = max(param.opts, key=len) if param else ""
    if param and isinstance(param.type, click.Choice):
        choices = ", ".join(str(choice) for choice in param.type.choices)
        return usage(
            _("What stands after {option} is none of its values.").format(option=name),
            _("It is one of: {choices}.").format(choices=choices),
        )
    return usage(_("{option}: {why}").format(option=name, why=inert_line(error.message)), see)


def _nearest(possibilities: object) -> str:
    names = list(possibilities) if isinstance(possibilities, list | tuple) else []
    return _("Did you mean {name}?").format(name=_(" or ").join(sorted(names))) if names else ""


def _usage_line(ctx: click.Context | None) -> str:
    if ctx is None:
        return ""
    pieces = " ".join(ctx.command.collect_usage_pieces(ctx))
    return _("Write: {command} {pieces}").format(command=ctx.command_path, pieces=pieces)


def _shown(option: str) -> str:
    return inert_line(option)
