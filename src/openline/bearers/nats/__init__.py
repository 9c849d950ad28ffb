"""The bearer over NATS JetStream: a relay that keeps envelopes until the other station fetches them.

limits       names, deadlines and bounds
credentials  who we are to the relay
wire         one connection in NATS's own protocol
jetstream    the relay's streams, by requests over a connection
session      one connection at work: our inbox, and what goes to others
bearer       all of it behind the Bearer port
"""

from openline.bearers.nats.bearer import NatsBearer, NatsConfig
from openline.bearers.nats.limits import Event, Pace

__all__ = ["Event", "NatsBearer", "NatsConfig", "Pace"]
