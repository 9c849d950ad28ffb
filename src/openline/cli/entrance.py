"""The way in: choose the language, run the command, and end every failure in words and a code."""

import errno
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import NoReturn

import click

from openline.cli.failures import Exit, Failure, nobody_answered, of_usage
from openline.cli.language import _, choose, wanted
from openline.kernel.errors import Refused, Unavailable

_USED_UP = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT})


def enter(words: Sequence[str] | None = None) -> int:
    """Run the command that these words spell (default: those of this process)."""
    if words is None:
        sys.excepthook = own_mistake
    typed = list(sys.argv[1:] if words is None else words)
    choose(wanted(typed))
    from openline.cli.command import asked_for_json, root

    try:
        if not typed:
            typed = ["--help"]
        done = root().main(args=typed, prog_name="openline", standalone_mode=False)
        return done if isinstance(done, int) else Exit.DONE
    except Failure as failure:
        return _end(failure, as_json=asked_for_json(typed))
    except (Refused, Unavailable) as error:
        from openline.cli.local import of_house

        return _end(of_house(error), as_json=asked_for_json(typed))
    except click.UsageError as error:
        return _end(of_usage(error), as_json=asked_for_json(typed))
    except click.ClickException as error:
        return _end(Failure(Exit.UNAVAILABLE, error.format_message()), as_json=asked_for_json(typed))
    except (KeyboardInterrupt, click.Abort) as stop:
        if isinstance(stop.__context__, EOFError):
            return _end(nobody_answered(), as_json=asked_for_json(typed))
        sys.stderr.write("\n" + _("Stopped.") + "\n")
        return Exit.INTERRUPTED


def _end(failure: Failure, *, as_json: bool) -> int:
    from openline.cli.output import output_for

    out = output_for(as_json=as_json)
    if as_json:
        out.object(failure.as_object())
    else:
        failure.show()
    return failure.exit_code


def own_mistake(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> NoReturn:
    """What is not caught is our mistake, or the machine's end: say where, quote nothing, and end."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _USED_UP):
        sys.stderr.write(
            _("This machine has no memory, no open files or no room left for the program.") + "\n"
            + _("Make room or raise the limits, and try again.") + "\n"
        )  # fmt: skip
        raise SystemExit(Exit.UNAVAILABLE)
    del error  # its text may hold what somebody wrote
    places: list[str] = []
    while trace is not None:
        places.append(f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}")
        trace = trace.tb_next
    sys.stderr.write(
        _("This is a mistake in Openline itself, not yours.") + "\n"
        + _("Report these names; they hold nothing of your messages:") + "\n"
        + f"{kind.__name__} {' '.join(places[-6:])}\n"
    )  # fmt: skip
    raise SystemExit(Exit.BUG)
