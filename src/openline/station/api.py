"""The station's local API, as an ASGI application: routes, roles, errors and the audit log around every call.

Spec of the calls: /v1/openapi.json, made from the same table (see openapi.py).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.routing import Route as Path
from starlette.routing import Router

from openline.kernel.errors import Bug, Forbidden, Refused, Unavailable, Unknown
from openline.station import (
    api_acts,
    api_alarms,
    api_bearers,
    api_calls,
    api_console,
    api_contacts,
    api_drafts,
    api_drop,
    api_entries,
    api_keys,
    api_lines,
    api_pairings,
    api_receipts,
    api_search,
    api_streams,
    api_watch,
)
from openline.station.calls import Call, NotAllowed, Route, Scope, failure
from openline.station.openapi import document_route
from openline.station.people import Actor
from openline.station.runtime import Station
from openline.station.server import UID


def all_routes() -> tuple[Route, ...]:
    """Every operation; the ones called most stand first."""
    routes = (
        *api_entries.ROUTES,
        *api_streams.ROUTES,
        *api_lines.ROUTES,
        *api_bearers.ROUTES,
        *api_drafts.ROUTES,
        *api_receipts.ROUTES,
        *api_watch.ROUTES,
        *api_search.ROUTES,
        *api_acts.ROUTES,
        *api_contacts.ROUTES,
        *api_calls.ROUTES,
        *api_pairings.ROUTES,
        *api_keys.ROUTES,
        *api_drop.ROUTES,
        *api_console.ROUTES,
        *api_alarms.ROUTES,
    )
    return (*routes, document_route(routes))


ACTOR = "actor"
"""Where a call's scope["state"] holds who is signed in at the console; without one, the Unix user calls."""


class Api:
    """The application of one station."""

    def __init__(self, station: Station) -> None:
        tables: dict[str, dict[str, Route]] = {}
        for route in all_routes():
            tables.setdefault(route.path, {})[route.method] = route
        paths = [Path("/v1" + path, _Operations(station, methods)) for path, methods in tables.items()]
        self._router = Router(paths, redirect_slashes=False, default=_Operations(station, {}))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        await self._router(scope, receive, send)


class _Operations:
    """One path with its methods; none: a path that does not exist."""

    def __init__(self, station: Station, methods: Mapping[str, Route]) -> None:
        self._station, self._methods = station, methods

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI: whoever calls is known, may do it or is refused, and what is done is noted."""
        station = self._station
        call: Call | None = None
        route = self._methods.get(scope["method"])
        try:
            actor = _caller(station, scope)
            call = Call(station=station, actor=actor, scope=scope, receive=receive, send=send)
            if route is None:
                raise NotAllowed("the path has no such method") if self._methods else Unknown("there is no such path")
            station.people.allow(actor, route.roles)
            if route.first:
                await station.audit.before(actor, route.act, _label(station, scope))
            made = await route.handler(call)
        except (Refused, Unavailable, Bug) as error:
            station.counters["api-refused"] += 1
            self._note(call, route, error)
            made = failure(error)
            if isinstance(error, NotAllowed):
                made = replace(made, allow=", ".join(self._methods))
            call = call or Call(station=station, actor=_nobody(scope), scope=scope, receive=receive, send=send)
        else:
            station.counters["api-calls"] += 1
            if route.act:
                station.audit.note(actor, route.act, call.noted)
        if made is not None:
            await call.answer(made)

    def _note(self, call: Call | None, route: Route | None, error: Exception) -> None:
        """Acts that were refused are noted, and everybody who tried without a role."""
        code = str(getattr(error, "code", "bug"))
        if call is not None and route is not None and (route.act or isinstance(error, Forbidden)):
            self._station.audit.note(call.actor, route.act or "read", call.noted, code)
        if isinstance(error, Bug):
            self._station.log.event("api.bug", operation=route.summary if route else "none")


def _caller(station: Station, scope: Scope) -> Actor:
    """Who calls. Raises Forbidden."""
    actor: Actor | None = scope["state"].get(ACTOR)
    return station.people.actor(scope["state"][UID]) if actor is None else actor


def _label(station: Station, scope: Scope) -> str:
    """Of the line in the path; empty where there is none of that name: what a caller sends stands in no log."""
    try:
        return station.find(str(scope["path_params"]["line"])).label if "line" in scope["path_params"] else ""
    except Refused:
        return ""


def _nobody(scope: Scope) -> Actor:
    return Actor(uid=scope["state"][UID], signs=(), roles=frozenset())
