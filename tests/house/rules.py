"""The rules of the house, each a function from a file to what is wrong with it.

A rule takes the file's path in the repository and its text, so that test_house.py can show of each that it can fail.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.house import layout

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "src/openline/"

Rule = Callable[[str, str], Iterator[str]]
"""(path in the repository, text) -> one line for each violation."""


# --- the files ---------------------------------------------------------------------------------------------


def repository() -> list[str]:
    """Every file of the repository that is or could be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        names = listed.stdout.split("\0")
    else:  # an unpacked archive
        skip = {".venv", "__pycache__", ".git"}
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if not skip & set(path.parts)]
    return sorted(name for name in set(names) if name and (ROOT / name).is_file())


def python_files() -> list[str]:
    """Of these, the Python ones, the two commands included."""
    return [name for name in repository() if name.endswith(".py") or name in {"demo", "check"}]


def placed(module: str) -> str | None:
    """The layer that the map gives a module, by its own line or its folder's."""
    inside = module.removesuffix(".py") + "/"  # a package is imported by its folder's name
    folder = next((each for each in layout.MAP if each.endswith("/") and inside.startswith(each)), module)
    return layout.MAP.get(module) or layout.MAP.get(folder)


def layer_of(path: str) -> str | None:
    """The layer of a source file; None outside src/openline, or off the map."""
    inside = path.removeprefix(SOURCE)
    if inside in {path, "__init__.py"}:
        return None
    if inside.endswith("/__init__.py"):
        return inside.split("/")[0]
    return placed(inside)


# --- the map and the layers --------------------------------------------------------------------------------


def on_the_map(path: str, _text: str) -> Iterator[str]:
    """Every module is on the map; a package's __init__ belongs to its folder."""
    if path.startswith(SOURCE) and path != SOURCE + "__init__.py" and layer_of(path) not in layout.SEES:
        yield "not on the map (tests/house/layout.py: MAP)"


def imports(text: str) -> Iterator[str]:
    """Full names of what a file imports, wherever in the file: `from a.b import c` gives a.b.c."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def target_of(name: str) -> tuple[str, str] | None:
    """The module and layer that an import of our own names; None for the root or an unknown one."""
    parts = name.split(".")[1:]
    for end in range(len(parts), 0, -1):
        module = "/".join(parts[:end]) + ".py"
        if layer := placed(module):
            return module, layer
    return (f"{parts[0]}/__init__.py", parts[0]) if parts and parts[0] in layout.SEES else None


def family_of(module: str) -> str:
    """Which store or bearer a file belongs to: the files of one know each other."""
    return layout.FAMILIES.get(module) or Path(module).parts[1].removesuffix(".py")


def layering(path: str, text: str) -> Iterator[str]:
    """Imports go only upwards; siblings among stores and bearers do not know each other."""
    layer = layer_of(path)
    if layer is None or layer not in layout.SEES:
        return
    for name in imports(text):
        if name.startswith("."):
            yield "a relative import; write the full name"
        target = target_of(name) if name.startswith("openline.") else None
        if target is None:
            continue
        module, other = target
        if module in layout.COMMON and other == layer:
            continue
        if other == layer in layout.STRANGERS:
            if family_of(module) != family_of(path.removeprefix(SOURCE)) and not module.endswith("__init__.py"):
                yield f"imports its sibling {module}"
        elif other not in layout.SEES[layer]:
            yield f"{layer} must not import {other} ({name})"


def libraries(path: str, text: str) -> Iterator[str]:
    """Third-party packages only where the layout names them; in the pure layers the standard library too."""
    layer = layer_of(path)
    if layer is None or layer not in layout.SEES:
        return
    allowed = layout.LIBRARIES[layer] | layout.LIBRARIES_OF.get(path.removeprefix(SOURCE), frozenset())
    for name in imports(text):
        top = name.split(".")[0]
        if top in {"openline", "", "__future__"}:
            continue
        if top in sys.stdlib_module_names:
            if layer in layout.PURE_LAYERS and top not in layout.PURE_STDLIB:
                yield f"{layer} is pure and must not import {top}"
        elif top not in allowed:
            yield f"{layer} must not import the package {top}"


# --- purity ------------------------------------------------------------------------------------------------


def pure_calls(path: str, text: str) -> Iterator[str]:
    """No file, no screen, no own randomness in the pure layers."""
    if layer_of(path) not in layout.PURE_LAYERS:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            called = node.func
            plain = called.id if isinstance(called, ast.Name) else ""
            method = called.attr if isinstance(called, ast.Attribute) else ""
            owner = called.value.id if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) else ""
            name = plain or ("" if owner == "re" else method)
            if name in layout.NEVER_CALLED and not (method and name in {"open", "compile"}):
                yield f"line {node.lineno}: calls {name}"


def own_errors(text: str) -> frozenset[str]:
    """The names of the classes in kernel/errors.py."""
    return frozenset(node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef))


def errors(path: str, text: str) -> Iterator[str]:
    """Pure layers raise only the house's errors; and everywhere their messages are constants."""
    if not path.startswith(SOURCE):
        return
    ours = own_errors((ROOT / SOURCE / "kernel/errors.py").read_text())
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call | ast.Name):
            continue
        call = node.exc if isinstance(node.exc, ast.Call) else None
        raised = call.func if call else node.exc
        name = raised.id if isinstance(raised, ast.Name) else raised.attr if isinstance(raised, ast.Attribute) else ""
        if layer_of(path) in {"kernel", "protocol"} and name[:1].isupper() and name not in ours:
            yield f"line {node.lineno}: raises {name}"
        if call and name in ours and not all(isinstance(word, ast.Constant | ast.Name) for word in call.args):
            yield f"line {node.lineno}: the message of {name} is not a constant"


