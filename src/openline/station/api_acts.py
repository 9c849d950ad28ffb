"""Calls."""
from openline.station.calls import Route
ROUTES: tuple[Route, ...] = ()
