"""What ./demo and ./check do first: find a Python that is new enough, prepare .venv, go on inside it.

An older Python must be able to read this file, to be told that it is too old; hence the plain syntax.
"""

import os
import shutil
import sys

OLDEST = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")


def launch(profile, command):
    """Become .venv's Python running `command`, with the caller's own arguments. Does not return."""
    if sys.version_info < OLDEST:
        for name in NEWER:
            found = shutil.which(name)
            if found:
                os.execv(found, [found] + sys.argv)
        sys.exit("Python 3.11 or newer is needed; %s is %s" % (sys.executable, sys.version.split()[0]))

    import prepare

    try:
        prepare.prepare(profile)
    except prepare.Failed as failure:
        sys.exit("prepare: %s" % failure)
    except OSError as failure:
        sys.exit("prepare: %s: %s" % (failure.strerror, failure.filename))
    except KeyboardInterrupt:
        sys.exit(130)
    python = str(prepare.PYTHON)
    os.execv(python, [python] + command + sys.argv[1:])
