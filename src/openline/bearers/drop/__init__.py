"""Envelopes as files: in a folder that others reach too, or on a stick that somebody carries.

limits       names, deadlines and bounds
folder       one direction's folder: files that are whole or not there
worker       a thread for what may hang
rounds       what is done in that thread: a look, some writing, some reading
bearer       all of it behind the Bearer port
courier      the bearer of those who carry a stick by hand
"""

from openline.bearers.drop.bearer import DropBearer, DropConfig
from openline.bearers.drop.courier import CourierBearer, Trip
from openline.bearers.drop.limits import Event, Pace

__all__ = ["CourierBearer", "DropBearer", "DropConfig", "Event", "Pace", "Trip"]