def dataclasses(path: str, text: str) -> Iterator[str]:
    """In the pure layers: frozen, slotted, keyword-only from two fields up."""
    if layer_of(path) not in layout.PURE_LAYERS:
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ClassDef):
            continue
        fields = sum(1 for line in node.body if isinstance(line, ast.AnnAssign))
        for decorator in node.decorator_list:
            named = decorator.func if isinstance(decorator, ast.Call) else decorator
            if not (isinstance(named, ast.Name) and named.id == "dataclass"):
                continue
            options = {word.arg for word in decorator.keywords} if isinstance(decorator, ast.Call) else set()
            firm = {"slots"} if node.name in layout.MUTABLE else {"frozen", "slots"}
            wanted = firm | ({"kw_only"} if fields > 1 and node.name not in layout.POSITIONAL else set())
            if wanted - options:
                yield f"line {node.lineno}: {node.name} must be {', '.join(sorted(wanted - options))}"


# --- size, names, habits -----------------------------------------------------------------------------------


def sizes(path: str, text: str) -> Iterator[str]:
    """A function fits a screen, a file fits a head."""
    bound = layout.TEST_FILE_LINES if path.startswith("tests/") else layout.FILE_LINES
    length = text.count("\n")
    if length > bound:
        yield f"{length} lines; at most {bound}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > layout.FUNCTION_LINES:
                yield f"line {node.lineno}: {node.name} has {lines} lines; at most {layout.FUNCTION_LINES}"


def words(name: str) -> list[str]:
    """Split a name: LineManager, line_manager -> line, manager."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def names(path: str, text: str) -> Iterator[str]:
    """Names are nouns of the domain."""
    named = [(Path(path).stem, 1)]
    defined = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    named += [(node.name, node.lineno) for node in ast.walk(ast.parse(text)) if isinstance(node, defined)]
    for name, line in named:
        empty = set(words(name)) & set(layout.EMPTY_WORDS)
        if empty and not path.startswith("tests/"):
            yield f"line {line}: {name} says nothing ({', '.join(empty)})"


def broad_excepts(path: str, text: str) -> Iterator[str]:
    """`except Exception` stands once, in the runtime. Elsewhere a broad handler must end in a bare raise."""
    if not path.startswith(SOURCE) or path in layout.BROAD_EXCEPT:
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        broad = any(each is None or (isinstance(each, ast.Name) and each.id in BROAD) for each in caught)
        last = node.body[-1]
        if broad and not (isinstance(last, ast.Raise) and last.exc is None):
            yield f"line {node.lineno}: a broad except"


BROAD = frozenset({"Exception", "BaseException"})


def type_asserts(path: str, text: str) -> Iterator[str]:
    """`assert isinstance` hides a missing type."""
    if not path.startswith(SOURCE):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Call):
            called = node.test.func
            if isinstance(called, ast.Name) and called.id == "isinstance":
                yield f"line {node.lineno}: assert isinstance"


def sleeps(path: str, text: str) -> Iterator[str]:
    """Tests wait on events with a deadline; sleep(0), which only yields, is no sleep."""
    if not path.startswith("tests/") or path in layout.SLEEPERS:
        return
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep"):
            continue
        if not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0):
            yield f"line {node.lineno}: sleeps; wait on an event, or use tests/waiting.py"


def mocks(path: str, text: str) -> Iterator[str]:
    """No mocks, no patched modules: if a test needs patching, a parameter is missing."""
    if not path.startswith("tests/"):
        return
    for name in imports(text):
        if name.startswith("unittest.mock") or name == "mock":
            yield "imports mock"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            yield f"line {node.lineno}: patches with setattr"


# --- text of every kind ------------------------------------------------------------------------------------

# Written in pieces, so that this file does not break its own rules.
HOSTS = re.compile("|".join(("py" + r"pi\.org", "python" + "hosted", "extra-" + "index-url", "registry" + r"\.npmjs")))
MACHINE = re.compile(r"(?<![\w.~}-])/(?:work|root|home|Users|tmp/v)/[\w.]")
UNDONE = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|HA" + r"CK)\b(?!.{0,3}#\d+)")


def places(_path: str, text: str) -> Iterator[str]:
    """The repository knows no machine and no package host."""
    for number, line in enumerate(text.splitlines(), 1):
        if HOSTS.search(line):
            yield f"line {number}: a package host"
        if MACHINE.search(line):
            yield f"line {number}: a path of some machine"


def undone(path: str, text: str) -> Iterator[str]:
    """What is left to do is an issue, and the comment names it: (#12)."""
    if path.endswith((".md", ".lock")) or path == "LICENSE":
        return
    for number, line in enumerate(text.splitlines(), 1):
        if UNDONE.search(line):
            yield f"line {number}: left to do, without an issue"
