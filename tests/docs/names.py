"""Names that operators meet, taken from the code: by import where they are values, from its syntax where they are written."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import TypeGuard, Union, get_args, get_origin

import msgspec

from openline.kernel import errors
from openline.protocol.entries import Kind
from openline.station.cards import Flaw
from openline.station.config import Config
from tests.docs.markdown import ROOT

SOURCE = ROOT / "src" / "openline"
_METRICS = {"GaugeMetricFamily": "", "CounterMetricFamily": "_total"}
_FINDINGS = {"_good", "_note", "_warning", "_fault"}


def _nodes(folder: Path) -> Iterator[ast.AST]:
    for path in sorted(folder.rglob("*.py")):
        yield from ast.walk(ast.parse(path.read_text()))


def _calls(folder: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in _nodes(folder):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            yield name, node


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _first(call: ast.Call) -> str:
    return _text(call.args[0]) if call.args else ""


def _keyword(call: ast.Call, name: str) -> str:
    return next((_text(each.value) for each in call.keywords if each.arg == name), "")


def settings(struct: type[msgspec.Struct] = Config, before: str = "") -> Iterator[str]:
    """Every setting of config.toml, by its path; a table by name has a placeholder."""
    for field in msgspec.structs.fields(struct):
        path = f"{before}{field.encode_name}"
        inner = field.type
        if get_origin(inner) in {Union, UnionType}:  # a table that may be left out, or be there several times
            inner = next((each for each in get_args(inner) if _is_table(each)), inner)
        if _is_table(inner):
            yield from settings(inner, f"{path}.")
        elif get_origin(inner) is dict:
            holder = {"people": "NAME", "peers": "FINGERPRINT", "paths": "PATH"}[field.encode_name]
            yield from settings(get_args(inner)[1], f"{path}.{holder}.")
        elif get_origin(inner) is tuple and _is_table(get_args(inner)[0]):
            yield from settings(get_args(inner)[0], f"{path}.")
        else:
            yield path


def _is_table(kind: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def error_names() -> set[str]:
    """Codes of the house's errors, of those that modules add, and the names that commands give."""
    found = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}
    for node in _nodes(SOURCE):
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and any(getattr(each, "id", "") == "code" for each in line.targets):
                    found.add(_text(line.value))
    for name, call in _calls(SOURCE / "cli"):
        if name in {"refused", "unavailable", "Failure"}:
            found.add(_keyword(call, "name"))
    return (found | {f"card-{flaw.value}" for flaw in Flaw}) - {""}


def findings() -> set[str]:
    """Codes of what doctor finds."""
    from openline.station.doctor import _DAMAGE

    made = {_first(call) for name, call in _calls(SOURCE / "station") if name in _FINDINGS}
    made |= {_keyword(call, "code") for name, call in _calls(SOURCE) if name == "Finding"}
    return {*made, *(f"damaged-{name}" for name in _DAMAGE)} - {"", "damaged-"}


def kinds() -> set[str]:
    """Kinds of entries, as commands and API name them."""
    from openline.station.entry_view import kind_name

    return {kind_name(kind) for kind in Kind}


def notices() -> set[str]:
    """What the engine and the station tell people."""
    found: set[str] = set()
    for name, call in _calls(SOURCE):
        if name == "Noticed":
            found.add(_keyword(call, "what"))
        elif name == "notice":
            found.add(_first(call))
    return found - {""}


def log_events() -> set[str]:
    """Names of events in the log."""
    return {_first(call) for name, call in _calls(SOURCE) if name == "event"} - {"", "entry"}


def bearer_events(bearer: str) -> set[str]:
    """What one bearer counts by name."""
    return {str(event) for event in importlib.import_module(f"openline.bearers.{bearer}.limits").Event}


def counters() -> set[str]:
    """What the station and the TLS bearer count by name."""
    found = bearer_events("tls")
    for node in _nodes(SOURCE / "station"):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "counters":
            key = node.slice.elts[-1] if isinstance(node.slice, ast.Tuple) else node.slice
            found.add(_text(key))
    return found - {""}


def metrics() -> set[str]:
    """Names as Prometheus shows them."""
    return {_first(call) + _METRICS[name] for name, call in _calls(SOURCE) if name in _METRICS}


def suspicions() -> set[str]:
    """Why a party is suspected."""
    return {
        _text(call.args[1]) for name, call in _calls(SOURCE / "protocol") if name == "suspect" and len(call.args) > 1
    }


def documented_paths(text: str) -> set[str]:
    """Files and folders of this repository that a page names in backquotes."""
    places = "src|docs|spec|tests|tools|verifiers|vectors|examples|bench|fuzz|packaging|requirements"
    return set(re.findall(rf"`(?:\./)?((?:{places})/[\w./-]*\w/?)`", text))
