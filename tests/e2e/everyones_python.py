"""A Python with openline that any Unix user of the machine may run.

The one that runs the tests may lie in a folder that only its owner enters (a
home folder, a private checkout); then a copy that everybody can read is made,
once for each process that runs tests.
"""

import atexit
import functools
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import openline

_NOBODY = 65_534
_NEEDLESS = shutil.ignore_patterns(
    "__pycache__", "test", "tests", "idlelib", "tkinter", "site-packages", "config-*", "*.a",
    "pip*", "mypy*", "*mypyc*", "atheris*", "*fuzzer*", "schemathesis*", "hypothesis*", "playwright*", "pygments*",
)  # fmt: skip
_WRAPPER = """\
#!/bin/sh
export LD_LIBRARY_PATH={lib} PYTHONHOME={home} PYTHONPATH={path} PYTHONDONTWRITEBYTECODE=1
exec {python} "$@"
"""


@functools.cache
def everyones_python() -> str:
    """The command of a Python that may be run as any user; only root needs one, and calls this."""
    return sys.executable if _runs(sys.executable) else _copied()


def _runs(python: str) -> bool:
    command = [python, "-c", "import openline.station.main"]
    try:
        done = subprocess.run(command, user=_NOBODY, group=_NOBODY, extra_groups=[], cwd="/", capture_output=True)
    except PermissionError:
        return False
    return done.returncode == 0


def _copied() -> str:
    folder = Path(tempfile.mkdtemp(prefix="openline-python-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    home = folder / "home"
    binary = home / "bin" / "python3"
    binary.parent.mkdir(parents=True)
    shutil.copy2(Path(sys.executable).resolve(), binary)
    standard = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(standard, home / "lib" / standard.name, ignore=_NEEDLESS)
    for library in (Path(sys.base_prefix) / "lib").glob("libpython*.so*"):
        shutil.copy2(library, home / "lib")
    shutil.copytree(sysconfig.get_path("purelib"), folder / "packages", ignore=_NEEDLESS)
    shutil.copytree(Path(openline.__file__).parent, folder / "src" / "openline", ignore=_NEEDLESS)
    words = {
        "lib": home / "lib",
        "home": home,
        "path": f"{folder / 'src'}{os.pathsep}{folder / 'packages'}",
        "python": binary,
    }
    wrapper = folder / "python"
    wrapper.write_text(_WRAPPER.format(**{name: shlex.quote(str(word)) for name, word in words.items()}))
    wrapper.chmod(0o755)
    assert _runs(str(wrapper)), "the copy of Python does not run as another user"
    return str(wrapper)
