"""python -m openline.station HOME: run the station in a data folder; its key file opens the keys."""

import sys
from pathlib import Path

from openline.kernel.errors import Malformed, Refused, Unavailable
from openline.station.config import load_config
from openline.station.main import EXHAUSTED, TEMPORARY, exit_status, main
from openline.station.unlock import KeyFile


def run(arguments: list[str]) -> int:
    """The exit status."""
    try:
        if len(arguments) != 1:
            raise Malformed("usage: python -m openline.station HOME")
        home = Path(arguments[0])
        key_file = load_config(home).unlock.key_file
        if not key_file:
            raise Malformed("config.toml: unlock.key_file: needed to start without a person; else use openline up")
        return main(home, KeyFile(home / key_file))
    except (Refused, Unavailable) as error:
        sys.stderr.write(f"openline: {error}\n")
        return exit_status(error)
    except MemoryError:
        sys.stderr.write("openline: no memory is left for the station: raise its limit\n")
        return TEMPORARY
    except OSError as error:
        if error.errno not in EXHAUSTED:
            raise
        sys.stderr.write("openline: no open files or no memory are left for the station: raise its limits\n")
        return TEMPORARY


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
